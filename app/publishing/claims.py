"""A publication is taken up: read, looked over, claimed and, where its time has come, started."""

from datetime import timedelta

from flask import current_app
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import joinedload

from app import clock, process
from app.db import db, reading, retry_while_db_down, transaction
from app.models import ClipStatus, ConnectionStatus, Publication, Status, User
from app.platforms.errors import Refused
from app.publishing import state_machine
from app.publishing.lease import Lease, SetDeadline, acquire

# A publication whose workers keep dying on it is given up; restarts of ours must not use this up.
MOST_CRASHES = 10


def claim_publication(
    publication_id: int, set_deadline: SetDeadline
) -> tuple[Lease, Publication, Refused | None] | None:
    """Claims the row and, where nothing stands in the way, starts it.

    What takes time is done before: writers queue for SQLite's one lock, and then it holds for as long as one UPDATE.
    """
    with reading():
        publication = _read(Publication.id == publication_id)
        if publication is None or _is_worked_on(publication):
            return None
        obstacle = _obstacle(publication)
    with transaction():
        lease = acquire(publication_id, set_deadline, Publication.fence == publication.fence)
        if lease and publication.status == Status.SCHEDULED and not obstacle:
            _start(lease, publication)
    return (lease, publication, obstacle) if lease else None


def load(lease: Lease) -> Publication:
    def read() -> Publication:
        with reading():
            return _read(*lease.where()) or lease.lost()

    return retry_while_db_down(read)


def _read(*where: ColumnElement[bool]) -> Publication | None:
    """The row with its clip and connection, cut loose from the database."""
    publication = db.session.scalars(
        select(Publication).where(*where).options(joinedload(Publication.clip), joinedload(Publication.connection))
    ).first()
    db.session.expunge_all()
    return publication


def _is_worked_on(publication: Publication) -> bool:
    """Whether its holder runs on this machine. Its lease has not run out then, whatever the clock says that was set
    meanwhile: the kernel ends a process before its lease does (`process.end_at`). A stopped one is ended as it goes on.
    """
    return bool(publication.lease_until and publication.holder) and process.is_running(publication.holder)


def _obstacle(publication: Publication) -> Refused | None:
    """What must hold whenever a publication is taken up, and does not."""
    # A lease that is still there has run out: its worker died.
    if publication.crashes + (publication.lease_until is not None) > MOST_CRASHES:
        return Refused("crashed")
    if publication.commit_in_doubt or publication.has_receipt:
        return None  # whatever has changed since, the clip may stand there already: see it through
    if publication.connection is None:
        return Refused("disconnected")
    if publication.connection.status != ConnectionStatus.ACTIVE:
        return Refused("reconnect")
    if publication.clip is None or publication.clip.status != ClipStatus.READY:
        return Refused("clip_gone")
    if not db.session.get(User, publication.user_id).plan.allows(publication.platform):
        return Refused("plan")
    late = timedelta(minutes=current_app.config["LATE_MINUTES"])
    if publication.status == Status.SCHEDULED and clock.now() - publication.due_at > late:
        return Refused("missed")
    return None


def _start(lease: Lease, publication: Publication) -> None:
    now = clock.now()
    if not state_machine.move(publication.id, Status.PUBLISHING, *lease.where(), event="started", started_at=now):
        lease.lost()
    lease.fence += 1
    publication.started_at, publication.status = now, Status.PUBLISHING
