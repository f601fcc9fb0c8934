"""Many clips on many accounts: what the plan says, and what becomes of it in one unit of work."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from app import clock
from app.db import commit, db
from app.models import Clip, ClipStatus, Event, Publication, PublicationEvent, Status, User
from app.problems import NotFound, Problem
from app.publishing import state_machine
from app.services import bulk, bulk_changes, clip_deletion, publications, undo, users
from app.services.bulk_changes import Unit
from app.services.drafts import Choice, Item
from tests import asking

OTHERS = ("-1001", "-1002")


def in_hours(hours: int) -> datetime:
    return clock.now().replace(microsecond=0) + timedelta(hours=hours)


@pytest.fixture
def wishes(user):
    """`wishes(clips, accounts)`: their owner, and an Item for each clip on each account, an hour apart."""

    def make(clips: int = 2, accounts: int = 2) -> tuple[User, list[Item]]:
        owner = user()
        places = [asking.connection(owner, f"-100{number}") for number in range(1, accounts + 1)]
        some = [asking.clip(owner, f"Клип {number}") for number in range(clips)]
        commit()
        items = [
            Item(clip.id, Choice(place.id, clip.title, ""), in_hours(1 + number))
            for number, clip in enumerate(some)
            for place in places
        ]
        return owner, items

    return make


def codes(results) -> list[str]:
    return [one.code if isinstance(one, Problem) else type(one).__name__ for one in results]


def count(model: type) -> int:
    db.session.rollback()
    return db.session.scalar(db.select(db.func.count()).select_from(model))


def test_a_plan_changes_nothing_and_says_what_prevents_each(wishes):
    owner, items = wishes()
    first, second, third, fourth = items
    db.session.get(Clip, third.clip_id).status = ClipStatus.PROCESSING
    [there] = publications.publish(owner, first.clip_id, [first.choice], in_hours(9))
    commit()
    late = Item(second.clip_id, second.choice, clock.now() + timedelta(minutes=2))
    lines = bulk.plan(owner, [first, late, late, third, fourth, Item(12345, fourth.choice)])
    assert [codes(line.problems) for line in lines] == [
        ["already_live"],
        ["due_too_soon"],
        ["due_too_soon"],
        ["clip_not_ready"],
        ["clip_not_ready"],
        ["NotFound"],
    ]
    assert lines[0].destination.live.id == there.id
    assert count(Publication) == 1


def test_a_line_at_another_time_has_only_that_times_problem(wishes):
    owner, [item, *_] = wishes()
    [line] = bulk.plan(owner, [Item(item.clip_id, item.choice)])
    assert line.problems == []
    past = bulk.at(owner, line, clock.now() - timedelta(hours=1))
    assert codes(past.problems) == ["due_in_past"]
    assert bulk.at(owner, past, item.due_at).problems == []


def test_a_stranger_has_neither_clip_nor_account(wishes, user):
    _, items = wishes()
    lines = bulk.plan(user(), items)
    assert all(isinstance(line.problems[0], NotFound) for line in lines)


def test_all_are_made_each_with_its_history(wishes):
    owner, items = wishes(3, 2)
    made = bulk.carry_out(owner, bulk.plan(owner, items))
    commit()
    assert [(one.clip_id, one.connection_id, one.due_at) for one in made] == [
        (item.clip_id, item.choice.connection_id, item.due_at) for item in items
    ]
    assert {one.status for one in made} == {Status.SCHEDULED}
    assert all(one.wake_at == one.due_at for one in made)
    assert set(db.session.scalars(db.select(PublicationEvent.kind))) == {"scheduled"}
    assert count(PublicationEvent) == 6
    kinds = db.session.scalars(db.select(Event.kind).where(Event.publication_id.is_not(None))).all()
    assert kinds == ["publication.scheduled"] * 6


def test_what_changed_since_the_table_is_refused_and_the_rest_is_made(wishes):
    owner, items = wishes(3, 1)
    lines = bulk.plan(owner, items)
    clip_deletion.delete(owner, [items[0].clip_id])
    publications.publish(owner, items[1].clip_id, [items[1].choice], in_hours(50))
    commit()
    results = bulk.carry_out(owner, lines)
    commit()
    assert codes(results) == ["NotFound", "already_live", "Publication"]
    assert count(Publication) == 2


def test_a_plan_that_allows_it_no_longer(wishes):
    owner, items = wishes(2, 2)
    lines = bulk.plan(owner, items)
    users.set_plan(owner.email, "free")
    commit()
    assert codes(bulk.carry_out(owner, lines)) == ["not_in_plan"] * 4
    assert count(Publication) == 0


@pytest.mark.each_on_both
@pytest.mark.parametrize("later", [True, False])
def test_a_form_that_is_sent_twice_makes_one_and_says_so_both_times(wishes, later):
    owner, items = wishes()
    items = items if later else [Item(item.clip_id, item.choice) for item in items]
    first = bulk.carry_out(owner, bulk.plan(owner, items))
    commit()
    second = bulk.carry_out(owner, bulk.plan(owner, items))
    assert [one.id for one in second] == [one.id for one in first]
    other = [Item(item.clip_id, item.choice, in_hours(70)) for item in items]
    assert codes(bulk.carry_out(owner, bulk.plan(owner, other))) == ["already_live"] * 4
    assert count(Publication) == 4


def test_two_presses_at_once_make_one(app, wishes):
    """The second waits for the first to commit, and then sees its rows."""
    owner, items = wishes(3, 2)
    owner_id = owner.id
    db.session.rollback()

    def press(_number: int) -> list[int]:
        with app.app_context():
            one = db.session.get(User, owner_id)
            made = publications.publish_many(one, items if _number else items[::-1])
            time.sleep(0.1)  # the other one comes meanwhile
            commit()
            return [row.id for row in made if isinstance(row, Publication)]

    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(press, range(2)))
    assert sorted(map(len, results)) == [0, 6]
    assert count(Publication) == count(PublicationEvent) == 6


def test_a_deletion_at_the_same_moment_finds_what_is_made(app, wishes):
    owner, items = wishes(1, 2)
    owner_id, clip_id = owner.id, items[0].clip_id
    [first, second] = publications.publish_many(owner, items)

    def remove() -> None:
        with app.app_context():
            clip_deletion.delete(db.session.get(User, owner_id), [clip_id])
            commit()

    with ThreadPoolExecutor(1) as threads:
        removing = threads.submit(remove)
        time.sleep(0.2)
        commit()
        removing.result()
    db.session.rollback()
    assert {db.session.get(Publication, one.id).status for one in (first, second)} == {Status.CANCELLED}


def test_too_many_at_once(wishes):
    owner, [item, *_] = wishes(1, 1)
    with pytest.raises(Problem, match="bulk_too_many"):
        bulk.plan(owner, [item] * (bulk.MAX_PUBLICATIONS + 1))


def test_as_many_statements_for_many_as_for_a_few(wishes):
    counts = []
    for clips, accounts in ((2, 1), (20, 3)):
        owner, items = wishes(clips, accounts)
        with asking.asked() as found:
            made = bulk.carry_out(owner, bulk.plan(owner, items))
            commit()
        ids = [one.id for one in made]
        with asking.asked() as cancelling:
            held = publications.cancel_many(owner, ids).undo
            commit()
        with asking.asked() as restoring:
            undo.restore(owner, held.id)
            commit()
        with asking.asked() as moving:
            held = bulk_changes.move_by(owner, ids, 1, Unit.HOURS).undo
            commit()
        with asking.asked() as moving_back:
            undo.restore(owner, held.id)
            commit()
        state_machine.move_many({one: {} for one in ids}, Status.FAILED)
        commit()
        with asking.asked() as retrying:
            assert bulk_changes.retry(owner, ids).done == ids
            commit()
        counts.append([len(one) for one in (found, cancelling, restoring, moving, moving_back, retrying)])
    few, many = counts
    assert few[:-1] == many[:-1]
    assert many[-1] <= few[-1] + 1  # those beyond what workers take at once are left to the tick
    assert max(many) <= 24, counts


def test_all_that_is_ready_and_nowhere_yet(wishes):
    owner, items = wishes(4, 1)
    ids = [item.clip_id for item in items]
    db.session.get(Clip, ids[0]).status = ClipStatus.PROCESSING
    publications.publish(owner, ids[1], [items[1].choice], in_hours(3))
    commit()
    assert [clip.id for clip in bulk.all_ready(owner)] == ids[2:]
    assert [clip.id for clip in bulk.clips_of(owner, [ids[3], 12345, ids[0], ids[3]])] == [ids[3], ids[0]]
