"""What waits in a slot follows it, over changes, pauses and zones; what is going out stays."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from app import clock
from app.db import commit, db
from app.models import (
    AccountSet,
    Clip,
    Notification,
    PlatformConnection,
    Publication,
    PublicationEvent,
    Slot,
    Status,
    User,
)
from app.notifications import reminders
from app.problems import NotFound, Problem
from app.publishing import dispatch, wake_times
from app.services import account_sets, clips, moves, publications, slot_changes, slot_queue, slots, undo, users
from app.services.publications import Choice
from tests.publishing.claims import claim
from tests.publishing.conftest import at_work, fresh
from tests.services.test_slots import MONDAY, SEVEN_PM, TEN, at_once, local

pytestmark = pytest.mark.usefixtures("sandbox")


@pytest.fixture
def at(monkeypatch) -> Callable[[datetime], None]:
    def put(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    put(MONDAY)
    return put


@pytest.fixture
def channel(owner, telegram, at) -> PlatformConnection:
    return telegram(owner)


@pytest.fixture
def mornings(owner, channel) -> AccountSet:
    """A set with the slots «пн, ср 10:00»."""
    one = account_sets.save(owner, "Утро", [channel.id])
    slots.add(owner, one.id, [0, 2], [TEN])
    commit()
    return one


@pytest.fixture
def queued(owner, mornings, channel, ready_clip) -> Callable[[int], list[Publication]]:
    def put(count: int) -> list[Publication]:
        made = [
            slot_queue.put(owner, ready_clip(owner).id, mornings.id, [Choice(channel.id, "Закат", "")])[0]
            for _ in range(count)
        ]
        commit()
        return made

    return put


def march(*days: int, hour: int = 10) -> list[datetime]:
    return [local(2027, 3, day, hour, 0) for day in days]


def due(some: list[Publication]) -> list[datetime]:
    commit()
    return [fresh(one).due_at for one in some]


def wakes(some: list[Publication]) -> list[datetime | None]:
    commit()
    return [fresh(one).wake_at for one in some]


def slot_of(account_set: AccountSet, weekday: int) -> Slot:
    return next(one for one in account_set.slots if one.weekday == weekday)


def released() -> list[int]:
    ids: list[int] = []
    at_work(dispatch.release_due, lambda first, later: ids.extend([*first, *later]) or True)
    return ids


def history(publication: Publication) -> list[str]:
    kinds = db.select(PublicationEvent.kind).filter_by(publication_id=publication.id).order_by(PublicationEvent.id)
    return list(db.session.scalars(kinds))


# Another time, another day


def test_what_waits_moves_within_its_week(owner, mornings, queued):
    made = queued(4)
    assert due(made) == march(1, 3, 8, 10)
    assert slot_changes.change(owner, slot_of(mornings, 0).id, 1, SEVEN_PM) == 2
    assert due(made) == [*march(2, hour=19), *march(3), *march(9, hour=19), *march(10)]
    assert wakes(made) == due(made)
    assert history(made[0]) == ["scheduled", "moved"]
    assert slots.next_free(owner, mornings.id, 1)[0].due_at == march(16, hour=19)[0]


def test_where_the_week_is_over_they_come_one_after_the_other(owner, mornings, queued, at):
    made = queued(4)
    at(local(2027, 3, 2, 12, 0))  # Tuesday: the first is overdue, but nothing has taken it up
    moves.move(owner, made[0].id, march(2, hour=20)[0])
    commit()
    assert slot_changes.change(owner, slot_of(mornings, 2).id, 1, 9 * 60) == 2
    # This Tuesday's 9:00 is over: the next, and the one who was there the week after.
    assert due(made) == [*march(2, hour=20), *march(9, hour=9), *march(8), *march(16, hour=9)]


def test_five_minutes_ahead_is_too_soon(owner, mornings, queued, at):
    made = queued(1)
    at(local(2027, 3, 1, 8, 56))
    slot_changes.change(owner, slot_of(mornings, 0).id, 0, 9 * 60)
    assert due(made) == march(8, hour=9)


def test_what_is_going_out_stays(owner, mornings, queued, at):
    made = queued(3)
    slot_id = slot_of(mornings, 0).id
    at(march(1)[0])
    assert at_work(claim, made[0].id)  # its worker has it
    assert slot_changes.change(owner, slot_id, 4, TEN) == 1
    assert due(made) == [*march(1, 3), *march(12)]
    publications.publish_now(owner, made[2].id)
    commit()
    assert slot_changes.change(owner, slot_id, 5, TEN) == 0


def test_a_slot_does_not_move_onto_another(owner, mornings, user):
    slot_id = slot_of(mornings, 0).id
    with pytest.raises(Problem, match="slot_exists"):
        slot_changes.change(owner, slot_id, 2, TEN)
    for weekday, minute in ((7, TEN), (-1, TEN), (0, 1440), (0, -1)):
        with pytest.raises(Problem, match="slot_times_malformed"):
            slot_changes.change(owner, slot_id, weekday, minute)
    with pytest.raises(NotFound):
        slot_changes.change(user(), slot_id, 3, TEN)
    assert slot_changes.change(owner, slot_id, 0, TEN) == 0


def test_moved_onto_a_skipped_hour(owner, mornings, queued, at):
    owner.timezone = "Europe/Berlin"
    commit()
    at(local(2027, 3, 22, 0, 0, zone="Europe/Berlin"))
    made = queued(1)
    slot_changes.change(owner, slot_of(mornings, 0).id, 6, 150)
    assert due(made) == [local(2027, 3, 28, 3, 0, zone="Europe/Berlin")]


def test_one_clip_queued_while_its_slot_moves(owner, mornings, channel, ready_clip):
    """Whichever comes first, the clip waits in an occurrence of the slot as it is then."""
    clip_id, set_id, slot_id = ready_clip(owner).id, mornings.id, slot_of(mornings, 0).id
    choices = [Choice(channel.id, "Закат", "")]
    at_once(
        owner,
        lambda me: len(slot_queue.put(me, clip_id, set_id, choices)),
        lambda me: slot_changes.change(me, slot_id, 0, SEVEN_PM),
    )
    [made] = db.session.scalars(db.select(Publication))
    assert made.due_at in (march(1, hour=19)[0], march(3)[0])
    slot = db.session.get(Slot, made.slot_id, populate_existing=True)
    assert clock.to_zone(made.due_at, owner.timezone).hour * 60 == slot.minute


# Deleted


def test_what_waits_in_a_deleted_slot_keeps_its_time(owner, mornings, queued, user):
    made = queued(3)
    with pytest.raises(NotFound):
        slot_changes.remove(user(), slot_of(mornings, 0).id)
    assert slot_changes.remove(owner, slot_of(mornings, 0).id) == 2
    assert due(made) == march(1, 3, 8)
    assert wakes(made) == march(1, 3, 8)
    assert [fresh(one).slot_id is None for one in made] == [True, False, True]
    assert slot_changes.remove_set(owner, mornings.id) == 1
    commit()
    assert account_sets.all_of(owner) == []
    assert db.session.scalar(db.select(db.func.count(Slot.id))) == 0
    assert wakes(made) == march(1, 3, 8)


def test_a_slot_deleted_while_a_clip_is_queued(owner, mornings, channel, ready_clip):
    slot_changes.remove(owner, slot_of(mornings, 2).id)
    commit()
    clip_id, set_id, slot_id = ready_clip(owner).id, mornings.id, slot_of(mornings, 0).id
    choices = [Choice(channel.id, "Закат", "")]
    put, _ = at_once(
        owner,
        lambda me: len(slot_queue.put(me, clip_id, set_id, choices)),
        lambda me: slot_changes.remove(me, slot_id),
    )
    rows = db.session.scalars(db.select(Publication)).all()
    if isinstance(put, Problem):
        assert put.code == "no_free_slot"
        assert rows == []
    else:
        assert [(one.slot_id, one.wake_at) for one in rows] == [(None, march(1)[0])]


def test_nothing_is_deleted_out_of_a_pause(owner, mornings, queued):
    queued(1)
    slot_changes.pause(owner, mornings.id)
    for refused in (
        lambda: slot_changes.remove(owner, slot_of(mornings, 0).id),
        lambda: slot_changes.remove_set(owner, mornings.id),
    ):
        with pytest.raises(Problem, match="queue_on_pause"):
            refused()
    assert slot_changes.remove(owner, slot_of(mornings, 2).id) == 0


# A pause


def test_nothing_goes_out_in_a_pause(owner, mornings, queued, at):
    made = queued(3)
    versions = [db.session.get(Clip, one.clip_id).version for one in made]
    assert slot_changes.pause(owner, mornings.id) == 3
    assert slot_changes.pause(owner, mornings.id) == 3
    assert wakes(made) == [None, None, None]
    assert all(fresh(one).is_paused for one in made)
    assert [db.session.get(Clip, one.clip_id).version for one in made] > versions
    later = queued(1)
    assert due(later) == march(10)
    assert wakes(later) == [None]
    at(local(2027, 3, 4, 0, 0))
    assert at_work(wake_times.clamp) == 0
    assert released() == []
    assert at_work(claim, made[0].id) is None
    assert clips.changed(owner, {made[0].clip_id: db.session.get(Clip, made[0].clip_id).version}) == ([], [])

    resumed = slot_changes.resume(owner, mornings.id)
    commit()
    assert (resumed.waiting, resumed.moved) == (4, 2)
    assert due([*made, *later]) == march(15, 17, 8, 10)
    assert wakes([*made, *later]) == march(15, 17, 8, 10)
    assert history(made[0]) == ["scheduled", "paused", "moved", "resumed"]
    assert slot_changes.resume(owner, mornings.id).waiting == 0
    at(march(8)[0])
    assert released() == [made[2].id]


def test_a_pause_at_the_moment_when_one_fires(owner, mornings, queued, at):
    made = queued(2)
    at(march(1)[0])
    assert released() == [made[0].id]
    lease = at_work(claim, made[0].id)
    slot_changes.pause(owner, mornings.id)
    commit()
    # It was claimed, but not begun: the worker has lost it.
    assert fresh(made[0]).fence > lease.fence
    assert wakes(made) == [None, None]
    assert released() == []
    slot_changes.resume(owner, mornings.id)
    assert due(made) == march(8, 3)


def test_a_pause_leaves_what_has_begun(owner, mornings, queued):
    made = queued(2)
    publications.publish_now(owner, made[0].id)
    commit()
    assert slot_changes.pause(owner, mornings.id) == 1
    commit()
    assert fresh(made[0]).status == Status.PUBLISHING
    assert wakes(made) == [MONDAY, None]


def test_by_hand_it_leaves_the_pause(owner, mornings, queued, at):
    made = queued(3)
    slot_changes.pause(owner, mornings.id)
    commit()
    moves.move(owner, made[0].id, march(2)[0])
    publications.publish_now(owner, made[1].id)
    held = publications.cancel(owner, made[2].id)
    assert wakes(made) == [march(2)[0], MONDAY, None]
    undo.restore(owner, held.id)
    commit()
    assert fresh(made[2]).is_paused
    assert slot_changes.resume(owner, mornings.id).waiting == 1


def test_taken_back_into_a_pause_or_out_of_it(owner, mornings, queued):
    [made] = queued(1)
    held = moves.move(owner, made.id, march(2)[0])
    cancelled = publications.cancel(owner, made.id)
    slot_changes.pause(owner, mornings.id)
    commit()
    undo.restore(owner, cancelled.id)
    assert wakes([made]) == march(2)  # it was in no slot any more
    held = moves.move(owner, made.id, march(4)[0])
    commit()
    undo.restore(owner, held.id)
    commit()
    [made] = queued(1)
    held = moves.move(owner, made.id, march(5)[0])
    commit()
    undo.restore(owner, held.id)
    assert wakes([made]) == [None]
    slot_changes.resume(owner, mornings.id)
    assert wakes([made]) == march(1)


def test_a_slot_moves_during_a_pause_and_what_has_missed_its_time_too(owner, mornings, queued, at):
    made = queued(3)
    slot_changes.pause(owner, mornings.id)
    commit()
    at(local(2027, 3, 2, 0, 0))
    slot_changes.change(owner, slot_of(mornings, 0).id, 4, TEN)
    assert due(made) == march(5, 3, 12)
    assert wakes(made) == [None, None, None]
    assert slot_changes.resume(owner, mornings.id).moved == 0


def test_what_is_paused_is_not_reminded_of(owner, mornings, queued, channel):
    queued(1)
    channel.status = "reconnect"
    slot_changes.pause(owner, mornings.id)
    commit()
    at_work(reminders.notify_upcoming)
    assert db.session.scalar(db.select(db.func.count(Notification.id))) == 0
    slot_changes.resume(owner, mornings.id)
    commit()
    at_work(reminders.notify_upcoming)
    assert db.session.scalar(db.select(db.func.count(Notification.id))) == 1


def test_queued_at_the_moment_of_a_pause(owner, mornings, channel, ready_clip):
    clip_id, set_id, choices = ready_clip(owner).id, mornings.id, [Choice(channel.id, "Закат", "")]
    at_once(
        owner,
        lambda me: len(slot_queue.put(me, clip_id, set_id, choices)),
        lambda me: slot_changes.pause(me, set_id),
    )
    assert db.session.scalars(db.select(Publication.wake_at)).all() == [None]


# An undo whose place is taken


def test_what_comes_back_after_another_took_its_place(owner, mornings, queued):
    [first] = queued(1)
    held = publications.cancel(owner, first.id)
    commit()
    [second] = queued(1)
    assert due([second]) == march(1)
    undo.restore(owner, held.id)
    assert due([first, second]) == march(3, 1)
    assert wakes([first]) == march(3)


# Another zone


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/Kaliningrad", "Asia/Vladivostok"])
def test_ten_is_ten_in_the_new_zone(owner: User, mornings, queued, channel, ready_clip, zone, at):
    at(MONDAY - timedelta(days=1))
    made = queued(3)
    by_hand = publications.publish(owner, ready_clip(owner).id, [Choice(channel.id, "Ночь", "")], march(2)[0])
    commit()
    assert users.update_profile(owner, "Анна", zone) == 3
    assert due(made) == [local(2027, 3, day, 10, 0, zone=zone) for day in (1, 3, 8)]
    assert wakes(made) == due(made)
    assert due(by_hand) == march(2)
    assert users.update_profile(owner, "Анна", zone) == 0


def test_over_a_change_of_clocks(owner: User, mornings, queued, at):
    owner.timezone = "America/New_York"
    commit()
    at(local(2027, 3, 11, 0, 0))  # the clocks change there on the 14th, in Berlin on the 28th
    made = queued(3)
    assert [f"{one:%d %H}" for one in due(made)] == ["15 14", "17 14", "22 14"]
    users.update_profile(owner, "Анна", "Europe/Berlin")
    assert [f"{one:%d %H}" for one in due(made)] == ["15 09", "17 09", "22 09"]


def test_where_the_hour_is_over_in_the_new_zone(owner: User, mornings, queued, at):
    made = queued(2)
    at(local(2027, 3, 1, 9, 0))  # 16:00 in Vladivostok
    assert users.update_profile(owner, "Анна", "Asia/Vladivostok") == 2
    assert due(made) == [local(2027, 3, day, 10, 0, zone="Asia/Vladivostok") for day in (8, 3)]
