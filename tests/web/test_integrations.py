import json
import re
import threading

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from app import clock
from app.db import db
from app.models import ConnectionStatus, PlatformConnection, Publication, Question, Status
from tests.conftest import DEMO_BOT
from tests.connecting import settled
from tests.publishing.conftest import too_late_to_undo
from tests.questions import VK_TOKEN, ask_platforms
from tests.web.test_clips import HTMX, publish

PAGE = "/settings/integrations"
CONNECT = f"{PAGE}/telegram/connect"
FIELDS = {"bot_token": DEMO_BOT, "channel": "@vezde_demo"}


def test_the_form_is_a_dialog_or_a_page_with_its_heading(web):
    assert '<h1 id="dialog-title">Подключить Telegram</h1>' in web.get(CONNECT).text
    assert '<h2 id="dialog-title">Подключить Telegram</h2>' in web.get(CONNECT, headers=HTMX).text


def test_settings_lead_to_the_integrations(web):
    assert web.get("/settings").location == PAGE
    page = web.get(PAGE).text
    for said in ("Интеграции", "Профиль", "Пароль", "Подключить Telegram"):
        assert said in page


@pytest.mark.parametrize("plan", ["free", "start"])
def test_a_plan_without_the_platform_gets_an_upgrade_prompt(user, sign_in, plan):
    web = sign_in(user(plan=plan))
    page = web.get(PAGE).text
    assert "Доступно на тарифе Pro" in page
    assert "Подключить Telegram" not in page
    assert 'href="/plans"' in page
    answer = web.post(CONNECT, data=FIELDS, headers=HTMX)
    assert answer.status_code == 422
    assert db.session.scalar(db.select(db.func.count(PlatformConnection.id))) == 0


def test_connecting(web):
    form = web.get(CONNECT, headers=HTMX).text
    for said in ("Токен бота", "Канал", "@BotFather", 'type="password"'):
        assert said in form
    window = web.post(CONNECT, data=FIELDS, headers=HTMX)
    assert "Проверяем… Спрашиваем Telegram." in window.text
    assert "AAdemo" not in window.text
    answer = settled(web, window, headers=HTMX)
    assert answer.headers["HX-Trigger-After-Settle"] == "close-dialog"
    assert 'id="platform-telegram"' in answer.text
    assert 'hx-swap-oob="morph"' in answer.text
    page = web.get(PAGE).text
    connection = db.session.scalars(db.select(PlatformConnection)).one()
    assert connection.account_name in page
    assert "Подключено" in page
    assert "AAdemo" not in page + answer.text + str(answer.headers)


def test_connecting_without_a_script(web):
    assert web.get(CONNECT).text.startswith("<!doctype html>")
    asked = web.post(CONNECT, data=FIELDS)
    page = web.get(asked.location)
    assert page.text.startswith("<!doctype html>")
    assert (page.headers["Refresh"], "Проверяем…" in page.text) == ("1", True)
    assert f'href="{asked.location}">Обновить</a>' in page.text
    assert settled(web, asked).location == PAGE
    assert "Telegram подключён" in web.get(PAGE).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"bot_token": "", "channel": "@vezde_demo"}, "Заполните поле «Токен бота»."),
        ({"bot_token": "12345:" + "s3cret" * 6, "channel": "@vezde_demo"}, "Telegram не принял токен бота"),
        ({"bot_token": DEMO_BOT, "channel": "@nowhere_to_be_found"}, "Telegram не нашёл такой канал"),
        ({"bot_token": DEMO_BOT, "channel": "<b>"}, "Не понять, какой это канал"),
        ({"bot_token": DEMO_BOT, "channel": "@vezde_readonly"}, "Бот не может публиковать в этом канале"),
    ],
)
def test_a_refusal_is_shown_at_its_field_and_no_secret_comes_back(web, fields, said):
    answer = settled(web, web.post(CONNECT, data=fields, headers=HTMX), headers=HTMX)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'class="field wrong"' in answer.text
    assert "@BotFather" in answer.text  # the guide stays
    of_the_channel = fields["bot_token"] == DEMO_BOT
    assert ("Токен сохранён" in answer.text) == of_the_channel
    assert ("секреты мы обратно на страницу не выводим" in answer.text) != of_the_channel
    assert "s3cret" not in answer.text
    assert "AAdemo" not in answer.text
    assert "<b>" not in answer.text
    if fields["channel"] != "<b>":
        assert f'value="{fields["channel"]}"' in answer.text


def kept_in(answer) -> str:
    return re.search(r'name="kept" value="(\d+)"', answer.text)[1]


@pytest.fixture
def refused(web):
    """The form after a refusal of its channel: the token is kept."""
    return settled(web, web.post(CONNECT, data=FIELDS | {"channel": "@vezde_readonly"}, headers=HTMX), headers=HTMX)


