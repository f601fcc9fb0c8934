"""What comes from outside fits its column, on both databases: too long, with zero bytes, with halves of characters."""

import pytest
from sqlalchemy import JSON, Date, LargeBinary, String, Text, insert, select, update

from app import clock
from app.db import db
from app.models import types

NASTY = "a\0b\ud800" + "я🎬" * 3000

COLUMNS = [column for table in db.metadata.sorted_tables for column in table.columns]
TEXTS = [column for column in COLUMNS if isinstance(column.type, (types.String, types.Text))]


def filled(table, number: int) -> dict:
    """A row with something in each column that needs it; its parents are there with the same id."""
    return {
        column.name: _value(column, number)
        for column in table.columns
        if (not column.nullable or column in TEXTS) and not (column.primary_key and column.autoincrement is True)
    }


def _value(column, number: int):
    if column.foreign_keys:
        return number
    if isinstance(column.type, types.UTCDateTime):
        return clock.now()
    if isinstance(column.type, Date):
        return clock.now().date()
    if isinstance(column.type, types.JSON):
        return {}
    if isinstance(column.type, LargeBinary):
        return b"x"
    return str(number) if column in TEXTS else 1 if column.type.python_type is int else False


def test_every_text_column_is_bounded_by_its_type():
    """Not SQLAlchemy's own types: PostgreSQL would refuse what SQLite takes."""
    assert len(TEXTS) > 50
    plain = [column for column in COLUMNS if isinstance(column.type, (String, Text, JSON))]
    assert plain == []


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"], indirect=True)
def test_every_text_column_takes_whatever_there_is(app):
    for table in db.metadata.sorted_tables:
        row = filled(table, 1)
        if any(key.name == "id" and key.table is table for key in table.primary_key) and "id" not in row:
            row["id"] = 1
        db.session.execute(insert(table).values(row))
    for column in TEXTS:
        db.session.execute(update(column.table).values({column: NASTY}))
        [stored] = db.session.scalars(select(column)).all()
        length = getattr(column.type.impl, "length", None)
        expected = ("ab" + "я🎬" * 3000)[:length]
        assert stored == expected, column
        if not column.foreign_keys:
            assert db.session.scalar(select(db.func.count()).select_from(column.table).where(column == NASTY)) == 1
        db.session.execute(update(column.table).values({column: "1"}))


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"], indirect=True)
def test_texts_inside_json_are_clean(app, user):
    from app.models import PlatformConnection

    owner = user()
    facts = {"a\0": ["\ud800x", {"b": "y\0"}], "n": 10**30, "x": float("nan"), "y": [float("inf")]}
    one = PlatformConnection(user_id=owner.id, platform="vk", account_id="1", account_name=NASTY, facts=facts)
    db.session.add(one)
    db.session.commit()
    assert one.facts == {"a": ["x", {"b": "y"}], "n": 10**30, "x": None, "y": [None]}
    assert len(one.account_name) == 255
