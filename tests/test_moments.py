"""Moments as people say them, each in the zone of its user."""

from datetime import UTC, datetime

import pytest

from app import clock
from app.texts import moments


@pytest.fixture(autouse=True)
def noon(app, request):
    """It is Saturday, 28 November 2026, 15:00 in Moscow."""
    clock.correct(datetime(2026, 11, 28, 12, tzinfo=UTC))
    yield
    clock.correct(datetime.now(UTC))


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ((2026, 11, 28, 16, 0), "сегодня в\xa019:00"),
        ((2026, 11, 29, 7, 0), "завтра в\xa010:00"),
        ((2026, 11, 28, 21, 0), "завтра в\xa000:00"),  # of the user's day, not of Greenwich's
        ((2026, 11, 27, 20, 59), "вчера в\xa023:59"),
        ((2026, 12, 5, 7, 0), "сб, 5 декабря, 10:00"),
        ((2026, 11, 26, 7, 5), "чт, 26 ноября, 10:05"),
        ((2026, 12, 31, 21, 0), "пт, 1 января 2027, 00:00"),
    ],
)
def test_near_and_far(at, said):
    assert moments.near(datetime(*at, tzinfo=UTC), "Europe/Moscow") == said


def test_the_same_moment_is_another_day_elsewhere():
    at = datetime(2026, 11, 28, 13, 30, tzinfo=UTC)
    assert moments.near(at, "Asia/Kamchatka") == "сегодня в\xa001:30"  # where it is Sunday already
    assert moments.near(at, "America/New_York") == "сегодня в\xa008:30"
    assert moments.whole(at, "Asia/Kamchatka") == "воскресенье, 29 ноября 2026, 01:30 (UTC+12)"
    assert moments.whole(at, "America/St_Johns") == "суббота, 28 ноября 2026, 10:00 (UTC−3:30)"


def test_letters_say_no_day_that_ages():
    assert moments.dated(datetime(2026, 11, 29, 7, tzinfo=UTC), "Europe/Moscow") == "вс, 29 ноября, 10:00"
    assert moments.day(datetime(2026, 11, 29, tzinfo=UTC), "Europe/Moscow") == "29\xa0ноября"
    assert moments.day(datetime(2027, 1, 1, tzinfo=UTC), "Europe/Moscow") == "1\xa0января\xa02027"


def test_a_page_has_it_whole_in_the_title(user, sign_in):
    page = sign_in(user(timezone="Asia/Omsk")).get("/settings/security").text
    assert 'data-utc-minutes="360"' in page
    assert 'title="суббота, 28 ноября 2026, 18:00 (UTC+6)" data-offset="UTC+6">сегодня в\xa018:00</time>' in page
