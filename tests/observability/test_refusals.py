"""What honest clients do seldom or never is told apart in the log, and counted in /metrics for all processes."""

import ast
from pathlib import Path

import pytest

from app.models.user import DEMO_DOMAIN
from app.observability import refusals
from app.platforms.errors import Refused
from app.platforms.http.client import Http
from app.problems import NotFound, Problem
from app.publishing import fetch_links
from app.queue.wake_ups import WakeUp
from app.redis_client import redis_client
from app.services import passkeys, recovery, second_factor, throttle, users
from app.services.throttle import Limit
from tests import codes
from tests.authenticator import Authenticator

APP = Path(__file__).parents[2] / "app"


def foreign_job() -> None:
    redis_client().hset("rq:job:evil", "data", b"x")
    with pytest.raises(Exception, match="evil"):
        WakeUp.fetch("evil", redis_client())


def too_often() -> None:
    limit = Limit("test", 0, 60)
    with pytest.raises(Problem):
        throttle.hit((limit, "x"))


def inside() -> None:
    with pytest.raises(Refused):
        Http(lambda *_: None).request("GET", "file:///etc/passwd")


def forged() -> None:
    assert fetch_links.opened("forged") is None
    with pytest.raises(NotFound):
        recovery.user_of("forged")


@pytest.mark.parametrize(
    ("kind", "happens", "times"),
    [
        ("foreign_job", foreign_job, 1),
        ("limit", too_often, 1),
        ("forbidden_address", inside, 1),
        ("forged_link", forged, 2),
        ("password", lambda: users.authenticate("b@example.org", "x", ""), 1),
    ],
)
def test_each_is_counted(app, kind, happens, times):
    happens()
    assert refusals.totals() == dict.fromkeys(refusals.KINDS, 0) | {kind: times}


@pytest.fixture
def anna(app, user):
    app.config["PUBLIC_URL"] = "http://localhost"  # passkeys are for hosts with a name
    return user()


@pytest.mark.parametrize("right", [True, False])
def test_each_wrong_code_is_counted_once(anna, right):
    key, recovery = codes.set_up(anna)
    for code in [codes.at(key), recovery[0]] if right else ["000000", "abcd-efgh"]:
        assert second_factor.is_right(anna, code) == right
    assert refusals.totals()["code"] == (0 if right else 2)


def test_each_refused_passkey_is_counted_once(anna):
    passkeys.begin_adding(anna, "browser")
    key = Authenticator()
    assert passkeys.add(anna, "browser", "Ключ", "{}") is None
    passkeys.begin_adding(anna, "browser")
    assert passkeys.add(anna, "browser", "Ключ", key.create(passkeys.adding_options(anna, "browser")))
    assert refusals.totals()["passkey"] == 1

    for refused, browser, origin in (
        (0, "browser", None),
        (1, "another", None),
        (1, "browser", "https://evil.example"),
    ):
        before = refusals.totals()["passkey"]
        changed = {"origin": origin} if origin else {}
        signs_in = key.get(passkeys.sign_in_options("browser", "192.0.2.1"), **changed)
        proves = key.get(passkeys.proof_options(anna, "browser"), **changed)
        assert (passkeys.sign_in(browser, "192.0.2.1", signs_in) is None) == bool(refused)
        assert passkeys.is_right(anna, browser, proves) != bool(refused)
        assert refusals.totals()["passkey"] == before + 2 * refused
    assert refusals.totals()["code"] == 0


def test_a_passkey_of_a_closed_account_is_counted(app, anna):
    passkeys.begin_adding(anna, "browser")
    key = Authenticator()
    assert passkeys.add(anna, "browser", "Ключ", key.create(passkeys.adding_options(anna, "browser")))
    anna.email = f"anna@{DEMO_DOMAIN}"
    options = passkeys.sign_in_options("browser", "192.0.2.1")
    app.config["DEMO"] = False
    assert passkeys.sign_in("browser", "192.0.2.1", key.get(options)) is None
    assert refusals.totals()["passkey"] == 1


def test_codes_after_too_many_are_counted_as_such(anna):
    codes.set_up(anna)
    for _ in range(second_factor.MAX_FAILURES):
        second_factor.is_right(anna, "000000")
    with pytest.raises(Problem):
        second_factor.is_right(anna, "000000")
    assert (refusals.totals()["code"], refusals.totals()["limit"]) == (second_factor.MAX_FAILURES, 1)


def test_a_wrong_password_for_figures_is_counted(app, client):
    app.config["METRICS_TOKEN"] = "right"
    for given, status in (("Bearer right", 200), ("Bearer wrong", 401), (None, 401)):
        headers = {"Authorization": given} if given else {}
        assert client.get("/metrics", headers=headers).status_code == status
    assert refusals.totals()["metrics_token"] == 1


def test_a_form_without_its_token_is_counted_and_shown(app, user, sign_in, caplog):
    admin = user(is_admin=True)
    browser, admin_id = sign_in(admin), admin.id
    del browser.environ_base["HTTP_X_CSRFTOKEN"]
    browser.post("/sign-out")
    browser.post("/uploads", headers={"Tus-Resumable": "1.0.0"})
    assert 'vezde_refusals_total{kind="csrf"} 2.0' in browser.get("/metrics").text
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert [line["address"] for line in lines if line.get("refusal") == "csrf"] == ["127.0.0.1"] * 2
    assert [line for line in lines if line["event"] == "request"][-1]["user"] == admin_id


def test_every_kind_is_known():
    used = {
        keyword.value.value
        for file in APP.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "refusal" and isinstance(keyword.value, ast.Constant)
    }
    assert used == set(refusals.KINDS)
