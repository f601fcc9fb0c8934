"""What a clock that was ahead has written, table by table: nothing sleeps or lives until that time comes."""

from datetime import timedelta

import pytest

from app import clock, jobs
from app.db import commit, db
from app.models import (
    REVOCATION_KEPT,
    Clip,
    Heartbeat,
    Notification,
    PlatformConnection,
    Publication,
    Revocation,
    Upload,
)
from app.notifications import email
from app.platform_access import revocations, tokens
from app.platform_access.rate_limits import Pacer
from app.platforms.base import Token
from app.platforms.http.client import Window
from app.problems import Problem
from app.redis_client import redis_client
from app.services import clip_probes, heartbeats, throttle, uploads
from app.services.throttle import Limit
from app.statistics import collector
from tests import probing
from tests.publishing.conftest import at_work

HOUR = timedelta(hours=1)
YEAR = timedelta(days=365)
LIMIT = Limit("test", times=1, seconds=60)


def test_a_process_seen_in_an_hour_does_not_live_and_is_forgotten(app):
    later = clock.now() + HOUR
    db.session.add(Heartbeat(name="a", kind="worker", opens_tokens=False, started_at=later, seen_at=later))
    db.session.commit()
    assert heartbeats.alive() == []
    heartbeats.sweep()
    db.session.commit()
    assert db.session.query(Heartbeat).count() == 0


@pytest.mark.parametrize(("probes", "ahead"), [(0, HOUR), (1, HOUR), (0, timedelta(minutes=1))])
def test_a_clip_is_probed(owner, ready_clip, probes, ahead):
    clip = ready_clip(owner)
    db.session.execute(db.update(Clip).values(status="processing", wake_at=clock.now() + ahead, probes=probes))
    db.session.commit()
    assert clip_probes.due() == [clip.id]
    probing.probe(clip.id)
    assert db.session.get(Clip, clip.id, populate_existing=True).status == "ready"


def test_a_probe_that_is_under_way_is_left_alone(owner, ready_clip):
    ready_clip(owner)
    db.session.execute(db.update(Clip).values(status="processing", wake_at=clock.now() + clip_probes.LEASE, probes=1))
    db.session.commit()
    assert clip_probes.due() == []


@pytest.mark.parametrize(("tries", "ahead"), [(0, HOUR), (1, YEAR)])
def test_a_letter_goes_out(owner, tries, ahead):
    notification = Notification(
        user_id=owner.id, kind="reconnect", dedup_key="x", wake_at=clock.now() + ahead, tries=tries
    )
    notification.facts = {"platform": "VK", "account": "Канал"}
    db.session.add(notification)
    db.session.commit()
    assert email.due() == [notification.id]
    at_work(email.send, notification.id)
    assert db.session.get(Notification, notification.id, populate_existing=True).tries == tries + 1


def test_a_letter_that_is_tried_again_keeps_its_pause(owner):
    later = clock.now() + 2 * HOUR
    db.session.add(Notification(user_id=owner.id, kind="reconnect", dedup_key="x", facts={}, wake_at=later, tries=4))
    db.session.commit()
    assert email.due() == []


def test_a_token_that_is_to_be_revoked_is_gone_in_a_quarter_of_an_hour(app):
    later = clock.now() + YEAR
    db.session.add(Revocation(platform="vk", sealed_token=b"", sealed_for="", wake_at=later, expires_at=later))
    db.session.commit()
    at_work(revocations.sweep)
    [row] = db.session.query(Revocation).populate_existing()
    assert row.expires_at <= clock.now() + REVOCATION_KEPT
    assert at_work(revocations.due) == [row.id]


def test_a_refresh_that_began_in_an_hour_blocks_no_other(owner, telegram):
    connection = telegram(owner)
    used = tokens.open_token(connection)
    db.session.execute(db.update(PlatformConnection).values(refresh_until=clock.now() + HOUR))
    db.session.commit()

    class Refreshed:
        key = "telegram"

        def refresh(self, _token: Token) -> Token:
            return Token("fresh")

    assert at_work(tokens.refresh, connection.id, Refreshed(), used).access == "fresh"


def test_numbers_that_are_due_in_a_year_are_read(crowd):
    owner = crowd(1)
    mine = db.update(Publication).where(Publication.user_id == owner.id)
    db.session.execute(mine.values(status="published", stats_due_at=clock.now() + YEAR))
    db.session.commit()
    handed: list[int] = []
    at_work(collector.release_due, lambda ids: bool(handed.extend(ids)) or True)
    assert len(handed) == 2


def test_an_upload_expires(owner):
    upload = uploads.create(owner, "a.mp4", 10)
    commit()
    db.session.execute(db.update(Upload).values(expires_at=clock.now() + YEAR))
    db.session.commit()
    at_work(jobs.sweep_uploads)
    kept = db.session.get(Upload, upload.id, populate_existing=True)
    assert kept.expires_at <= clock.now() + uploads.LIFETIME


def test_tries_count_no_longer_than_they_are_to(app):
    throttle.hit((LIMIT, "a"))
    redis_client().expire(LIMIT.key("a"), 3600)
    with pytest.raises(Problem) as refusal:
        throttle.hit((LIMIT, "a"))
    assert refusal.value.params == {"minutes": 1}
    redis_client().expire(LIMIT.key("a"), 10)
    with pytest.raises(Problem):
        throttle.hit((LIMIT, "a"))
    assert redis_client().ttl(LIMIT.key("a")) <= 10, "a window is not prolonged by trying"


def test_calls_counted_in_an_hour_do_not_count(app):
    pacer, window = Pacer(redis_client()), Window("token", 1, 60)
    pacer.wait(window)
    [key] = redis_client().keys("pace:*")
    [call] = redis_client().zrange(key, 0, -1)
    redis_client().zincrby(key, 3_600_000, call)
    pacer.wait(window)
