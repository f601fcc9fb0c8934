"""What workers run. A job takes an id and calls one service; it may come twice."""

import time

import structlog
from sqlalchemy import func, select

from app import clock, process, queue
from app.extensions import db, transaction
from app.publishing import engine, revocations, schedule, stats, tokens
from app.services import clips, notices, uploads


def publish(publication_id: int) -> None:
    correct_clock()  # this machine's may be ahead, and nothing goes out early
    with structlog.contextvars.bound_contextvars(publication=publication_id):
        engine.advance(publication_id, lambda seconds: process.end_at(time.monotonic() + seconds))


def probe(clip_id: int) -> None:
    with structlog.contextvars.bound_contextvars(clip=clip_id):
        clips.probe(clip_id)


def refresh_token(connection_id: int) -> None:
    with structlog.contextvars.bound_contextvars(connection=connection_id):
        tokens.refresh_due(connection_id)


def revoke_token(revocation_id: int) -> None:
    with structlog.contextvars.bound_contextvars(revocation=revocation_id):
        revocations.revoke(revocation_id)


def mail_notice(notice_id: int) -> None:
    with structlog.contextvars.bound_contextvars(notice=notice_id):
        notices.mail_out(notice_id)


def read_stats(connection_id: int) -> None:
    with structlog.contextvars.bound_contextvars(connection=connection_id):
        stats.read(connection_id)


# Ticks: run beside the scheduler, only SQL and wake-ups.


def tick_publications() -> None:
    schedule.release_due(lambda ids: queue.enqueue("app.jobs.publish", *ids))


def tick_clips() -> None:
    _wake("app.jobs.probe", clips.due_probes())


def tick_mails() -> None:
    _wake("app.jobs.mail_notice", notices.due_mails())


def tick_refreshes() -> None:
    _wake("app.jobs.refresh_token", tokens.due_refreshes())


def tick_revocations() -> None:
    revocations.sweep()
    _wake("app.jobs.revoke_token", revocations.due())


def tick_reminders() -> None:
    notices.remind()


def tick_stats() -> None:
    stats.release_due(lambda ids: queue.enqueue("app.jobs.read_stats", *ids))


def tick_housekeeping() -> None:
    uploads.sweep()
    notices.sweep()


def _wake(job: str, due: list[int]) -> None:
    if due:
        queue.enqueue(job, *due)


def correct_clock() -> None:
    """Takes the database's time as right; SQLite has none but this machine's."""
    with transaction():
        if db.engine.dialect.name == "postgresql":
            clock.correct(db.session.scalar(select(func.clock_timestamp())))
