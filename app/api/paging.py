"""Lists in pages, newest first: `next_cursor` names the last row of a page, so that new rows move nothing."""

from typing import Any

from marshmallow import Schema, validate
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.base import ExecutableOption

from app.api.fields import Body, Coded, Inner, Listed, NumberText, Query, Text, between
from app.db import db

USUAL, MOST = 50, 100


class Paged(Query):
    """What every list takes."""

    limit = NumberText(
        load_default=USUAL, validate=between(1, MOST), metadata={"description": f"Сколько строк: до {MOST}"}
    )
    cursor = Text(
        validate=validate.Regexp(r"^[1-9][0-9]{0,17}$", error=Coded("field_malformed")),
        metadata={"description": "next_cursor прошлой страницы; без него — первая"},
    )


def page_of(item: type[Schema], name: str) -> type[Schema]:
    """The schema of a page."""
    listed = Listed(Inner(item), required=True)
    cursor = Text(required=True, allow_none=True, metadata={"description": "null: дальше ничего нет"})
    return type(name, (Body,), {"items": listed, "next_cursor": cursor})


def page(
    found: Select[Any], column: InstrumentedAttribute[int], query: dict[str, Any], *options: ExecutableOption
) -> dict[str, Any]:
    """`found`, of one user and without an order: it is by `column`, an id, from the highest down."""
    owner = getattr(column.class_, "user_id", None)
    order = [column.desc()] if owner is None else [owner.desc(), column.desc()]  # of the index that has both
    if "cursor" in query:
        found = found.where(column < int(query["cursor"]))
    limit = query["limit"]
    rows = db.session.scalars(found.order_by(*order).limit(limit + 1).options(*options)).all()
    more = len(rows) > limit
    rows = rows[:limit]
    return {"items": rows, "next_cursor": str(getattr(rows[-1], column.key)) if more else None}
