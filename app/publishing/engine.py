"""One look at a publication: claim it, let its adapter go on, write down what came of it."""

from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import current_app
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.db import is_db_down, retry_while_db_down, transaction
from app.models import Publication, Stage, Status
from app.platform_access import account_info, tokens
from app.platform_access.account_info import account_of
from app.platform_access.lease_times import AFTER_DEADLINE
from app.platform_access.rate_limits import paced_adapter
from app.platforms.base import Receipt, Token
from app.platforms.errors import (
    LONGEST_WAIT,
    AccountMoved,
    OutcomeUnknown,
    OwnOutage,
    Paced,
    PlatformError,
    RateLimited,
    Reconnect,
    Refused,
    Rejected,
    Stale,
    TokenExpired,
    Unavailable,
)
from app.publishing import receipts, state_machine
from app.publishing.claims import claim_publication, load
from app.publishing.clip_file import clip_file
from app.publishing.context import AskUser, PublishContext, ResumeAt
from app.publishing.fetch_links import FetchLink
from app.publishing.lease import Cancelled, Lease, LeaseLost, SetDeadline
from app.vault import CannotOpen

log = structlog.get_logger(__name__)

# A platform that says "not now" for a day has said no.
LONGEST_LIMIT = timedelta(hours=24)
# A platform that cannot be asked for so long whether the clip is there: the user looks.
LONGEST_QUESTION = timedelta(hours=1)
# Between two questions, no longer than a lease; in between, as long as the answer has been missing already.
_SHORTEST_ASK_PAUSE, _LONGEST_ASK_PAUSE = timedelta(seconds=30), timedelta(minutes=4)
# Between two looks at what is away here; in between, half of the time that it has been away already.
_SHORTEST_PAUSE, LONGEST_OUTAGE_PAUSE = timedelta(seconds=5), timedelta(minutes=5)


def advance(publication_id: int, set_deadline: SetDeadline = lambda _deadline: None) -> bool:
    """Does what can be done now; False if the row is not due or somebody else holds it.

    `live(deadline)` is told until when this process may go on living (clock.boottime()): no longer than its lease.
    """
    taken = claim_publication(publication_id, set_deadline)
    if taken is None:
        return False
    lease, publication, obstacle = taken
    try:
        if publication.status == Status.CANCELLED:
            _clean_up(lease, publication)
        elif obstacle:
            _give_up(lease, publication, obstacle)
        else:
            _settle(lease, publication)
    except Cancelled:
        log.info("cancelled while it was under way", publication=publication_id)
    except LeaseLost:
        log.warning("lost the lease", publication=publication_id, fence=lease.fence)
    return True


def _settle(lease: Lease, publication: Publication) -> None:
    """Runs the adapter and turns every way in which that can end into a write of the row."""
    try:
        receipt = _enter_adapter(lease, publication) if publication.connection else _receipt_left(publication)
    except ResumeAt as resume:
        lease.release(resume.at, values={"stage": resume.stage})
    except RateLimited as limited:
        _wait_for_limit(lease, publication, limited)
    except AccountMoved as moved:
        _move_account(lease, publication, moved)
    except (Reconnect, TokenExpired, Refused, OutcomeUnknown) as error:
        _give_up(lease, publication, error)
    except AskUser as ask:
        _move(lease, Status.AWAITING_USER, ask={"text": ask.text, "link": ask.link, "label": ask.label})
    except Stale as error:
        _begin_again(lease, publication, error)
    except OwnOutage as outage:
        _wait_out(lease, publication, outage)
    except Unavailable as error:
        _retry(lease, publication, error)
    except LeaseLost:
        raise
    except Exception as error:
        # A fault of ours: seen by the operator, and for the user the same as a platform that did not work.
        log.exception("publishing failed", publication=publication.id)
        if _is_outage(error):
            _wait_out(lease, publication, OwnOutage("internal"))
        else:
            _retry(lease, publication, PlatformError("internal"))
    else:
        if not lease.settled:
            _publish(lease, receipt)


def _is_outage(error: Exception) -> bool:
    """Whether something of ours is away. A token that cannot be opened: this worker may lack the key for it."""
    return isinstance(error, (RedisError, CannotOpen)) or (isinstance(error, SQLAlchemyError) and is_db_down(error))


