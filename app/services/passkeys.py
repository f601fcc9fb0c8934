"""Passkeys (WebAuthn level 2): a sign-in without a password, or the second factor after it.

The authenticator always asks for its own PIN, finger or face (user verification), so that a passkey is two factors.
"""

import json
import secrets
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

import structlog
import webauthn
from flask import current_app
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from webauthn.helpers import parse_attestation_object, parse_registration_credential_json, structs

from app import clock
from app.config import is_loopback
from app.db import db
from app.models import Passkey, User, lock_user
from app.problems import NotFound, Problem
from app.services import audit_log, second_factor, security_notices, throttle
from app.services import passkey_challenges as challenges
from app.services.throttle import Limit, network_of

MAX_PASSKEYS, MAX_NAME = 20, 60
MAX_CREDENTIAL_ID = 1023  # WebAuthn level 2, 5.4.3
_CHALLENGES_PER_ADDRESS = Limit("passkey-address", times=50, seconds=15 * 60)  # an office shares one
_CHALLENGES_PER_USER = Limit("passkey-user", times=50, seconds=15 * 60)

log = structlog.get_logger(__name__)

_UNKNOWN = "its challenge or its passkey is unknown here"


@dataclass(frozen=True)
class Site:
    """What browsers bind passkeys to. `rp_id` is the host, `origin` as browsers write it."""

    rp_id: str
    origin: str


def site() -> Site:
    """Of PUBLIC_URL, however the request came here."""
    parts = urlsplit(current_app.config["PUBLIC_URL"])
    host = parts.hostname.encode("idna").decode()
    default = {"http": 80, "https": 443}[parts.scheme]
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return Site(host, f"{parts.scheme}://{host}{port}")


def are_available() -> bool:
    """Browsers have passkeys for names, not for addresses, and only over https or on this machine."""
    parts = urlsplit(current_app.config["PUBLIC_URL"])
    try:
        ip_address(parts.hostname)
    except ValueError:
        return parts.scheme == "https" or parts.hostname == "localhost"
    return False


def named_address() -> str | None:
    """What PUBLIC_URL could be for there to be passkeys, where it is an address of this machine."""
    parts = urlsplit(current_app.config["PUBLIC_URL"])
    if are_available() or not is_loopback(parts.hostname):
        return None
    return f"{parts.scheme}://localhost{'' if parts.port is None else f':{parts.port}'}"


def all_of(user: User) -> list[Passkey]:
    return list(db.session.scalars(select(Passkey).where(Passkey.user_id == user.id).order_by(Passkey.id)))


def find(user: User, passkey_id: int) -> Passkey:
    """Raises NotFound."""
    passkey = db.session.scalar(select(Passkey).where(Passkey.user_id == user.id, Passkey.id == passkey_id))
    if passkey is None:
        raise NotFound
    return passkey


def begin_adding(user: User, browser: str) -> None:
    """For five minutes this browser may add a passkey. The caller has asked for proof. Raises Problem."""
    lock_user(user.id)
    present = all_of(user)
    if len(present) >= MAX_PASSKEYS:
        raise Problem("too_many_passkeys", max=MAX_PASSKEYS)
    challenges.forget(challenges.ADDING, user)
    handle = present[0].user_handle if present else secrets.token_bytes(32)
    challenges.make(challenges.ADDING, browser, user, handle)


def adding_options(user: User, browser: str) -> str | None:
    """For `navigator.credentials.create()`, as JSON; None where `begin_adding` was not called, or too long ago."""
    adding = challenges.pending(challenges.ADDING, browser, user)
    if adding is None:
        return None
    options = webauthn.generate_registration_options(
        rp_id=site().rp_id,
        rp_name=second_factor.ISSUER,
        user_id=adding.user_handle,
        user_name=user.email,
        user_display_name=user.name,
        challenge=adding.challenge,
        timeout=_milliseconds(),
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(user),
    )
    return webauthn.options_to_json(options)


def add(user: User, browser: str, name: str, response: str) -> Passkey | None:
    """The passkey of an authenticator's response; None for one that is not right, its challenge used up.

    Raises Problem for the name, before the challenge is used.
    """
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise Problem("passkey_name_invalid", "name", max=MAX_NAME)
    lock_user(user.id)
    adding = challenges.take(challenges.ADDING, browser, user, response)
    if adding is None:
        return _refuse("not its challenge, or too late")
    try:
        _check_attestation(response)
        made = webauthn.verify_registration_response(
            credential=response,
            expected_challenge=adding.challenge,
            expected_rp_id=site().rp_id,
            expected_origin=site().origin,
            require_user_verification=True,
        )
    except challenges.MALFORMED as error:
        return _refuse(error)
    if len(made.credential_id) > MAX_CREDENTIAL_ID:
        return _refuse("the credential's id is too long")
    passkey = Passkey(
        user_id=user.id,
        name=name,
        credential_id=made.credential_id,
        public_key=made.credential_public_key,
        user_handle=adding.user_handle,
        sign_count=made.sign_count,
    )
    try:
        with db.session.begin_nested():
            db.session.add(passkey)
    except IntegrityError as error:  # the credential of another passkey
        return _refuse(error)
    audit_log.record(user.id, "passkey_added", name)
    security_notices.notify(user, "passkey_added")
    return passkey


