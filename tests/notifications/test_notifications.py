"""Notifications: made once of events and of what comes up, shown at the bell, sent by mail."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from app import clock, texts
from app.db import db
from app.models import (
    ConnectionStatus,
    Event,
    EventCursor,
    Notification,
    PlatformConnection,
    Publication,
    Status,
    User,
)
from app.notifications import email, inbox, reminders
from app.platform_access import tokens
from app.publishing import state_machine
from app.services import connections
from app.texts import moments
from tests import asking
from tests.edges import committed
from tests.notifications.reading import notifications
from tests.publishing.conftest import at_work, wait_until
from tests.web.test_clips import publish


@pytest.fixture
def owner(user):
    return user(email="anna@example.org")


@pytest.fixture
def publication(owner, ready_clip, telegram):
    return publish(ready_clip(owner), telegram(owner), status=Status.PUBLISHING)


@pytest.fixture
def failed(publication) -> Notification:
    state_machine.move(publication.id, Status.FAILED, reason="telegram_rights", detail="no rights")
    db.session.commit()
    [notification] = notifications()
    return notification


def texts_of(notification: Notification) -> tuple[str, str]:
    return texts.notification(notification.kind, notification.facts, "Europe/Moscow")


# Publications


@pytest.mark.parametrize(
    ("status", "headline"),
    [
        (Status.FAILED, "Не опубликовано: «Закат над Волгой»"),
        (Status.UNCONFIRMED, "Проверьте публикацию «Закат над Волгой»"),
        (Status.AWAITING_USER, "Публикация ждёт вас: «Закат над Волгой»"),
    ],
)
def test_what_needs_the_user_becomes_a_notification(publication, status, headline):
    state_machine.move(publication.id, status, reason="unknown")
    version = publication.clip.version
    db.session.commit()
    [notification] = notifications()
    assert texts_of(notification)[0] == headline
    assert "Telegram, «Везде: демо»." in texts_of(notification)[1]
    assert (notification.publication_id, notification.user_id) == (publication.id, publication.user_id)
    assert notification.created_at == db.session.query(Event.at).order_by(Event.id.desc()).first().at
    assert publication.clip.version == version + 1, "an open page's poll brings the bell"
    assert notifications() == [notification]


@pytest.mark.parametrize("status", [Status.PUBLISHED, Status.CANCELLED])
def test_what_went_as_wanted_does_not(publication, status):
    state_machine.move(publication.id, status)
    db.session.commit()
    assert notifications() == []


def test_a_failure_after_another_try_is_another_notification(publication, failed):
    state_machine.move(publication.id, Status.PUBLISHING, reason=None)
    state_machine.move(publication.id, Status.FAILED, reason="unavailable")
    db.session.commit()
    assert [notification.kind for notification in notifications()] == ["failed", "failed"]


def test_events_that_are_read_again_make_no_second_one(failed):
    db.session.execute(db.update(EventCursor).values(last_event_id=0))
    db.session.commit()
    assert notifications() == [failed]


def test_an_account_is_to_be_connected_again(owner, telegram):
    connection = telegram(owner)
    used = tokens.open_token(connection)
    for _ in range(2):
        at_work(tokens.require_reconnect, connection.id, used)
    [notification] = notifications()
    assert texts_of(notification)[0] == "Переподключите Telegram"
    assert notification.connection_id == connection.id


def test_not_if_it_was_disconnected_meanwhile(owner, telegram):
    connection = telegram(owner)
    at_work(tokens.require_reconnect, connection.id, tokens.open_token(connection))
    committed(connections.disconnect(owner, connection.id))
    db.session.commit()
    assert notifications() == []


def test_one_notification_per_key(owner, failed):
    db.session.add(Notification(user_id=owner.id, kind="failed", dedup_key=failed.dedup_key))
    with pytest.raises(IntegrityError):
        db.session.commit()
    db.session.rollback()


# Ahead of time


@pytest.fixture
def scheduled(owner, ready_clip, telegram) -> Publication:
    connection = telegram(owner)
    one = publish(ready_clip(owner), connection, status=Status.SCHEDULED)
    one.due_at = clock.now() + timedelta(hours=30)
    connection.status = ConnectionStatus.RECONNECT
    db.session.commit()
    return one


def test_a_day_and_an_hour_ahead_and_once_each(scheduled):
    due = scheduled.due_at
    at_work(reminders.notify_upcoming)
    assert notifications() == []
    for moment in (due - timedelta(hours=24), due - timedelta(hours=5), due - timedelta(hours=1), due):
        wait_until(moment)
        at_work(reminders.notify_upcoming)
        at_work(reminders.notify_upcoming)
    first, second = notifications()
    assert [notification.dedup_key.split(":")[3] for notification in (first, second)] == ["24", "1"]
    assert moments.dated(due, "Europe/Moscow") in texts_of(first)[1]
    assert texts_of(first)[0] == "Скоро публикация, а Telegram не подключён"


def test_less_than_an_hour_ahead_there_is_one(scheduled):
    wait_until(scheduled.due_at - timedelta(minutes=30))
    at_work(reminders.notify_upcoming)
    assert [notification.dedup_key.split(":")[3] for notification in notifications()] == ["1"]


def test_a_good_connection_needs_no_reminder(scheduled):
    scheduled.connection.status = ConnectionStatus.ACTIVE
    db.session.commit()
    wait_until(scheduled.due_at - timedelta(hours=1))
    at_work(reminders.notify_upcoming)
    assert notifications() == []


def test_the_tick_asks_as_often_for_many_as_for_one(scheduled):
    """It shares its process with the tick that makes publications go out."""
    due, connection_id = scheduled.due_at, scheduled.connection_id
    wait_until(due - timedelta(hours=1))
    counts = []
    for more in (0, 20):
        place = db.session.get(PlatformConnection, connection_id)
        owner = db.session.get(User, place.user_id)
        clips = [asking.clip(owner, f"Клип {number}") for number in range(more)]
        db.session.add_all(asking.publication(one, place, status=Status.SCHEDULED, due_at=due) for one in clips)
        db.session.commit()
        at_work(reminders.notify_upcoming)
        with asking.asked() as found:
            at_work(reminders.notify_upcoming)
        counts.append(len(found))
    assert counts[0] == counts[1] and len(notifications()) == 21


def test_a_moved_time_is_another_notification(scheduled):
    wait_until(scheduled.due_at - timedelta(hours=1))
    at_work(reminders.notify_upcoming)
    db.session.execute(db.update(Publication).values(due_at=clock.now() + timedelta(hours=20)))
    db.session.commit()
    at_work(reminders.notify_upcoming)
    assert len(notifications()) == 2


# The bell


def test_opening_the_page_marks_as_read(owner, user, failed):
    assert inbox.unread(owner) == 1
    shown, new = inbox.read_page(owner)
    assert (list(shown.rows), new) == ([failed], {failed.id})
    assert inbox.unread(owner) == 0
    assert inbox.read_page(owner)[1] == frozenset()
    assert inbox.read_page(user())[0].rows == []


def test_pages(owner, app):
    db.session.add_all(
        Notification(user_id=owner.id, kind="reconnect", dedup_key=str(number)) for number in range(inbox.PER_PAGE + 1)
    )
    db.session.commit()
    (first, _), (second, _) = inbox.read_page(owner, 1), inbox.read_page(owner, 2)
    assert (len(first.rows), len(second.rows), second.pages) == (inbox.PER_PAGE, 1, 2)
    assert first.rows[0].id > first.rows[1].id


def test_old_ones_are_swept(failed):
    wait_until(clock.now() + inbox.KEPT + timedelta(days=1))
    at_work(inbox.sweep)
    assert notifications() == []


# By mail


def send_due() -> None:
    for notification_id in at_work(email.due):
        at_work(email.send, notification_id)


def test_it_goes_out_once(app, sandbox, failed):
    notification_id = failed.id
    for _ in range(2):
        at_work(email.send, notification_id)
    [letter] = sandbox.mails
    assert letter["to"] == ["anna@example.org"]
    assert letter["subject"] == "Не опубликовано: «Закат над Волгой»"
    assert "Бот не может публиковать в этом канале" in letter["text"]
    assert f"{app.config['PUBLIC_URL']}/publications/{notifications()[0].publication_id}" in letter["text"]
    assert notifications()[0].mailed_at
    assert at_work(email.due) == []


@pytest.mark.parametrize("breaks", ["\r\nBcc: b@example.org\r\n", "\n\n", "\u2028", "\x85", "\x0b\x1c"])
def test_line_breaks_in_a_title_do_not_stop_its_mail(sandbox, publication, breaks):
    publication.title = f"Закат{breaks}Волга"
    db.session.flush()
    state_machine.move(publication.id, Status.FAILED, reason="unavailable")
    db.session.commit()
    notifications()
    send_due()
    [letter] = sandbox.mails
    assert letter["to"] == ["anna@example.org"]
    assert letter["subject"] == f"Не опубликовано: «{' '.join(f'Закат{breaks}Волга'.split())}»"


def test_a_letter_that_cannot_be_written_comes_to_an_end(app, sandbox, failed):
    db.session.query(User).update({"email": "no-at-sign\n"})
    db.session.commit()
    for _ in range(6):
        wait_until(notifications()[0].wake_at)
        with pytest.raises(ValueError):
            send_due()
    wait_until(notifications()[0].wake_at)
    send_due()
    assert notifications()[0].wake_at is None


def test_a_busy_server_is_tried_again_with_pauses(sandbox, failed):
    sandbox.trouble({"match": "MAIL", "do": "status:451", "times": 2})
    send_due()
    assert at_work(email.due) == []
    for _ in range(2):
        wait_until(notifications()[0].wake_at)
        send_due()
    assert len(sandbox.mails) == 1
    assert notifications()[0].tries == 3


def test_a_server_that_never_answers_is_given_up(app, sandbox, failed):
    app.config["SMTP_URL"] = "smtp://127.0.0.1:9"
    while (wake_at := notifications()[0].wake_at) is not None:
        wait_until(wake_at)
        send_due()
    assert notifications()[0].tries == 6
    assert notifications()[0].mailed_at is None


def test_a_mailbox_that_is_not_there_is_not_tried_again(sandbox, failed):
    sandbox.trouble({"match": "MAIL", "do": "status:550"})
    send_due()
    assert (notifications()[0].wake_at, notifications()[0].mailed_at) == (None, None)


def test_after_a_lost_answer_it_is_never_sent_again(sandbox, failed):
    sandbox.trouble({"match": "MAIL", "do": "lose_answer"})
    send_due()
    wait_until(clock.now() + timedelta(days=1))
    send_due()
    assert len(sandbox.mails) == 1


def test_after_a_worker_that_ended_before_the_letter_went_over_another_sends_it(sandbox, failed):
    db.session.execute(db.update(Notification).values(wake_at=clock.now() + timedelta(minutes=5), tries=1))
    db.session.commit()
    assert at_work(email.due) == []
    wait_until(notifications()[0].wake_at)
    send_due()
    assert len(sandbox.mails) == 1


def test_without_a_mail_server_nothing_waits(app, publication):
    app.config["SMTP_URL"] = ""
    state_machine.move(publication.id, Status.FAILED, reason="unavailable")
    db.session.commit()
    assert notifications()[0].wake_at is None


def test_every_text_reads_without_its_facts():
    for kind in texts.NOTIFICATIONS:
        headline, text = texts.notification(kind, {}, "Europe/Moscow")
        assert headline and text and "{" not in headline + text
