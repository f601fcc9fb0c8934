"""A publication sent once more: «Повторить» what has failed, «Нет, отправить ещё раз» what did not arrive."""

from datetime import timedelta

from sqlalchemy import ColumnElement
from sqlalchemy.exc import IntegrityError

from app import clock
from app.db import db
from app.models import Clip, Publication, Status, User
from app.platform_access import lease_times
from app.problems import Problem
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
    """«Повторить»: from the start, with three retries again. Refused while another publication there is live."""
    publication = publications.get(user, publication_id)
    _check_connected(publication)
    if publication.clip is None:
        raise Problem("clip_deleted")
    _restart(user, publication, "retried", Publication.status == Status.FAILED)
    return publications.get(user, publication_id)


def retry_clip(user: User, clip: Clip) -> None:
    """«Повторить» for all that has failed of a clip, on accounts that are still connected. Raises Problem."""
    newest = history.for_clips(user, [clip.id]).get(clip.id, [])
    failed = [one for one in newest if one.status == Status.FAILED and one.connection_id]
    if not failed:
        raise Problem("publication_changed")
    for publication in failed:
        retry(user, publication.id)


def resend(user: User, publication_id: int) -> Publication:
    """«Нет, отправить ещё раз»: the user has checked that the clip is not there."""
    publication = publications.get(user, publication_id)
    _check_connected(publication)
    if publication.status == Status.UNCONFIRMED and may_still_arrive(publication):
        raise Problem("may_still_arrive")
    _restart(user, publication, "resent", Publication.status == Status.UNCONFIRMED)
    return publications.get(user, publication_id)


def _check_connected(publication: Publication) -> None:
    if publication.connection is None:
        raise Problem("account_disconnected")


def _restart(user: User, publication: Publication, event: str, *where: ColumnElement[bool]) -> None:
    """From where a commit was begun and got no answer: the same draft cannot become two clips. Otherwise anew."""
    begin = publications.under_way() | {"due_at": publication.due_at}
    going_on = publication.commit_in_doubt is not None
    try:
        with db.session.begin_nested():
            moved = state_machine.move(
                publication.id,
                Status.PUBLISHING,
                *where,
                event=event,
                attempt=0,
                limits=0,
                crashes=0,
                reason=None,
                detail=None,
                commit_in_doubt=None,
                in_doubt_until=None,
                not_found_count=0,
                has_receipt=publication.has_receipt and going_on,
                external_id=publication.external_id if going_on else None,
                url=publication.url if going_on else None,
                **begin,
            )
    except IntegrityError:
        raise Problem("already_publishing_there") from None
    if not moved:
        raise Problem("publication_changed")
    if not going_on:
        state_machine.erase_steps(publication.id)
    publications.wake(user, [publication.id])
