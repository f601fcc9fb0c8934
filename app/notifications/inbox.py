"""What a user must know: shown at the bell, sent by mail, and told ahead of time."""

from collections import defaultdict
from datetime import datetime, timedelta

import structlog
from flask import current_app
from sqlalchemy import ColumnElement, Row, Select, and_, delete, or_, select, update

from app import clock, mail, texts
from app.db import db, reading, transaction
from app.models import ConnectionStatus, Notification, PlatformConnection, Publication, Status, User
from app.models.types import is_due
from app.notifications import create as told
from app.paging import Page, count_up_to, indexed_eq, paginate

log = structlog.get_logger(__name__)

PER_PAGE = 20
MOST_UNREAD = 99
KEPT = timedelta(days=90)

# A mail server that is away is tried again after these; then the bell has to do.
_PAUSES = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
)
# Longer than one try takes: a worker that died before the letter went over is followed by another.
_TRY = timedelta(minutes=5)
_MOST_AT_ONCE = 200


def unread(user: User) -> int:
    """How many; MOST_UNREAD + 1 stands for any greater number."""
    return count_up_to(
        MOST_UNREAD, select(Notification).where(Notification.user_id == user.id, Notification.read_at.is_(None))
    )


def look(user: User, number: int = 1) -> tuple[Page[Notification], frozenset[int]]:
    """A page of the user's notifications, newest first, and the ids of those that they had not seen before.

    After it all that they have got so far count as read.
    """
    newest_first = (
        select(Notification)
        .where(indexed_eq(Notification.user_id, user.id))
        .order_by(Notification.user_id.desc(), Notification.id.desc())
    )
    page = paginate(newest_first, number, PER_PAGE)
    new = frozenset(notification.id for notification in page.rows if notification.read_at is None)
    if new:
        db.session.execute(
            update(Notification)
            .where(Notification.user_id == user.id, Notification.read_at.is_(None), Notification.id <= max(new))
            .values(read_at=clock.now())
        )
        db.session.commit()
    return page, new


def about(notification: Notification) -> tuple[str, str]:
    """Where it leads: what the link is called, and its path."""
    if notification.kind in ("reconnect", "ahead"):
        return "Переподключить", "/settings/integrations"
    return "Открыть публикацию", f"/publications/{notification.publication_id}"


# Ahead of time


def remind() -> None:
    """24 hours and 1 hour before a scheduled publication whose account has to be connected again."""
    now = clock.now()
    soon: dict[int, list[tuple[Row, int]]] = defaultdict(list)
    with reading():
        for one in db.session.execute(_stranded(now, now + timedelta(hours=24))):
            soon[one.user_id].append((one, 1 if one.due_at <= now + timedelta(hours=1) else 24))
    for user_id, theirs in soon.items():
        try:
            with transaction():
                told.notify_upcoming(user_id, theirs)
        except Exception:
            # A fault with one user's must not keep the others from being reminded.
            log.exception("a reminder failed", user=user_id)


def _stranded(after: datetime, until: datetime) -> Select[tuple]:
    """What is scheduled on accounts that have to be connected again, with what a notification says of it."""
    names = ("id", "user_id", "platform", "account_name", "title", "due_at")
    # Not joined: SQLite would look up the connection of each publication there is.
    waiting = select(PlatformConnection.id).where(PlatformConnection.status == ConnectionStatus.RECONNECT)
    return select(*(getattr(Publication, name) for name in names)).where(
        Publication.connection_id.in_(waiting),
        Publication.status == Status.SCHEDULED,
        Publication.due_at > after,
        Publication.due_at <= until,
    )


# By mail


def due_mails() -> list[int]:
    due = select(Notification.id).where(_is_due(clock.now())).order_by(Notification.wake_at).limit(_MOST_AT_ONCE)
    return list(db.session.scalars(due))


def _is_due(now: datetime) -> ColumnElement[bool]:
    """A letter that was not tried yet is due since its notification was written."""
    fresh = and_(Notification.tries == 0, Notification.wake_at > now)
    return or_(is_due(Notification.wake_at, now, max(_PAUSES)), fresh)


def mail_out(notification_id: int) -> None:
    """Sends a notification's letter once. A letter that the mail server may have is never sent again."""
    claimed = _claim(notification_id)
    if claimed is None:
        return
    notification, user = claimed
    subject, text = _letter(notification, user)
    try:
        mail.send(
            user.email,
            subject,
            text,
            key=f"notification-{notification_id}",
            before_send=lambda: _mark_sent(notification_id),
        )
    except _Gone:
        return
    except mail.NotSent as failure:
        log.warning("a mail was not sent", error=str(failure), unknown=failure.unknown)
        if not failure.unknown:
            _put_off(notification, failure)


class _Gone(Exception):
    """Another job sends it."""


def _claim(notification_id: int) -> tuple[Notification, User] | None:
    """The notification and its user, cut loose, if it is due; a second job gets None."""
    now = clock.now()
    with transaction():
        due = (
            select(Notification)
            .where(Notification.id == notification_id, Notification.mailed_at.is_(None), _is_due(now))
            .with_for_update()
        )
        notification = db.session.scalar(due)
        if notification is None:
            return None
        # One that cannot be written (it raises before it is sent) must come to an end too.
        notification.wake_at = now + _TRY if notification.tries <= len(_PAUSES) else None
        notification.tries += 1
        user = db.session.get(User, notification.user_id)
        db.session.flush()
        db.session.expunge_all()
        return notification, user


def _mark_sent(notification_id: int) -> None:
    """From here on it counts as sent: the server may have it though its answer is lost."""
    with transaction():
        sent = db.session.execute(
            update(Notification)
            .where(Notification.id == notification_id, Notification.mailed_at.is_(None))
            .values(mailed_at=clock.now(), wake_at=None)
        )
        if sent.rowcount == 0:
            raise _Gone


def _put_off(notification: Notification, failure: mail.NotSent) -> None:
    given_up = failure.final or notification.tries > len(_PAUSES)
    wake_at = None if given_up else clock.now() + _PAUSES[notification.tries - 1]
    with transaction():
        db.session.execute(
            update(Notification).where(Notification.id == notification.id).values(mailed_at=None, wake_at=wake_at)
        )


def _letter(notification: Notification, user: User) -> tuple[str, str]:
    headline, text = texts.notification(notification.kind, notification.facts, user.timezone)
    label, path = about(notification)
    home = current_app.config["PUBLIC_URL"]
    subject = " ".join(headline.split())  # older titles may have line breaks, which no header may
    return subject, (
        f"Здравствуйте, {user.name}!\n\n{text}\n\n{label}: {home}{path}\nВсе уведомления: {home}/notices\n\n— «Везде»\n"
    )


def sweep() -> None:
    with transaction():
        db.session.execute(delete(Notification).where(Notification.created_at < clock.now() - KEPT))
