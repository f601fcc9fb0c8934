"""«Опубликовать, когда загрузится»: carried out once, and never in silence."""

from pathlib import Path

import pytest

from app.db import commit, db
from app.models import Clip, Notification, Publication, Status
from app.notifications import create
from app.problems import NotFound
from app.services import clips, publish_when_ready, uploads
from tests import probing
from tests.publishing.conftest import at_work


@pytest.fixture
def upload(app, vertical_file: Path):
    """A file's upload as a clip that waits for its probe: `upload(user, path, publish_when_ready=True)`."""

    def make(owner, path: Path = vertical_file, **more) -> tuple[str, Clip]:
        data = path.read_bytes()
        upload = uploads.create(owner, path.name, len(data), **more)
        commit()
        done = uploads.receive(owner, upload.id, 0, [data], len(data))
        commit()
        return upload.id, clips.get(owner, done.clip_id)

    return make


def published(clip: Clip) -> list[tuple[str, str]]:
    db.session.rollback()
    rows = db.session.query(Publication).filter_by(clip_id=clip.id)
    return [(row.account_name, row.status) for row in rows]


def notified(clip: Clip) -> list[str]:
    """What the notifications say about it."""
    at_work(create.read_events)
    db.session.rollback()
    rows = db.session.query(Notification).filter_by(kind="not_published", user_id=clip.user_id)
    assert all(row.facts["clip"] == clip.id for row in rows)
    return [row.facts["why"] for row in rows]


def test_it_is_published_once_when_the_probe_succeeds(user, telegram, upload):
    owner = user()
    telegram(owner)
    _, clip = upload(owner, publish_when_ready=True)
    assert clip.publish_when_ready and published(clip) == []
    probing.probe(clip.id)
    assert published(clip) == [("Везде: демо", Status.PUBLISHING)]
    assert not db.session.get(Clip, clip.id).publish_when_ready
    probing.probe(clip.id)
    assert len(published(clip)) == 1
    assert notified(clip) == []


def test_the_wish_can_come_later_and_be_taken_back(user, telegram, upload):
    owner = user()
    telegram(owner)
    taken_back, first = upload(owner, publish_when_ready=True)
    later, second = upload(owner)
    for upload_id, wished in ((taken_back, False), (later, True)):
        publish_when_ready.wish(owner, upload_id, wished=wished)
        commit()
    probing.probe(first.id)
    probing.probe(second.id)
    assert published(first) == []
    assert len(published(second)) == 1


def test_it_can_be_withdrawn_by_its_clip_until_the_probe_is_over(user, telegram, upload):
    owner, stranger = user(), user()
    telegram(owner)
    (_, withdrawn), (_, late) = upload(owner, publish_when_ready=True), upload(owner, publish_when_ready=True)
    with pytest.raises(NotFound):
        publish_when_ready.withdraw(stranger, withdrawn.id)
    assert publish_when_ready.withdraw(owner, withdrawn.id)
    commit()
    for clip in (withdrawn, late):
        probing.probe(clip.id)
    assert published(withdrawn) == [] and len(published(late)) == 1
    assert not publish_when_ready.withdraw(owner, late.id)
    assert notified(withdrawn) == notified(late) == []


def test_a_wish_after_the_probe_is_carried_out_at_once_and_once(user, telegram, upload):
    owner = user()
    telegram(owner)
    upload_id, clip = upload(owner)
    probing.probe(clip.id)
    for wished in (True, True, False, True):
        publish_when_ready.wish(owner, upload_id, wished=wished)
        commit()
    assert len(published(clip)) == 1


def test_the_wish_before_the_last_byte_goes_to_the_clip(user):
    owner, stranger = user(), user()
    upload = uploads.create(owner, "clip.mp4", 10)
    commit()
    with pytest.raises(NotFound):
        publish_when_ready.wish(stranger, upload.id, wished=True)
    db.session.rollback()
    publish_when_ready.wish(owner, upload.id, wished=True)
    commit()
    done = uploads.receive(owner, upload.id, 0, [b"x" * 10], 10)
    commit()
    assert clips.get(owner, done.clip_id).publish_when_ready


def test_without_an_account_it_is_told(user, upload):
    _, clip = upload(user(), publish_when_ready=True)
    probing.probe(clip.id)
    [why] = notified(clip)
    assert why.startswith("Ни один аккаунт не подключён.")
    assert db.session.get(Clip, clip.id).status == "ready"


def test_where_it_is_refused_is_told_and_the_rest_goes(user, telegram, upload):
    owner = user()
    telegram(owner)
    other = telegram(owner, chat_id=-1002)
    other.status = "reconnect"
    db.session.commit()
    _, clip = upload(owner, publish_when_ready=True)
    probing.probe(clip.id)
    assert len(published(clip)) == 1
    [why] = notified(clip)
    assert why == "Telegram — Везде: демо: Переподключите аккаунт: «Настройки → Интеграции»."


def test_a_file_that_cannot_be_used_is_told(user, telegram, upload, tmp_path):
    owner = user()
    telegram(owner)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0\0\0\x18ftypmp42" + b"x" * 1000)
    _, clip = upload(owner, broken, publish_when_ready=True)
    probing.probe(clip.id)
    assert published(clip) == []
    assert len(notified(clip)) == 1


def test_the_notification_leads_to_the_clip(user, sign_in, upload):
    owner = user()
    _, clip = upload(owner, publish_when_ready=True)
    assert "Выйдет сразу после проверки" in sign_in(owner).get("/").text
    probing.probe(clip.id)
    notified(clip)
    page = sign_in(owner).get("/notices").text
    assert "Не опубликовано после загрузки: «vertical»" in page
    assert f'href="/clips/{clip.id}"' in page
