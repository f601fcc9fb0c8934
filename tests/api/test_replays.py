"""Idempotency-Key: a POST that comes twice is done once, whatever is done to the processes in between."""

import multiprocessing
import os
import signal
import threading
from datetime import timedelta

import pytest
from sqlalchemy import event

from app.db import db
from app.models import Clip, IdempotentRequest, Publication, Upload
from app.services import idempotency
from tests.api.client import Program
from tests.conftest import POSTGRESQL, SQLITE, WITHOUT_POSTGRESQL

LAST = 1000  # more writes than there are: the answer is made, and not sent
BOTH = pytest.mark.parametrize(
    "database_kind",
    [SQLITE, pytest.param(POSTGRESQL, marks=pytest.mark.skipif(WITHOUT_POSTGRESQL, reason="нужен PostgreSQL"))],
    indirect=True,
)


@pytest.fixture
def body(owner, ready_clip, telegram):
    return {"clip_id": ready_clip(owner).id, "to": [{"connection_id": telegram(owner).id}]}


def test_the_same_request_gets_the_first_answer(api, body):
    first = api.post("/publications", body, key="render-1")
    second = api.post("/publications", body, key="render-1")
    assert first.status_code == second.status_code == 201
    assert (first.data, first.content_type) == (second.data, second.content_type)
    assert "Idempotent-Replayed" not in first.headers and second.headers["Idempotent-Replayed"] == "true"
    assert db.session.query(Publication).count() == 1


def test_another_request_with_the_key_is_refused(api, body):
    api.post("/publications", body, key="render-1")
    for path, other in (("/publications", body | {"to": []}), ("/publications/batch", {"items": []})):
        answer = api.post(path, other, key="render-1")
        assert answer.status_code == 422, path
    assert api.post("/publications", body | {"to": []}, key="render-1").json["code"] == "idempotency_key_reused"


def test_a_key_is_its_users(api, program, user, body):
    api.post("/publications", body, key="render-1")
    stranger = program(user(email="anna@example.org"))
    assert stranger.post("/publications", body, key="render-1").status_code == 404


def test_a_refusal_is_looked_at_anew(api, body, owner, ready_clip):
    wrong = body | {"clip_id": body["clip_id"] + 1}
    assert api.post("/publications", wrong, key="render-1").status_code == 404
    ready_clip(owner)
    assert api.post("/publications", wrong, key="render-1").status_code == 201


def test_the_answer_is_stored_encrypted(api, app):
    wanted = {"url": "https://93.184.215.14/hook", "events": ["publication.published"]}
    first = api.post("/webhooks", wanted, key="hook-1")
    secret = first.json["secret"]
    assert secret and secret not in db.session.query(IdempotentRequest).one().body
    assert api.post("/webhooks", wanted, key="hook-1").json["secret"] == secret
    app.config["SECRET_KEY"] = "another-" * 8
    lost = api.post("/webhooks", wanted, key="hook-1")
    assert (lost.status_code, lost.json["code"]) == (409, "idempotency_answer_lost")


def test_after_a_day_the_key_is_free(api, body):
    api.post("/publications", body, key="render-1")
    row = db.session.query(IdempotentRequest).one()
    row.created_at -= idempotency.KEPT + timedelta(minutes=1)
    db.session.commit()
    assert api.post("/publications", body, key="render-1").status_code == 409  # the clip is live there
    idempotency.sweep()
    db.session.commit()
    assert db.session.query(IdempotentRequest).count() == 0


@pytest.mark.parametrize("key", [" ", "a ", "a" * 256, "ключ".encode().decode("latin-1"), "a\tb"])
def test_a_malformed_key(api, body, key):
    answer = api.post("/publications", body, key=key)
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_malformed")


