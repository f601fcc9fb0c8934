"""Requests to the application in this process, timed at the server: no network, no browser."""

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

PATIENCE_SECONDS = 2
MINIMAL = "/bench/minimal"
_KNOWN = re.compile(r'name="known" value="([\d:]+)"')


@dataclass(frozen=True)
class Visit:
    """`seconds` is the median; `queries` how many one visit sends to the database."""

    seconds: float
    queries: int
    status: int
    bytes: int


class Visitor:
    """A signed-in user."""

    def __init__(self, app: Flask, email: str = EMAIL) -> None:
        self._client: FlaskClient = app.test_client()
        sign_in(self._client, email)
        with app.app_context():
            self._queries = Queries()

    def text(self, path: str) -> str:
        return self._client.get(path).text

    def once(self, path: str) -> float:
        """Seconds."""
        return timed(lambda: self._client.get(path))

    def visit(self, path: str, times: int) -> Visit:
        """Warms up once; goes less often to what is slow."""
        response = self._client.get(path)
        before = self._queries.count
        seconds = [self.once(path)]
        queries = self._queries.count - before
        while len(seconds) < times and sum(seconds) < PATIENCE_SECONDS:
            seconds.append(self.once(path))
        return Visit(statistics.median(seconds), queries, response.status_code, len(response.data))

    def poll(self, changed: int = 0) -> str:
        """The clips page's address for changes; `changed` cards are known in an old version."""
        known = _KNOWN.findall(self.text("/"))
        old = [re.sub(r":\d+", ":0", one) for one in known[:changed]]
        return "/clips/changes?" + "&".join(f"known={one}" for one in [*old, *known[changed:]])


def add_minimal_route(app: Flask) -> None:
    """Loads the signed-in user, sends one indexed query and renders one line. Only in the bench's own process."""

    line = app.jinja_env.from_string("<p>{{ title }}</p>")

    def minimal() -> str:
        newest = db.select(Clip.title).where(Clip.user_id == current_user.id).order_by(Clip.id.desc()).limit(1)
        return line.render(title=db.session.scalar(newest))

    app.add_url_rule(MINIMAL, "bench_minimal", minimal)
