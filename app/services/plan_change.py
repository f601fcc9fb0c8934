"""A change of plan, whoever makes it: what is planned on platforms that the new plan does not include is cancelled with
it, and what an earlier plan has left behind can be brought back.
"""

from dataclasses import dataclass

from app import clock, plans
from app.db import db
from app.models import User, lock_plan, record_event
from app.plans import Plan
from app.problems import Problem
from app.services import audit_log, withheld


@dataclass(frozen=True)
class Change:
    """How many planned publications do not go out any more, by platform; and how many can be brought back."""

    user: User
    cancelled: dict[str, int]
    returnable: int = 0

    @property
    def count(self) -> int:
        return sum(self.cancelled.values())


def preview(user: User, plan_key: str) -> Change:
    """What `change()` would cancel now. Raises Problem for an unknown plan."""
    plan = _plan(plan_key)
    return Change(user, {key: count for key, count in withheld.planned(user).items() if not plan.allows(key)})


def smaller(user: User) -> set[str]:
    """The plans with which something that is planned would not go out."""
    planned = withheld.planned(user)
    return {plan.key for plan in plans.PLANS.values() if not all(plan.allows(key) for key in planned)}


def change(user: User, plan_key: str) -> Change:
    """Raises Problem for an unknown plan."""
    plan = _plan(plan_key)
    user = lock_plan(user.id)
    if user.plan_key == plan_key:
        return Change(user, {})
    before, user.plan_key, user.plan_since = user.plan, plan_key, clock.now()
    audit_log.record(user.id, "plan_changed", plan.title)
    db.session.flush()
    cancelled = withheld.outside_plan(user)
    if cancelled:
        _tell(user, "plan.withheld", cancelled)
    back = {}
    for offer in withheld.offers(user):
        if not before.allows(offer.platform):
            back[offer.platform] = back.get(offer.platform, 0) + offer.count
    if back:
        _tell(user, "plan.returnable", back)
    return Change(user, cancelled, sum(back.values()))


def _plan(plan_key: str) -> Plan:
    if plan_key not in plans.PLANS:
        raise Problem("plan_unknown", plan=plan_key, plans=", ".join(plans.PLANS))
    return plans.PLANS[plan_key]


def _tell(user: User, kind: str, counts: dict[str, int]) -> None:
    """One event for all of them, and so one notification."""
    facts = {"plan": user.plan.title, "count": sum(counts.values()), "where": withheld.listed(counts)}
    record_event(user.id, kind, facts)
