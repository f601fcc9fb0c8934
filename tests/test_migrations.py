"""The migrations lead there and back, and make what the models say. On both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import MetaData, inspect, text

from app import clock, create_app
from app.extensions import db
from app.models import User
from app.services import stats
from tests.conftest import MIGRATIONS, settings


@pytest.fixture
def bare(tmp_path: Path, no_database: str, keys: tuple[str, str], redis_url: str) -> Iterator[Flask]:
    app = create_app(settings(tmp_path, no_database, keys, redis_url, "http://127.0.0.1:9"))
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


def triggers() -> list[str]:
    """What the database does by itself, in one line each."""
    if db.engine.dialect.name == "sqlite":
        wanted = ["SELECT sql FROM sqlite_master WHERE type = 'trigger'"]
    else:
        wanted = [
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
            "SELECT prosrc FROM pg_proc WHERE proname LIKE 'note\\_%'",
        ]
    with db.engine.connect() as connection:
        return sorted(" ".join(row[0].split()) for one in wanted for row in connection.execute(text(one)))


def test_tables_made_without_migrations_note_the_same(bare):
    upgrade(directory=MIGRATIONS)
    by_migrations = triggers()
    assert len(by_migrations) >= 3
    downgrade(directory=MIGRATIONS, revision="base")
    assert triggers() == []
    db.create_all()
    assert triggers() == by_migrations


def test_statistics_of_what_was_there_before(bare):
    """Rows that came before the statistics were kept added up."""
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
            [one | {"id": 1, "status": "published"}, one | {"id": 2, "status": "scheduled", "views": None}],
        )
        connection.execute(old.tables["stats_samples"].insert(), {"publication_id": 1, "at": now, "views": 7})
    upgrade(directory=MIGRATIONS)
    report = stats.report(db.session.get(User, 1), 7)
    assert (report.publications, report.sums["views"].value, report.days[-1].gained["views"]) == (1, 7, 7)
    assert [line.title for line in report.clips.rows] == ["Закат"]


def test_models_and_migrations_do_not_differ(bare):
    upgrade(directory=MIGRATIONS)
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, db.metadata) == []
