"""Users: signing up and in, passwords, profiles, plans."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import cache
from zoneinfo import available_timezones

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from email_validator import EmailNotValidError, validate_email
from flask import current_app
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app import clock, plans
from app.db import db, end_reading
from app.models import DEMO_DOMAIN, User, is_demo, lock_plan
from app.problems import NotFound, Problem
from app.services import (
    audit_log,
    email_confirmation,
    password_rules,
    plan_change,
    second_factor,
    sessions,
    slot_changes,
    throttle,
)
from app.services.throttle import Limit, network_of

log = structlog.get_logger(__name__)

MAX_NAME = 80

DEMO_PASSWORD = "demo-demo"

# Of the page about personal data, and of the consent to it: a new date with each change of its meaning.
CONSENT_VERSION = date(2026, 11, 28)

_SIGN_INS_PER_EMAIL = Limit("sign-in-email", times=10, seconds=15 * 60)
_SIGN_INS_PER_ADDRESS = Limit("sign-in-address", times=50, seconds=15 * 60)  # an office shares one
_SIGN_INS_PER_BROWSER = Limit("sign-in-browser", times=10, seconds=15 * 60)
# Of those who are signed in: attempts to sign in do not use them up.
_CONFIRMATIONS_PER_USER = Limit("confirmation", times=10, seconds=15 * 60)
_SIGN_UPS_PER_ADDRESS = Limit("sign-up-address", times=100, seconds=3600)  # a mobile operator's customers share one

# OWASP's argon2id, 19 MiB each, and two at a time in a process: simultaneous sign-ins wait for each other.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_hashing = threading.BoundedSemaphore(2)
_HASHING_SECONDS = 10


def sign_up(
    *, email: str, password: str, name: str, timezone: str, address: str | None = None, consents: bool = False
) -> User:
    """A new user on the plan Free. `timezone` is the browser's guess and replaced by the default where it is unknown.

    `address` is the client's, whose sign-ups are limited and whose e-mail is to be confirmed; None where an operator
    adds the user and vouches for the e-mail. `consents`: to personal data being processed (152-ФЗ, article 9).
    Raises Problem with its field.
    """
    email, name = _email(email), _name(name)
    if is_demo(email) and not current_app.config["DEMO"]:
        raise Problem("email_invalid", "email")  # such a user could not sign in
    password_rules.check(password, "password", email=email, name=name)
    if address and not consents:
        raise Problem("consent_missing", "consent")
    if address:
        throttle.hit((_SIGN_UPS_PER_ADDRESS, network_of(address)))
    zone = timezone if timezone in available_timezones() else clock.DEFAULT_ZONE
    now = clock.now()
    user = _add(
        email,
        _hash(password),
        name,
        zone,
        consented_at=now if consents else None,
        consent_version=CONSENT_VERSION.isoformat() if consents else None,
        email_confirmed_at=None if address else now,
    )
    email_confirmation.begin(user)
    return user


def _add(email: str, password_hash: str, name: str, timezone: str = clock.DEFAULT_ZONE, **more) -> User:
    user = User(email=email, password_hash=password_hash, name=name, timezone=timezone, **more)
    user.session_key = secrets.token_hex(16)
    try:
        with db.session.begin_nested():
            db.session.add(user)
    except IntegrityError:
        raise Problem("email_taken", "email") from None
    audit_log.record(user.id, "signed_up")
    return user


def authenticate(email: str, password: str, address: str, browser_token: str = "") -> User | None:
    """The user; None for a wrong password and for an unknown e-mail, after the same work and the same time.

    A browser that is known to the account (`sessions.is_known`) has attempts of its own: strangers, and neighbours at
    the same address, do not use them up. Raises Problem after too many.
    """
    try:
        email = _email(email)
    except Problem:
        email = email.strip().lower()
    if sessions.is_known(email, browser_token):
        attempts = ((_SIGN_INS_PER_BROWSER, f"{email} {browser_token}"),)
    else:
        attempts = (_SIGN_INS_PER_EMAIL, email), (_SIGN_INS_PER_ADDRESS, network_of(address))
    throttle.hit(*attempts)
    user = _find(email)
    if user and not user.may_sign_in:
        user = None
    user_id = user and user.id
    matches = _matches(user, password)
    # Also for an unknown e-mail: a missing write would show in the time.
    if not matches:
        log.info("wrong credentials", refusal="password", account=user_id)
        audit_log.record(user_id, "sign_in_failed")
        return None
    audit_log.record(user_id, "password_accepted" if second_factor.is_needed(user) else "signed_in")
    throttle.release(*attempts)
    return user


def change_password(user: User, present: str, new: str) -> None:
    """Signs every browser out; the caller signs this one in again. Raises Problem with its field."""
    password_rules.check(new, "new", email=user.email, name=user.name)
    require_password(user, present, "present")
    _set_password(user, _hash(new), "password_changed")


def require_password(user: User, password: str, field: str = "password") -> None:
    """For what a stolen session must not do; nothing may have been changed before. Raises Problem at `field`."""
    attempt = (_CONFIRMATIONS_PER_USER, str(user.id))
    throttle.hit(attempt)
    if not _matches(user, password):
        log.info("wrong credentials", refusal="password", account=user.id)
        raise Problem("wrong_current_password", field)
    throttle.release(attempt)


def note_confirmed(user: User) -> None:
    """The user has shown again who they are."""
    audit_log.record(user.id, "confirmed")


def reset_password(email: str, new: str) -> None:
    """By an operator. Raises NotFound, Problem."""
    user = by_email(email)
    password_rules.check(new, "password", email=user.email, name=user.name)
    password_hash = _hash(new)
    _set_password(by_email(email), password_hash, "password_changed")


def recover(find: Callable[[], User], new: str) -> None:
    """By the link of a recovery letter. `find` is called again after the hashing: the link may have been
    used meanwhile.

    Raises Problem, and what `find` raises.
    """
    user = find()
    password_rules.check(new, "new", email=user.email, name=user.name)
    password_hash = _hash(new)
    _set_password(find(), password_hash, "password_recovered")


def update_profile(user: User, name: str, timezone: str) -> int:
    """Returns how many clips that wait in slots have moved with the zone. Raises Problem."""
    name = _name(name)
    if timezone not in available_timezones():
        raise Problem("timezone_unknown", "timezone")
    lock_plan(user.id)
    before = user.timezone
    user.name, user.timezone = name, timezone
    return slot_changes.follow_zone(user, before) if timezone != before else 0


def set_plan(email: str, plan_key: str) -> User:
    """Raises NotFound for an unknown e-mail, Problem for an unknown plan."""
    return plan_change.change(by_email(email), plan_key).user


def make_admin(email: str) -> User:
    user = by_email(email)
    user.is_admin = True
    return user


def by_email(email: str) -> User:
    user = _find(email.strip().lower())
    if user is None:
        raise NotFound
    return user


def list_users() -> list[User]:
    return list(db.session.scalars(select(User).order_by(User.id)))


def create_demo_users() -> None:
    """The users of the embedded demo; those that exist are left as they are."""
    password_hash = _hash(DEMO_PASSWORD)
    demo = {plan.key: {"name": plan.title, "plan_key": plan.key} for plan in plans.PLANS.values()}
    demo["admin"] = {"name": "Админ", "plan_key": plans.BUSINESS.key, "is_admin": True}
    for login, columns in demo.items():
        email = f"{login}@{DEMO_DOMAIN}"
        if _find(email) is None:
            _add(email, password_hash, email_confirmed_at=clock.now(), **columns)


def _find(email: str) -> User | None:
    return db.session.scalar(select(User).where(User.email == email))


def _matches(user: User | None, password: str) -> bool:
    """Takes the same time where there is no user. A hash with old parameters is replaced."""
    known = user.password_hash if user else _dummy_hash()
    try:
        with _hashing_turn():
            _hasher.verify(known, password[: password_rules.MAX_PASSWORD + 1])
    except (VerificationError, InvalidHashError):
        return False
    if user and _hasher.check_needs_rehash(known):
        user.password_hash = _hash(password)
    return user is not None


@cache
def _dummy_hash() -> str:
    return _hash(secrets.token_hex())


def _hash(password: str) -> str:
    with _hashing_turn():
        return _hasher.hash(password)


@contextmanager
def _hashing_turn() -> Iterator[None]:
    """Hashing is slow on purpose: neither a connection nor SQLite's write lock is held meanwhile.

    Raises Problem when it takes too long.
    """
    end_reading()
    if not _hashing.acquire(timeout=_HASHING_SECONDS):
        raise Problem("too_many_sign_ins")
    try:
        yield
    finally:
        _hashing.release()


def _set_password(user: User, password_hash: str, event: str) -> None:
    user.password_hash = password_hash
    sessions.end_all(user)
    audit_log.record(user.id, event)


def _email(text: str) -> str:
    """All lower case: no mail server in use distinguishes by case."""
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        raise Problem("email_invalid", "email") from None


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name:
        raise Problem("name_missing", "name")
    if len(name) > MAX_NAME or not name.isprintable():
        raise Problem("name_invalid", "name", max=MAX_NAME)
    return name
