"""Whose large bodies and responses those of a signed-in browser are: see `app.serving.transfers`."""

from flask import Flask, Response, session
from flask_login import current_user

from app.serving import is_api, transfers


def register(app: Flask) -> None:
    app.url_value_preprocessor(_begin)
    transfers.register(app)
    app.after_request(_own)  # the last one that is registered is the first to be called


def _begin(_endpoint: str | None, _values: dict | None) -> None:
    if not is_api():
        transfers.begin(lambda: current_user.get_id() if current_user.is_authenticated else None)


def _own(response: Response) -> Response:
    """The user is known where the view has read the session."""
    if session.accessed:
        transfers.belongs_to(session.get("_user_id"))
    return response
