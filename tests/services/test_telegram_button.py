"""A clip that waits, decided by a button in Telegram: once, whoever presses, reads or ends in between."""

from datetime import timedelta

import pytest

from app import clock, jobs
from app.db import commit, db, transaction
from app.models import AuditEvent, RuleRun, RunState, TelegramChat, TelegramCode, TelegramMessage, TelegramPoll, User
from app.platforms.telegram.bot_chat import Update as ChatUpdate
from app.services import doctor, rule_runs, telegram_chats, telegram_messages, telegram_updates, user_deletion
from sandbox.telegram import NOTIFY_TOKEN, PERSON
from tests.publishing.conftest import at_work, wait_until
from tests.services.ruling import apply_rules, listen, made, make_rule, runs

OTHER_PERSON = 700000009


@pytest.fixture(autouse=True)
def installation(app, sandbox, monkeypatch):
    """With the sandbox's bot, and polls that wait for nothing."""
    app.config["NOTIFY_BOT_TOKEN"] = NOTIFY_TOKEN
    monkeypatch.setattr(jobs, "_POLL_FOR_SECONDS", 0)  # one poll a job
    listen()
    at_work(telegram_messages.read_events)


@pytest.fixture
def chat(sandbox):
    """What the person does in the chat, and what stands there."""

    def act(**command):
        return sandbox.control("dialogs", token=NOTIFY_TOKEN, **command)

    return act


@pytest.fixture
def linked(owner, chat):
    link(owner, chat)
    return owner


def link(user: User, chat, **person) -> str:
    address = telegram_chats.link_for(user)
    commit()
    code = address.partition("?start=")[2]
    chat(text=f"/start {code}", **person)
    poll()
    return code


def poll() -> None:
    """The tick, and the worker after it; what is there comes at once."""
    for number in at_work(telegram_updates.due):
        at_work(jobs.poll_bot, number)
    db.session.rollback()


def deliver() -> None:
    at_work(telegram_messages.read_events)
    for message_id in at_work(telegram_messages.due):
        at_work(jobs.send_to_chat, message_id)
    db.session.rollback()


@pytest.fixture
def waiting(linked, telegram, ready_clip, chat):
    """A clip that waits, and its message in the chat."""
    make_rule(linked, telegram(linked), needs_approval=True)
    clip = ready_clip(linked, title="Закат")
    apply_rules()
    deliver()
    return clip, chat()["messages"][-1]


def buttons(message) -> dict[str, str]:
    return {one["text"]: one["callback_data"] for row in message["buttons"] for one in row}


def press(chat, message, word: str = "Выпустить", **more) -> None:
    chat(press=buttons(message)[word], message=message["id"], **more)


# Linking


def test_a_link_is_good_once(owner, user, chat):
    code = link(owner, chat)
    said = chat()["messages"]
    assert owner.email in said[-1]["text"]
    row = telegram_chats.of(owner)
    assert (row.chat_id, row.name) == (PERSON, "Вера")
    assert db.session.query(AuditEvent).filter_by(kind="telegram_linked").count() == 1
    assert db.session.query(TelegramCode).count() == 0
    chat(text=f"/start {code}", person=OTHER_PERSON)
    poll()
    assert "устарела" in chat(person=OTHER_PERSON)["messages"][-1]["text"]
    assert telegram_chats.of(owner).chat_id == PERSON


def test_only_the_newest_link_is_good_and_not_for_long(owner, chat):
    first, second = (telegram_chats.link_for(owner).partition("?start=")[2] for _ in range(2))
    commit()
    stored = db.session.query(TelegramCode).one().code_hash
    assert second not in stored
    chat(text=f"/start {first}")
    poll()
    assert telegram_chats.of(owner) is None
    wait_until(clock.now() + telegram_chats.CODE_LIFE)
    with transaction():
        assert telegram_chats.link(second, PERSON, "Вера").user is None
    at_work(transaction()(telegram_chats.sweep))
    assert db.session.query(TelegramCode).count() == 0


def test_a_foisted_link_does_not_take_the_chat_away(linked, user, chat):
    other = user()
    link(other, chat)
    assert "другим аккаунтом" in chat()["messages"][-1]["text"]
    assert telegram_chats.of(linked) is not None and telegram_chats.of(other) is None
    chat(text="/stop")
    poll()
    assert telegram_chats.of(linked) is None
    link(other, chat)
    assert telegram_chats.of(other).chat_id == PERSON


def test_another_chat_replaces_the_first_and_the_user_takes_all_of_it_away(linked, chat):
    link(linked, chat, person=OTHER_PERSON, name="Олег")
    assert telegram_chats.of(linked).chat_id == OTHER_PERSON
    user_deletion.delete_user(linked, "parol-parol")
    commit()
    assert db.session.query(TelegramChat).count() == 0


def test_any_other_text_gets_a_short_answer(linked, chat):
    chat(text="привет")
    poll()
    assert "/settings/rules/approvals" in chat()["messages"][-1]["text"]


