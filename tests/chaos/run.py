"""One chaos run from start to verdict."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import requests
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app import create_app
from app.db import db
from app.models import Publication
from app.process.identity import has_ended
from tests.chaos import verdict
from tests.chaos.mischief import Mischief
from tests.chaos.people import People
from tests.chaos.system import System
from tests.chaos.verdict import Verdict

T = TypeVar("T")

CLIPS_A_USER = 3
LOOK_SECONDS = 0.3


class OrphanLatencyProbe:
    """Sees rows whose holder is dead, and how long each waits until another takes it."""

    def __init__(self) -> None:
        self._since: dict[tuple[int, int], float] = {}
        self.waits: list[float] = []

    def look(self) -> None:
        try:
            held = select(Publication.id, Publication.fence, Publication.holder).where(
                Publication.lease_until.is_not(None)
            )
            rows = db.session.execute(held).all()
            db.session.rollback()
        except OperationalError:
            db.session.rollback()
            return
        now = time.monotonic()
        orphaned = {(row.id, row.fence) for row in rows if has_ended(row.holder)}
        for one in orphaned:
            self._since.setdefault(one, now)
        for one in self._since.keys() - orphaned:
            self.waits.append(now - self._since.pop(one))


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
) -> Verdict:
    """Mischief goes on for `seconds` at least; then everything must come to rest within `limit` seconds."""
    lots = random.Random(seed)
    system = System(folder, database_url, workers)
    system.start()
    try:
        app = create_app(system.environment)
        with app.app_context():
            return _run(system, lots, publications, seed, vk_route, trouble, seconds, limit)
    finally:
        system.stop()


def _run(
    system: System,
    lots: random.Random,
    count: int,
    seed: int,
    vk_route: str,
    trouble: bool,
    seconds: float,
    limit: float,
) -> Verdict:
    people = People(system.sandbox_url, system.folder, lots)
    people.control("options", vk_clips_route=vk_route == "clips")
    users = max(1, count // (4 * CLIPS_A_USER))
    joined = [people.join(number) for number in range(users)]
    mischief = Mischief(system, people, users, random.Random(seed))
    mourner = OrphanLatencyProbe()
    if trouble:
        mischief.begin(seed)
    started, asked = time.monotonic(), 0
    while asked < count or (trouble and time.monotonic() - started < seconds):
        if asked < count:
            user_id, connection_ids = joined[(asked // 4) % users]
            due_in = lots.choice([0.0, lots.uniform(1, max(seconds, 2))])
            asked += _ask(people, user_id, connection_ids, due_in)
        mourner.look()
        time.sleep(LOOK_SECONDS)
    if trouble:
        mischief.end()
    give_up, long_due = time.monotonic() + limit, set()
    while _patiently(verdict.moving) and time.monotonic() < give_up:
        mourner.look()
        long_due |= set(_patiently(verdict.stuck))
        time.sleep(LOOK_SECONDS)
    posts = requests.get(f"{system.sandbox_url}/control/posts", timeout=60).json()["posts"]
    found = _patiently(lambda: verdict.judge(people.made, posts))
    found.bad["stuck"] += sorted(long_due)
    found.recovered, found.deeds = mourner.waits, mischief.done
    return found


def _ask(people: People, user_id: int, connection_ids: list[int], due_in: float) -> int:
    try:
        people.publish(user_id, connection_ids, due_in)
        return len(connection_ids)
    except OperationalError:  # the database is being restarted: the user sees an error and clicks again
        db.session.rollback()
        time.sleep(LOOK_SECONDS)
        return 0


def _patiently(read: Callable[[], T]) -> T:
    """The database may be on its way back."""
    while True:
        try:
            return read()
        except OperationalError:
            db.session.rollback()
            time.sleep(LOOK_SECONDS)
