"""What a rule would do with a clip: where, when, with which texts, and what prevents it. Changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app import clock, texts
from app.models import Clip, PlatformConnection, Rule, User
from app.platforms import options
from app.problems import NotFound, Problem
from app.services import asked_options, drafts, rule_texts, rule_times, rules
from app.services.drafts import Choice, Draft, Item
from app.services.rule_times import Pressure
from app.services.spreading import Time
from app.services.when_parsing import When
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


@dataclass(frozen=True)
class Wanted:
    """`when`: instead of the rule's own. `counts_on`: the moment that counts for the limit of a day; None: now."""

    clip: Clip
    ready_at: datetime
    when: When | None = None
    counts_on: datetime | None = None


def of(
    user: User,
    rule: Rule,
    some: Sequence[Wanted],
    *,
    by_person: bool = False,
    under: Pressure | None = None,
    as_new: bool = False,
    lock: bool = False,
) -> list[Plan]:
    """One for each clip; they are different ones. `by_person`: who presses a button need not keep to the limit of a
    day, nor to a time that has passed. Without `under` no day is full. `as_new`: whatever is published by now.
    """
    accounts = rules.accounts_of(user, rule)
    if not accounts:
        return [Plan(accounts, obstacles=[Obstacle.of(Problem("rule_no_accounts"))]) for _ in some]
    times = [_time(user, rule, one, by_person, under) for one in some]
    items = [
        item
        for one, time in zip(some, times, strict=True)
        for item in _items(user, rule, one.clip, accounts, Time() if isinstance(time, Problem) else time)
    ]
    found = drafts.of(user, items, lock=lock)
    size = len(accounts)
    return [
        _plan(accounts, found[number * size : (number + 1) * size], time, as_new) for number, time in enumerate(times)
    ]


def _time(user: User, rule: Rule, one: Wanted, by_person: bool, under: Pressure | None) -> Time | Problem:
    when = one.when or rule_times.own(rule)
    how = {"counts_on": one.counts_on, "by_person": by_person, "under": under}
    try:
        return rule_times.of(user, rule, when, one.ready_at, **how)
    except Problem as problem:
        return problem


def _plan(accounts: Sequence[PlatformConnection], found: Sequence[Draft], time: Time | Problem, as_new: bool) -> Plan:
    left = [draft if not _is_there(draft) else _anew(draft) for draft in found if as_new or not _is_there(draft)]
    if isinstance(time, Problem):
        return Plan(accounts, left, None, [Obstacle.of(time), *_obstacles(left)] if left else [])
    return Plan(accounts, left, time, _obstacles(left))


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
    declared = asked_options.offered(account.platform)
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
