"""Commands for operators: `flask users …`, `flask keys …` and more. Errors are a Russian sentence, exit code 1."""

from flask import Flask

from app.cli import doctor, keys, publications, settings, storage, users


def register(app: Flask) -> None:
    for part in (users, publications, storage, settings, keys, doctor):
        app.cli.add_command(part.group)
