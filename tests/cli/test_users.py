import pytest

from app.services import users


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
