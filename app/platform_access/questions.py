"""Questions to platforms: stored for a page that needs an answer, put by workers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from flask import current_app
from sqlalchemy import select

from app import queue
from app.db import after_commit, db, reading
from app.models import PlatformConnection, Question, QuestionState, lock_user
from app.observability import redact
from app.platform_access.tokens import with_fresh_token
from app.platforms.errors import Reconnect
from app.problems import Problem

MAX_WAITING_PER_USER = 5


def ask(
    user_id: int, kind: str, connection_id: int | None = None, payload: Mapping[str, Any] | None = None
) -> Question:
    """Stores the question for a worker; one about the same connection that still waits is returned instead.

    `payload` may be secret: it is sealed. Raises Problem where too many of the user's questions wait.
    """
    lock_user(user_id)
    waiting = db.session.scalars(
        select(Question).where(Question.user_id == user_id, Question.state == QuestionState.WAITING)
    ).all()
    for question in waiting:
        if connection_id is not None and (question.kind, question.connection_id) == (kind, connection_id):
            return question
    if len(waiting) >= MAX_WAITING_PER_USER:
        raise Problem("too_many_questions")
    question = Question(user_id=user_id, kind=kind, connection_id=connection_id)
    db.session.add(question)
    db.session.flush()
    if payload is not None:
        vault = current_app.extensions["vault"]
        question.sealed_payload = vault.seal(json.dumps(payload).encode(), question.sealed_for)
    question_id = question.id
    after_commit(lambda: queue.enqueue("app.jobs.ask_platform", question_id))  # faster than the tick
    return question


def put(question: Question) -> Any:
    """Asks the platform; returns its answer as JSON. Raises PlatformError, vault.CannotOpen, and what reading an answer
    of an unexpected shape raises.
    """
    sealed = question.sealed_payload
    vault = current_app.extensions["vault"]
    payload = sealed and json.loads(vault.open(sealed, question.sealed_for))
    with redact.hidden(*_texts(payload)):
        return KINDS[question.kind](question, payload)


def _texts(payload: Any) -> list[str]:
    """All that a payload holds may be secret."""
    if isinstance(payload, Mapping):
        return [text for value in payload.values() for text in _texts(value)]
    return [payload] if isinstance(payload, str) else []


def _accounts(question: Question, _payload: None) -> dict[str, Any]:
    """The other accounts that the token of a connection leads to."""
    with reading():
        connection = db.session.get(PlatformConnection, question.connection_id)
    if connection is None:
        raise Reconnect("аккаунт отключён")
    accounts, limitation = with_fresh_token(connection, lambda adapter, _account, token: adapter.accounts(token))
    return {"accounts": [asdict(account) for account in accounts], "limitation": limitation}


# How each kind is put: gets the row and what its payload was.
KINDS: dict[str, Callable[[Question, Any], Any]] = {"accounts": _accounts}
