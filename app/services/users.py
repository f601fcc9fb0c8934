"""People: signing up and in, passwords, profiles, plans."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from zoneinfo import available_timezones

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app import clock, plans
from app.db import db
from app.models import User
from app.problems import NotFound, Problem
from app.services import audit_log, throttle
from app.services.throttle import Limit

MIN_PASSWORD = 8
MAX_PASSWORD = 128  # hashing a novel would keep a thread busy
MAX_NAME = 80

DEMO_PASSWORD = "demo-demo"
DEMO_DOMAIN = "demo.vezde.ru"

_PER_ACCOUNT = Limit("sign-in-account", times=10, seconds=15 * 60)
_PER_ADDRESS = Limit("sign-in-address", times=50, seconds=15 * 60)  # an office shares one
_NEW_PER_ADDRESS = Limit("sign-up-address", times=100, seconds=3600)  # a mobile operator's customers share one

# OWASP's argon2id, 19 MiB each, and two at a time in a process: sign-ins at once wait a little for each other.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_hashing = threading.BoundedSemaphore(2)
_HASHING_SECONDS = 10


def sign_up(
    *, email: str, password: str, name: str, timezone: str, address: str | None = None, consents: bool = False
) -> User:
    """A new account on the plan Free. `timezone` is the browser's guess: one that does not exist is not kept.

    `address` is the visitor's, whose sign-ups are limited. `consents`: to personal data being processed.
    Raises Problem with its field.
    """
    email, name = _email(email), _name(name)
    _check_password(password)
    if address:
        throttle.hit((_NEW_PER_ADDRESS, address))
    zone = timezone if timezone in available_timezones() else clock.DEFAULT_ZONE
    return _add(email, password, name, zone, consented_at=clock.now() if consents else None)


def _add(email: str, password: str, name: str, timezone: str = clock.DEFAULT_ZONE, **more) -> User:
    user = User(
        email=email,
        password_hash=_hash(password),
        session_key=_session_key(),
        name=name,
        timezone=timezone,
        **more,
    )
    db.session.add(user)
    try:
        db.session.flush()
        audit_log.record(user.id, "signed_up")
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        raise Problem("Аккаунт с этой почтой уже есть. Войдите.", "email") from None
    return user


def authenticate(email: str, password: str, address: str) -> User:
    """The user, or Problem: the same, after the same time, for a wrong password and for an e-mail that nobody has."""
    try:
        email = _email(email)
    except Problem:
        email = email.strip().lower()
    spent = (_PER_ACCOUNT, email), (_PER_ADDRESS, address)
    throttle.hit(*spent)
    user = _find(email)
    right = _matches(user, password)
    # A line is written whoever it is for, and whether there is somebody: the time tells nothing.
    audit_log.record(user and user.id, "signed_in" if right else "sign_in_failed")
    db.session.commit()
    if not right:
        raise Problem("Почта или пароль не подходят.")
    throttle.release(*spent)
    return user


def change_password(user: User, present: str, new: str) -> None:
    """Also gives a new session key: every browser is signed out, and the caller signs this one in again."""
    _check_password(new, "new")
    require_password(user, present, "present")
    _set_password(user, new, "password_changed")


def require_password(user: User, password: str, field: str = "password") -> None:
    """For what a stolen session must not do. Raises Problem at `field`."""
    spent = (_PER_ACCOUNT, user.email)
    throttle.hit(spent)
    if not _matches(user, password):
        raise Problem("Это не ваш нынешний пароль.", field)
    throttle.release(spent)


def reset_password(email: str, new: str) -> None:
    """By an operator. Raises NotFound, Problem."""
    _check_password(new)
    _set_password(by_email(email), new, "password_changed")


def recover(user: User, new: str) -> None:
    """By the link that came with a letter. Raises Problem."""
    _check_password(new, "new")
    _set_password(user, new, "password_recovered")


def sign_out_everywhere(user: User) -> None:
    user.session_key = _session_key()
    audit_log.record(user.id, "signed_out_everywhere")
    db.session.commit()


def update_profile(user: User, name: str, timezone: str) -> None:
    name = _name(name)
    if timezone not in available_timezones():
        raise Problem("Выберите часовой пояс из списка.", "timezone")
    user.name, user.timezone = name, timezone
    db.session.commit()


def set_plan(email: str, plan_key: str) -> User:
    """Raises NotFound for an unknown e-mail, Problem for an unknown plan."""
    if plan_key not in plans.PLANS:
        raise Problem(f"Нет тарифа «{plan_key}». Есть: {', '.join(plans.PLANS)}.")
    user = by_email(email)
    if user.plan_key != plan_key:
        user.plan_key, user.plan_since = plan_key, clock.now()
        audit_log.record(user.id, "plan_changed", user.plan.title)
    db.session.commit()
    return user


def make_admin(email: str) -> User:
    user = by_email(email)
    user.is_admin = True
    db.session.commit()
    return user


def by_email(email: str) -> User:
    user = _find(email.strip().lower())
    if user is None:
        raise NotFound
    return user


def list_users() -> list[User]:
    return list(db.session.scalars(select(User).order_by(User.id)))


def create_demo_users() -> None:
    """The people of the embedded demo. What is there already is left as it is."""
    for plan in plans.PLANS.values():
        _add_demo(plan.key, name=plan.title, plan_key=plan.key)
    _add_demo("admin", name="Админ", plan_key=plans.BUSINESS.key, is_admin=True)


def _add_demo(login: str, *, name: str, **more) -> None:
    email = f"{login}@{DEMO_DOMAIN}"
    if _find(email) is None:
        _add(email, DEMO_PASSWORD, name, **more)


def _find(email: str) -> User | None:
    return db.session.scalar(select(User).where(User.email == email))


def _matches(user: User | None, password: str) -> bool:
    """Takes the same time where there is no user."""
    known = user.password_hash if user else _dummy_hash()
    # Hashing is slow on purpose; SQLite's one write lock must not wait for it.
    db.session.rollback()
    try:
        with _turn_to_hash():
            _hasher.verify(known, password[: MAX_PASSWORD + 1])
    except (VerificationError, InvalidHashError):
        return False
    if user and _hasher.check_needs_rehash(known):
        rehashed = _hash(password)
        user.password_hash = rehashed
        db.session.commit()
    return user is not None


@cache
def _dummy_hash() -> str:
    return _hash(secrets.token_hex())


def _hash(password: str) -> str:
    with _turn_to_hash():
        return _hasher.hash(password)


@contextmanager
def _turn_to_hash() -> Iterator[None]:
    """Raises Problem when it takes too long."""
    if not _hashing.acquire(timeout=_HASHING_SECONDS):
        raise Problem("Сейчас входят слишком многие. Подождите минуту и попробуйте снова.")
    try:
        yield
    finally:
        _hashing.release()


def _set_password(user: User, password: str, event: str) -> None:
    user.password_hash = _hash(password)
    user.session_key = _session_key()
    audit_log.record(user.id, event)
    db.session.commit()


def _session_key() -> str:
    return secrets.token_hex(16)


def _email(text: str) -> str:
    """Lower case as a whole: nobody runs a mail server where that makes a difference."""
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        raise Problem("Это не похоже на почту. Проверьте адрес: имя@сайт.ру.", "email") from None


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name:
        raise Problem("Напишите имя.", "name")
    if len(name) > MAX_NAME or not name.isprintable():
        raise Problem(f"Имя — до {MAX_NAME} обычных знаков.", "name")
    return name


def _check_password(password: str, field: str = "password") -> None:
    if len(password) < MIN_PASSWORD:
        raise Problem(f"Пароль слишком короткий: нужно не меньше {MIN_PASSWORD} знаков.", field)
    if len(password) > MAX_PASSWORD:
        raise Problem(f"Пароль слишком длинный: не больше {MAX_PASSWORD} знаков.", field)
