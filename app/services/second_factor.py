"""The second factor of a sign-in: codes of an application (TOTP, RFC 6238), recovery codes, and what passkeys
(`services/passkeys.py`) have in common with them.

The web verifies codes and cannot open the vault: the secrets are encrypted with a key derived from SECRET_KEY
(docs/decisions/0017-second-factor.md).
"""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

import pyotp
import structlog
from cryptography.fernet import Fernet, InvalidToken
from flask import current_app
from sqlalchemy import delete, func, select

from app import clock
from app.db import db
from app.models import Passkey, RecoveryCode, SecondFactorFailures, TotpSecret, User, lock_user
from app.problems import Problem
from app.services import audit_log, security_notices
from app.vault import web_cipher

ISSUER = "Везде"
STEP_SECONDS = 30
STEPS_APART = 1  # a phone's clock may be so many steps ahead or behind
RECOVERY_CODES = 10
MAX_FAILURES, FAILURES_KEPT = 10, timedelta(minutes=15)

log = structlog.get_logger(__name__)


def is_needed(user: User) -> bool:
    """Whether the password alone does not sign in: a code or a passkey comes after it."""
    has_passkey = select(Passkey.id).where(Passkey.user_id == user.id).limit(1)
    return has_application(user) or db.session.scalar(has_passkey) is not None


def has_application(user: User) -> bool:
    secret = db.session.get(TotpSecret, user.id)
    return secret is not None and secret.confirmed_at is not None


def must_be_set_up(user: User) -> bool:
    """Whether the user may do nothing before: administrators, except those of the demo on one machine."""
    return user.is_admin and not current_app.config["DEMO"] and not is_needed(user)


def is_right(user: User, code: str) -> bool:
    """Uses up the application's code or the recovery code. The caller commits in both cases: wrong codes are counted.

    Raises Problem after too many wrong codes, and where no second factor is set up.
    """
    secret = _locked(user)
    if not is_needed(user):
        raise Problem("no_second_factor")
    failures = count_attempt(user)
    code = "".join(code.split()).replace("-", "").lower()
    if not (secret and secret.confirmed_at and _use_totp(secret, code)):
        if not _use_recovery_code(user, code):
            log.info("a wrong code", refusal="code", account=user.id)
            audit_log.record(user.id, "second_factor_failed")
            return False
        audit_log.record(user.id, "recovery_code_used")
        security_notices.notify(user, "recovery_code_used")
    failures.count -= 1
    return True


def count_attempt(user: User) -> SecondFactorFailures:
    """Counts an attempt as failed before it is looked at; the caller takes it off the `count` where it is right.

    Until the transaction ends, simultaneous attempts wait. Raises Problem after too many.
    """
    lock_user(user.id)
    failures = db.session.get(SecondFactorFailures, user.id, populate_existing=True)
    if failures is None:
        failures = SecondFactorFailures(user_id=user.id, count=0, end_at=clock.now())
        db.session.add(failures)
    now = clock.now()
    if not _is_within(failures.end_at, now):
        failures.count, failures.end_at = 0, now + FAILURES_KEPT
    if failures.count >= MAX_FAILURES:
        log.warning("too many attempts", refusal="limit", limit="second-factor")
        seconds = (failures.end_at - now).total_seconds()
        raise Problem("too_many_attempts", minutes=max(1, round(seconds / 60)))
    failures.count += 1
    return failures


def begin(user: User) -> None:
    """A new secret that does not count yet; one that has not been confirmed is replaced.

    Raises Problem where one counts already.
    """
    secret = _locked(user)
    if secret and secret.confirmed_at:
        raise Problem("second_factor_exists")
    if secret is None:
        secret = TotpSecret(user_id=user.id)
        db.session.add(secret)
    secret.encrypted = _cipher(user.id).encrypt(pyotp.random_base32().encode())


def unconfirmed_key(user: User) -> str | None:
    """The key in base32, while it is being set up: afterwards it is never shown."""
    secret = db.session.get(TotpSecret, user.id)
    return _key(secret) if secret and not secret.confirmed_at else None


