"""«Решать из Telegram»: the page that links a chat, and who must not see it or have the bot's token."""

import re

import demo
from app import clock
from app.db import commit, db
from app.models import TelegramChat, TelegramCode
from app.services import sessions, telegram_chats
from tests.procfile import lines

PAGE = "/settings/rules/telegram"


def test_a_chat_is_linked_by_a_link_that_is_shown_once_after_the_password(web, owner):
    page = web.get(PAGE)
    assert page.status_code == 200 and "@vezde_notify_bot" in page.text and "Связать чат" in page.text
    assert PAGE in web.get("/settings/rules").text and PAGE in web.get("/settings/rules/approvals").text
    [session] = sessions.all_of(owner)
    recently, session.confirmed_at = session.confirmed_at, session.confirmed_at - sessions.CONFIRMED_FOR
    commit()
    assert web.post(f"{PAGE}/link").status_code == 403
    assert db.session.query(TelegramCode).count() == 0
    sessions.all_of(owner)[0].confirmed_at = recently
    commit()
    shown = web.post(f"{PAGE}/link")
    [code] = re.findall(r'value="[^"]*/telegram-web/vezde_notify_bot\?start=([\w-]{32})"', shown.text)
    assert telegram_chats.link(code, 5, "Вера").user.id == owner.id
    commit()
    linked = web.get(PAGE).text
    assert "Вера" in linked and "Отвязать" in linked and "остановили" not in linked
    db.session.query(TelegramChat).one().blocked_at = clock.now()
    commit()
    assert "остановили бота" in web.get(PAGE).text
    assert web.post(f"{PAGE}/unlink").location == PAGE
    assert db.session.query(TelegramChat).count() == 0
    assert '"telegram_chats": [' in web.post("/settings/data").text


def test_without_a_bot_there_is_no_page_and_no_word_of_it(app, web):
    app.config["NOTIFY_BOT_NAME"] = ""
    assert web.get(PAGE).status_code == 404
    assert web.post(f"{PAGE}/link").status_code == 404
    for path in ("/settings/rules", "/settings/rules/approvals"):
        assert "Telegram" not in re.sub(r"<option.*?</option>", "", web.get(path).text)
    assert "связали чат" not in web.get("/privacy").text


def test_only_the_worker_is_given_the_token(tmp_path, monkeypatch):
    assert [name for name, line in lines().items() if "-u NOTIFY_BOT_TOKEN" not in line] == ["worker"]
    for name in ("NOTIFY_BOT_NAME", "NOTIFY_BOT_TOKEN", "NOTIFY_BOT_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "token"
    assert demo.notify_bot(file) == {"NOTIFY_BOT_TOKEN_FILE": str(file)} and file.read_text() == demo.DEMO_BOT_TOKEN
