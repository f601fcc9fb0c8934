"""What workers run. A job takes an id and calls one service; it may come twice."""

import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy import func, select

from app import clock, process, queue
from app.extensions import db, reading, transaction
from app.publishing import engine, lease, revocations, schedule, stats, tokens
from app.services import (
    clips,
    connections,
    consents,
    erasures,
    heartbeats,
    notices,
    recovery,
    retention,
    safety,
    uploads,
)

log = structlog.get_logger(__name__)

_PROMPT_SECONDS = 0.2
# To fork a work-horse costs as much as to publish a small clip: it goes on with what else waits, but not for long, for
# its worker has other queues to look at.
_GO_ON_SECONDS = 5.0


def publish(publication_id: int) -> None:
    began = time.monotonic()
    correct_clock()  # this machine's may be ahead: nothing goes out early, and leases are compared across machines
    _publish(publication_id)
    while time.monotonic() - began < _GO_ON_SECONDS and (another := queue.next_publication()):
        _publish(another)


def _publish(publication_id: int) -> None:
    with structlog.contextvars.bound_contextvars(publication=publication_id):
        engine.advance(publication_id, process.end_at)


def probe(_clip_id: int) -> None:
    """Any wake-up does for any clip: the rows say whose turn it is."""
    began = time.monotonic()
    while clips.probe_next():
        if time.monotonic() - began > _GO_ON_SECONDS:
            _wake("app.jobs.probe", lambda: clips.due_probes(limit=1))
            return


def remove_old(clip_id: int) -> None:
    with structlog.contextvars.bound_contextvars(clip=clip_id):
        retention.remove(clip_id)


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


def mail_recovery(recovery_id: int) -> None:
    with structlog.contextvars.bound_contextvars(recovery=recovery_id):
        recovery.mail_link(recovery_id)


def erase_file(erasure_id: int) -> None:
    with structlog.contextvars.bound_contextvars(erasure=erasure_id):
        erasures.retry(erasure_id)


# Ticks: run beside the scheduler, only SQL and wake-ups.


def tick_publications() -> None:
    lease.bury_the_dead()
    waiting = queue.waiting(queue.PUBLISH, queue.BULK)
    if waiting:
        schedule.release_due(queue.enqueue_publications, waiting.count, waiting.oldest, waiting.kept_since)


def tick_clips() -> None:
    _wake("app.jobs.probe", clips.due_probes)


def tick_mails() -> None:
    _wake("app.jobs.mail_notice", notices.due_mails)
    _wake("app.jobs.mail_recovery", recovery.due_mails)


def tick_refreshes() -> None:
    _wake("app.jobs.refresh_token", tokens.due_refreshes)


def tick_revocations() -> None:
    revocations.sweep()
    _wake("app.jobs.revoke_token", revocations.due)


def tick_reminders() -> None:
    notices.remind()


def tick_stats() -> None:
    stats.release_due(lambda ids: queue.enqueue("app.jobs.read_stats", *ids))


def tick_housekeeping() -> None:
    sweeps = (uploads, safety, notices, heartbeats, consents, recovery, connections)
    for sweep in (module.sweep for module in sweeps):
        try:
            sweep()
        except Exception:
            # A fault of one must not keep the others from their work.
            log.exception("a sweep failed", sweep=sweep.__module__)
            db.session.rollback()
    _wake("app.jobs.remove_old", retention.due)
    _wake("app.jobs.erase_file", erasures.due)


def _wake(job: str, due: Callable[[], list[int]]) -> None:
    if queue.has_enough(job):
        return
    with reading():
        ids = due()
    if ids:
        queue.enqueue(job, *ids)


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
