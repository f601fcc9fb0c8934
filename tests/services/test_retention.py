"""Old clips are deleted on plans that limit their time, and only those that are not being published."""

from datetime import timedelta

import pytest

from app import clock, jobs, plans
from app.db import db
from app.models import Clip, Publication, Status
from app.services import retention, users
from app.storage import storage
from app.texts import moments
from tests.publishing.conftest import at_work

KEPT = timedelta(days=plans.FREE.keep_days)


@pytest.fixture
def free(user):
    return user(plan="free", plan_since=None)


@pytest.fixture
def old_clip(ready_clip):
    def make(owner, age: timedelta = KEPT + timedelta(hours=1)) -> Clip:
        clip = ready_clip(owner)
        clip.created_at = clock.now() - age
        db.session.commit()
        return clip

    return make


def test_an_old_clip_goes_with_its_files(free, old_clip):
    clip = old_clip(free)
    keys = (clip.storage_key, clip.poster_key)
    assert retention.due() == [clip.id]
    at_work(jobs.remove_old, clip.id)
    assert db.session.query(Clip).count() == 0
    assert not any(storage().exists(key) for key in keys)
    at_work(jobs.remove_old, 1)


def test_a_younger_one_stays(free, old_clip):
    clip = old_clip(free, KEPT - timedelta(hours=1))
    assert retention.due() == []
    at_work(jobs.remove_old, clip.id)
    assert db.session.get(Clip, clip.id)


@pytest.mark.parametrize("plan", ["start", "pro", "business"])
def test_paid_plans_keep_clips_for_good(user, old_clip, plan):
    owner = user(plan=plan)
    clip = old_clip(owner, timedelta(days=4000))
    assert retention.due() == []
    assert retention.leaves_at(clip, owner) is None


def test_a_downgrade_takes_nothing_at_once(user, old_clip):
    owner = user(plan="pro")
    clip = old_clip(owner, timedelta(days=400))
    users.set_plan(owner.email, "free")
    assert retention.due() == []
    assert retention.leaves_at(clip, owner) > clock.now() + KEPT - timedelta(minutes=1)
    owner.plan_since = clock.now() - KEPT - timedelta(hours=1)
    db.session.commit()
    assert retention.due() == [clip.id]


@pytest.mark.each_on_both
@pytest.mark.parametrize(
    ("status", "goes"),
    [
        (Status.PUBLISHED, True),
        (Status.FAILED, True),
        (Status.SCHEDULED, False),
        (Status.PUBLISHING, False),
        (Status.AWAITING_USER, False),
        (Status.UNCONFIRMED, False),
    ],
)
def test_a_clip_that_is_being_published_stays(free, old_clip, status, goes):
    clip = old_clip(free)
    one = Publication(
        user_id=free.id,
        clip_id=clip.id,
        platform="vk",
        account_id="1",
        account_name="Анна",
        title="Клип",
        status=status,
        due_at=clock.now(),
    )
    db.session.add(one)
    db.session.commit()
    assert retention.due() == ([clip.id] if goes else [])
    at_work(jobs.remove_old, clip.id)
    assert (db.session.query(Clip).count() == 0) is goes
    db.session.refresh(one)
    assert one.status == status


@pytest.mark.parametrize("status", [Status.UNCONFIRMED, Status.AWAITING_USER])
def test_a_question_that_is_never_answered_does_not_keep_a_clip(free, old_clip, status):
    clip = old_clip(free, 3 * KEPT)
    one = Publication(
        user_id=free.id,
        clip_id=clip.id,
        platform="vk",
        account_id="1",
        account_name="Анна",
        title="Клип",
        status=status,
        has_receipt=status == Status.UNCONFIRMED,
        due_at=clock.now() - retention.ANSWER_WAIT - timedelta(hours=1),
    )
    db.session.add(one)
    db.session.commit()
    assert retention.due() == [clip.id]
    at_work(jobs.remove_old, clip.id)
    db.session.refresh(one)
    assert (one.status, one.clip_id) == (Status.CANCELLED, None)


def test_the_card_and_the_plans_show_it(free, old_clip, sign_in):
    clip = old_clip(free, timedelta(days=1))
    leaves = retention.leaves_at(clip, free)
    browser = sign_in(free)
    assert f"Хранится до {moments.day(leaves, free.timezone)}" in browser.get("/").text
    assert "Клип хранится 30\u00a0дней" in browser.get("/plans").text
