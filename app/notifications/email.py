"""Notifications by mail: each at most once."""

from datetime import datetime, timedelta

import structlog
from flask import current_app
from sqlalchemy import ColumnElement, Row, and_, or_, select, update

from app import clock, mail, texts
from app.db import db, transaction
from app.models import Notification, User
from app.models.claim import claim
from app.models.types import is_due
from app.notifications import inbox

log = structlog.get_logger(__name__)

# After these a mail server that failed is tried again; then the bell has to do.
_PAUSES = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360)]
_MAX_TRIES = len(_PAUSES) + 1
# Longer than a try takes: after it another worker tries again.
_LEASE = timedelta(minutes=5)
_MAX_DUE = 200


class _SentByAnother(Exception):
    pass


def due() -> list[int]:
    """Ids of notifications to be mailed now."""
    rows = select(Notification.id).where(_is_due(clock.now())).order_by(Notification.wake_at).limit(_MAX_DUE)
    return list(db.session.scalars(rows))


def _is_due(now: datetime) -> ColumnElement[bool]:
    """One that was not tried yet is due since it was made, whatever a wrong clock wrote."""
    untried = and_(Notification.tries == 0, Notification.wake_at > now)
    return or_(is_due(Notification.wake_at, now, max(_PAUSES)), untried)


def send(notification_id: int) -> None:
    """Sends the letter, if it is due. One that the mail server may have is never sent again."""
    with transaction():
        notification = claim(
            Notification,
            notification_id,
            Notification.mailed_at.is_(None),
            _is_due(clock.now()),
            lease=_LEASE,
            tries=Notification.tries + 1,
        )
        if notification is None:
            return
        user = db.session.execute(
            select(User.email, User.name, User.timezone, User.email_confirmed_at).where(User.id == notification.user_id)
        ).one()
    if notification.tries > _MAX_TRIES:  # a letter that cannot be composed or a worker that ends: no `NotSent`
        _put_off(notification)
        return
    if user.email_confirmed_at is None:  # it may be a stranger's: the bell has to do
        _put_off(notification, final=True)
        return
    subject, text = _letter(notification, user)
    try:
        mail.send(
            user.email,
            subject,
            text,
            key=f"notification-{notification_id}",
            before_send=lambda: _mark_sent(notification_id),
        )
    except _SentByAnother:
        return
    except mail.NotSent as failure:
        log.warning("a mail was not sent", error=str(failure), unknown=failure.unknown)
        if not failure.unknown:
            _put_off(notification, final=failure.final)


def _mark_sent(notification_id: int) -> None:
    """Just before the letter goes to the server, which may have it although its response is lost."""
    with transaction():
        sent = db.session.execute(
            update(Notification)
            .where(Notification.id == notification_id, Notification.mailed_at.is_(None))
            .values(mailed_at=clock.now(), wake_at=None)
        )
        if sent.rowcount == 0:
            raise _SentByAnother


def _put_off(notification: Notification, *, final: bool = False) -> None:
    given_up = final or notification.tries >= _MAX_TRIES
    wake_at = None if given_up else clock.now() + _PAUSES[notification.tries - 1]
    with transaction():
        db.session.execute(
            update(Notification).where(Notification.id == notification.id).values(mailed_at=None, wake_at=wake_at)
        )


def _letter(notification: Notification, user: Row) -> tuple[str, str]:
    headline, text = texts.notification(notification.kind, notification.facts, user.timezone)
    label, path = inbox.link(notification)
    home = current_app.config["PUBLIC_URL"]
    subject = " ".join(headline.split())  # a header may have no line breaks, older titles may
    return subject, (
        f"Здравствуйте, {user.name}!\n\n{text}\n\n{label}: {home}{path}\nВсе уведомления: {home}/notices\n\n— «Везде»\n"
    )
