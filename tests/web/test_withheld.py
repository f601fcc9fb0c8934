"""«Вернуть запланированное»: where it is offered, its dialog, and what a press says; and the plans that lead there."""

import json
from datetime import timedelta

import pytest

from app import clock
from app.db import db
from app.models import PlatformConnection, Publication, Status, User
from app.platforms.base import Account, Token
from app.services import clip_deletion, connections, plan_change
from app.web.withheld import MOST_SHOWN
from tests.asking import clip, publication
from tests.conftest import DEMO_BOT
from tests.connecting import settled
from tests.edges import committed
from tests.notifications.reading import notifications
from tests.publishing.conftest import fresh, too_late_to_undo
from tests.web.test_clips import HTMX

LIST, ACCOUNTS, PLANS = "/publications", "/settings/integrations", "/plans"
OFFERS = "Запланированное можно вернуть"


def connect(owner: User, account_id: str = "-1001") -> PlatformConnection:
    account = Account(account_id, "Канал", facts={"chat_id": int(account_id)})
    return committed(connections.save(fresh(owner), "telegram", [account], Token("t")))


def planned(owner: User, place: PlatformConnection, count: int, **more) -> list[int]:
    """Ids of publications that are to go out in the next hours."""
    made = []
    for number in range(1, count + 1):
        due_at = clock.now() + timedelta(hours=number)
        values = {"status": Status.SCHEDULED, "due_at": due_at, "wake_at": due_at, "published_at": None} | more
        made.append(publication(clip(owner, f"Клип {number}"), place, **values))
    db.session.add_all(made)
    db.session.commit()
    return [one.id for one in made]


def reconnected(owner: User, count: int) -> PlatformConnection:
    """An account that was disconnected with so much planned, and is connected again."""
    place = connect(owner)
    planned(owner, place, count)
    committed(connections.disconnect(fresh(owner), place.id))
    too_late_to_undo()
    return connect(owner)


def said(response) -> str:
    return json.loads(response.headers["HX-Trigger"])["toast"]["text"]


def scheduled(owner: User) -> int:
    db.session.rollback()
    return db.session.query(Publication).filter_by(user_id=owner.id, status=Status.SCHEDULED).count()


def test_the_pages_offer_it_until_it_is_used(web, owner):
    place = reconnected(owner, 3)
    for path in (LIST, PLANS):
        page = web.get(path).text
        assert OFFERS in page and "Вернуть 3\xa0запланированные" in page and "Telegram «Канал»:&nbsp;3." in page
    assert f'formaction="/withheld?account={place.id}"' in web.get(ACCOUNTS).text
    dialog = web.get("/withheld", headers=HTMX).text
    assert all(f"<b>Клип {number}</b>" in dialog for number in (1, 2, 3))
    response = web.post("/withheld/return", headers=HTMX | {"HX-Current-URL": f"http://127.0.0.1{LIST}"})
    assert said(response) == "3\xa0публикации снова запланированы."
    assert response.headers["HX-Trigger-After-Settle"] == "reload-page, close-dialog"
    assert scheduled(owner) == 3
    for path in (LIST, PLANS, ACCOUNTS):
        assert "bring-back" not in web.get(path).text, path
    assert "Возвращать нечего" in web.get("/withheld", headers=HTMX).text
    assert "Запланирована снова" in web.get(f"{LIST}?status=cancelled").text


def test_a_second_press_is_told_so_and_makes_nothing(web, owner):
    reconnected(owner, 1)
    assert web.post("/withheld/return").location == LIST
    again = web.post("/withheld/return", headers=HTMX)
    assert (again.status_code, said(again)[:17]) == (422, "Возвращать нечего")
    assert web.post("/withheld/return").location == LIST, "without a script"
    assert scheduled(owner) == 1


def test_a_long_list_is_cut_but_all_come_back(web, owner):
    reconnected(owner, MOST_SHOWN + 5)
    dialog = web.get("/withheld").text
    assert dialog.startswith("<!doctype html>")
    assert dialog.count("<b>Клип") == MOST_SHOWN and "и ещё 5" in dialog
    assert f"Вернуть {MOST_SHOWN + 5}\xa0запланированных" in dialog
    web.post("/withheld/return")
    assert f"{MOST_SHOWN + 5}\xa0публикаций снова запланированы." in web.get(LIST).text


