"""The application in the bench's own process, for rows and pages, without the processes of `make run`."""

import os
import re
from contextlib import suppress
from pathlib import Path

import flask_migrate
import requests
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

import demo
from app import create_app, vault
from app.db import db, transaction
from app.services import users
from bench.harness import ROOT
from tests.conftest import free_port

EMAIL = "pro@demo.vezde.ru"
SETTINGS = (
    "DATABASE_URL",
    "REDIS_URL",
    "STORAGE_URL",
    "PUBLIC_URL",
    "SECRET_KEY",
    "VAULT_PUBLIC_KEY",
    "VAULT_PRIVATE_KEY",
    "VAULT_PRIVATE_KEY_FILE",
)
_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


class Session(requests.Session):
    """An HTTP session with a base URL; requests take paths."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base

    def request(self, method: str, url: str, *args, **kwargs) -> requests.Response:
        return super().request(method, self.base + url, *args, **kwargs)


def environ(var: Path, **settings: str) -> dict[str, str]:
    """Sets this process's environment for an application in `var`, like `make run`; removes the shell's settings.

    Returns it with the private key.
    """
    for name in SETTINGS:
        os.environ.pop(name, None)
    port, sandbox_port = free_port(), free_port()
    os.environ.update({"VAR_DIR": str(var), "PORT": str(port), "SANDBOX_PORT": str(sandbox_port), **settings})
    demo.complete_environment(demo.var_dir(), port, sandbox_port)
    return os.environ | {"VAULT_PRIVATE_KEY": vault.read_private_keys(Path(os.environ["VAULT_PRIVATE_KEY_FILE"]))}


def make_run_environment() -> dict[str, str]:
    """Returns the environment for a `make run`, which finds its keys in the folder."""
    return {name: value for name, value in os.environ.items() if name not in SETTINGS}


def application(var: Path, **settings: str) -> Flask:
    """Returns an application; its database has the tables and the demo users."""
    app = create_app(environ(var, **settings))
    with app.app_context():
        flask_migrate.upgrade(str(ROOT / "migrations"))
        with transaction():
            users.create_demo_users()
    return app


def remove_redis_socket(var: Path) -> None:
    """Removes the folder of the Redis socket, which is outside `var`."""
    with suppress(OSError):
        demo.forget_redis_socket(var)


def sign_in(session: requests.Session | FlaskClient, email: str = EMAIL) -> dict[str, str]:
    """Signs in by the form; returns the CSRF header for changes."""
    form = {"csrf_token": token(session.get("/sign-in").text), "email": email, "password": users.DEMO_PASSWORD}
    session.post("/sign-in", data=form)
    page = session.get("/").text
    if "Выйти" not in page:
        raise RuntimeError("could not sign in")
    return {"X-CSRFToken": token(page)}


def token(page: str) -> str:
    return _CSRF.search(page)[1]


class Queries:
    """Counts database queries."""

    def __init__(self) -> None:
        self.count = 0
        event.listen(db.engine, "before_cursor_execute", self._count)

    def _count(self, *_args: object) -> None:
        self.count += 1
