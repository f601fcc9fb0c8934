"""A forgotten password: a link by mail that works once and for an hour.

The link is stored nowhere. It is signed over the password's hash and the session key, so that it ends with either.
Asking gives the same answer after the same work, whether there is an account with that e-mail or not.
"""

import hashlib
from datetime import timedelta
from urllib.parse import quote

import structlog
from flask import current_app
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import delete, select, update

from app import clock, mail, queue
from app.db import db, transaction
from app.models import Recovery, User
from app.problems import NotFound, Problem
from app.services import audit_log, throttle, users
from app.services.throttle import Limit

log = structlog.get_logger(__name__)

MAX_AGE_SECONDS = 3600
_PER_ACCOUNT = Limit("recovery-account", times=3, seconds=3600)
_PER_ADDRESS = Limit("recovery-address", times=20, seconds=3600)

# A mail server that is away is tried again after these, as long as a link would live; then the user asks again.
_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (0.5, 2, 5, 10, 15, 25))
# Longer than one try takes: a worker that died before the letter went over is followed by another.
_TRY = timedelta(minutes=2)
_MOST_AT_ONCE = 200

_LETTER = """Здравствуйте!

Кто-то, скорее всего вы, просит новый пароль для «Везде». Чтобы задать его, откройте ссылку:

{link}

Она работает один раз и только час. Если вы ничего не просили, ничего не делайте: пароль прежний.
"""


def ask(email: str, address: str) -> None:
    """A worker sends the link, if there is an account to send it to. Raises Problem, alike for any e-mail."""
    if not mail.is_set_up():
        raise Problem("Здесь не настроена почта. Попросите администратора сервиса задать вам новый пароль.")
    email = email.strip().lower()
    throttle.hit((_PER_ACCOUNT, email), (_PER_ADDRESS, address))
    user_id = db.session.scalar(select(User.id).where(User.email == email))
    audit_log.record(user_id, "recovery_asked")
    letter = Recovery(user_id=user_id, expires_at=clock.now() + timedelta(seconds=MAX_AGE_SECONDS))
    db.session.add(letter)
    db.session.commit()
    queue.enqueue("app.jobs.mail_recovery", letter.id)  # the tick would find it anyway; this is faster


def due_mails() -> list[int]:
    due = select(Recovery.id).where(Recovery.wake_at <= clock.now()).order_by(Recovery.wake_at).limit(_MOST_AT_ONCE)
    return list(db.session.scalars(due))


def mail_link(recovery_id: int) -> None:
    """What the worker does. A letter that the mail server may have is not sent again."""
    claimed = _claim(recovery_id)
    if claimed is None:
        return
    tries, to, link = claimed
    try:
        mail.send(
            to, "Новый пароль для «Везде»", _LETTER.format(link=link), before_send=lambda: _mark_sent(recovery_id)
        )
    except _Gone:
        return
    except mail.NotSent as error:
        log.error("recovery letter was not sent", error=str(error), unknown=error.unknown)
        if not (error.final or error.unknown) and tries <= len(_PAUSES):
            with transaction():
                db.session.execute(
                    update(Recovery).where(Recovery.id == recovery_id).values(wake_at=clock.now() + _PAUSES[tries - 1])
                )
            return
    with transaction():
        db.session.execute(delete(Recovery).where(Recovery.id == recovery_id))


def sweep() -> None:
    with transaction():
        db.session.execute(delete(Recovery).where(Recovery.expires_at <= clock.now()))


class _Gone(Exception):
    """Another job sends it."""


def _claim(recovery_id: int) -> tuple[int, str, str] | None:
    """The number of this try, the address and the link; None where it is not due, or there is nobody to write to.

    The link is made anew for each try, while the letter's hour lasts.
    """
    now = clock.now()
    with transaction():
        letter = db.session.get(Recovery, recovery_id, with_for_update=True)
        if letter is None or letter.wake_at is None or letter.wake_at > now:
            return None
        user = letter.user_id and db.session.get(User, letter.user_id)
        if user is None or letter.expires_at <= now:
            db.session.delete(letter)
            return None
        letter.wake_at = now + _TRY
        letter.tries += 1
        return letter.tries, user.email, f"{current_app.config['PUBLIC_URL']}/recovery/{quote(_signed(user))}"


def _mark_sent(recovery_id: int) -> None:
    """From here on it counts as sent: the server may have it though its answer is lost."""
    with transaction():
        sent = update(Recovery).where(Recovery.id == recovery_id, Recovery.wake_at.is_not(None))
        if db.session.execute(sent.values(wake_at=None)).rowcount == 0:
            raise _Gone


def user_of(signed: str) -> User:
    """Whose link it is. Raises NotFound where it has been used, has run out or never was one."""
    try:
        user_id, print_ = _signer().loads(signed, max_age=MAX_AGE_SECONDS)
        user = db.session.get(User, user_id)
    except (BadSignature, ValueError, TypeError):
        raise NotFound from None
    if user is None or print_ != _print(user):
        raise NotFound
    return user


def set_password(signed: str, new: str) -> None:
    """Ends the link, and signs every browser out. Raises NotFound, Problem."""
    users.recover(user_of(signed), new)


def _signed(user: User) -> str:
    return _signer().dumps([user.id, _print(user)])


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="password-recovery")


def _print(user: User) -> str:
    """Changes with the password and with the session key; tells nothing of them."""
    return hashlib.sha256(f"{user.password_hash}:{user.session_key}".encode()).hexdigest()[:32]
