"""What a disconnection or a smaller plan has cancelled while it waited, and bringing it back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest

from app import clock
from app.db import commit, db
from app.models import (
    AccountSet,
    Clip,
    ConnectionStatus,
    PlatformConnection,
    Publication,
    PublicationEvent,
    Slot,
    Status,
    User,
)
from app.platforms.base import Account, Token
from app.problems import Problem
from app.publishing import engine
from app.services import clip_deletion, connections, plan_change, publications, slot_changes, undo, withheld
from app.services.publications import Choice, Item
from tests.asking import asked, clip, plans, publication, reads_whole
from tests.edges import committed
from tests.notifications.reading import notifications
from tests.publishing.conftest import fresh, row, settle, too_late_to_undo, wait_until

NAMES = {"telegram": "Канал", "rutube": "Рутуб", "vk": "Анна"}


def in_hours(hours: float) -> datetime:
    return clock.now().replace(microsecond=0) + timedelta(hours=hours)


def connect(owner: User, platform: str = "telegram", account_id: str = "-1001") -> PlatformConnection:
    account = Account(account_id, NAMES[platform], facts={"chat_id": int(account_id)})
    return committed(connections.save(fresh(owner), platform, [account], Token("110201543:AAdemo")))


def plan(owner: User, hours: float, place: PlatformConnection, title: str = "Закат", of: Clip | None = None) -> int:
    """The id of a publication that is to go out then."""
    choice = Choice(place.id, title, "Описание")
    item = Item((of or clip(owner, title)).id, choice, in_hours(hours))
    [made] = publications.publish_many(owner, [item])
    commit()
    return made.id


def disconnect(place: PlatformConnection) -> connections.Disconnection:
    return committed(connections.disconnect(db.session.get(User, place.user_id), place.id))


def set_plan(owner: User, key: str) -> plan_change.Change:
    return committed(plan_change.change(fresh(owner), key))


def bring_back(owner: User, connection_id: int | None = None) -> withheld.Returned:
    return committed(withheld.bring_back(fresh(owner), connection_id))


def live(owner: User) -> list[Publication]:
    commit()
    mine = db.select(Publication).filter_by(user_id=owner.id, status=Status.SCHEDULED)
    return list(db.session.scalars(mine.order_by(Publication.due_at), execution_options={"populate_existing": True}))


def offered(owner: User) -> list[tuple[str, int, int]]:
    commit()
    return [(one.platform, one.count, one.past) for one in withheld.offers(fresh(owner))]


def history(publication_id: int) -> list[tuple[str, str | None]]:
    events = db.select(PublicationEvent).filter_by(publication_id=publication_id).order_by(PublicationEvent.id)
    return [(event.kind, event.name) for event in db.session.scalars(events)]


# Disconnecting


def test_what_was_planned_is_cancelled_and_comes_back_with_the_account(owner):
    place = connect(owner)
    others = connect(owner, account_id="-1002")
    first, second = plan(owner, 2, place, "Первый"), plan(owner, 3, place, "Второй")
    plan(owner, 4, others, "Другой")
    assert connections.preview_disconnect(owner, place.id).planned == 2
    assert disconnect(place).planned == 2
    assert [(row(one).status, row(one).reason) for one in (first, second)] == [(Status.CANCELLED, "disconnected")] * 2
    assert offered(owner) == [], "the account is not connected"
    too_late_to_undo()
    again = connect(owner)
    assert offered(owner) == [("telegram", 2, 0)]
    wanted = [(one.title, one.description, one.options, one.due_at) for one in (row(first), row(second))]
    returned = bring_back(owner, again.id)
    assert (len(returned.made), returned.refused, returned.past) == (2, [], 0)
    made = [one for one in live(owner) if one.connection_id == again.id]
    assert [(one.title, one.description, one.options, one.due_at) for one in made] == wanted
    assert [one.wake_at for one in made] == [one.due_at for one in made]
    assert (row(first).status, row(first).reason) == (Status.CANCELLED, "rescheduled")
    assert [name for name, _ in history(first)] == ["scheduled", "cancelled", "rescheduled"]
    assert offered(owner) == []


def test_taking_the_disconnection_back_leaves_nothing_to_bring_back(owner):
    place = connect(owner)
    planned = plan(owner, 2, place)
    undo_id = disconnect(place).undo_id
    committed(undo.restore(fresh(owner), undo_id))
    assert row(planned).status == Status.SCHEDULED
    assert offered(owner) == []
    with pytest.raises(Problem, match="nothing_to_bring_back"):
        withheld.bring_back(fresh(owner))


def test_connected_anew_within_the_time_for_undo(owner):
    place = connect(owner)
    plan(owner, 2, place)
    undo_id = disconnect(place).undo_id
    connect(owner)
    assert len(bring_back(owner).made) == 1
    with pytest.raises(Problem, match="undo_connected_again"):
        undo.restore(fresh(owner), undo_id)
    db.session.rollback()
    too_late_to_undo()
    assert len(live(owner)) == 1


def test_what_waits_in_a_slot_is_planned_too_and_waits_there_again(owner):
    place = connect(owner)
    account_set = AccountSet(user_id=owner.id, name="Все", paused_at=clock.now())
    db.session.add(account_set)
    db.session.flush()
    slot = Slot(account_set_id=account_set.id, weekday=0, minute=600)
    db.session.add(slot)
    db.session.flush()
    db.session.get(Publication, plan(owner, 2, place)).slot_id = slot.id
    assert connections.preview_disconnect(owner, place.id).planned == 1
    assert disconnect(place).planned == 1
    too_late_to_undo()
    connect(owner)
    assert len(bring_back(owner).made) == 1
    assert [one.slot_id for one in live(owner)] == [slot.id]


def test_what_is_under_way_is_cancelled_but_was_not_planned(owner):
    place = connect(owner)
    begun = publication(clip(owner, "Идёт"), place, status=Status.PUBLISHING, published_at=None)
    begun.wake_at = begun.due_at
    db.session.add(begun)
    plan(owner, 2, place)
    preview = connections.preview_disconnect(owner, place.id)
    assert (preview.cancelled, preview.planned) == (2, 1)
    result = disconnect(place)
    assert (result.cancelled, result.planned) == (2, 1)
    too_late_to_undo()
    connect(owner)
    assert offered(owner) == [("telegram", 1, 0)]


def test_another_account_or_another_user_is_offered_nothing(owner, user):
    place = connect(owner)
    plan(owner, 2, place)
    disconnect(place)
    connect(owner, account_id="-1002")
    stranger = user()
    theirs = connect(stranger)
    assert offered(owner) == offered(stranger) == []
    with pytest.raises(Problem, match="nothing_to_bring_back"):
        withheld.bring_back(fresh(stranger), theirs.id)


def test_an_account_that_must_be_connected_again_has_to_be_so_first(owner):
    place = connect(owner)
    plan(owner, 2, place)
    disconnect(place)
    again = connect(owner)
    again.status = ConnectionStatus.RECONNECT
    assert offered(owner) == []
    connect(owner)
    assert offered(owner) == [("telegram", 1, 0)]


def test_an_account_to_which_the_platform_gives_its_id_later(owner):
    """Rutube's is known by its token until it has a video."""
    place = committed(connections.save(owner, "rutube", [Account("token-1", "Рутуб")], Token("t")))
    plan(owner, 2, place)
    disconnect(place)
    committed(connections.save(fresh(owner), "rutube", [Account("77", "Рутуб", previous_id="token-1")], Token("t")))
    assert len(bring_back(owner).made) == 1


