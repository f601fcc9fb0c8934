"""What a platform needs is made of the clip, once, while its publication waits without a worker."""

import contextlib
import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from app import clock, texts
from app.db import commit, db, reading, transaction
from app.jobs import renditions as jobs
from app.media.recipes.recipe import Encode, Recipe
from app.models import Clip, Erasure, Publication, PublicationEvent, Rendition, RenditionState, Stage, Status
from app.platforms.base import Account, Limits, Token
from app.publishing import fetch_links, lease, preparation, renditions, wake_times
from app.services import (
    clip_deletion,
    clip_probes,
    clips,
    connections,
    publications,
    rendition_worker,
    retries,
    undo,
    upload_files,
)
from app.services.publications import Choice
from app.storage import storage
from tests import clips as files
from tests.edges import committed
from tests.publishing.conftest import fresh, look, row, settle
from tests.publishing.toy import Toy

STREAMED = Limits(streams=True, containers=frozenset({"mp4"}))


@pytest.fixture(scope="session")
def phone_file(tmp_path_factory) -> Path:
    """As a phone writes it: its index is behind."""
    return files.write(tmp_path_factory.mktemp("phone") / "phone.mp4", index_in_front=False)


@pytest.fixture
def streamed(monkeypatch) -> None:
    """The toy streams what it shows, and takes MP4 alone."""
    monkeypatch.setattr(Toy, "limits", classmethod(lambda cls, config: STREAMED))


@pytest.fixture
def begin(app, toy, streamed, ready_clip, user, phone_file) -> Callable[..., int]:
    def make(clip: Clip | None = None, due_at=None, **choice) -> int:
        owner = db.session.get_one(type(clip.user), clip.user_id) if clip else user()
        clip = clip or ready_clip(owner, source=phone_file)
        accounts = db.session.scalars(select(Publication.id).filter_by(clip_id=clip.id)).all()
        account = Account(str(len(accounts) + 1), "Игрушка")
        connection = committed(connections.save(owner, "toy", [account], Token("toy-token")))
        [made] = publications.publish(owner, clip.id, [Choice(connection.id, clip.title, "", **choice)], due_at)
        commit()
        return made.id

    return make


def only() -> Rendition:
    """As it is now, detached."""
    db.session.rollback()
    one = db.session.scalars(select(Rendition)).one()
    db.session.expunge(one)
    return one


def make_next() -> bool:
    db.session.commit()
    return jobs.make_next()


def test_a_publication_waits_and_sends_the_copy(toy, begin):
    publication_id = begin()
    assert look(publication_id)
    waiting = row(publication_id)
    assert (waiting.status, waiting.stage, waiting.attempt) == (Status.PUBLISHING, Stage.PREPARING, 0)
    assert (waiting.lease_until, waiting.queued_at) == (None, None)
    assert waiting.wake_at > clock.now() + preparation.LOOK_AGAIN / 2
    assert toy.calls == {}

    assert make_next() and not make_next()
    assert row(publication_id).wake_at <= clock.now(), "what waits is woken"
    published, made = settle(publication_id), only()
    assert published.status == Status.PUBLISHED
    assert (published.rendition_id, published.sent_sha256) == (made.id, made.sha256)
    assert hashlib.sha256(toy.received).hexdigest() == made.sha256 != published.clip.sha256
    assert len(toy.received) == made.size
    assert made.facts["moov_in_front"] is True


def test_a_clip_that_fits_goes_out_as_it_is(toy, begin, ready_clip, owner):
    clip = ready_clip(owner)
    published = settle(begin(clip))
    assert published.sent_sha256 == clip.sha256
    assert db.session.scalars(select(Rendition)).all() == []


def test_two_publications_share_it_and_a_retry_finds_it_made(toy, begin, ready_clip, owner, phone_file):
    clip = ready_clip(owner, source=phone_file)
    first, second = begin(clip), begin(clip)
    toy.answers = {"create": [400]}
    for one in (first, second):
        look(one)
    assert make_next() and not make_next()
    settle(first)
    assert row(first).status == Status.FAILED
    settle(second)
    retries.retry(fresh(owner), first)
    commit()
    assert settle(first).status == settle(second).status == Status.PUBLISHED
    assert only().tries == 1
    assert row(first).sent_sha256 == row(second).sent_sha256


def test_a_scheduled_ones_copy_is_made_ahead(toy, begin):
    publication_id = begin(due_at=clock.now() + timedelta(hours=3))
    assert make_next()
    assert only().state == RenditionState.READY
    assert row(publication_id).status == Status.SCHEDULED
    clock_on = clock.now() + timedelta(hours=3, seconds=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: clock_on)
        look(publication_id)
    kinds = db.session.scalars(select(PublicationEvent.kind).filter_by(publication_id=publication_id)).all()
    assert "step" in kinds and "preparing" not in kinds


