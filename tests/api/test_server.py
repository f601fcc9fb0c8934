"""The API as it is served: a large file in one request, its process killed while the bytes come, and a wrong key."""

import os
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from app.db import db
from app.models import Clip, IdempotentRequest, Upload
from app.services import upload_files
from tests.webserver import Server

MIB = 1 << 20
FILE = bytes(8 * MIB)


@pytest.fixture
def server(environment):
    one = Server(environment)
    yield one
    one.close()


class SlowFile:
    """With a length: the API takes none without."""

    def __len__(self) -> int:
        return len(FILE)

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, len(FILE), MIB):
            yield FILE[at : at + MIB]
            time.sleep(0.5)


def first_bytes() -> str:
    """Of the upload whose bytes have begun to come; the test's transaction is over then, and with it SQLite's lock."""
    while True:
        ids = db.session.scalars(db.select(Upload.id)).all()
        db.session.rollback()
        if ids and upload_files.received(ids[0])[0]:
            return ids[0]
        time.sleep(0.05)


def test_a_large_file_in_one_request_and_a_process_that_is_killed(api, server):
    address = f"{server.url}/api/v1/clips?file_name=large.mp4"
    headers = {"Authorization": f"Bearer {api.secret}", "Content-Type": "video/mp4", "Idempotency-Key": "file-1"}

    def send(body=FILE, **more: str) -> requests.Response:
        return requests.post(address, headers=headers | more, data=body, timeout=60)

    wrong = send(Authorization="Bearer vz_x")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "api_key_wrong")
    lost: list[requests.Response | Exception] = []

    def send_slowly() -> None:
        try:
            lost.append(send(SlowFile()))
        except requests.ConnectionError as error:
            lost.append(error)

    thread = threading.Thread(target=send_slowly)
    thread.start()
    upload_id = first_bytes()
    again = send()
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_under_way")
    server.kill()
    thread.join()
    assert isinstance(lost[0], Exception)
    os.utime(upload_files.path(upload_id), (0, 0))  # two minutes later
    server.start()
    made, same = send(), send()
    assert made.status_code == same.status_code == 201, made.text
    assert same.json() == made.json() and same.headers["Idempotent-Replayed"] == "true"
    assert db.session.query(Clip).count() == 1
    assert db.session.query(Upload).filter_by(clip_id=None).count() == 0
    assert db.session.query(IdempotentRequest).one().http_status == 201