def address_for_app(user: User, key: str) -> str:
    """The `otpauth://` address that code applications read from a QR code."""
    return pyotp.TOTP(key).provisioning_uri(name=user.email, issuer_name=ISSUER)


def confirm(user: User, code: str) -> list[str] | None:
    """The recovery codes, to be shown once; None for a wrong code, which the caller commits as in `is_right`.

    Raises Problem after too many wrong codes, and where there is nothing to confirm.
    """
    secret = _locked(user)
    if secret is None or secret.confirmed_at:
        raise Problem("no_second_factor")
    failures = count_attempt(user)
    if not _use_totp(secret, "".join(code.split())):
        return None
    failures.count = 0
    secret.confirmed_at = clock.now()
    audit_log.record(user.id, "second_factor_added")
    security_notices.notify(user, "second_factor_added")
    return _make_recovery_codes(user)


def first_recovery_codes(user: User) -> list[str] | None:
    """To be shown once, where the user has none: what helps when the only passkey is lost."""
    return None if recovery_codes_left(user) else _make_recovery_codes(user)


def renew_recovery_codes(user: User) -> list[str]:
    """Ten new codes; the old ones stop working."""
    audit_log.record(user.id, "recovery_codes_renewed")
    return _make_recovery_codes(user)


def recovery_codes_left(user: User) -> int:
    query = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user.id)
    return db.session.scalar(query) or 0


def remove_application(user: User) -> None:
    db.session.execute(delete(TotpSecret).where(TotpSecret.user_id == user.id))
    audit_log.record(user.id, "second_factor_removed")
    security_notices.notify(user, "second_factor_removed")
    forget_useless_codes(user)


def forget_useless_codes(user: User) -> None:
    """Recovery codes go with the last of what they replace."""
    if not is_needed(user):
        db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))


def remove(user: User) -> None:
    """The application, the passkeys and the recovery codes; the password alone signs in again."""
    for table in (RecoveryCode, TotpSecret, Passkey):
        db.session.execute(delete(table).where(table.user_id == user.id))
    audit_log.record(user.id, "second_factor_removed")
    security_notices.notify(user, "second_factor_removed")


def _locked(user: User) -> TotpSecret | None:
    """The row as it is now: simultaneous attempts go one after another."""
    lock_user(user.id)
    return db.session.get(TotpSecret, user.id, populate_existing=True)


def _is_within(end: datetime, now: datetime) -> bool:
    """A clock that was set back must not make the wait longer."""
    return now < end <= now + FAILURES_KEPT


def _use_totp(secret: TotpSecret, code: str) -> bool:
    key = _key(secret)
    if key is None:
        return False
    step = int(clock.now().timestamp()) // STEP_SECONDS
    totp, accepted = pyotp.TOTP(key), 0
    for candidate in range(step - STEPS_APART, step + STEPS_APART + 1):
        if hmac.compare_digest(totp.generate_otp(candidate).encode(), code.encode()) and candidate > secret.last_step:
            accepted = candidate
    secret.last_step = accepted or secret.last_step
    return accepted > 0


def _use_recovery_code(user: User, code: str) -> bool:
    used = delete(RecoveryCode).where(RecoveryCode.user_id == user.id, RecoveryCode.code_hash == _hash(code))
    return db.session.execute(used).rowcount > 0


def _make_recovery_codes(user: User) -> list[str]:
    """80 random bits each: a plain digest of them cannot be reversed."""
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    codes = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    db.session.add_all(RecoveryCode(user_id=user.id, code_hash=_hash(code)) for code in codes)
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _key(secret: TotpSecret) -> str | None:
    """None where SECRET_KEY has been replaced since: recovery codes work on."""
    try:
        return _cipher(secret.user_id).decrypt(secret.encrypted).decode()
    except InvalidToken:
        log.warning("a TOTP secret cannot be decrypted", user=secret.user_id)
        return None


def _cipher(user_id: int) -> Fernet:
    return web_cipher(current_app.config["SECRET_KEY"], f"totp: {user_id}")
