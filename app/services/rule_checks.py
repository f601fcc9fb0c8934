"""From the event that a clip is ready to the worker that applies the rules to it: a row, until that is done."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from sqlalchemy import and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from app import clock, queue
from app.db import after_commit, db
from app.models import Event, Render, Rule, RuleCheck
from app.models.claim import claim
from app.models.event import consume
from app.models.types import is_due

LEASE = timedelta(minutes=1)
MAX_TRIES = 5
_MAX_DUE = 200


def read_events() -> None:
    """Not what happened before there were rules: a new consumer begins at the end."""
    consume("rules", _note, from_end=True)


def _note(events: Sequence[Event]) -> None:
    ready = {event.clip_id: event for event in events if event.kind == "clip.ready"}
    if not ready:
        return
    wanted = _wanted(ready)
    if not wanted:
        return
    dialect = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    rows = [
        {"user_id": one.user_id, "clip_id": one.clip_id, "title": one.data["title"], "ready_at": one.at}
        for one in wanted
    ]
    add = dialect.insert(RuleCheck.__table__).on_conflict_do_nothing().returning(RuleCheck.id)
    ids = db.session.connection().execute(add, rows).scalars().all()
    if ids:
        after_commit(partial(queue.enqueue, "app.jobs.apply_rules", *ids))


def _wanted(ready: dict[int, Event]) -> list[Event]:
    """Of clips that were announced, and of users with a rule that is on."""
    user_ids = {event.user_id for event in ready.values()}
    with_rules = set(db.session.scalars(select(Rule.user_id).where(Rule.user_id.in_(user_ids), Rule.enabled)))
    announced = set(db.session.scalars(select(Render.clip_id).where(Render.clip_id.in_(ready))))
    return [event for event in ready.values() if event.user_id in with_rules or event.clip_id in announced]


def due() -> list[int]:
    """Ids of checks to be done now: those whose job got lost, or whose worker has ended."""
    now = clock.now()
    ids = select(RuleCheck.id).where(is_due(RuleCheck.wake_at, now, LEASE)).order_by(RuleCheck.wake_at).limit(_MAX_DUE)
    return list(db.session.scalars(ids))


def claim_due(check_id: int) -> RuleCheck | None:
    now = clock.now()
    untried = and_(RuleCheck.tries == 0, RuleCheck.wake_at > now)
    is_mine = or_(is_due(RuleCheck.wake_at, now, LEASE), untried)
    return claim(RuleCheck, check_id, is_mine, lease=LEASE, tries=RuleCheck.tries + 1)
