"""Several clips spread over days: local times that the clocks leave out or show twice, and moving by days."""

from datetime import UTC, datetime, timedelta

import pytest

from app import clock
from app.problems import Problem
from app.services import due_times, spreading
from app.services.spreading import How


def daily(user, zone: str, first: str, count: int) -> tuple[list[str], list[str]]:
    """The moments in UTC, and the local times that do not exist."""
    owner = user(timezone=zone)
    times = spreading.spread(owner, How.DAILY, due_times.parse(owner, first), 0, count)
    skipped = [time.skipped.strftime("%d %H:%M") for time in times if time.skipped]
    return [time.due_at.strftime("%d %H:%M") for time in times], skipped


@pytest.mark.parametrize(
    ("zone", "first", "moments", "skipped"),
    [
        # 02:30 does not exist on the 28th: the next minute that does is 03:00.
        ("Europe/Berlin", "2027-03-27T02:30", ["27 01:30", "28 01:00", "29 00:30"], ["28 02:30"]),
        ("America/New_York", "2027-03-13T02:59", ["13 07:59", "14 07:00", "15 06:59"], ["14 02:59"]),
        ("Europe/Kaliningrad", "2027-03-27T02:30", ["27 00:30", "28 00:30", "29 00:30"], []),
        # 02:30 comes twice on the 31st: the first.
        ("Europe/Berlin", "2027-10-30T02:30", ["30 00:30", "31 00:30", "01 01:30"], []),
        ("America/New_York", "2027-11-06T01:30", ["06 05:30", "07 05:30", "08 06:30"], []),
        # The same time of the day on both sides of the change.
        ("Europe/Berlin", "2027-03-27T10:00", ["27 09:00", "28 08:00", "29 08:00"], []),
        ("Europe/Berlin", "2027-10-30T10:00", ["30 08:00", "31 09:00", "01 09:00"], []),
    ],
)
def test_each_day_at_the_same_local_time(user, zone, first, moments, skipped):
    assert daily(user, zone, first, 3) == (moments, skipped)


def test_the_first_one_is_the_moment_that_was_chosen(user):
    owner = user(timezone="Europe/Berlin")
    first = due_times.parse(owner, "2027-10-31T02:30", "second")
    times = spreading.spread(owner, How.DAILY, first, 0, 2)
    assert [time.due_at for time in times] == [
        datetime(2027, 10, 31, 1, 30, tzinfo=UTC),
        datetime(2027, 11, 1, 1, 30, tzinfo=UTC),
    ]


def test_every_so_many_hours_whatever_the_clocks_show(user):
    owner = user(timezone="Europe/Berlin")
    first = due_times.parse(owner, "2027-03-28T01:00")
    times = spreading.spread(owner, How.EVERY, first, 6, 4)
    assert [time.due_at - first for time in times] == [timedelta(hours=6 * number) for number in range(4)]


def test_now_has_no_time(user):
    assert [time.due_at for time in spreading.spread(user(), How.NOW, None, 0, 3)] == [None] * 3
    assert spreading.spread(user(), How.DAILY, clock.now(), 0, 0) == []


@pytest.mark.parametrize("typed", ["", "0", "-1", "1.5", "²", "٩", "745", "9" * 30, "час"])
def test_hours_that_are_none(typed):
    with pytest.raises(Problem, match="spread_hours_malformed"):
        spreading.parse_hours(typed)


def test_days_later_keep_the_time_of_the_day(user):
    owner = user(timezone="Europe/Berlin")
    before = due_times.parse(owner, "2027-03-27T10:00")
    assert spreading.later_by_days(owner, before, 1) == before + timedelta(hours=23)
    assert spreading.later_by_days(owner, before, -1) == before - timedelta(days=1)
