"""Questions to platforms: stored for a page that needs an answer, put by workers."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from flask import current_app
from sqlalchemy import func, select

from app import platforms, queue
from app.db import after_commit, db, reading
from app.models import PlatformConnection, Question, QuestionState, lock_user
from app.observability import redact
from app.platform_access.tokens import with_fresh_token
from app.platforms.base import Account, Adapter, Token
from app.platforms.code_exchange import exchange_code
from app.platforms.errors import RateLimited, Reconnect, Refused, Unavailable
from app.platforms.options import AccountOptions
from app.problems import Problem
from app.vault import CannotOpen

MAX_WAITING_PER_USER = 5
# A window asks for all of a user's accounts at once; one waits for each at most.
_ONE_PER_ACCOUNT = ("options",)


@dataclass(frozen=True)
class Granted:
    """What connecting at a platform has led to; `has_more`: further accounts are to be asked for."""

    accounts: Sequence[Account]
    token: Token
    has_more: bool = False


def ask(
    user_id: int,
    kind: str,
    connection_id: int | None = None,
    payload: Mapping[str, Any] | None = None,
    **columns: Any,
) -> Question:
    """Stores the question for a worker; one about the same connection that still waits is returned instead.

    `payload` may be secret: it is sealed. `columns`: further ones of the row, none of them secret. Raises Problem where
    too many of the user's questions wait.
    """
    lock_user(user_id)
    if connection_id is not None:
        same = Question.user_id == user_id, Question.kind == kind, Question.connection_id == connection_id
        waiting = select(Question).where(*same, Question.state == QuestionState.WAITING)
        if question := db.session.scalars(waiting).first():
            return question
    if kind not in _ONE_PER_ACCOUNT:
        require_room(user_id)
    question = Question(user_id=user_id, kind=kind, connection_id=connection_id, **columns)
    db.session.add(question)
    db.session.flush()
    if payload is not None:
        vault = current_app.extensions["vault"]
        question.sealed_payload = vault.seal(json.dumps(payload).encode(), question.sealed_for)
    question_id = question.id
    after_commit(lambda: wake(question_id))
    return question


def wake(question_id: int) -> None:
    """Faster than the tick."""
    queue.enqueue("app.jobs.ask_platform", question_id)


def require_room(user_id: int) -> None:
    """Raises Problem where too many of the user's questions wait. The user is locked."""
    waiting = Question.user_id == user_id, Question.state == QuestionState.WAITING
    waiting = *waiting, Question.kind.not_in(_ONE_PER_ACCOUNT)
    if db.session.scalar(select(func.count(Question.id)).where(*waiting)) >= MAX_WAITING_PER_USER:
        raise Problem("too_many_questions")


def put(question: Question) -> Any:
    """Asks the platform; returns its answer: JSON, or what `services.questions.ON_ANSWER` makes JSON of.

    Raises PlatformError, vault.CannotOpen, and what reading an answer of an unexpected shape raises.
    """
    sealed = question.sealed_payload
    payload = sealed and _opened(sealed, question.sealed_for)
    with redact.hidden(*_texts(payload)):
        return KINDS[question.kind](question, payload)


def _texts(payload: Any) -> list[str]:
    """All that a payload holds may be secret."""
    if isinstance(payload, Mapping):
        return [text for value in payload.values() for text in _texts(value)]
    return [payload] if isinstance(payload, str) else []


def _opened(sealed: bytes, bound_to: str) -> Any:
    return json.loads(current_app.extensions["vault"].open(sealed, bound_to))


def _accounts(question: Question, _payload: None) -> dict[str, Any]:
    """The other accounts that the token of a connection leads to."""
    with reading():
        connection = db.session.get(PlatformConnection, question.connection_id)
    if connection is None:
        raise Reconnect("аккаунт отключён")
    accounts, limitation = with_fresh_token(connection, lambda adapter, _account, token: adapter.accounts(token))
    return {"accounts": [asdict(account) for account in accounts], "limitation": limitation}


def _share(question: Question, _payload: None) -> list[Account]:
    """The account at the address that was typed; none where only accounts of the list were chosen."""
    with reading():
        connection = db.session.get(PlatformConnection, question.connection_id)
    if connection is None:
        raise Reconnect("аккаунт отключён")
    address = question.typed["address"]
    if not address:
        return []
    return [with_fresh_token(connection, lambda adapter, _account, token: adapter.find_account(token, address))]


def _options(question: Question, _payload: None) -> AccountOptions:
    """What can be chosen for a publication on the account of a connection."""
    with reading():
        connection = db.session.get(PlatformConnection, question.connection_id)
    if connection is None:
        raise Reconnect("аккаунт отключён")
    return with_fresh_token(connection, lambda adapter, account, token: adapter.ask_options(token, account))


def _connect(question: Question, secrets: Mapping[str, str]) -> Granted:
    """By what the user has typed into the platform's form."""
    adapter = platforms.adapter(question.platform, current_app.config)
    accounts, token = adapter.connect({**question.typed, **secrets})
    by_address = adapter.address_field and question.typed.get(adapter.address_field.name, "").strip()
    return Granted(accounts, token, adapter.has_more_accounts and not by_address)


def consent_payload(sealed: bytes, sealed_for: str, arguments: Mapping[str, str]) -> dict[str, Any]:
    """A consent's payload: its verifier, still sealed for the row in which it waited, and the callback's arguments."""
    return {"sealed": base64.b64encode(sealed).decode(), "sealed_for": sealed_for, "arguments": dict(arguments)}


def _consent(question: Question, payload: Mapping[str, Any]) -> Granted:
    """By a consent. It is tried once: a code is good for one request."""
    adapter = platforms.adapter(question.platform, current_app.config)
    if question.tries > 1:
        raise Refused("consent_unavailable", platform=adapter.name)
    try:
        begun = _opened(base64.b64decode(payload["sealed"]), payload["sealed_for"])
    except CannotOpen:  # from before an upgrade, or its key was taken away meanwhile
        raise Refused("consent_stale", platform=adapter.name) from None
    arguments = payload["arguments"]
    with redact.hidden(begun["code_verifier"]):
        return _granted(adapter, arguments, begun)


def _granted(adapter: Adapter, arguments: Mapping[str, str], begun: Mapping[str, str]) -> Granted:
    try:
        answer = exchange_code(adapter, arguments, begun["code_verifier"], begun["redirect_uri"])
        return Granted(*adapter.accept(answer, arguments))
    except (RateLimited, Unavailable) as error:
        raise Refused(error.reason, error.detail) from None


# How each kind is put: gets the row and what its payload was.
KINDS: dict[str, Callable[[Question, Any], Any]] = {
    "accounts": _accounts,
    "connect": _connect,
    "consent": _consent,
    "options": _options,
    "share": _share,
}
