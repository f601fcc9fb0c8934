"""Connecting by a consent page, through Authlib. What a platform's OAuth looks like stands in its adapter."""

import base64
import hashlib
import logging
from urllib.parse import urlencode

import requests
import structlog
from authlib.integrations.flask_client import FlaskOAuth2App, OAuth, OAuthError
from authlib.integrations.requests_client import OAuth2Session
from cryptography.fernet import Fernet, InvalidToken
from flask import Blueprint, Flask, current_app, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app import platforms
from app.services import connections
from app.services.errors import NotFound, Problem
from app.web import responses
from app.web.access import writes

blueprint = Blueprint("oauth", __name__, url_prefix="/settings/integrations")
log = structlog.get_logger(__name__)

STATE_SECONDS = 600


class StateCookie:
    """Authlib's cache for state and PKCE verifier: encrypted in the browser's session, ten minutes, used once."""

    def __init__(self, app: Flask) -> None:
        key = hashlib.sha256(b"consent state: " + app.config["SECRET_KEY"].encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def set(self, key: str, value: str, _seconds: int) -> None:
        session[f"sealed{key}"] = self._fernet.encrypt(value.encode()).decode()

    def get(self, key: str) -> str | None:
        try:
            return self._fernet.decrypt(session.get(f"sealed{key}", "").encode(), ttl=STATE_SECONDS).decode()
        except InvalidToken:
            return None

    def delete(self, key: str) -> None:
        session.pop(f"sealed{key}", None)


class _Session(OAuth2Session):
    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        # A code, its verifier and our secret go to the address in the settings and nowhere else.
        self.max_redirects = 0
        self.trust_env = False


class _Client(FlaskOAuth2App):
    client_cls = _Session


def register(app: Flask) -> None:
    """A client for each adapter that has a consent page here; their hosts are where forms may lead."""
    logging.getLogger("authlib").setLevel(logging.INFO)  # at DEBUG it writes the verifier
    oauth = OAuth(app, cache=StateCookie(app))
    hosts = set()
    for key in platforms.ADAPTERS:
        settings = platforms.adapter(key, app.config).oauth
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
                "default_timeout": 20,
            },
        )
        hosts.add(settings.authorize_url.split("/authorize")[0])
    app.extensions["oauth"] = oauth
    app.config["FORM_ACTION_HOSTS"] = sorted(hosts)


def _client(platform: str) -> FlaskOAuth2App:
    if platform not in platforms.ADAPTERS:
        raise NotFound
    client = current_app.extensions["oauth"].create_client(platform)
    if client is None:
        raise NotFound
    return client


@blueprint.post("/<platform>/consent")
def start(platform: str) -> ResponseReturnValue:
    client = _client(platform)
    try:
        connections.require_plan(current_user, platform)
    except Problem as problem:
        return responses.refused(problem.text, 403, url_for("plans.page"))
    return client.authorize_redirect(_back_to(platform))


@blueprint.get("/<platform>/callback")
@writes
def callback(platform: str) -> ResponseReturnValue:
    client = _client(platform)
    arguments = request.args.to_dict()
    plain = dict(platforms.adapter(platform, current_app.config).callback(arguments))
    if plain != arguments:
        return redirect(url_for(".callback", platform=platform, **plain), 303)
    page = url_for("connections.page")
    name = platforms.ADAPTERS[platform].name
    try:
        connection = connections.accept(current_user, platform, _exchange(client, platform, plain), plain)
    except OAuthError as error:
        log.info("consent was not given", platform=platform, error=error.error)
        if error.error == "access_denied":
            return responses.refused(f"{name} не подключён: вы не дали доступ. Подключите, когда захотите.", 400, page)
        return responses.refused(f"{name} не подключён: ответ не подошёл к запросу. Начните ещё раз.", 400, page)
    except requests.RequestException as error:
        log.warning("consent could not be finished", platform=platform, error=type(error).__name__)
        return responses.refused(f"{name} не отвечает. Подождите минуту и попробуйте ещё раз.", 502, page)
    except Problem as problem:
        return responses.refused(problem.text, 400, page)
    return responses.done(f"{name} подключён: {connection.account_name}.", page)


def _exchange(client: FlaskOAuth2App, platform: str, arguments: dict[str, str]) -> dict:
    """The token address's answer. Authlib checks the state, uses it up, and sends the verifier."""
    more = platforms.adapter(platform, current_app.config).token_params(arguments)
    return client.authorize_access_token(body=urlencode(more))


def _back_to(platform: str) -> str:
    """Fixed: never made of what a request says."""
    return current_app.config["PUBLIC_URL"] + url_for(".callback", platform=platform)