def test_a_container_that_is_not_taken_is_mended_before_the_check(begin, ready_clip, owner, tmp_path):
    clip = ready_clip(owner, source=files.write(tmp_path / "clip.mkv"))
    publication_id = begin(clip)
    look(publication_id)
    make_next()
    assert settle(publication_id).status == Status.PUBLISHED
    assert only().facts["container"] == "mp4"


def test_a_worker_that_ended_leaves_it_to_the_next(begin):
    publication_id = begin()
    look(publication_id)
    with transaction():
        dead = rendition_worker.claim(only().id)
    assert not make_next(), "its lease is not over"
    db.session.execute(Rendition.__table__.update().values(wake_at=clock.now()))
    storage().put_bytes(b"half", dead.storage_key)
    assert make_next()
    made = only()
    assert (made.state, made.fence) == (RenditionState.READY, dead.fence + 1)
    assert made.storage_key != dead.storage_key
    assert db.session.scalars(select(Erasure.key)).all() == [dead.storage_key]
    # The one that was thought dead comes back: nothing of it is written, and its file goes.
    with transaction():
        assert not rendition_worker.note(dead, 50)
        rendition_worker.settle(dead, {"state": RenditionState.READY, "sha256": "0" * 64})
    assert only().sha256 == made.sha256


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_kill_in_the_middle_leaves_nothing_and_is_gone_on_from(app, begin, ready_clip, owner, tmp_path):
    clip = ready_clip(owner, source=files.write(tmp_path / "long.mp4", shape=files.FULL_HD, seconds=20))
    key, recipe = clip.storage_key, Recipe(video=Encode(), width=1080, height=1920)
    renditions.want([renditions.Want(clip, recipe, clock.now())], clock.now())
    commit()

    def work() -> None:
        db.engine.dispose(close=False)
        jobs.make_next()
        os._exit(0)

    db.session.remove()
    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    wait_for(lambda: only().progress > 0)
    worker.kill()
    worker.join()
    wait_for(lambda: not _children_that_read(key))
    left = list(upload_files.folder().glob("rendition-*"))
    assert len(left) == 1 and only().state == RenditionState.WAITING
    # Another, with a recipe that takes less, so that this test does.
    short = json.loads(Recipe(video=Encode(preset="ultrafast"), width=54, height=96, end_ms=200).to_json())
    db.session.execute(Rendition.__table__.update().values(wake_at=clock.now(), recipe=short))
    assert make_next()
    assert (only().state, only().fence) == (RenditionState.READY, 2)
    assert list(upload_files.folder().glob("rendition-*")) == []
    assert storage().exists(only().storage_key)


def _children_that_read(key: str) -> list[str]:
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if key.encode() in line.read_bytes():
                found.append(line.parent.name)
    return found


def test_a_platform_that_fetches_gets_the_copy(app, begin):
    publication_id = begin()
    look(publication_id)
    make_next()
    settled, made = row(publication_id), only()
    settled.sent_sha256, settled.rendition_id = made.sha256, made.id
    commit()
    link = fetch_links.new_link(detached(publication_id))
    assert link.endswith(".mp4")
    response = app.test_client().get(urlsplit(link).path)
    assert (response.status_code, len(response.data)) == (200, made.size)
    assert hashlib.sha256(response.data).hexdigest() == made.sha256
    wait_for(lambda: fetch_links.is_fetched(detached(publication_id)))


def detached(publication_id: int) -> Publication:
    with reading():
        return lease.read(Publication.id == publication_id)


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_progress_shows_on_the_card(begin):
    publication_id = begin()
    look(publication_id)
    version = db.session.get(Clip, row(publication_id).clip_id).version
    with transaction():
        one = rendition_worker.claim(only().id)
    with transaction():
        assert rendition_worker.note(one, 42)
    waiting = row(publication_id)
    assert (waiting.sent, waiting.total) == (42, 100)
    assert db.session.get(Clip, waiting.clip_id, populate_existing=True).version > version


def test_a_disk_that_is_full_is_waited_for(begin, monkeypatch):
    publication_id = begin()
    look(publication_id)
    with monkeypatch.context() as patch:
        patch.setattr(rendition_worker.upload_files, "SPARE_DISK", 1 << 60)
        make_next()
    waiting = only()
    assert (waiting.state, waiting.reason) == (RenditionState.WAITING, "recipe_no_room")
    assert clock.now() < waiting.wake_at <= clock.now() + timedelta(seconds=31)
    said = texts.progress(row(publication_id), clock.now())
    assert said == "готовим файл, ждём: на сервере временно нет места"
    db.session.execute(Rendition.__table__.update().values(wake_at=clock.now()))
    assert make_next()
    published = settle(publication_id)
    assert (published.status, published.reason, published.sent_sha256) == (Status.PUBLISHED, None, only().sha256)


