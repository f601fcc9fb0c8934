"""Files of what was deleted while the storage was away."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from app import clock, jobs
from app.db import commit, db
from app.models import Clip, Erasure, Upload
from app.services import clips, erasures, uploads, user_deletion
from app.storage import storage
from tests.clips import new_key
from tests.publishing.conftest import at_work, wait_until


@pytest.fixture
def away(app):
    """Takes the folder away, as a network file system goes; called again, brings it back."""
    folder = Path(app.config["STORAGE_URL"].removeprefix("file:"))
    aside = folder.with_name("unmounted")

    def switch() -> None:
        shutil.move(*((folder, aside) if folder.exists() else (aside, folder)))

    return switch


def files(app) -> list[Path]:
    folder = Path(app.config["STORAGE_URL"].removeprefix("file:"))
    return [path for path in folder.rglob("*") if path.is_file()]


def retry() -> None:
    wait_until(clock.now() + erasures.RETRY_PAUSE + timedelta(seconds=1))
    for erasure_id in at_work(erasures.due):
        at_work(jobs.erase_file, erasure_id)
    db.session.rollback()


def test_a_deleted_clip(app, user, ready_clip, away):
    owner = user()
    clip, other = ready_clip(owner), ready_clip(owner)
    away()
    clips.delete(owner, clip.id)
    commit()
    assert db.session.query(Clip).one().id == other.id
    assert db.session.query(Erasure).count() == 3, "the clip, its poster and the preview"
    retry()
    assert db.session.query(Erasure).count() == 3, "still away"
    away()
    assert len(files(app)) == 6
    retry()
    assert db.session.query(Erasure).count() == 0
    assert len(files(app)) == 3
    assert storage().exists(other.storage_key) and storage().exists(other.poster_key)


def test_a_deleted_account(app, user, ready_clip, away):
    anna, boris = user(), user()
    for owner in (anna, anna, boris):
        ready_clip(owner)
    away()
    user_deletion.delete_user(anna, "parol-parol")
    commit()
    assert db.session.query(Clip).one().user_id == boris.id
    away()
    retry()
    assert len(files(app)) == 3
    assert db.session.query(Erasure).count() == 0


def test_an_upload_that_was_moved_and_forgotten(app, user, tmp_path, away):
    owner = user()
    upload = uploads.create(owner, "a.mp4", 3)
    commit()
    key = uploads.key_from(upload.id)
    path = tmp_path / "moved"
    path.write_bytes(b"abc")
    storage().put_file(path, key)
    away()
    uploads.terminate(owner, upload.id)
    commit()
    away()
    assert len(files(app)) == 1
    retry()
    assert files(app) == []


def test_one_upload_that_cannot_be_swept_does_not_keep_the_others(app, user, away):
    owner = user()
    some = [uploads.create(owner, "a.mp4", 3).id for _ in range(3)]
    commit()
    uploads.upload_files.path(some[0]).write_bytes(b"abc")  # complete: becomes a clip once the storage is back
    storage().put_bytes(b"x", new_key())
    away()
    Path(app.config["STORAGE_URL"].removeprefix("file:")).write_bytes(b"in the way")
    wait_until(clock.now() + uploads.LIFETIME + timedelta(hours=1))
    at_work(jobs.sweep_uploads)
    db.session.rollback()
    assert [one.id for one in db.session.query(Upload)] == [some[0]]


def test_a_second_job_finds_nothing_to_do(app):
    erasures.plan([])
    erasures.plan(["ab/" + "0" * 38])
    db.session.commit()
    wait_until(clock.now() + erasures.RETRY_PAUSE)
    [erasure_id] = at_work(erasures.due)
    for _ in range(2):
        at_work(jobs.erase_file, erasure_id)
    at_work(jobs.erase_file, 999)
