"""What a user decides for one publication beside its texts: an adapter declares it, pages render and services check it.

A value is a string, or True or False of a Checkbox; "" stands for none. `publications.options` stores them by name.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

from app.platforms.foreign_text import clean_inside
from app.problems import Problem

# The values that the platform takes, in the order to show, each with its Russian text.
Choices = Mapping[str, str]
# The name of an option that is declared before, and the value that it must have.
Condition = tuple[str, Any]


@dataclass(frozen=True, kw_only=True)
class AccountOptions:
    """What a platform says of one account at this moment.

    `choices`: of each `Select(asked=True)`, by name. `off`: by the name of an option, a Russian sentence on why it
    cannot be chosen. `max_seconds`: the account's own longest clip. `name`, `avatar_url`: the account as the platform
    shows it now. `refusal`: a key of the reasons' texts, where the platform takes no more posts from it now.
    """

    choices: Mapping[str, Choices] = field(default_factory=dict)
    off: Mapping[str, str] = field(default_factory=dict)
    max_seconds: float | None = None
    name: str = ""
    avatar_url: str | None = None
    refusal: str = ""

    def __post_init__(self) -> None:
        """Raises TypeError where what the platform has said has another shape."""
        listed = [text for one in self.choices.values() for choice in one.items() for text in choice]
        if not all(isinstance(text, str) for text in [*listed, self.name]):
            raise TypeError("choices and names are texts")
        if not isinstance(self.max_seconds, int | float | None):
            raise TypeError("max_seconds is a number")
        for name in ("choices", "name", "avatar_url"):
            object.__setattr__(self, name, clean_inside(getattr(self, name)))
        if not str(self.avatar_url).startswith(("https://", "http://")):
            object.__setattr__(self, "avatar_url", None)

    def stored(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> "AccountOptions | None":
        return None if stored is None else cls(**stored)


@dataclass(frozen=True)
class Notice:
    """A sentence that stands beside the options. `{0}`, `{1}` in `text` stand for the links: label and address."""

    text: str
    links: Sequence[tuple[str, str]] = ()
    shown_when: Condition | None = None


@dataclass(frozen=True, kw_only=True)
class Option:
    """`name` is ASCII: adapters find the value by it. `label` and `help` are Russian.

    `bulk_default`: of many publications at once, where it is another than `default`: what disturbs nobody, such as not
    to notify subscribers. None: it is the same. `remembered`: the publish window begins with what was chosen for the
    account last. `shown_when`: it counts only then; otherwise it has its default. `off`: see `for_account`.
    """

    kind: ClassVar[str]
    name: str
    label: str
    help: str = ""
    required: bool = False
    default: Any = ""
    bulk_default: Any = None
    remembered: bool = False
    shown_when: Condition | None = None
    off: str = ""

    @property
    def quiet(self) -> Any:
        """The value to begin with for many publications at once."""
        return self.default if self.bulk_default is None else self.bulk_default

    def parse(self, value: Any, field: str) -> Any:
        """The value as it is stored. Raises Problem at `field`."""
        raise NotImplementedError

    def text(self, value: Any) -> str:
        """The value as users read it."""
        return str(value)


@dataclass(frozen=True, kw_only=True)
class Select(Option):
    """One of `choices`. `asked`: they are the account's own, by `Adapter.ask_options`; those that are declared are what
    is known without the platform's answer.
    """

    kind = "select"
    choices: Choices = field(default_factory=dict)
    asked: bool = False

    @property
    def needs_answer(self) -> bool:
        """Whether nothing can be chosen before the platform has answered."""
        return self.asked and self.required and not self.default

    def parse(self, value: Any, field: str) -> str:
        if value == "" and self.required:
            raise Problem("option_not_chosen", field, label=self.label)
        if value != "" and (not isinstance(value, str) or value not in self.choices):
            raise Problem("option_not_among_choices", field, label=self.label)
        return value

    def text(self, value: str) -> str:
        return self.choices.get(value, value)


@dataclass(frozen=True, kw_only=True)
class Checkbox(Option):
    """`required`: it must be ticked. A form sends "on", or "" where it is not ticked.

    `rules_out`: while it is ticked, another option cannot have this value; `rules_out_help` says so. `check_options`
    of the adapter refuses both together.
    """

    kind = "checkbox"
    default: bool = False
    rules_out: Condition | None = None
    rules_out_help: str = ""

    def parse(self, value: Any, field: str) -> bool:
        ticked = {"on": True, "": False}.get(value) if isinstance(value, str) else value
        if not isinstance(ticked, bool):
            raise Problem("option_not_true_or_false", field, label=self.label)
        if self.required and not ticked:
            raise Problem("option_not_ticked", field, label=self.label)
        return ticked

    def text(self, value: bool) -> str:
        return "да" if value else "нет"


@dataclass(frozen=True, kw_only=True)
class Text(Option):
    """One line of at most `max_length` characters, as the platform counts them, without any of `forbidden`."""

    kind = "text"
    max_length: int
    forbidden: str = ""

    def count(self, line: str) -> int:
        return len(line)

    def parse(self, value: Any, field: str) -> str:
        if not isinstance(value, str):
            raise Problem("option_not_text", field, label=self.label)
        line = " ".join(value.split())
        if self.required and not line:
            raise Problem("option_empty", field, label=self.label)
        if self.count(line) > self.max_length:
            raise Problem("option_too_long", field, label=self.label, max=self.max_length)
        if found := [one for one in self.forbidden if one in line]:
            raise Problem("option_forbidden_characters", field, label=self.label, characters=" и ".join(found))
        return line


def conflict(name: str, reason: str) -> Problem:
    """For `Adapter.check_options`: what is chosen at `name` does not go with the rest. `reason`: one of its reasons."""
    return Problem(reason, name)


def needs_answer(declared: Sequence[Option]) -> bool:
    return any(isinstance(option, Select) and option.needs_answer for option in declared)


def for_account(declared: Sequence[Option], said: AccountOptions | None) -> list[Option]:
    """The declaration as the platform's answer about the account changes it; None: it has not answered yet."""
    return [_for_account(option, said) for option in declared]


