"""Rows that their user has deleted and may still take back: no query finds them, unless it says that it wants them."""

from datetime import datetime, timedelta

from sqlalchemy import event
from sqlalchemy.orm import Mapped, ORMExecuteState, mapped_column, with_loader_criteria

from app.db import db
from app.models.types import UTCDateTime

# How long a cancel, a deletion, a disconnection can be taken back. The toast that offers it goes a little earlier.
UNDO_TIME = timedelta(seconds=12)

# Execution options of a query that finds deleted rows too.
WITH_DELETED = {"with_deleted": True}


class SoftDeleted:
    """A model with `deleted_at`. ORM queries find only rows without it; those for tables say it themselves."""

    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


_NOT_DELETED = with_loader_criteria(SoftDeleted, lambda model: model.deleted_at.is_(None), include_aliases=True)


@event.listens_for(db.session, "do_orm_execute")
def _hide_deleted(query: ORMExecuteState) -> None:
    """Not where an object that is there already is read again."""
    if query.is_select and not query.is_column_load and not query.execution_options.get("with_deleted", False):
        query.statement = query.statement.options(_NOT_DELETED)
