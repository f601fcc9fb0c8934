"""Users: signing up and in, passwords, profiles, plans."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from zoneinfo import available_timezones

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app import clock, plans
from app.db import db, end_reading
from app.models import User
from app.problems import NotFound, Problem
from app.services import audit_log, second_factor, throttle
from app.services.throttle import Limit

MIN_PASSWORD = 8
MAX_PASSWORD = 128  # a longer one would take longer to hash
MAX_NAME = 80

DEMO_PASSWORD = "demo-demo"
DEMO_DOMAIN = "demo.vezde.ru"

_SIGN_INS_PER_EMAIL = Limit("sign-in-email", times=10, seconds=15 * 60)
_SIGN_INS_PER_ADDRESS = Limit("sign-in-address", times=50, seconds=15 * 60)  # an office shares one
_SIGN_UPS_PER_ADDRESS = Limit("sign-up-address", times=100, seconds=3600)  # a mobile operator's customers share one

# OWASP's argon2id, 19 MiB each, and two at a time in a process: simultaneous sign-ins wait for each other.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_hashing = threading.BoundedSemaphore(2)
_HASHING_SECONDS = 10


def sign_up(
    *, email: str, password: str, name: str, timezone: str, address: str | None = None, consents: bool = False
) -> User:
    """A new user on the plan Free. `timezone` is the browser's guess and replaced by the default where it is unknown.

    `address` is the client's, whose sign-ups are limited. `consents`: to personal data being processed.
    Raises Problem with its field.
    """
    email, name = _email(email), _name(name)
    _check_password(password)
    if address:
        throttle.hit((_SIGN_UPS_PER_ADDRESS, address))
    zone = timezone if timezone in available_timezones() else clock.DEFAULT_ZONE
    return _add(email, _hash(password), name, zone, consented_at=clock.now() if consents else None)


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


def authenticate(email: str, password: str, address: str) -> User | None:
    """The user; None for a wrong password and for an unknown e-mail, after the same work and the same time.

    Raises Problem after too many attempts.
    """
    try:
        email = _email(email)
    except Problem:
        email = email.strip().lower()
    attempts = (_SIGN_INS_PER_EMAIL, email), (_SIGN_INS_PER_ADDRESS, address)
    throttle.hit(*attempts)
    user = _find(email)
    user_id = user and user.id
    matches = _matches(user, password)
    # Also for an unknown e-mail: a missing write would show in the time.
    if not matches:
        audit_log.record(user_id, "sign_in_failed")
        return None
    audit_log.record(user_id, "password_accepted" if second_factor.is_needed(user) else "signed_in")
    throttle.release(*attempts)
    return user


def change_password(user: User, present: str, new: str) -> None:
    """Signs every browser out; the caller signs this one in again. Raises Problem with its field."""
    _check_password(new, "new")
    require_password(user, present, "present")
    _set_password(user, _hash(new), "password_changed")


def require_password(user: User, password: str, field: str = "password") -> None:
    """For what a stolen session must not do; nothing may have been changed before. Raises Problem at `field`."""
    attempt = (_SIGN_INS_PER_EMAIL, user.email)
    throttle.hit(attempt)
    if not _matches(user, password):
        raise Problem("wrong_current_password", field)
    throttle.release(attempt)


def reset_password(email: str, new: str) -> None:
    """By an operator. Raises NotFound, Problem."""
    _check_password(new)
    password_hash = _hash(new)
    _set_password(by_email(email), password_hash, "password_changed")


def recover(find: Callable[[], User], new: str) -> None:
    """By the link of a recovery letter. `find` is called after the hashing: the link may have been used meanwhile.

    Raises Problem, and what `find` raises.
    """
    _check_password(new, "new")
    password_hash = _hash(new)
    _set_password(find(), password_hash, "password_recovered")


def sign_out_everywhere(user: User) -> None:
    user.session_key = secrets.token_hex(16)
    audit_log.record(user.id, "signed_out_everywhere")


def update_profile(user: User, name: str, timezone: str) -> None:
    name = _name(name)
    if timezone not in available_timezones():
        raise Problem("timezone_unknown", "timezone")
    user.name, user.timezone = name, timezone


def set_plan(email: str, plan_key: str) -> User:
    """Raises NotFound for an unknown e-mail, Problem for an unknown plan."""
    if plan_key not in plans.PLANS:
        raise Problem("plan_unknown", plan=plan_key, plans=", ".join(plans.PLANS))
    user = by_email(email)
    if user.plan_key != plan_key:
        user.plan_key, user.plan_since = plan_key, clock.now()
        audit_log.record(user.id, "plan_changed", user.plan.title)
    return user


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
            _add(email, password_hash, **columns)


def _find(email: str) -> User | None:
    return db.session.scalar(select(User).where(User.email == email))


def _matches(user: User | None, password: str) -> bool:
    """Takes the same time where there is no user. A hash with old parameters is replaced."""
    known = user.password_hash if user else _dummy_hash()
    try:
        with _hashing_turn():
            _hasher.verify(known, password[: MAX_PASSWORD + 1])
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
    user.session_key = secrets.token_hex(16)
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


def _check_password(password: str, field: str = "password") -> None:
    if len(password) < MIN_PASSWORD:
        raise Problem("password_too_short", field, min=MIN_PASSWORD)
    if len(password) > MAX_PASSWORD:
        raise Problem("password_too_long", field, max=MAX_PASSWORD)
