"""What users decide for publications beside the texts: remembered from the last one, changed while it is scheduled."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from app.db import db
from app.models import PlatformConnection, Publication, Status, User
from app.platforms import options
from app.problems import Problem
from app.publishing import pausing, state_machine
from app.services import asked_options, publications


def remembered(user: User, connections: Sequence[PlatformConnection]) -> dict[int, dict[str, Any]]:
    """By connection, what its newest publication was given of the options that the platform lets us remember."""
    kept = {one.id: found for one in connections if (found := _kept(one))}
    if not kept:
        return {}
    newest = (
        select(Publication.options)
        .where(
            Publication.user_id == user.id,
            Publication.platform == PlatformConnection.platform,
            Publication.connection_id == PlatformConnection.id,
        )
        .order_by(Publication.id.desc())
        .limit(1)
        .correlate(PlatformConnection)
        .scalar_subquery()
    )
    mine = select(PlatformConnection.id, newest).where(PlatformConnection.id.in_(kept))
    return {number: _still_good(kept[number], given or {}) for number, given in db.session.execute(mine)}


def _kept(connection: PlatformConnection) -> list[options.Option]:
    return [one for one in asked_options.declared(connection) if one.remembered]


def _still_good(kept: Sequence[options.Option], given: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for option in kept:
        try:
            found[option.name] = option.parse(given.get(option.name, option.default), "")
        except Problem:  # the platform has other choices by now
            continue
    return found


def change(user: User, publication_id: int, answers: Mapping[str, Any], field: str) -> Publication:
    """Of a publication that is scheduled. Raises NotFound; Problem, at the field named `field` and the option's name.

    A worker that has claimed it just now loses it, and it wakes once more.
    """
    publication = publications.get_scheduled(user, publication_id)
    if publication.connection is None:
        raise Problem("account_disconnected")
    chosen = asked_options.check(publication.connection, answers, field)
    wakes = pausing.wake_at(Publication.due_at, Publication.slot_id)
    again = pausing.RESTART | {"queued_at": None, "stage": None, "wake_at": wakes}
    scheduled = Publication.status == Status.SCHEDULED
    if not state_machine.move(
        publication.id, Status.SCHEDULED, scheduled, event="options_changed", options=chosen, **again
    ):
        raise Problem("not_scheduled")
    return publications.get(user, publication_id)
