"""Events: one row in the transaction of the change, read in order and once by each consumer."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, delete
from sqlalchemy.exc import OperationalError

from app import clock
from app.db import db
from app.models import Clip, Event, Notification, Publication, Status, User, record_event
from app.models.event import KEPT, KEPT_UNREAD, LONGEST_TRANSACTION, consume, sweep
from app.platform_access import tokens
from app.publishing import state_machine
from app.services import clips, publications, retries
from tests import probing
from tests.publishing.conftest import at_work, look, wait_until
from tests.web.test_clips import publish


@pytest.fixture
def owner(user) -> User:
    return user()


def events() -> list[Event]:
    db.session.rollback()
    return db.session.query(Event).order_by(Event.id).populate_existing().all()


def kinds() -> list[str]:
    return [event.kind for event in events() if not event.kind.startswith("clip.")]


# Written


def test_each_change_of_status_is_an_event(toy, toy_publication):
    toy.answers = {"publish": [400]}
    publication_id = toy_publication()
    look(publication_id)
    owner = db.session.get(User, events()[0].user_id)
    retries.retry(owner, publication_id)
    db.session.commit()
    look(publication_id)
    assert kinds() == [f"publication.{what}" for what in ("started", "failed", "started", "published")]
    failed, published = events()[-3], events()[-1]
    assert failed.data["reason"] == "refused" and published.data["reason"] is None
    assert published.data["fence"] > failed.data["fence"]
    one = db.session.get(Publication, publication_id)
    assert published.data["url"] == one.url is not None
    assert (published.data["platform"], published.data["account"]) == ("toy", "Игрушка")
    assert (published.publication_id, published.clip_id, published.connection_id) == (
        publication_id,
        one.clip_id,
        one.connection_id,
    )


def test_so_is_what_is_scheduled_and_cancelled(toy, toy_publication):
    due_at = clock.now() + timedelta(hours=1)
    publication_id = toy_publication(due_at=due_at)
    owner = db.session.get(User, events()[0].user_id)
    publications.cancel(owner, publication_id)
    db.session.commit()
    assert kinds() == ["publication.scheduled", "publication.cancelled"]
    assert events()[-1].data["due_at"] == due_at.isoformat()


def test_it_is_written_in_the_transaction_of_the_change(owner, ready_clip, telegram):
    publication = publish(ready_clip(owner), telegram(owner), status=Status.PUBLISHING)
    before = len(events())
    state_machine.move(publication.id, Status.FAILED, reason="unavailable")
    assert db.session.query(Event).count() == before + 1
    assert len(events()) == before, "rolled back together"


def test_a_clip_is_ready_or_failed_once(owner, ready_clip, vertical_file, tmp_path):
    clip = ready_clip(owner, source=shutil.copy(vertical_file, tmp_path / "not probed yet.mp4"))
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(AssertionError):
        ready_clip(owner, source=text)
    probing.probe(clip.id)
    ready, failed = events()
    assert (ready.kind, ready.clip_id, ready.data) == ("clip.ready", clip.id, {"title": clip.title, "reason": None})
    assert (failed.kind, failed.data["reason"]) == ("clip.failed", "not_a_video")


def test_an_account_to_be_connected_again(owner, telegram):
    connection = telegram(owner)
    for _ in range(2):
        at_work(tokens.require_reconnect, connection.id, tokens.open_token(connection))
    [event] = events()
    assert (event.kind, event.connection_id, event.user_id) == ("connection.reconnect", connection.id, owner.id)
    assert event.data == {"platform": "telegram", "account": "Везде: демо"}


def test_it_outlives_its_clip_and_goes_with_its_user(owner, ready_clip, vertical_file, tmp_path):
    clip = ready_clip(owner, source=shutil.copy(vertical_file, tmp_path / "not probed yet.mp4"))
    clip_id, title = clip.id, clip.title
    clips.delete(owner, clip_id)
    db.session.commit()
    assert db.session.get(Clip, clip_id) is None
    assert [(event.clip_id, event.data["title"]) for event in events()] == [(clip_id, title)]
    db.session.execute(delete(User))
    db.session.commit()
    assert events() == []


# Read


def write(owner: User, *numbers: int) -> None:
    for number in numbers:
        record_event(owner.id, "test", {"number": number})
    db.session.commit()


def numbers_of(batch: Sequence[Event]) -> list[int]:
    return [event.data["number"] for event in batch]


@pytest.fixture
def read() -> Callable[..., list[int]]:
    """What a consumer is given by one call of `consume()`."""

    def read(consumer: str = "one", **options) -> list[int]:
        given: list[int] = []
        at_work(partial(consume, consumer, lambda batch: given.extend(numbers_of(batch)), **options))
        return given

    return read


def test_each_consumer_reads_all_events_in_order_and_once(owner, read):
    write(owner, 1, 2, 3)
    assert read("one") == [1, 2, 3]
    assert read("one") == []
    write(owner, 4)
    assert (read("one"), read("another")) == ([4], [1, 2, 3, 4])


def test_a_new_consumer_may_begin_at_the_end(owner, read):
    write(owner, 1)
    assert read("late", from_end=True) == []
    write(owner, 2)
    assert read("late", from_end=True) == [2]


def test_many_come_in_batches(owner, read):
    write(owner, *range(1100))
    assert [len(read()) for _ in range(4)] == [500, 500, 100, 0]


def test_what_is_handled_and_the_cursor_are_one_transaction(owner, read):
    write(owner, 1, 2)

    def handle(batch: Sequence[Event]) -> None:
        record_event(batch[0].user_id, "test", {"number": 3})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        at_work(consume, "one", handle)
    assert read() == [1, 2]


def in_a_process(app, handle: Callable[[Sequence[Event]], None]) -> multiprocessing.Process:
    """A process that reads for the consumer «one»."""

    def run() -> None:
        db.engine.dispose(close=False)
        consume("one", handle)
        os._exit(0)

    db.session.remove()
    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    return process


def test_a_process_that_is_killed_in_between_has_handled_nothing(app, owner, read):
    write(owner, 1, 2)

    def handle(batch: Sequence[Event]) -> None:
        db.session.add(Notification(user_id=batch[0].user_id, kind="failed", dedup_key="x", facts={}))
        db.session.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    process = in_a_process(app, handle)
    process.join(20)
    assert process.exitcode == -signal.SIGKILL
    assert db.session.query(Notification).count() == 0
    assert read() == [1, 2]


def test_two_processes_do_not_handle_an_event_twice(app, owner, read):
    write(owner, *range(20))
    given = multiprocessing.get_context("fork").Queue()
    together = multiprocessing.get_context("fork").Barrier(4)

    def handle(batch: Sequence[Event]) -> None:
        for number in numbers_of(batch):
            given.put(number)
        given.close()
        given.join_thread()

    def run() -> None:
        db.engine.dispose(close=False)
        together.wait(20)
        for _ in range(5):
            consume("one", handle)

    db.session.remove()
    processes = [multiprocessing.get_context("fork").Process(target=run) for _ in range(4)]
    for process in processes:
        process.start()
    numbers = [given.get(timeout=20) for _ in range(20)]
    for process in processes:
        process.join(20)
    assert numbers == list(range(20)) and given.empty()
    assert read() == []


def test_the_last_id_is_not_given_again(user, read):
    """SQLite would: the cursor has passed it."""
    first, second = user(), user()
    write(first, 1)
    write(second, 2)
    assert read() == [1, 2]
    db.session.execute(delete(User).where(User.id == second.id))
    db.session.commit()
    write(first, 3)
    wait_until(clock.now() + LONGEST_TRANSACTION)
    assert read() == [3]


# Not in the order of their ids


@pytest.fixture
def earlier(app) -> Iterator[Connection]:
    """A second connection with a transaction of its own."""
    with db.engine.connect() as connection:
        yield connection


def write_in(connection: Connection, user_id: int, number: int) -> None:
    row = {"user_id": user_id, "kind": "test", "data": {"number": number}, "at": clock.now()}
    connection.execute(Event.__table__.insert(), row)


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
class TestIdsOfOpenTransactions:
    def test_one_that_commits_after_a_later_one_is_not_skipped(self, owner, read, earlier):
        write(owner, 1)
        write_in(earlier, owner.id, 2)
        write(owner, 3)
        assert read() == [1]
        assert read() == []
        earlier.commit()
        assert read() == [2, 3]

    def test_one_that_is_rolled_back_is_waited_for_as_long_as_a_transaction_lasts(self, owner, read, earlier):
        write_in(earlier, owner.id, 1)
        write(owner, 2)
        earlier.rollback()
        written = events()[0].at
        wait_until(written + LONGEST_TRANSACTION - timedelta(seconds=10))
        assert read() == []
        wait_until(written + LONGEST_TRANSACTION)
        write(owner, 3)
        assert read() == [2, 3]

    def test_a_locked_row_is_not_waited_for(self, owner, read, earlier):
        """The tick that makes publications go out runs in the same process."""
        write(owner, 1)
        earlier.execute(db.select(User.id).with_for_update())

        def handle(batch: Sequence[Event]) -> None:
            db.session.add(Notification(user_id=owner_id, kind="failed", dedup_key="x", facts={}))

        owner_id, began = owner.id, clock.boottime()
        with pytest.raises(OperationalError):
            at_work(consume, "one", handle)
        assert clock.boottime() - began < 3
        earlier.rollback()
        assert read() == [1]


def test_those_of_a_deleted_user_hold_up_the_others_no_longer_than_that(user, read):
    first, second = user(), user()
    write(first, 1)
    write(second, 2)
    write(first, 3)
    db.session.execute(delete(User).where(User.id == second.id))
    db.session.commit()
    assert read() == [1]
    wait_until(clock.now() + LONGEST_TRANSACTION)
    assert read() == [3]


def test_a_clock_that_was_ahead_holds_up_nothing(user, read):
    first, second = user(), user()
    write(second, 1)
    write(first, 2)
    db.session.execute(delete(User).where(User.id == second.id))
    db.session.execute(db.update(Event).values(at=clock.now() + timedelta(days=365)))
    db.session.commit()
    assert read() == [2]


# Swept


def test_old_events_are_swept_once_all_consumers_have_read_them(owner, read):
    assert (read("one"), read("another")) == ([], [])
    write(owner, 1, 2)
    assert read("one") == [1, 2]
    wait_until(clock.now() + KEPT + timedelta(minutes=1))
    at_work(sweep)
    assert len(events()) == 2
    assert read("another") == [1, 2]
    write(owner, 3)
    at_work(sweep)
    assert numbers_of(events()) == [3]
    assert read("one") == [3]


def test_those_of_a_consumer_that_reads_no_more_are_not_kept_for_ever(owner, read):
    assert read() == []
    write(owner, 1)
    wait_until(clock.now() + KEPT_UNREAD + timedelta(minutes=1))
    at_work(sweep)
    assert events() == []
    write(owner, 2)
    wait_until(clock.now() + LONGEST_TRANSACTION)
    assert read() == [2]
