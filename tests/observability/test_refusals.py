"""What no honest client does is told apart in the log, and counted in /metrics for all processes."""

import ast
from pathlib import Path

import pytest

from app.observability import refusals
from app.platforms.errors import Refused
from app.platforms.http.client import Http
from app.problems import NotFound, Problem
from app.publishing import fetch_links
from app.queue.wake_ups import WakeUp
from app.redis_client import redis_client
from app.services import recovery, throttle, users
from app.services.throttle import Limit

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
        if keyword.arg == "refusal"
    }
    assert used == set(refusals.KINDS)
