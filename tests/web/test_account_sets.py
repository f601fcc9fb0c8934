"""«Наборы»: slots, the queue and the pause as forms, with htmx and without a script."""

import json
import re
from datetime import UTC, datetime

import pytest

from app import clock
from app.db import db
from app.models import AccountSet, PlatformConnection, Publication, Slot
from app.services import account_sets, data_export, slot_queue, slots
from app.services.publications import Choice
from tests.web.test_clips import HTMX

pytestmark = pytest.mark.usefixtures("sandbox")
BOTH = pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
SETS = "/settings/sets"
SATURDAY = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)  # noon in Moscow


@pytest.fixture(autouse=True)
def saturday(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: SATURDAY)


@pytest.fixture
def channels(owner, telegram) -> tuple[PlatformConnection, PlatformConnection]:
    return telegram(owner), telegram(owner, chat_id=-1001000000009)


@pytest.fixture
def mornings(owner, channels) -> AccountSet:
    one = account_sets.save(owner, "Утро", [channels[0].id])
    slots.add(owner, one.id, [0, 2], [600])
    db.session.commit()
    return one


@pytest.fixture
def clip(owner, ready_clip):
    return ready_clip(owner, title="Закат")


@pytest.fixture
def queued(owner, clip, channels, mornings) -> Publication:
    [made] = slot_queue.put(owner, clip.id, mornings.id, [Choice(channels[0].id, "Закат", "")])
    db.session.commit()
    return made


def times(set_id: int) -> list[tuple[int, int]]:
    rows = db.session.execute(db.select(Slot.weekday, Slot.minute).filter_by(account_set_id=set_id))
    return sorted(map(tuple, rows))


def said(response, web) -> str:
    """The message of the response, or of the page that it leads to."""
    if "HX-Trigger" in response.headers:
        return response.headers["HX-Trigger"].encode().decode("unicode_escape")
    assert response.status_code in (204, 303), response.status_code
    return web.get(SETS).text


def reread(publication: Publication) -> Publication:
    return db.session.get(Publication, publication.id, populate_existing=True)


# The page


def test_a_page_without_sets(web):
    page = web.get(SETS).text
    assert "Наборов пока нет" in page
    assert 'href="/settings/sets" aria-current="page"' in page


def test_the_week_of_a_set(web, queued):
    page = web.get(SETS).text
    assert re.search(r'class="slot taken"[^>]*>10:00<span class="unseen"> ждут клипы: 1', page)
    assert re.search(r'class="slot"[^>]*>10:00', page)
    assert "В очереди 1\u00a0клип." in page
    assert "ср, 2 декабря, 10:00" in page
    assert "Лучшие часы" not in page


@BOTH
def test_several_days_at_several_times(web, mornings, headers):
    data = {"weekday": [0, 1, 2, 3, 4], "times": "10:00 и 19:00"}
    response = web.post(f"{SETS}/{mornings.id}/slots", data=data, headers=headers)
    assert "Добавлено слотов: 8." in said(response, web)
    assert times(mornings.id) == [(day, minute) for day in range(5) for minute in (600, 1140)]
    response = web.post(f"{SETS}/{mornings.id}/slots?weekday=5&times=09:00", headers=headers)
    assert "Добавлено слотов: 1." in said(response, web)
    response = web.post(f"{SETS}/{mornings.id}/slots?weekday=5&times=09:00", headers=headers)
    assert "Эти слоты в наборе уже есть." in said(response, web)


@BOTH
def test_what_was_typed_stays(web, owner, channels, mornings, headers):
    account_sets.save(owner, "Другой", [channels[1].id])
    data = {"weekday": [3, 6], "times": "утром <рано>"}
    response = web.post(f"{SETS}/{mornings.id}/slots", data=data, headers=headers)
    assert response.status_code == 422
    assert response.text.count("Такого времени нет") == 1
    card = response.text.partition(f'id="set-{mornings.id}"')[2].partition("</section>")[0]
    assert 'value="утром &lt;рано&gt;"' in card
    assert re.findall(r'name="weekday" value="(\d)" checked', card) == ["3", "6"]
    assert len(times(mornings.id)) == 2
    response = web.post(f"{SETS}/{mornings.id}/slots", data={"times": "10:00"}, headers=headers)
    assert "Отметьте хотя бы один день недели" in response.text


