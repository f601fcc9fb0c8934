"""A consent's code for its token, through Authlib: only workers do it."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import requests
import structlog
from authlib.common.urls import add_params_to_qs
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from urllib3.exceptions import HTTPError

from app.platforms.base import Adapter
from app.platforms.errors import Refused
from app.platforms.http.failures import is_untrusted
from app.platforms.http.session import BoundedSession
from app.platforms.http.transport import Transport
from app.platforms.oauth import OAuth

log = structlog.get_logger(__name__)


class _Session(OAuth2Session, BoundedSession):
    """A code, its verifier and our secret go to the address in the settings and nowhere else."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for scheme in ("http://", "https://"):
            self.mount(scheme, Transport())


def exchange_code(
    adapter: Adapter, arguments: Mapping[str, str], verifier: str, redirect_uri: str
) -> Mapping[str, Any]:
    """The token address's answer to the code among the callback's `arguments`. Raises Refused: a code is good for one
    request, so that a lost answer cannot be asked for again.
    """
    settings = adapter.oauth(adapter.config)
    if settings is None:
        raise Refused("consent_refused", platform=adapter.name)
    session = _Session(
        settings.client_id,
        settings.client_secret or None,
        token_endpoint_auth_method=_client_auth(settings),
        redirect_uri=redirect_uri,
    )
    try:
        with session:
            return session.fetch_token(
                settings.token_url,
                body=urlencode(adapter.token_params(arguments)),
                grant_type="authorization_code",
                code=arguments.get("code", ""),
                code_verifier=verifier,
            )
    except OAuthError as error:
        log.info("consent was not given", platform=adapter.key, error=error.error)
        raise Refused("consent_refused", platform=adapter.name) from None
    except (requests.RequestException, HTTPError, OSError) as error:
        log.warning("consent could not be finished", platform=adapter.key, error=type(error).__name__)
        if is_untrusted(error):
            raise Refused("untrusted_certificate") from None
        raise Refused("consent_unavailable", platform=adapter.name) from None


def _client_auth(settings: OAuth) -> str | Callable[..., tuple[str, dict, str]]:
    """Authlib's name of the method; a method of our own where the platform calls the client's id something else."""
    if settings.client_id_name == "client_id":
        return settings.client_auth
    client = [(settings.client_id_name, settings.client_id), ("client_secret", settings.client_secret)]

    def add_client(_client: OAuth2Session, _method: str, uri: str, headers: dict, body: str) -> tuple[str, dict, str]:
        sent = add_params_to_qs(body or "", client)
        return uri, {**headers, "Content-Length": str(len(sent))}, sent

    return add_client
