"""What the user is told: once a matter, in the app and by mail."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from app import clock, jobs, texts
from app.db import db
from app.models import ConnectionStatus, Notification, PlatformConnection, Publication, Status, User
from app.notifications import inbox
from app.publishing import state_machine
from tests import asking
from tests.publishing.conftest import at_work, wait_until
from tests.web.test_clips import publish


@pytest.fixture(autouse=True)
def real_time():
    yield
    clock.correct(datetime.now(UTC))


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
    return db.session.query(Notification).one()


def told() -> list[Notification]:
    db.session.rollback()
    return db.session.query(Notification).order_by(Notification.id).populate_existing().all()


def said(notification: Notification) -> tuple[str, str]:
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
def test_what_needs_the_user_is_told_with_the_move(publication, status, headline):
    state_machine.move(publication.id, status, reason="unknown")
    [notification] = db.session.query(Notification)
    assert said(notification)[0] == headline
    assert "Telegram, «Везде: демо»." in said(notification)[1]
    assert (notification.publication_id, notification.user_id) == (publication.id, publication.user_id)
    db.session.rollback()
    assert told() == [], "in the move's own transaction"


@pytest.mark.parametrize("status", [Status.PUBLISHED, Status.CANCELLED])
def test_what_went_as_wanted_is_not_told(publication, status):
    state_machine.move(publication.id, status)
    assert told() == []


def test_a_failure_after_another_try_is_another_matter(publication, failed):
    state_machine.move(publication.id, Status.PUBLISHING, reason=None)
    state_machine.move(publication.id, Status.FAILED, reason="unavailable")
    db.session.commit()
    assert [notification.kind for notification in told()] == ["failed", "failed"]


def test_one_message_a_matter(owner, failed):
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
    at_work(inbox.remind)
    assert told() == []
    for moment in (due - timedelta(hours=24), due - timedelta(hours=5), due - timedelta(hours=1), due):
        wait_until(moment)
        at_work(inbox.remind)
        at_work(inbox.remind)
    first, second = told()
    assert [notification.dedup_key.split(":")[3] for notification in (first, second)] == ["24", "1"]
    assert texts.moment(due, "Europe/Moscow") in said(first)[1]
    assert said(first)[0] == "Скоро публикация, а Telegram не подключён"


def test_less_than_an_hour_ahead_is_told_once(scheduled):
    wait_until(scheduled.due_at - timedelta(minutes=30))
    at_work(inbox.remind)
    assert [notification.dedup_key.split(":")[3] for notification in told()] == ["1"]


def test_a_good_connection_needs_no_reminder(scheduled):
    scheduled.connection.status = ConnectionStatus.ACTIVE
    db.session.commit()
    wait_until(scheduled.due_at - timedelta(hours=1))
    at_work(inbox.remind)
    assert told() == []


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
        at_work(inbox.remind)
        with asking.asked() as found:
            at_work(inbox.remind)
        counts.append(len(found))
    assert counts[0] == counts[1] and len(told()) == 21


def test_a_moved_time_is_another_matter(scheduled):
    wait_until(scheduled.due_at - timedelta(hours=1))
    at_work(inbox.remind)
    db.session.execute(db.update(Publication).values(due_at=clock.now() + timedelta(hours=20)))
    db.session.commit()
    at_work(inbox.remind)
    assert len(told()) == 2


# The bell


def test_looking_is_reading(owner, user, failed):
    assert inbox.unread(owner) == 1
    shown, new = inbox.look(owner)
    assert (list(shown.rows), new) == ([failed], {failed.id})
    assert inbox.unread(owner) == 0
    assert inbox.look(owner)[1] == frozenset()
    assert inbox.look(user())[0].rows == []


def test_pages(owner, app):
    db.session.add_all(
        Notification(user_id=owner.id, kind="reconnect", dedup_key=str(number)) for number in range(inbox.PER_PAGE + 1)
    )
    db.session.commit()
    (first, _), (second, _) = inbox.look(owner, 1), inbox.look(owner, 2)
    assert (len(first.rows), len(second.rows), second.pages) == (inbox.PER_PAGE, 1, 2)
    assert first.rows[0].id > first.rows[1].id


def test_old_ones_go(failed):
    wait_until(clock.now() + inbox.KEPT + timedelta(days=1))
    at_work(inbox.sweep)
    assert told() == []


# By mail


def send_due() -> None:
    for notification_id in at_work(inbox.due_mails):
        at_work(jobs.mail_notification, notification_id)


def test_it_goes_out_once(app, sandbox, failed):
    notification_id = failed.id
    for _ in range(2):
        at_work(jobs.mail_notification, notification_id)
    [letter] = sandbox.mails
    assert letter["to"] == ["anna@example.org"]
    assert letter["subject"] == "Не опубликовано: «Закат над Волгой»"
    assert "Бот не может публиковать в этом канале" in letter["text"]
    assert f"{app.config['PUBLIC_URL']}/publications/{told()[0].publication_id}" in letter["text"]
    assert told()[0].mailed_at
    assert at_work(inbox.due_mails) == []


@pytest.mark.parametrize("breaks", ["\r\nBcc: b@example.org\r\n", "\n\n", "\u2028", "\x85", "\x0b\x1c"])
def test_line_breaks_in_a_title_do_not_stop_its_mail(sandbox, publication, breaks):
    publication.title = f"Закат{breaks}Волга"
    db.session.flush()
    state_machine.move(publication.id, Status.FAILED, reason="unavailable")
    db.session.commit()
    send_due()
    [letter] = sandbox.mails
    assert letter["to"] == ["anna@example.org"]
    assert letter["subject"] == f"Не опубликовано: «{' '.join(f'Закат{breaks}Волга'.split())}»"


def test_a_letter_that_cannot_be_written_comes_to_an_end(app, sandbox, failed):
    db.session.query(User).update({"email": "no-at-sign\n"})
    db.session.commit()
    for _ in range(20):
        if (wake_at := told()[0].wake_at) is None:
            break
        wait_until(wake_at)
        with pytest.raises(ValueError):
            send_due()
    assert told()[0].wake_at is None


def test_a_busy_server_is_tried_again_with_pauses(sandbox, failed):
    sandbox.trouble({"match": "MAIL", "do": "status:451", "times": 2})
    send_due()
    assert at_work(inbox.due_mails) == []
    for _ in range(2):
        wait_until(told()[0].wake_at)
        send_due()
    assert len(sandbox.mails) == 1
    assert told()[0].tries == 3


def test_a_server_that_never_answers_is_given_up(app, sandbox, failed):
    app.config["SMTP_URL"] = "smtp://127.0.0.1:9"
    while (wake_at := told()[0].wake_at) is not None:
        wait_until(wake_at)
        send_due()
    assert told()[0].tries == 6
    assert told()[0].mailed_at is None


def test_a_mailbox_that_is_not_there_is_not_tried_again(sandbox, failed):
    sandbox.trouble({"match": "MAIL", "do": "status:550"})
    send_due()
    assert (told()[0].wake_at, told()[0].mailed_at) == (None, None)


def test_after_a_lost_answer_it_is_never_sent_again(sandbox, failed):
    sandbox.trouble({"match": "MAIL", "do": "lose_answer"})
    send_due()
    wait_until(clock.now() + timedelta(days=1))
    send_due()
    assert len(sandbox.mails) == 1


def test_a_worker_that_died_before_the_letter_went_over_is_followed(sandbox, failed):
    assert at_work(inbox._claim, failed.id)
    assert at_work(inbox.due_mails) == []
    wait_until(told()[0].wake_at)
    send_due()
    assert len(sandbox.mails) == 1


def test_without_a_mail_server_nothing_waits(app, publication):
    app.config["SMTP_URL"] = ""
    state_machine.move(publication.id, Status.FAILED, reason="unavailable")
    db.session.commit()
    assert told()[0].wake_at is None


def test_every_notice_reads_without_its_facts():
    for kind in texts.NOTIFICATIONS:
        headline, text = texts.notification(kind, {}, "Europe/Moscow")
        assert headline and text and "{" not in headline + text