# Deciding


def test_a_press_releases_the_clip_once(waiting, chat):
    clip, message = waiting
    assert message["text"].startswith("«Закат»\nПравило «Всё сразу»\nЖдёт вашего слова.\nКуда: Telegram")
    assert "Когда: сразу" in message["text"]
    assert all(len(data.encode()) <= 64 for data in buttons(message).values())
    for _ in range(2):
        press(chat, message)
    poll()
    assert len(made(clip)) == 1 and runs(clip) == [(RunState.RELEASED, None)]
    after = chat()
    assert after["answer"] == "Об этом клипе уже решили. Выпущен."
    [left] = [one for one in after["messages"] if one["id"] == message["id"]]
    assert left["buttons"] == [] and left["text"] == "«Закат»\nПравило «Всё сразу»\nВыпущен."


def test_not_to_release(waiting, chat):
    clip, message = waiting
    press(chat, message, "Не выпускать")
    poll()
    assert made(clip) == [] and runs(clip) == [(RunState.REJECTED, "needs_approval")]
    assert "Не выйдет" in chat()["answer"]


def test_what_was_decided_on_the_page_is_said_at_the_press(waiting, linked, chat):
    clip, message = waiting
    rule_runs.reject(linked, db.session.query(RuleRun).one().id)
    commit()
    press(chat, message)
    poll()
    assert made(clip) == []
    after = chat()
    assert after["answer"].startswith("Об этом клипе уже решили. Не выйдет")
    assert next(one for one in after["messages"] if one["id"] == message["id"])["buttons"] == []


def test_one_message_for_a_run_however_often_its_event_is_read(waiting, chat):
    before = len(chat()["messages"])
    db.session.execute(db.text("UPDATE event_cursors SET last_event_id = 0 WHERE consumer = 'telegram_buttons'"))
    commit()
    deliver()
    assert len(chat()["messages"]) == before
    [row] = db.session.query(TelegramMessage).all()
    assert row.sent_at and row.message_id and row.wake_at is None


def test_what_is_decided_before_it_is_sent_is_not_sent(linked, telegram, ready_clip, chat):
    make_rule(linked, telegram(linked), needs_approval=True)
    ready_clip(linked)
    apply_rules()
    at_work(telegram_messages.read_events)
    rule_runs.reject(linked, db.session.query(RuleRun).one().id)
    commit()
    before = len(chat()["messages"])
    deliver()
    assert len(chat()["messages"]) == before and at_work(telegram_messages.due) == []


@pytest.mark.parametrize("forged", ["r:{run}:", "r:{run}:AAAAAAAAAAAAAAAAAAAAAA", "n{rest}", "", "r:x:y", "r:²:y"])
def test_a_forged_press_does_nothing(waiting, chat, forged):
    clip, message = waiting
    genuine = buttons(message)["Выпустить"]
    data = forged.format(run=genuine.split(":")[1], rest=genuine[1:])
    chat(press=data, message=message["id"])
    poll()
    assert chat()["answer"] == "Эта кнопка больше не действует."
    assert runs(clip) == [(RunState.HELD, "needs_approval")]


def test_a_genuine_button_means_nothing_from_another_person_or_after_another_link(waiting, linked, user, chat):
    clip, message = waiting
    link(user(), chat, person=OTHER_PERSON)
    press(chat, message, as_person=OTHER_PERSON)
    poll()
    assert runs(clip) == [(RunState.HELD, "needs_approval")]
    telegram_chats.unlink(linked)
    commit()
    press(chat, message)
    poll()
    link(linked, chat)
    press(chat, message)
    poll()
    assert runs(clip) == [(RunState.HELD, "needs_approval")]


# Workers


def test_of_two_pollers_one_reads(waiting, chat, app):
    clip, message = waiting
    press(chat, message)
    bot_id = telegram_chats.bot().bot_id
    slow = at_work(transaction()(telegram_updates.claim_poll), bot_id)
    assert at_work(telegram_updates.due) == []
    assert at_work(transaction()(telegram_updates.claim_poll), bot_id) is None
    found = telegram_chats.bot().updates(telegram_updates.offset(slow), 0)
    wait_until(clock.now() + telegram_updates.LEASE + timedelta(seconds=1))
    poll()
    assert runs(clip) == [(RunState.RELEASED, None)]
    assert at_work(transaction()(telegram_updates.handle), slow, found[-1]) is None, "its lease was over"
    assert len(made(clip)) == 1


