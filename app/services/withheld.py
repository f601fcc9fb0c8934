"""Planned publications that do not go out: a disconnection or a smaller plan has cancelled them while they waited.

Once the account is connected and the plan includes its platform, its user is offered to bring them back: those that are
still ahead are planned anew, each checked like any new publication, and the cancelled ones stay in the history.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Row, Select, Update, case, func, select, update

from app import clock, platforms
from app.db import db
from app.models import ConnectionStatus, PlatformConnection, Publication, Status, User, hold_plan
from app.problems import NotFound, Problem
from app.publishing import cancellation, state_machine
from app.publishing.cancellation import Kept
from app.services import due_times, publications
from app.services.publications import Choice, Item

# Whose time passed longer ago is not told of any more.
_PAST_KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Offer:
    """What can be brought back on one account: `count` are ahead, the time of `past` ones is over or too near."""

    connection_id: int
    platform: str
    account_name: str
    count: int
    past: int


@dataclass(frozen=True)
class Returned:
    """What came of it: the new publications, the cancelled ones that were refused with why, and how many are past."""

    made: list[Publication]
    refused: list[tuple[Publication, Problem]]
    past: int


# What is withheld


def mark(user: User, cancelled: Sequence[Kept]) -> int:
    """Of what was just cancelled, what was scheduled can be brought back; returns how many."""
    planned = [kept["id"] for kept in cancelled if kept["status"] == Status.SCHEDULED]
    if planned:
        now = clock.now()
        long_past = Publication.withheld_at.is_not(None), Publication.due_at < now - _PAST_KEPT
        _set(update(Publication).where(Publication.user_id == user.id, *long_past).values(withheld_at=None))
        _set(update(Publication).where(Publication.id.in_(planned)).values(withheld_at=now))
    return len(planned)


def outside_plan(user: User) -> dict[str, int]:
    """Cancels what is planned on platforms that the user's plan does not include; by platform how many."""
    if user.plan.platforms is None:
        return {}
    planned = select(Publication.id, Publication.platform).where(
        *_scheduled(user), Publication.platform.not_in(user.plan.platforms)
    )
    rows = db.session.execute(planned.order_by(Publication.id).with_for_update()).all()
    kept = cancellation.cancel_many([row.id for row in rows], "not_in_plan_any_more")
    mark(user, kept)
    cancelled = {one["id"] for one in kept}
    return dict(Counter(row.platform for row in rows if row.id in cancelled))


def planned(user: User) -> dict[str, int]:
    """How many publications are to go out later, by platform."""
    counts = select(Publication.platform, func.count()).where(*_scheduled(user)).group_by(Publication.platform)
    return dict(db.session.execute(counts).all())


def _scheduled(user: User) -> tuple[ColumnElement[bool], ...]:
    return Publication.user_id == user.id, Publication.status == Status.SCHEDULED


def listed(counts: Mapping[str, int]) -> str:
    """«Rutube — 8, Telegram — 4»."""
    order = [key for key in platforms.ADAPTERS if counts.get(key)]
    return ", ".join(f"{platforms.ADAPTERS[key].name} — {counts[key]}" for key in order)


def move_account(user: User, platform: str, previous_id: str, account_id: str) -> None:
    """The platform has given the account another id."""
    there = Publication.platform == platform, Publication.account_id == previous_id
    of_account = update(Publication).where(Publication.user_id == user.id, Publication.withheld_at.is_not(None), *there)
    _set(of_account.values(account_id=account_id))


# What is offered


def offers(user: User) -> list[Offer]:
    """One for each account on which something can be brought back, in the order of the platforms."""
    ahead = func.sum(case((Publication.due_at >= _earliest(), 1), else_=0))
    account = PlatformConnection.id, PlatformConnection.platform, PlatformConnection.account_name
    counts = _offered(user, None, select(*account, ahead.label("ahead"), func.count().label("all")).group_by(*account))
    found = [
        Offer(row.id, row.platform, row.account_name, row.ahead, row.all - row.ahead)
        for row in db.session.execute(counts)
        if row.ahead
    ]
    places = {key: place for place, key in enumerate(platforms.ADAPTERS)}
    return sorted(found, key=lambda one: (places[one.platform], one.account_name.casefold(), one.connection_id))


def waiting(user: User, connection_id: int | None, most: int) -> Sequence[Publication]:
    """Those that would be brought back, by their time."""
    ahead = _offered(user, connection_id, select(Publication)).where(Publication.due_at >= _earliest())
    return db.session.scalars(ahead.order_by(Publication.due_at, Publication.id).limit(most)).all()


