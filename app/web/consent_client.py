"""Connecting by a consent page, through Authlib. The adapters have the details of each platform's OAuth."""

import json
import logging
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import urlencode

import requests
import structlog
from authlib.integrations.base_client.errors import MismatchingStateError
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App, OAuth, OAuthError
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask, current_app, request, session, url_for
from flask_login import current_user
from urllib3.exceptions import HTTPError

from app import platforms
from app.db import commit
from app.platforms.http.session import BoundedSession
from app.platforms.http.transport import Transport
from app.problems import NotFound, Problem
from app.services import connections, consents
from app.web.access import browser_id

log = structlog.get_logger(__name__)


class _States(FlaskIntegration):
    """Where Authlib stores a state and its PKCE verifier: `consents`, instead of the session."""

    def set_state_data(self, session: MutableMapping[str, Any], state: str, data: Mapping[str, Any]) -> None:
        consents.begin(current_user, self.name, browser_id(), state, json.dumps(data))

    def get_state_data(self, session: MutableMapping[str, Any], state: str | None) -> dict[str, Any] | None:
        secret = _take(self.name, state) if state else None
        return json.loads(secret) if secret else None

    def clear_state_data(self, session: MutableMapping[str, Any], state: str | None) -> None:
        """For a refusal; reading it has deleted it already."""
        if state:
            _take(self.name, state)


def _take(platform: str, state: str) -> str | None:
    """Committed at once: a state is used up though its consent fails, and the platform is asked without a lock."""
    secret = consents.take(current_user, platform, browser_id(), state)
    commit()
    return secret


class _OAuth(OAuth):
    framework_integration_cls = _States


class _Session(OAuth2Session, BoundedSession):
    """A code, its verifier and our secret go to the address in the settings and nowhere else."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for scheme in ("http://", "https://"):
            self.mount(scheme, Transport())


class _Client(FlaskOAuth2App):
    client_cls = _Session


def register(app: Flask) -> None:
    """A client for each adapter that has a consent page here; forms may redirect to their hosts."""
    logging.getLogger("authlib").setLevel(logging.INFO)  # at DEBUG it writes the verifier
    oauth = _OAuth(app)
    hosts = set()
    for key, adapter in platforms.ADAPTERS.items():
        settings = adapter.oauth(app.config)
        if settings is None:
            continue
        oauth.register(
            key,
            client_cls=_Client,
            client_id=settings.client_id,
            client_secret=settings.client_secret or None,
            authorize_url=settings.authorize_url,
            access_token_url=settings.token_url,
            client_kwargs={
                "scope": settings.scope,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": settings.client_auth,
            },
        )
        hosts.add(settings.authorize_url.split("/authorize")[0])
    app.extensions["oauth"] = oauth
    app.config["FORM_ACTION_HOSTS"] = sorted(hosts)
    app.before_request(_forget_states_in_session)


def _forget_states_in_session() -> None:
    """Older versions stored them there: no browser takes a larger cookie."""
    if request.endpoint == "static":
        return
    for name in [name for name in session if name.startswith(("_state_", "sealed_state_"))]:
        del session[name]


def client_of(platform: str) -> FlaskOAuth2App:
    client = current_app.extensions["oauth"].create_client(platform)
    if client is None:
        raise NotFound
    return client


def exchange_code(client: FlaskOAuth2App, platform: str, arguments: dict[str, str]) -> dict:
    """The token address's answer. Authlib checks the state, uses it up, and sends the verifier. Raises Problem."""
    if "error" in arguments:
        client.framework.clear_state_data(session, arguments.get("state"))
    more = platforms.adapter(platform, current_app.config).token_params(arguments)
    name = platforms.ADAPTERS[platform].name
    try:
        return client.authorize_access_token(body=urlencode(more))
    except MismatchingStateError as error:
        raise Problem("consent_stale", platform=name) from error
    except OAuthError as error:
        log.info("consent was not given", platform=platform, error=error.error)
        denied = error.error == "access_denied"
        raise Problem("consent_denied" if denied else "consent_refused", platform=name) from error
    except (requests.RequestException, HTTPError, OSError) as error:
        log.warning("consent could not be finished", platform=platform, error=type(error).__name__)
        raise Problem("consent_unavailable", platform=name) from error
    except connections.UNEXPECTED as error:
        log.exception("an answer of an unexpected shape", platform=platform)
        raise Problem("unexpected_answer") from error


def callback_url(platform: str) -> str:
    """Fixed: never made of a request's values."""
    return current_app.config["PUBLIC_URL"] + url_for("integrations.callback", platform=platform)
