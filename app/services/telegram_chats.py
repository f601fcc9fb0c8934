"""A user's chat with the installation's bot: linked by a link that is good once, and signed buttons in it."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from flask import current_app
from sqlalchemy import delete, select

from app import clock
from app.db import db
from app.models import TelegramChat, TelegramCode, User, lock_user
from app.observability import redact
from app.platform_access.rate_limits import Pacer
from app.platforms.http.client import Http
from app.platforms.telegram.bot_chat import BotChat
from app.redis_client import redis_client
from app.services import audit_log

CODE_LIFE = timedelta(minutes=15)
RELEASE, REJECT = "release", "reject"
_VERBS = {"r": RELEASE, "n": REJECT}


def bot_name() -> str:
    """Empty where the installation has no bot: then nothing of this is shown."""
    return current_app.config["NOTIFY_BOT_NAME"]


def bot_token() -> str:
    """For workers and the doctor alone. Empty where there is none. Raises OSError where its file cannot be read."""
    token, file = (current_app.config[name] for name in ("NOTIFY_BOT_TOKEN", "NOTIFY_BOT_TOKEN_FILE"))
    if not token and file:
        token = Path(file).read_text().strip()
        redact.hide(token)
    return token


def bot() -> BotChat:
    return BotChat(current_app.config, bot_token(), Http(Pacer(redis_client()).wait))


# Linking


def of(user: User) -> TelegramChat | None:
    return db.session.scalar(select(TelegramChat).where(TelegramChat.user_id == user.id))


def link_for(user: User) -> str:
    """An address that opens the bot; an earlier one is good no more."""
    lock_user(user.id)
    code = secrets.token_urlsafe(24)
    row = db.session.get(TelegramCode, user.id) or TelegramCode(user_id=user.id)
    row.code_hash, row.expires_at = _hash(code), clock.now() + CODE_LIFE
    db.session.add(row)
    return f"{current_app.config['TELEGRAM_WEB_URL']}/{bot_name()}?start={code}"


def unlink(user: User) -> None:
    """What was sent there asks for nothing any more; a link that was made is good no more."""
    lock_user(user.id)
    db.session.execute(delete(TelegramCode).where(TelegramCode.user_id == user.id))
    if (chat := of(user)) is not None:
        audit_log.record(user.id, "telegram_unlinked", chat.name)
        db.session.delete(chat)
    db.session.flush()


@dataclass(frozen=True)
class Linked:
    """`user` is None where the code is wrong or too old; `is_taken`: the chat is another user's."""

    user: User | None = None
    is_taken: bool = False


def link(code: str, chat_id: int, name: str) -> Linked:
    """Uses up the code. A chat of another user stays theirs: a link that was foisted on them takes nothing away."""
    user_id = db.session.scalar(select(TelegramCode.user_id).where(TelegramCode.code_hash == _hash(code)))
    if user_id is None:
        return Linked()
    lock_user(user_id)
    row = db.session.get(TelegramCode, user_id, populate_existing=True)
    if row is None or row.code_hash != _hash(code) or row.expires_at <= clock.now():
        return Linked()
    user = db.session.get(User, user_id)
    there = db.session.scalar(select(TelegramChat).where(TelegramChat.chat_id == chat_id).with_for_update())
    if there is not None and there.user_id != user.id:
        return Linked(user, is_taken=True)
    db.session.delete(row)
    if there is not None:
        there.blocked_at, there.name = None, name
        return Linked(user)
    if (former := of(user)) is not None:
        db.session.delete(former)
        db.session.flush()
    db.session.add(TelegramChat(user_id=user.id, chat_id=chat_id, name=name))
    audit_log.record(user.id, "telegram_linked", name)
    db.session.flush()
    return Linked(user)


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()


def sweep() -> None:
    db.session.execute(delete(TelegramCode).where(TelegramCode.expires_at < clock.now()))


# Buttons


def button_data(chat: TelegramChat, run_id: int, verb: str) -> str:
    """At most 64 bytes. Bound to the link, too: after another one it means nothing."""
    letter = next(one for one, meant in _VERBS.items() if meant == verb)
    return f"{letter}:{run_id}:{_signature(chat, run_id, letter)}"


def read_button(chat: TelegramChat, data: str) -> tuple[str, int] | None:
    """What to do, and the run; None where we have not made it for this chat."""
    letter, _, rest = data.partition(":")
    number, _, signature = rest.partition(":")
    if letter not in _VERBS or not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    if not hmac.compare_digest(_signature(chat, int(number), letter).encode(), signature.encode("utf-8", "replace")):
        return None
    return _VERBS[letter], int(number)


def _signature(chat: TelegramChat, run_id: int, letter: str) -> str:
    signed = f"bot-button:{chat.id}:{chat.user_id}:{chat.chat_id}:{run_id}:{letter}".encode()
    digest = hmac.digest(current_app.config["SECRET_KEY"].encode(), signed, "sha256")
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")
