"""A database full of publications, by SQL that both databases know (but for dates), and the requests measured on it.

A light user has about a hundred, a typical one 900, a heavy one as many as wanted, 997 others what is left; each clip
has four, on four platforms. One of 50 has failed, four are scheduled for later; thirty are due now and ten are being
sent, however many there are. The rest was published evenly over two years. The counts of the three users were read as
often as `cadence` wants it: three of ten clips gain for half a year, the others in their first four days, both most at
first. One clip of 20 has been deleted after it was published.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Index, text

from app import clock
from app.db import db
from app.models import Clip, ClipStatus, DailyIncrement, PlatformConnection, Publication, StatsSample, Status, User
from app.services import users
from bench.application import EMAIL

USERS = 1000
LIGHT, TYPICAL = "bench-0@example.org", "bench-1@example.org"  # the others' passwords are the demo users'
PLATFORMS = ("vk", "rutube", "telegram", "dzen")
ACCOUNTS = len(PLATFORMS)
LIGHT_CLIPS, TYPICAL_CLIPS = 25, 225
DUE, HELD = 30, 10
_MANY = (Clip, Publication, StatsSample, DailyIncrement)
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {})"
_HOURS = 2 * 365 * 24
# Whether clip number c gains for long.
_LASTING = "({c} % 10 < 3)"


def fill(count: int, heavy_count: int = 0) -> User:
    """`count` publications; returns the heavy user, who has about `heavy_count` of them. Runs in an app context."""
    heavy = users.by_email(EMAIL)
    indexes = _drop_indexes()
    _check_keys(False)
    first = _users(heavy)
    [connection, clip, publication] = _patterns(heavy)
    first_connection = _connections(connection, heavy.id, first)
    clips = -(-count // ACCOUNTS)
    number = f"(i / {ACCOUNTS})"
    owner = _owner(clips, heavy_count // ACCOUNTS)
    user = f"CASE WHEN ({owner}) = 0 THEN {heavy.id} ELSE {first} - 1 + ({owner}) END"
    first_clip = _copy(clip, clips, user_id=user.format(c="i"), title="'Клип ' || i")
    account = f"(({owner.format(c=number)}) * {ACCOUNTS} + i % {ACCOUNTS})"
    published = "i % 50 >= 5"
    views = f"CASE WHEN {_LASTING.format(c=number)} THEN 2000 + i % 7000 ELSE 20 + i % 300 END"
    first_publication = _copy(
        publication,
        count,
        user_id=user.format(c=number),
        clip_id=f"CASE WHEN {number} % 20 > 0 THEN {first_clip} + {number} END",
        title=f"'Клип ' || {number}",
        connection_id=f"{first_connection} + {account}",
        platform=_platform("i"),
        account_id=f"'-100' || {account}",
        status=f"CASE WHEN {published} THEN 'published' WHEN i % 50 = 0 THEN 'failed' ELSE 'scheduled' END",
        wake_at="CASE WHEN i % 50 BETWEEN 1 AND 4 THEN p.due_at END",
        url=f"CASE WHEN {published} THEN p.url END",
        due_at=f"CASE WHEN i % 50 BETWEEN 1 AND 4 THEN p.due_at ELSE {_moment(_age(clips, number))} END",
        published_at=f"CASE WHEN {published} THEN {_moment(_age(clips, number))} END",
        views=f"CASE WHEN {published} THEN {views} END",
        likes=f"CASE WHEN {published} AND i % {ACCOUNTS} < 2 THEN ({views}) / 10 END",
        shares=f"CASE WHEN {published} AND i % {ACCOUNTS} < 1 THEN ({views}) / 50 END",
    )
    readers = (heavy.id, first, first + 1)  # the light and the typical user are the first of the others
    _readings(first_publication, clips, readers)
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


def _owner(clips: int, heavy_clips: int) -> str:
    """SQL for the user of clip number c: 0 is the heavy one, 1 the light one, 2 the typical one. All mixed."""
    light, typical, heavy = (clips // some if some else 0 for some in (LIGHT_CLIPS, TYPICAL_CLIPS, heavy_clips))
    of_heavy = f"WHEN {{c}} % {heavy} = 0 THEN 0" if heavy else ""
    return (
        f"CASE WHEN {{c}} % {light} = 0 THEN 1 WHEN {{c}} % {typical} = {typical - 1} THEN 2 {of_heavy} "
        f"ELSE 3 + {{c}} % {USERS - 3} END"
    )


def _platform(number: str) -> str:
    cases = " ".join(f"WHEN {place} THEN '{key}'" for place, key in enumerate(PLATFORMS))
    return f"CASE {number} % {ACCOUNTS} {cases} END"


def _age(clips: int, number: str) -> str:
    """In hours: the last clip is the newest."""
    return f"(({clips} - 1 - {number}) * CAST({_HOURS} AS BIGINT) / {clips})"


def _moment(hours_ago: str) -> str:
    if db.engine.dialect.name == "sqlite":  # as SQLAlchemy writes it
        return f"strftime('%Y-%m-%d %H:%M:%S.000000', 'now', '-' || ({hours_ago}) || ' hours')"
    return f"now() - ({hours_ago}) * interval '1 hour'"


def vacuum() -> None:
    """What PostgreSQL does by itself within minutes: the demo of a database that is in use."""
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _drop_indexes() -> list[Index]:
    """Made anew once the rows are there, which is faster. What keeps rows unique stays."""
    indexes = [one for model in _MANY for one in model.__table__.indexes if not one.unique]
    db.session.commit()
    for index in indexes:
        index.drop(db.engine)
    return indexes


def _check_keys(wanted: bool) -> None:
    """Whether PostgreSQL checks that the rows exist that a new row refers to: half of the time, and ours do."""
    if db.engine.dialect.name == "postgresql":
        for model in _MANY:
            table = model.__tablename__
            db.session.execute(text(f"ALTER TABLE {table} {'ENABLE' if wanted else 'DISABLE'} TRIGGER ALL"))
            db.session.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))


def _shares() -> list[tuple[int, int, int, int, int]]:
    """By reading: its age in hours, and how many thousandths of the newest counts a clip has, and had one before: one
    that gains for long, and another.
    """
    hours = [1, 6, *(24 * day for day in (*range(1, 31), *range(37, 181, 7)))]
    longest = 1 - (1 + hours[-1] / 24) ** -0.6
    lasting = [round(1000 * (1 - (1 + hour / 24) ** -0.6) / longest) for hour in hours]
    short = [min(1000, round(1000 * (hour / 96) ** 0.4)) for hour in hours]
    return list(zip(hours, lasting, [0, *lasting], short, [0, *short], strict=False))


def _readings(first_publication: int, clips: int, user_ids: Sequence[int]) -> None:
    """Samples, and the increments that the collector would have written with them. In UTC's days, whatever the zone."""
    number = f"((p.id - {first_publication}) / {ACCOUNTS})"
    age = _age(clips, number)
    lasting = _LASTING.format(c=number)
    values = ", ".join(map(str, _shares()))
    counts = ("views", "likes", "shares")
    now = [f"p.{count} * share / 1000" for count in counts]
    gained = [f"p.{count} * share / 1000 - p.{count} * before / 1000" for count in counts]
    ids = ", ".join(map(str, user_ids))
    source = f"""
    FROM (SELECT p.*, r.hours, {age} - r.hours AS ago, CASE WHEN {lasting} THEN r.lasting ELSE r.short END AS share,
          CASE WHEN {lasting} THEN r.lasting_before ELSE r.short_before END AS before
          FROM publications p JOIN r ON r.hours <= {age}
          WHERE p.user_id IN ({ids}) AND p.status = 'published' AND p.id >= {first_publication}) p
    """
    readings = f"WITH r(hours, lasting, lasting_before, short, short_before) AS (VALUES {values})"
    moment = _moment("ago")
    columns = ", ".join(counts)
    db.session.execute(
        text(
            f"INSERT INTO stats_samples (publication_id, at, {columns}) "
            f"{readings} SELECT p.id, {moment}, {', '.join(now)} {source}"
        )
    )
    day = f"date({moment})"
    sums = ", ".join(f"coalesce(sum({one}), 0)" for one in gained)
    for name, subject, where in (
        ("clip_id", "p.clip_id", "p.clip_id IS NOT NULL"),
        ("title", "p.title", "p.clip_id IS NULL"),
        ("platform", "p.platform", "1 = 1"),
    ):
        db.session.execute(
            text(
                f"INSERT INTO daily_increments (user_id, day, {name}, {columns}) {readings} "
                f"SELECT p.user_id, {day}, {subject}, {sums} {source} WHERE {where} "
                f"GROUP BY p.user_id, {day}, {subject} HAVING sum({gained[0]}) > 0"
            )
        )


