"""What all commands share: each is one unit of work, and a refusal is a Russian sentence and exit code 1."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask.cli import AppGroup

from app.db import transaction
from app.problems import NotFound, Problem


class Group(AppGroup):
    """`not_found` is the sentence for NotFound; a command's arguments fill it."""

    def __init__(self, name: str, help: str, not_found: str = "") -> None:
        super().__init__(name, help=help)
        self._not_found = not_found

    def command(self, *args: Any, **kwargs: Any) -> Callable[[Callable], click.Command]:
        register = super().command(*args, **kwargs)
        return lambda function: register(self._unit_of_work(function))

    def _unit_of_work(self, function: Callable) -> Callable:
        @wraps(function)
        def run(**arguments: Any) -> None:
            try:
                with transaction():
                    function(**arguments)
            except NotFound:
                raise click.ClickException(self._not_found.format_map(arguments)) from None
            except Problem as problem:
                raise click.ClickException(problem.text) from None

        return run
