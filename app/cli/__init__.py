"""Commands for operators: `flask users …`, `flask publications …`. Errors are a Russian sentence and exit code 1."""

from flask import Flask

from app.cli import publications, settings, storage, users


def register(app: Flask) -> None:
    for part in (users, publications, storage, settings):
        app.cli.add_command(part.group)