# Which of them come back


def test_those_whose_time_is_over_are_told(owner):
    place = connect(owner)
    for hours in (1, 2, 30):
        plan(owner, hours, place)
    disconnect(place)
    wait_until(in_hours(2) - timedelta(minutes=4))
    connect(owner)
    assert offered(owner) == [("telegram", 1, 2)], "one is over, one less than five minutes ahead"
    returned = bring_back(owner)
    assert (len(returned.made), returned.past) == (1, 2)
    assert offered(owner) == []


def test_nothing_is_offered_once_all_are_over(owner):
    place = connect(owner)
    plan(owner, 1, place)
    disconnect(place)
    connect(owner)
    wait_until(in_hours(1))
    assert offered(owner) == []
    with pytest.raises(Problem, match="nothing_to_bring_back"):
        withheld.bring_back(fresh(owner))


def test_each_is_checked_as_a_new_one(owner):
    place = connect(owner)
    deleted, live_again, published, good = (clip(owner, title) for title in ("Удалён", "Занят", "Вышел", "Годен"))
    for number, one in enumerate((deleted, live_again, published, good)):
        plan(owner, 2 + number, place, one.title, one)
    disconnect(place)
    too_late_to_undo()
    again = connect(owner)
    committed(clip_deletion.delete(fresh(owner), [deleted.id]))
    plan(owner, 9, again, "Занят", live_again)
    db.session.add(publication(fresh(published), again))
    commit()
    returned = bring_back(owner)
    assert [one.title for one in returned.made] == ["Годен"]
    assert [(one.title, problem.code) for one, problem in returned.refused] == [
        ("Удалён", "clip_deleted"),
        ("Занят", "already_live"),
        ("Вышел", "published_meanwhile"),
    ]
    assert offered(owner) == [], "used"


