"""What workers run. A job takes an id and calls one service; it may come twice."""

import structlog
from sqlalchemy import func, select

from app import clock, process, queue
from app.extensions import db, transaction
from app.publishing import engine, lease, schedule
from app.services import clips, uploads


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
    schedule.release_due(lambda ids: queue.enqueue("app.jobs.publish", *ids), queue.length(queue.PUBLISH))


def tick_clips() -> None:
    due = clips.due_probes()
    if due:
        queue.enqueue("app.jobs.probe", *due)


def tick_housekeeping() -> None:
    uploads.sweep()


def correct_clock() -> None:
    """Takes the database's time as right; SQLite has none but this machine's."""
    with transaction():
        if db.engine.dialect.name == "postgresql":
            clock.correct(db.session.scalar(select(func.clock_timestamp())))
