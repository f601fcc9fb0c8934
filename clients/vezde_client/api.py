"""The HTTP API: a key, a base address, and patience with what passes by itself."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from vezde_client import __version__, answers
from vezde_client.answers import Answer
from vezde_client.errors import ClientError, Unavailable

BASE = "/api/v1"
CONNECT_SECONDS, READ_SECONDS = 10, 60
USUAL_PATIENCE = 300.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


class Bearer(requests.auth.AuthBase):
    """As `auth` and not as a header: otherwise a line of ~/.netrc would replace it."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class Patience:
    """How long failures that may pass are waited out. Progress begins it anew."""

    def __init__(self, seconds: float, notice: Callable[[str], None]) -> None:
        self._seconds, self._notice = seconds, notice
        self.renew()

    def renew(self) -> None:
        self._end, self._pause = time.monotonic() + self._seconds, _FIRST_PAUSE

    def wait(self, error: ClientError, asked: float | None = None) -> None:
        """Sleeps for as long as the server has `asked`, or a little longer each time. Raises `error` at the end."""
        pause = self._pause if asked is None else max(asked, 0.1)
        if time.monotonic() + pause > self._end:
            raise error
        self._notice(f"{error.message} Повторим через {pause:.0f} с.")
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        time.sleep(pause)


class Api:
    """Every POST has an Idempotency-Key, so that each request can be sent again after a lost answer."""

    def __init__(
        self, url: str, key: str, patience: float = USUAL_PATIENCE, notice: Callable[[str], None] = lambda text: None
    ) -> None:
        self.url = url.rstrip("/")
        self._patience, self._notice = patience, notice
        self._session = requests.Session()
        self._session.auth = Bearer(key)
        self._session.headers.update({"User-Agent": f"vezde-client/{__version__}", "Accept": "application/json"})
        self._me: dict[str, Any] | None = None

    @property
    def me(self) -> dict[str, Any]:
        """Whose key it is; asked once."""
        if self._me is None:
            self._me = self.get("/me")
        return self._me

    def get(self, path: str, **params: Any) -> Any:
        return self.send("GET", path, params=params).json()

    def post(self, path: str, body: Mapping[str, Any] | None = None, key: str | None = None) -> Any:
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self.send("POST", path, json=body or {}, headers=headers).json()

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Of a list item after item."""
        while True:
            page = self.get(path, **params)
            yield from page["items"]
            if not page.get("next_cursor"):
                return
            params["cursor"] = page["next_cursor"]

    def send(self, method: str, path: str, **request: Any) -> Answer:
        """Waits out what passes by itself; raises ClientError for any refusal."""
        patience = self.patience()
        while True:
            try:
                answer = self.once(method, path, **request)
            except Unavailable as error:
                patience.wait(error)
                continue
            if answer.is_temporary:
                patience.wait(answer.refusal(), answer.waits)
                continue
            answer.raise_for_refusal()
            return answer

    def patience(self) -> Patience:
        return Patience(self._patience, self._notice)

    def once(self, method: str, path: str, **request: Any) -> Answer:
        """One request. Raises Unavailable where nothing came back that can be read."""
        address = self.address(path)
        try:
            # The key is for this address only: a redirection is not followed.
            response = self._session.request(
                method,
                address,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                stream=True,
                **request,
            )
            return answers.read(response)
        except _BROKEN as error:
            raise Unavailable(f"Нет связи с {self.url}: {_reason(error)}.") from error

    def address(self, path: str) -> str:
        """Of a path below /api/v1, or of the Location of something there. The key goes nowhere else: of a Location only
        the path counts.
        """
        if not path.startswith("/"):
            path = urlsplit(path).path
        return f"{self.url}{path}" if path.startswith(f"{BASE}/") else f"{self.url}{BASE}{path}"


def _reason(error: Exception) -> str:
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return "ответа не дождались"
    if isinstance(error, requests.exceptions.SSLError):
        return "сертификат не подходит"
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return "адрес записан неверно"
    return "соединение не установлено или оборвалось"
