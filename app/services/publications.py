"""What a user can do with publications: publish, cancel, and answer when the outcome is unknown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from sqlalchemy import and_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from app import clock, platforms, queue
from app.db import after_commit, db
from app.models import (
    LIVE,
    Clip,
    ClipStatus,
    PlatformConnection,
    Publication,
    Stage,
    Status,
    Undo,
    UndoKind,
    User,
)
from app.platforms import options
from app.problems import NotFound, Problem
from app.publishing import cancellation, dispatch, preflight, rescheduling, state_machine
from app.publishing.cancellation import Kept
from app.services import clips, destinations, due_times, slots, undo
from app.services.destinations import Destination

MAX_URL = 2000


@dataclass(frozen=True)
class Choice:
    """An account, and the texts for it; `again` where the clip is published there already and shall be once more."""

    connection_id: int
    title: str
    description: str
    again: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """One publication to be made: now, or at `due_at` (UTC), there in the slot `slot_id`."""

    clip_id: int
    choice: Choice
    due_at: datetime | None = None
    slot_id: int | None = None


def publish(
    user: User,
    clip_id: int,
    choices: Sequence[Choice],
    due_at: datetime | None = None,
    slot_id: int | None = None,
) -> list[Publication]:
    """A publication for each choice, all or none. Raises the first NotFound or Problem; the caller rolls back.

    Returns those it has made: an account that has a live one already keeps that, so that a double click makes one.
    """
    _check_ready(clips.get(user, clip_id))
    if not choices:
        raise Problem("no_destination")
    results = publish_many(user, [Item(clip_id, choice, due_at, slot_id) for choice in choices])
    for result in results:
        if isinstance(result, NotFound) or (isinstance(result, Problem) and result.code != "already_live"):
            raise result
    return [result for result in results if isinstance(result, Publication)]


def publish_many(user: User, items: Sequence[Item]) -> list[Publication | Problem | NotFound]:
    """A publication or the refusal for each item, in their order: one that is refused does not keep out the others."""
    known: dict[int, Mapping[int, Destination]] = {}
    results: list[Publication | Problem | NotFound] = []
    in_slots = [(one.slot_id, one.due_at, one.clip_id) for one in items if one.slot_id and one.due_at]
    refused = slots.check_free(user, in_slots) if in_slots else {}
    for item in items:
        try:
            if refusal := refused.get((item.slot_id, item.due_at, item.clip_id)):
                raise refusal
            results.append(_publish(user, item, known))
        except (Problem, NotFound) as refusal:
            results.append(refusal)
    made = [one.id for one in results if isinstance(one, Publication) and one.status == Status.PUBLISHING]
    wake(user, made)
    return results


def _check_ready(clip: Clip) -> None:
    if clip.status != ClipStatus.READY:
        raise Problem("clip_not_ready")


def _publish(user: User, item: Item, known: dict[int, Mapping[int, Destination]]) -> Publication:
    """`known`: by clip, the destinations that earlier items have found."""
    try:
        with db.session.begin_nested():
            return _make(user, item, known)
    except IntegrityError:
        # Another request was faster (the other half of a double click, a deletion): its rows are seen now.
        known.pop(item.clip_id)
        return _make(user, item, known)


def _make(user: User, item: Item, known: dict[int, Mapping[int, Destination]]) -> Publication:
    clip = clips.get(user, item.clip_id)
    _check_ready(clip)
    if item.due_at:
        due_times.check(user, item.due_at)
    if clip.id not in known:
        known[clip.id] = {one.connection.id: one for one in destinations.for_clip(user, clip)}
    destination = known[clip.id].get(item.choice.connection_id)
    if destination is None:
        raise NotFound
    title, description = clips.one_line(item.choice.title), clips.several_lines(item.choice.description)
    _check(destination, title, description, item.choice.again)
    connection = destination.connection
    begin = rescheduling.waiting(item.due_at, item.slot_id) if item.due_at else under_way()
    publication = Publication(
        user_id=clip.user_id,
        clip_id=clip.id,
        connection_id=connection.id,
        platform=connection.platform,
        account_id=connection.account_id,
        account_name=connection.account_name,
        account_url=connection.account_url,
        title=title,
        description=description,
        options=options.check(destination.options, item.choice.options, f"option-{connection.id}-"),
        status=Status.SCHEDULED if item.due_at else Status.PUBLISHING,
        **begin,
    )
    db.session.add(publication)
    db.session.flush()
    _check_there(clip, connection)
    state_machine.begin(publication)
    clip.version = Clip.version + 1
    return publication


def _check_there(clip: Clip, connection: PlatformConnection) -> None:
    """Raises NotFound where one of them was deleted at the same moment. The new row's references keep a deletion from
    now on waiting, until it finds the row.
    """
    account = select(PlatformConnection.id).where(PlatformConnection.id == connection.id)
    if not db.session.scalar(select(Clip.id).where(Clip.id == clip.id, account.exists())):
        raise NotFound


def _check(destination: Destination, title: str, description: str, again: bool) -> None:
    """Raises Problem at the field of the destination."""
    connection = destination.connection
    field = f"connection-{connection.id}"
    if destination.live:
        raise Problem("already_live", field)
    adapter = platforms.ADAPTERS[connection.platform]
    for problem in (*destination.problems, *preflight.text_problems(adapter, current_app.config, title, description)):
        raise Problem(problem.code, field, **problem.params)
    if destination.published and not again:
        raise Problem("already_published", field)


def under_way() -> dict[str, Any]:
    """The columns of a publication that begins now and whose wake-up goes into the queue at once."""
    now = clock.now()
    return {"stage": Stage.QUEUED, "due_at": now, "started_at": now, "wake_at": now, "queued_at": now}


def wake(user: User, publication_ids: Sequence[int]) -> None:
    """After the commit. The tick would find them anyway; this is faster."""
    if publication_ids:
        after_commit(partial(dispatch.release_now, user.id, publication_ids, queue.enqueue_publications))


# One publication


def get(user: User, publication_id: int) -> Publication:
    """Raises NotFound, for another user's publication too.

    With its clip in the same query: read later, the clip's version would hide a change in between from the poll.
    """
    publication = db.session.scalars(
        select(Publication)
        .where(Publication.id == publication_id, Publication.user_id == user.id)
        .options(joinedload(Publication.clip))
        .execution_options(populate_existing=True)
    ).first()
    if publication is None:
        raise NotFound
    return publication


def get_scheduled(user: User, publication_id: int) -> Publication:
    """Raises NotFound; Problem unless it is scheduled."""
    publication = get(user, publication_id)
    if publication.status != Status.SCHEDULED:
        raise Problem("not_scheduled")
    return publication


def publish_now(user: User, publication_id: int) -> Publication:
    """«Опубликовать сейчас» what was to go out later. Raises NotFound, Problem."""
    publication = get(user, publication_id)
    begin = rescheduling.RESTART | under_way()
    scheduled = Publication.status == Status.SCHEDULED
    if not state_machine.move(publication.id, Status.PUBLISHING, scheduled, event="published_now", **begin):
        raise Problem("not_scheduled")
    wake(user, [publication.id])
    return get(user, publication_id)


def can_cancel(publication: Publication) -> bool:
    if publication.status in (Status.AWAITING_USER, Status.UNCONFIRMED):
        return True
    return publication.status in LIVE and not publication.commit_in_doubt and not publication.has_receipt


def cancel(user: User, publication_id: int) -> Undo:
    """Returns what takes it back. Raises NotFound, Problem."""
    publication = get(user, publication_id)
    kept = cancellation.cancel(publication.id)
    if kept is None:
        raise Problem("too_late_to_cancel")
    return undo.hold(user, UndoKind.CANCEL, publications=[kept])


def cancel_all_of(
    *, connection_id: int | None = None, clip_id: int | None = None, reason: str | None = None
) -> list[Kept]:
    """Cancels what is live there and can be cancelled; returns what takes it back, one each.

    Of an account, not those that wait for the user's answer whether the clip is there: it can still be given.
    """
    one_of = Publication.clip_id == clip_id
    if connection_id:
        one_of = and_(Publication.connection_id == connection_id, Publication.status != Status.UNCONFIRMED)
    live = select(Publication.id).where(one_of, Publication.status.in_(LIVE)).order_by(Publication.id)
    # All at once, before any clip's row is changed: a worker locks a publication first and its clip then.
    ids = db.session.scalars(live.with_for_update()).all()
    return [kept for publication_id in ids if (kept := cancellation.cancel(publication_id, reason))]


def confirm(user: User, publication_id: int, url: str = "") -> Publication:
    """«Есть»: the user has seen the clip there. The link is optional, except for what was published by hand."""
    publication = get(user, publication_id)
    url = url.strip()
    if not url and publication.status == Status.AWAITING_USER:
        raise Problem("link_missing", "url")
    if url and not _is_web_address(url):
        raise Problem("link_malformed", "url")
    moved = state_machine.move(
        publication.id,
        Status.PUBLISHED,
        Publication.status.in_((Status.UNCONFIRMED, Status.AWAITING_USER)),
        event="confirmed",
        url=url or publication.account_url,
        published_at=clock.now(),
        reason=None,
        detail=None,
    )
    if not moved:
        raise Problem("publication_changed")
    return get(user, publication_id)


def _is_web_address(url: str) -> bool:
    """It is only stored and shown, never requested."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= MAX_URL
    except ValueError:
        return False
