"""What pages show of the rules' work: what waits for a person, and what has been done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, delete, func, select

from app import clock
from app.db import db
from app.models import Clip, Publication, RuleRun, RunState, User
from app.paging import Page, count_up_to, paginate
from app.services import rule_runs
from app.services.rule_plans import Obstacle, Plan

PER_PAGE = 20
KEPT = timedelta(days=180)
MOST_HELD = 99
# In one decision.
MAX_CHOSEN = 200


@dataclass(frozen=True)
class Held:
    """A clip that waits for a person: why, and what would go out if it was released now."""

    run: RuleRun
    clip: Clip
    obstacles: Sequence[Obstacle]
    plan: Plan


@dataclass(frozen=True)
class Entry:
    """A line of the history, with the publications that are still there."""

    run: RuleRun
    publications: Sequence[Publication]
    obstacles: Sequence[Obstacle]


def held_count(user: User) -> int:
    """How many clips wait; MOST_HELD + 1 stands for any greater number."""
    return count_up_to(MOST_HELD, held(user))


def held_page(user: User, number: int = 1) -> Page[RuleRun]:
    """Oldest first: they wait the longest."""
    return paginate(held(user).order_by(RuleRun.id), number, PER_PAGE)


def held_ids(user: User, run_ids: Sequence[int]) -> list[int]:
    """Of those that a form names, the ones that wait, oldest first."""
    ids = set(list(dict.fromkeys(run_ids))[:MAX_CHOSEN])
    waiting = db.session.scalars(held(user).with_only_columns(RuleRun.id).order_by(RuleRun.id))
    return [one for one in waiting if one in ids]


def held(user: User) -> Select[tuple[RuleRun]]:
    """Without those whose clip is deleted, or being deleted."""
    there = select(RuleRun).join(Clip, Clip.id == RuleRun.clip_id)
    return there.where(RuleRun.user_id == user.id, RuleRun.state == RunState.HELD, Clip.deleted_at.is_(None))


def describe_held(user: User, runs: Sequence[RuleRun]) -> list[Held]:
    if not runs:
        return []
    plans = rule_runs.plans_of(user, runs)
    ids = [run.clip_id for run in runs]
    clips = {one.id: one for one in db.session.scalars(select(Clip).where(Clip.id.in_(ids), Clip.user_id == user.id))}
    there = [run for run in runs if run.id in plans and run.clip_id in clips]
    return [Held(run, clips[run.clip_id], rule_runs.obstacles_of(run), plans[run.id]) for run in there]


def history(user: User, number: int = 1) -> Page[RuleRun]:
    """Newest first."""
    mine = select(RuleRun).where(RuleRun.user_id == user.id)
    return paginate(mine.order_by(RuleRun.user_id.desc(), RuleRun.id.desc()), number, PER_PAGE)


def describe(user: User, runs: Sequence[RuleRun]) -> list[Entry]:
    ids = [one for run in runs for one in run.publication_ids]
    there = select(Publication).where(Publication.id.in_(ids), Publication.user_id == user.id)
    made = {one.id: one for one in db.session.scalars(there)} if ids else {}
    return [
        Entry(run, [made[one] for one in run.publication_ids if one in made], rule_runs.obstacles_of(run))
        for run in runs
    ]


def last_runs(user: User) -> Mapping[int, RuleRun]:
    """The newest of each rule, by the rule's id."""
    newest = select(func.max(RuleRun.id)).where(RuleRun.user_id == user.id, RuleRun.rule_id.is_not(None))
    found = db.session.scalars(select(RuleRun).where(RuleRun.id.in_(newest.group_by(RuleRun.rule_id))))
    return {one.rule_id: one for one in found if one.rule_id}


def sweep() -> None:
    """Old lines of what is decided. A rule does not act once more on the clip: its event is long past."""
    old = RuleRun.state != RunState.HELD, RuleRun.created_at < clock.now() - KEPT
    db.session.execute(delete(RuleRun).where(*old).execution_options(synchronize_session=False))