def test_what_was_to_go_out_once_more_still_is(owner):
    place, one = connect(owner), clip(owner, "Снова")
    db.session.add(publication(one, place))
    choice = Choice(place.id, "Снова", "", again=True)
    [planned] = publications.publish_many(owner, [Item(one.id, choice, in_hours(2))])
    commit()
    disconnect(place)
    connect(owner)
    returned = bring_back(owner)
    assert (len(returned.made), returned.refused) == (1, [])
    assert row(planned.id).status == Status.CANCELLED


def test_of_a_clip_that_was_planned_twice_the_newer_plan_holds(owner):
    one = clip(owner, "Закат")
    for hours in (2, 3):
        place = connect(owner)
        newer = plan(owner, hours, place, "Закат", one)
        disconnect(place)
    connect(owner)
    wanted = row(newer).due_at
    returned = bring_back(owner)
    assert [made.due_at for made in returned.made] == [wanted]
    assert [problem.code for _, problem in returned.refused] == ["already_live"]


def test_who_does_not_want_them_is_not_asked_again(owner):
    place = connect(owner)
    planned = plan(owner, 2, place)
    disconnect(place)
    again = connect(owner)
    committed(withheld.dismiss(fresh(owner), again.id))
    assert offered(owner) == []
    assert row(planned).status == Status.CANCELLED


def test_only_the_account_that_is_named(owner):
    places = [connect(owner, account_id=account_id) for account_id in ("-1001", "-1002")]
    for place in places:
        plan(owner, 2, place)
        disconnect(place)
    first, _ = (connect(owner, account_id=account_id) for account_id in ("-1001", "-1002"))
    assert len(bring_back(owner, first.id).made) == 1
    assert offered(owner) == [("telegram", 1, 0)]


# Plans


def test_a_smaller_plan_cancels_what_it_does_not_include(owner):
    telegram, vk = connect(owner), connect(owner, "vk", "1")
    gone, stays = plan(owner, 2, telegram), plan(owner, 2, vk)
    assert plan_change.preview(owner, "start").cancelled == {"telegram": 1}
    assert plan_change.smaller(owner) == {"free", "start"}
    assert set_plan(owner, "start").cancelled == {"telegram": 1}
    assert (row(gone).status, row(gone).reason) == (Status.CANCELLED, "not_in_plan_any_more")
    assert row(stays).status == Status.SCHEDULED
    assert history(gone)[-1] == ("cancelled", "not_in_plan_any_more")
    assert offered(owner) == []
    assert set_plan(owner, "pro").returnable == 1
    assert offered(owner) == [("telegram", 1, 0)]
    assert len(bring_back(owner).made) == 1
    assert len(live(owner)) == 2


def test_each_change_of_plan_is_one_notification(owner):
    place, rutube = connect(owner), connect(owner, "rutube", "7")
    for hours in (2, 3):
        plan(owner, hours, place)
    plan(owner, 2, rutube)
    set_plan(owner, "free")
    set_plan(owner, "start")
    set_plan(owner, "business")
    told = [one for one in notifications() if one.kind.startswith("plan_")]
    assert [(one.kind, one.facts["count"], one.facts["where"]) for one in told] == [
        ("plan_withheld", 3, "Rutube — 1, Telegram — 2"),
        ("plan_returnable", 3, "Rutube — 1, Telegram — 2"),
    ]


