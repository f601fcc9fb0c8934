"""A person's chat with a bot: updates and their confirmation, buttons, edits, refusals. What is sent and returned has
the form that the vendor's description gives it, where that lies beside the repository.
"""

import json
import re
import threading
import time
from pathlib import Path

import pytest
import requests
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, Conflict, Forbidden

import demo
from sandbox import telegram as emulator
from tests.sandbox.conftest import until

NOTIFY = emulator.NOTIFY_TOKEN
PERSON = emulator.PERSON
YES, NO = InlineKeyboardButton("Да", callback_data="y"), InlineKeyboardButton("Нет", callback_data="n")
BUTTONS = InlineKeyboardMarkup([[YES, NO]])
TOO_LONG = {"inline_keyboard": [[{"text": "Да", "callback_data": "я" * 33}]]}
API = Path(__file__).parents[3] / "shared" / "schemas" / "telegram" / "api.json"


@pytest.fixture
def bot(call_bot):
    return lambda call: call_bot(call, token=NOTIFY)


@pytest.fixture
def person(sandbox):
    def act(**command):
        return sandbox.control("dialogs", token=NOTIFY, **command)

    return act


def call(sandbox, method: str, **fields) -> dict:
    return requests.post(f"{sandbox.url}/telegram/bot{NOTIFY}/{method}", data=fields, timeout=20).json()


def test_the_demo_has_this_bots_token():
    assert demo.DEMO_BOT_TOKEN == NOTIFY


def test_an_update_comes_until_it_is_confirmed(bot, person):
    person(text="/start abc")
    person(text="привет")
    first, second = bot(lambda one: one.get_updates())
    assert (first.message.text, first.message.chat.type, first.message.from_user.id) == (
        "/start abc",
        "private",
        PERSON,
    )
    assert bot(lambda one: one.get_updates(limit=1))[0].update_id == first.update_id
    assert [one.update_id for one in bot(lambda one: one.get_updates(offset=second.update_id))] == [second.update_id]
    assert bot(lambda one: one.get_updates(offset=second.update_id + 1)) == ()
    person(text="последнее")
    person(text="самое последнее")
    assert [one.message.text for one in bot(lambda one: one.get_updates(offset=-1))] == ["самое последнее"]


def test_a_poll_waits_and_a_second_one_ends_it(sandbox, person):
    said = []
    waiting = threading.Thread(target=lambda: said.append(call(sandbox, "getUpdates", timeout=10)))
    waiting.start()

    def poll_again() -> bool:
        assert call(sandbox, "getUpdates")["result"] == []
        return bool(said)

    until(poll_again)  # the first has begun by then
    assert said[0]["error_code"] == 409 and "terminated by other getUpdates" in said[0]["description"]
    waiting = threading.Thread(target=lambda: said.append(call(sandbox, "getUpdates", timeout=10)))
    waiting.start()
    time.sleep(0.2)
    person(text="привет")
    waiting.join(5)
    assert said[1]["result"][0]["message"]["text"] == "привет"


def test_with_a_webhook_nothing_can_be_polled(bot):
    bot(lambda one: one.set_webhook("https://example.org/hook"))
    with pytest.raises(Conflict, match="webhook is active"):
        bot(lambda one: one.get_updates())
    bot(lambda one: one.delete_webhook())
    assert bot(lambda one: one.get_updates()) == ()


def test_a_press_is_answered_once_and_the_message_edited(bot, person):
    person(text="/start")
    sent = bot(lambda one: one.send_message(PERSON, "Клип?", reply_markup=BUTTONS))
    person(press="y", message=sent.message_id)
    query = bot(lambda one: one.get_updates())[-1].callback_query
    assert (query.data, query.message.message_id, query.from_user.id) == ("y", sent.message_id, PERSON)
    assert bot(lambda one: one.answer_callback_query(query.id, "Готово"))
    assert person()["answer"] == "Готово"
    with pytest.raises(BadRequest, match="too old"):
        bot(lambda one: one.answer_callback_query(query.id, "ещё раз"))
    edited = bot(lambda one: one.edit_message_text("Выпущен", chat_id=PERSON, message_id=sent.message_id))
    assert (edited.text, edited.reply_markup) == ("Выпущен", None)
    with pytest.raises(BadRequest, match="not modified"):
        bot(lambda one: one.edit_message_text("Выпущен", chat_id=PERSON, message_id=sent.message_id))
    with pytest.raises(BadRequest, match="not modified"):
        bot(lambda one: one.edit_message_reply_markup(chat_id=PERSON, message_id=sent.message_id))
    with pytest.raises(BadRequest, match="to edit not found"):
        bot(lambda one: one.edit_message_text("Выпущен", chat_id=PERSON, message_id=999))


