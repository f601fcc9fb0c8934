"""Who may see what: everything demands a signed-in user unless it is marked `@public`; reading does not lock."""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.extensions import login, reads_only
from app.web import responses

READING = ("GET", "HEAD", "OPTIONS")

View = TypeVar("View", bound=Callable)


def public(view: View) -> View:
    """Marks a view that needs nobody signed in."""
    view.is_public = True
    return view


def writes(view: View) -> View:
    """Marks a view that changes something though it is asked by GET (a return from a consent page)."""
    view.writes = True
    return view


def require_admin() -> None:
    """For `before_request` of what is the operator's alone: to others it does not exist."""
    if not current_user.is_admin:
        abort(404)


def register(app: Flask) -> None:
    app.url_value_preprocessor(_prepare_database)
    app.before_request(_require_user)
    app.teardown_request(lambda _error: reads_only.set(False))
    login.unauthorized_handler(ask_to_sign_in)


def is_local(url: str) -> bool:
    """Whether a redirect to it stays here: `next` comes from the address bar."""
    parts = urlsplit(url)
    return url.startswith("/") and not url.startswith(("//", "/\\")) and not parts.netloc and url.isprintable()


def ask_to_sign_in() -> ResponseReturnValue:
    """A page leads to the sign-in and back; a part of a page takes the whole page there."""
    if request.htmx:
        shown = urlsplit(request.htmx.current_url or "/")
        return responses.go(url_for("accounts.sign_in", next=shown.path))
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    return responses.go(url_for("accounts.sign_in", next=None if back == "/" else back))


def _prepare_database(endpoint: str | None, _values: dict | None) -> None:
    """The first hook of a request: before anything asks for the user."""
    view = current_app.view_functions.get(endpoint)
    reads_only.set(request.method in READING and not getattr(view, "writes", False))


def _require_user() -> ResponseReturnValue | None:
    view = current_app.view_functions.get(request.endpoint)
    if view is None or request.endpoint == "static" or getattr(view, "is_public", False):
        return None
    return None if current_user.is_authenticated else login.unauthorized()
