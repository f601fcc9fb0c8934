"""«Опубликовать несколько»: the sheet keeps what is typed, says what fits, and one press makes all of it."""

import re
from datetime import timedelta

import pytest

from app import clock, platforms
from app.db import commit, db
from app.models import AccountSet, Clip, ClipStatus, PlatformConnection, Publication, Status
from app.platforms.options import Checkbox, Select
from app.services import account_sets, due_times, publications, slots
from app.services.drafts import Choice
from app.web import id_ranges
from tests import asking
from tests.web.test_clips import HTMX

BOTH = pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])


@pytest.fixture
def owner(user):
    return user(plan="business")


@pytest.fixture
def web(sign_in, owner):
    return sign_in(owner)


@pytest.fixture
def some(owner) -> list[Clip]:
    found = [asking.clip(owner, title) for title in ("Закат", "Волга", "Сырники")]
    commit()
    return found


@pytest.fixture
def channels(owner) -> list[PlatformConnection]:
    return [asking.connection(owner, f"-100{number}") for number in (1, 2)]


def local(hours: float) -> str:
    at = (clock.now() + timedelta(hours=hours)).replace(second=0, microsecond=0)
    return clock.to_zone(at, "Europe/Moscow").strftime(due_times.FORMAT)


def filled(some, channels, **more) -> dict:
    ids = {"clip": [clip.id for clip in some], "connection": [one.id for one in channels]}
    return ids | {"how": "daily", "due": local(30), "hours": "24"} | more


def made() -> list[Publication]:
    db.session.rollback()
    rows = db.select(Publication).order_by(Publication.id).execution_options(populate_existing=True)
    return list(db.session.scalars(rows))


def order(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'name="clip" value="(\d+)"', page)]


def row(page: str, clip) -> str:
    return page.partition(f'id="bulk-{clip.id}"')[2].partition("</li>\n")[0].partition('class="bulk-row"')[0]


def button(page: str) -> str:
    return re.search(r'id="bulk-publish"[^>]*>([^<]*)</button>', page)[1]


# The sheet


def test_it_opens_with_the_clips_in_their_order_and_the_last_choice(web, some, channels):
    account_sets.remember_choice(db.session.merge(some[0]).user, [one.id for one in channels], [channels[0].id])
    commit()
    ids = [some[2].id, some[0].id]
    page = web.get("/bulk", query_string={"clip": [*ids, 10**30, "x", 12345]}).text
    assert order(page) == ids
    assert 'value="Сырники"' in page
    assert re.findall(r'name="connection" value="(\d+)" checked', page) == [str(channels[0].id)]
    assert re.search(r'name="how" value="daily" checked', page)
    assert button(page).startswith("Запланировать 2\u00a0публикации: ")
    assert made() == []


def test_nothing_chosen_and_nowhere_to_publish(web, owner, some):
    assert "Клипы не выбраны" in web.get("/bulk").text
    assert "Ни один аккаунт не подключён" in web.get("/bulk", query_string={"clip": some[0].id}).text


def test_all_ready_ones(web, some, channels, owner):
    some[1].status = ClipStatus.PROCESSING
    commit()
    assert order(web.get("/bulk?all=ready").text) == [some[0].id, some[2].id]
    assert "/bulk?all=ready" in web.get("/").text


@BOTH
@pytest.mark.parametrize(
    ("press", "places"),
    [
        ({"up": 2}, [0, 2, 1]),
        ({"down": 0}, [1, 0, 2]),
        ({"up": 0}, [0, 1, 2]),
        ({"remove": 1}, [0, 2]),
        ({"reverse": 1}, [2, 1, 0]),
    ],
    ids=["up", "down", "first-up", "remove", "reverse"],
)
def test_the_order_is_changed_and_nothing_typed_is_lost(web, some, channels, headers, press, places):
    [(name, number)] = press.items()
    pressed = {name: some[number].id if name != "reverse" else "1"}
    typed = {f"title-{some[0].id}": "Своё <1>", f"title-{some[2].id}": "Другое", "hours": "7"}
    page = web.post("/bulk", data=filled(some, channels) | typed | pressed, headers=headers).text
    assert order(page) == [some[place].id for place in places]
    assert 'value="Своё &lt;1&gt;"' in page
    assert 'value="Другое"' in page
    if not headers:
        assert 'value="7"' in page
    assert made() == []


@BOTH
def test_a_set_ticks_its_accounts(web, owner, some, channels, headers):
    one = account_sets.save(owner, "Свои", [channels[1].id])
    commit()
    page = web.post("/bulk", data=filled(some, channels, set=one.id), headers=headers).text
    assert re.findall(r'name="connection" value="(\d+)" checked', page) == [str(channels[1].id)]
    assert web.post("/bulk", data=filled(some, channels, set=999), headers=headers).status_code == 404


