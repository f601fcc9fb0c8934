"""One worker at a time for one row: a conditional UPDATE that sets a lease."""

from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, update

from app import clock
from app.db import db

Model = TypeVar("Model")


def claim(
    model: type[Model], row_id: Any, *due: ColumnElement[bool], lease: timedelta, column: str = "wake_at", **values: Any
) -> Model | None:
    """Takes the row where it is `due`, and sets `column` to the end of the lease; the caller commits.

    Returns the row as it is then, detached from the session; None where it is not due, gone or taken by another worker.
    A lease that runs out makes the row due again: the worker that held it may have ended.
    """
    taken = db.session.scalar(
        update(model)
        .where(model.id == row_id, *due)
        .values({column: clock.now() + lease, **values})
        .returning(model)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    if taken is not None:
        db.session.expunge(taken)
    return taken
