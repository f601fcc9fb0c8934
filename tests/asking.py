"""What the database is asked and how it means to answer, and the many rows that must not matter."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event, text

from app import clock
from app.db import db
from app.models import Clip, ClipStatus, PlatformConnection, Publication, Status, User
from app.platforms.base import Account, Token
from app.services import connections
from tests.edges import committed

Asked = list[tuple[str, tuple]]


@contextmanager
def asked(begins: bool = False) -> Iterator[Asked]:
    """The statements of the block, with their parameters; `begins`: what begins a transaction, too."""
    found: Asked = []

    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        if begins or not statement.startswith(("BEGIN", "PRAGMA")):
            found.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def plan(statement: str, parameters: tuple | dict) -> str:
    """What the database means to do; PostgreSQL as if the tables were too large to be read whole."""
    if db.engine.dialect.name == "sqlite":
        rows = db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return "\n".join(row.detail for row in rows)
    db.session.execute(text("SET LOCAL enable_seqscan = off"))
    rows = db.session.connection().exec_driver_sql(f"EXPLAIN {statement}", parameters)
    return "\n".join(row[0] for row in rows)


# Of whole lists; what a group is made of may be sorted.
SORTS = re.compile(r"USE TEMP B-TREE FOR ORDER BY|^ *(->)? *Sort\b", re.M)


def plans(found: Asked, table: str) -> list[str]:
    db.session.rollback()
    made = [plan(statement, parameters) for statement, parameters in found if table in statement]
    db.session.rollback()
    return made


def reads_whole(plan: str, table: str) -> bool:
    """SQLite says «SCAN t» and «SCAN t USING INDEX …» (all of an index); a partial index is what it is for."""
    lines = [line for line in plan.splitlines() if re.search(rf"(SCAN|Seq Scan on) {table}\b", line)]
    return any("USING INDEX ix_publications_wake" not in line for line in lines)


# Rows


def fill(owner: User, count: int) -> None:
    """So many clips, each published on two accounts."""
    places = [connection(owner, f"-100{number}") for number in range(2)]
    for number in range(count):
        one = clip(owner, f"Клип {number}")
        db.session.add_all(publication(one, place) for place in places)


def connection(owner: User, account_id: str) -> PlatformConnection:
    account = Account(account_id, "Канал", facts={"chat_id": int(account_id)})
    return committed(connections.save(owner, "telegram", [account], Token("110201543:AAdemo")))


def clip(owner: User, title: str) -> Clip:
    clip = Clip(user_id=owner.id, title=title, file_name="a.mp4", status=ClipStatus.READY, storage_key="00/a", size=1)
    clip.content_type, clip.duration_ms, clip.width, clip.height = "video/mp4", 2000, 270, 480
    db.session.add(clip)
    db.session.flush()
    return clip


def publication(of: Clip, place: PlatformConnection, **more) -> Publication:
    values = {"status": Status.PUBLISHED, "published_at": clock.now(), "due_at": clock.now()} | more
    if values["status"] == Status.SCHEDULED:
        values["wake_at"] = values["due_at"]
    return Publication(
        user_id=of.user_id,
        clip_id=of.id,
        connection_id=place.id,
        platform=place.platform,
        account_id=place.account_id,
        account_name=place.account_name,
        title=of.title,
        **values,
    )