def test_what_does_not_fit_is_at_its_row_with_the_reason(web, owner, some, channels):
    some[0].duration_ms = 1
    long = "я" * 1100
    some[1].description = long
    commit()
    [there] = publications.publish(owner, some[2].id, [Choice(channels[0].id, "Сырники", "")])
    db.session.get(Publication, there.id).status = Status.PUBLISHED
    commit()
    data = filled(some, channels)
    page = web.post("/bulk", data=data, headers=HTMX).text
    assert "Текст занимает 1107 знаков, помещается 1024" in row(page, some[1])
    assert long in row(page, some[1])  # to be shortened here
    assert "уже опубликовано" in row(page, some[2])
    assert "Не выйдет: 3 из 6" in page
    assert button(page).startswith("Запланировать 3\u00a0публикации")
    page = web.post("/bulk", data=data | {"again": "1", f"description-{some[1].id}": "Коротко"}, headers=HTMX).text
    assert "Не выйдет" not in page
    assert "Коротко" in row(page, some[1])
    assert button(page).startswith("Запланировать 6\u00a0публикаций")


def test_what_goes_nowhere_takes_no_day(web, some, channels):
    some[0].status = ClipStatus.PROCESSING
    commit()
    web.post("/bulk/publish", data=filled(some, channels), headers=HTMX)
    first = due_times.parse(some[0].user, local(30))
    assert [(one.clip_id, one.due_at) for one in made()] == [
        (clip.id, first + timedelta(days=day)) for day, clip in enumerate(some[1:]) for _ in channels
    ]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"due": ""}, "Укажите дату и время"),
        ({"due": "завтра"}, "Укажите дату и время целиком"),
        ({"how": "every", "hours": "0"}, "Укажите, через сколько часов"),
    ],
)
@BOTH
def test_a_time_that_is_none_is_said_and_nothing_is_lost(web, some, channels, wrong, said, headers):
    typed = {f"title-{some[0].id}": "Своё"}
    for path in ("/bulk", "/bulk/publish"):
        answer = web.post(path, data=filled(some, channels) | typed | wrong, headers=headers)
        assert said in answer.text
        assert 'value="Своё"' in answer.text
        assert re.search(r'id="bulk-publish"[^>]* disabled', answer.text)
    assert answer.status_code == 422
    assert made() == []


def test_a_time_that_is_past_is_at_each_row(web, some, channels):
    page = web.post("/bulk", data=filled(some, channels, how="every", due=local(-30)), headers=HTMX).text
    assert "Это время уже прошло" in row(page, some[0])
    assert "Это время уже прошло" in row(page, some[1])
    assert "Это время уже прошло" not in row(page, some[2])


# The press


@BOTH
def test_one_press_makes_all_and_shows_each(web, owner, some, channels, headers):
    title = {f"title-{some[1].id}": "Волга утром"}
    data = filled([some[1], some[0]], channels, offered=[one.id for one in channels]) | title
    answer = web.post("/bulk/publish", data=data, headers=headers)
    assert answer.status_code == 200
    assert "Готово: 4\u00a0публикации" in answer.text
    rows = made()
    first = due_times.parse(owner, data["due"])
    assert [(one.clip_id, one.title, one.due_at) for one in rows] == [
        *((some[1].id, "Волга утром", first),) * 2,
        *((some[0].id, "Закат", first + timedelta(days=1)),) * 2,
    ] or sorted((one.title, one.due_at) for one in rows) == sorted(
        [("Волга утром", first), ("Закат", first + timedelta(days=1))] * 2
    )
    if headers:
        assert answer.headers["HX-Retarget"] == "#bulk-page"
        again = web.get(answer.headers["HX-Push-Url"]).text
        assert "Готово: 4\u00a0публикации" in again
        assert "Волга утром" in again


def test_a_second_press_shows_the_same(web, some, channels):
    data = filled(some, channels)
    first, second = (web.post("/bulk/publish", data=data, headers=HTMX) for _ in range(2))
    assert "Готово: 6\u00a0публикаций" in first.text
    assert "Готово: 6\u00a0публикаций" in second.text
    assert "Не вышло" not in second.text
    assert len(made()) == 6


def test_now(web, some, channels):
    page = web.post("/bulk", data=filled(some, channels, how="now"), headers=HTMX).text
    assert button(page) == "Опубликовать сейчас: 6\u00a0публикаций"
    web.post("/bulk/publish", data=filled(some, channels, how="now"), headers=HTMX)
    assert {one.status for one in made()} == {Status.PUBLISHING}