@BOTH
def test_of_ten_at_once_one_is_done(app, api, body):
    """Each other one gets the same answer, or on PostgreSQL, where it does not wait, is told to ask again."""
    barrier, answers = threading.Barrier(10), []

    def send() -> None:
        mine = Program(app, api.secret)
        barrier.wait()
        with app.app_context():
            answers.append(mine.post("/publications", body, key="render-1"))

    db.session.commit()  # the test's own transaction has SQLite's write lock
    threads = [threading.Thread(target=send) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = sorted(one.status_code for one in answers)
    assert set(codes) <= {201, 409} and 201 in codes
    for one in answers:
        assert one.status_code == 201 or one.json["code"] == "idempotency_under_way"
        assert one.status_code == 201 or one.headers["Retry-After"] == "1"
    assert len({one.data for one in answers if one.status_code == 201}) == 1
    assert db.session.query(Publication).count() == 1
    assert api.post("/publications", body, key="render-1").headers["Idempotent-Replayed"] == "true"


def _send_and_die(app, api, body: dict, at: int) -> None:
    """The process ends itself before its n-th write; 0: at the commit."""
    writes = 0
    with app.app_context():
        db.engine.dispose(close=False)  # the connections are the parent's

        @event.listens_for(db.engine, "before_cursor_execute")
        def _count(_connection, _cursor, statement, *_more) -> None:
            nonlocal writes
            writes += statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))
            if writes == at:
                os.kill(os.getpid(), signal.SIGKILL)

        @event.listens_for(db.engine, "commit")
        def _committing(_connection) -> None:
            if at == 0 and writes:
                os.kill(os.getpid(), signal.SIGKILL)

        api.post("/publications", body, key="render-1")
        os.kill(os.getpid(), signal.SIGKILL)


@BOTH
def test_a_process_that_is_killed_at_any_write_leaves_all_or_nothing(app, api, body):
    """Before each of its writes, at the commit, and between the commit and the answer: then the retry gets that."""
    api.get("/me")  # the key's last use is written: one write less in the processes
    for at in (1, 2, 3, 4, 5, 0, LAST):
        db.session.rollback()
        process = multiprocessing.get_context("fork").Process(target=_send_and_die, args=(app, api, body, at))
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        made, kept = db.session.query(Publication).count(), db.session.query(IdempotentRequest).count()
        assert made == kept == (at == LAST), at
    first = api.post("/publications", body, key="render-1")
    assert first.status_code == 201 and first.headers["Idempotent-Replayed"] == "true"
    assert db.session.query(Publication).count() == 1


def upload(api, key="file-1", data=b"x" * 100, **more):
    return api.post("/clips", data=data, content_type="video/mp4", key=key, **more)


def test_a_file_that_comes_twice_is_one_clip(api):
    first, second = upload(api), upload(api)
    assert first.status_code == 201 and first.data == second.data
    assert second.headers["Location"] == first.headers["Location"]
    assert db.session.query(Clip).count() == 1
    assert upload(api, data=b"x" * 101).json["code"] == "idempotency_key_reused"


def test_a_file_whose_request_was_lost_begins_anew(app, api, owner):
    """The process ended while the bytes came: the upload and its note are there, and nobody writes to it."""
    promised = {"CONTENT_LENGTH": "200"}
    assert upload(api, environ_overrides=promised).status_code == 503
    assert db.session.query(IdempotentRequest).count() == 0, "a request that is told so is not under way"
    from app.api import clip_uploads

    def die(*_arguments):
        raise KeyboardInterrupt

    original, clip_uploads._receive = clip_uploads._receive, die
    try:
        with pytest.raises(KeyboardInterrupt):
            upload(api)
    finally:
        clip_uploads._receive = original
    [lost] = db.session.query(Upload)
    answer = upload(api)
    assert (answer.status_code, answer.json["code"]) == (409, "idempotency_under_way"), "its bytes came a moment ago"
    from app.services import upload_files

    os.utime(upload_files.path(lost.id), (0, 0))
    assert upload(api).status_code == 201
    assert db.session.query(Clip).count() == 1
    assert db.session.query(Upload).filter_by(clip_id=None).count() == 0
