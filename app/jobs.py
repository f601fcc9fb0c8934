"""What workers run. A job takes an id and calls one service; it may come twice."""

import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from app import process, queue
from app.db import db, reading, transaction
from app.models import event_cursor
from app.notifications import create, email, inbox, reminders
from app.platform_access import revocations, tokens
from app.publishing import dispatch, engine, lease, wake_times
from app.services import audit_log, clips, connections, consents, erasures, heartbeats, recovery, retention, uploads
from app.statistics import collector

# To fork a work horse costs as much as to publish a small clip: it goes on with what else waits, but not for long, for
# its worker has other queues to look at.
_GO_ON_SECONDS = 5.0


def publish(publication_id: int) -> None:
    began = time.monotonic()
    _publish(publication_id)
    while time.monotonic() - began < _GO_ON_SECONDS and (another := queue.next_publication()):
        _publish(another)


def _publish(publication_id: int) -> None:
    with structlog.contextvars.bound_contextvars(publication=publication_id):
        engine.advance(publication_id, process.kill_self_at)


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


def mail_notification(notification_id: int) -> None:
    with structlog.contextvars.bound_contextvars(notification=notification_id):
        email.send(notification_id)


def read_stats(connection_id: int) -> None:
    with structlog.contextvars.bound_contextvars(connection=connection_id):
        collector.read(connection_id)


def mail_recovery(recovery_id: int) -> None:
    with structlog.contextvars.bound_contextvars(recovery=recovery_id):
        with transaction():
            letter = recovery.claim_letter(recovery_id)
        if letter is None:
            return

        def mark_sent() -> None:
            with transaction():
                recovery.mark_sent(letter)

        with suppress(recovery.SentMeanwhile):
            error = recovery.send(letter, mark_sent)
            with transaction():
                recovery.settle(letter, error)


def erase_file(erasure_id: int) -> None:
    with structlog.contextvars.bound_contextvars(erasure=erasure_id):
        erasures.retry(erasure_id)


# Ticks: run beside the scheduler, only SQL and wake-ups.


def tick_publications() -> None:
    _each(wake_times.clamp, lease.expire_leases_of_dead_workers, _release_due)


def _release_due() -> None:
    waiting = queue.waiting(queue.PUBLISH, queue.BULK)
    if waiting:
        dispatch.release_due(queue.enqueue_publications, waiting.count, waiting.ids, waiting.redis_epoch)


def tick_events() -> None:
    create.read_events()


def tick_clips() -> None:
    _wake("app.jobs.probe", clips.due_probes)


def tick_mails() -> None:
    _wake("app.jobs.mail_notification", email.due)
    _wake("app.jobs.mail_recovery", recovery.due_mails)


def tick_refreshes() -> None:
    _wake("app.jobs.refresh_token", tokens.due_refreshes)


def tick_revocations() -> None:
    _each(revocations.sweep, lambda: _wake("app.jobs.revoke_token", revocations.due))


def tick_reminders() -> None:
    reminders.notify_upcoming()


def tick_stats() -> None:
    collector.release_due(lambda ids: queue.enqueue("app.jobs.read_stats", *ids))


def tick_housekeeping() -> None:
    sweeps = (uploads, audit_log, event_cursor, inbox, heartbeats, consents, recovery, connections)
    _each(
        *(module.sweep for module in sweeps),
        lambda: _wake("app.jobs.remove_old", retention.due),
        lambda: _wake("app.jobs.erase_file", erasures.due),
    )


def _each(*parts: Callable[[], object]) -> None:
    """All of a tick, whichever part fails: what fails once fails every time, and must not stop the others."""
    errors = []
    for part in parts:
        try:
            part()
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)
            db.session.rollback()
    if errors:
        raise ExceptionGroup("parts of a tick failed", errors)


def _wake(job: str, due: Callable[[], list[int]]) -> None:
    if queue.has_enough(job):
        return
    with reading():
        ids = due()
    if ids:
        queue.enqueue(job, *ids)
