"""Passkeys: what an authenticator has signed counts once, for its purpose, browser, user and site, and nothing else."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from app import clock
from app.db import db, transaction
from app.models import Passkey, PasskeyChallenge, User
from app.problems import NotFound, Problem
from app.services import audit_log, passkey_challenges, passkeys, second_factor
from tests import codes
from tests.authenticator import PRESENT, Authenticator

BROWSER, OTHER_BROWSER, ADDRESS = "browser", "another", "192.0.2.1"


@pytest.fixture
def environment(environment):
    """Passkeys are for hosts with a name."""
    environment["PUBLIC_URL"] = environment["PUBLIC_URL"].replace("127.0.0.1", "localhost")
    return environment


def kinds(user) -> list[str]:
    return [event.kind for event in audit_log.latest(user)]


def added(user, authenticator=None, name="Телефон") -> Authenticator:
    authenticator = authenticator or Authenticator()
    passkeys.begin_adding(user, BROWSER)
    assert passkeys.add(user, BROWSER, name, authenticator.create(passkeys.adding_options(user, BROWSER)))
    return authenticator


def signs_in(authenticator: Authenticator, **changed) -> User | None:
    return passkeys.sign_in(BROWSER, ADDRESS, authenticator.get(passkeys.sign_in_options(BROWSER, ADDRESS), **changed))


def proves(user: User, authenticator: Authenticator, **changed) -> bool:
    return passkeys.is_right(user, BROWSER, authenticator.get(passkeys.proof_options(user, BROWSER), **changed))


def test_a_passkey_signs_in_and_is_the_second_factor(user):
    anna, boris = user(), user()
    key = added(anna)
    assert second_factor.is_needed(anna) and not second_factor.has_application(anna)
    assert not second_factor.is_needed(boris)
    assert signs_in(key) == anna
    assert proves(anna, key)
    assert not proves(boris, key), "another user's"
    [passkey] = passkeys.all_of(anna)
    assert (passkey.name, passkey.sign_count, passkey.used_at is None) == ("Телефон", key.count - 1, False)
    assert {"passkey_added", "signed_in"} <= set(kinds(anna))
    assert "second_factor_failed" in kinds(boris)


def test_it_meets_what_is_required_of_administrators(user):
    admin = user()
    admin.is_admin = True
    assert second_factor.must_be_set_up(admin)
    added(admin)
    assert not second_factor.must_be_set_up(admin)


def test_the_options_ask_for_a_discoverable_key_and_its_own_check_of_the_user(app, user):
    anna = user()
    first = added(anna)
    passkeys.begin_adding(anna, BROWSER)
    asked = json.loads(passkeys.adding_options(anna, BROWSER))
    assert asked["rp"] == {"id": "localhost", "name": "Везде"}
    assert asked["attestation"] == "none"
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert len(asked["excludeCredentials"]) == 1
    second = added(anna, name="Ноутбук")
    assert first.handle == second.handle, "one user to the authenticator"
    request = json.loads(passkeys.sign_in_options(BROWSER, ADDRESS))
    assert (request["userVerification"], request["allowCredentials"]) == ("required", [])
    assert len(json.loads(passkeys.proof_options(anna, BROWSER))["allowCredentials"]) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost"},
        {"rp_id": "evil.example"},
        {"flags": PRESENT},
        {"flags": 0},
        {"kind": "webauthn.create"},
        {"framed": True},
        {"handle": b"another user"},
    ],
    ids=str,
)
def test_what_was_signed_elsewhere_or_without_a_check_of_the_user_is_refused(user, changed):
    anna = user()
    key = added(anna)
    assert signs_in(key, **changed) is None
    assert not proves(anna, key, **changed)
    assert signs_in(key) == anna


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": "https://evil.example"},
        {"rp_id": "evil.example"},
        {"flags": PRESENT},
        {"kind": "webauthn.get"},
        {"framed": True},
        {"fmt": "packed"},
        {"fmt": "fido-u2f"},
    ],
    ids=str,
)
def test_what_was_made_elsewhere_or_without_a_check_of_the_user_is_not_added(user, changed):
    anna = user()
    passkeys.begin_adding(anna, BROWSER)
    response = Authenticator().create(passkeys.adding_options(anna, BROWSER), **changed)
    assert passkeys.add(anna, BROWSER, "Телефон", response) is None
    assert passkeys.adding_options(anna, BROWSER) is None, "the challenge is used up"
    assert not second_factor.is_needed(anna)


def test_a_challenge_is_for_one_use_one_purpose_one_browser_and_five_minutes(user):
    anna, boris = user(), user()
    key = added(anna)
    response = key.get(passkeys.sign_in_options(BROWSER, ADDRESS))
    assert passkeys.sign_in(OTHER_BROWSER, ADDRESS, response) is None
    assert not passkeys.is_right(anna, BROWSER, response), "for a sign-in"
    assert passkeys.sign_in(BROWSER, ADDRESS, response) == anna
    assert passkeys.sign_in(BROWSER, ADDRESS, response) is None, "a replay"
    proof = key.get(passkeys.proof_options(anna, BROWSER))
    assert passkeys.sign_in(BROWSER, ADDRESS, proof) is None
    assert not passkeys.is_right(boris, BROWSER, proof)
    late = key.get(passkeys.sign_in_options(BROWSER, ADDRESS))
    for row in db.session.scalars(select(PasskeyChallenge)):
        row.expires_at = clock.now() - timedelta(seconds=1)
    assert passkeys.sign_in(BROWSER, ADDRESS, late) is None
    passkey_challenges.sweep()
    assert db.session.scalars(select(PasskeyChallenge)).all() == []


def test_a_challenge_of_ones_own_making_is_refused(user):
    key = added(user())
    made_up = json.dumps({"challenge": "AAAA"})
    assert passkeys.sign_in(BROWSER, ADDRESS, key.get(made_up)) is None


def test_a_copy_is_noticed_by_its_count(user):
    anna = user()
    key = added(anna)
    assert signs_in(key) == anna
    key.count -= 1
    assert signs_in(key) is None
    assert kinds(anna)[0] == "sign_in_failed"
    synchronised = added(anna, Authenticator(counts=False))
    assert [signs_in(synchronised) for _ in range(2)] == [anna, anna]


def test_simultaneous_responses_to_one_challenge_sign_in_once(app, user):
    anna = user()
    key = added(anna)
    response = key.get(passkeys.sign_in_options(BROWSER, ADDRESS))
    db.session.commit()

    def attempt(_number: int) -> bool:
        with app.app_context(), transaction():
            return passkeys.sign_in(BROWSER, ADDRESS, response) is not None

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(attempt, range(6))).count(True) == 1


def test_another_key_does_not_sign_for_a_credential(user):
    anna = user()
    key, forger = added(anna), Authenticator()
    forger.credential_id, forger.handle, forger.count = key.credential_id, key.handle, 100
    assert signs_in(forger) is None


def test_a_credential_belongs_to_one_user(user):
    anna, boris = user(), user()
    key = added(anna)
    passkeys.begin_adding(boris, BROWSER)
    stolen = key.create(passkeys.adding_options(boris, BROWSER))
    assert passkeys.add(boris, BROWSER, "Чужой", stolen) is None
    assert [one.user_id for one in db.session.scalars(select(Passkey))] == [anna.id]


@pytest.mark.parametrize(
    "response",
    ["", "x", "[]", "null", "1", "{}", '{"response": 1}', '{"response": {"clientDataJSON": 7}}', "[" * 5000, "\ud800"]
    + ['{"rawId": "AA", "response": {"clientDataJSON": "W10"}}', '{"rawId": "é", "response": {"clientDataJSON": "é"}}'],
)
def test_what_no_browser_sends_is_refused(user, response):
    anna = user()
    added(anna)
    passkeys.begin_adding(anna, BROWSER)
    assert passkeys.add(anna, BROWSER, "Телефон", response) is None
    assert passkeys.sign_in(BROWSER, ADDRESS, response) is None
    assert passkeys.is_right(anna, BROWSER, response) is False


def test_damaged_responses_are_refused(user):
    """Each byte string of a right response, cut and changed: the parsers below raise whatever they raise."""
    anna = user()
    key = added(anna)
    for name in ("authenticatorData", "signature", "userHandle", "clientDataJSON"):
        for change in (lambda text: text[:-3], lambda text: text[:7], lambda text: "", lambda text: "A" + text[1:]):
            response = json.loads(key.get(passkeys.sign_in_options(BROWSER, ADDRESS)))
            response["response"][name] = change(response["response"][name])
            if name != "userHandle" or response["response"][name]:
                assert passkeys.sign_in(BROWSER, ADDRESS, json.dumps(response)) is None, name


def test_damaged_attestations_are_not_added(user):
    anna = user()
    for at in range(0, 240, 3):
        passkeys.begin_adding(anna, BROWSER)
        response = json.loads(Authenticator().create(passkeys.adding_options(anna, BROWSER)))
        made = response["response"]["attestationObject"]
        response["response"]["attestationObject"] = made[:at] + "____" + made[at + 4 :]
        passkeys.add(anna, BROWSER, f"Ключ {at}", json.dumps(response))
        response["response"]["attestationObject"] = made[:at]
        assert passkeys.add(anna, BROWSER, "Ключ", json.dumps(response)) is None
        for passkey in passkeys.all_of(anna):
            passkeys.remove(anna, passkey.id)


def test_wrong_passkeys_are_counted_with_wrong_codes(user):
    anna = user()
    key, (secret, _) = added(anna), codes.set_up(anna)
    for number in range(second_factor.MAX_FAILURES):
        wrong = proves(anna, key, flags=PRESENT) if number % 2 else second_factor.is_right(anna, "wrong")
        assert not wrong
    with pytest.raises(Problem, match="too_many_attempts"):
        proves(anna, key)
    with pytest.raises(Problem, match="too_many_attempts"):
        second_factor.is_right(anna, codes.at(secret))
    assert signs_in(key) == anna, "a sign-in with the key itself is open: who cannot sign cannot use it up"


def test_challenges_are_limited_by_address_and_successes_do_not_count(user):
    anna = user()
    key = added(anna)
    for _ in range(60):
        assert signs_in(key) == anna
    for _ in range(50):
        passkeys.sign_in_options(BROWSER, ADDRESS)
    with pytest.raises(Problem, match="too_many_attempts"):
        passkeys.sign_in_options(BROWSER, ADDRESS)
    assert passkeys.sign_in_options(BROWSER, "192.0.2.2")


def test_recovery_codes_come_with_the_first_factor_and_go_with_the_last(user):
    anna = user()
    added(anna)
    recovery_codes = second_factor.first_recovery_codes(anna)
    assert len(recovery_codes) == 10
    added(anna, name="Ноутбук")
    assert second_factor.first_recovery_codes(anna) is None
    assert second_factor.is_right(anna, recovery_codes[0])
    assert not second_factor.is_right(anna, recovery_codes[0])
    first, second = passkeys.all_of(anna)
    passkeys.remove(anna, first.id)
    assert second_factor.recovery_codes_left(anna) == 9
    passkeys.remove(anna, second.id)
    assert (second_factor.recovery_codes_left(anna), second_factor.is_needed(anna)) == (0, False)
    assert kinds(anna)[0] == "passkey_removed"


def test_the_application_and_passkeys_are_removed_apart(user):
    anna = user()
    key, _ = added(anna), codes.set_up(anna)
    second_factor.remove_application(anna)
    assert second_factor.is_needed(anna) and second_factor.recovery_codes_left(anna) == 10
    assert signs_in(key) == anna
    second_factor.remove(anna)
    assert not second_factor.is_needed(anna)
    assert signs_in(key) is None


def test_names_and_numbers_are_bounded(user):
    anna, boris = user(), user()
    passkeys.begin_adding(anna, BROWSER)
    options = passkeys.adding_options(anna, BROWSER)
    for name in ("", "  ", "x" * 61, "a\0b", "a\u202eb"):
        with pytest.raises(Problem, match="passkey_name_invalid"):
            passkeys.add(anna, BROWSER, name, Authenticator().create(options))
    assert passkeys.add(anna, BROWSER, "  Мой   телефон ", Authenticator().create(options)).name == "Мой телефон"
    for number in range(1, passkeys.MAX_PASSKEYS):
        added(anna, name=f"Ключ {number}")
    with pytest.raises(Problem, match="too_many_passkeys"):
        passkeys.begin_adding(anna, BROWSER)
    with pytest.raises(NotFound):
        passkeys.remove(boris, passkeys.all_of(anna)[0].id)


@pytest.mark.parametrize(
    ("public_url", "available", "rp_id", "origin"),
    [
        ("https://vezde.ru", True, "vezde.ru", "https://vezde.ru"),
        ("https://VEZDE.ru:443", True, "vezde.ru", "https://vezde.ru"),
        ("https://vezde.ru:8443", True, "vezde.ru", "https://vezde.ru:8443"),
        ("https://везде.рф", True, "xn--b1aecbi.xn--p1ai", "https://xn--b1aecbi.xn--p1ai"),
        ("http://localhost:8000", True, "localhost", "http://localhost:8000"),
        ("http://vezde.ru", False, "vezde.ru", "http://vezde.ru"),
        ("http://127.0.0.1:8000", False, "127.0.0.1", "http://127.0.0.1:8000"),
        ("https://[::1]", False, None, None),
    ],
)
def test_the_site_is_that_of_the_public_address(app, public_url, available, rp_id, origin):
    app.config["PUBLIC_URL"] = public_url
    assert passkeys.are_available() is available
    if rp_id:
        assert passkeys.site() == passkeys.Site(rp_id, origin)


@pytest.mark.parametrize(
    ("public_url", "named"),
    [
        ("http://127.0.0.1:8000", "http://localhost:8000"),
        ("http://[::1]", "http://localhost"),
        ("http://localhost:8000", None),
        ("http://192.168.1.5:8000", None),
        ("http://vezde.ru", None),
        ("https://vezde.ru", None),
    ],
)
def test_an_address_of_this_machine_has_a_name_too(app, public_url, named):
    app.config["PUBLIC_URL"] = public_url
    assert passkeys.named_address() == named
