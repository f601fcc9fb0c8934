"""What became of a try: each outcome is one write of the row, with the lease's fence."""

from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import current_app

from app import clock
from app.db import durable, retry_while_db_down
from app.models import Publication, Stage, Status
from app.platform_access import account_info
from app.platform_access.tokens import with_fresh_token
from app.platforms import errors
from app.publishing import incidents, state_machine
from app.publishing.context import PublishContext
from app.publishing.lease import Lease

log = structlog.get_logger(__name__)

# A platform that asks to wait for a day has refused.
LONGEST_LIMIT = timedelta(hours=24)
# How long others may be before it, day by day.
LONGEST_QUOTA = timedelta(days=7)
# While it fails for one account only. The pauses grow from the first to the second.
_SHORTEST_INCIDENT_PAUSE, _LONGEST_INCIDENT_PAUSE = timedelta(minutes=10), timedelta(hours=2)
# A platform that cannot be asked for so long whether the clip is there: the user decides.
LONGEST_QUESTION = timedelta(hours=1)
# Between two questions, no longer than a lease; in between, as long as the answer has been missing already.
_SHORTEST_ASK_PAUSE, _LONGEST_ASK_PAUSE = timedelta(seconds=30), timedelta(minutes=4)
# Between two tries while something of ours is away; in between, half of the time that it has been away already.
_SHORTEST_PAUSE, LONGEST_OUTAGE_PAUSE = timedelta(seconds=5), timedelta(minutes=5)


def give_up(lease: Lease, publication: Publication, error: errors.PlatformError) -> None:
    """What may be public never fails, except where the platform itself took the clip and then rejected it."""
    now = lease.load()
    if now.commit_in_doubt or (now.has_receipt and not isinstance(error, errors.Rejected)):
        move(lease, Status.UNCONFIRMED, reason="unknown", detail=error.detail or None)
        return
    _discard(lease, publication)
    # Without a commit nothing can be there, however unknown the outcome of what came before it.
    reason = "unavailable" if isinstance(error, errors.OutcomeUnknown) else error.reason
    move(lease, Status.FAILED, reason=reason, detail=error.detail or None)


@durable
def move(lease: Lease, to: Status, **values: Any) -> None:
    """To a status in which no worker is due, whether settled or waiting for the user."""
    at_rest = dict.fromkeys(("wake_at", "lease_until", "queued_at", "stage", "sent", "total", "outage_since"))
    if not state_machine.move(lease.publication_id, to, *lease.where(), **(at_rest | values)):
        lease.lost()


def refuse(lease: Lease, publication: Publication, refused: errors.Refused) -> None:
    """Final, unless the platform refuses everyone alike."""
    is_incident = incidents.fails(publication, refused)
    now = lease.load()
    if is_incident and not now.commit_in_doubt and not now.has_receipt:
        hold(lease, publication)
    else:
        give_up(lease, publication, refused)


def hold(lease: Lease, publication: Publication) -> None:
    """The platform fails for everyone: no try is used, until it is too late to publish."""
    if not incidents.hold(lease, publication):
        give_up(lease, publication, errors.PlatformError("incident"))


def retry(lease: Lease, publication: Publication, error: errors.PlatformError) -> None:
    is_incident = incidents.fails(publication, error)
    if publication.commit_in_doubt and (asked := lease.load()).commit_in_doubt:
        _ask_later(lease, asked, error)
        return
    if is_incident:
        hold(lease, publication)
        return
    pauses = current_app.config["RETRY_SECONDS"]
    tries = publication.attempt
    if tries < len(pauses):
        lease.release(
            clock.now() + timedelta(seconds=pauses[tries]),
            event="retry",
            attempt=tries + 1,
            stage=Stage.RETRY,
            reason=error.reason,
            detail=error.detail or None,
        )
    else:
        give_up(lease, publication, error)


def _ask_later(
    lease: Lease, publication: Publication, error: errors.PlatformError, until: datetime | None = None
) -> None:
    """The question whether the clip is there failed. Nothing was sent: no try is used; in the end the user decides."""
    now, over = clock.now(), publication.in_doubt_until + LONGEST_QUESTION
    if now >= over:
        give_up(lease, publication, error)
        return
    again = now + min(max(now - publication.in_doubt_until, _SHORTEST_ASK_PAUSE), _LONGEST_ASK_PAUSE)
    late = until is not None and until > again
    lease.release(min(until if late else again, over), stage=Stage.WAITING if late else Stage.CHECKING)


def wait_out(lease: Lease, publication: Publication, outage: errors.OwnOutage) -> None:
    """Something of ours is away: no try is used. As late as a publication may be, not for ever."""
    at_work = timedelta(seconds=clock.boottime() - lease.claimed_at)
    waited = clock.now() - publication.outage_since - at_work if publication.outage_since else timedelta()
    if waited > timedelta(minutes=current_app.config["LATE_MINUTES"]):
        give_up(lease, publication, outage)
        return
    lease.release(
        clock.now() + min(max(waited / 2, _SHORTEST_PAUSE), LONGEST_OUTAGE_PAUSE),
        event=None if publication.outage_since else "outage",
        stage=Stage.STORAGE if outage.reason == "storage_away" else Stage.OUTAGE,
        reason=outage.reason,
        detail=outage.detail or None,
        outage_since=clock.now() - waited,
    )