def _enter_adapter(lease: Lease, publication: Publication) -> Receipt:
    """Enters the adapter; once more with a fresh token where the platform says that it has run out."""
    adapter = paced_adapter(publication.platform)
    token = tokens.open_token(publication.connection)
    try:
        if tokens.runs_out_soon(token):
            token = tokens.refresh(publication.connection_id, adapter, token)
        try:
            return adapter.publish(_new_context(lease, publication, token))
        except TokenExpired:
            token = tokens.refresh(publication.connection_id, adapter, token)
            # What was armed or stored since must be known to the second entry.
            return adapter.publish(_new_context(lease, load(lease), token))
    except (Reconnect, TokenExpired):
        if tokens.require_reconnect(publication.connection_id, token):
            raise
        # The user has connected it again meanwhile, or disconnected it: look again with what is there now.
        raise ResumeAt(clock.now(), Stage.QUEUED) from None


def _receipt_left(publication: Publication) -> Receipt:
    """The account was disconnected after the point of no return, and the platform cannot be asked any more.

    The receipt counts that is there. Without one, whoever sent the clip may still bring it, until its deadline.
    """
    if publication.has_receipt:
        return Receipt(publication.external_id, publication.url)
    over = publication.in_doubt_until + AFTER_DEADLINE
    if clock.now() < over:
        raise ResumeAt(over, Stage.CHECKING)
    raise OutcomeUnknown("аккаунт отключён, спросить платформу нечем")


def _new_context(lease: Lease, publication: Publication, token: Token) -> PublishContext:
    return PublishContext(
        lease,
        publication,
        clip=clip_file(publication.clip),
        account=account_of(publication.connection),
        token=token,
        vault=current_app.extensions["vault"],
        link=FetchLink(publication),
    )


# What came of it


def _publish(lease: Lease, receipt: Receipt) -> None:
    _move(lease, Status.PUBLISHED, **receipts.as_published(receipt))


def _give_up(lease: Lease, publication: Publication, error: PlatformError) -> None:
    """What may stand there is never called failed: only the platform's own word that it took and then rejected it."""
    now = load(lease)
    if now.commit_in_doubt or (now.has_receipt and not isinstance(error, Rejected)):
        _move(lease, Status.UNCONFIRMED, reason="unknown", detail=error.detail or None)
        return
    _discard(lease, publication)
    # Without a commit nothing can be there, however unknown the outcome of what came before it.
    reason = "unavailable" if isinstance(error, OutcomeUnknown) else error.reason
    _move(lease, Status.FAILED, reason=reason, detail=error.detail or None)


def _move(lease: Lease, to: Status, **values: Any) -> None:
    """What waits for its user, not for a worker, is not woken either."""
    columns = ("wake_at", "lease_until", "queued_at", "stage", "sent", "total", "outage_since")
    at_rest = dict.fromkeys(columns)

    def write() -> None:
        with transaction():
            if not state_machine.move(lease.publication_id, to, *lease.where(), **(at_rest | values)):
                lease.lost()

    retry_while_db_down(write)


def _retry(lease: Lease, publication: Publication, error: PlatformError) -> None:
    if publication.commit_in_doubt and (asked := load(lease)).commit_in_doubt:
        _ask_later(lease, asked, error)
        return
    pauses = current_app.config["RETRY_SECONDS"]
    tries = publication.attempt
    if tries < len(pauses):
        lease.release(
            clock.now() + timedelta(seconds=pauses[tries]),
            event="retry",
            detail=error.detail or None,
            values={
                "attempt": tries + 1,
                "stage": Stage.RETRY,
                "reason": error.reason,
                "detail": error.detail or None,
            },
        )
    else:
        _give_up(lease, publication, error)


def _ask_later(lease: Lease, publication: Publication, error: PlatformError, until: datetime | None = None) -> None:
    """The question whether the clip is there failed. Nothing was sent, so no try is used. In the end the user looks."""
    now, over = clock.now(), publication.in_doubt_until + LONGEST_QUESTION
    if now >= over:
        _give_up(lease, publication, error)
        return
    again = now + min(max(now - publication.in_doubt_until, _SHORTEST_ASK_PAUSE), _LONGEST_ASK_PAUSE)
    if until and until > again:
        lease.release(min(until, over), values={"stage": Stage.WAITING})
    else:
        lease.release(min(again, over), values={"stage": Stage.CHECKING})


