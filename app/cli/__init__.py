"""Commands for operators: `flask users …`, `flask keys …` and more."""

import click
from flask import Flask
from flask.cli import AppGroup

from app.cli import doctor, keys, publications, settings, storage, users


class _Commands(AppGroup):
    """`flask db` is Flask-Migrate's, which is loaded when it is needed."""

    def __init__(self, app: Flask) -> None:
        super().__init__(name=app.name)
        self._app = app

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load_migrations()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name == "db":
            self._load_migrations()
        return super().get_command(ctx, name)

    def _load_migrations(self) -> None:
        _ = self._app.extensions["migrate"].directory


def register(app: Flask) -> None:
    app.cli = _Commands(app)
    for part in (users, publications, storage, settings, keys, doctor):
        app.cli.add_command(part.group)
