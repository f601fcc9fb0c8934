"""A platform that fails for one account after the other: publishing there pauses, and one at a time tries again.

What counts is `Unavailable`, and in the same words for different users an upload that is not taken, and a refusal that
the adapter has no reason of its own for. Each failure is counted of another account and another clip than those before:
neither a clip that a platform cannot digest nor an account's own trouble opens an incident. A success in between begins
the count anew.

While one is open, publications that have nothing at the platform yet are held: they are awake at their latest moment
only, and use up no tries. `nominate` wakes the one that is due first, and each third time one of another clip and
account; where it comes through, the incident is closed and the others go on. What a commit has left in doubt is not
held: it is only asked about.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, and_, case, delete, exists, func, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError

from app import clock
from app.db import db, durable, reading, transaction
from app.models import Incident, Publication, PublicationEvent, Stage, Status, User, record_event
from app.models.types import UTCDateTime
from app.platform_access.lease_times import AFTER_DEADLINE
from app.platforms import errors
from app.publishing import context
from app.publishing.lease import Lease

# Failures further apart are not in a row: in between nobody published.
IN_A_ROW = timedelta(minutes=30)
# A trial that lasts, such as a long processing, makes room for the next.
TRIAL = timedelta(minutes=10)
_SHORTEST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=5)
# Of so many trials one is not of the publication that is due first: it may be its clip that the platform cannot take.
_OTHERS_TURN = 3
IS_OPEN = and_(Incident.closed_at.is_(None), Incident.opened_at.is_not(None))
HELD = and_(Publication.status == Status.PUBLISHING, Publication.stage == Stage.INCIDENT)
_OF_ITS_OWN = (Publication.clip_id, Publication.connection_id)


def current(platform: str) -> Incident | None:
    """The incident that is open there."""
    return db.session.scalar(select(Incident).where(Incident.platform == platform, IS_OPEN))


def _is_current(platform: str) -> ColumnElement[bool]:
    return and_(Incident.platform == platform, Incident.closed_at.is_(None))


def _locked(platform: str) -> Incident | None:
    return db.session.scalar(
        select(Incident).where(_is_current(platform)).with_for_update().execution_options(populate_existing=True)
    )


# Counting


def fails(publication: Publication, error: errors.PlatformError) -> bool:
    """Counts a failed try; whether an incident is open there now."""
    if not _counts(error):
        return False
    return _count(publication, error)


def _counts(error: errors.PlatformError) -> bool:
    return _is_down(error) or _is_unexplained(error)


def _is_down(error: errors.PlatformError) -> bool:
    """Also where what was made before is no longer good because of it."""
    if isinstance(error, errors.NotTaken):
        return False
    return isinstance(error, errors.Unavailable) or (isinstance(error, errors.Stale) and error.reason == "unavailable")


def _is_unexplained(error: errors.PlatformError) -> bool:
    not_taken = isinstance(error, (errors.NotTaken, errors.UploadRefused))
    return not_taken or (type(error) is errors.Refused and error.reason == "refused")


@durable
def _count(publication: Publication, error: errors.PlatformError) -> bool:
    now = clock.now()
    incident = _locked(publication.platform) or _begin(publication.platform)
    incident.detail = error.detail or None
    if incident.opened_at is None:
        _add(incident, publication, error, now)
        if len(incident.failures) >= current_app.config["INCIDENT_ACCOUNTS"]:
            incident.opened_at, incident.next_trial_at = now, now + _SHORTEST_PAUSE
    elif incident.trial_publication_id == publication.id:
        incident.failed_trials += 1
        _end_trial(incident, now + min(_SHORTEST_PAUSE * 2 ** min(incident.failed_trials, 10), _LONGEST_PAUSE))
    return incident.opened_at is not None


def _begin(platform: str) -> Incident:
    try:
        with db.session.begin_nested():
            db.session.execute(insert(Incident).values(platform=platform))
    except IntegrityError:  # another worker was faster
        pass
    return _locked(platform) or _begin(platform)


def _add(incident: Incident, publication: Publication, error: errors.PlatformError, now: datetime) -> None:
    said = "" if _is_down(error) else f"{error.reason} {error.detail}"
    one = {
        "at": now.timestamp(),
        "account": publication.connection_id,
        "clip": publication.clip_id,
        "user": publication.user_id,
        "publication": publication.id,
        "refusal": said,
    }
    incident.failures = [*_still_in_a_row(incident.failures, one), one]


def _still_in_a_row(failures: list[dict[str, Any]], new: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The earlier failures beside which the new one counts; one of the same account or clip gives way to it."""
    unlike = ("account", "clip", "user") if new["refusal"] else ("account", "clip")
    for old in failures:
        is_recent = abs(new["at"] - old["at"]) < IN_A_ROW.total_seconds()
        if is_recent and old["refusal"] == new["refusal"] and all(old[name] != new[name] for name in unlike):
            yield old


