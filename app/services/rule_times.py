"""When a rule sends a clip out: at once, so many minutes later, in a slot; and how many on a day."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import count

from sqlalchemy import select

from app import clock
from app.db import db
from app.models import Rule, RuleRun, RunState, User, WhenKind
from app.problems import NotFound, Problem
from app.services import account_sets, due_times, slots, spreading, when_parsing
from app.services.spreading import Time
from app.services.when_parsing import When
from app.texts import moments


@dataclass
class Pressure:
    """How many clips a rule sends out on each day, and which moments of its slots others take in a dry run."""

    days: Counter[date] = field(default_factory=Counter)
    taken: set[datetime] = field(default_factory=set)

    def add(self, time: Time, day: date) -> Time:
        self.days[day] += 1
        if time.slot_id and time.due_at:
            self.taken.add(time.due_at)
        return time


def pressure(user: User, rule: Rule) -> Pressure:
    """As it is from today on."""
    today = clock.day_start(day_of(clock.now(), user), user.timezone)
    sent = RuleRun.state.in_((RunState.PUBLISHED, RunState.RELEASED))
    due = select(RuleRun.due_at).where(RuleRun.rule_id == rule.id, sent, RuleRun.due_at >= today)
    return Pressure(Counter(day_of(at, user) for at in db.session.scalars(due)))


def own(rule: Rule) -> When:
    """Of the rule's columns those that its kind of time has: a rule can have a set and publish at once."""
    kind = WhenKind(rule.when_kind)
    if kind == WhenKind.AFTER:
        return When(kind, minutes=rule.after_minutes)
    return When(kind, set_id=rule.account_set_id if kind == WhenKind.SLOT else None)


def of(
    user: User,
    rule: Rule,
    when: When,
    ready_at: datetime,
    *,
    counts_on: datetime | None = None,
    by_person: bool = False,
    under: Pressure | None = None,
) -> Time:
    """`ready_at`: when the clip became ready. `counts_on`: instead of now, for the limit of a day. `by_person`: neither
    that nor a time that has passed matters. What is chosen presses on the next one. Raises Problem.
    """
    limit = None if by_person or under is None else rule.daily_limit
    under = under or Pressure()

    def has_room(at: datetime) -> bool:
        return limit is None or under.days[day_of(at, user)] < limit

    now = clock.now()
    if when.kind == WhenKind.SLOT:
        return _slot(user, when, under, has_room)
    if when.kind == WhenKind.AFTER:
        due_at = when_parsing.later(now if by_person else ready_at, when.minutes or 0)
        later = (spreading.later_by_days(user, due_at, days) for days in count())
        due_at = next(at for at in later if has_room(at))  # each full day has clips in it: they are not many
        return under.add(Time(due_at), day_of(due_at, user))
    due_at = when.at if when.kind == WhenKind.AT else None
    if due_at and due_at < now + due_times.MIN_AHEAD:
        if not by_person:
            raise Problem("when_passed", at=moments.dated(due_at, user.timezone))
        due_at = None
    if not has_room(due_at or counts_on or now):
        raise Problem("rule_daily_limit", max=limit)
    return under.add(Time(due_at), day_of(due_at or counts_on or now, user))


def _slot(user: User, when: When, under: Pressure, has_room: Callable[[datetime], bool]) -> Time:
    try:
        account_set = account_sets.get(user, when.set_id or 0)
    except NotFound:
        raise Problem("rule_set_gone") from None
    after = None
    while free := slots.free_of(user, account_set, 1, after=after, taken=under.taken):
        [one] = free
        if has_room(one.due_at):
            return under.add(Time(one.due_at, slot_id=one.slot_id), day_of(one.due_at, user))
        after = one.due_at
    raise Problem("no_free_slot")


def day_of(at: datetime, user: User) -> date:
    """The day of the user's zone."""
    return clock.to_zone(at, user.timezone).date()