def test_what_is_refused_is_told_one_by_one(web, owner):
    place = connect(owner)
    ids = planned(owner, place, 3)
    committed(connections.disconnect(fresh(owner), place.id))
    again = connect(owner)
    committed(clip_deletion.delete(fresh(owner), [db.session.get(Publication, ids[1]).clip_id]))
    too_late_to_undo()
    for headers in (HTMX, {}):
        window = web.post("/withheld/return", data={"account": again.id}, headers=headers)
        if headers:
            assert "Вернули не всё" in window.text and "2\xa0публикации снова запланированы." in window.text
            assert "1\xa0публикация осталась отменённой:" in window.text
            assert "<b>Клип 2</b>" in window.text and "Клип удалён" in window.text
            assert window.headers["HX-Trigger-After-Settle"] == "reload-page"
    assert scheduled(owner) == 2


def test_who_does_not_want_it_is_left_in_peace(web, owner):
    reconnected(owner, 2)
    assert "не возвращаем" in said(web.post("/withheld/dismiss", headers=HTMX))
    assert OFFERS not in web.get(LIST).text
    assert scheduled(owner) == 0


def test_a_strangers_account_is_not_found(web, user):
    theirs = reconnected(user(), 2)
    for address in ("/withheld/return", "/withheld/dismiss"):
        assert web.post(address, data={"account": theirs.id}).status_code == 404
    assert web.get(f"/withheld?account={theirs.id}").status_code == 404
    assert OFFERS not in web.get(LIST).text


def test_connecting_says_what_can_be_brought_back(web, owner, telegram):
    place = telegram(owner)
    planned(owner, place, 2)
    dialog = web.get(f"{ACCOUNTS}/{place.id}/disconnect", headers=HTMX).text
    assert "2\xa0запланированные публикации не выйдут: отменим сразу." in dialog
    web.post(f"{ACCOUNTS}/{place.id}/disconnect", headers=HTMX)
    too_late_to_undo()
    fields = {"bot_token": DEMO_BOT, "channel": "@vezde_demo"}
    answer = settled(web, web.post(f"{ACCOUNTS}/telegram/connect", data=fields, headers=HTMX), headers=HTMX)
    assert said(answer) == "Telegram подключён: Везде — демо. Можно вернуть запланированных публикаций: 2."
    assert "Вернуть 2\xa0запланированные" in answer.text, "on its card"


# Plans


@pytest.fixture
def demo(app) -> None:
    app.config["DEMO"] = True


@pytest.mark.usefixtures("demo")
def test_a_smaller_plan_is_asked_about_and_a_larger_one_offers_them_again(web, owner):
    planned(owner, connect(owner), 12)
    page = web.get(PLANS).text
    assert page.count('formaction="/plans/') == 2, "Free and Start ask first"
    dialog = web.get("/plans/start", headers=HTMX).text
    assert (
        "12\xa0запланированных публикаций не выйдут: тариф Start не включает" in dialog and "Telegram — 12." in dialog
    )
    assert "Оставить Pro" in dialog and 'name="told" value="12"' in dialog
    assert web.post("/plans/start", data={"told": 12}).location == PLANS
    assert "Теперь у вас тариф Start. Отменено запланированных публикаций: 12." in web.get(PLANS).text
    assert OFFERS not in web.get(PLANS).text
    assert "Тариф больше не включает эту площадку." in web.get(LIST).text
    assert web.post("/plans/pro").location == PLANS
    page = web.get(PLANS).text
    assert "Теперь у вас тариф Pro. Можно вернуть запланированных публикаций: 12." in page
    assert "Вернуть 12\xa0запланированных" in page
    told = web.get("/notices").text if notifications() else ""
    assert "Отменено запланированных публикаций: 12" in told and 'href="/withheld"' in told


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_what_was_planned_after_the_page_was_loaded_is_told_before_the_change(web, owner, headers):
    planned(owner, connect(owner), 2)
    for told in ({}, {"told": 1}):
        asked = web.post("/plans/free", data=told, headers=headers)
        assert "2\xa0запланированные публикации не выйдут" in asked.text
        assert scheduled(owner) == 2
    done = web.post("/plans/free", data={"told": 2}, headers=headers)
    assert (done.headers.get("HX-Redirect") or done.location) == PLANS
    assert scheduled(owner) == 0


def test_outside_the_demo_the_dialog_is_closed(web):
    assert web.get("/plans/start").status_code == 403


@pytest.mark.usefixtures("demo")
def test_an_unknown_plan_is_refused(web):
    assert web.get("/plans/gold", headers=HTMX).status_code == 422


def test_a_plan_that_shrinks_before_the_press_brings_nothing_back(web, owner):
    reconnected(owner, 2)
    assert OFFERS in web.get(LIST).text
    committed(plan_change.change(fresh(owner), "start"))
    assert said(web.post("/withheld/return", headers=HTMX)).startswith("Возвращать нечего")
    committed(plan_change.change(fresh(owner), "pro"))
    assert OFFERS in web.get(LIST).text
