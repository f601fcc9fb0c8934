"""Refuses ids that no row can have, and zero bytes, before a view sees them."""

from flask import Flask, abort, request
from werkzeug.routing import IntegerConverter

from app.serving import is_api

LARGEST_ID = 2**63 - 1  # a database's BIGINT


class RowId(IntegerConverter):
    """`<int:…>` in routes. A larger number is no route's: 404."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **{"max": LARGEST_ID, **kwargs})


def row_id(text: str) -> int:
    """For the ids that a form or a query string names: `getlist("clip", row_id)` leaves out what is none."""
    number = int(text)
    if not 0 < number <= LARGEST_ID:
        raise ValueError(text)
    return number


def register(app: Flask) -> None:
    app.url_map.converters["int"] = RowId
    app.before_request(refuse_zero_bytes)


def refuse_zero_bytes() -> None:
    """PostgreSQL takes none in a text. The query string is only compared with rows, never stored."""
    fields = () if is_api() else request.form.items(multi=True)  # the API looks at its bodies by itself
    typed = (text for field in fields for text in field)
    if any("\0" in text for text in (request.path, *typed)):
        abort(400)
