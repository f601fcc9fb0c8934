"""«Запланировать»: what a typed time means in the user's zone, and from when to when it may be."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from app import clock, queue
from app.db import commit, db
from app.models import Publication, PublicationEvent, Status
from app.problems import NotFound, Problem
from app.queue import table
from app.services import due_times, history, moves, publications
from app.services.publications import Choice, Item


@pytest.fixture
def at() -> Iterator[Callable[..., None]]:
    """`at(2027, 3, 1, 12)`: it is noon of that day, UTC."""
    yield lambda *moment: clock.correct(datetime(*moment, tzinfo=UTC))
    clock.correct(datetime.now(UTC))


@pytest.fixture
def channel_and_clip(user, telegram, ready_clip):
    owner = user()
    return owner, telegram(owner), ready_clip(owner)


def check(owner, typed: str) -> None:
    due_times.check(owner, due_times.parse(owner, typed))


def in_hours(hours: float) -> datetime:
    return (clock.now() + timedelta(hours=hours)).replace(second=0, microsecond=0)


@pytest.mark.parametrize(
    ("zone", "local", "utc"),
    [
        ("Europe/Kaliningrad", "2027-03-28T02:30", (2027, 3, 28, 0, 30)),  # where its neighbours put the clocks forward
        ("Europe/Kaliningrad", "2027-01-01T00:00", (2026, 12, 31, 22, 0)),
        ("Asia/Kamchatka", "2027-03-08T00:10", (2027, 3, 7, 12, 10)),
        ("America/New_York", "2027-03-14T01:59", (2027, 3, 14, 6, 59)),
        ("America/New_York", "2027-03-14T03:00", (2027, 3, 14, 7, 0)),
        ("America/New_York", "2027-11-07T00:59", (2027, 11, 7, 4, 59)),
        ("America/New_York", "2027-11-07T02:00", (2027, 11, 7, 7, 0)),
    ],
)
def test_the_time_is_the_users(at, user, zone, local, utc):
    at(2026, 12, 1)
    assert due_times.parse(user(timezone=zone), local) == datetime(*utc, tzinfo=UTC)


def test_a_time_that_the_clocks_leave_out(at, user):
    at(2027, 3, 1)
    with pytest.raises(Problem, match="due_skipped") as said:
        due_times.parse(user(timezone="America/New_York"), "2027-03-14T02:30")
    assert said.value.field == "due"
    assert "часы переводят вперёд. Выберите другое, например вс, 14 марта, 03:30." in said.value.text


def test_a_time_that_comes_twice(at, user):
    at(2027, 11, 1)
    owner, local = user(timezone="America/New_York"), "2027-11-07T01:30"
    with pytest.raises(Problem, match="due_ambiguous") as said:
        due_times.parse(owner, local)
    assert said.value.field == "occurrence"
    first, second = datetime(2027, 11, 7, 5, 30, tzinfo=UTC), datetime(2027, 11, 7, 6, 30, tzinfo=UTC)
    assert due_times.occurrences(owner, local) == {"first": first, "second": second}
    assert due_times.parse(owner, local, "first") == first
    assert due_times.parse(owner, local, "second") == second
    assert due_times.occurrences(owner, "2027-11-07T02:30") == due_times.occurrences(owner, "") == {}
    # Which of two counts only where there are two.
    assert due_times.parse(owner, "2027-11-07T02:30", "second") == datetime(2027, 11, 7, 7, 30, tzinfo=UTC)


def test_five_minutes_ahead_and_not_less(at, user):
    owner = user()
    at(2027, 5, 1, 9, 0, 1)
    with pytest.raises(Problem, match="due_too_soon") as said:
        check(owner, "2027-05-01T12:05")
    assert said.value.text == "Слишком скоро: нужно хотя бы 5 минут. Ближайшее — сегодня в\xa012:07."
    check(owner, "2027-05-01T12:06")
    due_times.check(owner, due_times.earliest())
    with pytest.raises(Problem, match="due_in_past"):
        check(owner, "2027-05-01T12:00")


def test_a_year_ahead_and_not_more(at, user):
    owner = user()
    at(2027, 5, 1, 9)
    due_times.check(owner, due_times.latest())
    with pytest.raises(Problem, match="due_too_late") as said:
        due_times.check(owner, due_times.latest() + timedelta(minutes=1))
    assert said.value.text == "Это больше чем через год. Самое позднее — пн, 1 мая 2028, 12:00."


@pytest.mark.parametrize("moment", [(2027, 5, 1, 9, 4), (2027, 4, 30), (2028, 5, 1, 9, 1)])
def test_the_range_holds_for_every_caller(at, channel_and_clip, moment):
    owner, channel, clip = channel_and_clip
    at(2027, 5, 1, 9)
    [made] = publications.publish(owner, clip.id, [Choice(channel.id, "Закат", "")], in_hours(1))
    commit()
    due_at = datetime(*moment, tzinfo=UTC)
    [refused] = publications.publish_many(owner, [Item(clip.id, Choice(channel.id, "Закат", ""), due_at)])
    assert refused.field == "due"
    with pytest.raises(Problem) as said:
        moves.move(owner, made.id, due_at)
    assert said.value.code == refused.code


@pytest.mark.parametrize("zone", ["Asia/Kamchatka", "America/New_York"])
@pytest.mark.parametrize(
    "local",
    [
        "",
        " ",
        "завтра",
        "2027-05-01",
        "2027-02-30T12:00",
        "2027-05-01T12:00+03:00",
        "0001-01-01T00:00",
        "9999-12-31T23:59",
    ],
)
def test_what_is_no_time_is_refused_at_the_field(at, user, zone, local):
    at(2027, 1, 1)
    with pytest.raises(Problem) as said:
        check(user(timezone=zone), local)
    assert said.value.field == "due"


def lines(publication) -> list[tuple[str, str | None]]:
    """Its history: what happened, and the event's name."""
    return [(line.kind, line.name) for attempt in history.attempts(publication) for line in attempt.lines]


