"""«Проверить на последних клипах»: what a rule would do, saved or not. Changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.db import db
from app.models import Clip, ClipStatus, Rule, User, WhenKind
from app.services import rule_plans, rule_texts
from app.services.rule_plans import Plan, Wanted
from app.services.rule_times import Pressure

MAX_CLIPS = 10


@dataclass(frozen=True)
class Line:
    """A clip and what the rule would do with it; `plan` is None where the rule does not mean it."""

    clip: Clip
    plan: Plan | None


def lines(user: User, rule: Rule) -> Sequence[Line]:
    """Of the last clips that are ready, newest first: as if each was new, and none of them published.

    Slots are taken one after the other, from now on. What goes out at once counts on the day on which it came.
    """
    newest = select(Clip).where(Clip.user_id == user.id, Clip.status == ClipStatus.READY)
    some = db.session.scalars(newest.order_by(Clip.id.desc()).limit(MAX_CLIPS)).all()
    meant = [
        Wanted(one, one.created_at, counts_on=one.created_at) for one in some[::-1] if rule_texts.matches(rule, one)
    ]
    # What goes out minutes later moves to another day, but no clip came on so many.
    under = None if rule.when_kind == WhenKind.AFTER else Pressure()
    plans = rule_plans.of(user, rule, meant, under=under, as_new=True)
    by_clip = {one.clip.id: plan for one, plan in zip(meant, plans, strict=True)}
    return [Line(clip, by_clip.get(clip.id)) for clip in some]
