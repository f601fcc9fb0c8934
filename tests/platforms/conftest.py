import time
from datetime import timedelta

import pytest
from flask import Flask

from app import clock
from app.redis_client import redis_client
from sandbox.testing import Sandbox
from tests.platforms.contract import each_case


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    each_case(metafunc)


# Where a worker sleeps, time runs so many times faster: for it and for the sandbox alike.
FASTER = 50


@pytest.fixture(autouse=True)
def time_passes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a worker sleeps until a rate limit has room, the clock is put forward instead, Redis's windows with it."""
    if "app" not in request.fixturenames:
        return
    app: Flask = request.getfixturevalue("app")
    if "sandbox" in request.fixturenames:
        sandbox: Sandbox = request.getfixturevalue("sandbox")
        sandbox.control("options", processing_seconds=1 / FASTER, rutube_unseen_seconds=0.3 / FASTER)

    def sleep(seconds: float) -> None:
        with app.app_context():
            windows = list(redis_client().scan_iter("pace:*"))
            if windows:
                redis_client().delete(*windows)
        time.sleep(seconds / FASTER)
        clock.correct(clock.now() + timedelta(seconds=seconds))

    monkeypatch.setattr(clock, "sleep", sleep)
