"""The application in the bench's own process: for rows and pages, without anything of `make run` behind it."""

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
from app import create_app
from app.db import db, transaction
from app.services import users
from bench.harness import ROOT
from tests.conftest import free_port

EMAIL = "pro@demo.vezde.ru"
OURS = ("DATABASE_URL", "REDIS_URL", "STORAGE_URL", "PUBLIC_URL", "SECRET_KEY", "VAULT_PUBLIC_KEY", "VAULT_PRIVATE_KEY")
_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


class Person(requests.Session):
    """Somebody at the page at `base`, who sends paths."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base

    def request(self, method: str, url: str, *args, **kwargs) -> requests.Response:
        return super().request(method, self.base + url, *args, **kwargs)


def environment(var: Path, **settings: str) -> dict[str, str]:
    """This process's environment made that of an application in `var`, as `make run` does it; with the private key.

    Whatever the developer's shell says about where the data lie does not reach it.
    """
    for name in OURS:
        os.environ.pop(name, None)
    port, sandbox_port = free_port(), free_port()
    os.environ.update({"VAR_DIR": str(var), "PORT": str(port), "SANDBOX_PORT": str(sandbox_port), **settings})
    private_key = demo.complete_environment(demo.var_dir(), port, sandbox_port)
    return os.environ | {"VAULT_PRIVATE_KEY": private_key}


def outside() -> dict[str, str]:
    """The environment for a `make run` of its own, which finds its keys in the folder."""
    return {name: value for name, value in os.environ.items() if name not in OURS}


def application(var: Path, **settings: str) -> Flask:
    """With the tables and the demo users in its database."""
    app = create_app(environment(var, **settings))
    with app.app_context():
        flask_migrate.upgrade(str(ROOT / "migrations"))
        with transaction():
            users.create_demo_users()
    return app


def forget(var: Path) -> None:
    """The folder of its Redis socket, which lies elsewhere."""
    with suppress(OSError):
        demo.forget_redis_socket(var)


def sign_in(someone: requests.Session | FlaskClient, email: str = EMAIL) -> dict[str, str]:
    """Signs in by the form; answers the header that a change needs."""
    form = {"csrf_token": token(someone.get("/sign-in").text), "email": email, "password": users.DEMO_PASSWORD}
    someone.post("/sign-in", data=form)
    page = someone.get("/").text
    if "Выйти" not in page:
        raise RuntimeError("could not sign in")
    return {"X-CSRFToken": token(page)}


def token(page: str) -> str:
    return _CSRF.search(page)[1]


class Queries:
    """Counts what the database is asked."""

    def __init__(self) -> None:
        self.count = 0
        event.listen(db.engine, "before_cursor_execute", self._asked)

    def _asked(self, *_what: object) -> None:
        self.count += 1
