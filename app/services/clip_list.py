"""A user's list of clips: searched, filtered and sorted, and what of it needs attention."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, not_, select, union_all
from sqlalchemy.orm import aliased

from app.db import db
from app.models import LIVE, Clip, ClipStatus, ConnectionStatus, PlatformConnection, Publication, Status, User, fold
from app.paging import Page, indexed_eq, paginate, paginate_ids
from app.services import connection_list

PER_PAGE = 24
MAX_WORDS = 10
MAX_QUERY = 100
MOST_ATTENTION = 99


class State(StrEnum):
    """What the list can be narrowed down to."""

    READY = "ready"
    UNPUBLISHED = "unpublished"
    SCHEDULED = "scheduled"
    ATTENTION = "attention"
    EVERYWHERE = "everywhere"


class Order(StrEnum):
    NEWEST = "new"
    OLDEST = "old"
    TITLE = "title"


@dataclass(frozen=True)
class Filters:
    """None or empty: everything. `words` are searched for in titles."""

    words: str = ""
    state: State | None = None
    order: Order = Order.NEWEST


EVERYTHING = Filters()


def clean(words: str) -> str:
    """A search as it was typed, without what cannot be searched for."""
    printable = "".join(char if char.isprintable() else " " for char in words)
    return " ".join(printable.split())[:MAX_QUERY]


def words_of(typed: str) -> list[str]:
    """As `Clip.search_text` has them."""
    return fold(typed).split()[:MAX_WORDS]


def page(user: User, filters: Filters = EVERYTHING, number: int = 1, per_page: int = PER_PAGE) -> Page[Clip]:
    """One page of the clips that match."""
    if not filters.words and not filters.state:
        return paginate(_ordered(select(Clip), user, filters.order), number, per_page)
    ids = _ordered(select(Clip.id), user, filters.order)
    for word in words_of(filters.words):
        ids = ids.where(Clip.search_text.contains(word, autoescape=True))
    if filters.state:
        ids = ids.where(_in_state(user, filters.state))
    return paginate_ids(Clip, ids, number, per_page)


def count_attention(user: User) -> int:
    """How many clips need their user; MOST_ATTENTION + 1 stands for any greater number."""
    some = _attention(user).distinct().limit(MOST_ATTENTION + 1).subquery()
    return db.session.scalar(select(func.count()).select_from(some))


def _ordered(query: Select, user: User, order: Order) -> Select:
    """By the index that has just this order."""
    query = query.where(indexed_eq(Clip.user_id, user.id))
    if order == Order.TITLE:
        return query.order_by(Clip.user_id, Clip.search_text, Clip.id)
    if order == Order.OLDEST:
        return query.order_by(Clip.user_id, Clip.id)
    return query.order_by(Clip.user_id.desc(), Clip.id.desc())


def _in_state(user: User, state: State) -> ColumnElement[bool]:
    if state == State.READY:
        return Clip.status == ClipStatus.READY
    if state == State.ATTENTION:
        return Clip.id.in_(_attention(user))
    if state == State.SCHEDULED:
        return _has(user, Status.SCHEDULED)
    if state == State.UNPUBLISHED:
        # What most clips have comes first: the others are not looked for then.
        there = (_has(user, status) for status in (Status.PUBLISHED, *LIVE))
        return and_(*(not_(one) for one in there))
    connections = (one for one in connection_list.all_of(user) if one.status != ConnectionStatus.CHOOSING)
    return and_(_has(user, Status.PUBLISHED), *map(_is_published_on, connections))


def _is_published_on(connection: PlatformConnection) -> ColumnElement[bool]:
    """OFFSET 0: PostgreSQL would make a join of it and sort all clips, since it takes what it finds to be few."""
    on_account = select(literal(1)).where(
        Publication.clip_id == Clip.id,
        Publication.platform == connection.platform,
        Publication.account_id == connection.account_id,
        Publication.status == Status.PUBLISHED,
    )
    return on_account.offset(0).correlate(Clip).exists()


def _has(user: User, status: Status) -> ColumnElement[bool]:
    """Whether the clip has such a publication: each status by itself, by the index that begins with both."""
    return exists().where(Publication.user_id == user.id, Publication.status == status, Publication.clip_id == Clip.id)


def _attention(user: User) -> Select:
    """Ids of clips, some of them several times: a publication failed or waits for an answer, or its account does.

    Beginning with the publications, which are few: only the newest of each account counts, as on the card.
    """
    newer = aliased(Publication)
    newest = ~exists().where(
        newer.clip_id == Publication.clip_id,
        newer.platform == Publication.platform,
        newer.account_id == Publication.account_id,
        newer.id > Publication.id,
    )
    asking = select(Publication.clip_id).where(
        Publication.user_id == user.id,
        Publication.status.in_((Status.UNCONFIRMED, Status.AWAITING_USER)),
        Publication.clip_id.is_not(None),
        newest,
    )
    failed = select(Publication.clip_id).where(
        Publication.user_id == user.id,
        Publication.status == Status.FAILED,
        Publication.clip_id.is_not(None),
        Publication.connection_id.is_not(None),  # without its account there is nothing to be done about it
        newest,
    )
    lost = select(PlatformConnection.id).where(
        PlatformConnection.user_id == user.id, PlatformConnection.status == ConnectionStatus.RECONNECT
    )
    doomed = select(Publication.clip_id).where(
        Publication.user_id == user.id,
        Publication.connection_id.in_(lost),
        Publication.status == Status.SCHEDULED,
        Publication.clip_id.is_not(None),
    )
    return select(union_all(asking, failed, doomed).subquery().c.clip_id)
