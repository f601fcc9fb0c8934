import fcntl
import os
from datetime import timedelta
from pathlib import Path

import pytest

from app import clock, jobs, queue
from app.db import commit, db
from app.models import Clip, ClipStatus, Upload, User
from app.problems import NotFound, Problem
from app.queue.table import CLIPS
from app.services import clip_list, clips, open_uploads, upload_files, uploads
from app.storage import key_from, storage
from tests.publishing.conftest import at_work

DATA = bytes(range(256)) * 40


@pytest.fixture
def folder(app) -> Path:
    return Path(app.config["VAR_DIR"], "uploads")


def receive(user, upload, offset: int, data: bytes, **more) -> uploads.Progress:
    done = uploads.receive(user, upload.id, offset, [data], len(data), **more)
    commit()
    return done


def test_pieces_become_a_clip_whose_probe_is_queued(user, folder):
    owner = user()
    upload = uploads.create(owner, "Закат_над Волгой.mp4", len(DATA))
    commit()
    assert receive(owner, upload, 0, DATA[:4000]).offset == 4000
    assert uploads.progress(owner, upload.id).offset == 4000
    done = receive(owner, upload, 4000, DATA[4000:])

    clip = clips.get(owner, done.clip_id)
    assert (clip.title, clip.file_name) == ("Закат над Волгой", "Закат_над Волгой.mp4")
    assert (clip.status, clip.size) == (ClipStatus.PROCESSING, len(DATA))
    assert storage().open(clip.storage_key).read() == DATA
    assert queue.queue(CLIPS).jobs[0].args == [clip.id]
    assert list(folder.iterdir()) == []
    assert uploads.progress(owner, upload.id).clip_id == clip.id


def test_the_last_piece_twice_makes_one_clip(user):
    owner = user()
    upload = uploads.create(owner, "clip.mp4", len(DATA))
    commit()
    first = receive(owner, upload, 0, DATA)
    assert receive(owner, upload, len(DATA), b"").clip_id == first.clip_id
    with pytest.raises(Problem, match="upload_offset_mismatch"):
        receive(owner, upload, 0, DATA)
    assert clip_list.page(owner).total == 1


def test_a_process_that_ended_before_the_file_moved_loses_nothing(user, folder):
    owner = user()
    upload = uploads.create(owner, "clip.mp4", len(DATA))
    commit()
    (folder / upload.id).write_bytes(DATA)
    done = uploads.progress(owner, upload.id)
    assert storage().open(clips.get(owner, done.clip_id).storage_key).read() == DATA


def test_a_process_that_ended_after_the_file_moved_loses_nothing(user, folder):
    owner = user()
    upload = uploads.create(owner, "clip.mp4", len(DATA))
    commit()
    (folder / upload.id).write_bytes(DATA)
    storage().put_file(folder / upload.id, key_from(upload.id))
    done = receive(owner, upload, len(DATA), b"")
    assert storage().open(clips.get(owner, done.clip_id).storage_key).read() == DATA
    assert uploads.progress(owner, upload.id).clip_id == done.clip_id


def test_a_piece_at_the_wrong_place_is_refused(user):
    owner = user()
    upload = uploads.create(owner, "clip.mp4", len(DATA))
    commit()
    receive(owner, upload, 0, DATA[:100])
    for offset in (0, 99, 101, len(DATA) + 1):
        with pytest.raises(Problem, match="upload_offset_mismatch"):
            receive(owner, upload, offset, b"x")
    assert uploads.progress(owner, upload.id).offset == 100


def test_more_than_promised_is_never_written(user, folder):
    owner = user()
    upload = uploads.create(owner, "clip.mp4", 1000)
    commit()
    with pytest.raises(Problem, match="upload_longer_than_promised"):
        receive(owner, upload, 0, b"x" * 1001)
    with pytest.raises(Problem, match="upload_longer_than_promised"):
        uploads.receive(owner, upload.id, 0, [b"x" * 500, b"x" * 600], 1000)
    assert (folder / upload.id).stat().st_size == 0


def test_a_connection_that_ends_early_keeps_what_came(user):
    owner = user()
    upload = uploads.create(owner, "clip.mp4", len(DATA))
    commit()
    assert uploads.receive(owner, upload.id, 0, [DATA[:700]], len(DATA)).offset == 700
    assert uploads.progress(owner, upload.id).offset == 700


def test_a_damaged_piece_is_dropped_whole(user):
    owner = user()
    upload = uploads.create(owner, "clip.mp4", len(DATA))
    commit()
    receive(owner, upload, 0, DATA[:100])
    with pytest.raises(Problem, match="upload_piece_damaged"):
        receive(owner, upload, 100, DATA[100:200], checksum=upload_files.Checksum("sha1", b"wrong"))
    assert uploads.progress(owner, upload.id).offset == 100


def test_one_writer_at_a_time(user, folder):
    owner = user()
    upload = uploads.create(owner, "clip.mp4", len(DATA))
    commit()
    with (folder / upload.id).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for call in (lambda: receive(owner, upload, 0, DATA), lambda: uploads.terminate(owner, upload.id)):
            with pytest.raises(Problem, match="upload_busy"):
                call()
    assert receive(owner, upload, 0, DATA).clip_id


