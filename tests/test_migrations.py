"""The migrations lead there and back, keep what is in the tables, and make what the models say. On both databases."""

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from textwrap import indent

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import Column, Integer, MetaData, func, inspect, select, text
from sqlalchemy.exc import IntegrityError

from app import clock, create_app
from app.db import db
from app.models import User
from app.models.types import UTCDateTime
from app.statistics import report
from tests.conftest import settings
from tests.procfile import ROOT, environ
from tests.shared_app import MIGRATIONS


@pytest.fixture
def bare_settings(tmp_path: Path, no_database: str, keys: tuple[str, str], redis_url: str) -> dict[str, str]:
    return settings(tmp_path, no_database, keys, redis_url, "http://127.0.0.1:9")


@pytest.fixture
def bare(bare_settings: dict[str, str]) -> Iterator[Flask]:
    app = create_app(bare_settings)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def tables() -> set[str]:
    return set(inspect(db.engine).get_table_names()) - {"alembic_version"}


def test_up_and_down_and_up_again(bare):
    upgrade(directory=MIGRATIONS)
    assert tables() == set(db.metadata.tables)
    downgrade(directory=MIGRATIONS, revision="base")
    assert tables() == set()
    upgrade(directory=MIGRATIONS)
    assert tables() == set(db.metadata.tables)


def test_statistics_of_what_was_there_before(bare):
    """Increments are counted from the samples that were there: also of a deleted clip, which has a title only."""
    upgrade(directory=MIGRATIONS, revision="0005")
    with db.engine.begin() as connection:
        old = MetaData()
        old.reflect(connection)
        now = clock.now().replace(tzinfo=None) if connection.dialect.name == "sqlite" else clock.now()
        person = {"id": 1, "email": "a@example.org", "password_hash": "", "session_key": "", "name": "Тест"}
        person |= {"timezone": "Asia/Kathmandu", "plan_key": "pro", "is_admin": False, "created_at": now}
        one = {"user_id": 1, "platform": "vk", "account_id": "1", "account_name": "Канал", "title": "Закат"}
        one |= {"description": "", "search_text": "", "due_at": now, "created_at": now, "views": 7}
        one |= dict.fromkeys(("fence", "attempt", "crashes", "not_there"), 0) | {"committed": False}
        connection.execute(old.tables["users"].insert(), person)
        connection.execute(
            old.tables["publications"].insert(),
            [
                one | {"id": 1, "status": "published"},
                one | {"id": 2, "status": "scheduled", "views": None},
                one | {"id": 3, "status": "published", "platform": "rutube"},
            ],
        )
        samples = [(1, 5, 4), (1, 4, 3), (1, 0, 7), (3, 100, 2), (3, 0, 7)]
        connection.execute(
            old.tables["stats_samples"].insert(),
            [{"publication_id": one, "at": now - timedelta(days=ago), "views": views} for one, ago, views in samples],
        )
    upgrade(directory=MIGRATIONS)
    shown = report.report(db.session.get(User, 1), 7)
    assert (shown.publications, shown.sums["views"].value) == (2, 12)
    assert [day.gained["views"] for day in shown.days] == [0, 4, 0, 0, 0, 0, 8]
    assert [line.sums["views"].value for line in shown.platforms] == [7, 5]
    assert [(line.title, line.sums["views"].value) for line in shown.clips.rows] == [("Закат", 12)]


def test_models_and_migrations_do_not_differ(bare):
    upgrade(directory=MIGRATIONS)
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, db.metadata) == []


def fill(rows: int = 2) -> None:
    """Rows in every table, whatever tables there are."""
    with db.engine.begin() as connection:
        for table in db.metadata.sorted_tables:
            if not connection.scalar(select(func.count()).select_from(table)):
                values = [{column.name: made_up(column, number) for column in table.c} for number in range(1, rows + 1)]
                connection.execute(table.insert(), values)


def made_up(column: Column, number: int) -> object:
    if column.foreign_keys or (column.name == "id" and isinstance(column.type, Integer)):
        return number
    if column.name == "status" and column.type.python_type is str:
        return "published"
    if isinstance(column.type, UTCDateTime):
        return clock.now()
    values = {int: number, float: number / 2, bool: number > 1, bytes: bytes([number]), date: clock.now().date()}
    if column.type.python_type is str:
        return f"«{column.name}» {number}"[: column.type.length]
    return values.get(column.type.python_type, {"n": number})  # JSON


def contents() -> dict[str, dict[str, list]]:
    """Each table's columns, each column's values by primary key, as the database has them."""
    with db.engine.connect() as connection:
        there = inspect(connection)
        found = {}
        for table in there.get_table_names():
            if table != "alembic_version":
                key = ", ".join(there.get_pk_constraint(table)["constrained_columns"])
                rows = connection.execute(text(f"SELECT * FROM {table} ORDER BY {key}"))
                names = list(rows.keys())
                values = rows.all()
                found[table] = {name: [row[place] for row in values] for place, name in enumerate(names)}
        return found


