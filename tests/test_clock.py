"""The time that a process goes by: the database's, and between two readings a clock that cannot be set."""

import multiprocessing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app import clock, create_app
from app.db import db

HOUR = timedelta(hours=1)
CLOSE = timedelta(seconds=5)  # on a busy machine


def test_a_prompt_answer_corrects_the_clock():
    clock.read(datetime.now(UTC) + HOUR, took=0.01)
    assert abs(clock.now() - datetime.now(UTC) - HOUR) < CLOSE


def test_a_slow_answer_corrects_only_what_is_certainly_wrong():
    clock.correct(datetime.now(UTC) + HOUR)
    clock.read(datetime.now(UTC), took=3 * HOUR.total_seconds())  # a process that was stopped meanwhile
    assert abs(clock.now() - datetime.now(UTC) - HOUR) < CLOSE
    clock.read(datetime.now(UTC), took=2)
    assert abs(clock.now() - datetime.now(UTC)) < CLOSE


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_every_process_goes_by_the_databases_clock(environment, database_kind):
    """A web host three minutes ahead would put off an instant publication by three minutes."""

    def ask() -> None:
        clock.correct(datetime.now(UTC) + timedelta(minutes=3))
        clock._reading = clock._reading[0], clock._reading[1] - 61, clock._reading[2] - 61  # a minute later
        with create_app(environment).app_context():
            db.session.scalar(select(1))
            found.put(abs(clock.now() - datetime.now(UTC)))

    context = multiprocessing.get_context("fork")
    found = context.Queue()
    process = context.Process(target=ask)
    process.start()
    assert found.get(timeout=60) < CLOSE
    process.join()
