"""The migrations lead there and back, and make what the models say. On both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect

from app import create_app
from app.extensions import db
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


def test_models_and_migrations_do_not_differ(bare):
    upgrade(directory=MIGRATIONS)
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, db.metadata) == []
