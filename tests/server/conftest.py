"""One application and one gunicorn for all tests of a module: to start one takes longer than most of them."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from flask import Flask

from app import create_app
from app.db import db
from app.models import User
from sandbox.testing import Sandbox
from tests.conftest import settings
from tests.webserver import Server

PATIENCE = 60
_numbers = itertools.count()


@pytest.fixture(scope="module")
def environment(
    tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path, keys: tuple[str, str], redis_url: str, world: Sandbox
) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "vezde.db").write_bytes(empty_sqlite.read_bytes())
    return settings(folder, f"sqlite:///{folder}/vezde.db", keys, redis_url, world.url, world.smtp_port)


@pytest.fixture(scope="module")
def app(environment: dict[str, str]) -> Iterator[Flask]:
    app = create_app(environment)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="module")
def serve(app: Flask, environment: dict[str, str]) -> Iterator[Callable[..., Server]]:
    """Starts gunicorn, with options of its own, and waits for it."""
    started: list[Server] = []

    def start(*options: str, **more: int) -> Server:
        db.session.commit()
        server = Server(environment, *options, **more)
        started.append(server)
        assert requests.get(f"{server.url}/healthz", timeout=PATIENCE).text == "ok"
        return server

    yield start
    for server in started:
        server.close()


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve()


@pytest.fixture
def someone(user: Callable[..., User]) -> Callable[[], User]:
    """Makes users of whom the module's database knows nothing yet."""
    return lambda: user(email=f"someone{next(_numbers)}@example.org")


@pytest.fixture
def headers(app, sign_in) -> Callable[[User], dict[str, str]]:
    """What the browser of a signed-in user sends."""

    def of(user: User) -> dict[str, str]:
        client = sign_in(user)
        name = app.config["SESSION_COOKIE_NAME"]
        token = client.environ_base["HTTP_X_CSRFTOKEN"]
        db.session.commit()  # the test's own transaction ends: the server writes
        return {"Cookie": f"{name}={client.get_cookie(name).value}", "X-CSRFToken": token}

    return of
