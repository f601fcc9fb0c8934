"""A database full of publications, by SQL that both databases know, and the requests that are measured on it.

Half of the publications belong to one user, the rest to 999 others; each clip has four, on four accounts. One of 50
has failed, four are scheduled for later; thirty are due now and ten are being sent, however many there are.
"""

from datetime import timedelta

from sqlalchemy import ColumnElement, text

from app import clock
from app.extensions import db
from app.models import Clip, ClipStatus, PlatformConnection, Publication, Status, User
from app.services import accounts
from bench.application import EMAIL

USERS = 1000
LIGHT = "bench-0@example.org"  # one of the others; their passwords are the demo users'
ACCOUNTS = 4
DUE, HELD = 30, 10
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {})"
# Whose clip number c is: every second one is the heavy user's.
_OWNER = "CASE WHEN {c} % 2 = 0 THEN {heavy} ELSE {first} + ({c} / 2) % 999 END"


def fill(count: int) -> User:
    """`count` publications. Answers the user who has half of them, and who can sign in. Runs in an app context."""
    heavy = accounts.by_email(EMAIL)
    first = _users(heavy)
    [connection, clip, publication] = _patterns(heavy)
    owners = {"heavy": heavy.id, "first": first}
    first_connection = _connections(connection, owners)
    clips = -(-count // ACCOUNTS)
    first_clip = _copy(clip, clips, user_id=_OWNER.format(c="i", **owners))
    number = f"(i % {clips})"
    who = _OWNER.format(c=number, **owners)
    place = f"CASE WHEN {number} % 2 = 0 THEN 0 ELSE 1 + ({number} / 2) % 999 END"
    _copy(
        publication,
        count,
        user_id=who,
        clip_id=f"{first_clip} + {number}",
        connection_id=f"{first_connection} + ({place}) * {ACCOUNTS} + i / {clips}",
        account_id=f"'-100' || (({place}) * {ACCOUNTS} + i / {clips})",
        status="CASE WHEN i % 50 = 0 THEN 'failed' WHEN i % 50 < 5 THEN 'scheduled' ELSE 'published' END",
        wake_at="CASE WHEN i % 50 BETWEEN 1 AND 4 THEN p.due_at END",
        url="CASE WHEN i % 50 >= 5 THEN p.url END",
        published_at="CASE WHEN i % 50 >= 5 THEN p.published_at END",
    )
    for pattern in (publication, clip, connection):
        db.session.delete(db.session.get(type(pattern), pattern.id))
        db.session.flush()
    db.session.commit()
    make_due()
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    return heavy


def make_due() -> list[int]:
    """Ids of the rows that are due, as they were before anybody took them up. The heavy user's are being sent."""
    now = clock.now()
    heavy = accounts.by_email(EMAIL)
    due = _scheduled(Publication.user_id != heavy.id, DUE)
    held = _scheduled(Publication.user_id == heavy.id, HELD)
    soon = now + timedelta(minutes=1)
    for ids, values in (
        (due, {"wake_at": now - timedelta(seconds=1), "queued_at": None, "lease_until": None}),
        (held, {"wake_at": soon, "queued_at": None, "lease_until": soon}),
    ):
        db.session.execute(db.update(Publication).where(Publication.id.in_(ids)).values(**values))
    db.session.commit()
    return due


def _scheduled(whose: ColumnElement[bool], count: int) -> list[int]:
    scheduled = db.select(Publication.id).where(Publication.status == Status.SCHEDULED, whose)
    return list(db.session.scalars(scheduled.order_by(Publication.id).limit(count)))


def _users(pattern: User) -> int:
    """999 others; answers the first one's id."""
    return _copy(pattern, USERS - 1, email="'bench-' || i || '@example.org'")


def _connections(pattern: PlatformConnection, owners: dict[str, int]) -> int:
    user = "CASE WHEN i / {0} = 0 THEN {heavy} ELSE {first} + i / {0} - 1 END".format(ACCOUNTS, **owners)
    return _copy(pattern, USERS * ACCOUNTS, user_id=user, account_id="'-100' || i")


def _patterns(owner: User) -> tuple[PlatformConnection, Clip, Publication]:
    """One row of each kind, to be copied: whatever columns there are have proper values."""
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
        likes=7,
        shares=1,
    )
    db.session.add(publication)
    db.session.flush()
    return connection, clip, publication


def _copy(pattern: db.Model, count: int, **changes: str) -> int:
    """`count` rows like the pattern, but for `changes`: SQL of the row's number `i`. Answers the first one's id."""
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
