"""Asking a platform to connect an account, by a form or a consent. Workers ask."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update

from app import clock, platforms
from app.db import after_commit, db
from app.models import PlatformConnection, Question, QuestionState, User, lock_user
from app.models.question import LIFETIME
from app.plans import cheapest_for
from app.platform_access import questions
from app.platform_access.questions import Granted
from app.platforms.base import Adapter
from app.problems import NotFound, Problem
from app.services import audit_log, connections, throttle
from app.services.consents import SealedConsent
from app.services.throttle import Limit

# A platform is not to be tried through us; people of one office have one address.
_PER_USER, _PER_ADDRESS = Limit("connect", 20, 600), Limit("connect-address", 60, 600)


def connect(user: User, platform: str, fields: Mapping[str, str], kept_id: int | None = None) -> Question:
    """Asks the platform to connect by what the user has typed into its form. Raises NotFound or Problem.

    What is secret of the fields is sealed at once: a worker asks. `kept_id`: a refused question whose secrets are used
    again, where none is typed.
    """
    if platform not in platforms.ADAPTERS:
        raise NotFound
    require_plan(user, platform)
    adapter = platforms.ADAPTERS[platform]
    kept = kept_of(user, platform, kept_id) if kept_id and not _typed_secrets(adapter, fields) else None
    for field in adapter.form:
        if field.required and not fields.get(field.name, "").strip() and not (kept and field.secret):
            raise Problem("field_missing", field.name, label=field.label)
    typed = {field.name: fields.get(field.name, "") for field in adapter.form if not field.secret}
    if kept and kept.state == QuestionState.WAITING:
        return kept  # a double click
    if kept:
        return _ask_again(user, kept, typed)
    return _ask(user, "connect", platform, _typed_secrets(adapter, fields), typed)


def _typed_secrets(adapter: type[Adapter], fields: Mapping[str, str]) -> dict[str, str]:
    return {field.name: fields[field.name] for field in adapter.form if field.secret and fields.get(field.name)}


def accept(user: User, platform: str, consent: SealedConsent, arguments: Mapping[str, str]) -> Question:
    """Asks the platform to connect by a consent: `arguments` are the callback's. Raises Problem."""
    require_plan(user, platform)
    return _ask(user, "consent", platform, questions.consent_payload(*consent, arguments), {})


def _ask(user: User, kind: str, platform: str, payload: Mapping[str, Any], typed: Mapping[str, str]) -> Question:
    address = throttled(user)
    return questions.ask(user.id, kind, payload=payload, platform=platform, typed=dict(typed), address=address)


def throttled(user: User) -> str | None:
    """The user's address. Raises Problem after too many tries."""
    address = (audit_log.client_ip.get() or "")[: audit_log.MAX_ADDRESS]  # a proxy may hand on more than an address
    throttle.hit((_PER_USER, str(user.id)), *([(_PER_ADDRESS, throttle.network_of(address))] if address else []))
    return address or None


def keeps_secrets(platform: str | None, reason: str, field: str | None) -> bool:
    """Whether a refusal of a form leaves its secrets good for another try: it is about what was typed beside them, or
    about the platform, which was away.
    """
    adapter = platforms.ADAPTERS.get(platform or "")
    secret = {one.name for one in adapter.form if one.secret} if adapter else set()
    return bool(secret) and field not in secret and reason != "internal"


def kept_of(user: User, platform: str, question_id: int | None) -> Question | None:
    """The question with this id, once refused, where its secrets are kept still."""
    if question_id is None:
        return None
    return db.session.scalar(
        select(Question).where(
            Question.id == question_id,
            Question.user_id == user.id,
            Question.platform == platform,
            Question.kind == "connect",
            Question.sealed_payload.is_not(None),
            Question.expires_at > clock.now(),
        )
    )


def _ask_again(user: User, kept: Question, typed: Mapping[str, str]) -> Question:
    """The same row: what it has sealed is bound to it, and only workers could seal it for another one."""
    address, now = throttled(user), clock.now()
    lock_user(user.id)
    questions.require_room(user.id)
    db.session.execute(
        update(Question)
        .where(Question.id == kept.id, Question.state == QuestionState.FAILED)
        .values(
            state=QuestionState.WAITING,
            typed=dict(typed),
            reason=None,
            params={},
            tries=0,
            wake_at=now,
            created_at=now,
            expires_at=now + LIFETIME,
            address=address,
        )
    )
    db.session.refresh(kept)
    after_commit(lambda: questions.wake(kept.id))
    return kept


def add_granted(question: Question, granted: Granted) -> dict[str, int]:
    """Makes the connection that was asked for, unless its question is settled; returns its id. Raises Problem."""
    lock_user(question.user_id)
    waiting = db.session.get(Question, question.id, with_for_update=True, populate_existing=True)
    if waiting is None or (waiting.state, waiting.created_at) != (QuestionState.WAITING, question.created_at):
        return {}  # settled, or asked anew with another text
    user = db.session.get(User, question.user_id)
    with audit_log.on_behalf_of(question.address):
        connection: PlatformConnection = connections.save(
            user, question.platform, granted.accounts, granted.token, has_more=granted.has_more
        )
    return {"connection_id": connection.id}


def require_plan(user: User, platform: str) -> None:
    """Raises Problem where the plan does not include the platform."""
    if not user.plan.allows(platform):
        name, needed = platforms.ADAPTERS[platform].name, cheapest_for(platform).title
        raise Problem("platform_not_in_plan", platform=name, plan=needed)
