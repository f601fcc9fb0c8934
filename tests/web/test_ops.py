"""«Управление» and the queues: for admins, to look at."""

import pickle
import re

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from app import clock, create_app
from app.db import db
from app.models import Publication, Status
from app.services import heartbeats, sessions

PAGES = [
    "/ops",
    "/ops/queues/",
    "/ops/queues/0/view/jobs",
    "/ops/queues/0/view/workers",
    "/ops/queues/0/data/queues.json",
]


@pytest.fixture
def admin(user, sign_in):
    return sign_in(user(is_admin=True))


@pytest.mark.parametrize("path", [*PAGES, "/ops/queues/requeue/publish", "/ops/queues/static/css/main.css"])
def test_to_others_they_do_not_exist(client, user, sign_in, path):
    browser = sign_in(user())
    assert browser.get(path).status_code == 404
    assert client.get(path).location.startswith("/sign-in")
    assert "Управление" not in browser.get("/").text


@pytest.mark.parametrize("path", PAGES)
def test_admins_see_them(admin, path):
    assert admin.get(path).status_code == 200
    assert "Управление" in admin.get("/").text


def test_missing_workers_are_shown(admin):
    assert "Ни одного живого работника" in admin.get("/ops").text
    heartbeats.Pulse("worker").beat()
    page = admin.get("/ops").text
    assert "Ни одного живого работника" not in page
    assert "Расписание не работает" in page


def test_what_waits_is_named_by_number_only(admin, user):
    owner = user(email="secret@example.org")
    one = Publication(
        user_id=owner.id,
        platform="vk",
        account_id="1",
        account_name="Тайный аккаунт",
        title="Тайный клип",
        status=Status.PUBLISHING,
        stage="queued",
        due_at=clock.now(),
        wake_at=clock.now(),
    )
    db.session.add(one)
    db.session.commit()
    page = admin.get("/ops").text
    assert re.search(rf'<th scope="row">{one.id}</th>\s*<td>VK</td>\s*<td>Публикация..., в очереди</td>', page)
    assert "Тайный" not in page and "secret@" not in page


def test_the_queues_jobs_are_readable(app, admin):
    connection = redis.Redis.from_url(app.config["REDIS_URL"])
    job = Queue("publish", connection=connection, serializer=JSONSerializer).enqueue("app.jobs.publish", 7)
    assert admin.get("/ops/queues/0/data/queues.json").json["queues"][0]["count"] == 1
    jobs = admin.get("/ops/queues/0/data/jobs/publish/queued/8/asc/1.json").json["jobs"]
    assert [(one["id"], one["description"]) for one in jobs] == [(job.id, "app.jobs.publish(7)")]
    assert admin.get(f"/ops/queues/0/data/job/{job.id}.json").json["description"] == "app.jobs.publish(7)"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/ops/queues/requeue/publish"),
        ("POST", "/ops/queues/requeue/publish"),
        ("POST", "/ops/queues/queue/publish/queued/empty"),
        ("POST", "/ops/queues/queue/publish/compact"),
        ("POST", "/ops/queues/job/x/delete"),
        ("POST", "/ops/queues/job/x/requeue"),
    ],
)
def test_nothing_can_be_changed_there(app, admin, method, path):
    connection = redis.Redis.from_url(app.config["REDIS_URL"])
    queue = Queue("publish", connection=connection, serializer=JSONSerializer)
    queue.enqueue("app.jobs.publish", 7)
    assert admin.open(path, method=method).status_code == 405
    assert queue.count == 1


def test_its_scripts_run_by_nonce_alone(admin):
    page = admin.get("/ops/queues/")
    policy = page.headers["Content-Security-Policy"]
    nonce = re.search(r"'nonce-([\w-]+)'", policy)[1]
    assert "'unsafe-inline'" not in policy.partition("style-src")[0]
    assert page.text.count("<script") == page.text.count(f'<script nonce="{nonce}"')
    assert nonce not in admin.get("/ops/queues/").text
    assert "unsafe" not in admin.get("/ops").headers["Content-Security-Policy"]


def test_without_redis_only_the_queues_are_missing(environment, user):
    one = user(is_admin=True)
    token = sessions.begin(one, "", "", "").token
    db.session.commit()
    app = create_app({**environment, "REDIS_URL": "redis://127.0.0.1:9/0"})
    browser = app.test_client()
    with browser.session_transaction() as session:
        session["_user_id"], session["token"] = one.get_id(), token
    assert "Redis не отвечает" in browser.get("/ops").text
    answer = browser.get("/ops/queues/0/view/workers")
    assert (answer.status_code, "Очередь задач не отвечает" in answer.text) == (503, True)
    with app.app_context():
        db.engine.dispose()


def test_a_foreign_job_is_neither_unpickled_nor_an_error(app, admin, tmp_path):
    connection = redis.Redis.from_url(app.config["REDIS_URL"])
    marker = tmp_path / "marker"
    evil = pickle.dumps(Touches(marker))
    queue = Queue("publish", connection=connection, serializer=JSONSerializer)
    by_meta, by_data = (queue.enqueue("app.jobs.publish", 7) for _ in range(2))
    connection.hset(by_meta.key, mapping={"meta": evil, "result": evil})
    connection.hset(by_data.key, mapping={"data": evil, "meta": evil})
    # As if a worker were at it.
    connection.sadd("rq:workers", "rq:worker:one")
    connection.hset("rq:worker:one", mapping={"queues": "publish", "pid": 1})
    connection.sadd("rq:worker:one:executions", f"{by_data.id}:1")
    connection.hset(f"rq:execution:{by_data.id}:1", mapping={"created_at": 1, "last_heartbeat": 1})
    connection.zadd("rq:wip:publish", {f"{by_data.id}:1": 9e9})
    for path in ("view/workers", "data/workers.json", "data/queues.json", "data/job/bad%20id.json", "view/job/gone"):
        assert admin.get(f"/ops/queues/0/{path}").status_code in (200, 404), path
    for job in (by_meta, by_data):
        assert admin.get(f"/ops/queues/0/view/job/{job.id}").status_code == 404
        assert admin.get(f"/ops/queues/0/data/job/{job.id}.json").status_code == 404
    for registry in ("queued", "started"):
        assert admin.get(f"/ops/queues/0/data/jobs/publish/{registry}/8/asc/1.json").status_code == 200
    assert not marker.exists()


class Touches:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")
