"""Access: every view needs a signed-in user unless it is marked `@public`; reading takes no write lock."""

import secrets
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

import structlog
from flask import Flask, Response, abort, current_app, g, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user
from flask_wtf import CSRFProtect
from htmx_flask import Htmx

from app.db import commit, db, reads_only
from app.models import User, UserSession
from app.services import second_factor, sessions
from app.services.audit_log import client_ip
from app.serving import is_api
from app.web import responses

# Unbound: `create_app()` binds them.
login = LoginManager()
login.session_protection = None  # a row is worth more than a guess by address and browser
csrf = CSRFProtect()
htmx = Htmx()

READING = ("GET", "HEAD", "OPTIONS")
# What is open to an administrator whose second factor is not set up.
SET_UP = ("second_factor.page", "second_factor.confirm", "passkeys.add", "passkeys.create", "auth.sign_out")

View = TypeVar("View", bound=Callable)


def public(view: View) -> View:
    """Marks a view that needs no signed-in user."""
    view.is_public = True
    return view


def serves_file() -> bool:
    """Whether the request is for a static file (app/web/static_files.py): it knows neither users nor sessions."""
    return request.endpoint == "static" or request.blueprint == "assets"


def writes(view: View) -> View:
    """Marks a view that changes something on GET (a return from a consent page)."""
    view.writes = True
    return view


def reads(view: View) -> View:
    """Marks a view that changes nothing on POST either (a form that is shown anew)."""
    view.reads = True
    return view


def require_admin() -> None:
    """For `before_request` of operators' pages: to other users they do not exist."""
    if not acts_as_admin():
        abort(404)


@login.user_loader
def _load_user(user_id: str) -> User | None:
    """By the session's row: what the cookie says about the user is not enough."""
    found = sessions.find(session.get("token", ""))
    if found is None or str(found[1].id) != user_id or not found[1].may_sign_in:
        return None
    g.user_session, user = found
    g.unseen_session = g.user_session.id if sessions.is_unseen(g.user_session) else None
    structlog.contextvars.bind_contextvars(user=user.id)
    return user


def current_session() -> UserSession:
    """Of the user who is signed in."""
    return g.user_session


def acts_as_admin() -> bool:
    """An administrator whose second factor is set up."""
    signed_in = current_user.is_authenticated and current_user.is_admin
    return signed_in and not second_factor.must_be_set_up(current_user)


def browser_id() -> str:
    """Identifies this browser's session; made at the first call."""
    return session.setdefault("browser", secrets.token_urlsafe(16))


def register(app: Flask) -> None:
    app.url_value_preprocessor(_prepare)
    app.before_request(_require_user)
    app.after_request(_mark_seen)
    app.teardown_request(_forget_request)
    login.unauthorized_handler(ask_to_sign_in)


def is_local(url: str) -> bool:
    """Whether a redirect to it stays on this site: `next` comes from the address bar."""
    return url.startswith("/") and not url.startswith(("//", "/\\")) and url.isprintable()


def address_of(url: str | None) -> SplitResult:
    """The parts of an address in a browser's header; of the start page's where it cannot be parsed."""
    try:
        return urlsplit(url or "/")
    except ValueError:
        return urlsplit("/")


def path_of(url: str | None) -> str:
    return address_of(url).path or "/"


def ask_to_sign_in() -> ResponseReturnValue:
    """From a page to the sign-in and back. A fragment's request says so to session.js: what was typed may stay."""
    if request.htmx:
        sign_in = url_for("auth.sign_in", next=path_of(request.htmx.current_url))
        return responses.trigger(Response(status=401), "signed-out", to=sign_in)
    # Without the query of a consent's callback: its code is for the platform only.
    path = request.path if request.endpoint == "integrations.callback" else request.full_path.rstrip("?")
    back = path if request.method == "GET" else None
    return responses.go(url_for("auth.sign_in", next=None if back == "/" else back))


def _prepare(endpoint: str | None, _values: dict | None) -> None:
    """The first hook of a request: before the user is loaded."""
    view = current_app.view_functions.get(endpoint)
    reading = request.method in READING and not getattr(view, "writes", False)
    reads_only.set(reading or getattr(view, "reads", False))
    client_ip.set(request.remote_addr)  # for the audit log


def _mark_seen(response: Response) -> Response:
    """After the view, in a transaction of its own: one that only reads has no write lock."""
    if session_id := g.get("unseen_session"):
        db.session.rollback()
        reads_only.set(False)
        sessions.mark_seen(session_id)
        commit()
    return response


def _forget_request(_error: BaseException | None) -> None:
    """The thread serves other requests after it."""
    reads_only.set(False)
    client_ip.set(None)


def _require_user() -> ResponseReturnValue | None:
    view = current_app.view_functions.get(request.endpoint)
    if view is None or is_api() or serves_file() or getattr(view, "is_public", False):
        return None
    if not current_user.is_authenticated:
        return login.unauthorized()
    if request.endpoint not in SET_UP and second_factor.must_be_set_up(current_user):
        return responses.go(url_for("second_factor.page"))
    return None
