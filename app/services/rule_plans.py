"""What a rule would do with a clip: where, when, with which texts, and what prevents it. Changes nothing."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import count
from typing import Any

from sqlalchemy import select

from app import clock, platforms, texts
from app.db import db
from app.models import Clip, PlatformConnection, Rule, RuleRun, RunState, User, WhenKind
from app.platforms import options
from app.problems import NotFound, Problem
from app.services import account_sets, drafts, due_times, rule_texts, rules, slots, spreading, whens
from app.services.drafts import Choice, Draft, Item
from app.services.spreading import Time
from app.services.whens import When
from app.texts import moments

# The clip is there already: done, whoever did it.
ALREADY = ("already_live", "already_published")


@dataclass(frozen=True)
class Obstacle:
    """What does not fit. `label`: the account; empty where it is the whole."""

    label: str
    code: str
    params: Mapping[str, Any]

    @property
    def text(self) -> str:
        sentence = texts.problem(self.code, self.params)
        return f"{self.label}: {sentence}" if self.label else sentence

    @classmethod
    def of(cls, problem: Problem, label: str = "") -> "Obstacle":
        return cls(label, problem.code, problem.params)

    def stored(self) -> dict[str, Any]:
        return {"label": self.label, "code": self.code, "params": dict(self.params)}


@dataclass(frozen=True)
class Plan:
    """`drafts`: what would be made on each account where the clip is not yet; `obstacles`: why not. Without a `time`
    nothing can go out.
    """

    accounts: Sequence[PlatformConnection]
    drafts: Sequence[Draft] = ()
    time: Time | None = None
    obstacles: Sequence[Obstacle] = ()

    @property
    def items(self) -> list[Item]:
        return [draft.item for draft in self.drafts]

    @property
    def fitting(self) -> list[Item]:
        return [draft.item for draft in self.drafts if self.time and not draft.problems]

    @property
    def is_done(self) -> bool:
        """The clip is on all accounts, or on its way there."""
        return bool(self.accounts) and not self.drafts and not self.obstacles


@dataclass
class Pressure:
    """How many clips a rule sends out on each day, and which moments of its slots others take in a dry run."""

    days: Counter[date] = field(default_factory=Counter)
    taken: set[datetime] = field(default_factory=set)


def pressure(user: User, rule: Rule) -> Pressure:
    """As it is from today on."""
    today = clock.day_start(day_of(clock.now(), user), user.timezone)
    sent = RuleRun.state.in_((RunState.PUBLISHED, RunState.RELEASED))
    due = select(RuleRun.due_at).where(RuleRun.rule_id == rule.id, sent, RuleRun.due_at >= today)
    return Pressure(Counter(day_of(at, user) for at in db.session.scalars(due)))


def of(
    user: User,
    rule: Rule,
    clip: Clip,
    *,
    ready_at: datetime,
    when: When | None = None,
    by_person: bool = False,
    under: Pressure | None = None,
    as_new: bool = False,
    lock: bool = False,
) -> Plan:
    """`when`: instead of the rule's own. `by_person`: who presses a button need not keep to the limit of a day, nor to
    a time that has passed. Without `under` no day is full. `as_new`: whatever is published of it by now.
    """
    accounts = rules.accounts_of(user, rule)
    if not accounts:
        return Plan(accounts, obstacles=[Obstacle.of(Problem("rule_no_accounts"))])
    time, of_time = None, []
    try:
        time = _time(user, rule, when or own_when(rule), ready_at, by_person, under)
    except Problem as problem:
        of_time.append(Obstacle.of(problem))
    found = drafts.of(user, _items(user, rule, clip, accounts, time or Time()), lock=lock)
    left = [draft if not _is_there(draft) else _anew(draft) for draft in found if as_new or not _is_there(draft)]
    return Plan(accounts, left, time, [*of_time, *_obstacles(left)] if left else [])


def own_when(rule: Rule) -> When:
    return When(WhenKind(rule.when_kind), minutes=rule.after_minutes, set_id=rule.account_set_id)


def _items(user: User, rule: Rule, clip: Clip, accounts: Sequence[PlatformConnection], time: Time) -> list[Item]:
    given = rule_texts.values(clip, moments.numbers(time.due_at or clock.now(), user.timezone))
    title = rule_texts.fill(rule.title_template, given).strip() or clip.title
    text = rule_texts.fill(rule.text_template, given)
    return [
        Item(clip.id, Choice(one.id, title, text, options=_answers(rule, one)), time.due_at, time.slot_id)
        for one in accounts
    ]


def _answers(rule: Rule, account: PlatformConnection) -> dict[str, Any]:
    """What was chosen for the account. What the platform wants to be chosen and nobody has chosen stays out."""
    declared = platforms.ADAPTERS[account.platform].options
    known = {option.name for option in declared}
    chosen = rule.options.get(str(account.id), {})
    return options.quiet(declared) | {name: value for name, value in chosen.items() if name in known}


def _is_there(draft: Draft) -> bool:
    return any(_is_already(one) for one in draft.problems)


def _anew(draft: Draft) -> Draft:
    return replace(draft, problems=[one for one in draft.problems if not _is_already(one)])


def _is_already(problem: Problem | NotFound) -> bool:
    return isinstance(problem, Problem) and problem.code in ALREADY


def _obstacles(some: Sequence[Draft]) -> list[Obstacle]:
    """Each reason of an account; what holds for the whole, such as the time, once."""
    found: dict[str, Obstacle] = {}
    for draft in some:
        for problem in draft.problems:
            at_account = isinstance(problem, NotFound) or (problem.field or "").startswith(("connection-", "option-"))
            label = draft.destination.label if draft.destination and at_account else ""
            gone = isinstance(problem, NotFound)
            one = Obstacle.of(Problem("account_disconnected") if gone else problem, label)
            found.setdefault(one.text, one)
    return list(found.values())


# When


def _time(user: User, rule: Rule, when: When, ready_at: datetime, by_person: bool, under: Pressure | None) -> Time:
    """Raises Problem."""
    limit = None if by_person or under is None else rule.daily_limit
    under = under or Pressure()

    def has_room(at: datetime) -> bool:
        return limit is None or under.days[day_of(at, user)] < limit

    now = clock.now()
    if when.kind == WhenKind.SLOT:
        return _slot(user, when, under, has_room)
    if when.kind == WhenKind.AFTER:
        due_at = whens.later(now if by_person else ready_at, when.minutes or 0)
        later = (spreading.later_by_days(user, due_at, days) for days in count())
        return Time(next(at for at in later if has_room(at)))  # each full day has clips in it: they are not many
    due_at = when.at if when.kind == WhenKind.AT else None
    if due_at and due_at < now + due_times.MIN_AHEAD:
        if not by_person:
            raise Problem("when_passed", at=moments.dated(due_at, user.timezone))
        due_at = None
    if not has_room(due_at or now):
        raise Problem("rule_daily_limit", max=limit)
    return Time(due_at)


def _slot(user: User, when: When, under: Pressure, has_room: Callable[[datetime], bool]) -> Time:
    try:
        account_set = account_sets.get(user, when.set_id or 0)
    except NotFound:
        raise Problem("rule_set_gone") from None
    after = None
    while free := slots.free_of(user, account_set, 1, after=after, taken=under.taken):
        [one] = free
        if has_room(one.due_at):
            return Time(one.due_at, slot_id=one.slot_id)
        after = one.due_at
    raise Problem("no_free_slot")


def day_of(at: datetime, user: User) -> date:
    """The day of the user's zone."""
    return clock.to_zone(at, user.timezone).date()
