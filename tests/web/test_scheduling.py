"""«Запланировать», «Перенести», «Отменить» as forms, with htmx and without a script."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from app import clock
from app.db import db
from app.models import Publication, Status
from app.services import due_times
from app.texts import moments
from app.web import time_zones
from tests.web.test_clips import HTMX, publish

pytestmark = pytest.mark.usefixtures("sandbox")
BOTH = pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])


@pytest.fixture
def clip(owner, ready_clip):
    return ready_clip(owner, title="Закат")


@pytest.fixture
def channel(owner, telegram):
    return telegram(owner)


def typed(moment: datetime, zone: str = "Europe/Moscow") -> str:
    return clock.to_zone(moment, zone).strftime(due_times.FORMAT)


def in_hours(hours: float) -> datetime:
    return (clock.now() + timedelta(hours=hours)).replace(second=0, microsecond=0)


def scheduled(clip, channel, due: datetime) -> Publication:
    publication = publish(clip, channel, status=Status.SCHEDULED, wake_at=due)
    publication.due_at = due
    db.session.commit()
    return publication


def fill(channel, due: str, **more) -> dict:
    return {
        "connection": channel.id,
        f"title-{channel.id}": "Своё",
        f"description-{channel.id}": "Слова",
        "due": due,
    } | more


def the_one() -> Publication:
    return db.session.scalars(db.select(Publication).execution_options(populate_existing=True)).one()


def date_field(page: str) -> str:
    return re.search(r'<input type="datetime-local"[^>]*>', page)[0]


def test_the_dialog_offers_a_date_in_the_users_zone(web, owner, clip, channel):
    owner.timezone = "Asia/Kamchatka"
    db.session.commit()
    dialog = web.get(f"/clips/{clip.id}/publish", headers=HTMX).text
    assert '<label for="due">Дата и время</label>' in dialog
    assert "Петропавловск-Камчатский (UTC+12)" in dialog
    assert f'formaction="/clips/{clip.id}/schedule"' in dialog
    assert 'value=""' in date_field(dialog)
    assert f'min="{typed(due_times.earliest(), "Asia/Kamchatka")}"' in date_field(dialog)


@BOTH
def test_scheduling(web, clip, channel, headers):
    due = in_hours(30)
    answer = web.post(f"/clips/{clip.id}/schedule", data=fill(channel, typed(due)), headers=headers)
    said = f"Запланировано на {moments.exact(due, 'Europe/Moscow')}"
    if headers:
        assert answer.headers["HX-Trigger-After-Settle"] == "close-dialog"
        assert said in answer.text
        assert 'data-pace="slow"' in answer.text
    else:
        assert (answer.status_code, answer.location) == (303, "/")
        assert said in web.get("/").text
    made = the_one()
    assert (made.title, made.description, made.status, made.due_at) == ("Своё", "Слова", Status.SCHEDULED, due)


def test_a_double_submit_makes_one_and_shows_so(web, clip, channel):
    for hours in (1, 2):
        answer = web.post(f"/clips/{clip.id}/schedule", data=fill(channel, typed(in_hours(hours))))
        assert answer.location == "/"
    assert the_one().due_at == in_hours(1)
    assert "уже запланирован или публикуется" in web.get("/").text


@BOTH
@pytest.mark.parametrize(
    ("due", "said"),
    [
        ("", "Укажите дату и время, когда опубликовать."),
        ("2020-01-01T12:00", "Это время уже прошло. Ближайшее — "),
        ("завтра", "Укажите дату и время целиком"),
    ],
)
def test_a_refusal_stands_at_the_field_and_nothing_is_lost(web, clip, channel, headers, due, said):
    answer = web.post(f"/clips/{clip.id}/schedule", data=fill(channel, due), headers=headers)
    assert answer.status_code == 422
    notes = answer.text.partition('id="due-notes">')[2].partition("</div>")[0]
    assert said in notes
    assert 'aria-invalid="true"' in date_field(answer.text)
    assert f'value="{due}"' in date_field(answer.text)
    assert 'value="Своё"' in answer.text
    assert "Слова</textarea>" in answer.text
    assert db.session.scalar(db.select(db.func.count(Publication.id))) == 0


def test_other_refusals_keep_the_date(web, clip, channel):
    due = typed(in_hours(1))
    for data, said in (
        ({"due": due}, "Выберите хотя бы одну площадку."),
        (fill(channel, due) | {f"description-{channel.id}": "x" * 1100}, "помещается 1024"),
    ):
        answer = web.post(f"/clips/{clip.id}/schedule", data=data, headers=HTMX)
        assert answer.status_code == 422
        assert said in answer.text
        assert f'value="{due}"' in date_field(answer.text)


def test_publishing_at_once_by_the_wrong_button_asks_first(web, clip, channel):
    answer = web.post(f"/clips/{clip.id}/publish", data=fill(channel, typed(in_hours(1))), headers=HTMX)
    assert answer.status_code == 422
    assert "нажмите «Запланировать»" in answer.text
    assert db.session.scalar(db.select(db.func.count(Publication.id))) == 0
    assert web.post(f"/clips/{clip.id}/publish", data=fill(channel, ""), headers=HTMX).status_code == 200


@BOTH
def test_a_time_that_comes_twice_lets_one_choose(sign_in, owner, clip, channel, headers):
    owner.timezone = "America/New_York"
    db.session.commit()
    clock.correct(datetime(2027, 11, 1, tzinfo=UTC))
    web = sign_in(owner)
    path, data = f"/clips/{clip.id}/schedule", fill(channel, "2027-11-07T01:30")
    answer = web.post(path, data=data, headers=headers)
    assert answer.status_code == 422
    assert "наступит дважды" in answer.text
    assert "Первый раз, до перевода часов (UTC−4)" in answer.text
    assert "Второй раз, после перевода (UTC−5)" in answer.text
    assert 'value="2027-11-07T01:30"' in date_field(answer.text)
    assert web.post(path, data=data | {"occurrence": "second"}, headers=headers).status_code in (200, 303)
    made = the_one()
    assert made.due_at == datetime(2027, 11, 7, 6, 30, tzinfo=UTC)
    # The form begins with the current time: the second of the two.
    dialog = web.get(f"/publications/{made.id}/move", headers=headers).text
    assert 'value="second" checked' in dialog


def test_a_time_that_the_clocks_leave_out(sign_in, owner, clip, channel):
    owner.timezone = "America/New_York"
    db.session.commit()
    clock.correct(datetime(2027, 3, 1, tzinfo=UTC))
    web = sign_in(owner)
    answer = web.post(f"/clips/{clip.id}/schedule", data=fill(channel, "2027-03-14T02:30"), headers=HTMX)
    assert answer.status_code == 422
    assert "Выберите другое, например вс, 14 марта, 03:30." in answer.text


def test_the_card_shows_it_in_the_zone_of_the_profile(web, owner, clip, channel):
    scheduled(clip, channel, datetime(2027, 3, 8, 9, 30, tzinfo=UTC))
    shown = {}
    for zone in ("Europe/Kaliningrad", "Asia/Kamchatka", "America/New_York"):
        web.post("/settings/profile", data={"name": "Аня", "timezone": zone})
        shown[zone] = re.search(r"Запланировано на ([\d.: ]+)", web.get("/").text)[1].strip()
    assert shown == {
        "Europe/Kaliningrad": "08.03.2027 11:30",
        "Asia/Kamchatka": "08.03.2027 21:30",
        "America/New_York": "08.03.2027 04:30",
    }


@BOTH
def test_moving(web, clip, channel, headers):
    due, later = in_hours(1), in_hours(48)
    publication = scheduled(clip, channel, due)
    path = f"/publications/{publication.id}/move"
    panel = web.get(f"/clips/{clip.id}", headers=headers).text
    assert f'formaction="{path}"' in panel
    assert "Отменить" in panel
    dialog = web.get(path, headers=headers).text
    assert f'value="{typed(due)}"' in date_field(dialog)
    assert "Опубликовать сейчас" in dialog

    answer = web.post(path, data={"due": ""}, headers=headers)
    assert answer.status_code == 422
    assert "Укажите дату и время" in answer.text

    answer = web.post(path, data={"due": typed(later)}, headers=headers)
    said = f"Запланировано на {moments.exact(later, 'Europe/Moscow')}"
    assert said in (answer.text if headers else web.get("/").text)
    assert the_one().due_at == later


@BOTH
def test_cancelling(web, clip, channel, headers):
    publication = scheduled(clip, channel, in_hours(1))
    answer = web.post(f"/publications/{publication.id}/cancel", headers=headers)
    assert answer.status_code == (200 if headers else 303)
    assert the_one().status == Status.CANCELLED
    assert "Запланировано" not in web.get("/").text


@BOTH
def test_publishing_now_what_was_for_later(web, clip, channel, headers):
    publication = scheduled(clip, channel, in_hours(1))
    answer = web.post(f"/publications/{publication.id}/now", headers=headers)
    assert "Публикация..." in (answer.text if headers else web.get("/").text)
    assert the_one().status == Status.PUBLISHING


def test_what_has_begun_is_shown_as_a_toast(web, clip, channel):
    publication = publish(clip, channel, status=Status.PUBLISHING)
    for answer in (
        web.get(f"/publications/{publication.id}/move", headers=HTMX),
        web.post(f"/publications/{publication.id}/move", data={"due": typed(in_hours(1))}, headers=HTMX),
        web.post(f"/publications/{publication.id}/now", headers=HTMX),
    ):
        assert answer.status_code == 422
        assert "toast" in answer.headers["HX-Trigger"]


def test_a_strangers_publication_is_not_there(web, user, sign_in, clip, channel):
    publication = scheduled(clip, channel, in_hours(1))
    stranger = sign_in(user())
    assert stranger.get(f"/publications/{publication.id}/move").status_code == 404
    assert stranger.post(f"/publications/{publication.id}/now").status_code == 404
    assert stranger.post(f"/clips/{clip.id}/schedule", data={"due": typed(in_hours(1))}).status_code == 404


def test_a_page_polls_often_in_the_last_minute(web, clip, channel):
    due = in_hours(1)
    scheduled(clip, channel, due)
    [known] = re.findall(r'name="known" value="(\d+:\d+)"', web.get("/").text)
    poll = f"/clips/changes?known={known}"
    clock.correct(due - timedelta(seconds=61))
    assert web.get(poll, headers=HTMX).status_code == 204
    clock.correct(due - timedelta(seconds=59))
    assert 'data-pace="fast"' in web.get(poll, headers=HTMX).text


def test_zones_by_name():
    assert time_zones.label("Europe/Kaliningrad") == "Калининград (UTC+2)"
    assert re.fullmatch(r"Нью-Йорк, Соединенные Штаты \(UTC−[45]\)", time_zones.label("America/New_York"))
    assert time_zones.label("UTC") == "UTC (UTC+0)"
