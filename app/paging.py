"""A list in pages. Its rows are counted only up to a limit: no reader goes through a million."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, inspect, literal, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.base import ExecutableOption

from app.db import db

Item = TypeVar("Item")

COUNTED = 1000
_LAST = 1_000_000  # a page's number comes from the address bar


@dataclass(frozen=True)
class Page(Generic[Item]):
    """One page. `pages` is at least 1. `more`: there are more rows than `total`, and pages than `pages`."""

    rows: Sequence[Item] = ()
    page: int = 1
    pages: int = 1
    total: int = 0
    more: bool = False


def paginate(
    query: Select[tuple[Any]], number: int, per_page: int, *options: ExecutableOption, counted: int | None = None
) -> Page[Any]:
    """Two queries, one where there are no rows. A number past the end returns the last page. `options` are for the rows
    alone.

    `counted`: the result of `count_up_to(COUNTED, query)`, where it is there already.
    """
    number = min(max(number, 1), _LAST)
    reach = max(COUNTED, (number + 1) * per_page)
    if counted is None or (counted > COUNTED and reach > COUNTED):
        counted = count_up_to(reach, query)
    more, total = counted > reach, min(counted, reach)
    pages = max(1, math.ceil(total / per_page))
    number = min(number, pages)
    if not total:
        return Page([])
    rows = db.session.scalars(query.options(*options).limit(per_page).offset((number - 1) * per_page))
    return Page(rows.all(), number, pages, total, more)


def paginate_ids(model: type[Item], ids: Select[tuple[int]], number: int, per_page: int) -> Page[Item]:
    """As `paginate()`, for conditions that are dear to check: each row is looked at once, not for the count again."""
    number = min(max(number, 1), _LAST)
    reach = max(COUNTED, (number + 1) * per_page)
    found = db.session.scalars(ids.limit(reach + 1)).all()
    more, total = len(found) > reach, min(len(found), reach)
    pages = max(1, math.ceil(total / per_page))
    number = min(number, pages)
    wanted = found[(number - 1) * per_page : number * per_page]
    if not wanted:
        return Page([])
    key = inspect(model).primary_key[0]
    rows = db.session.scalars(select(model).where(key.in_(wanted))).all()
    return Page(sorted(rows, key=lambda row: wanted.index(row.id)), number, pages, total, more)


def indexed_eq(column: InstrumentedAttribute, value: Any) -> ColumnElement[bool]:
    """`column == value`, for the last column of an index before the one that a list is sorted by, and sorted by too.

    Where a user has half of the rows, PostgreSQL would scan those of all users until it has a page of theirs, which may
    all be at the other end. Only that index can serve a list that is sorted by both columns.
    """
    return column.between(value, value)


def count_up_to(most: int, query: Select) -> int:
    """How many rows there are; `most` + 1 stands for any greater number."""
    return db.session.scalar(select(count_subquery(most, query)))


def count_subquery(most: int, query: Select) -> ScalarSelect[int]:
    """The same as a part of a query. The order stays: the index is chosen by it."""
    counted = query.with_only_columns(literal(1)).limit(most + 1).subquery()
    return select(func.count()).select_from(counted).scalar_subquery()
