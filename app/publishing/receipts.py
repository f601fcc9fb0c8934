"""A platform's receipt counts with or without the lease, and settles the publication."""

from typing import Any

import structlog
from sqlalchemy import select

from app import clock
from app.db import db, durable
from app.models import Publication, Stage, Status, touch
from app.platforms.base import Receipt
from app.publishing import state_machine
from app.publishing.lease import Lease

log = structlog.get_logger(__name__)

_LONGEST_OUTAGE_SECONDS = 3600.0
# Statuses that wait for an answer: with the receipt a worker goes on from the commit.
_REOPENED = (Status.UNCONFIRMED, Status.AWAITING_USER)
# Statuses that were wrong: the clip is public after all.
_OVERRULED = (Status.FAILED, Status.CANCELLED)


def record(lease: Lease, commit: str, receipt: Receipt, sealed: bytes, last: bool = False) -> None:
    """Stores a commit's receipt, sealed as its step, whichever worker has the row by now; with the `last`, publishes.

    A database that is away is waited for beyond the lease: some platforms cannot be asked for a receipt again.
    """
    lease.set_deadline(clock.boottime() + _LONGEST_OUTAGE_SECONDS)  # nothing reaches a platform after the lease's end
    _record(lease, commit, receipt, sealed, last)
    lease.set_deadline(lease.deadline)


@durable
def _record(lease: Lease, commit: str, receipt: Receipt, sealed: bytes, last: bool) -> None:
    if last and _publish(lease, commit, receipt):
        return
    # The row's lock comes first: a commit that begins at the same time waits, and then finds another fence.
    publication = db.session.get(Publication, lease.publication_id, with_for_update=True)
    if publication is None:
        return
    if publication.status == Status.PUBLISHED:
        _add_to_published(publication, receipt)
        return
    publication.external_id, publication.url = receipt.id, receipt.url
    publication.commit_in_doubt, publication.in_doubt_until, publication.not_found_count = None, None, 0
    publication.has_receipt = True
    state_machine.store_step(publication.id, commit, sealed, "accepted", publication.status)
    if publication.fence != lease.fence:
        _revoke(publication)
    db.session.flush()
    touch(publication.id)
    if publication.status in _OVERRULED:
        state_machine.move(publication.id, Status.PUBLISHED, event="receipt_found", **as_published(receipt))
    elif publication.status in _REOPENED:
        state_machine.move(publication.id, Status.PUBLISHING, event="receipt_found", wake_at=clock.now())


def _publish(lease: Lease, commit: str, receipt: Receipt) -> bool:
    """Where the lease is still ours, the receipt and what follows from it are one write."""
    ours = db.session.scalar(select(Publication.id).where(*lease.where()).with_for_update())
    if ours is None:
        return False
    state_machine.note(lease.publication_id, "accepted", status=Status.PUBLISHING, name=commit)
    values = as_published(receipt) | {"has_receipt": True, "not_found_count": 0}
    lease.settled = state_machine.move(lease.publication_id, Status.PUBLISHED, *lease.where(), **values)
    return lease.settled


def as_published(receipt: Receipt) -> dict[str, Any]:
    """The columns of a publication that the platform has published now."""
    found = {"external_id": receipt.id, "url": receipt.url, "published_at": clock.now()}
    return found | {"reason": receipt.remark, "detail": None}


def _add_to_published(publication: Publication, receipt: Receipt) -> None:
    """The user's «Есть» was right, and now there is a link."""
    if publication.external_id is None:
        publication.external_id, publication.url = receipt.id, receipt.url
        touch(publication.id)
    elif publication.external_id != receipt.id:
        log.error("published twice", publication=publication.id, ids=[publication.external_id, receipt.id])


def _revoke(publication: Publication) -> None:
    """The worker that has it can begin no commit any more; the next one goes on from the receipt."""
    publication.fence += 1
    if publication.status == Status.PUBLISHING:
        publication.lease_until = publication.queued_at = None
        publication.wake_at, publication.stage = clock.now(), Stage.QUEUED
