"""A rule, a render and a restart in every order: each rule acts once on a clip; what does not fit is held."""

import threading
from datetime import timedelta

import pytest
from flask import current_app
from sqlalchemy import delete, update

from app import clock, jobs
from app.db import commit, db, transaction
from app.models import Clip, PlatformConnection, RuleCheck, RuleRun, RunState, Status, User, WhenKind
from app.problems import NotFound, Problem
from app.services import (
    account_sets,
    clip_deletion,
    clips,
    connections,
    publications,
    renders,
    rule_checks,
    rule_journal,
    rule_runs,
    rules,
    slots,
    undo,
    users,
)
from app.services.drafts import Choice
from app.services.rule_checks import LEASE, MAX_TRIES
from tests.notifications.reading import notifications
from tests.publishing.conftest import at_work, too_late_to_undo, wait_until
from tests.services.ruling import apply_rules, id_of, listen, made, make_rule, runs, told

pytestmark = pytest.mark.usefixtures("listening")


@pytest.fixture
def listening(app) -> None:
    listen()


@pytest.fixture
def account(owner, telegram) -> PlatformConnection:
    return telegram(owner)


@pytest.fixture
def other_account(owner, telegram) -> PlatformConnection:
    return telegram(owner, chat_id=-1002)


def note_events() -> list[int]:
    """The tick alone; ids of what waits for a worker."""
    at_work(rule_checks.read_events)
    return at_work(rule_checks.due)


# Once


def test_a_clip_that_becomes_ready_goes_out_once(owner, account, ready_clip):
    make_rule(owner, account, title_template="Новое: {title}", text_template="{file}, {source}")
    clip = ready_clip(owner, title="Закат")
    for _ in range(3):
        apply_rules()
    [one] = made(clip)
    assert (one.title, one.description, one.status) == (
        "Новое: Закат",
        f"{clips.title_from(clip.file_name)}, загрузка в браузере",
        Status.PUBLISHING,
    )
    assert runs(clip) == [(RunState.PUBLISHED, None)] and told(clip.id) == []
    assert db.session.query(RuleRun).one().publication_ids == [one.id]
    assert db.session.query(RuleCheck).count() == 0


def test_a_worker_that_ends_before_its_commit_leaves_the_clip_to_the_next(owner, account, ready_clip):
    make_rule(owner, account)
    clip = ready_clip(owner)
    [check_id] = note_events()
    with pytest.raises(KeyboardInterrupt), current_app.app_context(), transaction():
        rule_runs.apply(at_work_claim(check_id))
        raise KeyboardInterrupt
    assert made(clip) == [] and runs(clip) == []
    assert at_work(rule_checks.due) == [], "the lease still holds"
    wait_until(clock.now() + LEASE)
    apply_rules()
    assert len(made(clip)) == 1 and runs(clip) == [(RunState.PUBLISHED, None)]


def at_work_claim(check_id: int) -> RuleCheck:
    with transaction():
        return rule_checks.claim_due(check_id)


def test_a_worker_whose_lease_ran_out_changes_nothing(owner, account, ready_clip):
    make_rule(owner, account)
    clip = ready_clip(owner)
    [check_id] = note_events()
    late = at_work(at_work_claim, check_id)
    wait_until(clock.now() + LEASE)
    apply_rules()
    with current_app.app_context(), transaction():
        rule_runs.apply(late)
    assert len(made(clip)) == 1 and len(runs(clip)) == 1


def test_the_same_event_read_twice_acts_once(owner, account, ready_clip):
    """A restored cursor, or a check that is made anew: the run stands in the way."""
    make_rule(owner, account)
    clip = ready_clip(owner)
    apply_rules()
    publications.cancel(owner, made(clip)[0].id)
    db.session.add(RuleCheck(user_id=owner.id, clip_id=clip.id, title="", ready_at=clock.now()))
    commit()
    apply_rules()
    assert [one.status for one in made(clip)] == [Status.CANCELLED] and len(runs(clip)) == 1


