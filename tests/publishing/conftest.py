import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import current_app

from app import clock, platforms, process
from app.extensions import db
from app.models import PlatformConnection, Publication, User
from app.platforms.base import Account, Token
from app.publishing import engine
from app.services import connections, publications
from app.services.publications import Choice
from tests.publishing.toy import Toy, ToyServer


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


def row(publication_id: int) -> Publication:
    db.session.rollback()
    return db.session.get(Publication, publication_id, populate_existing=True)


def settle(publication_id: int, looks: int = 40) -> Publication:
    """Looks at the publication again and again, each time when it wants to be looked at, until nothing wakes it."""
    for _ in range(looks):
        publication = row(publication_id)
        if publication.wake_at is None:
            return publication
        wait_until(publication.wake_at)
        look(publication_id)
    raise AssertionError(f"not at rest after {looks} looks: {row(publication_id).stage}")


@pytest.fixture
def toy_publication(app, user, ready_clip, toy) -> Callable[[], int]:
    """A publication on the toy platform, as the user's click makes it."""

    def make(owner: User | None = None) -> int:
        owner = owner or user()
        connection: PlatformConnection = connections.save(owner, "toy", [Account("1", "Игрушка")], Token("toy-token"))
        clip = ready_clip(owner)
        [publication] = publications.publish(owner, clip.id, [Choice(connection.id, clip.title, "")])
        return publication.id

    return make


def in_a_horse(app, publication_id: int, life: float = math.inf) -> multiprocessing.Process:
    """Lets a forked work-horse advance the publication, with the kernel's deadline on its life (seconds)."""

    def ride() -> None:
        db.engine.dispose(close=False)
        engine.advance(publication_id, lambda deadline: process.end_at(min(deadline, time.monotonic() + life)))
        os._exit(0)

    db.session.remove()
    horse = multiprocessing.get_context("fork").Process(target=ride)
    horse.start()
    return horse
