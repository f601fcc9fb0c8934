import base64
import hashlib
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from flask import current_app
from sqlalchemy import inspect

from app import clock, platforms, process
from app.db import db, reads_only
from app.models import PlatformConnection, Publication, User
from app.platforms.base import Account, Token
from app.publishing import engine
from app.services import connections, publications
from app.services.publications import Choice
from app.statistics import collector
from tests.edges import committed
from tests.publishing.toy import Toy, ToyServer

Model = TypeVar("Model")


@pytest.fixture
def toy() -> Iterator[ToyServer]:
    """The toy platform, known to the application while the test runs."""
    server = ToyServer()
    platforms.ADAPTERS["toy"] = Toy
    Toy.url, Toy.die_at = server.url, ""
    yield server
    del platforms.ADAPTERS["toy"]
    server.stop()


@pytest.fixture(autouse=True)
def real_time() -> Iterator[None]:
    yield
    clock.correct(datetime.now(UTC))


def wait_until(moment: datetime) -> None:
    """Puts the application's clock to `moment`, if it is behind it."""
    if clock.now() < moment:
        clock.correct(moment + timedelta(milliseconds=1))


def look(publication_id: int) -> bool:
    """What a worker does with a wake-up, in a session of its own."""
    db.session.rollback()  # this test's own transaction holds SQLite's write lock
    with current_app.app_context():
        return engine.advance(publication_id)


def at_work(job: Callable, *arguments) -> Any:
    """Does a worker's job in a session of its own."""
    db.session.rollback()
    with current_app.app_context():
        return job(*arguments)


def fresh(one: Model) -> Model:
    """The same row in this test's session, after another has closed it."""
    return db.session.get(type(one), inspect(one).identity[0], populate_existing=True)


def row(publication_id: int) -> Publication:
    """As it is now. Read without SQLite's write lock, which a worker beside this test may be waiting for."""
    db.session.rollback()
    before = reads_only.set(True)
    try:
        return db.session.get(Publication, publication_id, populate_existing=True)
    finally:
        reads_only.reset(before)


def settle(publication_id: int, looks: int = 40) -> Publication:
    """Looks at the publication again and again, each time when it wants to be looked at, until nothing wakes it."""
    for _ in range(looks):
        publication = row(publication_id)
        if publication.wake_at is None:
            return publication
        wait_until(publication.wake_at)
        look(publication_id)
    raise AssertionError(f"not at rest after {looks} looks: {row(publication_id).stage}")


def read_stats(*publication_ids: int) -> None:
    """What the tick and a worker do once the first counts of these are due, in a session of its own."""
    wait_until(max(row(publication_id).stats_due_at for publication_id in publication_ids))
    db.session.rollback()
    with current_app.app_context():
        collector.release_due(lambda connection_ids: all(collector.read(one) is None for one in connection_ids))


@pytest.fixture
def toy_publication(app, user, ready_clip, toy) -> Callable[[], int]:
    """A publication on the toy platform, as the user's click makes it: now, or at `due_at`."""

    def make(owner: User | None = None, due_at: datetime | None = None) -> int:
        owner = owner or user()
        connection: PlatformConnection = committed(
            connections.save(owner, "toy", [Account("1", "Игрушка")], Token("toy-token"))
        )
        clip = ready_clip(owner)
        [publication] = publications.publish(owner, clip.id, [Choice(connection.id, clip.title, "")], due_at)
        return publication.id

    return make


def in_a_work_horse(app, publication_id: int, life: float = math.inf) -> multiprocessing.Process:
    """Lets a forked work horse advance the publication, with the kernel's deadline on its life (seconds)."""

    def ride() -> None:
        db.engine.dispose(close=False)
        engine.advance(publication_id, lambda deadline: process.kill_self_at(min(deadline, clock.boottime() + life)))
        os._exit(0)

    db.session.remove()
    horse = multiprocessing.get_context("fork").Process(target=ride)
    horse.start()
    return horse


@pytest.fixture
def vk(app, sandbox) -> Callable[[User], PlatformConnection]:
    """Makes connections by VK ID's consent, as a browser and our callback do."""

    def connect(owner: User) -> PlatformConnection:
        verifier = "v" * 43
        digest = hashlib.sha256(verifier.encode()).digest()
        common = {"client_id": app.config["VK_CLIENT_ID"], "redirect_uri": "http://127.0.0.1/back", "state": "s"}
        answer = requests.post(
            f"{sandbox.url}/vk-id/authorize",
            params=common
            | {
                "response_type": "code",
                "scope": "video wall",
                "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
                "code_challenge_method": "S256",
            },
            data={"decision": "allow", "account": "1"},
            allow_redirects=False,
            timeout=10,
        )
        back = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
        code = {"grant_type": "authorization_code", "code": back["code"], "code_verifier": verifier}
        pair = requests.post(
            f"{sandbox.url}/vk-id/oauth2/auth", common | code | {"device_id": back["device_id"]}, timeout=10
        ).json()
        return committed(connections.accept(owner, "vk", pair, back))

    return connect
