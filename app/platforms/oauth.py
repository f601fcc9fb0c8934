"""Consent pages, and what an error at the token address means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.platforms.errors import PlatformError, Reconnect, Unavailable


@dataclass(frozen=True)
class OAuth:
    """A consent page. Scopes are written as the platform wants them."""

    authorize_url: str
    token_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scope: str = ""
    # How the client authenticates at the token address: RFC 7591's names.
    client_auth: str = "client_secret_post"
    pkce: bool = True


# The server's failure or a wrong setting of this application, by RFC 6749 (4.1.2.1, 5.2) and RFC 8628 (3.5).
_NOT_OF_THE_TOKEN = {
    *("invalid_client", "server_error", "slow_down", "temporarily_unavailable"),
    *("unauthorized_client", "unsupported_grant_type"),
}


def refresh_refused(response: Mapping[str, Any]) -> PlatformError:
    """What an error at the token address means for the refresh token."""
    code = response["error"]
    detail = str(response.get("error_description") or code)
    of_the_token = isinstance(code, str) and code not in _NOT_OF_THE_TOKEN
    return Reconnect(detail) if of_the_token else Unavailable(detail)