def test_what_was_refused_is_told_with_its_clip(web, owner, some, channels):
    some[0].status = ClipStatus.FAILED
    commit()
    answer = web.post("/bulk/publish", data=filled(some, channels), headers=HTMX)
    assert "Не вышло: 2" in answer.text
    assert f'href="/clips/{some[0].id}"' in answer.text
    assert "Клип ещё не готов" in answer.text
    assert len(made()) == 4


def test_where_nothing_fits_nothing_is_lost(web, some, channels):
    typed = {f"title-{some[0].id}": "Своё"}
    answer = web.post("/bulk/publish", data=filled(some, channels, due=local(-99)) | typed, headers=HTMX)
    assert answer.status_code == 422
    assert "Публиковать нечего" in answer.text
    assert 'value="Своё"' in answer.text
    answer = web.post("/bulk/publish", data=filled(some, []) | typed, headers=HTMX)
    assert "Выберите хотя бы одну площадку" in answer.text


def test_strangers_clips_and_accounts_are_not_there(web, some, channels, user, sign_in):
    stranger = user()
    foreign = asking.clip(stranger, "Чужой")
    channel = asking.connection(stranger, "-100777")
    commit()
    data = filled([*some, foreign], [*channels, channel])
    assert "Чужой" not in web.post("/bulk", data=data, headers=HTMX).text
    web.post("/bulk/publish", data=data, headers=HTMX)
    rows = made()
    assert {one.user_id for one in rows} == {some[0].user_id}
    seen = sign_in(stranger).get("/bulk/made", query_string={"publications": id_ranges.to_text(one.id for one in rows)})
    assert "Здесь уже ничего нет" in seen.text


def test_a_page_asks_as_often_for_many_clips(web, owner, channels):
    counts = []
    for number in (2, 30):
        ids = [asking.clip(owner, f"Клип {one}").id for one in range(number)]
        commit()
        web.get("/bulk", query_string={"clip": ids})
        with asking.asked() as found:
            web.get("/bulk", query_string={"clip": ids})
        counts.append(len(found))
    assert counts[0] == counts[1] <= 12, counts


# Options of platforms


@pytest.fixture
def asks(channels, monkeypatch):
    """The platform of the channels asks whom to show a clip, and notifies subscribers unless it is told otherwise."""
    audience = Select(name="audience", label="Кому", choices={"all": "Всем", "adults": "Взрослым"}, required=True)
    notify = Checkbox(name="notify", label="Сообщить подписчикам", default=True, bulk_default=False)
    monkeypatch.setattr(platforms.ADAPTERS["telegram"], "options", (audience, notify))


def test_what_a_platform_wants_to_be_chosen_is_asked_once_for_all(web, some, channels, asks):
    data = filled(some, channels)
    page = web.post("/bulk", data=data, headers=HTMX).text
    assert page.count('name="option-telegram-audience"') == 1
    assert re.search(r'<details[^>]*id="bulk-options-telegram" open', page)
    assert not re.search(r'type="checkbox" name="option-telegram-notify"[^>]* checked', page)
    assert re.search(r'id="bulk-publish"[^>]* disabled', page)
    answer = web.post("/bulk/publish", data=data, headers=HTMX)
    assert answer.status_code == 422
    assert "Выберите, что указать в настройке «Кому»" in answer.text
    web.post("/bulk/publish", data=data | {"option-telegram-audience": "all"}, headers=HTMX)
    assert [one.options for one in made()] == [{"audience": "all", "notify": False}] * 6


# Chosen publications


@pytest.fixture
def scheduled(web, some, channels) -> list[int]:
    web.post("/bulk/publish", data=filled(some, channels), headers=HTMX)
    return [one.id for one in made()]


@BOTH
def test_moved_by_an_hour_at_one_press_and_back(web, scheduled, headers):
    before = [one.due_at for one in made()]
    data = {"publication": scheduled, "by": "1:hours:later"}
    answer = web.post("/bulk/publications/move", data=data, headers=headers)
    assert answer.status_code == (200 if headers else 303)
    assert [one.due_at for one in made()] == [at + timedelta(hours=1) for at in before]
    if headers:
        assert "reload-page" in answer.headers["HX-Trigger-After-Settle"]
        path = re.search(r'"undo": "([^"]+)"', answer.headers["HX-Trigger"])[1]
    else:
        path = re.search(r'formaction="(/undo/\d+)"', web.get("/publications").text)[1]
    web.post(path, headers=headers)
    assert [one.due_at for one in made()] == before