# What waits


def stands_in_the_way(publication: Publication) -> bool:
    """Whether an incident holds it: it is not the one that tries, and nothing of it can be at the platform yet."""
    if publication.commit_in_doubt or publication.has_receipt:
        return False
    with reading():
        incident = current(publication.platform)
    if incident is None or incident.trial_publication_id == publication.id:
        return False
    # One that tried and still waits for the file to be processed goes on with that.
    return not (publication.stage == Stage.PROCESSING and publication.id in incident.tried)


def held_since(publication: Publication) -> datetime | None:
    """What is kept of one that tries while it waits for something else: its patience does not begin anew."""
    if publication.outage_since is None:
        return None
    with reading():
        incident = current(publication.platform)
    return publication.outage_since if incident and publication.id in incident.tried else None


def patience(publication: Publication) -> tuple[datetime, datetime]:
    """Since when it has waited for its platform to recover, and until when it may."""
    now = clock.now()
    since = min(publication.outage_since or now, now)  # a later one was written by a clock that was ahead
    return since, since + timedelta(minutes=current_app.config["LATE_MINUTES"])


@durable
def hold(lease: Lease, publication: Publication) -> bool:
    """Until the incident is over, or the publication too late; False where it is too late now."""
    now = clock.now()
    since, latest = patience(publication)
    incident = _locked(publication.platform)  # before the publication: who closes it wakes all that are held
    if incident is None or incident.opened_at is None:
        lease.release(now, stage=Stage.QUEUED)
        return True
    if now >= latest:
        return False
    if _is_free_for_a_trial(incident, now):
        # Since the last one tried, the platform may have come back: only a try shows that.
        _appoint(incident, publication.id, now)
        lease.release(now, stage=Stage.QUEUED, outage_since=publication.outage_since)
        return True
    _tell(incident, publication.user_id)
    first = None if publication.outage_since else "incident"
    context.begin_waits_anew(publication.id)
    lease.release(latest, event=first, stage=Stage.INCIDENT, reason=None, detail=None, outage_since=since)
    return True


def _is_free_for_a_trial(incident: Incident, now: datetime) -> bool:
    if incident.trial_publication_id is not None or incident.next_trial_at > now:
        return False
    return not db.session.scalar(select(exists().where(HELD, Publication.platform == incident.platform)))


def _tell(incident: Incident, user_id: int) -> None:
    if user_id not in incident.told:
        incident.told = [*incident.told, user_id]
        record_event(user_id, "platform.incident", {"platform": incident.platform})


# Trying again


def nominate() -> None:
    """Wakes, of each platform with an open incident, the publication that is to try next."""
    with reading():
        names = db.session.scalars(select(Incident.platform).where(IS_OPEN)).all()
    for platform in names:
        with transaction():
            if incident := _locked(platform):
                _nominate(incident)


def _nominate(incident: Incident) -> None:
    now = clock.now()
    if incident.trial_publication_id is not None and not _is_trying(incident, now):
        _end_trial(incident, now)
    if incident.opened_at is None or incident.trial_publication_id is not None:
        return
    # A longer pause was written by a clock that was ahead.
    if now < incident.next_trial_at <= now + _LONGEST_PAUSE + AFTER_DEADLINE:
        return
    found = _first_held(incident)
    if found is None:
        return
    _appoint(incident, found, now)
    db.session.flush()
    _wake(Publication.id == found, literal(now, UTCDateTime()))


