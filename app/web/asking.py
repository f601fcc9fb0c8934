"""Platforms that are asked for an account's options while a page shows them.

`asked-7` in a form is the question that the page has asked about account 7; `look` the account to be asked once more.
"""

from collections.abc import Sequence

from flask import request
from flask_login import current_user

from app import platforms
from app.db import commit, db, reads_only
from app.models import PlatformConnection
from app.problems import Problem
from app.services import asked_options, questions
from app.services.asked_options import Look
from app.web.input_guard import row_id

PREFIX = "asked-"


def ask(connections: Sequence[PlatformConnection]) -> bool:
    """Asks for those accounts that this page has not asked for, in a unit of work of its own: what was read before is
    to be read anew, where it returns True.
    """
    ids = asked_options.to_ask(connections, known().keys())
    if not ids:
        return False
    user_id = current_user.id
    db.session.rollback()  # a page that reads has no write lock
    before = reads_only.set(False)
    try:
        asked_options.ask(user_id, ids)
        commit()
    finally:
        db.session.rollback()
        reads_only.reset(before)
    return True


def looks(connections: Sequence[PlatformConnection]) -> dict[int, Look]:
    return asked_options.looks(current_user, connections, known())


def is_waited_for(look: Look) -> bool:
    """Whether a poll has nothing to add to what its page shows."""
    return look.waits and questions.is_late(look.question) == ("late" in request.values)


def is_known(look: Look) -> bool:
    """Whether this page has asked for the account."""
    return look.connection.id in known()


def require_shown(connection: PlatformConnection, prefix: str) -> None:
    """Raises Problem where the form has asked for the account and could not show its options yet: what was chosen
    before would be lost without a word.
    """
    sent = any(field.startswith(prefix) for field in request.form)
    if connection.id in known() and asked_options.is_asked(connection) and not sent:
        name = platforms.ADAPTERS[connection.platform].name
        raise Problem("options_not_asked", f"{prefix}waits", platform=name)


def is_look() -> bool:
    """Whether a form was sent only to see what platforms have answered by now."""
    return "look" in request.form


def known() -> dict[int, int]:
    """By account, the question of the page."""
    found = {}
    for field in request.values:
        number, prefix = field.removeprefix(PREFIX), field[: len(PREFIX)]
        question = request.values.get(field, type=row_id)
        if prefix == PREFIX and number.isascii() and number.isdigit() and question:
            found[int(number)] = question
    found.pop(request.form.get("look", type=row_id), None)
    return found
