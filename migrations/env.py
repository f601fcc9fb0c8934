"""Alembic through Flask-Migrate: `flask db upgrade`. One transaction for all, with the application's own engine.

SQLite changes most of a table by copying it: `batch_alter_table` makes a new table, fills it, drops the old one and
renames the new one. What keeps the rows that refer to it is here, so that a migration need not care.
"""

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from app.db import db
from app.models.types import UTCDateTime


def render_item(kind: str, item: object, _context) -> str | bool:
    """Our own column type is written as what the database sees: a migration must not depend on today's code."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def stop_enforcing_foreign_keys(connection: Connection) -> None:
    """Or dropping a table would delete the rows that refer to it. SQLite ignores this inside a transaction."""
    connection.detach()  # closed in the end, so that the setting stays with this connection
    connection.connection.dbapi_connection.execute("PRAGMA foreign_keys=OFF")


def check_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        rows = ", ".join(f"{table} {rowid} → {parent}" for table, rowid, parent, _ in broken[:10])
        raise RuntimeError(f"Миграция отменена: она оставила бы ссылки на то, чего нет ({len(broken)}: {rows}).")


with db.engine.connect() as connection:
    on_sqlite = connection.dialect.name == "sqlite"
    if on_sqlite:
        stop_enforcing_foreign_keys(connection)
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        render_item=render_item,
        transactional_ddl=True,  # Alembic's default for SQLite commits after each migration
        **current_app.extensions["migrate"].configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()
        if on_sqlite:
            check_foreign_keys(connection)