def _first_held(incident: Incident) -> int | None:
    """The publication that is due first; each third time one of another clip and account than those that tried."""
    held = select(Publication.id).where(HELD, Publication.platform == incident.platform)
    held = held.order_by(Publication.due_at, Publication.id).limit(1)
    if incident.failed_trials % _OTHERS_TURN == _OTHERS_TURN - 1:
        tried = select(Publication.id).where(Publication.id.in_(incident.tried))
        of_tried = [column.in_(tried.with_only_columns(column)) for column in _OF_ITS_OWN]
        if (other := db.session.scalar(held.where(~or_(*of_tried)))) is not None:
            return other
    return db.session.scalar(held)


def _appoint(incident: Incident, publication_id: int, now: datetime) -> None:
    incident.trial_publication_id, incident.trial_until = publication_id, now + TRIAL
    if publication_id not in incident.tried:
        incident.tried = [*incident.tried, publication_id]


def _is_trying(incident: Incident, now: datetime) -> bool:
    """Whether the one that tries has not come to an end of its own, such as a cancel or a fault of its account."""
    under_way = or_(Publication.stage != Stage.INCIDENT, Publication.wake_at <= now)
    row = Publication.id == incident.trial_publication_id, Publication.status == Status.PUBLISHING, under_way
    in_time = now < incident.trial_until <= now + TRIAL + AFTER_DEADLINE
    return in_time and bool(db.session.scalar(select(exists().where(*row))))


def _end_trial(incident: Incident, next_trial_at: datetime) -> None:
    incident.trial_publication_id = incident.trial_until = None
    incident.next_trial_at = next_trial_at


def _wake(which: ColumnElement[bool], wake_at: ColumnElement[datetime]) -> None:
    held = update(Publication).where(HELD, which, Publication.lease_until.is_(None))
    db.session.execute(held.values(wake_at=wake_at, queued_at=None).execution_options(synchronize_session=False))


# The end


def succeeds(publication: Publication) -> None:
    """A publication has come through: the count begins anew; where it was one that tried, the incident is over."""
    with reading():
        incident = db.session.scalar(select(Incident).where(_is_current(publication.platform)))
    if incident is not None and (incident.opened_at is None or publication.id in incident.tried):
        _end(publication)


@durable
def _end(publication: Publication) -> None:
    incident = _locked(publication.platform)
    if incident is None:
        return
    if incident.opened_at is None:
        db.session.execute(delete(Incident).where(Incident.id == incident.id))
    elif publication.id in incident.tried:
        _close(incident)


def _close(incident: Incident) -> None:
    now = clock.now()
    incident.closed_at = now
    _end_trial(incident, now)
    db.session.flush()
    waiting, missed = _count_by_user(incident, HELD), _count_by_user(incident, missed_by(incident))
    # Some may have deleted their account meanwhile.
    for user_id in db.session.scalars(select(User.id).where(User.id.in_(incident.told)).order_by(User.id)).all():
        counts = {"waiting": waiting.get(user_id, 0), "missed": missed.get(user_id, 0)}
        record_event(user_id, "platform.recovered", {"platform": incident.platform, "incident": incident.id, **counts})
    # In the order in which they were due.
    due = case((Publication.due_at < now, Publication.due_at), else_=literal(now, UTCDateTime()))
    _wake(Publication.platform == incident.platform, due)


def missed_by(incident: Incident) -> ColumnElement[bool]:
    """The publications that became too late while it was open, and those whose refusal it began with. Those of another
    one have a letter of their own.
    """
    meanwhile = exists().where(
        PublicationEvent.publication_id == Publication.id,
        PublicationEvent.status == Status.FAILED,
        PublicationEvent.at.between(incident.opened_at, incident.closed_at),
    )
    late = and_(Publication.reason == "incident", meanwhile)
    first = Publication.id.in_([one["publication"] for one in incident.failures if "publication" in one])
    return and_(Publication.platform == incident.platform, Publication.status == Status.FAILED, or_(late, first))


def _count_by_user(incident: Incident, which: ColumnElement[bool]) -> dict[int, int]:
    theirs = Publication.platform == incident.platform, Publication.user_id.in_(incident.told), which
    return dict(
        db.session.execute(select(Publication.user_id, func.count()).where(*theirs).group_by(Publication.user_id)).all()
    )
