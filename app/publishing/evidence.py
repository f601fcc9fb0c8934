"""A platform's receipt is evidence: it counts whoever brings it, with or without the lease, and ends the matter."""

from sqlalchemy import select, update

from app import clock
from app.extensions import db, transaction
from app.models import Publication, PublicationStep, Status
from app.platforms.base import Receipt
from app.publishing import transitions

# Statuses in which someone still waits for an answer: with the receipt a worker goes on from the commit.
_REOPENED = (Status.UNCONFIRMED, Status.AWAITING_USER)
# Statuses that were wrong: the clip stands there after all.
_OVERRULED = (Status.FAILED, Status.CANCELLED)


def keep(publication_id: int, commit: str, receipt: Receipt, sealed: bytes) -> None:
    """Stores a commit's receipt, sealed as its step, whoever holds the row."""
    with transaction():
        # Takes the row's lock first, so that an arming that runs at the same time sees the answer or waits for it.
        db.session.execute(
            update(Publication)
            .where(Publication.id == publication_id)
            .values(external_id=receipt.id, url=receipt.url, armed=None, armed_until=None, not_there=0, committed=True)
        )
        status = db.session.scalar(select(Publication.status).where(Publication.id == publication_id))
        if status in _OVERRULED:
            transitions.move(
                publication_id, Status.PUBLISHED, event="evidence", published_at=clock.now(), reason=None, detail=None
            )
            return
        known = db.session.scalar(
            select(PublicationStep.id).where(
                PublicationStep.publication_id == publication_id, PublicationStep.name == commit
            )
        )
        if known is None and status not in (None, Status.PUBLISHED):
            db.session.add(PublicationStep(publication_id=publication_id, name=commit, sealed_answer=sealed))
            transitions.note(publication_id, "accepted", status=status, name=commit)
        if status in _REOPENED:
            transitions.move(publication_id, Status.PUBLISHING, event="evidence", wake_at=clock.now())
