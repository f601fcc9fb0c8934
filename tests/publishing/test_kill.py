"""A work horse that dies or freezes at every step and commit: the clip ends up there once, and we say so."""

import multiprocessing
import os
import signal
import time
from datetime import timedelta

import pytest

from app import clock
from app.db import db
from app.models import Status
from app.publishing import claims, lease
from tests.publishing.conftest import in_a_work_horse, look, row, settle
from tests.publishing.toy import POINTS, Toy

# The frozen horse's life: the clock of this test runs ahead of it, a real one would have its whole lease.
LIFE_SECONDS = 1.5


@pytest.mark.parametrize("point", POINTS)
def test_killed_at(app, toy, toy_publication, point):
    publication_id = toy_publication()
    Toy.die_at = point
    horse = in_a_work_horse(app, publication_id)
    horse.join(20)
    assert horse.exitcode == -signal.SIGKILL, "it died where it should"
    Toy.die_at = ""
    publication = settle(publication_id)
    assert publication.status == Status.PUBLISHED
    assert [count for count in toy.posts.values() if count] == [1], "once in the world"
    assert toy.calls["create"] <= (2 if point == "create:after" else 1), "what was created is not created again"


@pytest.mark.parametrize("point", POINTS)
def test_a_horse_known_to_be_dead_is_not_waited_for(app, toy, toy_publication, point):
    publication_id = toy_publication()
    Toy.die_at = point
    horse = in_a_work_horse(app, publication_id)
    horse.join(20)
    assert lease.expire_leases_of_dead_workers() == 1
    assert row(publication_id).wake_at <= clock.now()
    Toy.die_at = ""
    assert settle(publication_id).status == Status.PUBLISHED
    assert [count for count in toy.posts.values() if count] == [1]


@pytest.mark.parametrize("point", POINTS)
def test_frozen_at_and_woken_when_another_has_taken_over(app, toy, toy_publication, point):
    """The kernel ends the sleeper at its deadline, before it can send another byte."""
    publication_id = toy_publication()
    Toy.die_at, Toy.signal = point, signal.SIGSTOP
    horse = in_a_work_horse(app, publication_id, life=LIFE_SECONDS)
    try:
        _wait_for_stop(horse.pid)
        time.sleep(LIFE_SECONDS + 0.5)  # its deadline was set before it stopped
        Toy.die_at, Toy.signal = "", signal.SIGKILL
        publication = settle(publication_id)
        assert publication.status == Status.PUBLISHED
    finally:
        os.kill(horse.pid, signal.SIGCONT)
        horse.join(20)
    assert [count for count in toy.posts.values() if count] == [1]


def test_a_row_is_not_taken_from_a_process_that_works_on_it_by_a_clock_that_was_set(app, toy, toy_publication):
    """On SQLite the machine's own clock counts: an hour ahead, every lease seems to have run out."""
    publication_id = toy_publication()

    def work() -> None:
        db.engine.dispose(close=False)
        claims.take(publication_id, lambda _deadline: None)
        signal.pause()

    db.session.remove()
    horse = multiprocessing.get_context("fork").Process(target=work)
    horse.start()
    try:
        while row(publication_id).lease_until is None:
            time.sleep(0.05)
        clock.correct(clock.now() + timedelta(hours=1))
        assert not look(publication_id)
    finally:
        horse.kill()
        horse.join(20)
    assert look(publication_id)
    assert settle(publication_id).status == Status.PUBLISHED
    assert toy.posts == {"1": 1}


def _wait_for_stop(pid: int) -> None:
    while True:
        _, status = os.waitpid(pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return
