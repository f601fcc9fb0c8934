"""Rutube's API on the wire, and what each error means."""

from typing import Any

from app.platforms.errors import Reconnect, Refused, Unavailable
from app.platforms.http.client import Http, Window

# Undocumented; this is what keeps out of trouble.
PER_TOKEN = (1, 1.0)
MINE = "/api/video/person/"
PAUSE = 30  # seconds, where Rutube names none


class Denied(Unavailable):
    """401 or 403 in Rutube's own shape: of the token, or of this one video."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail, definitely_not_applied=True, reason="rutube_denied")
        self.status = status


class RutubeApi:
    def __init__(self, url: str, http: Http) -> None:
        self._url, self._http = url, http

    def call(self, method: str, path: str, token: str, **kwargs: Any) -> Any:
        """Raises Reconnect where the token is good for nothing, not where one call was denied."""
        try:
            return self._request(method, path, token, **kwargs)
        except Denied as error:
            denied = error
        try:
            self._request("GET", MINE, token, params={"limit": 1})
            if denied.status == 401:  # never of the video
                return self._request(method, path, token, **kwargs)
        except Denied as error:
            raise Reconnect(error.detail) from None
        raise denied

    def _request(self, method: str, path: str, token: str, content_type: str | None = None, **kwargs: Any) -> Any:
        """`content_type`: of a body that is not JSON."""
        self._http.pace(Window(f"rutube:token:{token}", *PER_TOKEN))
        headers = {"Authorization": f"Token {token}"} | ({"Content-Type": content_type} if content_type else {})
        return self.public(method, path, headers=headers, **kwargs)

    def public(
        self, method: str, path: str, *, missing_is_none: bool = False, of: tuple[type, ...] = (dict,), **kwargs: Any
    ) -> Any:
        """`of`: what the response may be."""
        response = self._http.request(method, f"{self._url}{path}", **kwargs)
        payload = response.json()
        own = isinstance(payload, dict)
        if own and response.status == 404 and missing_is_none:
            return None
        response.raise_if_limited(PAUSE, definitely_not_applied=own and response.status == 429)
        if own and response.status in (401, 403):
            raise Denied(response.status, _detail(payload))
        if own and 400 <= response.status < 500:
            raise Refused("rutube_gone" if response.status == 404 else "refused", _detail(payload))
        if response.status == 204:
            return {}
        if response.status >= 300 or not isinstance(payload, of):
            raise Unavailable(f"ошибка {response.status}, не похоже на ответ Rutube")
        return payload


def _detail(payload: dict[str, Any]) -> str:
    """`{field: [msg]}`, `{non_field_errors: […]}` or `{detail}` as one line."""
    return "; ".join(
        " ".join(map(str, texts)) if isinstance(texts, list) else str(texts) for texts in payload.values()
    )[:300]
