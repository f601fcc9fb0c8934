"""The answers to questions to platforms (`app.platform_access.questions`)."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import delete, select, update

from app import clock
from app.db import db
from app.models import Question, QuestionState, User
from app.models.claim import claim
from app.models.types import is_due
from app.platform_access import questions
from app.platforms.errors import Incident, PlatformError, RateLimited, Unavailable, Untrusted
from app.problems import NotFound, Problem
from app.services import asked_options, connecting, further_accounts
from app.vault import CannotOpen

log = structlog.get_logger(__name__)

# What else an answer changes, in the transaction that stores it.
# Returns the answer as it is stored: without secrets.
ON_ANSWER: dict[str, Callable[[Question, Any], Any]] = {
    "accounts": further_accounts.add_to_choice,
    "connect": connecting.add_granted,
    "consent": connecting.add_granted,
    "options": asked_options.store,
    "share": further_accounts.share,
}

# What reading an answer of an unexpected shape raises: a missing field, text for a number, a number out of range.
UNEXPECTED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

# Longer than a call to a platform takes. Asking does no harm, so an answer that comes after it counts too.
_LEASE = timedelta(seconds=45)
# Between two tries where the platform is away, and until when it is asked again: its user waits in front of the page.
_PAUSES = tuple(timedelta(seconds=seconds) for seconds in (1, 2, 4, 8, 15))
_PATIENCE = timedelta(seconds=35)
_MOST_AT_ONCE = 200
# Longer than the tries take: no worker is there to ask.
_LATE = timedelta(seconds=50)


def get(user: User, question_id: int) -> Question:
    """Raises NotFound, for another user's question too."""
    question = db.session.scalar(select(Question).where(Question.id == question_id, Question.user_id == user.id))
    if question is None:
        raise NotFound
    return question


def is_late(question: Question) -> bool:
    """Whether the answer should have been there: the workers are away or busy."""
    return question.state == QuestionState.WAITING and question.created_at <= clock.now() - _LATE


def due() -> list[int]:
    """Ids of questions that wait for a try: lost on their way to a worker, or to be asked again."""
    due = select(Question.id).where(is_due(Question.wake_at, clock.now(), _LEASE)).order_by(Question.wake_at)
    return list(db.session.scalars(due.limit(_MOST_AT_ONCE)))


def claim_question(question_id: int) -> Question | None:
    """The question for one try; None where it is not due. A worker that ends in a try leaves it to the next."""
    due = is_due(Question.wake_at, clock.now(), _LEASE)
    question = claim(Question, question_id, due, lease=_LEASE, tries=Question.tries + 1)
    if question and question.tries > len(_PAUSES) + 1:
        settle(question, _failed("internal"))
        return None
    return question


def put(question: Question) -> dict[str, Any]:
    """One try; returns the columns that `settle` writes. Calls the platform: no transaction may be open."""
    try:
        return {"state": QuestionState.ANSWERED, "answer": questions.put(question)}
    except PlatformError as error:
        again_at = clock.now() + _PAUSES[min(question.tries, len(_PAUSES)) - 1]
        if isinstance(error, RateLimited):
            again_at = max(again_at, error.until)
        passes = isinstance(error, (RateLimited, Unavailable)) and not isinstance(error, (Incident, Untrusted))
        if passes and again_at <= question.created_at + _PATIENCE:
            return {"wake_at": again_at}
        return _failed(error.reason, **error.params)
    except CannotOpen as error:
        log.error("a question's secrets cannot be opened", question=question.id, error=str(error))
        return _failed("internal")
    except UNEXPECTED:
        log.exception("an answer of an unexpected shape")
        return _failed("unexpected_answer")


def _failed(reason: str, /, **params: Any) -> dict[str, Any]:
    return {"state": QuestionState.FAILED, "reason": reason, "params": params}


def settle(question: Question, values: Mapping[str, Any]) -> None:
    """Stores what a try gave, unless the question is settled already."""
    if "answer" in values and question.kind in ON_ANSWER:
        # First: its rows are locked before the question's, as by a request that deletes them with their questions.
        try:
            values = {**values, "answer": ON_ANSWER[question.kind](question, values["answer"])}
        except Problem as problem:
            values = _failed(problem.code, **problem.params)
    if "state" in values and not _keeps_secrets(question, values):
        values = {**values, "sealed_payload": None}
    db.session.execute(
        update(Question)
        .where(
            Question.id == question.id,
            Question.state == QuestionState.WAITING,
            Question.created_at == question.created_at,  # not asked anew meanwhile
        )
        .values({"wake_at": None, **values})
    )


def _keeps_secrets(question: Question, values: Mapping[str, Any]) -> bool:
    """Only a worker opens them again, for a user who types the rest of the form anew."""
    if question.kind != "connect" or values["state"] != QuestionState.FAILED:
        return False
    return connecting.keeps_secrets(question.platform, values["reason"], values["params"].get("field"))


def sweep() -> None:
    db.session.execute(delete(Question).where(Question.expires_at <= clock.now()))
