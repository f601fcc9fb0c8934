"""A forgotten password: a link by mail that works once and for an hour.

Nothing of it is stored. The link is signed over the password's hash and the session key, so that it ends with either.
Whoever asks gets the same answer after the same work, whether somebody has that e-mail or not.
"""

import hashlib
from urllib.parse import quote

import structlog
from flask import current_app
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import select

from app import mail, queue
from app.extensions import db
from app.models import User
from app.services import accounts, attempts, safety
from app.services.attempts import Limit
from app.services.errors import NotFound, Problem

log = structlog.get_logger(__name__)

MAX_AGE_SECONDS = 3600
_PER_ACCOUNT = Limit("recovery-account", times=3, seconds=3600)
_PER_ADDRESS = Limit("recovery-address", times=20, seconds=3600)

_NOBODY = 0  # a job for it does nothing, and is as much work to send
_LETTER = """Здравствуйте!

Кто-то, скорее всего вы, просит новый пароль для «Везде». Чтобы задать его, откройте ссылку:

{link}

Она работает один раз и только час. Если вы ничего не просили, ничего не делайте: пароль прежний.
"""


def ask(email: str, address: str) -> None:
    """A worker sends the link, if there is somebody to send it to. Raises Problem, for anybody alike."""
    if not mail.is_set_up():
        raise Problem("Здесь не настроена почта. Попросите администратора сервиса задать вам новый пароль.")
    email = email.strip().lower()
    attempts.spend((_PER_ACCOUNT, email), (_PER_ADDRESS, address))
    user_id = db.session.scalar(select(User.id).where(User.email == email))
    safety.record(user_id, "recovery_asked")
    db.session.commit()
    if not queue.enqueue("app.jobs.mail_recovery", user_id or _NOBODY):
        raise Problem("Сейчас письмо не отправить. Попробуйте через несколько минут.")


def mail_link(user_id: int) -> None:
    """What the worker does."""
    user = db.session.get(User, user_id)
    if user is None:
        return
    to, link = user.email, f"{current_app.config['PUBLIC_URL']}/recovery/{quote(_signed(user))}"
    db.session.rollback()  # the mail server may be slow, and the database must not wait for it
    try:
        mail.send(to, "Новый пароль для «Везде»", _LETTER.format(link=link))
    except mail.NotSent as error:
        log.error("recovery letter was not sent", user=user_id, error=str(error))


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
    accounts.recover(user_of(signed), new)


def _signed(user: User) -> str:
    return _signer().dumps([user.id, _print(user)])


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="password-recovery")


def _print(user: User) -> str:
    """Changes with the password and with the session key; tells nothing of them."""
    return hashlib.sha256(f"{user.password_hash}:{user.session_key}".encode()).hexdigest()[:32]
