"""What tests of rules do: the tick and the worker, a rule, and what has become of a clip."""

from sqlalchemy import inspect

from app import jobs
from app.db import commit, db
from app.models import Clip, Event, Publication, Rule, RuleRun, User
from app.services import rule_checks, rules
from app.services.rules import Wish
from tests.publishing.conftest import at_work


def listen() -> None:
    """The tick's first turn: what happened before is not read."""
    at_work(rule_checks.read_events)


def apply_rules() -> None:
    """A turn of the tick, and the workers' after it."""
    at_work(rule_checks.read_events)
    for check_id in at_work(rule_checks.due):
        at_work(jobs.apply_rules, check_id)
    db.session.rollback()


def make_rule(owner: User, *accounts, **more) -> Rule:
    wish = {"name": "Всё сразу", "connection_ids": [one.id for one in accounts]} | more
    rule = rules.save(owner, Wish(**wish))
    commit()
    return rule


def id_of(clip: Clip) -> int:
    """Also of one that is deleted."""
    return inspect(clip).identity[0]


def runs(clip: Clip) -> list[tuple[str, str | None]]:
    db.session.rollback()
    return [
        (one.state, one.reason) for one in db.session.query(RuleRun).filter_by(clip_id=id_of(clip)).order_by(RuleRun.id)
    ]


def made(clip: Clip) -> list[Publication]:
    db.session.rollback()
    return (
        db.session.query(Publication).filter_by(clip_id=id_of(clip)).order_by(Publication.id).populate_existing().all()
    )


def told(clip_id: int) -> list[tuple[str, str]]:
    """Kind of event, and why."""
    db.session.rollback()
    events = db.session.query(Event).filter(
        Event.clip_id == clip_id, Event.kind.in_(("clip.held", "clip.not_published"))
    )
    return [(one.kind, one.data["why"]) for one in events.order_by(Event.id)]