def make_due() -> list[int]:
    """Ids of the rows that are due, as they were before a worker claimed them. Ten more are being sent."""
    now = clock.now()
    scheduled = db.select(Publication.id).where(Publication.status == Status.SCHEDULED).order_by(Publication.id)
    ids = list(db.session.scalars(scheduled.limit(DUE + HELD)))
    due, held = ids[:DUE], ids[DUE:]
    soon = now + timedelta(minutes=1)
    for ids, values in (
        (due, {"wake_at": now - timedelta(seconds=1), "queued_at": None, "lease_until": None}),
        (held, {"wake_at": soon, "queued_at": None, "lease_until": soon}),
    ):
        db.session.execute(db.update(Publication).where(Publication.id.in_(ids)).values(**values))
    db.session.commit()
    return due


def make_stats_due() -> list[int]:
    """Ids of the accounts where a publication's counts are to be read now, as they were before the tick."""
    newest = db.select(db.func.max(Publication.id)).where(Publication.status == Status.PUBLISHED)
    each = newest.group_by(Publication.connection_id).order_by(Publication.connection_id).limit(DUE)
    ids = db.session.scalars(each).all()
    db.session.execute(db.update(Publication).values(stats_due_at=None).where(Publication.stats_due_at.is_not(None)))
    due = db.update(Publication).where(Publication.id.in_(ids)).values(stats_due_at=clock.now())
    connection_ids = db.session.scalars(due.returning(Publication.connection_id)).all()
    db.session.commit()
    return list(connection_ids)


def _users(pattern: User) -> int:
    """999 others; returns the first one's id."""
    return _copy(pattern, USERS - 1, email="'bench-' || i || '@example.org'")


def _connections(pattern: PlatformConnection, heavy: int, first: int) -> int:
    user = f"CASE WHEN i / {ACCOUNTS} = 0 THEN {heavy} ELSE {first} - 1 + i / {ACCOUNTS} END"
    return _copy(pattern, USERS * ACCOUNTS, user_id=user, platform=_platform("i"), account_id="'-100' || i")


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
        likes=100,
        shares=20,
        stats_at=now,
    )
    db.session.add(publication)
    db.session.flush()
    return connection, clip, publication


def _copy(pattern: db.Model, count: int, **changes: str) -> int:
    """`count` rows like the pattern, but for `changes`: SQL of the row's number `i`. Returns the first one's id."""
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