def bring_back(user: User, connection_id: int | None = None) -> Returned:
    """«Вернуть запланированное», on one account or on all. Whatever comes of it, it is not offered again.

    Raises Problem where there is nothing: another press was faster, or account, plan or time have changed.
    """
    user = hold_plan(user.id)
    found = _take(user, connection_id)
    earliest = _earliest()
    ahead = [row for row in found if row.Publication.due_at >= earliest]
    if not ahead:
        raise Problem("nothing_to_bring_back")
    settled = [row.Publication.id for row in found]
    _set(update(Publication).where(Publication.id.in_(settled)).values(withheld_at=None))
    # Of a clip that was planned there twice, the newer plan holds.
    results = _plan_again(user, sorted(ahead, key=lambda row: -row.Publication.id))
    made = sorted((one for one in results.values() if isinstance(one, Publication)), key=_by_time)
    refused = [(row.Publication, results[row.Publication.id]) for row in ahead]
    refused = [(old, why) for old, why in refused if isinstance(why, Problem)]
    return Returned(made, sorted(refused, key=lambda pair: _by_time(pair[0])), len(found) - len(ahead))


def dismiss(user: User, connection_id: int | None = None) -> None:
    """They stay cancelled, and are not offered any more."""
    ids = [row.Publication.id for row in _take(hold_plan(user.id), connection_id)]
    _set(update(Publication).where(Publication.id.in_(ids)).values(withheld_at=None))


def _take(user: User, connection_id: int | None) -> Sequence[Row]:
    """Locked: of two presses the second finds nothing."""
    found = _offered(user, connection_id, select(Publication, PlatformConnection.id.label("place")))
    locked = found.order_by(Publication.id).with_for_update(of=Publication)
    return db.session.execute(locked.execution_options(populate_existing=True)).all()


def _plan_again(user: User, rows: Sequence[Row]) -> dict[int, Publication | Problem]:
    """The new publication, or why there is none, by the id of the cancelled one."""
    published = _last_published([row.Publication for row in rows])
    results: dict[int, Publication | Problem] = {}
    items: dict[int, Item] = {}
    for old, place in rows:
        if old.clip_id is None:
            results[old.id] = Problem("clip_deleted")
        elif (last := published.get((old.clip_id, old.platform, old.account_id))) and last > old.withheld_at:
            results[old.id] = Problem("published_meanwhile")
        else:
            # What stood there before had been agreed to.
            recipe = json.dumps(old.recipe) if old.recipe else ""
            choice = Choice(place, old.title, old.description, again=True, options=old.options, recipe=recipe)
            items[old.id] = Item(old.clip_id, choice, old.due_at)
    for old_id, result in zip(items, publications.publish_many(user, list(items.values())), strict=True):
        # NotFound: deleted at this moment.
        results[old_id] = Problem("clip_deleted") if isinstance(result, NotFound) else result
    _note_successors({row.Publication: results[row.Publication.id] for row in rows})
    return results


def _note_successors(results: Mapping[Publication, Publication | Problem]) -> None:
    """The cancelled ones say that there are others now, and those wait in the same slots."""
    replaced = {old: new for old, new in results.items() if isinstance(new, Publication)}
    for old, new in replaced.items():
        new.slot_id = old.slot_id
    db.session.flush()
    ids = [old.id for old in replaced]
    _set(update(Publication).where(Publication.id.in_(ids)).values(reason="rescheduled"))
    for publication_id in ids:
        state_machine.note(publication_id, "rescheduled", status=Status.CANCELLED)


def _last_published(some: Sequence[Publication]) -> dict[tuple[int | None, str, str], datetime]:
    place = Publication.clip_id, Publication.platform, Publication.account_id
    clip_ids = {one.clip_id for one in some if one.clip_id}
    last = select(*place, func.max(Publication.published_at)).where(
        Publication.clip_id.in_(clip_ids), Publication.status == Status.PUBLISHED
    )
    return {(clip, key, account): at for clip, key, account, at in db.session.execute(last.group_by(*place)) if at}


def _offered(user: User, connection_id: int | None, columns: Select) -> Select:
    """Of what is withheld, what has an account that can be published to."""
    allowed = [key for key in platforms.ADAPTERS if user.plan.allows(key)]
    same = [getattr(PlatformConnection, name) == getattr(Publication, name) for name in ("platform", "account_id")]
    account = PlatformConnection.user_id == user.id, PlatformConnection.status == ConnectionStatus.ACTIVE, *same
    found = columns.select_from(Publication).join(PlatformConnection, db.and_(*account))
    if connection_id is not None:
        found = found.where(PlatformConnection.id == connection_id)
    # What was withheld before that is past; a range is answered by no other index than that of what is withheld.
    withheld = Publication.user_id == user.id, Publication.withheld_at > clock.now() - due_times.MAX_AHEAD
    return found.where(*withheld, PlatformConnection.platform.in_(allowed))


def _earliest() -> datetime:
    return clock.now() + due_times.MIN_AHEAD


def _by_time(publication: Publication) -> tuple[datetime, int]:
    return publication.due_at, publication.id


def _set(changed: Update) -> None:
    db.session.execute(changed.execution_options(synchronize_session=False))
