"""A list cut into pages. How long it is gets counted only so far: nobody leafs through a million rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, func, literal, select
from sqlalchemy.sql.base import ExecutableOption

from app.extensions import db

Item = TypeVar("Item")

COUNTED = 1000  # rows from the page on


@dataclass(frozen=True)
class Page(Generic[Item]):
    """One page. `pages` is at least 1. `more`: there are more rows than `total`, and pages than `pages`."""

    rows: Sequence[Item] = ()
    page: int = 1
    pages: int = 1
    total: int = 0
    more: bool = False


def cut(query: Select[tuple[Any]], number: int, per_page: int, *options: ExecutableOption) -> Page[Any]:
    """Two queries. A number past the end answers the last page. `options` are of the rows alone."""
    number = max(number, 1)
    reach = (number - 1) * per_page + COUNTED
    total = up_to(reach, query)
    more, total = total > reach, min(total, reach)
    pages = max(1, math.ceil(total / per_page))
    number = min(number, pages)
    rows = db.session.scalars(query.options(*options).limit(per_page).offset((number - 1) * per_page))
    return Page(rows.all(), number, pages, total, more)


def up_to(most: int, query: Select) -> int:
    """How many rows there are; `most` + 1 stands for any greater number."""
    return db.session.scalar(select(counting(most, query)))


def counting(most: int, query: Select):
    """The same as a part of a query."""
    counted = query.with_only_columns(literal(1)).order_by(None).limit(most + 1).subquery()
    return select(func.count()).select_from(counted).scalar_subquery()