def test_a_plan_that_includes_the_platform_changes_nothing(owner):
    planned = plan(owner, 2, connect(owner))
    change = set_plan(owner, "business")
    assert (change.cancelled, change.returnable) == ({}, 0)
    assert row(planned).status == Status.SCHEDULED
    assert [one.kind for one in notifications()] == []


def test_a_plan_and_a_disconnection_both_have_to_be_undone(owner):
    place = connect(owner)
    plan(owner, 2, place)
    set_plan(owner, "start")
    disconnect(place)
    set_plan(owner, "pro")
    assert offered(owner) == []
    connect(owner)
    assert offered(owner) == [("telegram", 1, 0)]
    set_plan(owner, "free")
    with pytest.raises(Problem, match="nothing_to_bring_back"):  # the plan has changed before the press
        withheld.bring_back(fresh(owner))
    db.session.rollback()
    set_plan(owner, "pro")
    assert len(bring_back(owner).made) == 1


def test_an_undo_does_not_plan_what_the_plan_excludes(owner):
    place = connect(owner)
    planned = plan(owner, 2, place)
    held = committed(publications.cancel(fresh(owner), planned))
    set_plan(owner, "start")
    with pytest.raises(Problem, match="undo_too_late"):
        undo.restore(fresh(owner), held.id)
    db.session.rollback()
    assert row(planned).status == Status.CANCELLED


def test_what_falls_due_before_it_is_cancelled_does_not_slip_out(toy, toy_publication, owner):
    """The plan is asked again when a worker claims it: here the change of plan has missed it."""
    due = in_hours(1)
    publication_id = toy_publication(owner, due)
    db.session.execute(db.update(User).where(User.id == owner.id).values(plan_key="start"))
    commit()
    wait_until(due)
    assert (settle(publication_id).status, row(publication_id).reason) == (Status.FAILED, "plan")
    assert toy.posts == {}


# At the same moment


def at_once(app, *calls: Callable):
    """Each call in a thread and a session of its own; what they return or raise."""
    together = Barrier(len(calls))

    def run(call: Callable):
        with app.app_context():
            together.wait()
            return call()

    db.session.commit()
    with ThreadPoolExecutor(len(calls)) as threads:
        ends = [threads.submit(run, call) for call in calls]
    return [end.exception() or end.result() for end in ends]


def test_a_double_press_brings_back_once(app, owner):
    user_id, place = owner.id, connect(owner)
    for hours in (2, 3, 4):
        plan(owner, hours, place)
    disconnect(place)
    connect(owner)

    def press() -> int:
        return len(committed(withheld.bring_back(db.session.get(User, user_id))).made)

    ended = at_once(app, *[press] * 3)
    assert sorted(str(one) for one in ended) == ["3", "nothing_to_bring_back", "nothing_to_bring_back"], ended
    assert len(live(owner)) == 3


def test_a_plan_that_changes_while_something_is_planned_misses_nothing(app, owner):
    user_id, place_id = owner.id, connect(owner).id
    clip_ids = [clip(owner, f"Клип {number}").id for number in range(4)]
    at = in_hours(2)

    def schedule(clip_id: int):
        user = db.session.get(User, user_id)
        return [committed(publications.publish_many(user, [Item(clip_id, Choice(place_id, "Раз", ""), at)]))]

    def shrink():
        return committed(plan_change.change(db.session.get(User, user_id), "start"))

    at_once(app, *[lambda one=one: schedule(one) for one in clip_ids], shrink)
    assert live(owner) == []


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)  # in SQLite one transaction writes at a time
def test_the_plan_waits_for_what_is_being_planned(app, owner):
    """The publication is there, uncommitted, when the plan changes."""
    user_id, place = owner.id, connect(owner)
    item = Item(clip(owner, "Раз").id, Choice(place.id, "Раз", ""), in_hours(2))
    commit()
    publications.publish_many(fresh(owner), [item])

    def shrink():
        with app.app_context():
            return committed(plan_change.change(db.session.get(User, user_id), "start")).cancelled

    with ThreadPoolExecutor(1) as thread:
        shrinking = thread.submit(shrink)
        with pytest.raises(TimeoutError):
            shrinking.result(0.3)
        commit()
        assert shrinking.result(10) == {"telegram": 1}


