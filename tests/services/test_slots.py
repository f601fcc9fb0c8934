"""Weekly slots: when they come, which are free, and that two requests at once do not get the same one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from threading import Barrier

import pytest
from flask import current_app

from app import clock
from app.db import commit, db, transaction
from app.models import AccountSet, PlatformConnection, Publication, Slot, Status, User
from app.problems import NotFound, Problem
from app.services import account_sets, due_times, moves, publications, slot_queue, slots
from app.services.moves import Move
from app.services.publications import Choice, Item

MONDAY = datetime(2027, 3, 1, 6, 0, tzinfo=UTC)  # 9:00 in Moscow
TEN, SEVEN_PM = 10 * 60, 19 * 60
WORKDAYS = range(5)
OTHER_CHANNEL = -1001000000009


@pytest.fixture
def at(monkeypatch) -> Callable[[datetime], None]:
    """Puts the clock to a moment."""
    return lambda moment: monkeypatch.setattr(clock, "now", lambda: moment)


@pytest.fixture
def monday(at) -> None:
    at(MONDAY)


def local(*moment: int, zone: str = "Europe/Moscow") -> datetime:
    return datetime(*moment, tzinfo=clock.zone(zone)).astimezone(UTC)


@pytest.fixture
def channel(app, owner, telegram, monday) -> PlatformConnection:
    return telegram(owner)


@pytest.fixture
def evening(owner, channel) -> AccountSet:
    """A set with the slots «пн–пт 10:00 и 19:00»."""
    one = account_sets.save(owner, "Вечер", [channel.id])
    assert slots.add(owner, one.id, WORKDAYS, [TEN, SEVEN_PM]) == 10
    commit()
    return one


def choice(connection: PlatformConnection) -> list[Choice]:
    return [Choice(connection.id, "Закат", "")]


def queue(owner: User, clip, account_set: AccountSet, connection: PlatformConnection) -> list[Publication]:
    made = slot_queue.put(owner, clip.id, account_set.id, choice(connection))
    commit()
    return made


# When a slot comes


@pytest.mark.parametrize(
    ("zone", "day", "time", "moment"),
    [
        ("Europe/Berlin", date(2027, 3, 27), "02:30", "2027-03-27 01:30"),
        ("Europe/Berlin", date(2027, 3, 28), "01:59", "2027-03-28 00:59"),
        ("Europe/Berlin", date(2027, 3, 28), "02:00", "2027-03-28 01:00"),  # skipped: at 3:00
        ("Europe/Berlin", date(2027, 3, 28), "02:30", "2027-03-28 01:00"),
        ("Europe/Berlin", date(2027, 10, 31), "02:30", "2027-10-31 00:30"),  # comes twice: the first
        ("America/New_York", date(2027, 3, 14), "02:15", "2027-03-14 07:00"),
        ("America/New_York", date(2027, 11, 7), "01:30", "2027-11-07 05:30"),
        ("America/New_York", date(2027, 11, 8), "10:00", "2027-11-08 15:00"),
        ("Europe/Kaliningrad", date(2027, 3, 28), "02:30", "2027-03-28 00:30"),  # no change of clocks any more
        ("Europe/Kaliningrad", date(2027, 10, 31), "02:30", "2027-10-31 00:30"),
        ("Europe/Kaliningrad", date(2011, 3, 27), "02:30", "2011-03-27 00:00"),
        ("Europe/Kaliningrad", date(2014, 10, 26), "01:30", "2014-10-25 22:30"),
        ("America/Santiago", date(2026, 9, 6), "00:20", "2026-09-06 04:00"),  # the clocks skip midnight
    ],
)
def test_a_slot_on_a_day(zone, day, time, moment):
    hours, minutes = map(int, time.split(":"))
    assert f"{slots.occurrence(day, hours * 60 + minutes, zone):%Y-%m-%d %H:%M}" == moment


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Europe/Kaliningrad"])
def test_every_day_of_a_year_has_each_slot_once(zone):
    daily = [Slot(id=day, account_set_id=1, weekday=day, minute=150) for day in range(7)]
    found = list(islice(slots.upcoming(daily, zone, local(2027, 1, 1, 0, 0, zone=zone)), 365))
    assert [clock.to_zone(one.due_at, zone).date() for one in found] == [
        date(2027, 1, 1) + timedelta(days=number) for number in range(365)
    ]


def test_in_a_skipped_hour_a_set_has_one_occurrence():
    sunday = [Slot(id=minute, account_set_id=1, weekday=6, minute=minute) for minute in (120, 150, 180, 210)]
    after = local(2027, 3, 28, 0, 0, zone="Europe/Berlin")
    found = list(islice(slots.upcoming(sunday, "Europe/Berlin", after), 3))
    assert [(one.slot_id, f"{one.due_at:%d %H:%M}") for one in found] == [
        (120, "28 01:00"),
        (210, "28 01:30"),
        (120, "04 00:00"),
    ]


# Which are free


def test_the_next_free_ones(owner, evening):
    found = slots.next_free(owner, evening.id, 4)
    assert [one.due_at for one in found] == [
        local(2027, 3, 1, 10, 0),
        local(2027, 3, 1, 19, 0),
        local(2027, 3, 2, 10, 0),
        local(2027, 3, 2, 19, 0),
    ]
    later = slots.next_free(owner, evening.id, 2, after=found[1].due_at, taken=[found[2].due_at])
    assert [one.due_at for one in later] == [found[3].due_at, local(2027, 3, 3, 10, 0)]


def test_one_that_is_too_near_is_not_offered(owner, evening, at):
    at(local(2027, 3, 1, 9, 56))
    assert slots.next_free(owner, evening.id, 1)[0].due_at == local(2027, 3, 1, 19, 0)


def test_no_more_than_a_year_ahead(owner, channel):
    yearly = account_sets.save(owner, "Раз в неделю", [channel.id])
    slots.add(owner, yearly.id, [0], [TEN])
    assert len(slots.next_free(owner, yearly.id, 100)) == 53
    assert slots.next_free(owner, account_sets.save(owner, "Без слотов", [channel.id]).id, 1) == []


def test_what_waits_takes_its_place_until_it_leaves(owner, evening, channel, ready_clip):
    [made] = queue(owner, ready_clip(owner), evening, channel)
    first = local(2027, 3, 1, 10, 0)
    assert (made.due_at, made.wake_at, made.status) == (first, first, Status.SCHEDULED)
    assert db.session.get(Slot, made.slot_id).minute == TEN
    assert slots.next_free(owner, evening.id, 1)[0].due_at == local(2027, 3, 1, 19, 0)
    day = local(2027, 3, 1, 0, 0), local(2027, 3, 2, 0, 0)
    assert [one.due_at for one in slots.free_between(owner, *day)] == [local(2027, 3, 1, 19, 0)]
    moves.move(owner, made.id, local(2027, 3, 5, 12, 0))
    commit()
    assert [one.due_at for one in slots.free_between(owner, *day)] == [first, local(2027, 3, 1, 19, 0)]


def test_the_accounts_of_a_set_share_an_occurrence(owner, evening, channel, ready_clip, telegram):
    other = telegram(owner, chat_id=OTHER_CHANNEL)
    clip = ready_clip(owner)
    made = slot_queue.put(owner, clip.id, evening.id, choice(channel) + choice(other))
    commit()
    assert {one.due_at for one in made} == {local(2027, 3, 1, 10, 0)}
    assert len({one.slot_id for one in made}) == 1


def test_a_stranger_has_no_part_in_it(owner, evening, user, ready_clip, channel):
    stranger = user()
    slot = evening.slots[0]
    for ask in (
        lambda: slots.next_free(stranger, evening.id, 1),
        lambda: slots.add(stranger, evening.id, [1], [1]),
        lambda: slots.get(stranger, slot.id),
    ):
        with pytest.raises(NotFound):
            ask()
    assert slots.free_between(stranger, MONDAY, MONDAY + timedelta(days=7)) == []
    clip = ready_clip(stranger)
    [result] = publications.publish_many(
        stranger, [Item(clip.id, choice(channel)[0], local(2027, 3, 1, 10, 0), slot.id)]
    )
    assert isinstance(result, NotFound)


# Slots by hand


@pytest.mark.parametrize(
    ("typed", "minutes"),
    [
        ("10:00 и 19:00", [600, 1140]),
        ("19.30,9", [540, 1170]),
        (" 7:05;  7:05 ", [425]),
        ("00:00 23:59", [0, 1439]),
        ("", []),
    ],
)
def test_times_as_people_type_them(typed, minutes):
    assert slots.parse_times(typed) == minutes


@pytest.mark.parametrize("typed", ["24:00", "10:60", "утром", "10:0", "-1", "1000", "10:00:00", "٣:00x"])
def test_what_is_no_time_is_refused(typed):
    with pytest.raises(Problem, match="slot_times_malformed"):
        slots.parse_times(typed)


def test_a_slot_is_there_once_and_there_is_an_end_to_them(owner, evening):
    assert slots.add(owner, evening.id, [0, 5], [TEN]) == 1
    assert slots.add(owner, evening.id, [0, 5], [TEN]) == 0
    for days, minutes, code in (([], [TEN], "slot_days_missing"), ([7], [TEN], "slot_days_missing")):
        with pytest.raises(Problem, match=code):
            slots.add(owner, evening.id, days, minutes)
    with pytest.raises(Problem, match="slot_times_missing"):
        slots.add(owner, evening.id, [1], [])
    with pytest.raises(Problem, match="too_many_slots"):
        slots.add(owner, evening.id, range(7), range(10))
    commit()
    assert len(account_sets.get(owner, evening.id).slots) == 11


# Two at once


def at_once(owner: User, *calls: Callable[[User], object]) -> list:
    """Each call in a thread and a transaction of its own; what they return or raise."""
    app, user_id, together = current_app._get_current_object(), owner.id, Barrier(len(calls))
    db.session.rollback()

    def run(call):
        with app.app_context():
            together.wait(10)
            try:
                with transaction():
                    return call(db.session.get(User, user_id))
            except (Problem, NotFound) as refusal:
                return refusal

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def test_two_tabs_get_two_occurrences(owner, evening, channel, ready_clip):
    clips, set_id, choices = [ready_clip(owner).id for _ in range(4)], evening.id, choice(channel)

    def put(clip_id):
        return lambda me: [one.due_at for one in slot_queue.put(me, clip_id, set_id, choices)]

    ends = at_once(owner, *map(put, clips))
    assert sorted(moment for end in ends for moment in end) == [
        local(2027, 3, day, hour, 0) for day in (1, 2) for hour in (10, 19)
    ]


def test_a_double_click_takes_one_occurrence(owner, evening, channel, ready_clip):
    clip_id, set_id, choices = ready_clip(owner).id, evening.id, choice(channel)
    ends = at_once(owner, *[lambda me: len(slot_queue.put(me, clip_id, set_id, choices))] * 2)
    assert sorted(ends) == [0, 1]
    assert slots.next_free(owner, evening.id, 1)[0].due_at == local(2027, 3, 1, 19, 0)


def test_an_occurrence_that_another_clip_has_taken_is_refused(owner, evening, channel, ready_clip):
    free = slots.next_free(owner, evening.id, 1)[0]
    one, other, third = (ready_clip(owner) for _ in range(3))
    commit()
    made, refused = publications.publish_many(
        owner, [Item(clip.id, choice(channel)[0], free.due_at, free.slot_id) for clip in (one, other)]
    )
    commit()
    assert made.due_at == free.due_at
    assert refused.code == "slot_taken"
    [wrong_time] = publications.publish_many(
        owner, [Item(third.id, choice(channel)[0], free.due_at + timedelta(hours=1), free.slot_id)]
    )
    assert wrong_time.code == "slot_taken"
    [by_hand] = publications.publish(owner, third.id, choice(channel), due_times.earliest() + timedelta(hours=9))
    commit()
    result = moves.move_many(owner, [Move(by_hand.id, free.due_at, free.slot_id)])
    assert result.refused[by_hand.id].code == "slot_taken"
    assert moves.move_many(owner, [Move(made.id, free.due_at, free.slot_id)]).moved == [made.id]


def test_the_year_is_full(owner, channel, ready_clip, monkeypatch):
    weekly = account_sets.save(owner, "Раз в неделю", [channel.id])
    slots.add(owner, weekly.id, [0], [TEN])
    monkeypatch.setattr(due_times, "MAX_AHEAD", timedelta(days=6))
    queue(owner, ready_clip(owner), weekly, channel)
    with pytest.raises(Problem, match="no_free_slot"):
        slot_queue.put(owner, ready_clip(owner).id, weekly.id, choice(channel))