def test_two_ticks_and_two_workers_at_once(app, owner, account, ready_clip):
    make_rule(owner, account)
    some = [ready_clip(owner, title=f"Клип {number}") for number in range(3)]
    db.session.rollback()

    def turn() -> None:
        with app.app_context():
            rule_checks.read_events()
            for check_id in rule_checks.due():
                db.session.rollback()
                jobs.apply_rules(check_id)
            db.session.remove()

    threads = [threading.Thread(target=turn) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    apply_rules()
    for clip in some:
        assert len(made(clip)) == 1 and runs(clip) == [(RunState.PUBLISHED, None)]


def test_a_check_that_always_fails_is_given_up_and_told(owner, account, ready_clip):
    make_rule(owner, account)
    clip = ready_clip(owner)
    note_events()
    db.session.execute(update(RuleCheck).values(tries=MAX_TRIES))
    commit()
    apply_rules()
    assert made(clip) == [] and db.session.query(RuleCheck).count() == 0
    [(kind, why)] = told(clip.id)
    assert kind == "clip.not_published" and why.startswith("Сбой на нашей стороне")


def test_a_user_without_rules_has_no_work(owner, ready_clip):
    ready_clip(owner)
    assert note_events() == []


# Which rules


def test_several_rules_publish_to_an_account_once(owner, account, other_account, ready_clip):
    make_rule(owner, account, name="Первое", title_template="Первое")
    make_rule(owner, account, other_account, name="Второе", title_template="Второе")
    make_rule(owner, account, name="Третье")
    clip = ready_clip(owner)
    apply_rules()
    assert [(one.connection_id, one.title) for one in made(clip)] == [
        (account.id, "Первое"),
        (other_account.id, "Второе"),
    ]
    assert [state for state, _ in runs(clip)] == [RunState.PUBLISHED, RunState.PUBLISHED, RunState.SKIPPED]


@pytest.mark.each_on_both
@pytest.mark.parametrize(
    ("conditions", "acts"),
    [
        ({"name_pattern": "закат*"}, True),
        ({"name_pattern": "*ВОЛГОЙ"}, True),
        ({"name_pattern": "*.mp4"}, True),
        ({"name_pattern": "закат"}, False),
        ({"source": "upload"}, True),
        ({"source": "api"}, False),
        ({"source_name": "Ферма"}, False),
    ],
)
def test_only_clips_that_it_means(owner, account, ready_clip, conditions, acts):
    make_rule(owner, account, **conditions)
    clip = ready_clip(owner)
    apply_rules()
    assert len(made(clip)) == len(runs(clip)) == int(acts)


def test_only_what_became_ready_after_it_was_switched_on(owner, account, ready_clip):
    """The tick may come late: what counts is when the clip became ready."""
    rule = make_rule(owner, account)
    rules.switch(owner, rule.id, on=False)
    commit()
    before = ready_clip(owner, title="Раньше")
    rules.switch(owner, rule.id, on=True)
    commit()
    after = ready_clip(owner, title="Позже")
    apply_rules()
    assert made(before) == [] and runs(before) == [] and len(made(after)) == 1


def test_the_one_switch_of_all_rules(owner, account, ready_clip):
    make_rule(owner, account)
    meanwhile = []
    rules.switch_all(owner, on=False)
    commit()
    for title in ("Прочитан без правил", "Прочитан позже"):
        meanwhile.append(ready_clip(owner, title=title))
        if len(meanwhile) == 1:
            apply_rules()
    rules.switch_all(owner, on=True)
    commit()
    after = ready_clip(owner, title="После")
    apply_rules()
    assert [made(one) for one in meanwhile] == [[], []] and len(made(after)) == 1


@pytest.mark.each_on_both
@pytest.mark.parametrize("how", ["removed", "off", "edited", "made"])
def test_what_happens_to_a_rule_between_the_event_and_the_worker(owner, account, other_account, ready_clip, how):
    rule = make_rule(owner, account)
    clip = ready_clip(owner)
    note_events()
    if how == "removed":
        rules.remove(owner, rule.id)
    elif how == "off":
        rules.switch(owner, rule.id, on=False)
    elif how == "edited":
        rules.save(owner, rules.Wish("Иначе", connection_ids=[other_account.id]), rule.id)
    else:
        rules.save(owner, rules.Wish("Новое", connection_ids=[other_account.id]))
    commit()
    apply_rules()
    expected = {"removed": [], "off": [], "edited": [other_account.id], "made": [account.id]}
    assert [one.connection_id for one in made(clip)] == expected[how]


# What does not fit


def test_a_clip_that_does_not_fit_on_one_account_is_published_on_none_and_told(
    owner, account, other_account, ready_clip
):
    make_rule(owner, account, other_account)
    db.session.execute(
        update(PlatformConnection).where(PlatformConnection.id == other_account.id).values(status="reconnect")
    )
    commit()
    clip = ready_clip(owner)
    apply_rules()
    assert made(clip) == [] and runs(clip) == [(RunState.HELD, "account_needs_reconnect")]
    [(kind, why)] = told(clip.id)
    assert kind == "clip.held" and why == "Telegram — Везде: демо: Переподключите аккаунт: «Настройки → Интеграции»."
    assert [one.kind for one in notifications()] == ["held"]


def test_what_a_person_releases_goes_where_it_can(owner, account, other_account, ready_clip):
    make_rule(owner, account, other_account)
    db.session.execute(
        update(PlatformConnection).where(PlatformConnection.id == other_account.id).values(status="reconnect")
    )
    commit()
    clip = ready_clip(owner)
    apply_rules()
    [waiting] = rule_journal.held_page(owner).rows
    released = rule_runs.release(owner, waiting.id)
    commit()
    assert [one.connection_id for one in made(clip)] == [account.id]
    assert [one.code for one in released.left_out] == ["account_needs_reconnect"]
    assert runs(clip) == [(RunState.RELEASED, None)] and rule_journal.held_count(owner) == 0
    with pytest.raises(Problem, match="run_settled"):
        rule_runs.release(owner, waiting.id)


def test_what_fits_nowhere_stays_held(owner, account, ready_clip):
    make_rule(owner, account)
    users.set_plan(owner.email, "free")
    commit()
    clip = ready_clip(owner)
    apply_rules()
    assert runs(clip) == [(RunState.HELD, "not_in_plan")]
    [waiting] = rule_journal.held_page(owner).rows
    with pytest.raises(Problem, match="run_fits_nowhere") as refusal:
        rule_runs.release(owner, waiting.id)
    assert "Ваш тариф не включает эту площадку" in refusal.value.text
    db.session.rollback()
    assert runs(clip) == [(RunState.HELD, "not_in_plan")]
    users.set_plan(owner.email, "pro")
    commit()
    rule_runs.release(owner, waiting.id)
    commit()
    assert len(made(clip)) == 1


def test_texts_that_do_not_fit(owner, account, ready_clip):
    make_rule(owner, account, text_template="я" * 5000)
    clip = ready_clip(owner)
    apply_rules()
    assert made(clip) == [] and runs(clip) == [(RunState.HELD, "text_too_long")]


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_account_that_is_disconnected(owner, account, ready_clip, when):
    """Before the clip is ready, or between the event and the worker."""
    make_rule(owner, account)
    clip = ready_clip(owner) if when == "after" else None
    connections.disconnect(owner, account.id)
    commit()
    clip = clip or ready_clip(owner)
    apply_rules()
    assert made(clip) == [] and runs(clip) == [(RunState.HELD, "rule_no_accounts")]
    too_late_to_undo()
    [waiting] = rule_journal.held_page(owner).rows
    with pytest.raises(Problem, match="run_fits_nowhere"):
        rule_runs.release(owner, waiting.id)


def test_a_set_that_is_gone(owner, account, ready_clip):
    one = account_sets.save(owner, "Набор", [account.id])
    make_rule(owner, account_set_id=one.id)
    account_sets.remove(owner, one.id)
    commit()
    clip = ready_clip(owner)
    apply_rules()
    assert runs(clip) == [(RunState.HELD, "rule_no_accounts")]


def test_what_platforms_want_to_be_chosen_is_not_invented(owner, ready_clip, toy, toy_options):
    from app.platforms.base import Account, Token

    connection = connections.save(owner, "toy", [Account("1", "Игрушка")], Token("toy-token"))
    commit()
    with pytest.raises(Problem, match="option_not_chosen"):
        rules.save(owner, rules.Wish("Правило", connection_ids=[connection.id]))
    db.session.rollback()
    rule = make_rule(owner, connection, options={connection.id: {"who": "all"}})
    first = ready_clip(owner, title="Первый")
    apply_rules()
    assert [one.options for one in made(first)] == [{"who": "all"}]
    rule = rules.get(owner, rule.id)
    rule.options = {}  # as for an account that has come into a set since
    commit()
    second = ready_clip(owner, title="Второй")
    apply_rules()
    assert made(second) == [] and runs(second) == [(RunState.HELD, "option_not_chosen")]


@pytest.fixture
def toy_options(toy):
    from app.platforms.options import Select
    from tests.publishing.toy import Toy

    Toy.options = (Select(name="who", label="Кому видно", required=True, choices={"all": "Всем"}),)
    yield
    del Toy.options


@pytest.mark.parametrize("back", [False, True])
def test_a_clip_that_is_deleted_before_its_rules_are_applied(owner, account, ready_clip, back):
    make_rule(owner, account)
    clip = ready_clip(owner)
    note_events()
    deletion = clip_deletion.delete(owner, [clip.id])
    commit()
    apply_rules()
    assert db.session.query(RuleCheck).count() == 1, "it may be taken back"
    if back:
        undo.restore(owner, deletion.undo_id)
        commit()
    too_late_to_undo()
    wait_until(clock.now() + timedelta(seconds=13))
    apply_rules()
    assert len(made(clip)) == int(back) and db.session.query(RuleCheck).count() == 0


def test_what_waits_goes_with_its_clip(owner, account, ready_clip):
    make_rule(owner, account, needs_approval=True)
    clip = ready_clip(owner)
    apply_rules()
    [waiting] = rule_journal.held_page(owner).rows
    clip_deletion.delete(owner, [clip.id])
    commit()
    assert rule_journal.held_count(owner) == 0
    too_late_to_undo()
    assert rule_journal.held_count(owner) == 0
    with pytest.raises(NotFound):
        rule_runs.release(owner, waiting.id)
    [line] = rule_journal.describe(owner, rule_journal.history(owner).rows)
    assert line.run.clip_title == "Закат над Волгой"


def test_users_are_kept_apart_and_go_with_their_rules(owner, user, telegram, account, ready_clip):
    stranger = user()
    rule = make_rule(owner, account, needs_approval=True)
    clip, theirs = ready_clip(owner), ready_clip(stranger)
    apply_rules()
    assert made(theirs) == [] and runs(theirs) == []
    [waiting] = rule_journal.held_page(owner).rows
    for refused in (rule_runs.release, rule_runs.reject):
        with pytest.raises(NotFound):
            refused(stranger, waiting.id)
    for refused in (rules.get, rules.remove):
        with pytest.raises(NotFound):
            refused(stranger, rule.id)
    with pytest.raises(NotFound):
        rules.save(stranger, rules.Wish("Чужое", connection_ids=[account.id]))
    db.session.rollback()
    assert rule_journal.held_count(stranger) == 0 and rule_journal.history(stranger).total == 0
    db.session.execute(delete(User).where(User.id == owner.id))
    commit()
    assert db.session.query(RuleRun).count() == 0 and db.session.get(Clip, id_of(clip)) is None


# Approval


def test_nothing_goes_out_without_an_approval_and_once_with_it(owner, account, ready_clip):
    make_rule(owner, account, needs_approval=True)
    some = [ready_clip(owner, title=title) for title in ("Да", "Нет", "Забыт")]
    apply_rules()
    assert [made(clip) for clip in some] == [[], [], []]
    assert [one.clip_title for one in rule_journal.held_page(owner).rows] == ["Да", "Нет", "Забыт"]
    yes, no, _ = rule_journal.held_page(owner).rows
    rule_runs.release(owner, yes.id)
    rule_runs.reject(owner, no.id)
    commit()
    for decide in (rule_runs.release, rule_runs.reject):
        for decided in (yes, no):
            with pytest.raises(Problem, match="run_settled"):
                decide(owner, decided.id)
            db.session.rollback()
    apply_rules()
    assert [len(made(clip)) for clip in some] == [1, 0, 0]
    assert [runs(clip)[0][0] for clip in some] == [RunState.RELEASED, RunState.REJECTED, RunState.HELD]


def test_a_rule_that_is_removed_takes_what_waits_with_it(owner, account, ready_clip):
    rule = make_rule(owner, account, needs_approval=True)
    clip = ready_clip(owner)
    apply_rules()
    assert rules.held_by(rule) == 1
    assert rules.remove(owner, rule.id) == 1
    commit()
    assert rule_journal.held_count(owner) == 0 and runs(clip)[0][0] == RunState.REJECTED


def test_what_its_user_has_published_meanwhile_is_not_published_again(owner, account, ready_clip):
    make_rule(owner, account, needs_approval=True)
    clip = ready_clip(owner)
    apply_rules()
    publications.publish(owner, clip.id, [Choice(account.id, clip.title, "")])
    commit()
    [waiting] = rule_journal.held_page(owner).rows
    assert rule_runs.release(owner, waiting.id).made == []
    commit()
    assert len(made(clip)) == 1 and runs(clip) == [(RunState.SKIPPED, None)]


# When


def test_after_so_many_minutes(owner, account, ready_clip):
    make_rule(owner, account, when_kind=WhenKind.AFTER, after_minutes=30)
    clip = ready_clip(owner)
    apply_rules()
    [one] = made(clip)
    assert one.status == Status.SCHEDULED and one.due_at.second == 0
    assert timedelta(minutes=29) < one.due_at - clock.now() <= timedelta(minutes=31)


def test_the_shortest_time_is_late_enough_to_be_scheduled(owner, account, ready_clip):
    """Also where the tick comes hours late."""
    make_rule(owner, account, when_kind=WhenKind.AFTER, after_minutes=5)
    clip = ready_clip(owner)
    note_events()
    for hours in (0, 3):
        clock.correct(clock.now() + timedelta(hours=hours))
        apply_rules()
        [one] = made(clip)
        assert timedelta(minutes=5) <= one.due_at - clock.now() + timedelta(hours=hours) or hours
        ahead = one.due_at - one.created_at
        assert timedelta(minutes=5) <= ahead <= timedelta(minutes=7)


def test_the_next_free_slots_each_its_own(owner, account, ready_clip):
    one = account_sets.save(owner, "Набор", [account.id])
    slots.add(owner, one.id, range(7), [600, 1140])
    commit()
    free = [slot.due_at for slot in slots.next_free(owner, one.id, 3)]
    make_rule(owner, account_set_id=one.id, when_kind=WhenKind.SLOT)
    some = [ready_clip(owner, title=f"Клип {number}") for number in range(3)]
    apply_rules()
    assert [made(clip)[0].due_at for clip in some] == free
    assert all(made(clip)[0].slot_id for clip in some)


def test_the_limit_of_a_day(owner, account, ready_clip):
    """What is over it is held; a person releases it whatever the limit; the next day it counts anew."""
    make_rule(owner, account, daily_limit=2)
    some = [ready_clip(owner, title=f"Клип {number}") for number in range(3)]
    apply_rules()
    assert [runs(clip)[0] for clip in some] == [
        (RunState.PUBLISHED, None),
        (RunState.PUBLISHED, None),
        (RunState.HELD, "rule_daily_limit"),
    ]
    [waiting] = rule_journal.held_page(owner).rows
    rule_runs.release(owner, waiting.id)
    commit()
    assert len(made(some[2])) == 1
    clock.correct(clock.now() + timedelta(days=1))
    tomorrow = ready_clip(owner, title="Завтра")
    apply_rules()
    assert len(made(tomorrow)) == 1


def test_slots_of_a_full_day_are_left_to_others(owner, account, ready_clip):
    one = account_sets.save(owner, "Набор", [account.id])
    slots.add(owner, one.id, range(7), [600, 660, 1140])
    make_rule(owner, account_set_id=one.id, when_kind=WhenKind.SLOT, daily_limit=1)
    some = [ready_clip(owner, title=f"Клип {number}") for number in range(3)]
    apply_rules()
    days = [clock.to_zone(made(clip)[0].due_at, owner.timezone).date() for clip in some]
    assert days[1] == days[0] + timedelta(days=1) and days[2] == days[1] + timedelta(days=1)


def test_a_full_day_moves_what_comes_minutes_later_to_the_next(owner, account, ready_clip):
    make_rule(owner, account, when_kind=WhenKind.AFTER, after_minutes=10, daily_limit=1)
    some = [ready_clip(owner, title=f"Клип {number}") for number in range(2)]
    apply_rules()
    first, second = (made(clip)[0].due_at for clip in some)
    assert second - first == timedelta(days=1)


# Announced clips


@pytest.fixture
def announced(owner, ready_clip):
    """A clip that a render brings: as `new_clips.make` links them, then probed."""

    def arrive(render, title: str = "Рендер") -> Clip:
        clip = ready_clip(owner, title=title)
        renders.get(owner, render.id).clip_id = clip.id
        commit()
        return clip

    return arrive


def test_a_render_names_the_rule_that_alone_decides(owner, account, other_account, announced):
    make_rule(owner, account, name="Подходит всем")
    named = make_rule(owner, other_account, name="Названное", name_pattern="ничего")
    render = renders.announce(owner, rule_id=named.id)
    commit()
    clip = announced(render)
    apply_rules()
    assert [one.connection_id for one in made(clip)] == [other_account.id]


def test_a_render_says_when(owner, account, announced):
    make_rule(owner, account)
    at = (clock.now() + timedelta(days=2)).replace(microsecond=0)
    render = renders.announce(owner, when={"kind": "at", "at": at.isoformat()})
    commit()
    clip = announced(render)
    apply_rules()
    assert [one.due_at for one in made(clip)] == [at]


def test_a_time_that_has_passed_is_held_and_goes_out_at_once_when_released(owner, account, announced):
    make_rule(owner, account)
    at = clock.now() + timedelta(hours=1)
    render = renders.announce(owner, when={"kind": "at", "at": at.isoformat()})
    commit()
    clock.correct(at + timedelta(minutes=1))
    clip = announced(render)
    apply_rules()
    assert made(clip) == [] and runs(clip) == [(RunState.HELD, "when_passed")]
    [waiting] = rule_journal.held_page(owner).rows
    rule_runs.release(owner, waiting.id)
    commit()
    assert [one.status for one in made(clip)] == [Status.PUBLISHING]


@pytest.mark.parametrize("how", ["removed", "off", "no match"])
def test_a_render_whose_order_cannot_be_carried_out_is_told(owner, account, announced, how):
    rule = make_rule(owner, account, source="api" if how == "no match" else None)
    order = {"when": {"kind": "now"}} if how == "no match" else {"rule_id": rule.id}
    render = renders.announce(owner, **order)
    if how == "removed":
        rules.remove(owner, rule.id)
        make_other = {"name": "Подходит всем"}
        rules.save(owner, rules.Wish(connection_ids=[account.id], **make_other))
    elif how == "off":
        rules.switch(owner, rule.id, on=False)
    commit()
    clip = announced(render)
    apply_rules()
    assert made(clip) == []
    assert runs(clip) == ([(RunState.HELD, "rule_off")] if how == "off" else [])
    assert [kind for kind, _ in told(clip.id)] == ["clip.held" if how == "off" else "clip.not_published"]


@pytest.mark.each_on_both
@pytest.mark.parametrize("moment", ["announced", "arrived", "noted"])
def test_a_render_that_is_cancelled_is_not_published(owner, account, announced, moment):
    rule = make_rule(owner, account)
    render = renders.announce(owner, rule_id=rule.id)
    commit()
    clip = announced(render) if moment != "announced" else None
    if moment == "noted":
        note_events()
    renders.cancel(owner, render.id)
    commit()
    clip = clip or announced(render)
    apply_rules()
    assert made(clip) == [] and runs(clip) == [] and told(clip.id) == []


def test_a_render_is_cancelled_too_late(owner, account, announced):
    make_rule(owner, account)
    render = renders.announce(owner)
    commit()
    clip = announced(render)
    apply_rules()
    with pytest.raises(Problem, match="render_too_late"):
        renders.cancel(owner, render.id)
    db.session.rollback()
    assert len(made(clip)) == 1


def test_an_announced_clip_without_rules_is_a_clip_like_any_other(owner, announced):
    render = renders.announce(owner)
    commit()
    clip = announced(render)
    apply_rules()
    assert made(clip) == [] and told(clip.id) == []
