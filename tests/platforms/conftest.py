import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app import clock
from app.platforms.http.client import Http
from app.platforms.http.response import Response
from app.redis_client import redis_client
from sandbox.testing import Sandbox
from tests.platforms import vendors
from tests.platforms.contract import Contract, each_case
from tests.platforms.vendors.judges import DEVIATIONS, judge_of


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    each_case(metafunc)


@pytest.fixture(autouse=True)
def vendors_word(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What an adapter sends in the contract, and what its emulator answers, fits what the vendor itself has written."""
    platform = getattr(request.cls, "platform", "")
    judge = judge_of(platform) if isinstance(request.cls, type) and issubclass(request.cls, Contract) else None
    if judge is None:
        yield
        return
    exchanges: list[vendors.Exchange] = []
    call = Http.request

    def recorded(self: Http, method: str, url: str, **sent: Any) -> Response:
        head, response = vendors.head_of(sent.get("data")), None
        try:
            response = call(self, method, url, **sent)
            return response
        finally:
            exchanges.append(vendors.exchange(method, url, {**sent, "data": head or sent.get("data")}, response))

    monkeypatch.setattr(Http, "request", recorded)
    yield
    alike = {repr(one): one for one in exchanges}
    found = {f"{one.call}: {line}" for one in alike.values() for line in judge(one)}
    known = DEVIATIONS.get(platform, {})
    assert [line for line in sorted(found) if not any(re.search(one, line) for one in known)] == []


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