def begin_again(lease: Lease, publication: Publication, stale: errors.Stale) -> None:
    """What was made at the platform goes, and the next try makes it anew. Not after a commit, where the clip may be
    there.
    """
    now = lease.load()
    if now.commit_in_doubt or (now.has_receipt and not isinstance(stale, errors.Undone)):
        give_up(lease, now, stale)
        return
    _discard(lease, now)
    _erase_steps(lease, sent=None, total=None, has_receipt=False, external_id=None, url=None)
    retry(lease, now, stale)


def wait_for_limit(lease: Lease, publication: Publication, limited: errors.RateLimited) -> None:
    """Each wait in which the platform was asked and refused is twice as long as the last, up to LONGEST_WAIT."""
    now, since = clock.now(), incidents.held_since(publication)
    if publication.commit_in_doubt:  # nothing has been sent this time
        _ask_later(lease, publication, limited, limited.until)
    elif now - publication.started_at > LONGEST_LIMIT:
        give_up(lease, publication, limited)
    elif isinstance(limited, errors.Paced):
        lease.release(limited.until, stage=Stage.WAITING, outage_since=since)
    else:
        longer = min(timedelta(seconds=2 ** min(publication.limits, 20)), errors.LONGEST_WAIT)
        again, limits = max(limited.until, now + longer), publication.limits + 1
        lease.release(again, stage=Stage.WAITING, limits=limits, outage_since=since)


def wait_for_quota(lease: Lease, publication: Publication, spent: errors.QuotaSpent) -> None:
    """Until the platform takes publications of this installation again: no try is used."""
    if publication.commit_in_doubt:
        _ask_later(lease, publication, spent, spent.until)
    elif clock.now() - publication.started_at > LONGEST_QUOTA:
        give_up(lease, publication, spent)
    else:
        event = None if publication.stage == Stage.QUOTA else "quota"
        lease.release(max(spent.until, clock.now() + errors.SHORTEST_WAIT), event=event, stage=Stage.QUOTA)


def wait_for_incident(lease: Lease, publication: Publication, incident: errors.Incident) -> None:
    """Nothing was published, and whatever is sent will be refused for a while: no try is used."""
    is_open = incidents.fails(publication, incident)
    now, (since, latest) = clock.now(), incidents.patience(publication)
    if publication.commit_in_doubt:
        _ask_later(lease, publication, incident)
        return
    if is_open:
        hold(lease, publication)
        return
    if now > latest:
        give_up(lease, publication, incident)
        return
    pause = min(_SHORTEST_INCIDENT_PAUSE * 2 ** min(publication.limits, 20), _LONGEST_INCIDENT_PAUSE)
    lease.release(
        now + pause,
        event=None if publication.outage_since else "incident",
        stage=Stage.INCIDENT,
        reason=incident.reason,
        detail=incident.detail or None,
        limits=publication.limits + 1,
        outage_since=since,
    )


def longest_incident_pause() -> timedelta:
    return max(_LONGEST_INCIDENT_PAUSE, timedelta(minutes=current_app.config["LATE_MINUTES"]))


def move_account(lease: Lease, publication: Publication, moved: errors.AccountMoved) -> None:
    known = publication.connection.facts
    if all(known.get(name) == fact for name, fact in moved.facts.items()):
        # It was moved there already, and the platform repeats it: not at once again and again.
        retry(lease, publication, errors.Unavailable("площадка говорит, что аккаунт переехал туда, где он и есть"))
        return
    # Where it is gone, the next claim finds that.
    retry_while_db_down(lambda: account_info.move(publication.connection_id, moved))
    lease.release(clock.now(), stage=Stage.QUEUED)


# Leftovers at the platform


def clean_up(lease: Lease, publication: Publication) -> None:
    """After a cancel: the worker that had it has stopped, its draft at the platform is removed."""
    _discard(lease, publication)
    _erase_steps(lease, wake_at=None, lease_until=None, queued_at=None, stage=None)


@durable
def _erase_steps(lease: Lease, **values: bool | None) -> None:
    lease.write(**values)
    state_machine.erase_steps(lease.publication_id)


def _discard(lease: Lease, publication: Publication) -> None:
    """Best effort: a draft that stays is visible to its owner alone."""
    if None in (publication.started_at, publication.connection, publication.clip):
        return
    lease.renew()  # with another fence the draft is not ours to remove
    try:
        with_fresh_token(
            publication.connection,
            lambda adapter, account, token: adapter.discard(PublishContext(lease, publication, account, token)),
        )
    except errors.PlatformError as error:
        log.warning("a draft stays behind", publication=publication.id, reason=error.reason)
    except Exception:
        # A fault of ours (a token that cannot be opened) must not keep the publication from coming to its end.
        log.exception("a draft stays behind", publication=publication.id)