@BOTH
def test_the_dialog_names_what_is_chosen_and_keeps_what_is_typed(web, scheduled, headers):
    for action, words in (
        ("move", "Перенести 6"),
        ("cancel", "Отменить 6"),
        ("retry", "Повторить 6"),
        ("delete", "Удалить 3"),
    ):
        query = {"publication": scheduled, "do": action}
        assert words in web.get("/bulk/publications", query_string=query, headers=headers).text
    data = {"publication": scheduled, "amount": "много", "unit": "days", "direction": "earlier"}
    answer = web.post("/bulk/publications/move", data=data, headers=headers)
    assert answer.status_code == 422
    assert 'value="много"' in answer.text
    assert re.search(r'value="days" selected', answer.text)
    assert re.search(r'value="earlier" selected', answer.text)
    before = [one.due_at for one in made()]
    answer = web.post("/bulk/publications/move", data=data | {"amount": "1", "direction": "later"}, headers=headers)
    assert [one.due_at for one in made()] == [at + timedelta(days=1) for at in before]


def test_clips_stand_for_their_publications(web, some, scheduled):
    ids = [clip.id for clip in some[:2]]
    assert "Отменить 4" in web.get("/bulk/publications", query_string={"clip": ids, "do": "cancel"}, headers=HTMX).text
    web.post("/bulk/publications/cancel", data={"clip": ids}, headers=HTMX)
    assert sorted(one.status for one in made()) == [Status.CANCELLED] * 4 + [Status.SCHEDULED] * 2
    answer = web.get("/bulk/publications", query_string={"clip": ids, "do": "retry"}, headers=HTMX)
    assert answer.status_code == 422
    assert "Отметьте хотя бы одну публикацию" in answer.headers["HX-Trigger"].encode().decode("unicode_escape")


def test_all_that_the_list_finds(web, some, scheduled):
    """Also what is on its other pages."""
    query = {"found": "1", "status": "scheduled", "q": "Закат", "publication": scheduled[-1], "do": "cancel"}
    assert "Отменить 2" in web.get("/bulk/publications", query_string=query, headers=HTMX).text
    before = [one.due_at for one in made()]
    web.post("/bulk/publications/move", data=query | {"by": "1:days:later"}, headers=HTMX)
    moved = [one.title for one, at in zip(made(), before, strict=True) if one.due_at != at]
    assert moved == ["Закат", "Закат"]


@BOTH
def test_what_could_not_be_done_is_told_each_with_its_reason(web, scheduled, headers):
    db.session.get(Publication, scheduled[0]).status = Status.PUBLISHED
    commit()
    answer = web.post("/bulk/publications/cancel", data={"publication": scheduled}, headers=headers)
    assert "Получилось не всё" in answer.text
    assert "Отменено публикаций: 5." in answer.text
    assert "Уже нельзя отменить" in answer.text
    assert sorted(one.status for one in made()) == [Status.CANCELLED] * 5 + [Status.PUBLISHED]
    assert bool(answer.headers.get("HX-Trigger")) == bool(headers)


def test_a_strangers_publications_are_not_there(scheduled, user, sign_in):
    stranger = sign_in(user())
    for path in ("move", "cancel", "retry"):
        data = {"publication": scheduled, "by": "1:hours:later"}
        assert stranger.post(f"/bulk/publications/{path}", data=data, headers=HTMX).status_code == 422
    assert {one.status for one in made()} == {Status.SCHEDULED}
    assert db.session.scalar(db.select(db.func.count(AccountSet.id))) == 0


@pytest.mark.parametrize(("ids", "text"), [([], ""), ([5], "5"), ([3, 1, 2, 9, 2], "1-3.9"), ([1, 3, 4], "1.3-4")])
def test_ids_in_an_address(ids, text):
    assert id_ranges.to_text(ids) == text
    assert id_ranges.from_text(text, 100) == sorted(set(ids))


def test_an_address_names_no_more_than_may_be():
    assert id_ranges.from_text("1-999999999999999999.7", 5) == [1, 2, 3, 4, 5]
    assert id_ranges.from_text("x.1-.-2.<b>.9-3.4", 5) == [4]


def test_in_the_next_free_slots_of_a_set(web, owner, some, channels):
    one = account_sets.save(owner, "Свои", [channels[0].id])
    slots.add(owner, one.id, range(7), [600])
    commit()
    assert "В ближайшие слоты" in web.get("/bulk", query_string={"clip": some[0].id}).text
    data = filled(some, channels[:1], how="slots", queue=one.id)
    assert button(web.post("/bulk", data=data, headers=HTMX).text).startswith("Запланировать 3")
    assert f'<option value="{one.id}" selected>' in web.post("/bulk", data=data).text
    wanted = [(free.due_at, free.slot_id) for free in slots.next_free(owner, one.id, 3)]
    web.post("/bulk/publish", data=data, headers=HTMX)
    assert sorted((made_one.due_at, made_one.slot_id) for made_one in made()) == wanted
    assert web.post("/bulk", data=data | {"queue": 999}, headers=HTMX).status_code == 404
