"""Uploads that are not complete: the quota, and the proof that it is the same file."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from app.db import commit, db
from app.models import Clip, ClipStatus, Upload
from app.problems import NotFound, Problem
from app.services import clip_list, open_uploads, upload_files, uploads

MIB = upload_files.MIB


@pytest.fixture
def begin(app):
    """Begins an upload and sends its first bytes."""

    def make(owner, length: int, data: bytes = b"", **more) -> Upload:
        upload = uploads.create(owner, "clip.mp4", length, **more)
        commit()
        if data:
            uploads.receive(owner, upload.id, 0, [data], length)
            commit()
        return upload

    return make


def interrupt(upload: Upload) -> None:
    """As if its last byte had come some time ago."""
    then = time.time() - upload_files.UNDER_WAY.total_seconds() - 60
    os.utime(upload_files.path(upload.id), (then, then))


def fill_but(owner, room: int) -> None:
    """Leaves so many bytes of the quota."""
    size = owner.plan.storage_gb * open_uploads.GIB - room
    db.session.add(Clip(user_id=owner.id, title="Большой", file_name="", storage_key="x", size=size))
    db.session.commit()


def test_an_interrupted_upload_counts_as_far_as_it_came(user, begin):
    owner = user(plan="free")
    fill_but(owner, 500 * MIB)
    first = begin(owner, 400 * MIB, b"x" * 100)
    with pytest.raises(Problem, match="quota_full"):
        begin(owner, 200 * MIB)
    interrupt(first)
    db.session.rollback()
    with pytest.raises(Problem, match="quota_full"):
        begin(owner, 500 * MIB)
    db.session.rollback()
    second = begin(owner, 500 * MIB - 100)

    # Both together have no room: the first one goes on when the second one is gone, and counts in full from then on.
    with pytest.raises(Problem, match="quota_full"):
        uploads.receive(owner, first.id, 100, [b"y"], 1)
    assert uploads.progress(owner, first.id).offset == 100
    uploads.terminate(owner, second.id)
    commit()
    assert uploads.receive(owner, first.id, 100, [b"y"], 1).offset == 101
    commit()
    with pytest.raises(Problem, match="quota_full"):
        begin(owner, 200 * MIB)


def test_what_is_unfinished_is_listed(user, begin):
    owner, stranger = user(), user()
    half, none = begin(owner, 1000, b"x" * 290), begin(owner, 500, publish_when_ready=True)
    begin(owner, 10, b"x" * 10)
    begin(stranger, 10)
    listed = open_uploads.unfinished(owner)
    assert [(one.upload.id, one.offset) for one in listed] == [(half.id, 290), (none.id, 0)]
    assert [one.upload.publish_when_ready for one in listed] == [False, True]


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 100_000, 300_000])
def test_a_fingerprint_is_of_the_size_and_both_ends(tmp_path: Path, size: int):
    file, data = tmp_path / "file", os.urandom(size)
    file.write_bytes(data)
    assert (
        upload_files.fingerprint(file) == hashlib.sha256(str(size).encode() + data[:65536] + data[-65536:]).hexdigest()
    )


def test_a_file_that_changed_meanwhile_becomes_no_clip(user, begin):
    owner = user()
    upload = begin(owner, 10, fingerprint="a" * 64)
    with pytest.raises(Problem, match="upload_changed"):
        uploads.receive(owner, upload.id, 0, [b"x" * 10], 10)
    db.session.rollback()
    with pytest.raises(Problem, match="upload_changed"):
        uploads.progress(owner, upload.id)
    db.session.rollback()
    uploads.sweep(upload.id)
    commit()
    with pytest.raises(NotFound):
        uploads.progress(owner, upload.id)
    assert clip_list.page(owner).total == 0
    assert not upload_files.path(upload.id).exists()


def test_only_the_same_file_continues(user, begin):
    owner = user()
    upload, without = begin(owner, 10, fingerprint="a" * 64), begin(owner, 10)
    uploads.require_same_file(owner, upload.id, "a" * 64)
    uploads.require_same_file(owner, without.id, "b" * 64)
    with pytest.raises(Problem, match="upload_other_file"):
        uploads.require_same_file(owner, upload.id, "b" * 64)
    with pytest.raises(NotFound):
        uploads.require_same_file(user(), upload.id, "a" * 64)


def test_the_same_file_is_known_by_its_clip(user, begin):
    owner, stranger = user(), user()
    begin(owner, 10, b"x" * 10)
    [clip] = clip_list.page(owner).rows
    assert open_uploads.same_clip(owner, clip.fingerprint) is clip
    assert open_uploads.same_clip(owner, "a" * 64) is None
    assert open_uploads.same_clip(stranger, clip.fingerprint) is None
    clip.status = ClipStatus.FAILED
    assert open_uploads.same_clip(owner, clip.fingerprint) is None
