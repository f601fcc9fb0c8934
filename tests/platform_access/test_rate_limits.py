"""Rate limits that all workers share, in a real Redis."""

import threading
import time

import pytest
import redis

from app import clock
from app.platform_access.rate_limits import Pacer
from app.platforms.errors import RateLimited
from app.platforms.http.client import Window


@pytest.fixture
def client(redis_url):
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    return client


def window(key: str, limit: int, seconds: float) -> Window:
    return Window(key, limit, seconds)


def test_a_window_is_never_overfull_however_many_ask(client):
    """Twelve workers of one token: any second of the calls they were let make holds three at most."""
    made: list[float] = []
    end = time.monotonic() + 3

    def work() -> None:
        pacer = Pacer(redis.Redis(connection_pool=client.connection_pool))
        while time.monotonic() < end:
            try:
                pacer.wait(window("token", 3, 1.0))
            except RateLimited:
                continue
            made.append(client.time()[0] + client.time()[1] / 1e6)

    workers = [threading.Thread(target=work) for _ in range(12)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    made.sort()
    assert len(made) >= 6
    # The moment is taken after the call was let through: slack for a thread that has to wait for a processor.
    assert all(later - earlier > 0.5 for earlier, later in zip(made, made[3:], strict=False))


def test_windows_are_checked_together(client):
    """A call that one window refuses takes no place in the other."""
    pacer = Pacer(client)
    pacer.wait(window("chat", 1, 60.0))
    for _ in range(5):
        with pytest.raises(RateLimited):
            pacer.wait(window("bot", 2, 60.0), window("chat", 1, 60.0))
    pacer.wait(window("bot", 2, 60.0))
    pacer.wait(window("bot", 2, 60.0))
    with pytest.raises(RateLimited):
        pacer.wait(window("bot", 2, 60.0))


def test_one_tokens_limit_does_not_hold_up_another(client):
    pacer = Pacer(client)
    pacer.wait(window("one", 1, 60.0))
    with pytest.raises(RateLimited):
        pacer.wait(window("one", 1, 60.0))
    pacer.wait(window("other", 1, 60.0))


def test_a_long_wait_is_raised_and_not_slept(client):
    pacer = Pacer(client)
    pacer.wait(window("token", 1, 30.0))
    with pytest.raises(RateLimited) as limited:
        pacer.wait(window("token", 1, 30.0))
    assert 25 < (limited.value.until - clock.now()).total_seconds() <= 31


def test_without_redis_the_call_is_made(tmp_path):
    Pacer(redis.Redis(unix_socket_path=str(tmp_path / "missing.sock"))).wait(window("token", 1, 60.0))


def test_no_key_holds_a_token(client):
    Pacer(client).wait(window("telegram:bot:110201543:AAsecret", 1, 60.0))
    assert all(b"AAsecret" not in key for key in client.keys())