def _for_account(option: Option, said: AccountOptions | None) -> Option:
    if isinstance(option, Select) and option.asked:
        known = {} if option.needs_answer else option.choices
        option = replace(option, choices=said.choices.get(option.name, known) if said else known)
    return replace(option, off=said.off.get(option.name, "")) if said else option


def for_all(declared: Sequence[Sequence[Option]]) -> list[Option]:
    """Of several accounts of one platform, for one answer: what each of them offers, and off where it is off on all.

    Where they have no choice in common, all of the first: each account is checked by itself.
    """
    return [_for_all(same) for same in zip(*declared, strict=True)]


def _for_all(same: Sequence[Option]) -> Option:
    first = replace(same[0], off=same[0].off if all(one.off for one in same) else "")
    known = [one.choices for one in same if isinstance(one, Select) and one.choices]
    if not isinstance(first, Select) or not known:
        return first
    common = {value: text for value, text in known[0].items() if all(value in choices for choices in known)}
    return replace(first, choices=common or known[0])


def with_texts(declared: Sequence[Option], said: AccountOptions | None) -> list[Option]:
    """For showing values that were chosen before: all choices of which a text is known."""
    asked = said.choices if said else {}
    return [
        replace(option, choices={**option.choices, **asked.get(option.name, {})})
        if isinstance(option, Select)
        else option
        for option in declared
    ]


def check(
    declared: Sequence[Option],
    values: Mapping[str, Any],
    field: str = "option-",
    across: Callable[[Mapping[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """A value for each declared option, as it is stored; the default where none is given, or where it does not count.

    `across`: the rules that `Adapter.check_options` holds. Raises Problem at the field whose name is `field` and the
    option's name.
    """
    for name in sorted(values.keys() - {option.name for option in declared}):
        raise Problem("option_unknown", f"{field}{name}", name=name)
    checked: dict[str, Any] = {}
    for option in declared:
        checked[option.name] = _checked(option, values, checked, f"{field}{option.name}")
    try:
        if across and declared:
            across(checked)
    except Problem as problem:
        raise Problem(problem.code, f"{field}{problem.field}", **problem.params) from None
    return checked


def _checked(option: Option, values: Mapping[str, Any], checked: Mapping[str, Any], field: str) -> Any:
    if not holds(option.shown_when, checked):
        return option.default
    value = option.parse(values.get(option.name, option.default), field)
    if option.off and value != option.default:
        raise Problem("option_off", field, label=option.label, why=option.off)
    return value


def holds(condition: Condition | None, values: Mapping[str, Any]) -> bool:
    return condition is None or values.get(condition[0]) == condition[1]


def quiet(declared: Sequence[Option]) -> dict[str, Any]:
    """For many publications at once. What the platform wants to be chosen, and nothing chooses, is left out."""
    return {option.name: option.quiet for option in declared if option.quiet or not option.required}


def with_defaults(declared: Sequence[Option], stored: Mapping[str, Any]) -> dict[str, Any]:
    """For the adapter: a publication can be older than an option."""
    return {option.name: stored.get(option.name, option.default) for option in declared}


def facts(declared: Sequence[Option], stored: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Label and text of each stored value, for the publication's page; without those that are empty."""
    for option in declared:
        if stored.get(option.name, "") != "" and holds(option.shown_when, stored):
            yield option.label, option.text(stored[option.name])
