"""Consent pages, and what an error at the token address means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.platforms.errors import Reconnect, Unavailable
from app.platforms.http.response import Response


@dataclass(frozen=True)
class OAuth:
    """A consent page. Scopes are written as the platform wants them."""

    authorize_url: str
    token_url: str
    client_id: str
    # What the platform calls the client's id in the page's address and at the token address.
    client_id_name: str = "client_id"
    client_secret: str = field(default="", repr=False)
    scope: str = ""
    # How the client authenticates at the token address: RFC 7591's names.
    client_auth: str = "client_secret_post"
    # What else the address of the consent page has to say.
    params: Mapping[str, str] = field(default_factory=dict)


# The server's failure or a wrong setting of this application, by RFC 6749 (4.1.2.1, 5.2) and RFC 8628 (3.5).
_NOT_OF_THE_TOKEN = {
    *("invalid_client", "server_error", "slow_down", "temporarily_unavailable"),
    *("unauthorized_client", "unsupported_grant_type"),
}


def payload_of(response: Response, server: str, pause: float) -> Mapping[str, Any]:
    """What a consent server has sent; with an `error` where it refuses. Its own failure is not of the token."""
    response.raise_if_limited(pause)
    payload = response.json()
    if response.status >= 500 or not isinstance(payload, dict):
        raise Unavailable(f"ошибка {response.status} от {server}")
    return payload


def refreshed(response: Response, server: str, pause: float) -> Mapping[str, Any]:
    """The new pair of tokens. Raises Reconnect where the refresh token is no longer good."""
    payload = payload_of(response, server, pause)
    if "error" not in payload:
        if "access_token" not in payload:
            raise Unavailable(f"непонятный ответ {server}")
        return payload
    code = payload["error"]
    detail = str(payload.get("error_description") or code)
    of_the_token = isinstance(code, str) and code not in _NOT_OF_THE_TOKEN
    raise Reconnect(detail) if of_the_token else Unavailable(detail)
