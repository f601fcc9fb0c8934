"""One application for all tests of a process on one kind of database: as new before each test, but not made anew."""

import shutil
from pathlib import Path

import psycopg
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade

from app import create_app
from app.db import db
from app.serving.transfers import Transfers
from tests.postgres import Postgres

MIGRATIONS = str(Path(__file__).parent.parent / "migrations")
# A database whose dead rows take more than this is copied from the template again.
GROWN_BYTES = 1 << 20
# Tests of a module change the environment alike: its applications are made once, and kept until others have been made.
MOST_APPS = 4


def migrate(environment: dict[str, str]) -> None:
    """Makes the tables in the environment's database."""
    with create_app(environment).app_context():
        upgrade(directory=MIGRATIONS)
        db.engine.dispose()


class Browser(FlaskClient):
    """Each request in a context of its own, as in a server; the test's own transaction, and its lock, ends first."""

    def open(self, *args, **kwargs):
        db.session.commit()
        with self.application.app_context():
            return super().open(*args, **kwargs)


class Made:
    """An application that was made for an environment."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = dict(environment)
        self.app: Flask = create_app(environment)
        self._as_made = [(kept, dict(kept)) for kept in (self.app.config, self.app.extensions, self.app.view_functions)]

    def renew(self) -> None:
        for kept, as_made in self._as_made:
            kept.clear()
            kept.update(as_made)
        self.app.extensions["transfers"] = Transfers()  # those that a test has not read to the end


class SharedApp:
    """`files` is the folder of clips and uploads."""

    def __init__(self, files: Path, environment: dict[str, str], database: "SQLiteFile | PostgresDatabase") -> None:
        self.environment = environment
        self._files, self._database = files, database
        self._made: list[Made] = []

    def app(self, environment: dict[str, str]) -> Flask:
        """The application for this environment, or for one that tests have changed, as it was made."""
        for one in self._made:
            if one.environment == environment:
                break
        else:
            one = Made(environment)
            self._made = [*self._made[1 - MOST_APPS :], one]
        one.renew()
        return one.app

    def renew(self) -> None:
        """Undoes what the last test has done."""
        shutil.rmtree(self._files, ignore_errors=True)
        (self._files / "clips").mkdir(parents=True)
        self._database.renew()


class SQLiteFile:
    def __init__(self, template: Path, path: Path) -> None:
        self._template, self._path = template, path
        self.url = f"sqlite:///{path}"
        self.renew()

    def renew(self) -> None:
        """Another file: a process that still has the old one open does no harm."""
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self._template, self._path)


class PostgresDatabase:
    def __init__(self, server: Postgres, template: str, name: str) -> None:
        self._server, self._template, self.name = server, template, name
        self.url = server.create(name, template)
        with self._connect() as connection:
            self._tables, self._bytes = self._shape(connection)
        deletes = [f"DELETE FROM {table}" for table in self._tables if table != "alembic_version"]
        self._empty = ";".join(
            ["SET session_replication_role = replica", *deletes]
        )  # neither triggers nor foreign keys

    def renew(self) -> None:
        """Removes the rows and begins the ids at 1; where tables have changed or grown, by a new copy."""
        with self._connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid != pg_backend_pid()"
            )
            tables, size = self._shape(connection)
            if tables == self._tables and size < self._bytes + GROWN_BYTES:
                connection.execute(self._empty)
                connection.execute(
                    "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false)"
                    " FROM pg_sequences WHERE last_value IS NOT NULL"
                )
                return
        self._server.drop(self.name)
        self._server.create(self.name, self._template)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self._server.address(self.name), autocommit=True)

    @staticmethod
    def _shape(connection: psycopg.Connection) -> tuple[list[str], int]:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        [size] = connection.execute(
            "SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'i')"
        ).fetchone()
        return [name for (name,) in tables], int(size)
