"""The best hours come from the user's own publications, and there are none where these are too few."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from app import clock
from app.db import commit, db
from app.models import PlatformConnection, Publication, StatsSample, Status, User
from app.services import account_sets, set_overviews, slots
from app.statistics.best_hours import NOTHING, BestHours, best_hours, posts_of

MOSCOW = "Europe/Moscow"
# Three weeks ago, so that every clip of the test has had its three days.
MONDAY = datetime(2027, 3, 1, tzinfo=clock.zone(MOSCOW))
NOW = MONDAY + timedelta(days=21)
THURSDAY = MONDAY + timedelta(days=3, hours=19)


@pytest.fixture(autouse=True)
def now(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def channel(owner, telegram) -> PlatformConnection:
    return telegram(owner)


Publish = Callable[..., None]


@pytest.fixture
def published(owner: User, channel: PlatformConnection) -> Publish:
    def publish(at: datetime, views: int | None, *, where=channel, whose=owner, age=timedelta(days=2, hours=1)) -> None:
        one = Publication(
            user_id=whose.id,
            connection_id=where.id,
            platform=where.platform,
            account_id=where.account_id,
            account_name=where.account_name,
            title="Закат",
            status=Status.PUBLISHED,
            due_at=at,
            published_at=at,
        )
        db.session.add(one)
        db.session.flush()
        db.session.add(StatsSample(publication_id=one.id, at=at + age, views=views))
        db.session.flush()

    return publish


def usual(published: Publish, count: int, views: int = 100) -> None:
    """One a day at noon, so that none of them makes an hour."""
    for number in range(count):
        published(MONDAY + timedelta(days=number % 7, hours=8 + number // 7), views)


def found(owner: User, *accounts: PlatformConnection) -> BestHours:
    commit()
    return best_hours(posts_of(owner.id), [one.id for one in accounts], MOSCOW)


def hours(best: BestHours) -> list[tuple[int, int, int, float]]:
    return [(one.weekday, one.hour, one.posts, one.gain) for one in best.hours]


def test_an_hour_with_more_views_than_usual(owner, channel, published):
    usual(published, 11)
    for minutes, views in ((0, 180), (20, 200), (59, 220)):
        published(THURSDAY + timedelta(minutes=minutes), views)
    best = found(owner, channel)
    assert best.posts == 14
    assert hours(best) == [(3, 19, 3, 2.0)]
    assert best_hours(posts_of(owner.id), [channel.id], "Asia/Vladivostok").hours[0].hour == 2  # on Friday there


def test_too_few_say_nothing(owner, channel, published):
    usual(published, 6)
    for _ in range(3):
        published(THURSDAY, 200)
    assert found(owner, channel) == NOTHING
    published(MONDAY, 100)
    assert hours(found(owner, channel)) == [(3, 19, 3, 2.0)]
    assert found(owner) == NOTHING


def test_two_in_an_hour_are_too_few_for_it(owner, channel, published):
    usual(published, 10)
    for _ in range(2):
        published(THURSDAY, 200)
    assert found(owner, channel) == BestHours(12, [])


def test_one_viral_clip_makes_no_hour(owner, channel, published):
    usual(published, 10)
    for views in (90, 100, 1_000_000):
        published(THURSDAY, views)
    assert found(owner, channel).hours == []


def test_an_account_is_compared_with_itself(owner, channel, published, telegram):
    """A large channel that always publishes at the same hour does not make that hour better."""
    large = telegram(owner, chat_id=-1001000000009)
    usual(published, 10)
    for week in range(2):
        for minutes in range(3):
            published(THURSDAY + timedelta(weeks=week, minutes=minutes), 50_000, where=large)
    assert found(owner, channel, large) == BestHours(16, [])


def test_what_does_not_count(owner, user, channel, published, telegram):
    usual(published, 9)
    other = user()
    published(THURSDAY, 200, whose=other)
    published(THURSDAY, None)
    published(THURSDAY, 200, age=timedelta(hours=2))  # the counts were away afterwards
    published(THURSDAY, 200, age=timedelta(days=4))
    published(NOW - timedelta(days=2), 200)  # too young
    published(NOW - timedelta(days=181), 200)
    published(THURSDAY, 200, where=telegram(owner, chat_id=-1001000000009))
    assert found(owner, channel) == NOTHING


def test_an_account_without_views(owner, channel, published):
    usual(published, 12, views=0)
    assert found(owner, channel) == NOTHING


def test_an_hour_that_has_its_slot_is_not_suggested(owner, channel, published):
    usual(published, 10)
    for day in (1, 3):
        for _ in range(3):
            published(MONDAY + timedelta(days=day, hours=19), 150 + 10 * day)
    one = account_sets.save(owner, "Вечер", [channel.id])
    assert [hour.weekday for hour in set_overviews.get(owner, one.id).best.hours] == [3, 1]
    slots.add(owner, one.id, [3], [19 * 60])
    commit()
    [overview] = set_overviews.all_of(owner)
    assert [hour.weekday for hour in overview.best.hours] == [1]
    assert overview.best.posts == 16
