"""Incoming webhooks: the addresses at which a user's other programs announce clips, and what they sent last."""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken
from flask import current_app
from sqlalchemy import delete, func, select

from app import clock
from app.db import db
from app.models import HookDelivery, IncomingHook, User, lock_user
from app.observability import redact
from app.problems import NotFound, Problem
from app.services import clips
from app.vault import web_cipher
from app.webhooks import signatures

MAX_HOOKS = 20
MAX_NAME = 40
MAX_PATH = 200
KEPT_DELIVERIES = 10
MAX_BODY_SHOWN = 2000
# What a body may say, and where it is read by default.
FIELDS = ("url", "title", "text", "id", "rule", "when", "sha256")
DEFAULTS = {name: name for name in FIELDS}
_PATH = re.compile(r"[^.\s]+(\.[^.\s]+)*")
_QUERY = re.compile(r"(https?://[^\s\"'<>?#\\]+)[?#][^\s\"'<>\\]*")


@dataclass(frozen=True)
class Shown:
    """What is shown once: the key of the address, and the secret of the signatures where they are asked for."""

    hook: IncomingHook
    key: str
    secret: str | None = None


def all_of(user: User) -> Sequence[IncomingHook]:
    mine = select(IncomingHook).where(IncomingHook.user_id == user.id)
    return db.session.scalars(mine.order_by(IncomingHook.id)).all()


def get(user: User, hook_id: int) -> IncomingHook:
    """Raises NotFound, for another user's too."""
    mine = (IncomingHook.id == hook_id, IncomingHook.user_id == user.id)
    if (one := db.session.scalar(select(IncomingHook).where(*mine))) is None:
        raise NotFound
    return one


def create(user: User, name: str, mapping: Mapping[str, str], *, signed: bool) -> Shown:
    """Raises Problem with its field."""
    lock_user(user.id)
    count = select(func.count()).select_from(IncomingHook).where(IncomingHook.user_id == user.id)
    if db.session.scalar(count) >= MAX_HOOKS:
        raise Problem("too_many_hooks", max=MAX_HOOKS)
    one = IncomingHook(user_id=user.id, name=_checked_name(name), mapping=_checked_mapping(mapping))
    key = _give_key(one)
    db.session.add(one)
    db.session.flush()
    return Shown(one, key, _give_secret(one) if signed else None)


def edit(user: User, hook_id: int, name: str, mapping: Mapping[str, str]) -> IncomingHook:
    """Raises NotFound; Problem with its field."""
    one = get(user, hook_id)
    one.name, one.mapping = _checked_name(name), _checked_mapping(mapping)
    db.session.flush()
    return one


def renew(user: User, hook_id: int, *, signed: bool) -> Shown:
    """Another address, and another secret or none: the former ones no longer work. Raises NotFound."""
    one = get(user, hook_id)
    one.encrypted_secret = None
    shown = Shown(one, _give_key(one), _give_secret(one) if signed else None)
    db.session.flush()
    return shown


def remove(user: User, hook_id: int) -> None:
    db.session.delete(get(user, hook_id))


def find(key: str) -> tuple[IncomingHook, User] | None:
    """By the key of an address that was called."""
    both = select(IncomingHook, User).join(User, User.id == IncomingHook.user_id)
    found = db.session.execute(both.where(IncomingHook.key_hash == _hash(key))).one_or_none()
    return (found[0], found[1]) if found and found[1].may_sign_in else None


def secret_of(hook: IncomingHook) -> bytes | None:
    """The key of the signatures; None where there are none. Raises Problem where SECRET_KEY has changed since."""
    if hook.encrypted_secret is None:
        return None
    try:
        return _cipher(hook.id).decrypt(hook.encrypted_secret)
    except InvalidToken:
        raise Problem("hook_secret_lost") from None


# What came


def record(
    hook_id: int, status: int, body: bytes, problem: Problem | None = None, import_id: int | None = None
) -> None:
    """Keeps what came to a webhook, for its user, and forgets what came before the last few."""
    text = _QUERY.sub(r"\1?…", redact.text(body[: 2 * MAX_BODY_SHOWN].decode(errors="replace")))
    detail = problem.text if problem else ""
    code = problem.code if problem else None
    one = HookDelivery(hook_id=hook_id, status=status, code=code, detail=detail, import_id=import_id)
    one.body = text[:MAX_BODY_SHOWN]
    db.session.add(one)
    db.session.flush()
    kept = select(HookDelivery.id).where(HookDelivery.hook_id == hook_id).order_by(HookDelivery.id.desc())
    newest = db.session.scalars(kept.limit(KEPT_DELIVERIES)).all()
    db.session.execute(delete(HookDelivery).where(HookDelivery.hook_id == hook_id, HookDelivery.id.not_in(newest)))


def mark_used(hook: IncomingHook) -> None:
    hook.used_at = clock.now()


def deliveries(user: User) -> dict[int, list[HookDelivery]]:
    """The last ones of each of the user's webhooks, newest first."""
    mine = select(IncomingHook.id).where(IncomingHook.user_id == user.id)
    found: dict[int, list[HookDelivery]] = {}
    rows = select(HookDelivery).where(HookDelivery.hook_id.in_(mine)).order_by(HookDelivery.id.desc())
    for one in db.session.scalars(rows):
        found.setdefault(one.hook_id, []).append(one)
    return found


# Names, keys, secrets


def _checked_name(name: str) -> str:
    name = clips.one_line(name)
    if not name:
        raise Problem("hook_name_missing", "name")
    if len(name) > MAX_NAME:
        raise Problem("hook_name_too_long", "name", max=MAX_NAME)
    return name


def _checked_mapping(mapping: Mapping[str, str]) -> dict[str, str]:
    """Of the known fields; one without a place in the body is not read."""
    checked = {}
    for name in FIELDS:
        path = mapping.get(name, "").strip()
        if len(path) > MAX_PATH or (path and not _PATH.fullmatch(path)):
            raise Problem("hook_path_malformed", name)
        if path:
            checked[name] = path
    if "url" not in checked:
        raise Problem("hook_path_of_url_missing", "url")
    return checked


def _give_key(one: IncomingHook) -> str:
    key = secrets.token_urlsafe(32)
    one.key_hash, one.key_hint = _hash(key), key[-4:]
    return key


def _give_secret(one: IncomingHook) -> str:
    secret = secrets.token_bytes(32)
    one.encrypted_secret = _cipher(one.id).encrypt(secret)
    return signatures.written(secret)


def _hash(key: str) -> str:
    """256 random bits: a plain digest of them cannot be reversed."""
    return hashlib.sha256(key.encode()).hexdigest()


def _cipher(hook_id: int) -> Fernet:
    return web_cipher(current_app.config["SECRET_KEY"], f"incoming hook: {hook_id}")
