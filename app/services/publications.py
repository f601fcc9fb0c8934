"""What a user can do with publications: publish, cancel, and answer when the outcome is unknown."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import and_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import joinedload

from app import clock, queue
from app.db import after_commit, db
from app.models import (
    LIVE,
    ClipStatus,
    Publication,
    Stage,
    Status,
    Undo,
    UndoKind,
    User,
    hold_plan,
    lock_plan,
    touch_all,
)
from app.problems import NotFound, Problem
from app.publishing import cancellation, dispatch, renditions, rescheduling, state_machine
from app.publishing.cancellation import Kept
from app.services import asked_options, clips, drafts, slots, undo
from app.services.drafts import Choice, Draft, Item

MAX_URL = 2000


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
    if clips.get(user, clip_id).status != ClipStatus.READY:
        raise Problem("clip_not_ready")
    if not choices:
        raise Problem("no_destination")
    results = publish_many(user, [Item(clip_id, choice, due_at, slot_id) for choice in choices])
    for result in results:
        if isinstance(result, NotFound) or (isinstance(result, Problem) and result.code != "already_live"):
            raise result
    return [result for result in results if isinstance(result, Publication)]


def publish_many(user: User, items: Sequence[Item]) -> list[Publication | Problem | NotFound]:
    """A publication or the refusal for each item, in their order: one that is refused does not keep out the others."""
    in_slots = [(one.slot_id, one.due_at, one.clip_id) for one in items if one.slot_id and one.due_at]
    user = lock_plan(user.id) if in_slots else hold_plan(user.id)
    taken = slots.check_free(user, in_slots) if in_slots else {}
    found = drafts.of(user, items, lock=True)
    refusals = [_refusal(draft, taken) for draft in found]
    made = _make([draft for draft, refusal in zip(found, refusals, strict=True) if refusal is None])
    results: list[Publication | Problem | NotFound] = []
    for draft, refusal in zip(found, refusals, strict=True):
        # Another request was faster: the other half of a double click.
        faster = Problem("already_live", f"connection-{draft.item.choice.connection_id}")
        results.append(refusal or made.get(draft.key, faster))
    wake(user, [one.id for one in made.values() if one.status == Status.PUBLISHING])
    return results


def _refusal(draft: Draft, taken: Mapping[tuple, Problem | NotFound]) -> Problem | NotFound | None:
    """`taken`: by slot, due time and clip, where another clip waits by now."""
    item = draft.item
    refusal = taken.get((item.slot_id, item.due_at, item.clip_id)) or next(iter(draft.problems), None)
    if refusal is None and draft.destination and item.due_at is None:
        return asked_options.refusal_now(draft.destination.connection)
    return refusal


def _make(some: Sequence[Draft]) -> dict[tuple[int, int], Publication]:
    """By clip and account those that nothing was faster than, in as many statements as for one."""
    if not some:
        return {}
    in_order = sorted(some, key=lambda draft: draft.key)  # so that two requests at once do not wait for each other
    dialect = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    # Of a clip on an account one is live, by the index of those that are.
    add = dialect.insert(Publication.__table__).on_conflict_do_nothing().returning(Publication.id)
    due = {one.key: (one.item.due_at, one.item.slot_id) for one in in_order if one.item.due_at}
    waiting = rescheduling.waiting(due)
    rows = [_row(draft, waiting.get(draft.key)) for draft in in_order]
    ids = db.session.connection().execute(add, rows).scalars().all()
    new = select(Publication).where(Publication.id.in_(ids)).order_by(Publication.id)
    made = db.session.scalars(new.execution_options(populate_existing=True)).all()
    state_machine.begin(made)
    renditions.make_ahead(made)
    touch_all(ids)
    return {(one.clip_id, one.connection_id): one for one in made}


def _row(draft: Draft, waiting: Mapping[str, Any] | None) -> dict[str, Any]:
    """`waiting`: the columns of one that waits for its due time."""
    connection = draft.destination.connection
    begins = waiting is None
    return {
        "user_id": draft.clip.user_id,
        "clip_id": draft.clip.id,
        "connection_id": connection.id,
        "platform": connection.platform,
        "account_id": connection.account_id,
        "account_name": connection.account_name,
        "account_url": connection.account_url,
        "title": draft.title,
        "description": draft.description,
        "options": draft.options,
        "recipe": draft.recipe,
        "status": Status.PUBLISHING if begins else Status.SCHEDULED,
        **(under_way() | {"slot_id": None} if begins else dict.fromkeys(under_way()) | waiting),
    }


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
        .options(joinedload(Publication.clip), joinedload(Publication.rendition))
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
    result = cancel_many(user, [publication_id])
    if result.undo is None:
        raise result.refused[publication_id]
    return result.undo


@dataclass(frozen=True)
class Cancelled:
    """Ids of what was cancelled, and the refusals by id of what was not; `undo` takes back what was cancelled."""

    cancelled: list[int]
    refused: dict[int, Problem | NotFound]
    undo: Undo | None


def cancel_many(user: User, publication_ids: Collection[int]) -> Cancelled:
    """Each by itself: one that is refused does not keep back the others."""
    mine = select(Publication.id).where(Publication.user_id == user.id, Publication.id.in_(publication_ids))
    known = set(db.session.scalars(mine))
    kept = cancellation.cancel_many(known)
    cancelled = [one["id"] for one in kept]
    refused: dict[int, Problem | NotFound] = {one: NotFound() for one in set(publication_ids) - known}
    refused |= {one: Problem("too_late_to_cancel") for one in known - set(cancelled)}
    return Cancelled(cancelled, refused, undo.hold(user, UndoKind.CANCEL, publications=kept) if kept else None)


def cancel_all_of(
    *, connection_id: int | None = None, clip_id: int | None = None, reason: str | None = None
) -> list[Kept]:
    """Cancels what is live there and can be cancelled; returns what takes it back, one each.

    Of an account, not those that wait for the user's answer whether the clip is there: it can still be given.
    """
    one_of = Publication.clip_id == clip_id
    if connection_id:
        one_of = and_(Publication.connection_id == connection_id, Publication.status != Status.UNCONFIRMED)
    live = select(Publication.id).where(one_of, Publication.status.in_(LIVE))
    return cancellation.cancel_many(db.session.scalars(live).all(), reason)


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
