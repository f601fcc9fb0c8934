"""A `make run` in a temporary folder, and rows that benches put into its database."""

import hashlib
import multiprocessing
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import redis
import requests

from app import clock, create_app
from app.db import db
from app.models import Clip, ClipStatus, PlatformConnection, Publication, Status, User
from app.platform_access.tokens import seal_token
from app.platforms.base import Account, Token
from app.storage import storage
from bench import application
from bench.harness import ROOT, progress, wait_for
from tests import clips as test_clips

SMALL = 200_000  # bytes
_CHANNELS = -1_000_000_000_000  # the largest channel id
FINISHED = "('published', 'failed', 'cancelled', 'unconfirmed', 'awaiting_user')"


class Environment:
    """A `make run`, and the same application in this process, to add rows.

    `file`: the clip that all rows share.
    """

    def __init__(self, folder: Path, workers: int = 10, clip_bytes: int = SMALL, **settings: str) -> None:
        self.var = folder / "environment"
        environ = application.environ(self.var, WORKERS=str(workers), **settings)
        self.url = environ["PUBLIC_URL"]
        self.sandbox_url = f"http://127.0.0.1:{environ['SANDBOX_PORT']}"
        self.redis = redis.Redis.from_url(environ["REDIS_URL"])
        self._database = self.var / "vezde.db"
        self._output = (folder / "environment.txt").open("w+")
        self.process = self._start()
        try:
            wait_for(self._has_started, 120, what="make run")
            self.control("options", rate_limits=False)
        except BaseException:
            self.stop()
            raise
        self.app = create_app(environ)
        self.context = self.app.app_context()
        self.context.push()
        # To read a row must not begin a transaction: it would hold SQLite's write lock.
        db.session().expire_on_commit = False
        self.file = test_clips.write_big(folder / "clip.mp4", clip_bytes)
        self._sha256 = hashlib.sha256(self.file.read_bytes()).hexdigest()
        copy = folder / "copy.mp4"
        shutil.copy(self.file, copy)
        self._storage_key = storage().put_file(copy, test_clips.new_key())
        self._numbers = iter(range(1, 1_000_000))

    def _start(self) -> subprocess.Popen:
        # MAKELEVEL: it ends with this process, also after a kill.
        return subprocess.Popen(
            [sys.executable, "run.py"],
            cwd=ROOT,
            env=application.make_run_environment() | {"MAKELEVEL": "1", "PYTHONIOENCODING": "utf-8"},
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _has_started(self) -> bool:
        output = Path(self._output.name).read_text()
        if self.process.poll() is not None:
            raise RuntimeError(output)
        return "Остановить" in output

    def stop(self) -> None:
        if hasattr(self, "context"):
            db.session.remove()
            db.engine.dispose()
            self.context.pop()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._output.close()
        application.remove_redis_socket(self.var)

    def control(self, name: str, /, **command: Any) -> Any:
        """Calls the sandbox's control API, like `sandbox.testing`."""
        response = requests.post(f"{self.sandbox_url}/control/{name}", json=command, timeout=30)
        response.raise_for_status()
        return response.json()

    def query(self, sql: str, *values: Any) -> list[tuple]:
        """Runs SQL outside the application's sessions, without a lock."""
        connection = sqlite3.connect(self._database, timeout=30)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction outside the application's sessions."""
        connection = sqlite3.connect(self._database, timeout=30)
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def unfinished(self, first: int = 0) -> int:
        """Returns the number of unfinished publications with an id above `first`."""
        [[count]] = self.query(f"SELECT count(*) FROM publications WHERE id > ? AND status NOT IN {FINISHED}", first)
        return count

    # Rows

    def users(self, count: int) -> list[User]:
        start = next(self._numbers)
        rows = [
            User(
                email=f"bench-{start}-{one}@example.org",
                password_hash="",
                session_key="",
                name="Замер",
                plan_key="pro",
            )
            for one in range(count)
        ]
        db.session.add_all(rows)
        db.session.commit()
        return rows

    def user(self) -> User:
        found = db.session.query(User).filter_by(email=application.EMAIL).one()
        db.session.commit()
        return found

    def channels(self, owners: Sequence[User]) -> list[PlatformConnection]:
        """Creates a channel for each owner, with its own bot, so that they share no rate limit."""
        rows = []
        for owner in owners:
            number = 700_000 + next(self._numbers)
            chat = _CHANNELS - number
            self.control("tokens", platform="telegram", token=_bot(number), username=f"bench{number}_bot")
            rights = {str(number): {"status": "administrator", "can_post_messages": True}}
            self.control("chats", id=chat, title=f"Канал {number}", username=f"bench{number}", rights=rights)
            account = Account(str(chat), f"Канал {number}", facts={"chat_id": chat, "username": f"bench{number}"})
            rows.append(_connection(owner, account))
        db.session.add_all(rows)
        db.session.flush()
        for row in rows:
            seal_token(row, Token(access=self.bot(row)))
        db.session.commit()
        return rows

    def bot(self, channel: PlatformConnection) -> str:
        return _bot(_CHANNELS - int(channel.account_id))

    def clips(self, owners: Sequence[User]) -> list[Clip]:
        """Creates a ready clip for each owner; all share one file."""
        rows = [
            Clip(
                user_id=owner.id,
                title="Закат над Волгой",
                file_name="clip.mp4",
                status=ClipStatus.READY,
                storage_key=self._storage_key,
                size=self.file.stat().st_size,
                sha256=self._sha256,
                content_type="video/mp4",
                container="mp4",
                video_codec="h264",
                audio_codec="aac",
                duration_ms=2000,
                width=270,
                height=480,
                rotation=0,
            )
            for owner in owners
        ]
        db.session.add_all(rows)
        db.session.commit()
        return rows

    def schedule(self, targets: Sequence[tuple[Clip, PlatformConnection]], due: Sequence[datetime]) -> int:
        """Creates scheduled publications; returns the id below all of them."""
        [[before]] = self.query("SELECT coalesce(max(id), 0) FROM publications")
        for (clip, connection), moment in zip(targets, due, strict=True):
            db.session.add(
                Publication(
                    user_id=connection.user_id,
                    clip_id=clip.id,
                    connection_id=connection.id,
                    platform=connection.platform,
                    account_id=connection.account_id,
                    account_name=connection.account_name,
                    title=clip.title,
                    status=Status.SCHEDULED,
                    due_at=moment,
                    wake_at=moment,
                )
            )
        db.session.commit()
        return before

    def soon(self, seconds: float) -> datetime:
        return clock.now() + timedelta(seconds=seconds)


def _bot(number: int) -> str:
    return f"{number}:AAbench-bench-bench-bench-bench-bench"


def _connection(owner: User, account: Account) -> PlatformConnection:
    return PlatformConnection(
        user_id=owner.id,
        platform="telegram",
        account_id=account.id,
        account_name=account.name,
        facts=dict(account.facts),
    )


@contextmanager
def running_environment(folder: Path, **options: Any) -> Iterator[Environment]:
    progress("запускаю make run…")
    env = Environment(folder, **options)
    try:
        yield env
    finally:
        env.stop()


def parse_time(text: str) -> datetime:
    """Parses a time as SQLite stores it."""
    return datetime.fromisoformat(text).replace(tzinfo=clock.now().tzinfo)


def pids_below(pid: int) -> set[int]:
    """Returns the process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {pid}.union(*(pids_below(int(child)) for child in children))


spawn = multiprocessing.get_context("spawn")
