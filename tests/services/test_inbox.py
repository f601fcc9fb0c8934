"""The inbox as a folder; tests/test_inbox_s3.py has it in a bucket."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from app import clock, jobs, queue
from app.db import db
from app.jobs import arrivals
from app.models import Clip, Event, InboxFile, InboxState, Render, Source
from app.queue.table import INBOX
from app.services import doctor, inbox, inbox_worker
from app.storage import key_from, storage
from app.storage.inbox_folder import FolderInbox
from tests.publishing.conftest import at_work, wait_until

BODY = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(range(256)) * 100


@pytest.fixture
def folder(environment: dict[str, str], tmp_path: Path) -> Path:
    """INBOX_URL's. Before `app`."""
    where = tmp_path / "inbox"
    where.mkdir()
    environment["INBOX_URL"] = f"file:{where}"
    return where


@pytest.fixture
def mine(folder: Path, owner) -> Path:
    where = folder / owner.email
    where.mkdir()
    return where


def put(where: Path, name: str = "Закат_над.mp4", body: bytes = BODY, age: float = 60) -> Path:
    path = where / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    then = clock.now().timestamp() - age
    os.utime(path, (then, then))
    return path


def look(times: int = 2) -> None:
    """What the worker does each few seconds: a file is seen, and is whole the next time."""
    for _ in range(times):
        at_work(arrivals.read_inbox, 0)
        wait_until(clock.now() + timedelta(seconds=11))


def clips() -> list[Clip]:
    db.session.rollback()
    return list(db.session.scalars(db.select(Clip).order_by(Clip.id)))


def held() -> InboxFile:
    db.session.rollback()
    return db.session.scalar(db.select(InboxFile).where(InboxFile.state == InboxState.HELD))


def test_a_file_becomes_a_clip_and_is_put_away(mine, owner):
    file = put(mine)
    look(1)
    assert clips() == [] and file.exists()
    look(1)
    [clip] = clips()
    assert (clip.user_id, clip.title, clip.file_name) == (owner.id, "Закат над", "Закат_над.mp4")
    assert (clip.source, clip.source_name) == (Source.INBOX, None)
    assert storage().open(clip.storage_key).read() == BODY
    assert not file.exists() and (mine / "done" / "Закат_над.mp4").read_bytes() == BODY
    # Once: whether it is put back as it was, or the worker begins anew.
    (mine / "done" / "Закат_над.mp4").rename(file)
    look(3)
    assert len(clips()) == 1
    put(mine, body=BODY + b"x")
    look()
    assert len(clips()) == 2


def test_a_user_is_known_by_number_or_by_mail_and_other_folders_are_nobodys(folder, owner, user):
    put(folder / str(owner.id) / "reels", "a.mp4")
    put(folder / owner.email.upper(), "b.mp4")
    put(folder / "nobody@example.org", "c.mp4")
    put(folder / "999999", "d.mp4")
    put(folder, "e.mp4")
    look()
    assert [(clip.user_id, clip.file_name, clip.source_name) for clip in clips()] == [
        *((owner.id, "a.mp4", "reels"), (owner.id, "b.mp4", None))
    ]
    assert inbox.unknown_folders(FolderInbox(folder).entries()) == ["999999", "nobody@example.org"]


def test_a_growing_file_is_waited_for(mine):
    for size in (100, 200, 300):
        put(mine, body=BODY[:size], age=0)
        look(1)
    assert clips() == []
    put(mine)
    look()
    assert len(clips()) == 1 and clips()[0].size == len(BODY)


def test_what_is_not_whole_hidden_or_a_link_is_left(mine, tmp_path):
    outside = put(tmp_path, "secret.mp4")
    for name in ("a.mp4.part", "b.mp4.crdownload", "c.tmp", ".d.mp4", ".hidden/e.mp4", "notes.txt"):
        put(mine, name)
    (mine / "link.mp4").symlink_to(outside)
    (mine / "folder").symlink_to(tmp_path)
    os.mkfifo(mine / "pipe.mp4")
    look(3)
    assert clips() == []