def test_what_cannot_be_made_fails_with_its_reason_and_is_tried_anew(begin, ready_clip, owner, tmp_path):
    clip = ready_clip(owner, source=files.write(tmp_path / "clip.mkv"))
    key, publication_id = clip.storage_key, begin(clip)
    look(publication_id)
    with storage().open(key) as file:
        whole = file.read()
    storage().put_bytes(os.urandom(5000), key)
    make_next()
    assert only().state == RenditionState.FAILED
    failed = settle(publication_id)
    assert (failed.status, failed.reason) == (Status.FAILED, only().reason)
    storage().put_bytes(whole, key)
    retries.retry(fresh(owner), publication_id)
    commit()
    look(publication_id)
    assert make_next()
    assert settle(publication_id).status == Status.PUBLISHED


def test_without_its_copy_a_clip_goes_out_that_does_as_well(begin):
    """The index is behind: the platform takes that too, people only wait longer."""
    publication_id = begin()
    look(publication_id)
    with transaction():
        one = rendition_worker.claim(only().id)
    with transaction():
        rendition_worker.settle(one, rendition_worker._failed("recipe_failed"))
    published = settle(publication_id)
    assert (published.status, published.rendition_id) == (Status.PUBLISHED, None)
    assert published.sent_sha256 == published.clip.sha256


def test_clips_of_before_are_probed_once_more_when_it_matters(begin, ready_clip, owner, phone_file):
    clip = ready_clip(owner, source=phone_file)
    clip.facts_version, clip.moov_in_front, sha256 = 0, None, clip.sha256
    commit()
    publication_id = begin(clip)
    look(publication_id)
    assert row(publication_id).stage == Stage.PREPARING
    with transaction():
        taken = clip_probes.claim(clip.id)
    found = clip_probes.inspect(taken)
    with transaction():
        clip_probes.settle(taken, found)
    db.session.expire_all()
    probed = db.session.get(Clip, clip.id)
    assert (probed.status, probed.moov_in_front, probed.sha256) == ("ready", False, sha256)
    assert row(publication_id).wake_at <= clock.now()
    look(publication_id)
    assert make_next()
    assert settle(publication_id).status == Status.PUBLISHED


def test_it_counts_as_storage_and_goes_with_the_clip(begin, owner, ready_clip, phone_file):
    clip = ready_clip(owner, source=phone_file)
    own, clip_id = clip.size, clip.id
    publication_id = begin(clip)
    look(publication_id)
    make_next()
    settle(publication_id)
    made = only()
    assert clips.used_bytes(fresh(owner)) == own + made.size
    assert storage().exists(made.storage_key)
    undo_id = clip_deletion.delete(fresh(owner), [clip_id]).undo_id
    commit()
    assert clips.used_bytes(fresh(owner)) == 0
    undo.restore(fresh(owner), undo_id)
    commit()
    assert clips.used_bytes(fresh(owner)) == own + made.size
    clip_deletion.remove(fresh(owner), clip_id)
    commit()
    assert not storage().exists(made.storage_key)
    assert db.session.scalars(select(Rendition)).all() == []
    assert row(publication_id).sent_sha256 == made.sha256


def test_one_users_twenty_do_not_keep_anothers_waiting(app, user, ready_clip):
    busy, other = user(), user()
    wants = []
    recipe = Recipe(video=Encode(), audio="copy", width=90, height=160)
    for owner, count in ((busy, 20), (other, 1)):
        for number in range(count):
            clip = ready_clip(owner)
            wants.append(renditions.Want(clip, recipe, clock.now() + timedelta(minutes=number)))
    renditions.want(wants, clock.now())
    commit()
    turns = []
    for _ in range(3):
        turn = rendition_worker.next_turn()
        turns.append(turn.user_id)
        one = committed(rendition_worker.claim(turn.id))
        committed(rendition_worker.settle(one, rendition_worker._failed("recipe_failed")))
    assert sorted(turns[:2]) == sorted([busy.id, other.id])
    assert rendition_worker.due_copies() == []


def test_what_waits_for_its_file_is_not_moved_back_as_if_by_a_wrong_clock(begin):
    publication_id = begin()
    look(publication_id)
    until = row(publication_id).wake_at
    wake_times.clamp()
    assert row(publication_id).wake_at == until
