"""Fills a database with publications, by SQL for both databases, and prepares rows for the measurements.

A light user has a hundred publications, a heavy user half of the rest or all of it, 998 other users the remainder; each
clip has four, on four accounts. Of 50 publications, one has failed and four are scheduled for later. Thirty are due now
and ten are being sent, regardless of the total. The statistics of the light and the heavy user were read three times.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, Index, text

from app import clock
from app.db import db
from app.models import Clip, ClipStatus, PlatformConnection, Publication, StatsSample, Status, Uncounted, User
from app.services import users
from bench.application import EMAIL

USERS = 1000
LIGHT = "bench-0@example.org"  # the others' passwords are the demo users'
LIGHT_CLIPS = 25
ACCOUNTS = 4
DUE, LEASED = 30, 10
_LARGE_TABLES = (Clip, Publication, StatsSample)
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {})"
# Which user has clip number c: 0 is the heavy one, 1 the light one.
_OWNER = "CASE WHEN {c} < {light} THEN 1 WHEN {c} % 2 = 0 THEN 0 ELSE 2 + {c} % {others} END"
# Age of a reading in hours, and its counts in percent of the newest ones.
READINGS = ((40 * 24, 30), (5 * 24, 90), (1, 100))


def fill(count: int) -> User:
    """Creates `count` publications. Returns the heavy user, which can sign in. Needs an app context."""
    heavy = users.by_email(EMAIL)
    indexes = _drop_indexes()
    _check_keys(False)
    first = _users(heavy)
    [connection, clip, publication] = _patterns(heavy)
    first_connection = _connections(connection, heavy.id, first)
    clips = -(-count // ACCOUNTS)
    owner = _OWNER.format(c="{c}", light=LIGHT_CLIPS, others=USERS - 2)
    user = f"CASE WHEN ({owner}) = 0 THEN {heavy.id} ELSE {first} - 1 + ({owner}) END"
    first_clip = _copy(clip, clips, user_id=user.format(c="i"))
    number = f"(i % {clips})"
    account = f"(({owner.format(c=number)}) * {ACCOUNTS} + i / {clips})"
    first_publication = _copy(
        publication,
        count,
        user_id=user.format(c=number),
        clip_id=f"{first_clip} + {number}",
        connection_id=f"{first_connection} + {account}",
        account_id=f"'-100' || {account}",
        status="CASE WHEN i % 50 = 0 THEN 'failed' WHEN i % 50 < 5 THEN 'scheduled' ELSE 'published' END",
        wake_at="CASE WHEN i % 50 BETWEEN 1 AND 4 THEN p.due_at END",
        url="CASE WHEN i % 50 >= 5 THEN p.url END",
        published_at="CASE WHEN i % 50 >= 5 THEN p.published_at END",
        views="100 + i % 1000",
    )
    _samples(first_publication, (heavy.id, first))
    _check_keys(True)
    for pattern in (publication, clip, connection):
        db.session.delete(db.session.get(type(pattern), pattern.id))
        db.session.flush()
    db.session.commit()
    for index in indexes:
        index.create(db.engine)
    make_due()
    vacuum()
    return heavy


def move_all_to(user: User) -> None:
    """Moves the clips and publications of all users but the light one to `user`."""
    light = users.by_email(LIGHT)
    for model in (Clip, Publication, Uncounted):
        of_others = (model.user_id != user.id, model.user_id != light.id)
        db.session.execute(db.update(model).where(*of_others).values(user_id=user.id))
    db.session.commit()
    vacuum()


def vacuum() -> None:
    """PostgreSQL's autovacuum does this within minutes in a database that is in use."""
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _drop_indexes() -> list[Index]:
    """Drops the indexes that are not unique and returns them: to create them after the rows is faster."""
    indexes = [one for model in _LARGE_TABLES for one in model.__table__.indexes if not one.unique]
    db.session.commit()
    for index in indexes:
        index.drop(db.engine)
    return indexes


def _check_keys(enabled: bool) -> None:
    """Switches PostgreSQL's foreign key checks, which take half of the time."""
    if db.engine.dialect.name == "postgresql":
        for model in _LARGE_TABLES:
            table = model.__tablename__
            db.session.execute(text(f"ALTER TABLE {table} {'ENABLE' if enabled else 'DISABLE'} TRIGGER ALL"))
            db.session.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))


def _samples(first_publication: int, user_ids: Sequence[int]) -> None:
    now = clock.now()
    columns = ("publication_id", "at", "views", "likes", "shares")
    for hours, percent in READINGS:
        seen = [getattr(Publication, count) * percent / 100 for count in columns[2:]]
        published = db.select(
            Publication.id, db.literal(now - timedelta(hours=hours)), *(db.cast(one, db.BigInteger) for one in seen)
        ).where(
            Publication.id >= first_publication,
            Publication.user_id.in_(user_ids),
            Publication.status == Status.PUBLISHED,
        )
        db.session.execute(db.insert(StatsSample).from_select(columns, published))


