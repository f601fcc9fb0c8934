"""The second factor: codes of an application and recovery codes, each once, and few wrong ones."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from app import clock
from app.db import db, transaction
from app.models import RecoveryCode, SecondFactorFailures, TotpSecret, User
from app.problems import Problem
from app.services import audit_log, second_factor
from tests import codes


def kinds(user) -> list[str]:
    return [event.kind for event in audit_log.latest(user)]


def test_it_counts_from_the_first_right_code(user):
    anna = user()
    second_factor.begin(anna)
    key = second_factor.unconfirmed_key(anna)
    assert second_factor.confirm(anna, "000000" if codes.at(key) != "000000" else "111111") is None
    assert not second_factor.is_needed(anna)
    assert len(second_factor.confirm(anna, codes.at(key))) == 10
    assert second_factor.is_needed(anna)
    assert second_factor.unconfirmed_key(anna) is None
    with pytest.raises(Problem, match="second_factor_exists"):
        second_factor.begin(anna)


def test_a_code_is_accepted_once_and_a_step_early_or_late(user):
    anna = user()
    key, _ = codes.set_up(anna)
    code = codes.at(key)
    assert second_factor.is_right(anna, f"{code[:3]} {code[3:]}")
    assert not second_factor.is_right(anna, code)
    assert second_factor.is_right(anna, codes.at(key, 1))
    assert not second_factor.is_right(anna, codes.at(key, -1)), "earlier than the last one"
    assert not second_factor.is_right(anna, codes.at(key, 3))


@pytest.mark.parametrize("wrong", ["", "1", "абвгде", "１２３４５６", "0" * 10_000, "\0"])
def test_what_is_no_code_is_refused(user, wrong):
    anna = user()
    codes.set_up(anna)
    assert second_factor.is_right(anna, wrong) is False


def test_a_recovery_code_is_used_once_and_stored_as_a_digest(user):
    anna, boris = user(), user()
    _, [first, second, *_] = codes.set_up(anna)
    codes.set_up(boris)
    assert not second_factor.is_right(boris, first)
    assert second_factor.is_right(anna, first.upper())
    assert not second_factor.is_right(anna, first)
    assert second_factor.recovery_codes_left(anna) == 9
    stored = "".join(db.session.scalars(select(RecoveryCode.code_hash)))
    assert second.replace("-", "") not in stored
    second_factor.renew_recovery_codes(anna)
    assert not second_factor.is_right(anna, second)
    assert {"recovery_code_used", "recovery_codes_renewed", "second_factor_failed"} <= set(kinds(anna))


def test_after_ten_wrong_codes_the_right_one_has_to_wait(user):
    anna = user()
    key, _ = codes.set_up(anna)
    for _ in range(second_factor.MAX_FAILURES):
        assert not second_factor.is_right(anna, "wrong")
    with pytest.raises(Problem, match="too_many_attempts"):
        second_factor.is_right(anna, codes.at(key))
    db.session.get(SecondFactorFailures, anna.id).end_at = clock.now() - timedelta(seconds=1)
    assert second_factor.is_right(anna, codes.at(key))


def test_simultaneous_codes_are_counted_and_used_one_after_another(app, user):
    anna = user()
    key, _ = codes.set_up(anna)
    db.session.commit()
    number, code = anna.id, codes.at(key)
    db.session.commit()

    def attempt(given: str) -> str:
        with app.app_context():
            try:
                with transaction():
                    return str(second_factor.is_right(db.session.get(User, number), given))
            except Problem as problem:
                return problem.code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(attempt, [code] * 6)).count("True") == 1
        assert list(pool.map(attempt, ["wrong"] * 12)).count("too_many_attempts") == 7, "five of ten were used"


def test_the_secret_is_encrypted_for_its_user_with_this_secret_key(app, user):
    anna, boris = user(), user()
    key, [first, *_] = codes.set_up(anna)
    codes.set_up(boris)
    secrets = db.session.get(TotpSecret, anna.id), db.session.get(TotpSecret, boris.id)
    assert key.encode() not in secrets[0].encrypted
    secrets[1].encrypted = secrets[0].encrypted
    assert not second_factor.is_right(boris, codes.at(key))
    app.config["SECRET_KEY"] = "another" * 8
    assert not second_factor.is_right(anna, codes.at(key))
    assert second_factor.is_right(anna, first), "recovery codes do not depend on it"


def test_removal_takes_the_codes_too(user):
    anna = user()
    codes.set_up(anna)
    second_factor.remove(anna)
    assert not second_factor.is_needed(anna)
    assert second_factor.recovery_codes_left(anna) == 0
    with pytest.raises(Problem, match="no_second_factor"):
        second_factor.is_right(anna, "1")
    assert kinds(anna)[0] == "second_factor_removed"
