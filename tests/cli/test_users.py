from datetime import timedelta

import pytest

from app import clock
from app.db import db
from app.models import Publication, Status
from app.services import users
from tests.asking import clip, connection, publication


@pytest.fixture
def run(command):
    return lambda *arguments, **more: command("users", *arguments, **more)


@pytest.fixture
def anna(user):
    return user(plan="free", email="anna@example.org")


def test_list(run, anna):
    assert "anna@example.org\tfree" in run("list").output


def test_plan(run, anna):
    result = run("plan", "anna@example.org", "pro")
    assert (result.exit_code, result.output) == (0, "anna@example.org: тариф Pro\n")
    assert users.by_email("anna@example.org").plan_key == "pro"


def test_a_smaller_plan_says_what_does_not_go_out_and_a_larger_one_what_can_come_back(run, user):
    boris = user(plan="pro", email="boris@example.org")
    place, due_at = connection(boris, "-1001"), clock.now() + timedelta(days=1)
    waiting = {"status": Status.SCHEDULED, "due_at": due_at, "wake_at": due_at, "published_at": None}
    db.session.add_all(publication(clip(boris, str(number)), place, **waiting) for number in range(3))
    db.session.commit()
    preview = run("plan", "boris@example.org", "start", "--preview").output
    assert preview == "boris@example.org: не выйдут запланированные публикации: 3 (Telegram — 3)\n"
    assert users.by_email("boris@example.org").plan_key == "pro"
    assert run("plan", "boris@example.org", "start").output == (
        "boris@example.org: тариф Start\nОтменены запланированные публикации: 3 (Telegram — 3)\n"
    )
    db.session.rollback()
    assert {one.status for one in db.session.query(Publication)} == {Status.CANCELLED}
    assert run("plan", "boris@example.org", "pro").output == (
        "boris@example.org: тариф Pro\nПользователь может вернуть запланированные публикации: 3\n"
    )
    assert run("plan", "boris@example.org", "free", "--preview").output.endswith(": 0\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("plan", "unknown@example.org", "pro"), "Нет пользователя с почтой unknown@example.org"),
        (("plan", "anna@example.org", "gold"), "Нет тарифа «gold». Есть: free, start, pro, business."),
        (("admin", "unknown@example.org"), "Нет пользователя"),
        (("password", "anna@example.org", "--password", "short"), "Пароль слишком короткий"),
        (("add", "anna@example.org", "--name", "Анна", "--password", "parol-parol"), "уже есть"),
        (("add", "b@example.org", "--name", "Б", "--password", "parol-parol", "--plan", "gold"), "Нет тарифа"),
        (("add", "nonsense", "--name", "Б", "--password", "parol-parol"), "не похоже на почту"),
    ],
)
def test_errors_are_a_sentence_and_an_exit_code(run, anna, arguments, text):
    result = run(*arguments)
    assert result.exit_code == 1
    assert text in result.output


def test_add_admin_and_password(run):
    assert run("add", "b@example.org", "--plan", "start", input="Борис\nparol-parol\nparol-parol\n").exit_code == 0
    assert run("admin", "b@example.org").exit_code == 0
    assert run("password", "b@example.org", input="drugoy-parol\ndrugoy-parol\n").exit_code == 0
    boris = users.authenticate("b@example.org", "drugoy-parol", "192.0.2.7")
    assert (boris.name, boris.plan_key, boris.is_admin) == ("Борис", "start", True)
