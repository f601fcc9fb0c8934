"""What a user decides for one publication beside its texts: an adapter declares it, pages render and services check it.

An answer is a string, or True or False of a Checkbox; "" is no answer. `publications.options` keeps them by name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from app.problems import Problem

# The values that the platform takes, in the order to show, each with its Russian text.
Choices = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Option:
    """`name` is ASCII: adapters find the answer by it. `label` and `help` are Russian."""

    kind: ClassVar[str]
    name: str
    label: str
    help: str = ""
    required: bool = False
    default: Any = ""

    def parse(self, answer: Any, field: str) -> Any:
        """The answer as it is kept. Raises Problem at `field`."""
        raise NotImplementedError

    def text(self, answer: Any) -> str:
        """The answer as users read it."""
        return str(answer)


@dataclass(frozen=True, kw_only=True)
class Select(Option):
    """One of `choices`. `asked`: they are the account's own, by `Adapter.option_choices`; see `with_choices`."""

    kind = "select"
    choices: Choices = field(default_factory=dict)
    asked: bool = False

    def parse(self, answer: Any, field: str) -> str:
        if answer == "" and self.required:
            raise Problem("option_not_chosen", field, label=self.label)
        if answer != "" and (not isinstance(answer, str) or answer not in self.choices):
            raise Problem("option_not_among_choices", field, label=self.label)
        return answer

    def text(self, answer: str) -> str:
        return self.choices.get(answer, answer)


@dataclass(frozen=True, kw_only=True)
class Checkbox(Option):
    """`required`: it must be ticked. A form sends "on", or "" where it is not ticked."""

    kind = "checkbox"
    default: bool = False

    def parse(self, answer: Any, field: str) -> bool:
        ticked = {"on": True, "": False}.get(answer) if isinstance(answer, str) else answer
        if not isinstance(ticked, bool):
            raise Problem("option_not_true_or_false", field, label=self.label)
        if self.required and not ticked:
            raise Problem("option_not_ticked", field, label=self.label)
        return ticked

    def text(self, answer: bool) -> str:
        return "да" if answer else "нет"


@dataclass(frozen=True, kw_only=True)
class Text(Option):
    """One line of at most `max_length` characters."""

    kind = "text"
    max_length: int

    def parse(self, answer: Any, field: str) -> str:
        if not isinstance(answer, str):
            raise Problem("option_not_text", field, label=self.label)
        line = " ".join(answer.split())
        if self.required and not line:
            raise Problem("option_empty", field, label=self.label)
        if len(line) > self.max_length:
            raise Problem("option_too_long", field, label=self.label, max=self.max_length)
        return line


def with_choices(declared: Sequence[Option], asked: Mapping[str, Choices]) -> Sequence[Option]:
    """The declaration for one account: `asked` is what its `Adapter.option_choices` returned."""
    return [
        replace(option, choices=asked.get(option.name, {})) if isinstance(option, Select) and option.asked else option
        for option in declared
    ]


def check(declared: Sequence[Option], answers: Mapping[str, Any], field: str = "option-") -> dict[str, Any]:
    """An answer to each declared option, as it is kept; defaults where none is given.

    Raises Problem at the field whose name is `field` and the option's name.
    """
    for name in sorted(answers.keys() - {option.name for option in declared}):
        raise Problem("option_unknown", f"{field}{name}", name=name)
    return {
        option.name: option.parse(answers.get(option.name, option.default), f"{field}{option.name}")
        for option in declared
    }


def with_defaults(declared: Sequence[Option], kept: Mapping[str, Any]) -> dict[str, Any]:
    """For the adapter: a publication can be older than an option."""
    return {option.name: kept.get(option.name, option.default) for option in declared}


def facts(declared: Sequence[Option], kept: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Label and answer of what was kept, for the publication's page. Without what has no answer."""
    for option in declared:
        if kept.get(option.name, "") != "":
            yield option.label, option.text(kept[option.name])
