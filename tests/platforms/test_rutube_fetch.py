"""Rutube downloads the clip from us: what fails on our side is no verdict of Rutube's."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import requests
from werkzeug.serving import make_server

from app.db import commit, reading
from app.models import Publication, Stage, Status
from app.publishing import fetch_links
from app.publishing.lease import read
from app.services import publications
from app.services.publications import Choice
from app.storage import storage
from tests.connecting import connect
from tests.publishing.conftest import look, row, settle, wait_until

VIDEO = r"/rutube/api/video/\w{8,}/$"


@contextmanager
def web(app) -> Iterator[None]:
    address = urlsplit(app.config["PUBLIC_URL"])
    server = make_server(address.hostname, address.port, app, threaded=True)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def publication_id(app, user, ready_clip, sandbox) -> int:
    owner = user()
    connection = connect(owner, "rutube", {"token": "rutube-demo-token"})
    [one] = publications.publish(owner, ready_clip(owner).id, [Choice(connection.id, "Закат", "")])
    commit()
    return one.id


def detached(publication_id: int) -> Publication:
    """As a worker has it."""
    with reading():
        return read(Publication.id == publication_id)


def look_until(publication_id: int, condition: Callable[[], bool], looks: int = 40) -> None:
    for _ in range(looks):
        if condition():
            return
        wait_until(row(publication_id).wake_at)
        look(publication_id)
        time.sleep(0.1)  # the download goes on by itself
    raise AssertionError(f"{row(publication_id).stage} {row(publication_id).reason} {row(publication_id).detail}")


def created(sandbox) -> int:
    return len([one for one in sandbox.requests if (one["method"], one["path"]) == ("POST", "/rutube/api/video/")])


def test_a_web_that_is_down_is_waited_for(app, sandbox, publication_id):
    """Longer than all retries; no second video is made before our own link answers again."""
    look_until(publication_id, lambda: row(publication_id).stage == Stage.OUTAGE)
    for _ in range(6):
        wait_until(row(publication_id).wake_at)
        look(publication_id)
    publication = row(publication_id)
    assert (publication.status, publication.reason) == (Status.PUBLISHING, "fetch_away")
    assert (publication.attempt, created(sandbox)) == (0, 1)
    with web(app):
        done = settle(publication_id)
    assert done.status == Status.PUBLISHED, (done.reason, done.detail)
    assert created(sandbox) == 2
    [post] = sandbox.posts
    assert post["visible"]
    assert sandbox.drafts == [], "the video that could not be downloaded is deleted"


def test_a_web_that_stays_down_comes_to_an_end(app, sandbox, publication_id):
    done = settle(publication_id, looks=80)
    assert (done.status, done.reason) == (Status.FAILED, "fetch_away")
    assert sandbox.drafts == []


def test_a_storage_that_is_away_is_waited_for(app, sandbox, publication_id):
    path = storage().path(row(publication_id).clip.storage_key)
    root = path.parent.parent
    sandbox.trouble({"match": rf"PATCH {VIDEO}", "do": "status:502", "nth": 1})  # it is not done before
    with web(app):
        look(publication_id)
        root.rename(root.with_name("away"))
        link = fetch_links.new_link(detached(publication_id))
        assert requests.head(link, timeout=5).status_code == 503
        assert requests.get(link, timeout=5).status_code == 503
        root.with_name("away").rename(root)
        assert settle(publication_id).status == Status.PUBLISHED


def test_only_of_a_file_that_it_has_in_whole_rutube_has_the_last_word(app, sandbox, publication_id):
    """Fetched in pieces, out of order, by several connections, as another client may."""
    with web(app):
        publication = detached(publication_id)
        size, address = publication.clip.size, fetch_links.new_link(publication)
        assert requests.head(address, timeout=5).headers["Content-Length"] == str(size)
        for part in ("bytes=-100", "bytes=0-99", f"bytes=50-{size // 2}"):
            assert requests.get(address, headers={"Range": part}, timeout=5).status_code == 206
            assert not fetch_links.is_fetched(publication)
        requests.get(address, headers={"Range": f"bytes={size // 2}-{size - 50}"}, timeout=5)
        _soon(lambda: fetch_links.is_fetched(publication))
        newer = fetch_links.new_link(publication)
        requests.get(address, timeout=5)
        assert not fetch_links.is_fetched(publication), "a download by an older link does not count"
        requests.get(newer, timeout=5)
        _soon(lambda: fetch_links.is_fetched(publication))


def test_a_verdict_on_the_whole_file_is_final(app, sandbox, publication_id):
    sandbox.control("options", rutube_unreadable=True)
    with web(app):
        done = settle(publication_id)
    assert (done.status, done.reason) == (Status.FAILED, "rutube_failed")
    assert (done.attempt, created(sandbox)) == (0, 1)
    assert sandbox.drafts == []


def test_a_verdict_on_a_file_that_it_has_not_is_given_three_more_tries(app, sandbox, publication_id):
    """It fails each time before it has everything, while our link answers: at last that is Rutube's word."""
    sandbox.control("options", rutube_max_mb=0)
    with web(app):
        done = settle(publication_id)
    assert (done.status, done.reason, done.attempt) == (Status.FAILED, "rutube_failed", 3)
    assert created(sandbox) == 4
    assert sandbox.drafts == []


def test_a_hidden_video_that_was_deleted_meanwhile_is_made_anew(app, sandbox, publication_id):
    sandbox.control("options", processing_seconds=3600)
    with web(app):
        look_until(publication_id, lambda: fetch_links.is_fetched(detached(publication_id)))
        [draft] = sandbox.drafts
        address = f"{sandbox.url}/rutube/api/video/{draft['id']}/"
        requests.delete(address, headers={"Authorization": "Token rutube-demo-token"}, timeout=5).raise_for_status()
        sandbox.control("options", processing_seconds=0)
        done = settle(publication_id, looks=300)
    assert done.status == Status.PUBLISHED, (done.reason, done.detail)
    assert created(sandbox) == 2


def test_a_hidden_video_that_is_gone_when_it_is_revealed_is_made_anew(app, sandbox, publication_id):
    sandbox.trouble({"match": rf"PATCH {VIDEO}", "do": "status:404", "nth": 1})
    with web(app):
        done = settle(publication_id)
    assert (done.status, done.attempt) == (Status.PUBLISHED, 1)
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_bytes(b"cut")])
def test_a_missing_or_cut_file_is_told_before_rutube_is_asked_to_fetch_it(app, sandbox, publication_id, harm):
    harm(storage().path(row(publication_id).clip.storage_key))
    with web(app):
        link = fetch_links.new_link(detached(publication_id))
        assert requests.get(link, timeout=5).status_code in (404, 503)
        done = settle(publication_id)
    assert (done.status, created(sandbox)) == (Status.FAILED, 0)
    assert done.reason in ("clip_gone", "clip_changed")


def _soon(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)
