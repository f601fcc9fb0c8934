"""«Автопубликация»: a user's rules, in their order, and the switches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select, update

from app import clock
from app.db import db
from app.models import PlatformConnection, Rule, RuleMember, RuleRun, RunState, Source, User, WhenKind, lock_plan
from app.platforms import options
from app.problems import NotFound, Problem
from app.services import account_sets, asked_options, clips, connection_list, due_times, rule_texts, when_parsing

MAX_RULES = 50
MAX_NAME = Rule.name.type.impl.length
MAX_TITLE = Rule.title_template.type.impl.length
MAX_TEXT = clips.MAX_DESCRIPTION
MAX_PATTERN = Rule.name_pattern.type.impl.length
MAX_SOURCE_NAME = Rule.source_name.type.impl.length
MAX_DAILY = 50
MIN_MINUTES = round(due_times.MIN_AHEAD.total_seconds() / 60)
MAX_MINUTES = 30 * 24 * 60


@dataclass(frozen=True)
class Wish:
    """A rule as a form or a request describes it. With `account_set_id`, `connection_ids` do not count.

    `options`: by the connection's id, by the option's name; those that are not given have their quiet values.
    """

    name: str
    source: str | None = None
    source_name: str | None = None
    name_pattern: str | None = None
    account_set_id: int | None = None
    connection_ids: Sequence[int] = ()
    title_template: str = "{title}"
    text_template: str = "{text}"
    options: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    when_kind: str = WhenKind.NOW
    after_minutes: int | None = None
    needs_approval: bool = False
    daily_limit: int | None = None


def all_of(user: User) -> Sequence[Rule]:
    """As they are now, in their order."""
    mine = select(Rule).where(Rule.user_id == user.id).order_by(Rule.position, Rule.id)
    return db.session.scalars(mine.execution_options(populate_existing=True)).all()


def get(user: User, rule_id: int) -> Rule:
    """Raises NotFound, for another user's too."""
    mine = select(Rule).where(Rule.id == rule_id, Rule.user_id == user.id)
    rule = db.session.scalar(mine.execution_options(populate_existing=True))
    if rule is None:
        raise NotFound
    return rule


def accounts_of(user: User, rule: Rule) -> list[PlatformConnection]:
    """Where it publishes, as that is now."""
    chosen = set(rule.connection_ids)
    if rule.account_set_id:
        chosen = set(account_sets.get(user, rule.account_set_id).connection_ids)
    return [one for one in connection_list.usable(user) if one.id in chosen]


# Writing


def build(user: User, wish: Wish) -> Rule:
    """The rule, checked and in no session: for a dry run, and to be saved. Raises NotFound, Problem with its field."""
    name = clips.one_line(wish.name)
    if not name:
        raise Problem("rule_name_missing", "name")
    if len(name) > MAX_NAME:
        raise Problem("rule_name_too_long", "name", max=MAX_NAME)
    rule = Rule(
        user_id=user.id,
        name=name,
        account_set_id=wish.account_set_id,
        members=[]
        if wish.account_set_id
        else [RuleMember(connection_id=one) for one in sorted({*wish.connection_ids})],
        needs_approval=wish.needs_approval,
        **_conditions(wish),
        **_templates(wish),
    )
    _check_accounts(user, rule)
    _set_time(user, rule, wish)
    rule.options = _options(user, rule, wish)
    return rule


def _conditions(wish: Wish) -> dict[str, str | None]:
    if wish.source and wish.source not in list(Source):
        raise Problem("rule_source_unknown", "source")
    source_name, pattern = clips.one_line(wish.source_name or ""), clips.one_line(wish.name_pattern or "")
    if len(source_name) > MAX_SOURCE_NAME:
        raise Problem("rule_source_name_too_long", "source_name", max=MAX_SOURCE_NAME)
    if len(pattern) > MAX_PATTERN:
        raise Problem("rule_pattern_too_long", "name_pattern", max=MAX_PATTERN)
    return {"source": wish.source or None, "source_name": source_name or None, "name_pattern": pattern or None}


def _templates(wish: Wish) -> dict[str, str]:
    title, text = clips.one_line(wish.title_template), clips.several_lines(wish.text_template)
    if not title:
        raise Problem("rule_title_missing", "title_template")
    if len(title) > MAX_TITLE:
        raise Problem("title_over_column", "title_template", max=MAX_TITLE)
    if len(text) > MAX_TEXT:
        raise Problem("clip_description_too_long", "text_template", max=MAX_TEXT)
    rule_texts.check(title, "title_template")
    rule_texts.check(text, "text_template")
    return {"title_template": title, "text_template": text}


def _check_accounts(user: User, rule: Rule) -> None:
    if rule.account_set_id:
        account_sets.get(user, rule.account_set_id)
        return
    if set(rule.connection_ids) - {one.id for one in connection_list.usable(user)}:
        raise NotFound
    if not rule.members:
        raise Problem("rule_accounts_missing", "where")