@BOTH
def test_a_slot_is_changed_with_what_waits_in_it(web, queued, mornings, headers):
    address = f"{SETS}/slots/{queued.slot_id}"
    window = web.get(address, headers=headers).text
    assert "ждут клипы: 1" in window
    assert 'type="time" id="slot-time" name="times" value="10:00"' in window
    response = web.post(address, data={"weekday": "1", "times": "19:30"}, headers=headers)
    assert "Слот перенесён, и с ним 1\u00a0клип." in said(response, web)
    assert times(mornings.id) == [(1, 1170), (2, 600)]
    assert reread(queued).due_at == datetime(2026, 12, 1, 16, 30, tzinfo=UTC)


@BOTH
@pytest.mark.parametrize(
    ("weekday", "typed", "text"),
    [("2", "10:00", "Такой слот в наборе уже есть"), ("1", "", "Укажите одно время"), ("9", "10:00", "времени нет")],
)
def test_a_refused_change_keeps_what_was_chosen(web, mornings, headers, weekday, typed, text):
    slot = mornings.slots[0]
    response = web.post(f"{SETS}/slots/{slot.id}", data={"weekday": weekday, "times": typed}, headers=headers)
    assert response.status_code == 422
    assert text in response.text
    assert f'name="times" value="{typed}" aria-invalid="true"' in response.text
    assert times(mornings.id) == [(0, 600), (2, 600)]


@BOTH
def test_a_slot_is_deleted_and_what_waits_keeps_its_time(web, queued, mornings, headers):
    before = queued.due_at
    response = web.post(f"{SETS}/slots/{queued.slot_id}/delete", headers=headers)
    assert "Слот удалён. 1\u00a0клип выйдет в своё время." in said(response, web)
    assert (reread(queued).due_at, queued.slot_id, queued.wake_at) == (before, None, before)


@BOTH
def test_a_pause_and_its_end(web, queued, mornings, headers, monkeypatch):
    response = web.post(f"{SETS}/{mornings.id}/pause", headers=headers)
    assert "Набор на паузе. Ждут клипы: 1." in said(response, web)
    page = web.get(SETS).text
    assert "Возобновить" in page
    assert "Пока набор на паузе" in page
    assert "Запланировано на 30.11.2026 10:00, на паузе" in web.get("/publications").text
    assert "Удалить слот</button>" not in web.get(f"{SETS}/slots/{queued.slot_id}", headers=headers).text
    response = web.post(f"{SETS}/slots/{queued.slot_id}/delete", headers=headers)
    assert response.status_code == 422
    assert "Сначала возобновите" in response.text
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 12, 1, 9, 0, tzinfo=UTC))
    response = web.post(f"{SETS}/{mornings.id}/resume", headers=headers)
    assert "Время прошло у 1\u00a0клипа: они перенесены в ближайшие свободные слоты." in said(response, web)
    assert reread(queued).due_at == datetime(2026, 12, 2, 7, 0, tzinfo=UTC)


# Sets


@BOTH
def test_a_set_is_made_renamed_and_deleted(web, owner, channels, mornings, headers):
    one, other = channels
    response = web.post(f"{SETS}/new", data={"set-name": "Вечер", "connection": [one.id, other.id]}, headers=headers)
    assert response.status_code in (204, 303)
    evening = account_sets.all_of(owner)[1]
    assert (evening.name, evening.connection_ids) == ("Вечер", [one.id, other.id])
    assert re.search(rf'value="{other.id}" checked', web.get(f"{SETS}/{evening.id}/edit", headers=headers).text)
    refused = web.post(f"{SETS}/{evening.id}/edit", data={"set-name": "Утро", "connection": other.id}, headers=headers)
    assert refused.status_code == 422
    assert "Набор с таким названием уже есть" in refused.text
    assert re.search(r'name="set-name" value="Утро"[^>]*', refused.text)
    empty = web.post(f"{SETS}/{evening.id}/edit", data={"set-name": "Ночь"}, headers=headers)
    assert "Отметьте хотя бы один аккаунт" in empty.text
    web.post(f"{SETS}/{evening.id}/edit", data={"set-name": "Ночь", "connection": other.id}, headers=headers)
    db.session.rollback()
    assert [(one.name, one.connection_ids) for one in account_sets.all_of(owner)] == [
        ("Утро", [one.id]),
        ("Ночь", [other.id]),
    ]
    assert "Удалим набор." in web.get(f"{SETS}/{evening.id}/delete", headers=headers).text
    web.post(f"{SETS}/{evening.id}/delete", headers=headers)
    assert [one.name for one in account_sets.all_of(owner)] == ["Утро"]


