"""What workers run. A job takes an id and calls one service; it may come twice."""

import time
from datetime import timedelta

import structlog
from sqlalchemy import func, select

from app import clock, process, queue
from app.extensions import db, transaction
from app.publishing import engine, lease, schedule
from app.services import clips, uploads

_PROMPT_SECONDS = 0.2


def publish(publication_id: int) -> None:
    with structlog.contextvars.bound_contextvars(publication=publication_id):
        correct_clock()  # a work-horse is born with the clock of its worker, and leases are compared across machines
        engine.advance(publication_id, process.end_at)


def probe(clip_id: int) -> None:
    with structlog.contextvars.bound_contextvars(clip=clip_id):
        clips.probe(clip_id)


# Ticks: run beside the scheduler, only SQL and wake-ups.


def tick_publications() -> None:
    lease.bury_the_dead()
    state = queue.state(queue.PUBLISH)
    if state:
        schedule.release_due(lambda ids: queue.enqueue("app.jobs.publish", *ids), *state)


def tick_clips() -> None:
    due = clips.due_probes()
    if due:
        queue.enqueue("app.jobs.probe", *due)


def tick_housekeeping() -> None:
    uploads.sweep()


def correct_clock() -> None:
    """Takes the database's time as right; SQLite has none but this machine's."""
    if db.engine.dialect.name != "postgresql":
        return
    with transaction():
        db.session.execute(select(1))  # connecting takes its time, and is not to be measured
        asked = time.monotonic()
        database_now = db.session.scalar(select(func.clock_timestamp()))
        took = time.monotonic() - asked
    # An answer that was long on its way (a busy machine, a process that was stopped) says nothing about the clock.
    if took < _PROMPT_SECONDS:
        clock.correct(database_now + timedelta(seconds=took / 2))
