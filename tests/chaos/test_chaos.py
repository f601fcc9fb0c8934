"""A short chaos run on each database. The long one: `make chaos`."""

import pytest

from tests.chaos.run import run
from tests.conftest import POSTGRESQL, SQLITE, WITHOUT_POSTGRESQL

DATABASES = [SQLITE] if WITHOUT_POSTGRESQL else [SQLITE, POSTGRESQL]


@pytest.mark.parametrize(("database", "vk_route"), list(zip(DATABASES, ("clips", "video"), strict=False)))
def test_whatever_breaks_each_clip_is_there_once_or_we_say_so(tmp_path, database, vk_route):
    verdict = run(
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
    assert verdict.kept, verdict.table()
    assert verdict.statuses.total() >= 16