def test_scheduled_with_its_own_texts_and_nothing_queued(channel_and_clip):
    owner, channel, clip = channel_and_clip
    later = in_hours(48)
    [made] = publications.publish(owner, clip.id, [Choice(channel.id, "Своё", "Слова")], later)
    commit()
    assert (made.title, made.description, made.status, made.stage) == ("Своё", "Слова", Status.SCHEDULED, None)
    assert made.due_at == made.wake_at == later
    assert (made.queued_at, made.started_at) == (None, None)
    assert lines(made) == [("scheduled", made.due_at.isoformat())]
    assert queue.queue(table.PUBLISH).count == 0


def test_several_accounts_get_one_time(channel_and_clip, telegram):
    owner, channel, clip = channel_and_clip
    other = telegram(owner, chat_id=-1001000000009)
    choices = [Choice(channel.id, "Раз", ""), Choice(other.id, "Два", "")]
    made = publications.publish(owner, clip.id, choices, in_hours(1))
    assert len(made) == 2
    assert len({one.due_at for one in made}) == 1


def test_a_double_submit_makes_one(channel_and_clip):
    owner, channel, clip = channel_and_clip
    for hours in (1, 1, 2):
        publications.publish(owner, clip.id, [Choice(channel.id, "Закат", "")], in_hours(hours))
        commit()
    assert db.session.scalar(db.select(db.func.count(Publication.id))) == 1


def test_the_same_preflight_as_for_an_instant_one(channel_and_clip):
    owner, channel, clip = channel_and_clip
    with pytest.raises(Problem, match="text_too_long") as said:
        publications.publish(owner, clip.id, [Choice(channel.id, "Закат", "x" * 1100)], in_hours(1))
    assert "помещается 1024" in said.value.text
    owner.plan_key = "free"
    commit()
    with pytest.raises(Problem, match="not_in_plan"):
        publications.publish(owner, clip.id, [Choice(channel.id, "Закат", "")], in_hours(1))
    assert db.session.scalar(db.select(db.func.count(Publication.id))) == 0


def test_moving(channel_and_clip):
    owner, channel, clip = channel_and_clip
    first, second = in_hours(1), in_hours(2)
    [made] = publications.publish(owner, clip.id, [Choice(channel.id, "Закат", "")], first)
    commit()
    version = clip.version
    moves.move(owner, made.id, second)
    commit()
    db.session.refresh(made)
    assert made.due_at == made.wake_at == second
    assert clip.version > version
    moves.move(owner, made.id, second)  # the same time again is no move
    commit()
    assert [kind for kind, _ in lines(made)] == ["scheduled", "moved"]


@pytest.mark.parametrize("status", [status for status in Status if status != Status.SCHEDULED])
def test_only_what_is_scheduled_can_be_moved(channel_and_clip, status):
    owner, channel, clip = channel_and_clip
    [made] = publications.publish(owner, clip.id, [Choice(channel.id, "Закат", "")])
    made.status = status
    commit()
    for act in (
        lambda: moves.move(owner, made.id, in_hours(2)),
        lambda: publications.publish_now(owner, made.id),
    ):
        with pytest.raises(Problem, match="not_scheduled"):
            act()
        db.session.refresh(made)
        assert made.status == status


def test_a_strangers_publication_is_not_there(channel_and_clip, user):
    owner, channel, clip = channel_and_clip
    [made] = publications.publish(owner, clip.id, [Choice(channel.id, "Закат", "")], in_hours(1))
    commit()
    stranger = user()
    for act in (
        lambda: moves.move(stranger, made.id, in_hours(1)),
        lambda: publications.publish_now(stranger, made.id),
        lambda: publications.publish(stranger, clip.id, [], in_hours(1)),
    ):
        with pytest.raises(NotFound):
            act()
    assert db.session.scalar(db.select(db.func.count(PublicationEvent.id))) == 1
