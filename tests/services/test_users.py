import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from app.db import db, transaction
from app.models import AuditEvent
from app.problems import NotFound, Problem
from app.redis_client import redis_client
from app.services import sessions, throttle, users
from app.services.throttle import Limit

PASSWORD = "parol-parol"
HOME = "192.0.2.7"


def sign_up(email="anna@example.org", password=PASSWORD, name="Анна", timezone="Asia/Omsk", **more):
    user = users.sign_up(email=email, password=password, name=name, timezone=timezone, **more)
    db.session.commit()
    return user


def test_sign_up_makes_a_free_account(app):
    user = sign_up(email="  Anna@Example.ORG ", name="  Анна   К. ")
    assert (user.email, user.name, user.timezone, user.plan.key) == ("anna@example.org", "Анна К.", "Asia/Omsk", "free")
    assert user.password_hash.startswith("$argon2id$")
    assert PASSWORD not in user.password_hash


@pytest.mark.parametrize("guess", ["", "Mars/Olympus", "../../etc/passwd", "Москва"])
def test_a_time_zone_that_does_not_exist_is_not_kept(app, guess):
    assert sign_up(timezone=guess).timezone == "Europe/Moscow"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email": "anna"}, "email"),
        ({"email": "anna@"}, "email"),
        ({"email": "a@b@c.ru"}, "email"),
        ({"password": "1234567"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "Ан\u202eна"}, "name"),
    ],
)
def test_sign_up_names_what_is_wrong(app, wrong, field):
    with pytest.raises(Problem) as refusal:
        sign_up(**wrong)
    assert refusal.value.field == field


def test_an_email_has_one_account(app):
    sign_up()
    with pytest.raises(Problem) as refusal:
        sign_up(email="ANNA@example.org")
    assert refusal.value.field == "email"
    assert len(users.list_users()) == 1


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)  # attempts are counted in Redis
def test_sign_ups_from_one_address_are_limited(app):
    for number in range(100):
        sign_up(email=f"a{number}@example.org", address=HOME, consents=True)
    with pytest.raises(Problem, match="too_many_attempts"):
        sign_up(email="one-more@example.org", address=HOME, consents=True)
    sign_up(email="elsewhere@example.org", address="192.0.2.8", consents=True)


def test_the_right_password_lets_in(app):
    user = sign_up()
    assert users.authenticate(" Anna@example.org", PASSWORD, HOME) is user


@pytest.mark.parametrize(
    ("email", "password"),
    [("anna@example.org", "another-one"), ("unknown@example.org", PASSWORD), ("not an e-mail", PASSWORD), ("", "")],
)
def test_every_refusal_is_the_same(app, email, password):
    sign_up()
    assert users.authenticate(email, password, HOME) is None
    [failed] = db.session.query(AuditEvent).filter_by(kind="sign_in_failed")
    assert (failed.user_id is None) == (email != "anna@example.org")


def test_guessing_is_stopped_even_with_the_right_password(app):
    sign_up()
    for _ in range(10):
        assert users.authenticate("anna@example.org", "guess-guess", HOME) is None
    with pytest.raises(Problem, match="too_many_attempts") as refusal:
        users.authenticate("anna@example.org", PASSWORD, HOME)
    assert refusal.value.text == "Слишком много попыток. Попробуйте через 15 мин."


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)  # attempts are counted in Redis
def test_an_address_that_guesses_at_many_accounts_is_stopped(app):
    sign_up()
    for number in range(50):
        assert users.authenticate(f"a{number}@example.org", "guess-guess", HOME) is None
    with pytest.raises(Problem, match="too_many_attempts"):
        users.authenticate("anna@example.org", PASSWORD, HOME)
    assert users.authenticate("anna@example.org", PASSWORD, "192.0.2.8")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)  # attempts are counted in Redis
def test_successes_do_not_use_up_attempts(app):
    sign_up()
    for _ in range(15):
        assert users.authenticate("anna@example.org", PASSWORD, HOME)