def _set_time(user: User, rule: Rule, wish: Wish) -> None:
    if wish.when_kind not in (WhenKind.NOW, WhenKind.AFTER, WhenKind.SLOT):
        raise Problem("when_malformed", "when")
    rule.when_kind = WhenKind(wish.when_kind)
    if rule.when_kind == WhenKind.AFTER:
        rule.after_minutes = when_parsing.check_minutes(wish.after_minutes, "after_minutes", MIN_MINUTES, MAX_MINUTES)
    if rule.when_kind == WhenKind.SLOT:
        if not rule.account_set_id:
            raise Problem("rule_slot_needs_set", "when")
        if not account_sets.get(user, rule.account_set_id).slots:
            raise Problem("rule_set_without_slots", "when")
    if wish.daily_limit is not None and not 1 <= wish.daily_limit <= MAX_DAILY:
        raise Problem("rule_daily_limit_malformed", "daily_limit", max=MAX_DAILY)
    rule.daily_limit = wish.daily_limit


def _options(user: User, rule: Rule, wish: Wish) -> dict[str, dict[str, Any]]:
    """What a platform wants a person to choose has to be chosen here: nobody is there when the rule acts."""
    found = {}
    for one in accounts_of(user, rule):
        if offered := asked_options.offered(one.platform):
            given = options.quiet(offered) | dict(wish.options.get(one.id, {}))
            found[str(one.id)] = asked_options.check(one, given, f"option-{one.id}-")
    return found


def save(user: User, wish: Wish, rule_id: int | None = None) -> Rule:
    """The rule `rule_id`, or a new one at the end, switched on. Raises NotFound, Problem with its field."""
    lock_plan(user.id)
    made = build(user, wish)
    if rule_id is None:
        known = all_of(user)
        if len(known) >= MAX_RULES:
            raise Problem("too_many_rules", "name", max=MAX_RULES)
        made.position = known[-1].position + 1 if known else 0
        db.session.add(made)
        db.session.flush()
        return made
    rule = get(user, rule_id)
    columns = ("name", "source", "source_name", "name_pattern", "account_set_id", "title_template", "text_template")
    for name in (*columns, "options", "when_kind", "after_minutes", "needs_approval", "daily_limit"):
        setattr(rule, name, getattr(made, name))
    rule.members.clear()
    db.session.flush()
    rule.members.extend(RuleMember(connection_id=one) for one in made.connection_ids)
    db.session.flush()
    return rule


def switch(user: User, rule_id: int, *, on: bool) -> Rule:
    """Switched on anew, it acts on what becomes ready from then on. Raises NotFound."""
    lock_plan(user.id)
    rule = get(user, rule_id)
    if on and not rule.enabled:
        rule.enabled_at = clock.now()
    rule.enabled = on
    db.session.flush()
    return rule


def switch_all(user: User, *, on: bool) -> None:
    """The one switch of all rules; which of them are on is not forgotten meanwhile."""
    user = lock_plan(user.id)
    if on == (user.rules_paused_at is None):
        return
    user.rules_paused_at = None if on else clock.now()
    if on:
        db.session.execute(update(Rule).where(Rule.user_id == user.id, Rule.enabled).values(enabled_at=clock.now()))
    db.session.flush()


def move(user: User, rule_id: int, by: int) -> None:
    """Before or after so many others. Raises NotFound."""
    lock_plan(user.id)
    rules = list(all_of(user))
    rule = get(user, rule_id)
    place = rules.index(rule)
    rules.insert(max(place + by, 0), rules.pop(place))
    for position, one in enumerate(rules):
        one.position = position
    db.session.flush()


def remove(user: User, rule_id: int) -> int:
    """What waits for a decision by it is not published; returns how many clips that are. Raises NotFound."""
    lock_plan(user.id)
    rule = get(user, rule_id)
    rejected = db.session.execute(
        update(RuleRun)
        .where(RuleRun.rule_id == rule.id, RuleRun.state == RunState.HELD)
        .values(state=RunState.REJECTED, settled_at=clock.now())
    )
    db.session.delete(rule)
    db.session.flush()
    return rejected.rowcount


def using_set(user: User, account_set_id: int) -> Sequence[str]:
    """Names of the rules that publish to it."""
    theirs = select(Rule.name).where(Rule.user_id == user.id, Rule.account_set_id == account_set_id)
    return db.session.scalars(theirs.order_by(Rule.position, Rule.id)).all()


def held_by(rule: Rule) -> int:
    """How many clips wait for a decision by it."""
    held = select(func.count()).where(RuleRun.rule_id == rule.id, RuleRun.state == RunState.HELD)
    return db.session.scalar(held) or 0
