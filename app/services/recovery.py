"""A forgotten password: a link by mail that works once and for an hour.

The link is stored nowhere. It is signed over the password's hash and the session key, so that it ends with either.
Asking has the same result after the same work, whether there is a user with that e-mail or not.
Where the e-mail is not confirmed, the letter is the one by which it is (`services/email_confirmation.py`).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

import structlog
from flask import current_app
from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer
from sqlalchemy import delete, select, update

from app import clock, mail
from app.db import db
from app.models import Recovery, User
from app.models.claim import claim
from app.problems import NotFound, Problem
from app.services import audit_log, email_confirmation, throttle, users
from app.services.link_letters import queue_letter
from app.services.throttle import Limit, network_of

log = structlog.get_logger(__name__)

MAX_AGE_SECONDS = 3600
_PER_EMAIL = Limit("recovery-email", times=3, seconds=3600)
_PER_ADDRESS = Limit("recovery-address", times=20, seconds=3600)

# Pauses before a mail server that is away is tried again: as long as a link is valid. Then the user asks again.
_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (0.5, 2, 5, 10, 15, 25))
# Longer than one try takes; after it another worker may try.
_LEASE = timedelta(minutes=2)
_MOST_AT_ONCE = 200

_SUBJECT = "Новый пароль для «Везде»"
_LETTER = """Здравствуйте!

Кто-то, скорее всего вы, просит новый пароль для «Везде». Чтобы задать его, откройте ссылку:

{link}

Она работает один раз и только час. Если вы ничего не просили, ничего не делайте: пароль прежний.
"""


@dataclass(frozen=True)
class Letter:
    """One try of one letter. The link is made for each try and stored nowhere."""

    recovery_id: int
    tries: int
    to: str
    subject: str
    text: str


class SentMeanwhile(Exception):
    """Another job has handed the letter over."""


def ask(email: str, address: str) -> None:
    """A worker sends the link, if there is a user with that e-mail. Raises Problem, alike for any e-mail."""
    if not mail.is_set_up():
        raise Problem("mail_not_configured")
    email = email.strip().lower()
    throttle.hit((_PER_EMAIL, email), (_PER_ADDRESS, network_of(address)))
    user_id = db.session.scalar(select(User.id).where(User.email == email))
    audit_log.record(user_id, "recovery_asked")
    queue_letter(user_id)


def due_mails() -> list[int]:
    due = select(Recovery.id).where(Recovery.wake_at <= clock.now()).order_by(Recovery.wake_at).limit(_MOST_AT_ONCE)
    return list(db.session.scalars(due))


def claim_letter(recovery_id: int) -> Letter | None:
    """None where it is not due, has expired, has no user to go to or is not to be sent any more."""
    now = clock.now()
    recovery = claim(Recovery, recovery_id, Recovery.wake_at <= now, lease=_LEASE, tries=Recovery.tries + 1)
    if recovery is None:
        return None
    user = recovery.user_id and db.session.get(User, recovery.user_id)
    content = _content(recovery, user) if user and recovery.expires_at > now else None
    if content is None:
        _forget(recovery_id)
        return None
    return Letter(recovery_id, recovery.tries, user.email, *content)


def _content(recovery: Recovery, user: User) -> tuple[str, str] | None:
    """Subject and text; None where the e-mail was confirmed meanwhile, or has been mailed to too often."""
    if user.email_confirmed_at is None:
        if not recovery.is_confirmation and recovery.tries == 1:  # one of `email_confirmation` is counted already
            try:
                email_confirmation.count_letter(user)
            except Problem:
                return None
        return email_confirmation.letter(user)
    if recovery.is_confirmation:
        return None
    link = f"{current_app.config['PUBLIC_URL']}/recovery/{quote(_signer().dumps([user.id, _fingerprint(user)]))}"
    return _SUBJECT, _LETTER.format(link=link)


def send(letter: Letter, before_send: Callable[[], None]) -> mail.NotSent | None:
    """The error, where there is one. `before_send` commits `mark_sent`."""
    try:
        mail.send(letter.to, letter.subject, letter.text, before_send=before_send)
    except mail.NotSent as error:
        log.error("a letter with a link was not sent", error=str(error), unknown=error.unknown)
        return error
    return None


def mark_sent(letter: Letter) -> None:
    """From here on it counts as sent: the server may have it though its reply is lost. Raises SentMeanwhile."""
    sent = update(Recovery).where(Recovery.id == letter.recovery_id, Recovery.wake_at.is_not(None))
    if db.session.execute(sent.values(wake_at=None)).rowcount == 0:
        raise SentMeanwhile


def settle(letter: Letter, error: mail.NotSent | None) -> None:
    """After a try: the next one, or the end. A letter that the mail server may have is not sent again."""
    if error and not (error.final or error.unknown) and letter.tries <= len(_PAUSES):
        later = clock.now() + _PAUSES[letter.tries - 1]
        db.session.execute(update(Recovery).where(Recovery.id == letter.recovery_id).values(wake_at=later))
    else:
        _forget(letter.recovery_id)


def sweep() -> None:
    db.session.execute(delete(Recovery).where(Recovery.expires_at <= clock.now()))


def _forget(recovery_id: int) -> None:
    db.session.execute(delete(Recovery).where(Recovery.id == recovery_id))


def user_of(signed: str) -> User:
    """The user of a link. Raises NotFound where it has been used, has expired or never was one."""
    try:
        user_id, fingerprint = _signer().loads(signed, max_age=MAX_AGE_SECONDS)
        user = db.session.get(User, user_id)
    except SignatureExpired:
        raise NotFound from None
    except (BadSignature, ValueError, TypeError):
        log.warning("a forged link", refusal="forged_link", to="recovery")
        raise NotFound from None
    if user is None or fingerprint != _fingerprint(user):
        raise NotFound
    return user


def set_password(signed: str, new: str) -> None:
    """Ends the link, and signs every browser out. Raises NotFound, Problem."""
    users.recover(lambda: user_of(signed), new)


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="password-recovery")


def _fingerprint(user: User) -> str:
    """Changes with the password and with the session key, and reveals neither."""
    return hashlib.sha256(f"{user.password_hash}:{user.session_key}".encode()).hexdigest()[:32]