def make_due() -> list[int]:
    """Returns the ids of the due rows, reset to unclaimed. Rows of the heavy user are being sent."""
    now = clock.now()
    heavy, light = users.by_email(EMAIL), users.by_email(LIGHT)
    due = _scheduled(Publication.user_id.not_in([heavy.id, light.id]), DUE)
    leased = _scheduled(Publication.user_id == heavy.id, LEASED)
    soon = now + timedelta(minutes=1)
    for ids, values in (
        (due, {"wake_at": now - timedelta(seconds=1), "queued_at": None, "lease_until": None}),
        (leased, {"wake_at": soon, "queued_at": None, "lease_until": soon}),
    ):
        db.session.execute(db.update(Publication).where(Publication.id.in_(ids)).values(**values))
    db.session.commit()
    return due


def make_stats_due() -> list[int]:
    """Returns the ids of the accounts with a publication whose counts are due, reset to the time before the tick."""
    newest = db.select(db.func.max(Publication.id)).where(Publication.status == Status.PUBLISHED)
    each = newest.group_by(Publication.connection_id).order_by(Publication.connection_id).limit(DUE)
    ids = db.session.scalars(each).all()
    db.session.execute(db.update(Publication).values(stats_due_at=None).where(Publication.stats_due_at.is_not(None)))
    due = db.update(Publication).where(Publication.id.in_(ids)).values(stats_due_at=clock.now())
    connection_ids = db.session.scalars(due.returning(Publication.connection_id)).all()
    db.session.commit()
    return list(connection_ids)


def _scheduled(condition: ColumnElement[bool], count: int) -> list[int]:
    scheduled = db.select(Publication.id).where(Publication.status == Status.SCHEDULED, condition)
    return list(db.session.scalars(scheduled.order_by(Publication.id).limit(count)))


def _users(pattern: User) -> int:
    """Creates 999 more users; returns the first id."""
    return _copy(pattern, USERS - 1, email="'bench-' || i || '@example.org'")


def _connections(pattern: PlatformConnection, heavy: int, first: int) -> int:
    user = f"CASE WHEN i / {ACCOUNTS} = 0 THEN {heavy} ELSE {first} - 1 + i / {ACCOUNTS} END"
    return _copy(pattern, USERS * ACCOUNTS, user_id=user, account_id="'-100' || i")


def _patterns(owner: User) -> tuple[PlatformConnection, Clip, Publication]:
    """Creates one row of each kind, as a pattern with valid values in all columns."""
    now = clock.now()
    connection = PlatformConnection(
        user_id=owner.id, platform="telegram", account_id="pattern", account_name="Канал", facts={}
    )
    clip = Clip(
        user_id=owner.id,
        title="Закат над Волгой",
        description="Снято на обычный телефон, без света и штатива.",
        file_name="clip.mp4",
        status=ClipStatus.READY,
        storage_key="00/pattern",
        poster_key="00/poster",
        size=20_000_000,
        sha256="0" * 64,
        content_type="video/mp4",
        container="mp4",
        video_codec="h264",
        duration_ms=47_000,
        width=1080,
        height=1920,
    )
    db.session.add_all([connection, clip])
    db.session.flush()
    publication = Publication(
        user_id=owner.id,
        clip_id=clip.id,
        connection_id=connection.id,
        platform="telegram",
        account_id="pattern",
        account_name="Канал",
        title=clip.title,
        status=Status.PUBLISHED,
        due_at=now + timedelta(days=1),
        url="https://t.me/vezde_demo/12",
        published_at=now,
        views=120,
        likes=100,
        shares=20,
        stats_at=now,
    )
    db.session.add(publication)
    db.session.flush()
    return connection, clip, publication


def _copy(pattern: db.Model, count: int, **changes: str) -> int:
    """Copies the pattern `count` times. `changes`: SQL by column, with the row number `i`. Returns the first id."""
    table = type(pattern).__table__
    first = db.session.scalar(db.select(db.func.max(table.c.id))) + 1
    values = {column.name: f"p.{column.name}" for column in table.columns} | {"id": f"{first} + i"} | changes
    db.session.execute(
        text(
            f"INSERT INTO {table.name} ({', '.join(values)}) {_NUMBERS.format(count)} "
            f"SELECT {', '.join(values.values())} FROM n JOIN {table.name} p ON p.id = :pattern"
        ),
        {"pattern": pattern.id},
    )
    return first