def test_a_slow_body_does_not_hold_the_database(user):
    """While a piece trickles in, others write."""
    owner, other = user(), user()
    upload = uploads.create(owner, "clip.mp4", 2)
    commit()

    def trickle():
        yield b"a"
        with db.engine.begin() as connection:
            connection.execute(db.update(User).where(User.id == other_id).values(name="Другой"))
        yield b"b"

    other_id = other.id
    assert uploads.receive(owner, upload.id, 0, trickle(), 2).clip_id
    db.session.refresh(other)
    assert other.name == "Другой"


def test_promises_that_cannot_be_kept(app, user):
    owner = user(plan="free")
    with pytest.raises(Problem, match="upload_empty"):
        uploads.create(owner, "clip.mp4", 0)
    with pytest.raises(Problem, match="upload_too_large"):
        uploads.create(owner, "clip.mp4", 500 * upload_files.MIB + 1)
    with pytest.raises(Problem, match="no_room"):
        upload_files.require_room(1 << 60)
    assert db.session.query(Upload).count() == 0


def test_the_quota_counts_clips_and_promises(user):
    owner = user(plan="free")
    db.session.add(Clip(user_id=owner.id, title="Большой", file_name="", storage_key="x", size=open_uploads.GIB))
    db.session.commit()
    uploads.create(owner, "1.mp4", 500 * upload_files.MIB)
    commit()
    uploads.create(owner, "2.mp4", 500 * upload_files.MIB)
    commit()
    with pytest.raises(Problem, match="quota_full") as full:
        uploads.create(owner, "3.mp4", 25 * upload_files.MIB)
    assert full.value.text.startswith("На тарифе Free хранится до 2 ГБ.")
    uploads.create(owner, "4.mp4", 24 * upload_files.MIB)
    commit()


def test_open_uploads_are_bounded(user):
    owner = user()
    for _ in range(uploads.MAX_OPEN):
        upload = uploads.create(owner, "clip.mp4", 10)
        commit()
    with pytest.raises(Problem, match="too_many_uploads"):
        uploads.create(owner, "clip.mp4", 10)
    receive(owner, upload, 0, b"x" * 10)
    uploads.create(owner, "clip.mp4", 10)
    commit()
    uploads.create(user(), "clip.mp4", 10)
    commit()


def test_strangers_find_nothing(user):
    owner, stranger = user(), user()
    upload = uploads.create(owner, "clip.mp4", 10)
    commit()
    for call in (
        lambda: uploads.progress(stranger, upload.id),
        lambda: receive(stranger, upload, 0, b"x"),
        lambda: uploads.terminate(stranger, upload.id),
        lambda: uploads.progress(owner, "../../etc/passwd"),
    ):
        with pytest.raises(NotFound):
            call()
    assert uploads.progress(owner, upload.id).offset == 0


def test_termination_leaves_nothing_but_a_finished_clip(user, folder):
    owner = user()
    half, whole, moved = (uploads.create(owner, "clip.mp4", 10) for _ in range(3))
    commit()
    receive(owner, half, 0, b"x" * 5)
    clip = clips.get(owner, receive(owner, whole, 0, b"x" * 10).clip_id)
    (folder / moved.id).write_bytes(b"x" * 10)
    storage().put_file(folder / moved.id, key_from(moved.id))
    for upload in (half, whole, moved):
        uploads.terminate(owner, upload.id)
        commit()
        with pytest.raises(NotFound):
            uploads.progress(owner, upload.id)
    assert list(folder.iterdir()) == []
    assert storage().exists(clip.storage_key)
    assert not storage().exists(key_from(moved.id))


def test_the_sweep_removes_what_has_expired(user, folder):
    owner = user()
    fresh, stale, finished, busy, complete = (uploads.create(owner, f"{n}.mp4", 10) for n in range(5))
    commit()
    clip_id = receive(owner, finished, 0, b"x" * 10).clip_id
    (folder / complete.id).write_bytes(b"x" * 10)
    (folder / "without-a-row").write_bytes(b"x")
    long_ago = clock.now() - uploads.LIFETIME - timedelta(minutes=1)
    for path in folder.iterdir():
        os.utime(path, (long_ago.timestamp(), long_ago.timestamp()))
    for upload in (stale, finished, busy, complete):
        db.session.get(Upload, upload.id).expires_at = long_ago
    db.session.commit()

    with (folder / busy.id).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        at_work(jobs.sweep_uploads)

    assert {path.name for path in folder.iterdir()} == {fresh.id, busy.id}
    assert {row.id for row in db.session.query(Upload)} == {fresh.id, busy.id, complete.id}
    assert clips.get(owner, clip_id)
    assert clips.get(owner, uploads.progress(owner, complete.id).clip_id).title == "4"


def test_each_piece_gives_the_upload_another_day(user):
    owner = user()
    upload = uploads.create(owner, "clip.mp4", 10)
    commit()
    db.session.get(Upload, upload.id).expires_at = clock.now()
    db.session.commit()
    assert receive(owner, upload, 0, b"x").expires_at > clock.now() + timedelta(hours=23)
    at_work(jobs.sweep_uploads)
    assert db.session.get(Upload, upload.id)
