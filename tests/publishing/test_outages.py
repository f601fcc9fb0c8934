"""Our own outages: they use up none of the tries that are meant for the platform, and come to an end."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app import clock
from app.db import commit, db
from app.models import Publication, PublicationEvent, Stage, Status
from app.publishing import engine, outcomes
from app.services import retries
from app.storage import storage
from tests import conftest
from tests.postgres import Postgres
from tests.publishing.conftest import look, row, settle, wait_until
from tests.publishing.toy import ToyServer
from tests.s3 import KEY, SECRET, S3Server
from tests.shared_app import migrate

# More than all pauses together with which a write used to be tried again.
OUTAGE_SECONDS = 18


@pytest.fixture
def folder(app) -> Path:
    return Path(app.config["STORAGE_URL"].removeprefix("file:"))


@pytest.fixture
def clip_path(app) -> Callable[[int], Path]:
    return lambda publication_id: storage().path(row(publication_id).clip.storage_key)


# The clip storage


@pytest.mark.parametrize("mount_point", [False, True])
def test_a_storage_that_is_away_is_waited_for(toy, toy_publication, folder, mount_point):
    publication_id = toy_publication()
    away = folder.rename(folder.with_name("away"))
    if mount_point:
        folder.mkdir()
    for _ in range(8):  # more than there are retries
        wait_until(row(publication_id).wake_at)
        look(publication_id)
    publication = row(publication_id)
    assert (publication.status, publication.attempt) == (Status.PUBLISHING, 0)
    assert (publication.stage, publication.reason) == (Stage.STORAGE, "storage_away")
    away.rename(folder)
    done = settle(publication_id)
    assert (done.status, done.reason, done.attempt) == (Status.PUBLISHED, None, 0)
    assert toy.posts == {"1": 1}
    assert toy.calls["create"] == 1
    kinds = [one.kind for one in db.session.query(PublicationEvent).filter_by(publication_id=publication_id)]
    assert kinds.count("outage") == 1


def test_a_storage_that_stays_away_comes_to_an_end(app, toy, toy_publication, folder):
    publication_id = toy_publication()
    began = clock.now()
    folder.rename(folder.with_name("away"))
    done = settle(publication_id)
    assert (done.status, done.reason) == (Status.FAILED, "storage_away")
    late = timedelta(minutes=app.config["LATE_MINUTES"])
    assert late < clock.now() - began < 1.5 * late


def test_waiting_again_after_a_long_outage_begins_anew(user, toy, toy_publication, folder):

    owner = user()
    publication_id = toy_publication(owner)
    away = folder.rename(folder.with_name("away"))
    assert settle(publication_id).status == Status.FAILED
    retries.retry(owner, publication_id)
    commit()
    look(publication_id)
    assert row(publication_id).stage == Stage.STORAGE
    away.rename(folder)
    assert settle(publication_id).status == Status.PUBLISHED


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda path: path.unlink(), "clip_gone"),
        (lambda path: path.write_bytes(b""), "clip_changed"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "clip_changed"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "clip_changed"),
        (lambda path: path.write_bytes(bytes(path.stat().st_size)), "clip_changed"),
    ],
    ids=["missing", "empty", "cut", "longer", "other"],
)
def test_a_file_that_is_not_the_clip_has_a_reason_of_its_own(toy, toy_publication, clip_path, harm, reason):
    publication_id = toy_publication()
    harm(clip_path(publication_id))
    done = settle(publication_id)
    assert (done.status, done.reason) == (Status.FAILED, reason)
    assert toy.posts == {}
    assert not any(toy.drafts.values()), "no upload was completed"


def test_a_file_that_is_cut_in_the_middle_of_an_upload(app, user, ready_clip, heavy_file, toy, toy_publication):
    from app.platforms.errors import Refused
    from app.publishing.clip_file import clip_file

    clip = ready_clip(user(), source=heavy_file)
    path = storage().path(clip.storage_key)
    with clip_file(Publication(clip=clip)).open() as file:
        file.read(1 << 20)
        with path.open("r+b") as other:
            other.truncate(clip.size // 2)
        with pytest.raises(Refused) as refused:
            while file.read(1 << 20):
                continue
    assert refused.value.reason == "clip_changed"


class TestBucket:
    """One of its own, since it is stopped."""

    @pytest.fixture
    def s3(self) -> Iterator[S3Server]:
        server = S3Server()
        yield server
        server.stop()

    @pytest.fixture
    def environment(self, environment, s3):
        return {**environment, "STORAGE_URL": s3.bucket(), "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}

    @pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
    def test_a_bucket_that_is_away_or_gone_is_waited_for(self, toy, toy_publication, s3):
        publication_id = toy_publication()
        s3.stop()
        look(publication_id)
        assert (row(publication_id).stage, row(publication_id).attempt) == (Stage.STORAGE, 0)
        s3.start()  # as moto keeps nothing, without the bucket
        wait_until(row(publication_id).wake_at)
        look(publication_id)
        assert (row(publication_id).stage, row(publication_id).attempt) == (Stage.STORAGE, 0)


# The database


@pytest.mark.skipif(conftest.WITHOUT_POSTGRESQL, reason="нужен PostgreSQL: apt install postgresql")
class TestDatabase:
    """One of its own, since it is stopped."""

    @pytest.fixture
    def server(self) -> Iterator[Postgres]:
        server = Postgres()
        yield server
        server.remove()

    @pytest.fixture
    def environment(self, environment, server):
        own = {**environment, "DATABASE_URL": server.create("own")}
        migrate(own)
        return own

    @pytest.mark.parametrize("database_kind", [conftest.SQLITE], indirect=True)
    def test_an_answer_outlives_the_outage(self, app, server, toy: ToyServer, toy_publication):
        """What the platform has answered meanwhile is neither asked for again nor counted as a failed try."""

        def advance() -> None:
            with app.app_context():
                engine.advance(publication_id)

        publication_id = toy_publication()
        held = toy.hold("publish")
        db.session.remove()
        worker = threading.Thread(target=advance, daemon=True)
        worker.start()
        assert held.arrived.wait(20)
        server.stop()
        held.let_go()
        time.sleep(OUTAGE_SECONDS)
        server.start()
        worker.join(60)
        done = settle(publication_id)
        assert (done.status, done.attempt) == (Status.PUBLISHED, 0)
        assert (toy.calls["create"], toy.calls["publish"]) == (1, 1)
        kinds = [one.kind for one in db.session.query(PublicationEvent).filter_by(publication_id=publication_id)]
        assert kinds.count("accepted") == 1
        assert "answer_lost" not in kinds


# Keys


def test_a_token_that_cannot_be_opened_uses_up_no_try(toy, toy_publication):
    """A worker that was started without the key: with the key it goes on."""
    publication_id = toy_publication()
    connection = row(publication_id).connection
    sealed, connection.sealed_token = connection.sealed_token, b"rubbish"
    db.session.commit()
    for _ in range(6):
        wait_until(row(publication_id).wake_at)
        look(publication_id)
    assert (row(publication_id).stage, row(publication_id).attempt) == (Stage.OUTAGE, 0)
    row(publication_id).connection.sealed_token = sealed
    db.session.commit()
    assert settle(publication_id).status == Status.PUBLISHED


# Questions


@pytest.mark.parametrize("answer", [429, 500, 0])
def test_failed_questions_use_up_no_try(toy, toy_publication, answer):
    toy.answers = {"publish": [0], "posts": [answer] * 6}
    publication_id = toy_publication()
    done = settle(publication_id)
    assert (done.status, done.attempt) == (Status.PUBLISHED, 0)
    assert toy.posts == {"1": 1}


def test_a_refresh_that_fails_while_the_platform_is_to_be_asked_uses_up_no_try(user, toy, toy_publication):
    from app.platform_access import tokens
    from app.platforms.base import Token

    publication_id = toy_publication()
    connection = row(publication_id).connection
    tokens.seal_token(connection, Token("toy-token", "refresh-0"))
    db.session.commit()
    toy.answers = {"publish": [0], "posts": [401] * 5, "refresh": [500] * 5}
    done = settle(publication_id)
    assert (done.status, done.attempt) == (Status.PUBLISHED, 0)
    assert toy.calls["publish"] == 1


@pytest.mark.parametrize("answer", [429, 500])
def test_a_platform_that_cannot_be_asked_for_long_is_for_the_user(toy, toy_publication, answer):
    toy.answers = {"publish": [0], "posts": [answer] * 99}
    publication_id = toy_publication()
    began = clock.now()
    done = settle(publication_id)
    assert done.status == Status.UNCONFIRMED
    assert clock.now() - began < 1.5 * outcomes.LONGEST_QUESTION
    assert toy.calls["publish"] == 1


def test_tries_for_sending_are_left_after_failed_questions(toy, toy_publication):
    """The platform did not do it, could not be asked for a while, and then takes it."""
    toy.answers = {"publish": [503], "posts": [500] * 5}
    publication_id = toy_publication()
    done = settle(publication_id)
    assert (done.status, done.attempt) == (Status.PUBLISHED, 1)
    assert toy.posts == {"1": 1}