def test_a_wrong_channel_does_not_cost_the_token(web, refused):
    assert "https://t.me/BotFather" in refused.text
    # The bot is known now: a link adds it to a channel with the right to post.
    assert "/telegram-web/vezde_demo_bot?startchannel&amp;admin=post_messages" in refused.text
    again = {"bot_token": "", "channel": "@nowhere_to_be_found", "kept": kept_in(refused)}
    twice = settled(web, web.post(CONNECT, data=again, headers=HTMX), headers=HTMX)
    assert "Telegram не нашёл такой канал" in twice.text
    assert kept_in(twice) == kept_in(refused)
    last = web.post(CONNECT, data=again | {"channel": "@vezde_demo"}, headers=HTMX)
    assert "Проверяем…" in last.text
    assert (
        "Проверяем…" in web.post(CONNECT, data=again | {"channel": "@vezde_demo"}, headers=HTMX).text
    )  # a double click
    settled(web, last, headers=HTMX)
    assert db.session.scalars(db.select(PlatformConnection)).one().account_name == "Везде — демо"
    # Once connected, the token is the connection's alone.
    assert db.session.scalars(db.select(Question)).one().sealed_payload is None
    assert web.post(CONNECT, data=again, headers=HTMX).status_code == 422


def test_another_token_may_be_typed_in_place_of_the_kept_one(web, refused):
    other = {"bot_token": "12345:" + "s3cret" * 6, "channel": "@vezde_demo", "kept": kept_in(refused)}
    assert (
        "Telegram не принял токен бота" in settled(web, web.post(CONNECT, data=other, headers=HTMX), headers=HTMX).text
    )


def test_a_kept_token_is_its_users_and_its_platforms_alone(web, refused, user, sign_in):
    again = {"bot_token": "", "channel": "@vezde_demo", "token": "", "kept": kept_in(refused)}
    stranger = sign_in(user())
    assert "Заполните поле «Токен бота»." in stranger.post(CONNECT, data=again, headers=HTMX).text
    assert "Заполните поле «Токен»." in web.post(f"{PAGE}/rutube/connect", data=again, headers=HTMX).text


def test_a_refused_token_is_not_kept(web):
    wrong = FIELDS | {"bot_token": "12345:" + "s3cret" * 6}
    settled(web, web.post(CONNECT, data=wrong, headers=HTMX), headers=HTMX)
    assert db.session.scalars(db.select(Question)).one().sealed_payload is None


def test_one_more_account_is_added(web, owner, telegram):
    assert ">Подключить Telegram</button>" in web.get(PAGE).text
    telegram(owner)
    page = web.get(PAGE).text
    assert 'aria-label="Добавить аккаунт: Telegram"' in page
    assert ">Подключить Telegram</button>" not in page
    assert ">Подключить Rutube</button>" in page


def test_what_is_asked_and_why_is_told_before_the_consent(web):
    page = web.get(PAGE).text
    for platform, said in (("vk", "VK спросит доступ к видео"), ("dzen", "Яндекс спросит доступ к имени")):
        assert f'aria-describedby="asks-{platform}"' in page
        assert said in page


def test_an_account_to_reconnect(web, owner, telegram):
    telegram(owner).status = ConnectionStatus.RECONNECT
    db.session.commit()
    page = web.get(PAGE).text
    assert "Переподключите" in page
    assert ">Переподключить</button>" in page


def test_disconnecting_asks_first(web, owner, telegram):
    connection_id = telegram(owner).id
    dialog = web.get(f"{PAGE}/{connection_id}/disconnect", headers=HTMX).text
    assert "Отключить Telegram?" in dialog
    answer = web.post(f"{PAGE}/{connection_id}/disconnect", headers=HTMX)
    assert "Везде: демо" not in answer.text
    db.session.expire_all()
    assert db.session.get(PlatformConnection, connection_id) is None


@pytest.fixture
def choosing(web, owner) -> str:
    """The address of a connection whose accounts are being asked for, made without a script."""
    there = settled(web, web.post(f"{PAGE}/vk/connect", data={"token": VK_TOKEN})).location
    assert there.endswith("/choose")
    return there.removesuffix("/choose")


def test_the_window_without_a_script(web, choosing):
    page = web.get(f"{choosing}/choose")
    assert page.text.startswith("<!doctype html>")
    assert "Спрашиваем VK, куда можно публиковать…" in page.text
    assert page.headers["Refresh"] == "1"
    assert f'href="{choosing}/choose">Обновить</a>' in page.text
    ask_platforms()
    page = web.get(f"{choosing}/choose")
    assert "Refresh" not in page.headers
    assert "Моя страница: Вера Демидова" in page.text
    assert web.post(f"{choosing}/choose", data={"account": "1"}).location == PAGE
    assert "VK подключён: Вера Демидова." in web.get(PAGE).text


def test_the_window_fills_in(web, sandbox):
    window = settled(web, web.post(f"{PAGE}/vk/connect", data={"token": VK_TOKEN}, headers=HTMX), headers=HTMX)
    assert 'aria-live="polite"' in window.text
    assert "Refresh" not in window.headers
    address = re.search(r'hx-get="([^"]+/accounts)"', window.text)[1]
    answer = web.get(address, headers=HTMX)
    assert (answer.status_code, answer.text) == (204, "")
    ask_platforms()
    answer = web.get(address, headers=HTMX).text
    assert "Моя страница" in answer
    assert "<h2" not in answer
    assert VK_TOKEN not in window.text + answer


