"""«План» as pages and forms: what a browser gets, with htmx and without a script."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

import icalendar
import pytest

from app import clock
from app.db import db
from app.models import Publication, Status
from app.observability import redact
from app.services import due_times, plan_feed
from app.texts import moments
from tests.web.test_clips import HTMX, publish

pytestmark = pytest.mark.usefixtures("sandbox")
OTHER_CHANNEL = -1001000000009


@pytest.fixture
def clip(owner, ready_clip):
    return ready_clip(owner, title="Закат")


@pytest.fixture
def channels(owner, telegram):
    return [telegram(owner), telegram(owner, chat_id=OTHER_CHANNEL)]


def in_days(days: int, hour: int = 10) -> datetime:
    """That hour in Moscow."""
    here = clock.to_zone(clock.now(), "Europe/Moscow") + timedelta(days=days)
    return here.replace(hour=hour, minute=0, second=0, microsecond=0).astimezone(UTC)


def scheduled(clip, channels, due: datetime, **state) -> list[Publication]:
    made = [publish(clip, one, **{"status": Status.SCHEDULED, "wake_at": due} | state) for one in channels]
    for one in made:
        one.due_at = due
    db.session.commit()
    return made


def local(moment: datetime) -> str:
    return clock.to_zone(moment, "Europe/Moscow").strftime(due_times.FORMAT)


def minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%MZ}"


def on(path: str) -> dict[str, str]:
    return HTMX | {"HX-Current-URL": f"http://127.0.0.1{path}"}


def toast(response) -> dict:
    return json.loads(response.headers["HX-Trigger"])["toast"]


def due_times_of(made) -> set[datetime]:
    db.session.expire_all()
    return {db.session.get(Publication, one.id).due_at for one in made}


def day(page: str, day: date) -> str:
    return re.search(rf'<li class="plan-day[^>]*id="day-{day}".*?\n  </li>', page, re.DOTALL)[0]


def here(moment: datetime) -> date:
    return clock.to_zone(moment, "Europe/Moscow").date()


# The pages


def test_a_month(web, clip, channels):
    due = in_days(3)
    scheduled(clip, channels, due)
    page = web.get(f"/plan?on={here(due)}").text
    cell = day(page, here(due))
    assert cell.count('id="item-') == 1, "a clip at a time is one item"
    for said in (
        *("Закат", "10:00", f'href="/clips/{clip.id}" data-panel', f'data-drop="{here(due)}"'),
        f"Запланировано на {moments.exact(due, 'Europe/Moscow')}: Telegram, Везде: демо; Telegram, Везде: демо.",
        f"/plan/items/move?clip={clip.id}&amp;from={minute(due)}".replace(":", "%3A", 1)[:40],
        f'href="/plan/add?on={here(due)}"',
    ):
        assert said in cell, said
    today = here(clock.now())
    assert f'id="day-{today}"' in page or here(due).month != today.month
    assert '<a href="/plan" aria-current="page">' in page
    assert 'data-pace="slow"' in page


def test_what_is_past_takes_nothing(web, clip, channels):
    yesterday = here(in_days(-1))
    cell = day(web.get(f"/plan?on={yesterday}").text, yesterday)
    assert "data-drop" not in cell
    assert "/plan/add" not in cell
    hours = web.get(f"/plan?view=week&on={yesterday}").text
    assert f'data-drop="{yesterday}T' not in hours


def test_a_week(web, clip, channels):
    due = in_days(9, hour=15)
    scheduled(clip, channels, due)
    page = web.get(f"/plan?view=week&on={here(due)}").text
    hour = page.partition(f'data-drop="{here(due)}T15"')[2].partition("</div>")[0]
    assert "Закат" in hour
    assert page.count('class="plan-column') == 7
    monday = here(due) - timedelta(days=here(due).weekday())
    assert page.index(f'id="day-{monday}"') < page.index(f'id="day-{monday + timedelta(days=6)}"')


def test_a_full_day_leads_on(web, owner, ready_clip, channels):
    due = in_days(3)
    for number in range(5):
        scheduled(ready_clip(owner, title=f"Клип {number}"), channels[:1], due + timedelta(minutes=number))
    cell = day(web.get(f"/plan?on={here(due)}").text, here(due))
    assert cell.count('id="item-') == 3
    assert "ещё&nbsp;2" in cell
    page = web.get(f"/publications?on={here(due)}").text
    assert entries(page) == [f"Клип {number}" for number in range(5)]
    assert "Показать все дни" in page


@pytest.mark.parametrize(
    "query", ["view=year&on=x", "on=0001-01-01", "on=9999-12-31", "account=999&state=none", "on=2026-02-30", "clip=x"]
)
def test_an_address_that_means_nothing_shows_this_month(web, clip, query):
    page = web.get(f"/plan?{query}")
    assert page.status_code == 200
    assert f'id="day-{here(clock.now())}"' in page.text


def test_filters_stay_when_the_month_turns(web, clip, channels):
    due = in_days(3)
    scheduled(clip, channels, due)
    query = {"on": here(due).isoformat(), "account": channels[0].id, "state": "upcoming"}
    response = web.get("/plan", query_string=query, headers=on("/plan?clip=7"))
    assert response.headers["HX-Push-Url"] == (
        f"/plan?view=month&on={here(due)}&account={channels[0].id}&state=upcoming&clip=7"
    )
    assert "<html" not in response.text
    assert day(response.text, here(due)).count('class="plan-mark') == 1
    later = re.search(r'id="later" href="([^"]+)"', response.text)[1]
    assert f"account={channels[0].id}&amp;state=upcoming" in later


def test_the_poll_brings_the_calendar_once_it_has_changed(web, clip, channels):
    due = in_days(3)
    [one] = scheduled(clip, channels[:1], due)
    path = f"/plan?view=month&on={here(due)}"
    known = re.search(r'name="known" value="([\d.]+)"', web.get(path).text)[1]
    query = {"view": "month", "on": here(due).isoformat(), "known": known, "open": f"{clip.id}:{clip.version}"}
    assert web.get("/plan/changes", query_string=query, headers=on(path)).status_code == 204
    web.post(f"/publications/{one.id}/cancel", headers=HTMX)
    answer = web.get("/plan/changes", query_string=query, headers=on(f"{path}&clip={clip.id}")).text
    assert 'id="calendar"' in answer and 'hx-swap-oob="morph"' in answer
    assert f'id="details-{clip.id}"' in answer
    assert "Закат" not in day(answer, here(due))


# Moving


def move(web, clip, due: datetime, to: str, headers=None, **more):
    form = {"clip": clip.id, "from": minute(due), "due": to} | more
    return web.post("/plan/items/move", data=form, headers=headers or on(f"/plan?on={here(due)}"))


def test_a_drag_moves_all_and_is_taken_back(web, clip, channels):
    due = in_days(3)
    made = scheduled(clip, channels, due)
    later = due + timedelta(days=1)
    response = move(web, clip, due, local(later))
    assert toast(response)["text"].startswith("Перенесено: ")
    assert "Закат" in day(response.text, here(later)) or here(later).month != here(due).month
    assert due_times_of(made) == {later}
    back = web.post(toast(response)["undo"], headers=on("/plan"))
    assert "Возвращено" in toast(back)["text"]
    assert due_times_of(made) == {due}


def test_what_has_begun_is_told_in_the_toast(web, clip, channels):
    due = in_days(3)
    made = scheduled(clip, channels, due)
    made[1].status = Status.PUBLISHING
    db.session.commit()
    said = toast(move(web, clip, due, local(due + timedelta(days=1))))["text"]
    assert said == "Перенесено на 1 из 2\u00a0площадок: Telegram уже публикуется."


@pytest.mark.parametrize(
    ("status", "said"),
    [(Status.PUBLISHING, "уже публикуется: перенести его нельзя"), (Status.CANCELLED, "уже перенесли или отменили")],
)
def test_who_comes_late_is_told_and_sees_what_is_so(web, clip, channels, status, said):
    due = in_days(3)
    scheduled(clip, channels, due, status=status, wake_at=None)
    response = move(web, clip, due, local(due + timedelta(days=1)))
    assert response.status_code == 200, "htmx swaps nothing of a refusal"
    assert toast(response)["kind"] == "error"
    assert said in toast(response)["text"]
    assert 'id="calendar"' in response.text
    plain = move(web, clip, due, local(due + timedelta(days=1)), headers={"Accept": "text/html"})
    assert plain.location == "/plan"
    assert said in web.get("/plan").text


@pytest.mark.parametrize("headers", [HTMX, {"Accept": "text/html"}], ids=["htmx", "plain"])
def test_a_time_that_cannot_be_opens_the_window_with_it(web, owner, clip, channels, headers):
    owner.timezone = "Europe/Berlin"
    due = in_days(3)
    made = scheduled(clip, channels, due)
    year = clock.now().year + 1
    last_sunday = max(date(year, 3, number) for number in range(25, 32) if date(year, 3, number).weekday() == 6)
    for typed, said in (
        ("2020-01-01T10:00", "Это время уже прошло"),
        (f"{last_sunday}T02:30", "Такого времени в этот день нет"),
    ):
        response = move(web, clip, due, typed, headers)
        assert response.status_code == 422
        assert said in response.text
        assert f'value="{typed}"' in response.text
        assert f'name="from" value="{minute(due)}"' in response.text
    assert due_times_of(made) == {due}


def test_a_doubled_time_is_asked_for(owner, sign_in, clip, channels):
    owner.timezone = "America/New_York"
    clock.correct(datetime(2027, 10, 1, tzinfo=UTC))
    web = sign_in(owner)
    due = datetime(2027, 10, 30, 5, 30, tzinfo=UTC)
    made = scheduled(clip, channels, due)
    response = move(web, clip, due, "2027-11-07T01:30")
    assert (response.status_code, "дважды" in response.text) == (422, True)
    assert move(web, clip, due, "2027-11-07T01:30", occurrence="second").status_code == 200
    assert due_times_of(made) == {datetime(2027, 11, 7, 6, 30, tzinfo=UTC)}


def test_moving_without_a_script(web, clip, channels):
    due = in_days(3)
    made = scheduled(clip, channels, due)
    page = web.get(f"/plan/items/move?clip={clip.id}&from={minute(due)}").text
    assert f'value="{local(due)}"' in page
    assert page.count("Запланировано на") == 2
    later = due + timedelta(days=2)
    response = move(web, clip, due, local(later), headers={"Accept": "text/html"})
    assert response.location == f"/plan?on={here(later)}"
    assert "Перенесено" in web.get(response.location).text
    assert due_times_of(made) == {later}


def test_all_of_a_clip_is_moved_from_its_panel(web, clip, channels):
    due = in_days(3)
    made = [*scheduled(clip, channels[:1], due), *scheduled(clip, channels[1:], due + timedelta(hours=1))]
    panel = web.get(f"/clips/{clip.id}").text
    assert f'href="/plan/items/move?clip={clip.id}"' in panel
    window = web.get(f"/plan/items/move?clip={clip.id}", headers=HTMX).text
    times = re.findall(r'name="from" value="([^"]+)"', window)
    assert times == [minute(due), minute(due + timedelta(hours=1))]
    form = {"clip": clip.id, "from": times, "due": local(due + timedelta(days=1)), "spacing": "keep"}
    response = web.post("/plan/items/move", data=form, headers=on("/"))
    assert f'id="clip-{clip.id}"' in response.text
    assert due_times_of(made) == {due + timedelta(days=1), due + timedelta(days=1, hours=1)}


@pytest.mark.parametrize("form", [{}, {"clip": "x"}, {"from": "yesterday"}])
def test_a_move_that_names_nothing(web, clip, channels, form):
    scheduled(clip, channels, in_days(3))
    assert web.post("/plan/items/move", data={"clip": clip.id, "due": local(in_days(4))} | form).status_code != 500


def test_another_users_clip_is_not_there(web, user, sign_in, clip, channels):
    due = in_days(3)
    made = scheduled(clip, channels, due)
    stranger = sign_in(user())
    assert move(stranger, clip, due, local(in_days(5))).status_code == 404
    assert stranger.get(f"/plan/items/move?clip={clip.id}").status_code == 404
    assert due_times_of(made) == {due}


# Adding to a day, and the rest of US-AP-06


def test_adding_to_a_day(web, owner, clip, channels, ready_clip):
    ready_clip(owner, title="Ёжик")
    day = here(in_days(3))
    dialog = web.get(f"/plan/add?on={day}", headers=HTMX).text
    assert dialog.index("Ёжик") < dialog.index("Закат"), "the newest first"
    found = web.get(f"/plan/add?on={day}&q=закат", headers=HTMX | {"HX-Target": "add-list"}).text
    assert "Ёжик" not in found and "dialog-title" not in found
    href = re.search(r'href="(/clips/\d+/publish[^"]+)"', found)[1].replace("&amp;", "&")
    window = web.get(href, headers=HTMX).text
    assert f'value="{day}T10:00"' in window
    assert 'value="later" checked' in window
    form = {"connection": [one.id for one in channels], "title": "Закат", "description": "", "due": f"{day}T10:00"}
    response = web.post(f"/clips/{clip.id}/schedule", data=form, headers=on(f"/plan?on={day}"))
    assert 'id="calendar"' in response.text, "the plan is renewed at once"
    assert "Закат" in response.text


def test_adding_without_scripts_leads_back_to_the_plan(web, clip, channels):
    day = here(in_days(3))
    href = re.search(r'href="(/clips/\d+/publish[^"]+)"', web.get(f"/plan/add?on={day}").text)[1]
    page = web.get(href.replace("&amp;", "&")).text
    assert f'name="plan" value="{day}"' in page
    form = {"connection": [one.id for one in channels], "title": "Закат", "due": f"{day}T10:00", "plan": f"{day}"}
    assert web.post(f"/clips/{clip.id}/schedule", data=form).location == f"/plan?on={day}"
    assert web.post(f"/clips/{clip.id}/schedule", data=form | {"plan": "//evil.example"}).location in ("/", None)


def test_a_time_for_today_is_ahead(owner, sign_in, clip, channels):
    clock.correct(datetime(2027, 3, 1, 14, 10, tzinfo=UTC))
    web = sign_in(owner)
    assert "due=2027-03-01T17:30" in web.get("/plan/add?on=2027-03-01", headers=HTMX).text
    assert "due=2027-03-02T19:30" in web.get("/plan/add?on=2027-03-02&at=19:30", headers=HTMX).text
    assert web.get("/plan/add?on=someday", headers=HTMX).status_code == 404


def test_a_cancel_in_the_panel_renews_the_calendar(web, clip, channels):
    due = in_days(3)
    [one] = scheduled(clip, channels[:1], due)
    shown = on(f"/plan?on={here(due)}&clip={clip.id}")
    response = web.post(f"/publications/{one.id}/cancel", headers=shown)
    assert "Закат" not in day(response.text, here(due))
    assert f'id="details-{clip.id}"' in response.text
    back = web.post(toast(response)["undo"], headers=shown)
    assert "Закат" in day(back.text, here(due))


# The list


def entries(page: str) -> list[str]:
    return re.findall(r'<h2 class="entry-title"><a href="[^"]+">([^<]+)</a>', page)


def test_the_lists_tabs(web, owner, ready_clip, channels):
    for title, status, days in (
        *(("позже", Status.SCHEDULED, 5), ("раньше", Status.SCHEDULED, 2), ("идёт", Status.PUBLISHING, 0)),
        *(("вышел", Status.PUBLISHED, -1), ("ошибка", Status.FAILED, -1), ("проверьте", Status.UNCONFIRMED, -2)),
        ("отменён", Status.CANCELLED, 1),
    ):
        scheduled(ready_clip(owner, title=title), channels[:1], in_days(days), status=status, wake_at=None)
    page = web.get("/publications?state=upcoming").text
    assert entries(page) == ["идёт", "раньше", "позже"]
    assert page.count('class="entries-day"') == 3
    assert "Сегодня, " in page
    assert 'name="publication"' in page and 'form="bulk"' in page
    assert entries(web.get("/publications?state=published").text) == ["вышел"]
    assert entries(web.get("/publications?state=attention").text) == ["проверьте", "ошибка"]
    assert entries(web.get("/publications?state=attention&status=failed").text) == ["ошибка"]
    assert entries(web.get("/publications?state=published&status=failed").text) == ["вышел"]
    assert entries(web.get("/publications?state=cancelled").text) == ["отменён"]
    assert len(entries(web.get("/publications").text)) == 7
    assert entries(web.get("/publications?state=upcoming&q=раньше").text) == ["раньше"]


def test_an_empty_tab_says_so(web, clip):
    assert "Впереди ничего не запланировано" in web.get("/publications?state=upcoming").text
    assert "Всё в порядке" in web.get("/publications?state=attention").text


# The calendar feed


def feed_of(web) -> str:
    dialog = web.get("/plan/feed", headers=HTMX).text
    return urlsplit(re.search(r"http://\S+\.ics", dialog)[0]).path


def test_the_feed_is_off_then_on_then_renewed_then_off(web, client, clip, channels):
    assert ".ics" not in web.get("/plan/feed", headers=HTMX).text
    assert client.get("/plan/feed/1/none.ics").status_code == 404
    web.post("/plan/feed/renew", headers=HTMX)
    first = feed_of(web)
    assert client.get(first).status_code == 200
    assert client.get(first[:-6] + "00.ics").status_code == 404
    web.post("/plan/feed/renew", headers=HTMX)
    second = feed_of(web)
    assert (client.get(first).status_code, client.get(second).status_code) == (404, 200)
    web.post("/plan/feed/off", headers=HTMX)
    web.post("/plan/feed/renew", headers=HTMX)
    assert [client.get(path).status_code for path in (first, second, feed_of(web))] == [404, 404, 200]


def test_the_feed_is_a_calendar(web, owner, client, clip, channels, user, sign_in):
    due = in_days(3)
    made = scheduled(clip, channels, due)
    scheduled(clip, channels, in_days(-40), status=Status.PUBLISHED, wake_at=None)
    made[1].status = Status.FAILED
    db.session.commit()
    web.post("/plan/feed/renew", headers=HTMX)
    response = client.get(feed_of(web))
    assert response.content_type == "text/calendar; charset=utf-8"
    assert "Set-Cookie" not in response.headers
    assert response.headers["Referrer-Policy"] == "no-referrer"
    [event] = icalendar.Calendar.from_ical(response.data).walk("VEVENT")
    assert event["SUMMARY"] == "Закат — Telegram"
    assert event.decoded("DTSTART") == due
    assert b"DTSTART:" + f"{due:%Y%m%dT%H%M%SZ}".encode() in response.data
    assert event["STATUS"] == "CANCELLED"
    assert event["URL"].endswith(f"/clips/{clip.id}")
    assert "Запланировано" in event["DESCRIPTION"] and "Ошибка" in event["DESCRIPTION"]
    before = event["UID"]
    move(web, clip, due, local(in_days(5)))
    events = icalendar.Calendar.from_ical(client.get(feed_of(web)).data).walk("VEVENT")
    assert before in {one["UID"] for one in events}
    stranger = sign_in(user())
    stranger.post("/plan/feed/renew", headers=HTMX)
    assert icalendar.Calendar.from_ical(client.get(feed_of(stranger)).data).walk("VEVENT") == []


def test_a_feed_is_bounded_and_begins_with_what_is_ahead(web, owner, client, clip, channels, monkeypatch):
    monkeypatch.setattr(plan_feed, "MOST_EVENTS", 2)
    for days in (-2, 2, 4):
        scheduled(clip, channels[:1], in_days(days), status=Status.PUBLISHED, wake_at=None)
    web.post("/plan/feed/renew", headers=HTMX)
    events = icalendar.Calendar.from_ical(client.get(feed_of(web)).data).walk("VEVENT")
    assert [event.decoded("DTSTART") for event in events] == [in_days(2), in_days(4)]


def test_keys_are_not_to_be_guessed(client, app):
    answers = [client.get(f"/plan/feed/1/{number:040x}.ics").status_code for number in range(32)]
    assert answers[0] == 404
    assert answers[-1] != 404


def test_the_key_is_in_no_log(web, client, owner, caplog):
    web.post("/plan/feed/renew", headers=HTMX)
    path = feed_of(web)
    key = path.rpartition("/")[2].removesuffix(".ics")
    assert len(key) == 40
    client.get(path)
    assert key not in caplog.text
    assert key not in redact.text(f"GET {path} HTTP/1.1")
