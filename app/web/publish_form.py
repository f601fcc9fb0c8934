"""The publish window's form: what was sent, and what the window shows of each account.

`title` and `description` are the shared texts; `title-7` and `description-7` are the own ones of account 7. An own one
that is empty stands for the shared one, unless `own-7` says that it is meant to be empty. A request without the shared
texts names those of each account.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import request

from app.models import AccountSet, Clip
from app.problems import Problem
from app.services.asked_options import Look
from app.services.destinations import Destination
from app.services.publications import Choice

SHARED = "shared"
OF_TITLE = frozenset({"title_too_long", "title_over_column", "title_forbidden_characters"})
OF_TEXT = frozenset(
    {"text_too_long", "description_too_long", "description_too_many_bytes", "description_forbidden_characters"}
)


@dataclass(frozen=True)
class Texts:
    title: str
    description: str


@dataclass(frozen=True)
class Row:
    """An account in the window. `texts` are those that would be published there now; `own`: they are not the shared."""

    destination: Destination
    chosen: bool
    again: bool
    own: bool
    texts: Texts
    options: Mapping[str, Any]
    problem: Problem | None  # of a refusal, at this account
    look: Look | None = None  # how far the platform's answer is, where it is asked for options
    recipe: str = ""  # the key of the offer that is chosen

    @property
    def blocked(self) -> bool:
        return is_blocked(self.destination)

    @property
    def id(self) -> int:
        return self.destination.connection.id

    @property
    def takes_part(self) -> bool:
        return self.chosen or self.again

    @property
    def title_count(self) -> int:
        return self.destination.limits.unit.count(self.texts.title.strip())

    @property
    def text_count(self) -> int:
        return self.destination.limits.text_unit.count(self.destination.text(self.texts.title, self.texts.description))

    @property
    def max_text(self) -> int | None:
        limits = self.destination.limits
        return limits.max_text or limits.max_description

    @property
    def title_is_over(self) -> bool:
        return self.title_count > self.destination.max_title

    @property
    def text_is_over(self) -> bool:
        return self.max_text is not None and self.text_count > self.max_text

    @property
    def forbidden(self) -> dict[str, str]:
        """By text: those of its characters that the platform does not take."""
        find = self.destination.limits.forbidden_in
        return {"title": find(self.texts.title), "description": find(self.texts.description)}

    @property
    def blamed(self) -> str:
        """The text that is at fault: «title» or «description»; empty where it is something else."""
        code = self.problem.code if self.problem else ""
        return "title" if code in OF_TITLE else "description" if code in OF_TEXT else ""


@dataclass(frozen=True)
class Window:
    """`tab`: SHARED, or the id of the account whose tab is open. `when`: «now», «later», or the id of the set in whose
    queue the clip goes.
    """

    shared: Texts
    rows: Sequence[Row]
    tab: str
    set_name: str
    when: str


def is_blocked(destination: Destination) -> bool:
    """Whether it cannot be chosen, whatever is done to the clip."""
    return destination.blocked and not destination.offers


def chosen() -> list[int]:
    """What is ticked. «Опубликовать ещё раз» chooses by itself."""
    return list(dict.fromkeys([*request.form.getlist("connection", int), *request.form.getlist("again", int)]))


def queue() -> int | None:
    """The set whose queue is chosen: by a button, or among «Сейчас», «Запланировать»."""
    return request.form.get("queue", type=int) or request.form.get("when", type=int)


def choices() -> list[Choice]:
    again = set(request.form.getlist("again", int))
    return [_choice(number, number in again) for number in chosen()]


def fresh(
    clip: Clip,
    destinations: Sequence[Destination],
    remembered: Mapping[int, Mapping[str, Any]],
    looks: Mapping[int, Look],
) -> Window:
    """As it opens: for later where the address names a time. `remembered`: options, by account."""
    texts = Texts(clip.title, clip.description)
    rows = []
    for one in destinations:
        ticked = not (one.published or one.connection.left_out or one.blocked)
        number = one.connection.id
        rows.append(Row(one, ticked, False, False, texts, remembered.get(number, {}), None, looks.get(number)))
    return Window(texts, rows, SHARED, "", "later" if request.args.get("due") else "now")


def sent(
    clip: Clip,
    destinations: Sequence[Destination],
    looks: Mapping[int, Look],
    problem: Problem | None = None,
    ticked: Collection[int] | None = None,
) -> Window:
    """As it was sent. `ticked`: other accounts than those, of a set."""
    again = set(request.form.getlist("again", int))
    if ticked is None:
        ticked = set(request.form.getlist("connection", int))
    else:
        again = again & set(ticked)
    shared = _shared() or Texts(clip.title, clip.description)
    rows = [
        replace(
            _row(one, shared, one.connection.id in ticked, one.connection.id in again, problem),
            look=looks.get(one.connection.id),
        )
        for one in destinations
    ]
    at_fault = [str(row.id) for row in rows if row.problem]
    wanted = at_fault[0] if at_fault else request.form.get("tab", "")
    tab = wanted if wanted in {str(row.id) for row in rows if row.takes_part} else SHARED
    is_later = bool(request.form.get("due")) or bool(problem and problem.field == "due")
    when = "later" if is_later else str(queue() or "now")
    return Window(shared, rows, tab, request.form.get("set-name", ""), when)


def ids_of(account_set: AccountSet, destinations: Sequence[Destination]) -> set[int]:
    """Those of a set that can be chosen as the clip is: what changes it is chosen one by one."""
    return {one.connection.id for one in destinations if not one.blocked} & set(account_set.connection_ids)


def _row(one: Destination, shared: Texts, ticked: bool, again: bool, problem: Problem | None) -> Row:
    number = one.connection.id
    texts = _texts(number, shared) if f"title-{number}" in request.form else shared
    own = f"own-{number}" in request.form or texts != shared
    at_fault = problem.field if problem and problem.field else ""
    mine = problem if at_fault == f"connection-{number}" or at_fault.startswith(f"option-{number}-") else None
    options = options_sent(f"option-{number}-")
    blocked, recipe = is_blocked(one), request.form.get(f"recipe-{number}", "")
    can_be_ticked = not (blocked or one.published)
    return Row(one, ticked and can_be_ticked, again and not blocked, own, texts, options, mine, recipe)


def _choice(number: int, again: bool) -> Choice:
    texts = _texts(number, _shared())
    recipe = request.form.get(f"recipe-{number}", "")
    return Choice(number, texts.title, texts.description, again, options_sent(f"option-{number}-"), recipe)


def _shared() -> Texts | None:
    form = request.form
    given = "title" in form or "description" in form
    return Texts(form.get("title", ""), form.get("description", "")) if given else None


def _texts(number: int, shared: Texts | None) -> Texts:
    form = request.form
    own = Texts(form.get(f"title-{number}", ""), form.get(f"description-{number}", ""))
    if shared is None or f"own-{number}" in form:
        return own
    return Texts(own.title or shared.title, own.description or shared.description)


def options_sent(prefix: str) -> dict[str, str]:
    """The last value of each: a checkbox that is ticked follows its hidden ""."""
    return {name.removeprefix(prefix): values[-1] for name, values in request.form.lists() if name.startswith(prefix)}
