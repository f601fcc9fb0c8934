"""The options of «Опубликовать несколько»: `option-vk-notify` is an answer for all publications on one platform."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import request

from app.platforms import options
from app.platforms.options import Option
from app.problems import Problem
from app.services.asked_options import Look
from app.services.bulk import Line
from app.services.destinations import Destination
from app.web import asking


@dataclass(frozen=True)
class Asked:
    """The options of a platform that is chosen: `answers` by name, `problem` at one of them. `looks`: how far the
    platform's answers about its accounts are, where it is asked.
    """

    platform: str
    declared: Sequence[Option]
    answers: Mapping[str, object]
    problem: Problem | None
    looks: Sequence[Look] = ()

    @property
    def must_choose(self) -> bool:
        return bool(self.problem) or any(one.required and not one.quiet for one in self.declared)

    @property
    def is_shown(self) -> bool:
        """Whether there is something to choose from: of accounts that are not known yet nothing can be made."""
        return not self.looks or any(look.is_shown for look in self.looks)


def answers_of(place: Destination, answers: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """Without what this account, of all on its platform, has switched off."""
    off = {option.name for option in place.options if option.off}
    return {name: one for name, one in answers[place.connection.platform].items() if name not in off}


def answers(chosen: Sequence[Destination]) -> dict[str, dict[str, object]]:
    """By platform: what was answered, and what is quiet where nothing was."""
    answers = {}
    for place in chosen:
        platform = place.connection.platform
        prefix = f"option-{platform}-"
        given = {
            name.removeprefix(prefix): values[-1] for name, values in request.form.lists() if name.startswith(prefix)
        }
        answers[platform] = options.quiet(place.options) | given
    return answers


def asked(
    chosen: Sequence[Destination], answers: Mapping[str, Mapping[str, object]], lines: Sequence[Line]
) -> list[Asked]:
    """Once for all accounts of a platform; where something was sent already, with what is wrong."""
    looks = asking.looks([place.connection for place in chosen])
    on: dict[str, list[Destination]] = {}
    for place in chosen:
        if place.options:
            on.setdefault(place.connection.platform, []).append(place)
    return [
        Asked(
            platform,
            options.for_all([place.options for place in places]),
            answers[platform],
            _at_option(platform, lines),
            [looks[place.connection.id] for place in places if place.connection.id in looks],
        )
        for platform, places in on.items()
    ]


def _at_option(platform: str, lines: Sequence[Line]) -> Problem | None:
    for line in lines:
        connection = line.destination.connection if line.destination else None
        for problem in line.problems if connection and connection.platform == platform else ():
            prefix = f"option-{connection.id}-"
            if isinstance(problem, Problem) and (problem.field or "").startswith(prefix):
                name = problem.field.removeprefix(prefix)
                return Problem(problem.code, f"option-{platform}-{name}", **problem.params)
    return None
