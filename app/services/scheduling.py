"""What a user can do with a publication that is still to go out: «Перенести», «Опубликовать сейчас»."""

from datetime import datetime
from typing import Any

from app.models import Publication, Status, User
from app.problems import Problem
from app.publishing import state_machine
from app.services import due_times, publications


def get(user: User, publication_id: int) -> Publication:
    """Raises NotFound; Problem unless it is scheduled."""
    publication = publications.get(user, publication_id)
    if publication.status != Status.SCHEDULED:
        raise Problem("not_scheduled")
    return publication


def move(user: User, publication_id: int, due_at: datetime) -> Publication:
    """«Перенести», to a time in UTC. A wake-up that is in the queue already finds the row not due.

    Raises NotFound, Problem.
    """
    publication = publications.get(user, publication_id)
    due_times.check(user, due_at)
    if due_at != publication.due_at:
        again = {"due_at": due_at, "wake_at": due_at, "queued_at": None, "stage": None}
        _change(publication, Status.SCHEDULED, event="moved", name=due_at.isoformat(), **again)
    return publications.get(user, publication_id)


def publish_now(user: User, publication_id: int) -> Publication:
    """«Опубликовать сейчас» what was to go out later. Raises NotFound, Problem."""
    publication = publications.get(user, publication_id)
    _change(publication, Status.PUBLISHING, event="published_now", **publications.under_way())
    publications.wake(user, [publication.id])
    return publications.get(user, publication_id)


def _change(publication: Publication, to: Status, **values: Any) -> None:
    """A worker that has claimed it, but not begun, loses it."""
    restart = {"lease_until": None, "attempt": 0, "crashes": 0, "reason": None, "detail": None}
    if not state_machine.move(publication.id, to, Publication.status == Status.SCHEDULED, **restart, **values):
        raise Problem("not_scheduled")
