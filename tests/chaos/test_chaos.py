"""A short chaos run on each database. The long one: `make chaos`."""

import pytest

from tests.chaos.run import run
from tests.conftest import POSTGRESQL, SQLITE, WITHOUT_POSTGRESQL

DATABASES = [SQLITE] if WITHOUT_POSTGRESQL else [SQLITE, POSTGRESQL]


@pytest.mark.parametrize(("database", "vk_route"), list(zip(DATABASES, ("clips", "video"), strict=False)))
def test_each_clip_is_published_once_or_reported_despite_faults(tmp_path, database, vk_route):
    report = run(
        tmp_path,
        publications=16,
        seed=5,
        database_url="" if database == SQLITE else database,
        vk_route=vk_route,
        workers=3,
        trouble=True,
        seconds=6,
        limit=300,
    )
    assert report.passed, report.table()
    assert report.statuses.total() >= 16
