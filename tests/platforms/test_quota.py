"""A platform's day for the whole installation."""

from datetime import UTC, datetime, timedelta

import pytest

from app.platforms.quota import DailyQuota

QUOTA = DailyQuota("toy:uploads", 2, "America/Los_Angeles")


@pytest.mark.parametrize(
    ("now", "ends_at"),
    [
        (datetime(2026, 11, 3, 7, 59, tzinfo=UTC), datetime(2026, 11, 3, 8, tzinfo=UTC)),
        (datetime(2026, 11, 3, 8, 0, tzinfo=UTC), datetime(2026, 11, 4, 8, tzinfo=UTC)),
        (datetime(2026, 7, 1, 12, tzinfo=UTC), datetime(2026, 7, 2, 7, tzinfo=UTC)),
        (datetime(2026, 11, 1, 7, 30, tzinfo=UTC), datetime(2026, 11, 2, 8, tzinfo=UTC)),  # the clocks are set back
        (datetime(2026, 3, 8, 8, 30, tzinfo=UTC), datetime(2026, 3, 9, 7, tzinfo=UTC)),  # and forward
    ],
)
def test_a_day_ends_at_midnight_there(now, ends_at):
    assert QUOTA.ends_at(now) == ends_at
    assert QUOTA.window(now).key == QUOTA.window(ends_at - timedelta(seconds=1)).key
    assert QUOTA.window(now).key != QUOTA.window(ends_at).key
