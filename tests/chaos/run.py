"""One chaos run, from the start of the system to the checks."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import requests
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app import create_app, process
from app.db import db
from app.models import Publication
from tests.chaos import checks
from tests.chaos.checks import Report
from tests.chaos.faults import FaultInjector
from tests.chaos.simulated_users import SimulatedUsers
from tests.chaos.system import System

T = TypeVar("T")

CLIPS_PER_USER = 3
POLL_SECONDS = 0.3


class OrphanLatencyProbe:
    """Measures how long a row whose worker process has ended waits for its next claim."""

    def __init__(self) -> None:
        self._since: dict[tuple[int, int], float] = {}
        self.latencies: list[float] = []

    def poll(self) -> None:
        try:
            leased = select(Publication.id, Publication.fence, Publication.holder).where(
                Publication.lease_until.is_not(None)
            )
            rows = db.session.execute(leased).all()
            db.session.rollback()
        except OperationalError:
            db.session.rollback()
            return
        now = time.monotonic()
        orphaned = {(row.id, row.fence) for row in rows if process.has_ended(row.holder)}
        for lease in orphaned:
            self._since.setdefault(lease, now)
        for lease in self._since.keys() - orphaned:
            self.latencies.append(now - self._since.pop(lease))


def run(
    folder: Path,
    *,
    publications: int,
    seed: int,
    database_url: str,
    vk_route: str,
    workers: int,
    trouble: bool,
    seconds: float,
    limit: float,
) -> Report:
    """Injects faults for at least `seconds`; then all publications must finish within `limit` seconds."""
    rng = random.Random(seed)
    system = System(folder, database_url, workers)
    system.start()
    try:
        app = create_app(system.environment)
        with app.app_context():
            return _run(system, rng, publications, seed, vk_route, trouble, seconds, limit)
    finally:
        system.stop()


def _run(
    system: System,
    rng: random.Random,
    count: int,
    seed: int,
    vk_route: str,
    trouble: bool,
    seconds: float,
    limit: float,
) -> Report:
    users = SimulatedUsers(system.sandbox_url, system.folder, rng)
    users.control("options", vk_clips_route=vk_route == "clips")
    user_count = max(1, count // (4 * CLIPS_PER_USER))
    joined = [users.join(number) for number in range(user_count)]
    injector = FaultInjector(system, users, user_count, random.Random(seed))
    probe = OrphanLatencyProbe()
    if trouble:
        injector.start(seed)
    started, requested = time.monotonic(), 0
    while requested < count or (trouble and time.monotonic() - started < seconds):
        if requested < count:
            user_id, connection_ids = joined[(requested // 4) % user_count]
            due_in = rng.choice([0.0, rng.uniform(1, max(seconds, 2))])
            requested += _publish(users, user_id, connection_ids, due_in)
        probe.poll()
        time.sleep(POLL_SECONDS)
    if trouble:
        injector.stop()
    give_up, long_due = time.monotonic() + limit, set()
    while _retry_while_db_down(checks.count_moving) and time.monotonic() < give_up:
        probe.poll()
        long_due |= set(_retry_while_db_down(checks.list_stuck))
        time.sleep(POLL_SECONDS)
    posts = requests.get(f"{system.sandbox_url}/control/posts", timeout=60).json()["posts"]
    report = _retry_while_db_down(lambda: checks.check(users.published, posts))
    report.bad["stuck"] += sorted(long_due)
    report.orphan_latencies, report.faults = probe.latencies, injector.counts
    return report


def _publish(users: SimulatedUsers, user_id: int, connection_ids: list[int], due_in: float) -> int:
    try:
        users.publish(user_id, connection_ids, due_in)
        return len(connection_ids)
    except OperationalError:  # the database is being restarted: the user sees an error and clicks again
        db.session.rollback()
        time.sleep(POLL_SECONDS)
        return 0


def _retry_while_db_down(read: Callable[[], T]) -> T:
    """Retries while the database restarts."""
    while True:
        try:
            return read()
        except OperationalError:
            db.session.rollback()
            time.sleep(POLL_SECONDS)