def test_a_person_who_has_not_begun_or_has_stopped_the_bot_gets_nothing(bot, person):
    with pytest.raises(Forbidden, match="initiate conversation"):
        bot(lambda one: one.send_message(PERSON, "Клип?"))
    with pytest.raises(BadRequest, match="Chat not found"):
        bot(lambda one: one.send_message(42, "Клип?"))
    person(text="/start")
    person(blocked=True)
    with pytest.raises(Forbidden, match="blocked by the user"):
        bot(lambda one: one.send_message(PERSON, "Клип?"))
    person(text="снова")
    assert bot(lambda one: one.send_message(PERSON, "Клип?")).text == "Клип?"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"text": ""}, "text is empty"),
        ({"text": "я" * 4097}, "too long"),
        ({"text": "я", "reply_markup": "{}"}, "can't parse"),
        ({"text": "я", "reply_markup": '{"inline_keyboard": [[{"text": "Да"}]]}'}, "unallowed"),
        ({"text": "я", "reply_markup": json.dumps(TOO_LONG)}, "BUTTON_DATA_INVALID"),
    ],
)
def test_what_is_malformed_is_refused(sandbox, person, fields, said):
    person(text="/start")
    refused = call(sandbox, "sendMessage", chat_id=PERSON, **fields)
    assert refused["error_code"] == 400 and said in refused["description"]


def test_the_page_is_the_persons_side(sandbox, bot):
    page = f"{sandbox.url}/telegram-web/vezde_notify_bot"
    opened = requests.get(f"{page}?start=kod", timeout=10).text
    assert 'value="/start kod"' in opened and "Начать" in opened
    requests.post(f"{page}/chat", {"text": "/start kod"}, timeout=10)
    sent = bot(lambda one: one.send_message(PERSON, "Клип?", reply_markup=BUTTONS))
    shown = requests.get(page, timeout=10).text
    assert re.search(r'<button name="data" value="y">Да</button>', shown)
    requests.post(f"{page}/chat", {"message": sent.message_id, "data": "y"}, timeout=10)
    start, press = bot(lambda one: one.get_updates())
    assert (start.message.text, press.callback_query.data) == ("/start kod", "y")
    requests.post(f"{page}/chat", {"block": "1"}, timeout=10)
    assert "Разблокировать" in requests.get(page, timeout=10).text


def test_answers_have_the_vendors_form(sandbox, person):
    if not API.is_file():
        pytest.skip("описания Bot API рядом нет")
    types = json.loads(API.read_text())["types"]
    person(text="/start")
    sent = call(sandbox, "sendMessage", chat_id=PERSON, text="Клип?", reply_markup=BUTTONS.to_json())["result"]
    person(press="y", message=sent["message_id"])
    updates = call(sandbox, "getUpdates")["result"]
    assert len(updates) == 2
    assert problems(sent, "Message", types) == []
    assert [problem for one in updates for problem in problems(one, "Update", types)] == []


PLAIN = {"Integer": int, "String": str, "Boolean": bool, "True": bool, "Float": float}


def problems(value, kind: str, types: dict, where: str = "") -> list[str]:
    """What of a JSON value is not as the description says."""
    where = where or kind
    if kind.startswith("Array of "):
        if not isinstance(value, list):
            return [f"{where}: no array"]
        return [
            one for number, item in enumerate(value) for one in problems(item, kind[9:], types, f"{where}[{number}]")
        ]
    if kind in PLAIN:
        return [] if type(value) is PLAIN[kind] else [f"{where}: not {kind}"]
    if subtypes := types[kind].get("subtypes"):
        found = [problems(value, one, types, where) for one in subtypes]
        return [] if [] in found else found[0]
    fields = {one["name"]: one for one in types[kind].get("fields", [])}
    missing = [f"{where}.{name}: missing" for name, one in fields.items() if one["required"] and name not in value]
    unknown = [f"{where}.{name}: unknown" for name in value if name not in fields]
    inside = [
        one
        for name, item in value.items()
        if name in fields
        for one in problems(item, fields[name]["types"][0], types, f"{where}.{name}")
    ]
    return missing + unknown + inside
