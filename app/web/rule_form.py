"""The form of a rule: what was sent, or how a rule is, and the wish that it makes.

`where` is the id of a set, or ACCOUNTS; then `connection` names them. `option-7-notify` is an answer for account 7.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request
from flask_login import current_user

from app.models import AccountSet, PlatformConnection, Rule, WhenKind
from app.platforms import options
from app.platforms.options import Option
from app.services import account_sets, asked_options, clips, connection_list, rules
from app.services.asked_options import Look
from app.services.rules import Wish
from app.web import asking
from app.web.input_guard import row_id

ACCOUNTS = "accounts"
USUAL_MINUTES = "30"


@dataclass(frozen=True)
class Asked:
    """An account whose platform asks for something, and the answers so far."""

    account: PlatformConnection
    declared: Sequence[Option]
    options: Mapping[str, Any]
    look: Look | None = None  # how far the platform's answer is, where it is asked

    @property
    def must_choose(self) -> bool:
        return any(one.required and not one.quiet for one in self.declared)


@dataclass(frozen=True)
class Form:
    """What the page shows; `typed` is by the fields' names."""

    typed: Mapping[str, str]
    chosen: Sequence[int]
    needs_approval: bool
    sets: Sequence[AccountSet]
    accounts: Sequence[PlatformConnection]
    asked: Sequence[Asked]
    source_names: Sequence[str]


def of(rule: Rule | None) -> Form:
    """As it was sent; otherwise as the rule is, or a new one."""
    accounts, sets = connection_list.usable(current_user), account_sets.all_of(current_user)
    if request.method == "POST":
        typed = {name: request.form.get(name, "") for name in _names()}
        chosen, approval = request.form.getlist("connection", row_id), "needs_approval" in request.form
    elif rule:
        typed = {name: str(getattr(rule, name) or "") for name in _names() if name not in ("where", "when")}
        typed |= {"where": str(rule.account_set_id or ACCOUNTS), "when": rule.when_kind}
        chosen, approval = rule.connection_ids, rule.needs_approval
    else:
        first = str(sets[0].id) if sets else ACCOUNTS
        typed = dict.fromkeys(_names(), "") | {"title_template": "{title}", "text_template": "{text}"}
        typed |= {"where": first, "when": WhenKind.NOW}
        chosen, approval = [one.id for one in accounts if not one.left_out], False
    typed["after_minutes"] = typed["after_minutes"] or USUAL_MINUTES
    if not sets:
        typed["where"] = ACCOUNTS
    return Form(typed, chosen, approval, sets, accounts, _asked(accounts, rule), clips.source_names(current_user))


def _names() -> tuple[str, ...]:
    texts = "name", "source", "source_name", "name_pattern", "title_template", "text_template"
    return (*texts, "where", "when", "after_minutes", "daily_limit")


def _asked(accounts: Sequence[PlatformConnection], rule: Rule | None) -> list[Asked]:
    sent, looks = _options(), asking.looks(accounts)
    found = []
    for one in accounts:
        if declared := asked_options.declared(one):
            known = rule.options.get(str(one.id), {}) if rule else {}
            given = options.quiet(declared) | known | sent.get(one.id, {})
            found.append(Asked(one, declared, given, looks.get(one.id)))
    return found


def wish() -> Wish:
    """What was sent, for the service to check."""
    form = request.form
    where = form.get("where", ACCOUNTS)
    when = form.get("when", "")
    return Wish(
        name=form.get("name", ""),
        source=form.get("source"),
        source_name=form.get("source_name"),
        name_pattern=form.get("name_pattern"),
        account_set_id=None if where == ACCOUNTS else form.get("where", 0, row_id),
        connection_ids=form.getlist("connection", row_id),
        title_template=form.get("title_template", ""),
        text_template=form.get("text_template", ""),
        options=_options(),
        when_kind=when,
        after_minutes=_number(form.get("after_minutes", "")) if when == WhenKind.AFTER else None,
        needs_approval="needs_approval" in form,
        daily_limit=_daily_limit(form.get("daily_limit", "").strip()),
    )


def _number(typed: str) -> int:
    """0, which no service takes, for what is none."""
    return int(typed[:9]) if typed.isascii() and typed.strip().isdigit() else 0


def _daily_limit(typed: str) -> int | None:
    return _number(typed) if typed else None


def _options() -> dict[int, dict[str, str]]:
    """By account; the last value of each: a checkbox that is ticked follows its hidden ""."""
    found: dict[int, dict[str, str]] = {}
    for field, values in request.form.lists():
        kind, _, rest = field.partition("-")
        number, _, name = rest.partition("-")
        if kind == "option" and number.isascii() and number.isdigit() and name:
            found.setdefault(int(number), {})[name] = values[-1]
    return found


# At which a problem is shown; any other stands above the form.
FIELDS = (
    *("name", "source", "source_name", "name_pattern", "where", "when", "after_minutes", "daily_limit"),
    *("title_template", "text_template"),
)


def limits() -> dict[str, int]:
    return {
        "name": rules.MAX_NAME,
        "source_name": rules.MAX_SOURCE_NAME,
        "pattern": rules.MAX_PATTERN,
        "title": rules.MAX_TITLE,
        "text": rules.MAX_TEXT,
        "daily": rules.MAX_DAILY,
    }
