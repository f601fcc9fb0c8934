"""The plan's calendar: items, days of the user's zone, filters, and moving items."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app import clock
from app.db import commit, db
from app.models import AccountSet, Publication, Slot, Status, User
from app.problems import NotFound, Problem
from app.services import moves, plan, plan_moves, publications, undo
from app.services.history import State
from app.services.plan import Filters, Span
from tests.asking import asked, clip, connection, plans, publication
from tests.edges import committed
from tests.services.test_connections import at_once

BERLIN, NEW_YORK, KALININGRAD = "Europe/Berlin", "America/New_York", "Europe/Kaliningrad"
EVERYTHING = Filters()


def local(zone: str, *parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def in_hours(hours: float) -> datetime:
    return (clock.now() + timedelta(hours=hours)).replace(second=0, microsecond=0)


@pytest.fixture
def channels(owner):
    return [connection(owner, f"-100{number}") for number in range(3)]


@pytest.fixture
def planned(owner, channels):
    """Adds publications of one new clip: `planned(due_at, count=2, status=…)`."""

    def add(due_at: datetime, count: int = 1, title: str = "Закат", status=Status.SCHEDULED, **more):
        one = clip(owner, title)
        wake = {"wake_at": due_at} if status == Status.SCHEDULED else {}
        made = [publication(one, place, due_at=due_at, status=status, **wake, **more) for place in channels[:count]]
        db.session.add_all(made)
        commit()
        return made

    return add


def days_of(owner, first: date, count: int, filters: Filters = EVERYTHING, most: int = 3) -> list[plan.Day]:
    return plan.days(owner, Span.of(owner, first, count), filters, most)


def titles(days: list[plan.Day]) -> list[list[str]]:
    return [[item.title for cell in day.cells for item in cell.items] for day in days]


def test_an_item_is_a_clip_at_a_minute_with_its_publications(owner, planned):
    at = local(owner.timezone, 2027, 3, 1, 10)
    first, second = planned(at, 2)
    planned(at, title="Другой")
    second.due_at, second.status = at + timedelta(milliseconds=40), Status.FAILED
    commit()
    [day] = days_of(owner, date(2027, 3, 1), 1)
    [item, other] = day.cells[0].items
    assert (item.id, item.due_at, item.title, len(item.marks)) == (first.id, at, "Закат", 2)
    assert f"{item.local:%H:%M}" == "10:00"
    assert (item.status, item.can_be_moved) == (Status.FAILED, True), "what needs its user comes first"
    assert (other.title, other.status) == ("Другой", Status.SCHEDULED)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (BERLIN, date(2027, 3, 28), 23),
        (BERLIN, date(2026, 10, 25), 25),
        (NEW_YORK, date(2027, 3, 14), 23),
        (NEW_YORK, date(2026, 11, 1), 25),
        (KALININGRAD, date(2027, 3, 28), 24),
    ],
)
def test_a_day_is_as_long_as_the_zone_says(owner, planned, zone, day, hours):
    owner.timezone = zone
    start = local(zone, day.year, day.month, day.day)
    end = start + timedelta(hours=hours)
    for at, title in (
        (start - timedelta(minutes=1), "вчера"),
        (start, "первая минута"),
        (end - timedelta(minutes=1), "последняя минута"),
        (end, "завтра"),
    ):
        planned(at, title=title)
    assert titles(days_of(owner, day, 1)) == [["первая минута", "последняя минута"]]
    hours_of_day = plan.hours(owner, Span.of(owner, day, 1), EVERYTHING, 2, 8, 200)[0].cells
    assert [cell.hour for cell in hours_of_day if cell.items] == [0, 23]


def test_a_doubled_hour_is_one_row(owner, planned):
    owner.timezone = BERLIN
    for fold in (0, 1):
        planned(local(BERLIN, 2026, 10, 25, 2, 30, fold=fold), title=str(fold))
    cells = plan.hours(owner, Span.of(owner, date(2026, 10, 25), 1), EVERYTHING, 2, 8, 200)[0].cells
    assert [item.title for item in cells[2].items] == ["0", "1"]


def test_a_full_day_shows_its_first_items_and_counts_the_rest(owner, planned):
    at = local(owner.timezone, 2027, 3, 1, 10)
    for number in range(5):
        planned(at + timedelta(minutes=number), title=str(number))
    [day] = days_of(owner, date(2027, 3, 1), 1)
    assert (titles([day]), day.cells[0].more, day.count) == ([["0", "1", "2"]], 2, 5)
    assert len(day.statuses) == 4


def test_filters_and_strangers(owner, user, channels, planned):
    at = local(owner.timezone, 2027, 3, 1, 10)
    planned(at, 1, title="ждёт")
    planned(at, 2, title="вышел", status=Status.PUBLISHED)
    planned(at, 1, title="ошибка", status=Status.FAILED)
    planned(at, 1, title="отменён", status=Status.CANCELLED)

    def shown(filters: Filters, whose=owner) -> list[str]:
        [found] = titles(days_of(whose, date(2027, 3, 1), 1, filters, 9))
        return sorted(found)

    assert shown(EVERYTHING) == ["вышел", "ждёт", "ошибка"]
    assert shown(Filters(State.UPCOMING)) == ["ждёт"]
    assert shown(Filters(State.ATTENTION)) == ["ошибка"]
    assert shown(Filters(State.CANCELLED)) == ["отменён"]
    assert shown(Filters(connection_id=channels[1].id)) == ["вышел"]
    assert shown(EVERYTHING, user()) == []


def test_the_version_changes_with_what_is_shown(owner, user, planned):
    span = Span.of(owner, date(2027, 3, 1), 7)
    seen = [plan.version(owner, span, EVERYTHING)]
    [one] = planned(local(owner.timezone, 2027, 3, 1, 10))
    seen.append(plan.version(owner, span, EVERYTHING))
    moves.move_many(owner, [])
    assert plan.version(owner, span, EVERYTHING) == seen[-1]
    db.session.execute(db.update(Publication).values(due_at=one.due_at + timedelta(days=1), fence=one.fence + 1))
    commit()
    seen.append(plan.version(owner, span, EVERYTHING))
    assert len(set(seen)) == 3
    assert plan.version(user(), span, EVERYTHING) == seen[0]


def test_a_month_is_read_by_its_index(app, crowd):
    owner = crowd(3)
    span = Span.of(owner, date(2026, 11, 1), 42)
    with asked() as found:
        plan.days(owner, span, EVERYTHING, 3)
        plan.version(owner, span, EVERYTHING)
    for way in plans([one for one in found if "due_at >=" in one[0]], "publications"):
        assert "ix_publications_user_due" in way, way
    assert len(found) <= 5


def test_free_slots_in_the_users_zone(owner, planned, monkeypatch):
    """Skipped and doubled local times once; none that is taken, past or paused."""
    monkeypatch.setattr(clock, "now", lambda: datetime(2027, 1, 1, tzinfo=UTC))
    owner.timezone = BERLIN
    account_set = AccountSet(user_id=owner.id, name="Все")
    db.session.add(account_set)
    db.session.flush()
    slots = [Slot(account_set_id=account_set.id, weekday=6, minute=minute) for minute in (2 * 60 + 30, 19 * 60)]
    db.session.add_all(slots)
    commit()

    def free(first: date) -> list[str]:
        return [f"{at:%H:%M}" for day in days_of(owner, first, 1) for cell in day.cells for at in cell.free]

    assert free(date(2027, 3, 28)) == ["03:00", "19:00"]
    assert free(date(2027, 10, 31)) == ["02:30", "19:00"]
    planned(local(BERLIN, 2027, 3, 28, 19), slot_id=slots[1].id)
    assert free(date(2027, 3, 28)) == ["03:00"]
    assert free(date(2026, 1, 4)) == []
    account_set.paused_at = clock.now()
    commit()
    assert free(date(2027, 3, 28)) == []


# Moving


def test_all_of_an_item_move_together_and_back(owner, planned):
    made = planned(in_hours(30), 3)
    before, later = made[0].due_at, in_hours(50)
    result = plan_moves.move(owner, made[0].clip_id, [before], later)
    commit()
    assert (len(result.moved), result.stayed) == (3, [])
    assert {one.due_at for one in _anew(made)} == {later}
    undo.restore(owner, result.undo.id)
    commit()
    assert {one.due_at for one in _anew(made)} == {before}


def test_what_has_begun_stays(owner, planned):
    made = planned(in_hours(30), 3)
    before, later = made[0].due_at, in_hours(50)
    made[1].status = Status.PUBLISHING
    commit()
    result = plan_moves.move(owner, made[0].clip_id, [before], later)
    commit()
    assert [one.id for one in result.stayed] == [made[1].id]
    assert [one.due_at for one in _anew(made)] == [later, before, later]


def test_the_second_of_two_tabs_is_refused(owner, planned):
    made = planned(in_hours(30), 2)
    known = made[0].due_at
    plan_moves.move(owner, made[0].clip_id, [known], in_hours(50))
    commit()
    with pytest.raises(Problem, match="plan_item_gone"):
        plan_moves.move(owner, made[0].clip_id, [known], in_hours(70))
    assert {one.due_at for one in _anew(made)} == {in_hours(50)}


def test_of_two_moves_at_the_same_moment_one_wins(app, owner, planned):
    made = planned(in_hours(30), 3)
    user_id, clip_id, known = owner.id, made[0].clip_id, made[0].due_at

    def move(hours: int) -> int:
        user = db.session.get(User, user_id)
        return len(committed(plan_moves.move(user, clip_id, [known], in_hours(hours))).moved)

    ends = at_once(app, lambda: move(50), lambda: move(70))
    assert {getattr(end, "code", end) for end in ends} == {3, "plan_item_gone"}
    assert len({one.due_at for one in _anew(made)}) == 1


def test_what_is_firing_is_refused(owner, planned):
    made = planned(in_hours(30), 2)
    for one in made:
        one.status = Status.PUBLISHING
    commit()
    with pytest.raises(Problem, match="plan_item_begun"):
        plan_moves.move(owner, made[0].clip_id, [made[0].due_at], in_hours(50))


def test_a_stranger_moves_nothing(owner, user, planned):
    [one] = planned(in_hours(30))
    with pytest.raises(NotFound):
        plan_moves.move(user(), one.clip_id, [one.due_at], in_hours(50))


def test_five_minutes_ahead_at_least(owner, planned):
    [one] = planned(in_hours(30))
    with pytest.raises(Problem, match="due_too_soon"):
        plan_moves.move(owner, one.clip_id, [one.due_at], clock.now() + timedelta(minutes=4))


@pytest.mark.each_on_both
@pytest.mark.parametrize(("spaced", "apart"), [(False, 0), (True, 2)])
def test_all_of_a_clip_at_different_times(owner, planned, channels, spaced, apart):
    [one] = planned(in_hours(30))
    other = publication(one.clip, channels[1], due_at=in_hours(32), wake_at=in_hours(32), status=Status.SCHEDULED)
    db.session.add(other)
    commit()
    times = [each.due_at for each in plan_moves.of_clip(owner, one.clip_id)]
    assert times == [in_hours(30), in_hours(32)]
    plan_moves.move(owner, one.clip_id, times, in_hours(60), spaced=spaced)
    commit()
    assert [each.due_at for each in _anew([one, other])] == [in_hours(60), in_hours(60 + apart)]


def test_a_cancelled_item_is_gone(owner, planned):
    [one] = planned(in_hours(30))
    publications.cancel(owner, one.id)
    commit()
    with pytest.raises(Problem, match="plan_item_gone"):
        plan_moves.of_clip(owner, one.clip_id, [one.due_at])


def _anew(made: list[Publication]) -> list[Publication]:
    return [db.session.get(Publication, one.id, populate_existing=True) for one in made]