def test_a_link_that_takes_a_files_place_is_not_followed(folder, mine, tmp_path):
    source = FolderInbox(folder)
    put(mine / "sub", "a.mp4")
    [entry] = source.entries()
    put(tmp_path / "elsewhere", "a.mp4", BODY)
    (mine / "sub").rename(mine / "old")
    (mine / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        list(source.blocks(entry))
    with pytest.raises(OSError):
        source.put_away(entry)
    assert (tmp_path / "elsewhere" / "a.mp4").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("Закат_над.json", json.dumps({"title": "Премьера", "text": "Сегодня", "id": 7}).encode()),
        ("Закат_над.mp4.json", json.dumps({"title": "Премьера", "text": "Сегодня", "id": "7"}).encode()),
        ("Закат_над.csv", "название;описание;id\r\nПремьера;Сегодня;7\r\n".encode("cp1251")),
        ("plan.csv", "file,title,text,id\nother.mp4,x,y,1\nЗакат_над.mp4,Премьера,Сегодня,7\n".encode()),
    ],
)
def test_what_stands_beside_a_clip_is_read(mine, name, content):
    put(mine)
    note = put(mine, name, content)
    look()
    [clip] = clips()
    assert (clip.title, clip.description) == ("Премьера", "Сегодня")
    assert db.session.scalar(db.select(Render)).external_id == "7"
    assert note.exists() == (name == "plan.csv")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("Закат_над.json", b"{", "не объект JSON"),
        ("Закат_над.json", json.dumps({"titel": "x"}).encode(), "незнакомое поле «titel»"),
        ("Закат_над.json", json.dumps({"title": []}).encode(), "не текст и не число"),
        ("Закат_над.json", json.dumps({"when": "однажды"}).encode(), "Не получилось прочитать время"),
        ("Закат_над.json", b" " * (300 << 10), "больше 256 КБ"),
        ("Закат_над.csv", b"title\na\nb\n", "строк об этом клипе: 2"),
        ("plan.csv", b"title,text\na,b\n", "нет столбца file"),
    ],
)
def test_a_bad_note_holds_the_clip_until_it_is_mended(mine, name, content, says):
    file = put(mine)
    put(mine, name, content)
    look(4)
    assert clips() == [] and file.exists()
    assert held().reason == "inbox_note" and says in held().detail
    [event] = db.session.scalars(db.select(Event).where(Event.kind == "clip.import_failed")).all()
    assert event.data["title"] == "Закат_над.mp4" and says in event.data["detail"]
    (mine / name).unlink()
    look()
    assert len(clips()) == 1


def test_the_same_id_twice_is_held(mine):
    put(mine, "a.mp4")
    put(mine, "a.json", b'{"id": "x"}')
    look()
    put(mine, "b.mp4", BODY + b"b")
    put(mine, "b.json", b'{"id": "x"}')
    look()
    assert len(clips()) == 1 and "уже пришёл" in held().detail


@pytest.mark.parametrize(
    ("body", "reason"), [(b"hello, world", "import_not_video"), (b"", "import_empty"), (BODY * 200, "import_too_large")]
)
def test_what_is_no_clip_is_held(mine, app, body, reason):
    app.config["MAX_CLIP_MB"] = 1
    file = put(mine, body=body)
    look(3)
    assert clips() == [] and file.exists() and held().reason == reason
    file.unlink()
    look(1)
    assert held() is None


def test_a_worker_killed_at_any_point_leaves_one_clip(folder, mine, owner):
    source = FolderInbox(folder)

    def run(steps: int) -> None:
        """A worker that ends after so many steps."""
        found = inbox.listing(source.entries())
        due = inbox.note(found)
        db.session.commit()
        for row_id in due:
            row = inbox.claim(row_id)
            db.session.commit()
            if row is None or steps < 1:
                return
            outcome = inbox_worker.take(row, owner, found, source, lambda note, size: None)
            if steps < 2:
                return
            inbox_worker.settle(row, outcome)
            db.session.commit()
            if steps < 3:
                return
            inbox_worker.put_away(row, found, source)

    for steps in range(4):
        put(mine, f"{steps}.mp4")
        look(1)
        run(steps)
        wait_until(clock.now() + inbox.LEASE)
        look(2)
        assert len(clips()) == steps + 1, steps
        assert [one.name for one in mine.glob("*.mp4")] == []
    assert storage().exists(key_from(db.session.scalar(db.select(InboxFile)).key))


def test_the_tick_wakes_the_worker_only_where_there_is_an_inbox(folder, app):
    for _ in range(3):
        at_work(jobs.wake_inbox)
    assert queue.queue(INBOX).count == 1
    app.extensions.pop("inbox")
    queue.queue(INBOX).empty()
    at_work(jobs.wake_inbox)
    at_work(arrivals.read_inbox, 0)
    assert queue.queue(INBOX).count == 0


def test_an_inbox_that_is_away_is_waited_for(folder, mine):
    put(mine)
    look(1)
    folder.rename(folder.with_name("away"))
    look(2)
    assert db.session.scalar(db.select(InboxFile)) is not None
    folder.with_name("away").rename(folder)
    look()
    assert len(clips()) == 1


def test_the_doctor_looks_at_it(folder, owner):
    def says() -> list[str]:
        return [finding.text for finding in doctor.examine() if "INBOX_URL" in finding.text]

    put(folder / "nobody", "a.mp4")
    opens, unknown = says()
    assert "открывается" in opens and "nobody" in unknown
    folder.rename(folder.with_name("away"))
    [away] = says()
    assert "не открывается" in away