def lost(before: dict, after: dict) -> list[str]:
    """The columns on both sides whose values differ."""
    return [
        f"{table}.{column}"
        for table in before.keys() & after.keys()
        for column in before[table].keys() & after[table].keys()
        if before[table][column] != after[table][column]
    ]


def revision() -> str:
    with db.engine.connect() as connection:
        return connection.scalar(text("SELECT version_num FROM alembic_version"))


def test_filled_tables_keep_their_rows_all_the_way_down_and_up(bare):
    upgrade(directory=MIGRATIONS)
    fill()
    newest, *older = [script.revision for script in ScriptDirectory(MIGRATIONS).walk_revisions()]
    down = [(downgrade, step) for step in older]
    up = [(upgrade, step) for step in [*reversed(older[:-1]), newest]]
    before = contents()
    assert min(len(values) for columns in before.values() for values in columns.values()) == 2
    for move, step in down + up:
        move(directory=MIGRATIONS, revision=step)
        after = contents()
        assert lost(before, after) == [], (move, step)
        before = after
    assert revision() == newest


@pytest.fixture
def future(bare: Flask, tmp_path: Path) -> Callable[..., str]:
    """The folder of the migrations, with more that a developer may write one day: `future("op.…", "op.…")`."""

    def write(*changes: str) -> str:
        folder = tmp_path / "migrations"
        shutil.copytree(MIGRATIONS, folder)
        for number, change in enumerate(changes, 9001):
            before = number - 1 if number > 9001 else ScriptDirectory(MIGRATIONS).get_current_head()
            (folder / "versions" / f"{number}.py").write_text(
                "import os, signal\nimport sqlalchemy as sa\nfrom alembic import op\n"
                f"revision, down_revision = '{number}', '{before}'\n"
                f"def upgrade():\n{indent(change, '    ')}\n"
            )
        return str(folder)

    return write


LONGER_TITLES = """
for table in ("publications", "clips"):
    with op.batch_alter_table(table) as batch:
        batch.alter_column("title", type_=sa.String(300), existing_nullable=False)
with op.batch_alter_table("users") as batch:
    batch.add_column(sa.Column("colour", sa.String(16), server_default="blue", nullable=False))
    batch.alter_column("name", type_=sa.String(100), existing_nullable=False)
"""


def indexes() -> list[str]:
    on_sqlite = db.engine.dialect.name == "sqlite"
    wanted = "sql FROM sqlite_master WHERE type = 'index'" if on_sqlite else "indexdef FROM pg_indexes"
    with db.engine.connect() as connection:
        found = connection.scalars(text(f"SELECT {wanted}")).all()
    return sorted(" ".join(one.split()) for one in found if one and "pg_" not in one)


def test_a_change_of_a_table_keeps_its_rows_and_indexes(bare, future):
    upgrade(directory=MIGRATIONS)
    fill()
    before, found_by = contents(), indexes()
    upgrade(directory=future(LONGER_TITLES))
    assert lost(before, contents()) == [] and before.keys() == contents().keys()
    assert indexes() == found_by
    titles = {column["name"]: column["type"] for column in inspect(db.engine).get_columns("publications")}
    assert titles["title"].length == 300
    with db.engine.begin() as connection:  # the foreign keys act
        connection.execute(text("DELETE FROM users WHERE id = 1"))
        assert connection.scalar(text("SELECT count(*) FROM publications")) == 1


def everything() -> tuple:
    return revision(), contents(), indexes()


def test_a_migration_that_fails_changes_nothing_and_can_be_tried_again(bare, future):
    upgrade(directory=MIGRATIONS)
    fill()
    before = everything()
    folder = future(LONGER_TITLES, LONGER_TITLES.replace("colour", "size") + "1 / 0")
    with pytest.raises(ZeroDivisionError):
        upgrade(directory=folder)
    assert everything() == before
    script = Path(folder, "versions", "9002.py")
    script.write_text(script.read_text().replace("1 / 0", ""))
    upgrade(directory=folder)
    assert revision() == "9002" and lost(before[1], contents()) == []


def test_a_migration_that_is_killed_changes_nothing(bare, bare_settings, future):
    upgrade(directory=MIGRATIONS)
    fill()
    before = everything()
    folder = future(LONGER_TITLES, LONGER_TITLES.replace("colour", "size") + "os.kill(os.getpid(), signal.SIGKILL)")
    command = ["flask", "--app", "wsgi", "db", "upgrade", "--directory", folder]
    done = subprocess.run(command, cwd=ROOT, env=environ(bare_settings), capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert everything() == before


def test_rows_must_not_be_left_without_what_they_refer_to(bare, future):
    upgrade(directory=MIGRATIONS)
    fill()
    before = everything()
    with pytest.raises((SystemExit, IntegrityError)):
        upgrade(directory=future("op.execute('UPDATE publications SET clip_id = 77')"))
    assert everything() == before


def test_no_foreign_keys_are_off_after_a_migration(bare):
    upgrade(directory=MIGRATIONS)
    fill()
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM users"))
        assert connection.scalar(text("SELECT count(*) FROM clips")) == 0
