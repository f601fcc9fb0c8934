import math
import multiprocessing
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from flask import current_app
from sqlalchemy import inspect

from app import clock, jobs
from app.db import db, reads_only
from app.models import UNDO_TIME, Publication
from app.process.lifetime import kill_self_at
from app.publishing import engine, lease_expiry, wake_times
from app.statistics import collector

Model = TypeVar("Model")


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


def tick() -> None:
    """The periodic tasks of publications, each in a session of its own as the worker of the ticks has it."""
    for task in (wake_times.clamp, lease_expiry.expire_leases_of_dead_workers, jobs.release_publications):
        at_work(task)


def too_late_to_undo() -> None:
    """Waits until nothing can be taken back any more, and finishes it as the periodic task does."""
    wait_until(clock.now() + UNDO_TIME)
    at_work(jobs.finish_undos)


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


def in_a_work_horse(app, publication_id: int, life: float = math.inf) -> multiprocessing.Process:
    """Lets a forked work horse advance the publication, with the kernel's deadline on its life (seconds)."""

    def ride() -> None:
        db.engine.dispose(close=False)
        engine.advance(publication_id, lambda deadline: kill_self_at(min(deadline, clock.boottime() + life)))
        os._exit(0)

    db.session.remove()
    work_horse = multiprocessing.get_context("fork").Process(target=ride)
    work_horse.start()
    return work_horse
