"""Reading the counts: when, in how many calls, and what is left when something goes wrong."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import current_app

from app import clock
from app.db import commit, db, transaction
from app.models import Clip, DailyIncrement, Publication, StatsSample, Status, User
from app.platform_access import tokens
from app.platforms.base import Receipt
from app.publishing import receipts
from app.publishing.lease import Lease
from app.services import connections, publications
from app.services.publications import Choice
from app.statistics import cadence, collector
from tests.edges import committed
from tests.publishing.conftest import at_work, read_stats, row, settle, too_late_to_undo, wait_until
from tests.questions import connect_vk_page

BORN = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))


# When


@pytest.mark.parametrize(
    ("age", "next_age"),
    [
        (0 * SECOND, 5 * SECOND),
        (5 * SECOND, MINUTE),
        (70 * SECOND, 5 * MINUTE),
        (5 * MINUTE, 15 * MINUTE),
        (20 * MINUTE, HOUR),
        (61 * MINUTE, 2 * HOUR),
        (23.5 * HOUR, DAY),
        (DAY, 2 * DAY),
        (5.3 * DAY, 6 * DAY),
        (30 * DAY, 35 * DAY),
        (100 * DAY, 105 * DAY),
        (180 * DAY, None),
        (400 * DAY, None),
    ],
)
def test_often_at_first_rarely_later_then_never(age, next_age):
    assert cadence.after(BORN + age, BORN) == (None if next_age is None else BORN + next_age)


def test_half_a_years_readings_are_few():
    moment, count = cadence.first(BORN), 0
    while moment:
        moment, count = cadence.after(moment, BORN), count + 1
    assert count < 90


# Publications on the sandbox's channel


@pytest.fixture
def posted(owner, ready_clip, telegram, sandbox) -> Callable[..., Publication]:
    """A clip that has just been published in the demo channel, with `views` there."""

    def make(views: int | None = 7, **facts) -> Publication:
        connection = telegram(owner)
        connection.facts = {**connection.facts, **facts}
        db.session.commit()
        clip = ready_clip(owner)
        [one] = publications.publish(owner, clip.id, [Choice(connection.id, clip.title, "")])
        commit()
        done = settle(one.id)
        assert done.status == Status.PUBLISHED, done.detail
        sandbox.control("stats", platform="telegram", id=done.external_id, views=views)
        db.session.expunge(done)  # what it was then: it outlives the sessions of the jobs
        return done

    return make


def change(one: Publication, **values) -> None:
    with transaction():
        db.session.execute(db.update(Publication).where(Publication.id == one.id).values(**values))


def tick() -> list[int]:
    """The ids that the tick hands out now."""
    db.session.rollback()
    handed: list[int] = []
    with current_app.app_context():
        collector.release_due(lambda ids: bool(handed.extend(ids)) or True)
    return handed


def read(connection_id: int) -> None:
    db.session.rollback()
    with current_app.app_context():
        collector.read(connection_id)


def widgets(sandbox) -> int:
    return len([one for one in sandbox.requests if one["path"].startswith("/telegram-web/")])


def test_the_first_reading_comes_seconds_after_publishing(posted):
    one = posted()
    assert timedelta(0) < one.stats_due_at - one.published_at <= timedelta(seconds=10)
    assert tick() == []
    wait_until(one.stats_due_at)
    assert tick() == [one.connection_id]


@pytest.mark.parametrize("status", [Status.UNCONFIRMED, Status.AWAITING_USER])
def test_also_when_the_user_has_confirmed_it(owner, posted, status):
    one = posted()
    change(one, status=status, stats_due_at=None)
    publications.confirm(db.session.get(User, one.user_id), one.id, "https://t.me/vezde_demo/1")
    commit()
    assert row(one.id).stats_due_at


def test_also_when_the_receipt_came_late(posted):
    one = posted()
    change(one, status=Status.FAILED, stats_due_at=None)
    receipts.record(Lease(one.id, one.fence, set_deadline=print), "send", Receipt("1", "https://t.me/x/1"), b"sealed")
    assert (row(one.id).status, bool(row(one.id).stats_due_at)) == (Status.PUBLISHED, True)


def test_a_reading_moves_the_card_on_and_is_remembered(posted):
    one = posted(views=1290)
    version = db.session.get(Clip, one.clip_id).version
    read_stats(one.id)
    now = row(one.id)
    assert (now.views, now.likes, now.shares) == (1200, None, None)
    assert now.stats_at
    assert now.stats_due_at > clock.now()
    assert now.clip.version > version
    [sample] = db.session.query(StatsSample)
    assert (sample.publication_id, sample.views) == (one.id, 1200)
    gained = [(row.clip_id, row.platform, row.views) for row in db.session.query(DailyIncrement)]
    assert sorted(gained, key=str) == [(one.clip_id, None, 1200), (None, "telegram", 1200)]


def test_the_same_numbers_again_change_nothing(posted):
    one = posted()
    read_stats(one.id)
    version = db.session.get(Clip, one.clip_id).version
    read_stats(one.id)
    assert db.session.query(StatsSample).count() == 1
    assert db.session.get(Clip, one.clip_id).version == version
    wait_until(clock.now() + timedelta(days=2))
    read_stats(one.id)
    assert db.session.query(StatsSample).count() == 2, "once a day they leave a trace"


def test_one_job_an_account_and_nothing_for_a_second_one(posted, sandbox):
    first, second = posted(), posted()
    wait_until(second.stats_due_at)
    assert tick() == [first.connection_id], "one for both"
    assert tick() == [], "it is on its way"
    read(first.connection_id)
    assert widgets(sandbox) == 2
    read(first.connection_id)
    assert widgets(sandbox) <= 4, "a job that comes twice reads at most what is due in a moment"


def test_a_wake_up_that_was_lost_comes_again(posted):
    one = posted()
    wait_until(one.stats_due_at)
    assert tick() == [one.connection_id]
    wait_until(clock.now() + collector.LOST_AFTER)
    assert tick() == [one.connection_id]


def test_while_the_queue_is_away_nothing_is_forgotten(posted):
    one = posted()
    wait_until(one.stats_due_at)
    db.session.rollback()
    assert collector.release_due(lambda _ids: False) == 0
    assert tick() == [one.connection_id]


def test_what_could_not_be_handed_over_is_found_again_at_once(posted):
    one = posted()
    wait_until(one.stats_due_at)

    def fail(_ids: list[int]) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        at_work(collector.release_due, fail)
    assert tick() == [one.connection_id]


def test_a_worker_that_died_in_it_is_followed_by_another(posted):
    one = posted()
    wait_until(one.stats_due_at)
    db.session.rollback()
    assert len(collector.claim(one.connection_id, 10)) == 1
    assert collector.claim(one.connection_id, 10) == []
    wait_until(row(one.id).stats_due_at)
    assert tick() == [one.connection_id]


# What is left when something goes wrong


def test_a_private_channel_has_no_numbers_and_is_not_asked(posted, sandbox):
    one = posted(username=None)
    read_stats(one.id)
    now = row(one.id)
    assert (now.views, now.likes) == (None, None)
    assert now.stats_at
    assert widgets(sandbox) == 0
    assert db.session.query(StatsSample).count() == 0


def test_as_long_as_the_platform_asks(posted, sandbox):
    one = posted()
    sandbox.trouble({"match": "telegram-web", "do": "error:429", "retry_after": 400})
    before = clock.now()
    read_stats(one.id)
    assert row(one.id).stats_due_at - before >= timedelta(seconds=400)
    assert row(one.id).views is None


def test_one_that_fails_does_not_keep_the_others_from_being_read(posted, sandbox):
    good, bad = posted(), posted()
    sandbox.trouble({"match": rf"telegram-web/vezde_demo/{bad.external_id}$", "do": "garbage"})
    read_stats(bad.id, good.id)
    assert row(good.id).views == 7
    assert row(bad.id).views is None


def test_a_platform_that_is_down_is_not_asked_about_each(posted, sandbox):
    ids = [posted().id for _ in range(4)]
    sandbox.trouble({"match": "telegram-web", "do": "status:502"})
    read_stats(*ids)
    assert widgets(sandbox) == 2
    assert all(row(one).stats_due_at > clock.now() for one in ids)


def test_a_disconnected_account_is_asked_no_more(owner, posted):
    one = posted()
    read_stats(one.id)
    committed(connections.disconnect(owner, one.connection_id))
    too_late_to_undo()
    wait_until(row(one.id).stats_due_at)
    assert tick() == []
    now = row(one.id)
    assert (now.views, now.stats_due_at) == (7, None)


def test_a_publication_without_an_id_is_asked_for_no_more(posted, sandbox):
    one = posted()
    change(one, external_id=None)
    read_stats(one.id)
    assert (row(one.id).stats_due_at, widgets(sandbox)) == (None, 0)


def test_a_platform_without_numbers_is_asked_for_no_more(app, toy, toy_publication):
    publication_id = settle(toy_publication()).id
    read_stats(publication_id)
    assert (row(publication_id).stats_due_at, row(publication_id).stats_at) == (None, None)


def test_an_account_to_reconnect_is_left_alone(owner, ready_clip, sandbox):
    connection = connect_vk_page(owner)
    [made] = publications.publish(owner, ready_clip(owner).id, [Choice(connection.id, "Закат", "")])
    commit()
    publication_id, connection_id = settle(made.id).id, connection.id
    assert tokens.require_reconnect(connection_id, tokens.open_token(row(publication_id).connection))
    asked = len(sandbox.requests)
    read_stats(publication_id)
    assert len(sandbox.requests) == asked
    assert row(publication_id).stats_due_at > clock.now() + timedelta(minutes=30)


def test_what_is_too_old_and_fails_is_let_go(posted, sandbox):
    one = posted()
    change(one, published_at=clock.now() - timedelta(days=200))
    sandbox.trouble({"match": "telegram-web", "do": "status:502"})
    read_stats(one.id)
    assert row(one.id).stats_due_at is None


def test_only_what_is_published_is_counted(posted):
    one = posted()
    change(one, status=Status.CANCELLED)
    wait_until(row(one.id).stats_due_at)
    assert tick() == []
