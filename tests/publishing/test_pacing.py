"""Limits that all workers share: a short wait is slept through, a long one goes into the row."""

import time

import pytest

from app import clock
from app.extensions import redis_client
from app.platforms.errors import RateLimited
from app.platforms.http import Window
from app.publishing.pacing import LONGEST_SLEEP, Pacer


def test_windows_are_counted_together_or_not_at_all(app):
    pacer = Pacer(redis_client())
    tight, wide = Window("chat", 1, 30), Window("bot", 2, 30)
    pacer.wait(tight, wide)
    with pytest.raises(RateLimited):
        pacer.wait(tight, wide)
    pacer.wait(wide)  # the call that was refused above has not been counted


def test_a_short_wait_is_slept_through(app):
    pacer = Pacer(redis_client())
    for _ in range(3):
        pacer.wait(Window("token", 1, 0.1))


def test_a_long_wait_is_told_at_once(app):
    pacer = Pacer(redis_client())
    pacer.wait(Window("token", 1, 60))
    before = time.monotonic()
    with pytest.raises(RateLimited) as limited:
        pacer.wait(Window("token", 1, 60))
    assert time.monotonic() - before < LONGEST_SLEEP
    assert (limited.value.until - clock.now()).total_seconds() > 50


def test_one_tokens_limit_does_not_hold_up_others(app):
    pacer = Pacer(redis_client())
    for number in range(20):
        pacer.wait(Window(f"token-{number}", 1, 60))


def test_what_is_stored_names_no_token(app):
    Pacer(redis_client()).wait(Window("telegram:bot:110201543:secret", 1, 60))
    assert not [key for key in redis_client().keys() if b"secret" in key or b"110201543" in key]
