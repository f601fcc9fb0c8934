"""«Вернуть»: the toast's button with scripts, a plain button of the next page without."""

import json
import re
from datetime import timedelta

import pytest

from app import clock
from app.db import db
from app.models import UNDO_TIME, Clip, PlatformConnection, Publication, Status
from tests.publishing.conftest import wait_until
from tests.web.test_clips import HTMX, publish

pytestmark = pytest.mark.usefixtures("sandbox")


@pytest.fixture
def clip(owner, ready_clip):
    return ready_clip(owner, title="Закат")


@pytest.fixture
def scheduled(clip, owner, telegram):
    one = publish(clip, telegram(owner), status=Status.SCHEDULED)
    one.due_at = one.wake_at = clock.now() + timedelta(days=1)
    db.session.commit()
    return one


def toast(response) -> dict:
    return json.loads(response.headers["HX-Trigger"])["toast"]


def on(path: str) -> dict[str, str]:
    return HTMX | {"HX-Current-URL": f"http://127.0.0.1{path}"}


def test_a_cancel_offers_to_take_it_back(web, scheduled):
    publication_id = scheduled.id
    said = toast(web.post(f"/publications/{publication_id}/cancel", headers=HTMX))
    assert said["text"] == "Публикация отменена."
    assert said["ms"] < UNDO_TIME.total_seconds() * 1000
    response = web.post(said["undo"], headers=on("/publications"))
    assert toast(response)["text"] == "Публикация возвращена."
    assert "undo" not in toast(response)
    assert f'id="publication-{publication_id}"' in response.text
    assert "Запланировано на" in response.text
    assert "close-dialog" not in response.headers.get("HX-Trigger-After-Settle", ""), "another dialog may be open"
    db.session.expire_all()
    assert db.session.get(Publication, publication_id).status == Status.SCHEDULED
    assert web.post(said["undo"], headers=HTMX).status_code == 200, "a double press"


def test_a_late_press_is_told_so(web, scheduled):
    said = toast(web.post(f"/publications/{scheduled.id}/cancel", headers=HTMX))
    wait_until(clock.now() + UNDO_TIME)
    response = web.post(said["undo"], headers=HTMX)
    assert response.status_code == 422
    assert toast(response)["text"].startswith("Уже не вернуть")


def test_a_deleted_clip_is_in_no_answer_until_it_is_taken_back(web, clip, scheduled):
    clip_id, publication_id = clip.id, scheduled.id
    said = toast(web.post(f"/clips/{clip_id}/delete", headers=HTMX))
    for path in (f"/media/clips/{clip_id}/video", f"/media/clips/{clip_id}/poster", f"/clips/{clip_id}/card"):
        assert web.get(path).status_code == 404, path
    assert "Закат" not in web.get("/").text
    page = web.get(f"/publications/{publication_id}").text
    assert "Клип удалён." in page
    assert f"/media/clips/{clip_id}" not in page
    assert web.get("/publications").status_code == 200
    assert f'id="clip-{clip_id}" hx-swap-oob="delete"' in web.get(f"/clips/changes?known={clip_id}:1").text
    assert web.post(f"/clips/{clip_id}/delete", headers=HTMX).status_code == 404, "another tab"
    response = web.post(said["undo"], headers=on("/"))
    assert toast(response)["text"] == "Клип возвращён."
    assert response.headers["HX-Trigger-After-Settle"] == "reload-page"
    assert "Запланировано на" in web.get("/").text
    assert web.get(f"/media/clips/{clip_id}/video").status_code == 200


def test_a_disconnected_account_is_back_where_it_was(web, scheduled):
    connection_id = scheduled.connection_id
    said = toast(web.post(f"/settings/integrations/{connection_id}/disconnect", headers=HTMX))
    assert "Отменено публикаций: 1." in said["text"]
    assert ">Отключить</button>" not in web.get("/settings/integrations").text
    assert web.get(f"/settings/integrations/{connection_id}/disconnect").status_code == 404
    web.post(said["undo"], headers=HTMX)
    assert ">Отключить</button>" in web.get("/settings/integrations").text
    assert "Запланировано на" in web.get("/").text
    page = web.get("/settings/security").text
    assert page.index("Отключение аккаунта отменено") < page.index("Аккаунт отключён")


def test_without_a_script_the_next_page_has_the_button_once(web, clip):
    clip_id = clip.id
    answer = web.post(f"/clips/{clip_id}/delete")
    page = web.get(answer.location).text
    [address] = re.findall(r'formaction="(/undo/\d+)"', page)
    assert "/undo/" not in web.get("/").text
    answer = web.post(address)
    assert answer.status_code == 303
    assert "Клип возвращён." in web.get(answer.location).text
    db.session.expire_all()
    assert db.session.scalar(db.select(Clip.id)) == clip_id


def test_nothing_deleted_counts_for_the_plan_or_the_account(web, owner, scheduled):
    web.post(f"/settings/integrations/{scheduled.connection_id}/disconnect", headers=HTMX)
    web.post(f"/clips/{scheduled.clip_id}/delete", headers=HTMX)
    db.session.expire_all()
    assert db.session.scalar(db.select(PlatformConnection.id)) is None
    page = web.get("/settings/delete").text
    assert "1\xa0клип" not in page