@pytest.mark.each_on_both
@pytest.mark.parametrize("change", ["disconnect", "plan"])
def test_what_fires_at_the_same_moment_goes_out_or_is_cancelled(app, toy, toy_publication, owner, change):
    """Never both, and never left scheduled."""
    user_id, due = owner.id, in_hours(1)
    publication_id = toy_publication(owner, due)
    place_id = row(publication_id).connection_id
    wait_until(due)

    def stop():
        user = db.session.get(User, user_id)
        if change == "plan":
            return committed(plan_change.change(user, "start")).cancelled
        return committed(connections.disconnect(user, place_id)).planned

    at_once(app, lambda: engine.advance(publication_id), stop)
    ended = settle(publication_id)
    assert ended.status in (Status.PUBLISHED, Status.CANCELLED, Status.FAILED)
    assert len(toy.posts) == (ended.status == Status.PUBLISHED)
    if ended.withheld_at:
        assert ended.status == Status.CANCELLED and history(publication_id)[-2][0] == "scheduled"


# Brothers: what else can stand between a plan and its time


def test_an_account_that_is_connected_again_publishes_what_waited(toy, toy_publication, owner):
    """`RECONNECT` cancels nothing: the reminder asks for it, and the first reconnection lets all go out."""
    due = in_hours(1)
    publication_id = toy_publication(owner, due)
    db.session.get(PlatformConnection, row(publication_id).connection_id).status = ConnectionStatus.RECONNECT
    commit()
    committed(connections.save(fresh(owner), "toy", [Account("1", "Игрушка")], Token("toy-token")))
    assert offered(owner) == [], "nothing was cancelled"
    wait_until(due)
    assert settle(publication_id).status == Status.PUBLISHED


def test_without_a_reconnection_it_fails_when_it_is_due_and_can_be_repeated(toy, toy_publication, owner):
    due = in_hours(1)
    publication_id = toy_publication(owner, due)
    db.session.get(PlatformConnection, row(publication_id).connection_id).status = ConnectionStatus.RECONNECT
    commit()
    wait_until(due)
    assert (settle(publication_id).status, row(publication_id).reason) == (Status.FAILED, "reconnect")
    assert toy.posts == {}


def test_a_choice_of_accounts_that_takes_the_place_of_one_keeps_its_plan(owner):
    planned = plan(owner, 2, connect(owner, "vk", "1"))
    choosing = committed(
        connections.save(fresh(owner), "vk", [Account("1", "Анна"), Account("-2", "Сообщество")], Token("t"))
    )
    chosen = committed(connections.choose(fresh(owner), choosing.id, "1"))
    assert (row(planned).status, row(planned).connection_id) == (Status.SCHEDULED, chosen.id)


def test_a_set_that_is_deleted_leaves_its_plan(owner):
    planned = plan(owner, 2, connect(owner))
    account_set = AccountSet(user_id=owner.id, name="Все")
    db.session.add(account_set)
    db.session.flush()
    slot = Slot(account_set_id=account_set.id, weekday=0, minute=600)
    db.session.add(slot)
    db.session.flush()
    db.session.get(Publication, planned).slot_id = slot.id
    commit()
    slot_changes.remove_set(fresh(owner), account_set.id)
    commit()
    assert (row(planned).status, row(planned).slot_id) == (Status.SCHEDULED, None)


# How it is found


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)  # PostgreSQL goes by how many rows there are
def test_what_can_be_brought_back_is_found_by_its_index(app, crowd):
    owner = crowd(3)
    with asked() as found:
        withheld.offers(owner)
    [way] = plans(found, "publications")
    assert "ix_publications_withheld" in way and not reads_whole(way, "publications"), way
    with asked() as found:
        withheld.planned(owner)
    [way] = plans(found, "publications")
    assert "ix_publications_user_" in way and not reads_whole(way, "publications"), way
