"""Column types that behave the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, DateTime, Integer, or_
from sqlalchemy.types import TypeDecorator

# SQLite numbers rows by itself only for INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")


# Two processes' clocks differ by less.
CLOCK_MARGIN = timedelta(seconds=5)


def is_due(column: ColumnElement[datetime], now: datetime, farthest: timedelta) -> ColumnElement[bool]:
    """Its time has come; or it is further away than it is ever put off, so that only a clock that was ahead can have
    written it.
    """
    return or_(column <= now, column > now + farthest + CLOCK_MARGIN)


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
