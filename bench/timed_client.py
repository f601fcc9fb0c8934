"""Times requests to the application in this process: no network, no browser."""

import re
import statistics
from dataclasses import dataclass

from flask import Flask
from flask.testing import FlaskClient
from flask_login import current_user

from app.db import db
from app.models import Clip
from bench.application import EMAIL, Queries, sign_in
from bench.harness import timed

MAX_SECONDS = 2
MINIMAL = "/bench/minimal"
_KNOWN = re.compile(r'name="known" value="([\d:]+)"')


@dataclass(frozen=True)
class Timing:
    """`seconds`: the median; `queries`: database queries of one request."""

    seconds: float
    queries: int
    status: int
    bytes: int


class TimedClient:
    """A signed-in test client."""

    def __init__(self, app: Flask, email: str = EMAIL) -> None:
        self._client: FlaskClient = app.test_client()
        sign_in(self._client, email)
        with app.app_context():
            self._queries = Queries()

    def text(self, path: str) -> str:
        return self._client.get(path).text

    def once(self, path: str) -> float:
        """Returns the seconds of one request."""
        return timed(lambda: self._client.get(path))

    def measure(self, path: str, times: int) -> Timing:
        """Warms up once, then repeats the request; a slow one less often."""
        response = self._client.get(path)
        before = self._queries.count
        seconds = [self.once(path)]
        queries = self._queries.count - before
        while len(seconds) < times and sum(seconds) < MAX_SECONDS:
            seconds.append(self.once(path))
        return Timing(statistics.median(seconds), queries, response.status_code, len(response.data))

    def poll(self, changed: int = 0) -> str:
        """Returns the poll URL of the clips page; `changed` cards have an old version in it."""
        known = _KNOWN.findall(self.text("/"))
        old = [re.sub(r":\d+", ":0", one) for one in known[:changed]]
        return "/clips/changes?" + "&".join(f"known={one}" for one in [*old, *known[changed:]])


def add_minimal_route(app: Flask) -> None:
    """Adds a route that loads the signed-in user, runs one indexed query and renders one line. For benches only."""

    line = app.jinja_env.from_string("<p>{{ title }}</p>")

    def minimal() -> str:
        newest = db.select(Clip.title).where(Clip.user_id == current_user.id).order_by(Clip.id.desc()).limit(1)
        return line.render(title=db.session.scalar(newest))

    app.add_url_rule(MINIMAL, "bench_minimal", minimal)
