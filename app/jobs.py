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
from app.problems import NotFound, Problem
from app.publishing import dispatch, engine, lease, wake_times
from app.services import (
    audit_log,
    clip_probes,
    connections,
    consents,
    erasures,
    heartbeats,
    recovery,
    retention,
    uploads,
)
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
    """Any wake-up serves any clip: the rows decide which is next."""
    began = time.monotonic()
    while probe_next():
        if time.monotonic() - began > _GO_ON_SECONDS:
            _wake("app.jobs.probe", lambda: clip_probes.due(limit=1))
            return


def probe_next() -> bool:
    """False where no clip may be probed now."""
    with reading():
        turn = clip_probes.next_turn()
    if turn is None:
        return False
    with transaction():
        clip = clip_probes.claim_turn(turn)
    if clip is not None:
        found = clip_probes.inspect(clip)
        with transaction():
            clip_probes.settle(clip, found)
    return True


def remove_old(clip_id: int) -> None:
    # Its user has deleted or published it meanwhile.
    with structlog.contextvars.bound_contextvars(clip=clip_id), suppress(NotFound, Problem), transaction():
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
        with transaction():
            erasure = erasures.claim_due(erasure_id)
        if erasure is not None:
            erasures.carry_out([erasure.key])


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
    _wake("app.jobs.probe", clip_probes.due)


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
    sweeps = (audit_log, event_cursor, inbox, heartbeats, consents, recovery, connections)
    _each(
        sweep_uploads,
        *(module.sweep for module in sweeps),
        lambda: _wake("app.jobs.remove_old", retention.due),
        lambda: _wake("app.jobs.erase_file", erasures.due),
    )


def sweep_uploads() -> None:
    """Each in a transaction of its own: one may have to move a large file."""
    with transaction():
        expired = uploads.expired()
    for upload_id in expired:
        with transaction():
            uploads.sweep(upload_id)
    with reading():
        uploads.sweep_files()


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