def test_attempts_expire_and_hold_no_emails(app):
    limit = Limit("test", 1, 60)
    throttle.release((limit, "anna@example.org"))
    throttle.hit((limit, "anna@example.org"))
    keys = redis_client().keys("attempts:*")
    assert all(redis_client().ttl(key) > 0 for key in keys)
    assert not any(b"anna" in key for key in keys)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)  # attempts are counted in Redis
def test_signing_in_works_without_redis(app):
    sign_up()
    app.extensions["redis"] = redis.Redis.from_url("unix:///nowhere.sock")
    for _ in range(12):
        assert users.authenticate("anna@example.org", PASSWORD, HOME)


def test_changing_the_password_signs_every_browser_out(app):
    user = sign_up()
    token = sessions.begin(user, "", "", HOME).token
    assert sessions.find(token)[1] is user
    users.change_password(user, PASSWORD, "new-new-new")
    db.session.commit()
    assert sessions.find(token) is None
    assert users.authenticate("anna@example.org", "new-new-new", HOME)
    assert users.authenticate("anna@example.org", PASSWORD, HOME) is None


def test_changing_the_password_needs_the_present_one(app):
    user = sign_up()
    with pytest.raises(Problem) as refusal:
        users.change_password(user, "another-one", "new-new-new")
    assert refusal.value.field == "present"
    with pytest.raises(Problem) as refusal:
        users.change_password(user, PASSWORD, "short")
    assert refusal.value.field == "new"


def test_the_profile(app):
    user = sign_up()
    users.update_profile(user, "Аня", "America/New_York")
    assert (user.name, user.timezone) == ("Аня", "America/New_York")
    with pytest.raises(Problem) as refusal:
        users.update_profile(user, "Аня", "Mars/Olympus")
    assert refusal.value.field == "timezone"


def test_plans_are_set_by_email(app):
    sign_up()
    assert users.set_plan("Anna@example.org", "business").plan.title == "Business"
    with pytest.raises(Problem, match="plan_unknown"):
        users.set_plan("anna@example.org", "gold")
    with pytest.raises(NotFound):
        users.set_plan("unknown@example.org", "pro")


def test_demo_users_are_made_once_and_left_alone(app):
    app.config["DEMO"] = True
    users.create_demo_users()
    users.set_plan("free@demo.vezde.ru", "pro")
    db.session.commit()
    users.create_demo_users()
    db.session.commit()
    list_users = {user.email: (user.plan_key, user.is_admin) for user in users.list_users()}
    assert list_users == {
        "free@demo.vezde.ru": ("pro", False),
        "start@demo.vezde.ru": ("start", False),
        "pro@demo.vezde.ru": ("pro", False),
        "business@demo.vezde.ru": ("business", False),
        "admin@demo.vezde.ru": ("business", True),
    }
    assert users.authenticate("admin@demo.vezde.ru", "demo-demo", HOME).is_admin


def test_a_taken_email_leaves_the_unit_of_work_as_it_is(app):
    sign_up()
    other = sign_up(email="boris@example.org")
    other.name = "Борис"
    with pytest.raises(Problem, match="email_taken"):
        users._add("anna@example.org", "hash", "Анна")
    db.session.commit()
    assert users.by_email("boris@example.org").name == "Борис"


def test_a_sign_in_that_waits_to_hash_holds_no_lock(app):
    user = sign_up()

    def enter() -> bool:
        with app.app_context(), transaction():
            return users.authenticate("anna@example.org", PASSWORD, HOME) is not None

    with ThreadPoolExecutor(1) as pool:
        with users._hashing, users._hashing:
            sign_in = pool.submit(enter)
            while not redis_client().keys("attempts:*"):
                time.sleep(0.01)
            time.sleep(0.5)
            began = time.monotonic()
            user.name = "Аня"
            db.session.commit()
            assert time.monotonic() - began < users._HASHING_SECONDS / 2
            assert not sign_in.done()
        assert sign_in.result()