def test_the_window_closes_where_there_is_nothing_to_choose(web, choosing, sandbox):
    sandbox.control("rights", platform="vk", account="1", community=101, role="member")
    ask_platforms()
    answer = web.get(f"{choosing}/accounts", headers=HTMX)
    assert answer.headers["HX-Trigger-After-Settle"] == "close-dialog"
    assert 'id="platform-vk"' in answer.text
    assert "VK подключён: Вера Демидова." in json.loads(answer.headers["HX-Trigger"])["toast"]["text"]


def test_a_platform_that_gives_no_answer_may_be_asked_again(web, choosing, sandbox):
    sandbox.trouble({"match": "groups.get", "do": "error:14"})
    ask_platforms()
    window = web.get(f"{choosing}/accounts", headers=HTMX).text
    assert 'role="alert"' in window
    assert "Спросить ещё раз" in window
    sandbox.trouble()
    assert "Спрашиваем VK" in web.post(f"{choosing}/ask", headers=HTMX).text
    ask_platforms()
    assert "Моя страница" in web.get(f"{choosing}/accounts", headers=HTMX).text


def test_what_is_asked_for_another_user_is_not_found(choosing, user, sign_in):
    other = sign_in(user())
    for method, path in (("GET", "choose"), ("GET", "accounts"), ("POST", "ask"), ("POST", "choose")):
        assert other.open(f"{choosing}/{path}", method=method, data={"account": "1"}).status_code == 404


def test_other_users_connections_and_unknown_platforms(web, user, telegram):
    theirs = telegram(user()).id
    assert web.get(f"{PAGE}/{theirs}/disconnect").status_code == 404
    assert web.post(f"{PAGE}/{theirs}/disconnect").status_code == 404
    assert web.get(f"{PAGE}/nowhere/connect").status_code == 404
    assert "Везде: демо" not in web.get(PAGE).text


def test_the_dialog_counts_what_is_cancelled_and_what_finishes(web, owner, telegram, ready_clip):
    connection = telegram(owner)
    states = [
        {"status": Status.SCHEDULED},
        {"status": Status.PUBLISHING},
        {"status": Status.PUBLISHING, "commit_in_doubt": "send", "in_doubt_until": clock.now()},
        {"status": Status.PUBLISHED},
    ]
    for number, state in enumerate(states):
        publish(ready_clip(owner, title=f"Клип {number}"), connection, **state)
    dialog = web.get(f"{PAGE}/{connection.id}/disconnect", headers=HTMX).text
    assert "1\xa0запланированная публикация не выйдет: отменим сразу." in dialog
    assert "1\xa0незавершённая публикация будет отменена." in dialog
    assert "1\xa0публикация уже передана площадке: её не остановить, она закончится сама." in dialog
    answer = web.post(f"{PAGE}/{connection.id}/disconnect", follow_redirects=True).text
    assert "Отключено: Везде: демо. Отменено публикаций: 2. Заканчиваются сами: 1." in answer
    too_late_to_undo()
    db.session.expire_all()
    found = db.session.query(Publication).order_by(Publication.id).all()
    assert [one.status for one in found] == ["cancelled", "cancelled", "publishing", "published"]
    assert {one.connection_id for one in found} == {None}
    assert {one.account_name for one in found} == {"Везде: демо"}


def test_the_publish_dialog_leads_to_where_it_is_connected_again(web, owner, telegram, ready_clip):
    connection = telegram(owner)
    connection.status = ConnectionStatus.RECONNECT
    db.session.commit()
    dialog = web.get(f"/clips/{ready_clip(owner).id}/publish", headers=HTMX).text
    assert "Переподключите аккаунт" in dialog
    assert 'href="/settings/integrations#platform-telegram">Переподключить</a>' in dialog


@pytest.mark.parametrize(
    "result",
    ["[]", '"x"', "7", '{"id": 1}', '{"id": 1, "username": {"a": []}}', '{"username": "\\ud800\\u0000"}', "[" * 10000],
)
def test_answers_of_an_unexpected_shape_are_refusals(app, user, sign_in, result):
    """A Bot API whose responses are all the same."""
    answer = Response(f'{{"ok": true, "result": {result}}}', mimetype="application/json")
    server = make_server("127.0.0.1", 0, answer, threaded=True)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    app.config["TELEGRAM_API_URL"] = f"http://127.0.0.1:{server.port}"
    app.config["LOCAL_HOSTS"] = (*app.config["LOCAL_HOSTS"], f"127.0.0.1:{server.port}")
    browser = sign_in(user())
    page = settled(browser, browser.post(CONNECT, data=FIELDS))
    server.shutdown()
    assert page.status_code == 422
    assert 'class="refusal"' in page.text or 'class="error"' in page.text