def remove(user: User, passkey_id: int) -> None:
    """Raises NotFound."""
    passkey = find(user, passkey_id)
    audit_log.record(user.id, "passkey_removed", passkey.name)
    security_notices.notify(user, "passkey_removed")
    db.session.delete(passkey)
    db.session.flush()
    second_factor.forget_useless_codes(user)


def sign_in_options(browser: str, address: str) -> str:
    """For `navigator.credentials.get()`, as JSON: the browser offers the passkeys that it has of this site.

    Raises Problem after too many.
    """
    throttle.hit((_CHALLENGES_PER_ADDRESS, network_of(address)))
    return _request(challenges.make(challenges.SIGN_IN, browser, None), [])


def sign_in(browser: str, address: str, response: str) -> User | None:
    """The user whose passkey has signed. The caller commits in both cases: the challenge is used up."""
    taken, passkey = challenges.take(challenges.SIGN_IN, browser, None, response), _passkey_of(response)
    if taken is None or passkey is None:
        return _refuse(_UNKNOWN)
    user = db.session.get(User, passkey.user_id)
    has_signed = _has_signed(passkey, taken.challenge, response)
    if has_signed and not user.may_sign_in:
        _refuse("its user may not sign in")
    if not (has_signed and user.may_sign_in):
        audit_log.record(passkey.user_id, "sign_in_failed", "ключ доступа")
        return None
    audit_log.record(passkey.user_id, "signed_in", f"ключ доступа «{passkey.name}»")
    throttle.release((_CHALLENGES_PER_ADDRESS, network_of(address)))
    return user


def proof_options(user: User, browser: str) -> str:
    """For `navigator.credentials.get()`, as JSON: with a passkey of this user. Raises Problem after too many."""
    throttle.hit((_CHALLENGES_PER_USER, str(user.id)))
    return _request(challenges.make(challenges.PROOF, browser, user), _descriptors(user))


def is_right(user: User, browser: str, response: str) -> bool:
    """Whether one of the user's passkeys has signed: in place of a code. The caller commits in both cases: what is not
    right is counted with the wrong codes.

    Raises Problem after too many.
    """
    failures = second_factor.count_attempt(user)
    taken, passkey = challenges.take(challenges.PROOF, browser, user, response), _passkey_of(response)
    if not (taken and passkey and passkey.user_id == user.id):
        _refuse(_UNKNOWN)
    elif _has_signed(passkey, taken.challenge, response):
        failures.count -= 1
        return True
    audit_log.record(user.id, "second_factor_failed")
    return False


def _request(challenge: bytes, allowed: list[structs.PublicKeyCredentialDescriptor]) -> str:
    options = webauthn.generate_authentication_options(
        rp_id=site().rp_id,
        challenge=challenge,
        timeout=_milliseconds(),
        allow_credentials=allowed,
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


def _passkey_of(response: str) -> Passkey | None:
    """By the credential that the response names. Its user is locked: two responses do not use one count."""
    try:
        credential_id = webauthn.base64url_to_bytes(json.loads(response)["rawId"])
    except challenges.MALFORMED:
        return None
    query = select(Passkey).where(Passkey.credential_id == credential_id)
    passkey = db.session.scalar(query)
    if passkey:
        lock_user(passkey.user_id)
        passkey = db.session.scalar(query.execution_options(populate_existing=True))
    return passkey


def _has_signed(passkey: Passkey, challenge: bytes, response: str) -> bool:
    try:
        used = webauthn.verify_authentication_response(
            credential=response,
            expected_challenge=challenge,
            expected_rp_id=site().rp_id,
            expected_origin=site().origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
        handle = json.loads(response)["response"].get("userHandle")
        if handle and webauthn.base64url_to_bytes(handle) != passkey.user_handle:
            raise ValueError("the user handle of another user")
    except challenges.MALFORMED as error:
        _refuse(error)
        return False
    passkey.sign_count, passkey.used_at = used.new_sign_count, clock.now()
    return True


def _check_attestation(response: str) -> None:
    """None is asked for, so that browsers send none, or the authenticator's own signature: certificates would only give
    hostile clients more parsers to try. Raises ValueError.
    """
    credential = parse_registration_credential_json(response)
    attestation = parse_attestation_object(credential.response.attestation_object)
    if attestation.fmt not in ("none", "packed") or attestation.att_stmt.x5c:
        raise ValueError("an attestation that was not asked for")


def _refuse(why: Exception | str) -> None:
    """Once for each response."""
    kind = type(why).__name__ if isinstance(why, Exception) else None
    log.warning("a passkey's response is refused", refusal="passkey", error=kind, why=str(why)[:200])


def _descriptors(user: User) -> list[structs.PublicKeyCredentialDescriptor]:
    return [structs.PublicKeyCredentialDescriptor(id=one.credential_id) for one in all_of(user)]


def _milliseconds() -> int:
    return int(challenges.KEPT.total_seconds() * 1000)
