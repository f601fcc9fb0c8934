"""What a user decides for one publication beside its texts: an adapter declares it, pages render and services check it.

A value is a string, or True or False of a Checkbox; "" stands for none. `publications.options` stores them by name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from app.problems import Problem

# The values that the platform takes, in the order to show, each with its Russian text.
Choices = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Option:
    """`name` is ASCII: adapters find the value by it. `label` and `help` are Russian.

    `bulk_default`: of many publications at once, where it is another than `default`: what disturbs nobody, such as not
    to notify subscribers. None: it is the same. `remembered`: the publish window begins with what was chosen for the
    account last.
    """

    kind: ClassVar[str]
    name: str
    label: str
    help: str = ""
    required: bool = False
    default: Any = ""
    bulk_default: Any = None
    remembered: bool = False

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
    """One of `choices`. `asked`: they are the account's own, by `Adapter.option_choices`; see `with_choices`."""

    kind = "select"
    choices: Choices = field(default_factory=dict)
    asked: bool = False

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
    """`required`: it must be ticked. A form sends "on", or "" where it is not ticked."""

    kind = "checkbox"
    default: bool = False

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


def with_choices(declared: Sequence[Option], asked: Mapping[str, Choices]) -> Sequence[Option]:
    """The declaration for one account: `asked` is what its `Adapter.option_choices` returned."""
    return [
        replace(option, choices=asked.get(option.name, {})) if isinstance(option, Select) and option.asked else option
        for option in declared
    ]


def check(declared: Sequence[Option], values: Mapping[str, Any], field: str = "option-") -> dict[str, Any]:
    """A value for each declared option, as it is stored; the default where none is given.

    Raises Problem at the field whose name is `field` and the option's name.
    """
    for name in sorted(values.keys() - {option.name for option in declared}):
        raise Problem("option_unknown", f"{field}{name}", name=name)
    return {
        option.name: option.parse(values.get(option.name, option.default), f"{field}{option.name}")
        for option in declared
    }


def quiet(declared: Sequence[Option]) -> dict[str, Any]:
    """For many publications at once. What the platform wants to be chosen, and nothing chooses, is left out."""
    return {option.name: option.quiet for option in declared if option.quiet or not option.required}


def with_defaults(declared: Sequence[Option], stored: Mapping[str, Any]) -> dict[str, Any]:
    """For the adapter: a publication can be older than an option."""
    return {option.name: stored.get(option.name, option.default) for option in declared}


def facts(declared: Sequence[Option], stored: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Label and text of each stored value, for the publication's page; without those that are empty."""
    for option in declared:
        if stored.get(option.name, "") != "":
            yield option.label, option.text(stored[option.name])
