"""Leading to a consent page, through Authlib, and back. A worker exchanges the code: `app.platforms.code_exchange`.

The adapters have the details of each platform's OAuth.
"""

import json
import logging
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import structlog
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App, OAuth
from flask import Flask, current_app, session, url_for
from flask_login import current_user

from app import platforms
from app.db import commit
from app.problems import NotFound, Problem
from app.services import consents
from app.services.consents import SealedConsent
from app.web.access import browser_id, serves_file

log = structlog.get_logger(__name__)


class _States(FlaskIntegration):
    """Where Authlib stores a state and its PKCE verifier: sealed in `consents`, instead of the session."""

    def set_state_data(self, session: MutableMapping[str, Any], state: str, data: Mapping[str, Any]) -> None:
        consents.begin(current_user, self.name, browser_id(), state, json.dumps(data))


class _Client(FlaskOAuth2App):
    def create_authorization_url(self, redirect_uri: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """With the client's id under the name that the platform has for it."""
        created = super().create_authorization_url(redirect_uri, **kwargs)
        name = platforms.ADAPTERS[self.name].oauth(current_app.config).client_id_name
        if name == "client_id":
            return created
        parts = urlsplit(created["url"])
        named = [(name if one == "client_id" else one, value) for one, value in parse_qsl(parts.query)]
        return {**created, "url": parts._replace(query=urlencode(named)).geturl()}


class _OAuth(OAuth):
    framework_integration_cls = _States
    oauth2_client_cls = _Client


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
            client_id=settings.client_id,
            authorize_url=settings.authorize_url,
            authorize_params=dict(settings.params),
            client_kwargs={"scope": settings.scope, "code_challenge_method": "S256"},
        )
        hosts.add(settings.authorize_url.split("/authorize")[0])
    app.extensions["oauth"] = oauth
    app.config["FORM_ACTION_HOSTS"] = sorted(hosts)
    app.before_request(_forget_states_in_session)


def _forget_states_in_session() -> None:
    """Older versions stored them there: no browser takes a larger cookie."""
    if serves_file():
        return
    for name in [name for name in session if name.startswith(("_state_", "sealed_state_"))]:
        del session[name]


def client_of(platform: str) -> FlaskOAuth2App:
    client = current_app.extensions["oauth"].create_client(platform)
    if client is None:
        raise NotFound
    return client


def take_consent(platform: str, arguments: Mapping[str, str]) -> SealedConsent:
    """What was sealed when the consent with the callback's state began. Raises Problem.

    Committed at once: a state is used up though its consent fails.
    """
    name = platforms.ADAPTERS[platform].name
    taken = consents.take(current_user, platform, browser_id(), arguments.get("state", ""))
    commit()
    if "error" in arguments:
        log.info("consent was not given", platform=platform, error=arguments["error"])
        raise Problem("consent_denied" if arguments["error"] == "access_denied" else "consent_refused", platform=name)
    if taken is None:
        raise Problem("consent_stale", platform=name)
    return taken


def callback_url(platform: str) -> str:
    """Fixed: never made of a request's values."""
    return current_app.config["PUBLIC_URL"] + url_for("integrations.callback", platform=platform)
