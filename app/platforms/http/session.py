"""A `requests` session whose calls are bounded, whoever makes them: by Http, and by Authlib at token addresses."""

from typing import Any

import requests

from app.outgoing.connections import CONNECT_SECONDS
from app.outgoing.deadline import SLOWEST_BYTES_A_SECOND, Deadline
from app.platforms.http.body import FileBody
from app.platforms.http.response import MAX_BYTES, read_body
from app.platforms.http.timeouts import RESPONSE_SECONDS, STALL_SECONDS


class BoundedSession(requests.Session):
    """No redirects, nothing of the machine's environment, one deadline a call, bodies up to `max_bytes`.

    Its transports (`app.platforms.http.transport`) are mounted by its maker.
    """

    def request(
        self,
        method: str,
        url: str,
        *,
        response_seconds: float = RESPONSE_SECONDS,
        max_bytes: int = MAX_BYTES,
        **kwargs: Any,
    ) -> requests.Response:
        """A response that has been read. Raises TimeoutError besides what `requests` and urllib3 raise."""
        # Neither proxies nor passwords of the machine's environment: the settings decide where a request goes.
        self.trust_env = False
        bounds = {"timeout": (CONNECT_SECONDS, response_seconds), "allow_redirects": False, "stream": True}
        body = kwargs.get("data")
        to_send = STALL_SECONDS + len(body) / SLOWEST_BYTES_A_SECOND if isinstance(body, FileBody) else 0
        with Deadline(CONNECT_SECONDS + max(to_send, response_seconds), response_seconds) as deadline:
            try:
                with super().request(method, url, **{**kwargs, **bounds}) as response:
                    # `requests` has no public way to say what a body is that was read elsewhere.
                    response._content = read_body(response, response_seconds, max_bytes)
            except (requests.RequestException, OSError):
                if deadline.has_passed:
                    raise TimeoutError from None
                raise
            if deadline.has_passed:  # a body without a length ends as if it were complete
                raise TimeoutError
            return response
