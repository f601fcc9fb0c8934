"""Health, readiness and figures, and access to them."""

import pytest
import redis

from app import create_app
from app.db import db
from app.models import Heartbeat
from app.services import heartbeats

TOKEN = "scrape-scrape-scrape"


@pytest.fixture
def elsewhere(environment):
    """Clients of applications with another environment."""
    made = []

    def make(**settings):
        app = create_app({**environment, **settings})
        made.append(app)
        return app.test_client()

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()


def test_ready(client):
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"database": "ok", "redis": "ok", "storage": "ok"})


@pytest.mark.parametrize(
    ("part", "settings"),
    [
        ("database", {"DATABASE_URL": "postgresql://vezde:s3cret@127.0.0.1:9/vezde"}),
        ("redis", {"REDIS_URL": "redis://:s3cret@127.0.0.1:9/0"}),
        ("storage", {"STORAGE_URL": "s3://clips?endpoint=http://127.0.0.1:9", "AWS_SECRET_ACCESS_KEY": "s3cret"}),
        ("storage", {"STORAGE_URL": "file:/sys/vezde"}),
    ],
)
def test_what_is_down_is_named_and_nothing_else_is_shown(elsewhere, part, settings):
    answer = elsewhere(**{"AWS_ACCESS_KEY_ID": "key", **settings}).get("/readyz")
    assert answer.status_code == 503
    assert [name for name, state in answer.json.items() if state != "ok"] == [part]
    assert "s3cret" not in answer.text and "127.0.0.1" not in answer.text and "/sys" not in answer.text


def test_figures_are_for_the_token_and_for_admins(elsewhere, client, user, sign_in):
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401
    assert sign_in(user()).get("/metrics").status_code == 401
    assert sign_in(user(is_admin=True)).get("/metrics").status_code == 200
    scraper = elsewhere(METRICS_TOKEN=TOKEN)
    assert scraper.get("/metrics").status_code == 401
    assert scraper.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 401
    answer = scraper.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain")


def test_figures(app, user, sign_in):
    heartbeats.Pulse("worker").beat()
    text = sign_in(user(is_admin=True)).get("/metrics").text
    for line in (
        'vezde_publications{status="published"} 0.0',
        'vezde_workers_alive{kind="worker"} 1.0',
        'vezde_workers_alive{kind="scheduler"} 0.0',
        'vezde_queue_length{queue="publish"} 0.0',
        "vezde_redis_up 1.0",
        "vezde_oldest_due_seconds 0.0",
        'vezde_ended_24h{outcome="failed",platform="vk"} 0.0',
    ):
        assert line in text.splitlines(), line


def test_workers_are_counted_though_redis_is_wiped(app, user, sign_in):
    heartbeats.Pulse("worker").beat()
    redis.Redis.from_url(app.config["REDIS_URL"]).flushall()
    assert 'vezde_workers_alive{kind="worker"} 1.0' in sign_in(user(is_admin=True)).get("/metrics").text
    assert db.session.query(Heartbeat).count() == 1


def test_figures_without_redis(elsewhere):
    scraper = elsewhere(METRICS_TOKEN=TOKEN, REDIS_URL="redis://127.0.0.1:9/0")
    text = scraper.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    assert "vezde_redis_up 0.0" in text
    assert "vezde_queue_length" not in text


def test_every_answer_has_an_id(client):
    first, second = (client.get("/sign-in").headers["X-Request-ID"] for _ in range(2))
    assert first != second
    assert client.get("/nowhere").headers["X-Request-ID"]
    assert client.patch("/uploads/x").headers["X-Request-ID"]
    assert (
        client.get("/healthz", headers={"X-Request-ID": "from-a-proxy-1"}).headers["X-Request-ID"] == "from-a-proxy-1"
    )
    forged = client.get("/healthz", headers={"X-Request-ID": "not an id"}).headers["X-Request-ID"]
    assert forged != "not an id"


@pytest.mark.parametrize(("proxies", "locked_out"), [("0", True), ("1", False)])
def test_a_client_behind_a_proxy_has_its_own_address(elsewhere, proxies, locked_out):
    """Otherwise one client's attempts would lock all others out. What a client claims itself does not count."""
    client = elsewhere(TRUSTED_PROXIES=proxies)
    client.application.config["WTF_CSRF_ENABLED"] = False
    for number in range(51):
        form = {"email": f"unknown{number}@example.org", "password": "wrong-wrong"}
        headers = {"X-Forwarded-For": f"6.6.6.6, 192.0.2.{number}"}
        answer = client.post("/sign-in", data=form, headers=headers)
    assert ("Почта или пароль не подходят" not in answer.text) is locked_out