def test_a_worker_that_ends_before_it_answers_loses_nothing_and_repeats_nothing(waiting, chat):
    """The update is done and the next one's id stored in one transaction; the answer is not part of it."""
    clip, message = waiting
    press(chat, message)
    one = at_work(transaction()(telegram_updates.claim_poll), telegram_chats.bot().bot_id)
    [found] = telegram_chats.bot().updates(telegram_updates.offset(one), 0)
    at_work(transaction()(telegram_updates.handle), one, found)
    wait_until(clock.now() + telegram_updates.LEASE + timedelta(seconds=1))
    chat(text="ещё что-то")
    poll()
    assert len(made(clip)) == 1 and db.session.get(TelegramPoll, one.id).next_update_id == found.id + 2
    assert next(left for left in chat()["messages"] if left["id"] == message["id"])["buttons"] != []
    press(chat, message)
    poll()
    assert next(left for left in chat()["messages"] if left["id"] == message["id"])["buttons"] == []
    assert len(made(clip)) == 1


def test_a_worker_that_ends_before_its_commit_leaves_the_update_to_the_next(waiting, chat):
    clip, message = waiting
    press(chat, message)
    one = at_work(transaction()(telegram_updates.claim_poll), telegram_chats.bot().bot_id)
    [found] = telegram_chats.bot().updates(telegram_updates.offset(one), 0)

    def ends(poll: TelegramPoll, update_: ChatUpdate) -> None:
        telegram_updates.handle(poll, update_)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        at_work(transaction()(ends), one, found)
    assert made(clip) == []
    wait_until(clock.now() + telegram_updates.LEASE + timedelta(seconds=1))
    poll()
    assert len(made(clip)) == 1


def test_after_a_week_without_updates_ids_may_begin_lower(linked):
    row = db.session.query(TelegramPoll).one()
    assert telegram_updates.offset(row) == row.next_update_id > 0
    wait_until(clock.now() + timedelta(days=7))
    assert telegram_updates.offset(row) == 0


def test_somebody_else_reads_the_bot(linked, chat, sandbox):
    conflict = "error:409 Conflict: terminated by other getUpdates request"
    sandbox.trouble({"match": "getUpdates", "do": conflict, "times": 1})
    chat(text="привет")
    poll()
    assert telegram_updates.problem() == "conflict"
    assert [one for one in doctor.examine("web") if "другая программа" in one.text and one.good is False]
    assert at_work(telegram_updates.due) == [], "a pause"
    wait_until(clock.now() + timedelta(minutes=1, seconds=1))
    poll()
    assert telegram_updates.problem() is None


def test_a_person_who_has_stopped_the_bot(linked, telegram, ready_clip, chat):
    make_rule(linked, telegram(linked), needs_approval=True)
    chat(blocked=True)
    ready_clip(linked)
    apply_rules()
    deliver()
    assert telegram_chats.of(linked).blocked_at is not None
    assert at_work(telegram_messages.due) == []
    chat(text="снова здесь")
    poll()
    assert telegram_chats.of(linked).blocked_at is None


def test_a_message_is_sent_again_after_a_failure(linked, telegram, ready_clip, chat, sandbox):
    make_rule(linked, telegram(linked), needs_approval=True)
    ready_clip(linked)
    apply_rules()
    sandbox.trouble({"match": "sendMessage", "do": "status:502", "times": 1})
    before = len(chat()["messages"])
    deliver()
    assert len(chat()["messages"]) == before
    wait_until(clock.now() + timedelta(seconds=6))
    deliver()
    assert len(chat()["messages"]) == before + 1


# Without


def test_without_a_bot_nothing_is_read_or_sent(linked, app, telegram, ready_clip):
    app.config["NOTIFY_BOT_NAME"] = ""
    make_rule(linked, telegram(linked), needs_approval=True)
    ready_clip(linked)
    apply_rules()
    at_work(telegram_messages.read_events)
    assert db.session.query(TelegramMessage).count() == 0
    assert at_work(telegram_updates.due) == [] and at_work(telegram_messages.due) == []


def test_nobody_has_a_chat_so_nothing_is_polled(owner):
    assert at_work(telegram_updates.due) == []
    telegram_chats.link_for(owner)
    commit()
    assert at_work(telegram_updates.due) == [0]


def test_the_doctor_looks_at_the_bot(app, monkeypatch):
    def said(role: str = "worker") -> list[tuple[str, bool | None]]:
        return [(one.text, one.good) for one in doctor.examine(role) if "BOT" in one.text or "бот" in one.text.lower()]

    assert said() == [("Бот @vezde_notify_bot отвечает.", True)]
    app.config["NOTIFY_BOT_NAME"] = "another_bot"
    assert [good for _, good in said()] == [False]
    app.config["NOTIFY_BOT_TOKEN"] = "220301544:AAwrong-demo-wrong-demo-wrong-demo"
    assert "не принимает" in said()[0][0]
    app.config["NOTIFY_BOT_TOKEN"] = ""
    assert "токена нет" in said()[0][0]
    app.config["NOTIFY_BOT_TOKEN_FILE"] = "/nowhere/token"
    assert "не прочесть" in said()[0][0]
    assert said("web") == []
    monkeypatch.setenv("NOTIFY_BOT_TOKEN", NOTIFY_TOKEN)
    assert said("web") == [("NOTIFY_BOT_TOKEN есть в окружении процесса: он нужен только worker.", False)]
