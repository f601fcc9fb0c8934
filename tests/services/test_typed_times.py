"""Moments as people write them."""

from datetime import UTC, datetime

import pytest

from app import clock
from app.models import User
from app.problems import Problem
from app.services import typed_times

TEN = datetime(2026, 11, 28, 7, tzinfo=UTC)  # 10:00 in Moscow


@pytest.fixture
def owner() -> User:
    clock.correct(datetime(2026, 11, 1, tzinfo=UTC))
    return User(timezone="Europe/Moscow")


@pytest.mark.parametrize(
    "typed",
    [
        "28.11.2026 10:00",
        " 28.11.2026\u00a010:00 ",
        "28.11.26 10:00",
        "28/11/2026 10:00",
        "28-11-2026 10:00",
        "28.11 10:00",
        "28.11.2026, 10:00",
        "28.11.2026 в 10:00",
        "28.11.2026 г. 10.00",
        "28.11.2026 10:00:00",
        "10:00 28.11.2026",
        "10:00, 28 ноября",
        "2026-11-28 10:00",
        "2026-11-28T10:00",
        "2026-11-28T10:00:00.000",
        "2026-11-28T07:00Z",
        "2026-11-28T12:00+05:00",
        "28.11.2026 12:00 +05:00",
        "28.11.2026 10:00 UTC+3",
        "28.11.2026 10:00 МСК",
        "28.11.2026 02:00 \u22125",
        "2026.11.28 10:00",
        "2026/11/28 10:00",
        "28 ноября 2026 10:00",
        "28 Ноября 2026 года, 10:00",
        "28 нояб. 2026, 10:00",
        "суббота, 28 ноября, 10:00",
        "сб, 28 ноября 2026, 10:00",
        "28 ноября в 10:00",
        "２８.１１.２０２６ １０：００",
    ],
)
def test_it_is_understood(owner, typed):
    assert typed_times.parse(owner, typed) == TEN


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "due_missing"),
        (" \u00a0 ", "due_missing"),
        ("28.11.2026", "typed_time_without_hour"),
        ("28 ноября", "typed_time_without_hour"),
        ("10:00", "typed_time_malformed"),
        ("завтра", "typed_time_malformed"),
        ("46354,41667", "typed_time_malformed"),
        ("28.11.2026 10", "typed_time_malformed"),
        ("28.11/2026 10:00", "typed_time_malformed"),
        ("28.11.2026 10:00 28.11.2026", "typed_time_malformed"),
        ("=cmd()", "typed_time_malformed"),
        ("28 foo 2026 10:00", "typed_time_malformed"),
        ("31.02.2027 10:00", "typed_time_impossible"),
        ("29.02 10:00", "typed_time_impossible"),
        ("28.13.2026 10:00", "typed_time_impossible"),
        ("11/28/2026 10:00", "typed_time_impossible"),
        ("28.11.2026 25:00", "typed_time_impossible"),
        ("28.11.2026 10:60", "typed_time_impossible"),
        ("00.00.0000 00:00", "typed_time_impossible"),
        ("01.01.0001 00:00", "typed_time_impossible"),
        ("28.11.2026 10:00 +99", "typed_time_impossible"),
        ("9" * 5000, "typed_time_malformed"),
    ],
)
def test_what_is_not_is_said(owner, typed, code):
    with pytest.raises(Problem) as refused:
        typed_times.parse(owner, typed)
    assert (refused.value.code, refused.value.field) == (code, "due")
    assert refused.value.text and len(refused.value.text) < 200


@pytest.mark.parametrize("date", ["28.11.2026", "28.11.2026 0:00", "2026-11-28 00:00:00", "28 ноября"])
def test_a_time_that_stands_by_itself(owner, date):
    assert typed_times.parse(owner, date, "10:00:00") == TEN
    assert typed_times.parse(owner, "28.11.2026 10:00", " ") == TEN


def test_a_date_without_a_year_is_the_nearest(owner):
    assert typed_times.parse(owner, "05.01 10:00").year == 2027
    assert typed_times.parse(owner, "30.10 10:00").year == 2026  # past, and said to be


def test_around_clock_changes(owner):
    owner.timezone = "Europe/Berlin"
    with pytest.raises(Problem) as refused:
        typed_times.parse(owner, "28.03.2027 02:30")
    assert refused.value.code == "due_skipped"
    assert "03:30" in refused.value.text
    with pytest.raises(Problem) as refused:
        typed_times.parse(owner, "25.10.2026 02:30")
    assert refused.value.code == "typed_time_twice"
    both = [refused.value.params[name] for name in ("first", "second")]
    assert both == ["25.10.2026 02:30 +02:00", "25.10.2026 02:30 +01:00"]
    moments = [typed_times.parse(owner, one) for one in both]
    assert (moments[1] - moments[0]).seconds == 3600
    assert [typed_times.written(owner, one) for one in moments] == both


def test_what_is_written_is_read_again(owner):
    for at in (TEN, TEN.replace(second=30)):
        assert typed_times.parse(owner, typed_times.written(owner, at)) == at
    assert typed_times.written(owner, TEN) == "28.11.2026 10:00"