def _wait_out(lease: Lease, publication: Publication, outage: OwnOutage) -> None:
    """Something of ours is away, which says nothing of the platform. As late as a publication may be, not for ever."""
    at_work = timedelta(seconds=clock.boottime() - lease.claimed_at)
    waited = clock.now() - publication.outage_since - at_work if publication.outage_since else timedelta()
    if waited > timedelta(minutes=current_app.config["LATE_MINUTES"]):
        _give_up(lease, publication, outage)
        return
    lease.release(
        clock.now() + min(max(waited / 2, _SHORTEST_PAUSE), LONGEST_OUTAGE_PAUSE),
        event=None if publication.outage_since else "outage",
        detail=outage.detail or None,
        values={
            "stage": Stage.STORAGE if outage.reason == "storage_away" else Stage.OUTAGE,
            "reason": outage.reason,
            "detail": outage.detail or None,
            "outage_since": clock.now() - waited,
        },
    )


def _begin_again(lease: Lease, publication: Publication, stale: Stale) -> None:
    """What was made at the platform goes, and the next try makes it anew. Not after a commit: the clip may be there."""
    now = load(lease)
    if now.commit_in_doubt or now.has_receipt:
        _give_up(lease, now, stale)
        return
    _discard(lease, now)

    def write() -> None:
        with transaction():
            lease.write(sent=None, total=None)
            state_machine.erase_steps(publication.id)

    retry_while_db_down(write)
    _retry(lease, now, stale)


def _wait_for_limit(lease: Lease, publication: Publication, limited: RateLimited) -> None:
    """Each wait in which the platform was asked and refused is twice as long as the last, up to LONGEST_WAIT."""
    now = clock.now()
    if publication.commit_in_doubt:  # nothing has been sent in this look
        _ask_later(lease, publication, limited, limited.until)
    elif now - publication.started_at > LONGEST_LIMIT:
        _give_up(lease, publication, limited)
    elif isinstance(limited, Paced):
        lease.release(limited.until, values={"stage": Stage.WAITING})
    else:
        longer = min(timedelta(seconds=2 ** min(publication.limits, 20)), LONGEST_WAIT)
        lease.release(
            max(limited.until, now + longer), values={"stage": Stage.WAITING, "limits": publication.limits + 1}
        )


def _move_account(lease: Lease, publication: Publication, moved: AccountMoved) -> None:
    known = publication.connection.facts
    if all(known.get(name) == fact for name, fact in moved.facts.items()):
        # It was moved there already, and the platform goes on saying so: not at once again and again.
        _retry(lease, publication, Unavailable("платформа говорит, что аккаунт переехал туда, где он и есть"))
        return
    # Where it is gone, the next look finds that.
    retry_while_db_down(lambda: account_info.move(publication.connection_id, moved))
    lease.release(clock.now(), values={"stage": Stage.QUEUED})


# Leftovers at the platform


def _clean_up(lease: Lease, publication: Publication) -> None:
    """After a cancel: the worker that was at it has stopped, its draft goes."""
    _discard(lease, publication)

    def write() -> None:
        with transaction():
            lease.write(wake_at=None, lease_until=None, queued_at=None, stage=None)
            state_machine.erase_steps(publication.id)

    retry_while_db_down(write)


def _discard(lease: Lease, publication: Publication) -> None:
    """Best effort: a draft that stays is seen by nobody but its owner."""
    begun = publication.started_at is not None
    if not begun or publication.connection is None or publication.clip is None:
        return
    lease.renew()  # somebody else's draft by now is not ours to remove
    try:
        token = tokens.open_token(publication.connection)
        paced_adapter(publication.platform).discard(_new_context(lease, publication, token))
    except PlatformError as error:
        log.warning("a draft stays behind", publication=publication.id, reason=error.reason)
    except Exception:
        # A fault of ours (a token that cannot be opened) must not keep the publication from coming to its end.
        log.exception("a draft stays behind", publication=publication.id)
