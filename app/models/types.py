"""Column types that behave the same on SQLite and PostgreSQL."""

import math
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON as PlainJSON
from sqlalchemy import BigInteger, ColumnElement, DateTime, Integer, TextClause, or_, text
from sqlalchemy import String as PlainString
from sqlalchemy import Text as PlainText
from sqlalchemy.types import TypeDecorator

# SQLite numbers rows by itself only for INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")

# Two processes' clocks differ by less.
CLOCK_MARGIN = timedelta(seconds=5)


def where(condition: str | TextClause) -> dict[str, TextClause]:
    """For an Index of only the rows that meet the condition."""
    condition = text(condition) if isinstance(condition, str) else condition
    return {"sqlite_where": condition, "postgresql_where": condition}


def is_due(column: ColumnElement[datetime], now: datetime, farthest: timedelta) -> ColumnElement[bool]:
    """Its time has come; or it is further away than it is ever put off, so that only a clock that was ahead can have
    written it.
    """
    return or_(column <= now, column > now + farthest + CLOCK_MARGIN)


class String(TypeDecorator[str]):
    """At most `length` characters, cut where there are more; without what PostgreSQL does not store (`storable`).

    SQLite takes anything, so that only PostgreSQL would refuse a platform's long name. What may not be cut (an id by
    which an account is recognised) is refused earlier.
    """

    impl = PlainString
    cache_ok = True

    def process_bind_param(self, value: Any, dialect) -> str | None:
        return None if value is None else storable(value)[: self.impl.length]


class Text(String):
    """Of any length; otherwise as String."""

    impl = PlainText
    cache_ok = True


class JSON(TypeDecorator[Any]):
    """Its texts are as in String, so that a page can show them."""

    impl = PlainJSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect) -> Any:
        return _storable_inside(value)


def fold(text: str) -> str:
    """A text as the search compares it: «Ёж» finds «еж», however its letters are composed."""
    return unicodedata.normalize("NFC", text).casefold().replace("ё", "е")


def storable(value: Any) -> str:
    """As text, without zero bytes and without halves of surrogate pairs (which no encoding has)."""
    stored = str(value).replace("\0", "")
    return stored if stored.isascii() else stored.encode("utf-8", "ignore").decode()


def _storable_inside(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {_storable_inside(name): _storable_inside(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_storable_inside(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None  # Python reads and writes NaN and Infinity, JSON has none
    return value


class UTCDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python; SQLite stores it without a zone, PostgreSQL as timestamptz."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect):
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("a moment without a zone was given to the database")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect):
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
