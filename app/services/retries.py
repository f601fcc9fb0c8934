"""A publication sent once more: «Повторить» what has failed, «Нет, отправить ещё раз» what did not arrive."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app import clock
from app.db import db
from app.models import Clip, Publication, Status, User, live_places, lock_plan
from app.platform_access import lease_times
from app.problems import NotFound, Problem
from app.publishing import state_machine
from app.services import history, publications


def can_resend(publication: Publication) -> bool:
    """Only once no worker can still be sending, and where there is an account to send to."""
    return (
        publication.status == Status.UNCONFIRMED
        and publication.connection is not None
        and not may_still_arrive(publication)
    )


def may_still_arrive(publication: Publication) -> bool:
    if publication.in_doubt_until is None:
        return False
    left = publication.in_doubt_until + lease_times.AFTER_DEADLINE - clock.now()
    # More is left than sending may last: a clock that was ahead wrote it.
    return timedelta(0) < left <= lease_times.LONGEST_LEASE + 2 * lease_times.AFTER_DEADLINE


def retry(user: User, publication_id: int) -> Publication:
    """«Повторить»: from the start, with three retries again. Raises NotFound, Problem."""
    return _one(user, publication_id, retry_many(user, [publication_id]))


def retry_many(user: User, publication_ids: Collection[int]) -> dict[int, Problem | NotFound]:
    """Each by itself, in the order of their ids; returns the refusals by id.

    Refused while another publication of the clip there is live.
    """
    return _restart(user, publication_ids, "retried", Status.FAILED)


def retry_clip(user: User, clip: Clip) -> None:
    """«Повторить» for all that has failed of a clip, on accounts that are still connected. Raises Problem."""
    newest = history.for_clips(user, [clip.id]).get(clip.id, [])
    failed = [one.id for one in newest if one.status == Status.FAILED and one.connection_id]
    if not failed:
        raise Problem("publication_changed")
    for refusal in retry_many(user, failed).values():
        raise refusal


def resend(user: User, publication_id: int) -> Publication:
    """«Нет, отправить ещё раз»: the user has checked that the clip is not there. Raises NotFound, Problem."""
    return _one(user, publication_id, _restart(user, [publication_id], "resent", Status.UNCONFIRMED))


def _one(user: User, publication_id: int, refused: Mapping[int, Problem | NotFound]) -> Publication:
    for refusal in refused.values():
        raise refusal
    return publications.get(user, publication_id)


def _restart(user: User, publication_ids: Collection[int], event: str, status: Status) -> dict[int, Problem | NotFound]:
    """From where a commit was begun and got no answer: the same draft cannot become two clips. Otherwise anew."""
    lock_plan(user.id)  # no other publication begins on the same accounts meanwhile
    mine = select(Publication).where(Publication.user_id == user.id, Publication.id.in_(publication_ids))
    mine = mine.options(joinedload(Publication.clip), joinedload(Publication.connection)).order_by(Publication.id)
    found = db.session.scalars(mine.with_for_update(of=Publication).execution_options(populate_existing=True)).all()
    taken = live_places({one.clip_id for one in found if one.status != Status.UNCONFIRMED})
    refused: dict[int, Problem | NotFound] = {one: NotFound() for one in publication_ids}
    begun: list[Publication] = []
    for one in found:
        key = one.clip_id, one.connection_id
        if refusal := _refusal(one, status, is_taken=key in taken):
            refused[one.id] = refusal
        else:
            del refused[one.id]
            taken.add(key)
            begun.append(one)
    _begin(begun, event)
    publications.wake(user, [one.id for one in begun])
    return refused


def _refusal(publication: Publication, status: Status, *, is_taken: bool) -> Problem | None:
    if publication.connection is None:
        return Problem("account_disconnected")
    if publication.clip is None and status == Status.FAILED:
        return Problem("clip_deleted")
    if publication.status != status:
        return Problem("publication_changed")
    if status == Status.UNCONFIRMED and may_still_arrive(publication):
        return Problem("may_still_arrive")
    return Problem("already_publishing_there") if is_taken else None


def _begin(some: Sequence[Publication], event: str) -> None:
    going_on = {one.id for one in some if one.commit_in_doubt is not None}
    changes = {
        one.id: {
            "due_at": one.due_at,
            "has_receipt": one.has_receipt and one.id in going_on,
            "external_id": one.external_id if one.id in going_on else None,
            "url": one.url if one.id in going_on else None,
            "sent_sha256": one.sent_sha256 if one.id in going_on else None,
        }
        for one in some
    }
    anew = dict.fromkeys(("attempt", "limits", "crashes", "not_found_count"), 0)
    anew |= dict.fromkeys(("reason", "detail", "commit_in_doubt", "in_doubt_until"))
    begin = {name: value for name, value in publications.under_way().items() if name != "due_at"}
    state_machine.move_many(changes, Status.PUBLISHING, event=event, **anew, **begin)
    state_machine.erase_steps_of([one.id for one in some if one.id not in going_on])
