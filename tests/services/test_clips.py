import hashlib
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, func

from app import clock, jobs, queue
from app.db import commit, db
from app.models import Clip, ClipStatus, Publication, Status
from app.problems import NotFound, Problem
from app.queue.table import CLIPS
from app.services import clip_list, clip_probes, clips
from app.storage import storage
from app.storage.folder import FolderStorage
from tests import clips as files
from tests import probing
from tests.clips import new_key


@pytest.fixture
def uploaded(app, tmp_path: Path):
    """Makes clips whose bytes are there and whose probe is due: `uploaded(user, path)`."""

    def make(user, path: Path | None = None, title: str = "Клип") -> Clip:
        path = path or files.vertical(tmp_path)
        clip = Clip(
            user_id=user.id,
            title=title,
            file_name=path.name,
            size=path.stat().st_size,
            storage_key=storage().put_file(path, new_key()),
            wake_at=clock.now(),
        )
        db.session.add(clip)
        db.session.commit()
        return clip

    return make


@pytest.fixture
def statements(app):
    """The SQL statements that were sent since the test cleared the list."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_more) -> None:
        sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield sent
    event.remove(db.engine, "before_cursor_execute", note)


class Watched(FolderStorage):
    """A folder that notes what a clip is when its file is made to outlive a power cut."""

    def keep(self, key: str) -> None:
        self.seen = db.session.scalar(db.select(Clip.status).where(Clip.storage_key == key))
        super().keep(key)


def test_a_clip_is_ready_only_when_its_file_outlives_a_power_cut(app, user, uploaded):
    clip = uploaded(user())
    plain = storage()
    watched = app.extensions["storage", "storage_at"] = Watched(plain.path(clip.storage_key).parents[1])
    try:
        probing.probe(clip.id)
    finally:
        app.extensions["storage", "storage_at"] = plain
    assert (watched.seen, clip.status) == (ClipStatus.PROCESSING, ClipStatus.READY)


def test_a_probe_makes_a_clip_ready(user, uploaded, tmp_path):
    path = files.vertical(tmp_path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    clip = uploaded(user(), path)
    assert clip_probes.due() == [clip.id]

    probing.probe(clip.id)

    assert clip.status == ClipStatus.READY
    assert (clip.width, clip.height, clip.rotation) == (*files.VERTICAL, 0)
    assert (clip.container, clip.content_type) == ("mp4", "video/mp4")
    assert (clip.video_codec, clip.audio_codec) == ("h264", "aac")
    assert clip.sha256 == sha256
    assert storage().open(clip.poster_key).read(2) == b"\xff\xd8"
    assert clip.version == 2
    assert clip_probes.due() == []


def test_a_second_probe_changes_nothing(user, uploaded):
    clip = uploaded(user())
    probing.probe(clip.id)
    probing.probe(clip.id)
    assert (clip.status, clip.version, clip.probes) == (ClipStatus.READY, 2, 1)


def test_a_clip_that_is_none_fails_with_the_reason(user, uploaded, tmp_path):
    clip = uploaded(user(), files.write_not_a_video(tmp_path / "letter.mp4"))
    probing.probe(clip.id)
    assert (clip.status, clip.reason, clip.wake_at) == (ClipStatus.FAILED, "not_a_video", None)
    assert clip.version == 2


def test_a_lost_file_is_the_reason(user, uploaded):
    clip = uploaded(user())
    storage().delete(clip.storage_key)
    probing.probe(clip.id)
    assert (clip.status, clip.reason) == (ClipStatus.FAILED, "file_missing")


def test_a_probe_whose_worker_ended_is_due_again_and_given_up_after_three(user, uploaded):
    """A worker that ended leaves a claim behind: the rows below are as it leaves them."""
    clip = uploaded(user())
    clip.probes, clip.wake_at = 1, clock.now() + clip_probes.LEASE
    db.session.commit()
    probing.probe(clip.id)
    assert (clip.status, clip.probes) == (ClipStatus.PROCESSING, 1)  # another worker's still
    assert clip_probes.due() == []

    clip.probes, clip.wake_at = clip_probes.MAX_PROBES, clock.now() - timedelta(seconds=1)
    db.session.commit()
    assert clip_probes.due() == [clip.id]
    probing.probe(clip.id)
    assert (clip.status, clip.reason) == (ClipStatus.FAILED, "probe_failed")


def test_probing_a_clip_that_is_gone_is_no_error(app):
    probing.probe(12345)


def test_users_are_served_in_turn(user, uploaded):
    """A single clip does not wait for all that another user has sent before."""
    flood, single = user(), user()
    many = [uploaded(flood).id for _ in range(5)]
    one = uploaded(single).id
    order: list[int] = []
    while jobs.probe_next():
        ready = db.session.scalars(db.select(Clip.id).where(Clip.status == ClipStatus.READY))
        order += set(ready) - set(order)
        db.session.remove()
    assert order == [many[0], one, *many[1:]]


def test_a_user_has_few_probes_at_once(user, uploaded):
    """Two workers, one for each user: what is taken elsewhere is a claim that has not run out."""
    flood, single = user(), user()
    taken, waiting, one = (uploaded(owner).id for owner in (flood, flood, single))
    _claimed(taken)
    while jobs.probe_next():
        pass
    ready = set(db.session.scalars(db.select(Clip.id).where(Clip.status == ClipStatus.READY)))
    assert ready == {one} and clip_probes.due() == [waiting]


def _claimed(clip_id: int) -> None:
    clip = db.session.get(Clip, clip_id)
    clip.probes, clip.wake_at = 1, clock.now() + clip_probes.LEASE
    db.session.commit()


def test_workers_with_the_same_turn_do_not_take_two_clips_of_one_user(app, user, uploaded):
    owner = user()
    for _ in range(4):
        uploaded(owner)
    db.session.remove()
    most, running = [0], threading.Event()

    def work() -> None:
        with app.app_context():
            while jobs.probe_next():
                db.session.remove()

    def watch() -> None:
        with app.app_context():
            while not running.is_set():
                under_way = db.select(func.count()).where(Clip.wake_at > clock.now())
                most.append(db.session.scalar(under_way))
                db.session.remove()

    threads = [threading.Thread(target=work) for _ in range(3)]
    watcher = threading.Thread(target=watch)
    for thread in (watcher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    running.set()
    watcher.join()
    assert max(most) == 1


def test_any_wake_up_probes_all_that_is_due(user, uploaded):
    owner = user()
    ids = [uploaded(owner).id for _ in range(3)]
    jobs.probe(ids[0])
    assert {db.session.get(Clip, one).status for one in ids} == {ClipStatus.READY}


def test_a_flood_of_uploads_does_not_fill_the_queue(app):
    waiting = queue.queue(CLIPS)
    queue.enqueue("app.jobs.probe", *range(1, 101))
    assert queue.has_enough("app.jobs.probe")
    jobs.wake_probes()
    assert waiting.count == 100


def test_the_queue_gets_the_probe(user, uploaded):
    clip = uploaded(user())
    assert queue.enqueue("app.jobs.probe", clip.id)
    assert queue.queue(CLIPS).jobs[0].args == [clip.id]


def test_pages_are_newest_first(user, uploaded):
    owner, stranger = user(), user()
    ids = [uploaded(owner, title=f"Клип {n}").id for n in range(5)]
    uploaded(stranger)
    first, last = clip_list.page(owner, number=1, per_page=2), clip_list.page(owner, number=3, per_page=2)
    assert [clip.id for clip in first.rows] == [ids[4], ids[3]]
    assert (first.page, first.pages, first.total) == (1, 3, 5)
    assert [clip.id for clip in last.rows] == [ids[0]]
    assert clip_list.page(owner, number=99, per_page=2).page == 3
    assert clip_list.page(owner, number=-1, per_page=2).page == 1


def test_no_clips_are_one_empty_page(user):
    page = clip_list.page(user())
    assert (page.rows, page.page, page.pages, page.total) == ([], 1, 1, 0)


def test_a_poll_answers_what_changed_and_what_is_gone(user, uploaded):
    owner, stranger = user(), user()
    same, renamed, gone = (uploaded(owner) for _ in range(3))
    foreign = uploaded(stranger)
    known = {clip.id: clip.version for clip in (same, renamed, gone, foreign)}
    gone_id, foreign_id = gone.id, foreign.id

    clips.rename(owner, renamed.id, "Новое имя", "")
    commit()
    clips.delete(owner, gone_id)
    commit()

    changed, gone_ids = clips.changed(owner, known)
    assert [clip.title for clip in changed] == ["Новое имя"]
    assert gone_ids == [gone_id, foreign_id]


def test_a_poll_asks_a_fixed_number_of_questions(user, uploaded, statements):
    owner = user()
    many = {uploaded(owner).id: 1 for _ in range(12)}
    assert owner.id
    statements.clear()
    assert clips.changed(owner, many)[0] == []
    assert len(statements) == 1
    statements.clear()
    assert len(clips.changed(owner, dict.fromkeys(many, 7))[0]) == 12
    assert len(statements) == 2
    statements.clear()
    assert len(clip_list.page(owner).rows) == 12
    assert len(statements) == 2


def test_a_poll_with_absurdly_many_ids_is_bounded(user):
    assert len(clips.changed(user(), dict.fromkeys(range(50_000), 1))[1]) == clips.MAX_KNOWN


def test_rename_keeps_one_line_and_cleans(user, uploaded):
    owner = user()
    clip = clips.rename(owner, uploaded(owner).id, "  Закат\nнад\x00 Волгой\u202e 👨‍👩‍👧 ", "Первая\r\nвторая\x07\n")
    commit()
    assert clip.title == "Закат над Волгой 👨‍👩‍👧"
    assert clip.description == "Первая\nвторая"
    assert clip.version == 2


@pytest.mark.parametrize(
    ("title", "description", "field"),
    [("", "", "title"), (" \u200b\n", "", "title"), ("я" * 201, "", "title"), ("Да", "я" * 5001, "description")],
)
def test_rename_names_the_wrong_field(user, uploaded, title, description, field):
    owner = user()
    with pytest.raises(Problem) as problem:
        clips.rename(owner, uploaded(owner).id, title, description)
    assert problem.value.field == field


def test_strangers_find_nothing(user, uploaded):
    clip_id, stranger = uploaded(user()).id, user()
    for call in (
        lambda: clips.get(stranger, clip_id),
        lambda: clips.rename(stranger, clip_id, "Моё", ""),
        lambda: clips.delete(stranger, clip_id),
    ):
        with pytest.raises(NotFound):
            call()
    assert db.session.get(Clip, clip_id).title == "Клип"


def test_delete_takes_the_files_along(user, uploaded):
    owner = user()
    clip = uploaded(owner)
    probing.probe(clip.id)
    keys = (clip.storage_key, clip.poster_key)
    assert all(map(storage().exists, keys))
    clips.delete(owner, clip.id)
    commit()
    assert not any(map(storage().exists, keys))
    assert clip_list.page(owner).total == 0


def test_a_clip_with_live_publications_stays(user, uploaded):
    owner = user()
    clip = uploaded(owner)
    publication = Publication(
        user_id=owner.id,
        clip_id=clip.id,
        platform="telegram",
        account_id="1",
        account_name="Канал",
        title="Клип",
        status=Status.SCHEDULED,
        due_at=clock.now(),
    )
    db.session.add(publication)
    db.session.commit()
    with pytest.raises(Problem, match="clip_has_live_publications"):
        clips.delete(owner, clip.id)
    assert storage().exists(clip.storage_key)

    publication.status = Status.CANCELLED
    db.session.commit()
    clips.delete(owner, clip.id)
    commit()
    db.session.refresh(publication)
    assert publication.clip_id is None


def test_used_bytes_count_only_mine(user, uploaded):
    owner, stranger = user(), user()
    size = uploaded(owner).size + uploaded(owner).size
    uploaded(stranger)
    assert clips.used_bytes(owner) == size


@pytest.mark.parametrize(
    ("file_name", "shown", "title"),
    [
        ("Закат над Волгой.mp4", "Закат над Волгой.mp4", "Закат над Волгой"),
        ("my_best_clip.final.MOV", "my_best_clip.final.MOV", "my best clip.final"),
        ("Клип. Часть 2", "Клип. Часть 2", "Клип. Часть 2"),
        ("../../etc/passwd", "passwd", "passwd"),
        ("C:\\Users\\me\\clip.mp4", "clip.mp4", "clip"),
        ("evil\u202e4pm.exe\x00", "evil4pm.exe", "evil4pm.exe"),
        ("", "", "Без названия"),
        ("ы" * 400 + ".mp4", "ы" * 255, "ы" * 200),
    ],
)
def test_a_file_name_becomes_a_title(file_name, shown, title):
    assert clips.shown_name(file_name) == shown
    assert clips.title_from(clips.shown_name(file_name)) == title
