"""The e-mail of a sign-up is confirmed by a link in a letter; until then nothing else is mailed to it.

The link is stored nowhere. It is signed over the e-mail, works for a day, and only shows a page: programs that open the
links of a letter to inspect them confirm nothing, the page's button does.
"""

import hashlib
from contextlib import suppress
from urllib.parse import quote

import structlog
from flask import current_app
from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from app import clock, mail
from app.db import db
from app.models import User
from app.problems import NotFound, Problem
from app.services import audit_log, throttle
from app.services.link_letters import queue_letter
from app.services.throttle import Limit

log = structlog.get_logger(__name__)

MAX_AGE_SECONDS = 24 * 3600
# By e-mail, not by user: a stranger who signs up with it, deletes the account and signs up again has no more.
_LETTERS_PER_EMAIL = Limit("confirmation-letter", times=5, seconds=24 * 3600)

SUBJECT = "Подтвердите почту для «Везде»"
# Nothing that was typed at the sign-up: a stranger could send it to anybody as our letter.
_LETTER = """Здравствуйте!

Кто-то, скорее всего вы, указал эту почту для аккаунта в «Везде». Чтобы подтвердить её, откройте ссылку и нажмите \
«Подтвердить»:

{link}

Она работает сутки. Если вы просили новый пароль, запросите его ещё раз после подтверждения. Если вы ничего не \
просили, ничего не делайте: без подтверждения ничего другого сюда не придёт.
"""


def is_needed(user: User) -> bool:
    """False also where no mail can be sent: nobody could confirm then."""
    return user.email_confirmed_at is None and mail.is_set_up()


def begin(user: User) -> None:
    """At the sign-up, which must not fail because of the letter."""
    if is_needed(user):
        with suppress(Problem):
            _queue(user)


def ask(user: User) -> None:
    """Another letter. Raises Problem where there is nothing to confirm, and after too many."""
    if not is_needed(user):
        raise Problem("nothing_to_confirm")
    _queue(user)
    audit_log.record(user.id, "confirmation_asked")


def count_letter(user: User) -> None:
    """Raises Problem after too many."""
    throttle.hit((_LETTERS_PER_EMAIL, user.email))


def _queue(user: User) -> None:
    count_letter(user)
    queue_letter(user.id, is_confirmation=True)


def letter(user: User) -> tuple[str, str]:
    """Subject and text."""
    signed = quote(_signer().dumps([user.id, _fingerprint(user)]))
    return SUBJECT, _LETTER.format(link=f"{current_app.config['PUBLIC_URL']}/email/{signed}")


def user_of(signed: str) -> User:
    """The user of a link. Raises NotFound where it has expired, is another e-mail's or never was one."""
    try:
        user_id, fingerprint = _signer().loads(signed, max_age=MAX_AGE_SECONDS)
        user = db.session.get(User, user_id)
    except SignatureExpired:
        raise NotFound from None
    except (BadSignature, ValueError, TypeError):
        log.warning("a forged link", refusal="forged_link", to="email")
        raise NotFound from None
    if user is None or fingerprint != _fingerprint(user):
        raise NotFound
    return user


def confirm(signed: str) -> None:
    """Once more does no harm. Raises NotFound."""
    user = user_of(signed)
    if user.email_confirmed_at is None:
        user.email_confirmed_at = clock.now()
        audit_log.record(user.id, "email_confirmed")


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="email-confirmation")


def _fingerprint(user: User) -> str:
    """An id may come again after a deletion, with another e-mail."""
    return hashlib.sha256(user.email.encode()).hexdigest()[:32]
