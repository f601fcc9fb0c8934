"""Responses for both kinds of request: htmx gets a fragment and events, a plain form a page or a redirect."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from flask import Response, make_response, redirect, render_template, request, session
from flask_wtf import FlaskForm

from app.db import db
from app.models import UNDO_TIME
from app.problems import Problem

# They wait in the session cookie for the next page, and browsers take 4 KB at most.
MOST_FLASHES, FLASH_CHARACTERS = 3, 250
_UNDO = "undo"
_RELOAD = "reload-page"
# Shorter than the server waits: what is pressed at the last moment still counts.
TOAST_WITH_UNDO_MS = round((UNDO_TIME.total_seconds() - 2) * 1000)


def flash(text: str, kind: str, undo: str | None = None) -> None:
    """Flask's, but bounded: a client that never opens a page, or a long name, must not fill the cookie.

    With `undo`, the address that takes the change back, it has a button, if it is still the last one by then.
    """
    shown = text if len(text) <= FLASH_CHARACTERS else f"{text[: FLASH_CHARACTERS - 1]}…"
    session["_flashes"] = [*session.get("_flashes", ()), (kind, shown)][-MOST_FLASHES:]
    session[_UNDO] = undo


def flashed_undo() -> str | None:
    return session.pop(_UNDO, None)


def go(url: str) -> Response:
    """To another page. Headers are ASCII: what is not gets percent-encoded."""
    url = quote(url, safe="/:?#[]@!$&'()*+,;=%~")
    if request.htmx:
        return Response(status=204, headers={"HX-Redirect": url})
    return redirect(url, 303)


def dialog(fragment: str, **context: Any) -> Response:
    """A dialog's content: loaded into the page's <dialog>, or a page of its own where there is no script."""
    return form_page(fragment if request.htmx else "dialog_page.html", fragment=fragment, **context)


def form_page(template: str, **context: Any) -> Response:
    """422 with a problem, or with a form that has errors."""
    form = context.get("form")
    refused = context.get("problem") or (form and form.errors)
    return make_response(render_template(template, **context), 422 if refused else 200)


def done(text: str, to: str, fragments: str | None = "", *, undo: str | None = None) -> Response:
    """Success: shows `text`, swaps `fragments` in by their ids and closes the dialog; without htmx, goes to `to`.

    None: the page loads its contents anew.

    With `undo`, the address that takes the change back, the message has a button for that.
    """
    closing = {"HX-Trigger-After-Settle": "close-dialog" if fragments is not None else "close-dialog, reload-page"}
    return _toast(text, "ok", to, Response(fragments, headers=closing), undo)


def undone(text: str, to: str, fragments: str | None = None) -> Response:
    """The change is taken back. Without `fragments` the page loads its contents anew; a dialog stays open."""
    response = Response(fragments)
    return _toast(text, "ok", to, reloading(response) if fragments is None else response)


def reloading(response: Response) -> Response:
    """The page below loads its contents anew, before whatever else the response has it do: a dialog that closes takes
    the element with it from which htmx sends these events.
    """
    also = response.headers.get("HX-Trigger-After-Settle")
    response.headers["HX-Trigger-After-Settle"] = f"{_RELOAD}, {also}" if also else _RELOAD
    return response


def overtaken(text: str, to: str, fragments: str) -> Response:
    """A refusal because what the page shows is no longer so: with what is so now. The dialog closes."""
    closing = {"HX-Trigger-After-Settle": "close-dialog"}
    return _toast(text, "error", to, Response(fragments, headers=closing))


def refused(text: str, status: int, to: str) -> Response:
    """A refusal that no form can show. Rolls the unit of work back."""
    db.session.rollback()
    return _toast(text, "error", to, Response(status=status))


def _toast(text: str, kind: str, to: str, response: Response, undo: str | None = None) -> Response:
    if not request.htmx:
        flash(text, kind, undo)
        return go(to)
    response.headers["HX-Reswap"] = "none"  # the fragments are out of band
    offer = {"undo": undo, "ms": TOAST_WITH_UNDO_MS} if undo else {}
    return trigger(response, "toast", text=text, kind=kind, **offer)


def trigger(response: Response, event: str, **detail: Any) -> Response:
    """Adds an event for the page's scripts. ASCII, as headers must be."""
    response.headers["HX-Trigger"] = json.dumps({event: detail})
    return response


@contextmanager
def blame(form: FlaskForm) -> Iterator[None]:
    """Shows a service's refusal at its field, or above the form. Rolls the unit of work back."""
    try:
        yield
    except Problem as problem:
        db.session.rollback()
        if problem.field in form:
            form[problem.field].errors = [*form[problem.field].errors, problem.text]
        else:
            form.form_errors.append(problem.text)
