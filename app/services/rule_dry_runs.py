"""«Проверить на последних клипах»: what a rule would do, saved or not. Changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select

from app.db import db
from app.models import Clip, ClipStatus, Rule, User, WhenKind
from app.problems import Problem
from app.services import rule_plans, rule_texts
from app.services.rule_plans import Obstacle, Plan, Pressure

MAX_CLIPS = 10


@dataclass(frozen=True)
class Line:
    """A clip and what the rule would do with it; `plan` is None where the rule does not mean it."""

    clip: Clip
    plan: Plan | None


def lines(user: User, rule: Rule) -> Sequence[Line]:
    """Of the last clips that are ready, newest first: as if each was new, and none of them published."""
    newest = select(Clip).where(Clip.user_id == user.id, Clip.status == ClipStatus.READY)
    some = db.session.scalars(newest.order_by(Clip.id.desc()).limit(MAX_CLIPS)).all()
    under = Pressure()
    found = [
        Line(clip, _plan(user, rule, clip, under) if rule_texts.matches(rule, clip) else None) for clip in some[::-1]
    ]
    return found[::-1]


def _plan(user: User, rule: Rule, clip: Clip, under: Pressure) -> Plan:
    """Slots are taken one after the other, from now on; anything else counts on the day on which the clip came."""
    if rule.when_kind == WhenKind.SLOT:
        plan = rule_plans.of(user, rule, clip, ready_at=clip.created_at, under=under, as_new=True)
        if plan.time and plan.time.due_at:
            under.taken.add(plan.time.due_at)
    else:
        plan = rule_plans.of(user, rule, clip, ready_at=clip.created_at, as_new=True)
    day = rule_plans.day_of(plan.time.due_at if plan.time and plan.time.slot_id else clip.created_at, user)
    if rule.when_kind == WhenKind.NOW and rule.daily_limit and under.days[day] >= rule.daily_limit:
        full = Obstacle.of(Problem("rule_daily_limit", max=rule.daily_limit))
        return replace(plan, obstacles=[full, *plan.obstacles])
    if not plan.obstacles:
        under.days[day] += 1
    return plan
