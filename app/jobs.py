"""What workers run. A job takes an id and calls one service; it may come twice."""

import time

import structlog
from sqlalchemy import func, select

from app import clock, process, queue
from app.extensions import db, transaction
from app.publishing import engine, schedule
from app.services import clips, heartbeats, retention, uploads


def publish(publication_id: int) -> None:
    with structlog.contextvars.bound_contextvars(publication=publication_id):
        engine.advance(publication_id, lambda seconds: process.end_at(time.monotonic() + seconds))


def probe(clip_id: int) -> None:
    with structlog.contextvars.bound_contextvars(clip=clip_id):
        clips.probe(clip_id)


def remove_old(clip_id: int) -> None:
    with structlog.contextvars.bound_contextvars(clip=clip_id):
        retention.remove(clip_id)


# Ticks: run beside the scheduler, only SQL and wake-ups.


def tick_publications() -> None:
    schedule.release_due(lambda ids: queue.enqueue("app.jobs.publish", *ids))


def tick_clips() -> None:
    due = clips.due_probes()
    if due:
        queue.enqueue("app.jobs.probe", *due)


def tick_housekeeping() -> None:
    uploads.sweep()
    heartbeats.sweep()
    old = retention.due()
    if old:
        queue.enqueue("app.jobs.remove_old", *old)


def correct_clock() -> None:
    """Takes the database's time as right; SQLite has none but this machine's."""
    with transaction():
        if db.engine.dialect.name == "postgresql":
            clock.correct(db.session.scalar(select(func.clock_timestamp())))
