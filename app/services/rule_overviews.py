"""What the page «Автопубликация» shows of each rule: where it publishes, what it did last, how much waits."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from app.db import db
from app.models import AccountSet, PlatformConnection, Rule, RuleRun, RunState, User
from app.services import account_sets, connection_list, rule_journal, rules


@dataclass(frozen=True)
class Overview:
    """`held`: how many clips wait for a decision."""

    rule: Rule
    accounts: Sequence[PlatformConnection]
    account_set: AccountSet | None
    last: RuleRun | None
    held: int


def all_of(user: User) -> list[Overview]:
    """As many queries for many rules as for one."""
    sets = {one.id: one for one in account_sets.all_of(user)}
    accounts = connection_list.usable(user)
    last, held = rule_journal.last_runs(user), _held(user)
    found = []
    for rule in rules.all_of(user):
        account_set = sets.get(rule.account_set_id) if rule.account_set_id else None
        chosen = set(account_set.connection_ids if account_set else rule.connection_ids)
        mine = [one for one in accounts if one.id in chosen]
        found.append(Overview(rule, mine, account_set, last.get(rule.id), held.get(rule.id, 0)))
    return found


def _held(user: User) -> dict[int | None, int]:
    waiting = select(RuleRun.rule_id, func.count()).where(RuleRun.user_id == user.id, RuleRun.state == RunState.HELD)
    return dict(db.session.execute(waiting.group_by(RuleRun.rule_id)).all())
