"""The database: the session, short transactions, and each engine prepared for several processes."""

import math
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import structlog
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData, event
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session, SessionTransaction
from werkzeug.local import LocalProxy

from app import clock

log = structlog.get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

BUSY_SECONDS = 30
CONNECT_SECONDS = 5
# A database's machine that has gone without a word, while a statement waits for it: by default after two hours. There
# is no deadline of statements: it is our own database, and reports take as long as they take.
_GONE_AFTER = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}
# What a stopped process keeps locked is taken from it after this long; no other waits for it longer.
IDLE_IN_TRANSACTION_SECONDS = 20
LOCK_SECONDS = 10
# Between two tries to take SQLite's write lock; random, so that waiting processes do not all try at once.
_LOCK_RETRY_SECONDS = (0.001, 0.004)
# Between two tries to reach a database that is away.
_FIRST_PAUSE_SECONDS, _LAST_PAUSE_SECONDS = 0.2, 5.0

_AFTER_COMMIT = "after_commit"

# A page that only reads must not queue for SQLite's one write lock.
reads_only: ContextVar[bool] = ContextVar("reads_only", default=False)


class Base(DeclarativeBase):
    # Named constraints, so that a migration can drop what an earlier one made.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)


def commit() -> None:
    """Ends a unit of work. Only an edge calls it (web, jobs, cli, a worker's own flow), never a service."""
    db.session.commit()
    for action in db.session.info.pop(_AFTER_COMMIT, ()):
        action()


def after_commit(action: Callable[[], object]) -> None:
    """Calls `action` once the unit of work is committed, e.g. to enqueue a job for a row that others can see by then.

    It runs outside the unit of work and must not raise; after a rollback it does not run.
    """
    db.session.info.setdefault(_AFTER_COMMIT, []).append(action)


@event.listens_for(db.session, "after_soft_rollback")
def _forget_actions(session: Session, ended: SessionTransaction) -> None:
    """Not at the rollback of a savepoint: the unit of work goes on."""
    if not ended.nested:
        session.info.pop(_AFTER_COMMIT, None)


def end_reading() -> None:
    """Before something slow in a unit of work that has changed nothing yet: SQLite's write lock and the connection are
    free meanwhile. What was read is read anew afterwards.
    """
    db.session.rollback()


@contextmanager
def transaction() -> Iterator[None]:
    """A unit of work that gives its connection back: for workers, before and after slow calls."""
    try:
        yield
        commit()
    finally:
        db.session.remove()


@contextmanager
def reading() -> Iterator[None]:
    """As `transaction()`, for what only reads: SQLite's one write lock is left to others."""
    before = reads_only.set(True)
    try:
        yield
    finally:
        db.session.remove()
        reads_only.reset(before)


def retry_while_db_down(write: Callable[[], T], seconds: float = math.inf) -> T:
    """`write()`, and again while the database is away, for so many seconds: for what cannot be found out a second time.

    `write` is one transaction, which does no harm when it is done twice: whether a commit that got no answer holds is
    not known. Only for workers: their lease's deadline ends the process.
    """
    give_up, pause = time.monotonic() + seconds, _FIRST_PAUSE_SECONDS
    while True:
        try:
            return write()
        except SQLAlchemyError as error:
            if not is_db_down(error) or time.monotonic() + pause > give_up:
                raise
            log.warning("the database is away", error=type(getattr(error, "orig", None) or error).__name__)
            time.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE_SECONDS)


def durable(write: Callable[P, T]) -> Callable[P, T]:
    """`write` as one transaction, repeated while the database is away: see `retry_while_db_down`."""
    in_transaction = transaction()(write)

    @wraps(write)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> T:
        return retry_while_db_down(lambda: in_transaction(*args, **kwargs))

    return repeated


def is_db_down(error: Exception) -> bool:
    """Whether the database may take the same statement later: it is down, restarting, locked, full or read-only."""
    # psycopg's InternalError: a standby that takes no writes (25006), a session that the server has ended (25P03).
    return isinstance(error, (OperationalError, InterfaceError, InternalError, PoolTimeout)) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


def connect_migrations(app: Flask) -> None:
    """Flask-Migrate, once it is used: Alembic costs 13 MB and a third of a second that no worker needs."""

    def load() -> Any:
        from flask_migrate import Migrate

        Migrate(app, db, render_as_batch=True, compare_type=True)  # takes this proxy's place, and adds `flask db`
        return app.extensions["migrate"]

    app.extensions["migrate"] = LocalProxy(load)


def engine_options(url: str) -> dict[str, Any]:
    """A database that does not answer is noticed within seconds."""
    # An error's text would quote the values of a row.
    options: dict[str, Any] = {"pool_pre_ping": True, "hide_parameters": True}
    if make_url(url).get_backend_name() == "postgresql":
        options["connect_args"] = {"connect_timeout": CONNECT_SECONDS, **_GONE_AFTER}
    return options


def prepare_postgresql(engine: Engine) -> None:
    """A process that is stopped in the middle of a transaction must not stop all others that want the same row.

    Every process, web, worker, tick or command, goes by the database's clock.
    """

    @event.listens_for(engine, "connect")
    def _connect(connection, _record) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_SECONDS}s'")
            cursor.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
            cursor.execute("SET jit = off")  # to compile a page's query takes longer than to run it
        connection.commit()

    @event.listens_for(engine, "checkout")
    def _checkout(connection, _record, _proxy) -> None:
        if clock.is_outdated():
            with connection.cursor() as cursor:
                asked = clock.boottime()
                [database_now] = cursor.execute("SELECT clock_timestamp()").fetchone()
                took = clock.boottime() - asked
            connection.rollback()
            clock.read(database_now, took)


def prepare_sqlite(engine: Engine) -> None:
    """SQLite as several processes need it: WAL, waiting writers, and a write lock taken at BEGIN.

    A transaction that reads first and writes later fails at once with "database is locked" when another has written
    in between; taking the lock at BEGIN makes it wait instead. FULL: a commit in doubt must survive a power cut.
    """

    @event.listens_for(engine, "connect")
    def _connect(connection, _record) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if reads_only.get():
            connection.exec_driver_sql("BEGIN")
        else:
            _take_write_lock(connection)


def _take_write_lock(connection: Connection) -> None:
    """BEGIN IMMEDIATE, tried every few milliseconds.

    SQLite's own waiting sleeps up to 0.1 s between two tries: with ten workers the lock lay idle most of the time.
    """
    sqlite: sqlite3.Connection = connection.connection.dbapi_connection
    give_up = time.monotonic() + BUSY_SECONDS
    sqlite.execute("PRAGMA busy_timeout=0")
    try:
        while time.monotonic() < give_up:
            try:
                sqlite.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
            time.sleep(random.uniform(*_LOCK_RETRY_SECONDS))
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # for its error, which callers know
    finally:
        sqlite.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
