"""What a user must know: shown at the bell, sent by mail, and told ahead of time."""

from collections import defaultdict
from datetime import datetime, timedelta

import structlog
from flask import current_app
from sqlalchemy import ColumnElement, Row, Select, and_, delete, or_, select, update

from app import clock, mail, texts
from app.db import db, reading, transaction
from app.models import ConnectionStatus, Notice, PlatformConnection, Publication, Status, User
from app.models.types import is_due
from app.notifications import create as told
from app.paging import Page, cut, only, up_to

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
    return up_to(MOST_UNREAD, select(Notice).where(Notice.user_id == user.id, Notice.read_at.is_(None)))


def look(user: User, number: int = 1) -> tuple[Page[Notice], frozenset[int]]:
    """A page of the user's notices, newest first, and the ids of those that they had not seen before.

    After it all that they have got so far count as read.
    """
    newest_first = select(Notice).where(only(Notice.user_id, user.id)).order_by(Notice.user_id.desc(), Notice.id.desc())
    page = cut(newest_first, number, PER_PAGE)
    new = frozenset(notice.id for notice in page.rows if notice.read_at is None)
    if new:
        db.session.execute(
            update(Notice)
            .where(Notice.user_id == user.id, Notice.read_at.is_(None), Notice.id <= max(new))
            .values(read_at=clock.now())
        )
        db.session.commit()
    return page, new


def about(notice: Notice) -> tuple[str, str]:
    """Where it leads: what the link is called, and its path."""
    if notice.kind in ("reconnect", "ahead"):
        return "Переподключить", "/settings/integrations"
    return "Открыть публикацию", f"/publications/{notice.publication_id}"


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
                told.tell_ahead(user_id, theirs)
        except Exception:
            # A fault with one user's must not keep the others from being reminded.
            log.exception("a reminder failed", user=user_id)


def _stranded(after: datetime, until: datetime) -> Select[tuple]:
    """What is scheduled on accounts that have to be connected again, with what a notice says of it."""
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
    due = select(Notice.id).where(_is_due(clock.now())).order_by(Notice.wake_at).limit(_MOST_AT_ONCE)
    return list(db.session.scalars(due))


def _is_due(now: datetime) -> ColumnElement[bool]:
    """A letter that was not tried yet is due since its notice was written."""
    fresh = and_(Notice.tries == 0, Notice.wake_at > now)
    return or_(is_due(Notice.wake_at, now, max(_PAUSES)), fresh)


def mail_out(notice_id: int) -> None:
    """Sends a notice's letter once. A letter that the mail server may have is never sent again."""
    claimed = _claim(notice_id)
    if claimed is None:
        return
    notice, user = claimed
    subject, text = _letter(notice, user)
    try:
        mail.send(user.email, subject, text, key=f"notice-{notice_id}", arm=lambda: _arm(notice_id))
    except _Gone:
        return
    except mail.NotSent as failure:
        log.warning("a mail was not sent", error=str(failure), unknown=failure.unknown)
        if not failure.unknown:
            _put_off(notice, failure)


class _Gone(Exception):
    """Another job sends it."""


def _claim(notice_id: int) -> tuple[Notice, User] | None:
    """The notice and its user, cut loose, if it is due; a second job gets None."""
    now = clock.now()
    with transaction():
        due = select(Notice).where(Notice.id == notice_id, Notice.mailed_at.is_(None), _is_due(now)).with_for_update()
        notice = db.session.scalar(due)
        if notice is None:
            return None
        # One that cannot be written (it raises before it is sent) must come to an end too.
        notice.wake_at = now + _TRY if notice.tries <= len(_PAUSES) else None
        notice.tries += 1
        user = db.session.get(User, notice.user_id)
        db.session.flush()
        db.session.expunge_all()
        return notice, user


def _arm(notice_id: int) -> None:
    """From here on it counts as sent: the server may have it though its answer is lost."""
    with transaction():
        sent = db.session.execute(
            update(Notice)
            .where(Notice.id == notice_id, Notice.mailed_at.is_(None))
            .values(mailed_at=clock.now(), wake_at=None)
        )
        if sent.rowcount == 0:
            raise _Gone


def _put_off(notice: Notice, failure: mail.NotSent) -> None:
    given_up = failure.final or notice.tries > len(_PAUSES)
    wake_at = None if given_up else clock.now() + _PAUSES[notice.tries - 1]
    with transaction():
        db.session.execute(update(Notice).where(Notice.id == notice.id).values(mailed_at=None, wake_at=wake_at))


def _letter(notice: Notice, user: User) -> tuple[str, str]:
    headline, text = texts.notice(notice.kind, notice.facts, user.timezone)
    label, path = about(notice)
    home = current_app.config["PUBLIC_URL"]
    subject = " ".join(headline.split())  # older titles may have line breaks, which no header may
    return subject, (
        f"Здравствуйте, {user.name}!\n\n{text}\n\n{label}: {home}{path}\nВсе уведомления: {home}/notices\n\n— «Везде»\n"
    )


def sweep() -> None:
    with transaction():
        db.session.execute(delete(Notice).where(Notice.created_at < clock.now() - KEPT))
