"""Moving scheduled publications, many at once, and taking that back."""

from datetime import datetime, timedelta

import pytest

from app import clock
from app.db import commit, db
from app.models import AccountSet, Publication, PublicationEvent, Slot, Status, Undo, User
from app.problems import NotFound, Problem
from app.services import moves, publications, slots, undo
from app.services.moves import Move
from app.services.publications import Choice

OTHER_CHANNEL = -1001000000009


def in_hours(hours: int) -> datetime:
    return clock.now().replace(microsecond=0) + timedelta(hours=hours)


@pytest.fixture
def scheduled(user, ready_clip, telegram) -> tuple[User, list[Publication]]:
    """One clip on two accounts, in an hour."""
    owner = user()
    clip, channels = ready_clip(owner), [telegram(owner), telegram(owner, chat_id=OTHER_CHANNEL)]
    made = publications.publish(owner, clip.id, [Choice(one.id, "Закат", "") for one in channels], in_hours(1))
    commit()
    return owner, made


def due_times_of(made: list[Publication]) -> list[datetime]:
    commit()
    return [db.session.get(Publication, one.id, populate_existing=True).due_at for one in made]


def events(publication: Publication) -> list[str]:
    kinds = db.select(PublicationEvent.kind).filter_by(publication_id=publication.id).order_by(PublicationEvent.id)
    return list(db.session.scalars(kinds))


def test_each_has_a_result(scheduled, user):
    owner, (first, second) = scheduled
    before, later = first.due_at, in_hours(3)
    cancelled = publications.cancel(owner, second.id)
    commit()
    result = moves.move_many(owner, [Move(first.id, later), Move(second.id, later), Move(12345, later)])
    assert result.moved == [first.id]
    assert result.refused[second.id].code == "not_scheduled"
    assert isinstance(result.refused[12345], NotFound)
    assert due_times_of([first, second]) == [later, before]
    assert [kept["id"] for kept in result.undo.publications] == [first.id]
    assert result.undo.id != cancelled.id


def test_a_time_too_near_is_refused_and_nothing_moves(scheduled):
    owner, made = scheduled
    before = made[0].due_at
    result = moves.move_many(owner, [Move(one.id, clock.now() + timedelta(minutes=2)) for one in made])
    assert {refusal.code for refusal in result.refused.values()} == {"due_too_soon"}
    assert result.moved == []
    assert result.undo is None
    assert due_times_of(made) == [before, before]


def test_a_strangers_publications_do_not_move(scheduled, user):
    _, made = scheduled
    before = made[0].due_at
    result = moves.move_many(user(), [Move(one.id, in_hours(5)) for one in made])
    assert all(isinstance(refusal, NotFound) for refusal in result.refused.values())
    assert due_times_of(made) == [before, before]
    assert db.session.scalar(db.select(db.func.count(Undo.id))) == 0


def test_all_go_back_to_their_own_times(scheduled):
    owner, made = scheduled
    moves.move(owner, made[0].id, in_hours(2))
    commit()
    before = due_times_of(made)
    held = moves.move_many(owner, [Move(one.id, in_hours(9)) for one in made]).undo
    commit()
    restored = undo.restore(owner, held.id)
    assert [kept["id"] for kept in restored.publications] == [one.id for one in made]
    assert due_times_of(made) == before
    assert [one.wake_at for one in made] == before
    assert events(made[0]) == ["scheduled", "moved", "moved", "moved"]


def test_what_has_begun_since_stays(scheduled):
    owner, made = scheduled
    before = made[1].due_at
    held = moves.move_many(owner, [Move(one.id, in_hours(9)) for one in made]).undo
    commit()
    publications.publish_now(owner, made[0].id)
    commit()
    restored = undo.restore(owner, held.id)
    assert [kept["id"] for kept in restored.publications] == [made[1].id]
    assert due_times_of(made)[1] == before
    assert db.session.get(Publication, made[0].id).status == Status.PUBLISHING


def test_what_was_moved_again_stays(scheduled):
    owner, [first, _] = scheduled
    held = moves.move(owner, first.id, in_hours(9))
    commit()
    last = in_hours(10)
    moves.move(owner, first.id, last)
    commit()
    with pytest.raises(Problem, match="undo_too_late"):
        undo.restore(owner, held.id)
    db.session.rollback()
    assert due_times_of([first]) == [last]


def test_the_time_before_may_be_near_by_now(scheduled, monkeypatch):
    owner, [first, _] = scheduled
    near = clock.now() + timedelta(minutes=5, seconds=1)
    moves.move(owner, first.id, near)
    held = moves.move(owner, first.id, in_hours(9))
    commit()
    monkeypatch.setattr(clock, "now", lambda: near - timedelta(minutes=4, seconds=55))
    undo.restore(owner, held.id)
    assert due_times_of([first]) == [near]


def test_a_moved_publication_leaves_its_slot_and_returns(scheduled):
    owner, [first, second] = scheduled
    account_set = AccountSet(user_id=owner.id, name="Все")
    db.session.add(account_set)
    db.session.flush()
    weekly = [Slot(account_set_id=account_set.id, weekday=day, minute=600) for day in (0, 1)]
    db.session.add_all(weekly)
    db.session.flush()
    due = [next(slots.upcoming([slot], owner.timezone, in_hours(1))).due_at for slot in weekly]
    into = [Move(one.id, at, slot.id) for one, at, slot in zip((first, second), due, weekly, strict=True)]
    assert moves.move_many(owner, into).refused == {}
    commit()
    held = moves.move_many(owner, [Move(one.id, in_hours(4)) for one in (first, second)]).undo
    commit()
    assert [db.session.get(Publication, one.id).slot_id for one in (first, second)] == [None, None]
    db.session.delete(weekly[1])
    commit()
    undo.restore(owner, held.id)
    commit()
    assert [db.session.get(Publication, one.id).slot_id for one in (first, second)] == [weekly[0].id, None]
