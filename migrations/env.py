"""Alembic through Flask-Migrate: `flask db upgrade`. One transaction for all, with the application's own engine."""

from alembic import context
from flask import current_app

from app.extensions import db
from app.models.types import UTCDateTime


def render_item(kind: str, item: object, _context) -> str | bool:
    """Our own column type is written as what the database sees: a migration must not depend on today's code."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


with db.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        render_item=render_item,
        **current_app.extensions["migrate"].configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