@BOTH
def test_a_set_is_deleted_with_its_slots(web, owner, queued, mornings, clip, headers):
    # In the publish window nothing says what waits.
    response = web.post(f"/clips/{clip.id}/sets", data={"delete-set": mornings.id}, headers=headers)
    assert response.status_code == 422
    assert "Удалите его в «Настройки → Наборы»" in response.text
    assert "ждут клипы: 1" in web.get(f"{SETS}/{mornings.id}/delete", headers=headers).text
    before = queued.due_at
    response = web.post(f"{SETS}/{mornings.id}/delete", headers=headers)
    assert response.status_code in (204, 303)
    assert "1\u00a0клип выйдет в своё время" in web.get(SETS).text
    assert account_sets.all_of(owner) == []
    assert (reread(queued).due_at, queued.slot_id) == (before, None)


@BOTH
def test_no_set_is_deleted_out_of_its_pause(web, owner, queued, mornings, headers):
    web.post(f"{SETS}/{mornings.id}/pause", headers=headers)
    assert '"button danger"' not in web.get(f"{SETS}/{mornings.id}/delete", headers=headers).text
    assert web.post(f"{SETS}/{mornings.id}/delete", headers=headers).status_code == 422
    assert len(account_sets.all_of(owner)) == 1


# «В очередь» in the publish window


@BOTH
def test_into_the_queue(web, clip, channels, mornings, headers):
    window = web.get(f"/clips/{clip.id}/publish", headers=headers).text
    assert f'data-accounts="{channels[0].id}" data-words="пн, 30 ноября, 10:00"' in window
    assert re.search(rf'name="queue" value="{mornings.id}">В очередь: пн, 30 ноября, 10:00</button>', window)
    data = {"connection": channels[0].id, "title": "Закат", "queue": mornings.id, "when": "now"}
    response = web.post(f"/clips/{clip.id}/queue", data=data, headers=headers)
    assert response.status_code in (200, 303)
    [made] = db.session.scalars(db.select(Publication))
    assert (made.due_at, made.slot_id) == (datetime(2026, 11, 30, 7, 0, tzinfo=UTC), mornings.slots[0].id)
    again = web.post(f"/clips/{clip.id}/queue", data=data, headers=headers)
    assert again.status_code in (200, 303)
    assert db.session.scalar(db.select(db.func.count(Publication.id))) == 1


def test_the_choice_among_now_and_later(web, clip, channels, mornings):
    data = {"connection": channels[0].id, "title": "Закат" * 60, "when": mornings.id}
    refused = web.post(f"/clips/{clip.id}/queue", data=data, headers=HTMX)
    assert refused.status_code == 422
    assert f'name="when" value="{mornings.id}" checked' in refused.text
    dated = web.post(f"/clips/{clip.id}/queue", data=data | {"due": "2026-12-24T18:00"}, headers=HTMX)
    assert "Чтобы поставить в очередь, сотрите её" in dated.text
    for nothing in ({"when": "now"}, {"queue": "x"}, {"queue": 2**70}, {"queue": 999}):
        response = web.post(f"/clips/{clip.id}/queue", data=data | {"when": "", **nothing}, headers=HTMX)
        assert response.status_code == 404
    data |= {"title": "Закат"}
    assert web.post(f"/clips/{clip.id}/queue", data=data, headers=HTMX).status_code == 200


def test_no_queue_without_slots(web, owner, clip, channels):
    account_sets.save(owner, "Без слотов", [channels[0].id])
    db.session.commit()
    assert "В очередь" not in web.get(f"/clips/{clip.id}/publish", headers=HTMX).text


def test_which_of_several_queues(web, owner, clip, channels, mornings):
    other = account_sets.save(owner, "Вечер", [channels[1].id])
    slots.add(owner, other.id, [6], [1140])
    other.paused_at = SATURDAY
    db.session.commit()
    window = web.get(f"/clips/{clip.id}/publish", headers=HTMX).text
    assert "В очередь «Утро»: пн, 30 ноября, 10:00<" in window
    assert "В очередь «Вечер»: завтра в\u00a019:00 (на паузе)<" in window


# The zone


@BOTH
def test_another_zone_in_the_profile(web, owner, queued, headers):
    data = {"name": "Анна", "timezone": "Asia/Omsk"}
    response = web.post("/settings/profile", data=data, headers=headers)
    assert response.status_code in (204, 303)
    assert "Клипы в очереди теперь выходят по новому поясу: 1." in web.get("/settings/profile").text
    assert reread(queued).due_at == datetime(2026, 11, 30, 4, 0, tzinfo=UTC)


def test_slots_are_in_the_users_data(owner, mornings):
    sets = json.loads("".join(data_export.export(owner)))["account_sets"]
    assert [one["weekly_slots"] for one in sets] == [[{"weekday": 0, "minute": 600}, {"weekday": 2, "minute": 600}]]
