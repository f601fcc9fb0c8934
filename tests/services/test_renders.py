"""Announced clips: an announcement that comes twice is one, and its file gets its texts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app import clock
from app.db import commit, db
from app.models import Clip, ClipStatus, Render, Source
from app.problems import NotFound, Problem
from app.services import account_sets, clip_deletion, renders, rules, slots, uploads, when_parsing
from app.services.renders import RenderState
from tests import probing
from tests.publishing.conftest import too_late_to_undo
from tests.services.ruling import make_rule


@pytest.fixture
def bring(owner, vertical_file: Path) -> Callable[..., Clip]:
    """An upload that was begun for a render, as far as its clip."""

    def bring(render: Render, data: bytes | None = None) -> Clip:
        data = data or vertical_file.read_bytes()
        upload = uploads.create(owner, "из рендера.mp4", len(data), source=Source.API)
        renders.await_upload(renders.get(owner, render.id), upload.id)
        commit()
        assert state_of(render) in (RenderState.ARRIVING, RenderState.CANCELLED)
        done = uploads.receive(owner, upload.id, 0, [data], len(data))
        commit()
        return db.session.get(Clip, done.clip_id)

    return bring


def state_of(render: Render) -> RenderState:
    db.session.expire_all()
    return renders.state(db.session.get(Render, render.id))


def test_a_file_that_was_announced_gets_the_texts(owner, bring):
    render = renders.announce(owner, external_id="shot-7", title="Закат\n", description="Волга")
    commit()
    assert state_of(render) == RenderState.ANNOUNCED
    clip = bring(render)
    assert (clip.title, clip.description) == ("Закат", "Волга")
    assert renders.get(owner, render.id).clip_id == clip.id and state_of(render) == RenderState.ARRIVING
    probing.probe(clip.id)
    assert state_of(render) == RenderState.READY
    with pytest.raises(Problem, match="render_arrived"):
        renders.await_upload(renders.get(owner, render.id), uploads.create(owner, "ещё.mp4", 10).id)


def test_without_texts_the_title_is_the_files(owner, bring):
    render = renders.announce(owner)
    commit()
    assert bring(render).title == "из рендера"


def test_the_second_announcement_changes_what_it_gives_until_the_file_is_there(owner, telegram, bring):
    rule = make_rule(owner, telegram(owner))
    first = renders.announce(owner, external_id="shot-7", title="Черновик", description="Описание")
    commit()
    again = renders.announce(owner, external_id="shot-7", title="Чистовик", rule_id=rule.id, when={"kind": "now"})
    commit()
    assert again.id == first.id and db.session.query(Render).count() == 1
    assert (again.title, again.description, again.rule_id, again.when) == (
        "Чистовик",
        "Описание",
        rule.id,
        {"kind": "now"},
    )
    assert bring(first).title == "Чистовик"
    late = renders.announce(owner, external_id="shot-7", title="Поздно")
    assert (late.id, late.title) == (first.id, "Чистовик")


def test_one_that_was_cancelled_is_not_revived_by_an_old_announcement(owner, bring):
    render = renders.announce(owner, external_id="shot-7")
    for _ in range(2):
        renders.cancel(owner, render.id)
    commit()
    again = renders.announce(owner, external_id="shot-7", title="Снова")
    assert again.id == render.id and again.title == "" and again.cancelled_at
    assert bring(render).title == "из рендера" and state_of(render) == RenderState.CANCELLED


def test_after_a_file_that_cannot_be_used_comes_another(owner, bring):
    render = renders.announce(owner, title="Закат")
    commit()
    broken = bring(render, b"\0\0\0\x18ftypmp42" + b"x" * 1000)
    probing.probe(broken.id)
    assert state_of(render) == RenderState.FAILED
    clip = bring(render)
    probing.probe(clip.id)
    assert state_of(render) == RenderState.READY and clip.title == "Закат"
    assert db.session.get(Clip, broken.id).status == ClipStatus.FAILED


def test_it_has_arrived_also_when_its_clip_is_deleted(owner, bring):
    render = renders.announce(owner)
    commit()
    clip = bring(render)
    probing.probe(clip.id)
    clip_deletion.delete(owner, [clip.id])
    commit()
    too_late_to_undo()
    assert state_of(render) == RenderState.READY and renders.get(owner, render.id).clip_id is None
    with pytest.raises(Problem, match="render_arrived"):
        renders.await_upload(renders.get(owner, render.id), uploads.create(owner, "ещё.mp4", 10).id)


def test_ids_are_each_users_own(owner, user, telegram):
    stranger = user()
    rule = make_rule(owner, telegram(owner))
    mine = renders.announce(owner, external_id="shot-7")
    theirs = renders.announce(stranger, external_id="shot-7")
    commit()
    assert mine.id != theirs.id
    for refused in (renders.get, renders.cancel):
        with pytest.raises(NotFound):
            refused(stranger, mine.id)
    with pytest.raises(Problem, match="render_rule_unknown"):
        renders.announce(stranger, rule_id=rule.id)
    assert renders.get_by_external_id(stranger, "shot-7").id == theirs.id
    assert renders.get_by_external_id(stranger, "shot-8") is None


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"title": "я" * 201}, "title"),
        ({"description": "я" * 5001}, "description"),
        ({"external_id": "я" * 129}, "external_id"),
        ({"rule_id": 10**9}, "rule_id"),
        ({"when": {"kind": "later"}}, "when"),
    ],
)
def test_what_is_refused(owner, given, field):
    with pytest.raises(Problem) as refusal:
        renders.announce(owner, **given)
    assert refusal.value.field == field and refusal.value.text


# When


def test_a_time_keeps_its_moment_whatever_the_zone(owner):
    read = when_parsing.parse(owner, {"kind": "at", "at": "2027-11-28T10:00:00+03:00"})
    assert read.at == datetime(2027, 11, 28, 7, tzinfo=UTC)
    assert when_parsing.read(read.stored()) == read
    assert when_parsing.parse(owner, {"kind": "at", "at": "2027-11-28T07:00:00Z"}) == read


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"kind": "at", "at": "2027-11-28T10:00:00"}, "time_without_zone"),
        ({"kind": "at", "at": "завтра"}, "time_malformed"),
        ({"kind": "at", "at": 5}, "time_malformed"),
        ({"kind": "at", "at": "9999-12-31T23:59:59-14:00"}, "time_malformed"),
        ({"kind": "at"}, "when_malformed"),
        ({"kind": "now", "at": "2027-11-28T10:00:00Z"}, "when_malformed"),
        ({"kind": ["now"]}, "when_malformed"),
        ("now", "when_malformed"),
        ({"kind": "after", "minutes": -1}, "when_minutes_malformed"),
        ({"kind": "after", "minutes": True}, "when_minutes_malformed"),
        ({"kind": "after", "minutes": "30"}, "when_minutes_malformed"),
        ({"kind": "slot", "set_id": 10**30}, "when_malformed"),
        ({"kind": "slot", "set_id": 77}, "when_set_unknown"),
    ],
)
def test_times_that_are_refused(owner, value, code):
    with pytest.raises(Problem) as refusal:
        when_parsing.parse(owner, value)
    assert refusal.value.code == code


def test_slots_of_a_set_need_slots(owner, telegram):
    one = account_sets.save(owner, "Набор", [telegram(owner).id])
    with pytest.raises(Problem, match="rule_set_without_slots"):
        when_parsing.parse(owner, {"kind": "slot", "set_id": one.id})
    slots.add(owner, one.id, [0], [600])
    assert when_parsing.parse(owner, {"kind": "slot", "set_id": one.id}).set_id == one.id


def test_minutes_later_are_whole_minutes_and_far_enough_ahead():
    now = clock.now()
    assert now + timedelta(minutes=30) <= when_parsing.later(now, 30) < now + timedelta(minutes=31)
    assert when_parsing.later(now - timedelta(days=1), 30) >= now + timedelta(minutes=5)


def test_a_rule_that_is_deleted_is_remembered_as_named(owner, telegram):
    rule = make_rule(owner, telegram(owner))
    render = renders.announce(owner, rule_id=rule.id)
    commit()
    rules.remove(owner, rule.id)
    commit()
    db.session.expire_all()
    assert render.rule_id is None and render.names_rule
