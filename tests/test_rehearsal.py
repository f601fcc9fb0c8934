"""The rehearsal: an installation as an operator has it, by the Procfile's own lines, through all that befalls it.

PostgreSQL, a Redis that speaks TLS, and a bucket; two copies of everything, which share nothing else. The second
web's VAR_DIR cannot be written to, and that of workers and schedulers neither.
"""

import hashlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from app import platforms
from tests.conftest import DEMO_BOT
from tests.person import Person
from tests.postgres import Postgres, binaries
from tests.procfile import ROOT, Process, environ, release
from tests.s3 import KEY, SECRET, S3Server
from tests.test_run import free_port, wait_until
from tests.tls_redis import TlsRedis

READ_ONLY = "/sys/vezde"
METRICS_TOKEN = "rehearsal-rehearsal"


class Installation:
    """Everything of one «Везде» but its parts that others rent out: settings, processes, and an operator's hands."""

    def __init__(self, folder: Path, keys: tuple[str, str], sandbox_url: str, **settings: str) -> None:
        self.folder = folder
        self.ports = {copy: free_port() for copy in ("a", "b")}
        addresses = [sandbox_url.partition("//")[2], *(f"127.0.0.1:{port}" for port in self.ports.values())]
        self.settings = {
            "SECRET_KEY": "rehearsal" * 5,
            "PUBLIC_URL": self.url("a"),
            "VAULT_PUBLIC_KEY": keys[0],
            "VAULT_PRIVATE_KEY": keys[1],
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "METRICS_TOKEN": METRICS_TOKEN,
            "LOCAL_HOSTS": " ".join(addresses),
            "RETRY_SECONDS": "1,1,1",
            "WORKERS": "2",
            "WEB_CONCURRENCY": "1",
            **{one.name: one.demo.format(sandbox=sandbox_url) for one in platforms.settings() if one.demo is not None},
            **settings,
        }
        self.processes: dict[str, Process] = {}

    def url(self, copy: str) -> str:
        return f"http://127.0.0.1:{self.ports[copy]}"

    def release(self) -> None:
        release(self.settings)

    def start(self, name: str, copy: str) -> Process:
        own = {"VAR_DIR": READ_ONLY, "TMPDIR": str(self.folder / f"tmp-{name}-{copy}")}
        Path(own["TMPDIR"]).mkdir(exist_ok=True)
        if name == "web":
            own["PORT"] = str(self.ports[copy[0]])
            own["VAR_DIR"] = str(self.folder / "var") if copy == "a" else READ_ONLY
        process = Process(name, self.settings | own, self.folder / f"{name}-{copy}.log")
        self.processes[f"{name}-{copy}"] = process
        return process

    def start_all(self) -> None:
        for copy in ("a", "b"):
            for name in ("web", "worker", "scheduler"):
                self.start(name, copy)
        for copy in ("a", "b"):
            self.wait_until_ready(copy)
        wait_until(lambda: self.figure('vezde_workers_alive{kind="worker"}') == 4, 60)
        wait_until(lambda: self.figure('vezde_workers_alive{kind="scheduler"}') == 2, 60)

    def wait_until_ready(self, copy: str) -> None:
        wait_until(lambda: self.ready(copy) == {"database": "ok", "redis": "ok", "storage": "ok"}, 90)

    def ready(self, copy: str) -> dict[str, str]:
        try:
            return requests.get(f"{self.url(copy)}/readyz", timeout=60).json()
        except requests.ConnectionError:
            return {}

    def figure(self, name: str, copy: str = "a") -> float | None:
        headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
        text = requests.get(f"{self.url(copy)}/metrics", headers=headers, timeout=60).text
        found = re.search(rf"^{re.escape(name)} (.+)$", text, re.MULTILINE)
        return float(found[1]) if found else None

    def flask(self, *arguments: str) -> str:
        command = ["flask", "--app", "wsgi", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environ(self.settings), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def kill_all(self) -> None:
        for process in self.processes.values():
            process.kill()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    if binaries() is None:
        pytest.skip("нужен PostgreSQL: apt install postgresql")
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def tls_redis() -> Iterator[TlsRedis]:
    server = TlsRedis()
    yield server
    server.remove()


def paas_url(postgres: Postgres, name: str) -> str:
    return postgres.create(name).replace("postgresql+psycopg://", "postgres://")


@pytest.fixture
def installation(tmp_path, keys, sandbox, postgres, tls_redis, s3) -> Iterator[Installation]:
    one = Installation(
        tmp_path,
        keys,
        sandbox.url,
        DATABASE_URL=paas_url(postgres, "rehearsal"),
        REDIS_URL=tls_redis.url,
        STORAGE_URL=s3.bucket(),
    )
    yield one
    one.kill_all()


def published(person: Person, clip: int, times: int = 1) -> bool:
    return person.card(clip).count("Опубликовано") == times


def test_the_rehearsal(installation, sandbox, postgres, tls_redis, s3: S3Server, heavy_file, vertical_file, tmp_path):
    installation.release()
    installation.start_all()
    anna = Person(installation.url("a"))

    # Signs up at one copy and goes on at the other; the operator gives her a plan.
    anna.sign_up()
    installation.flask("users", "plan", anna.email, "pro")
    anna.url = installation.url("b")
    anna.connect("telegram", bot_token=DEMO_BOT, channel="@vezde_demo")
    anna.connect("rutube", token="rutube-demo-token")
    clip = anna.upload(vertical_file)
    wait_until(lambda: "Готов" in anna.card(clip), 60)
    assert_plays(anna, clip, vertical_file)

    # To Telegram it is sent from the bucket, Rutube fetches it from the bucket through us.
    anna.publish(clip, "Закат")
    wait_until(lambda: published(anna, clip, 2), 90)
    assert {(post["platform"], post["sha256"]) for post in sandbox.posts} == {
        ("telegram", sha256(vertical_file)),
        ("rutube", sha256(vertical_file)),
    }
    assert installation.figure('vezde_ended_24h{outcome="first_try",platform="telegram"}') == 1

    heavy = anna.upload(heavy_file)
    wait_until(lambda: "Готов" in anna.card(heavy), 60)
    roll_the_release(installation, sandbox, anna, heavy)
    restart_each_part(installation, sandbox, postgres, tls_redis, s3, anna, heavy)
    restore_elsewhere(installation, sandbox, postgres, tls_redis, s3, anna, clip, vertical_file, tmp_path)


def roll_the_release(installation: Installation, sandbox, anna: Person, clip: int) -> None:
    """While a clip goes up, new copies come and the old ones are told to end. It is sent whole, and once."""
    before = len(sandbox.posts)
    sandbox.trouble({"match": "sendVideo", "do": f"slow:{4 << 20}", "times": 1})
    anna.publish(clip, "Выпуск", again=False)
    wait_until(lambda: "загрузка" in anna.card(clip), 60)

    installation.release()
    for name in ("worker", "scheduler"):
        installation.start(name, "c")
    for name in ("worker-a", "worker-b", "scheduler-a", "scheduler-b"):
        installation.processes[name].process.send_signal(signal.SIGTERM)
    assert installation.processes["web-b"].stop() == 0
    installation.start("web", "b")
    for name in ("worker-a", "worker-b", "scheduler-a", "scheduler-b"):
        assert installation.processes[name].process.wait(30) == 0, name

    installation.wait_until_ready("b")
    wait_until(lambda: published(anna, clip, 2), 180)
    sent = [post for post in sandbox.posts if post["title"] == "Выпуск" or post["bytes"] > 10 << 20]
    assert sorted(post["platform"] for post in sent) == ["rutube", "telegram"]
    assert len(sandbox.posts) == before + 2
    wait_until(lambda: installation.figure('vezde_workers_alive{kind="worker"}') == 2, 60)


def restart_each_part(installation, sandbox, postgres, tls_redis, s3, anna: Person, clip: int) -> None:
    """Each goes away and comes back; the others wait for it, and the next clip goes out."""
    # One of two web copies is lost with its machine: the other serves.
    installation.processes["web-b"].kill()
    anna.url = installation.url("a")
    assert "Опубликовано" in anna.card(clip)
    installation.start("web", "b")

    # Redis is lost, comes back empty, and nobody is told.
    tls_redis.kill()
    wait_until(lambda: installation.ready("a")["redis"] == "down", 30)
    anna.publish(clip, "Без Redis", again=True)
    tls_redis.start()
    tls_redis.wipe()
    wait_until(lambda: published(anna, clip, 2) and count(sandbox, clip_bytes=10 << 20) == 4, 180)

    # The bucket does not answer for a while.
    os.kill(s3.pid, signal.SIGSTOP)
    wait_until(lambda: installation.ready("a")["storage"] == "down", 60)
    os.kill(s3.pid, signal.SIGCONT)

    # So does the database.
    postgres.stop()
    wait_until(lambda: installation.ready("a")["database"] == "down", 60)
    postgres.start()
    for copy in ("a", "b"):
        installation.wait_until_ready(copy)
    anna.publish(clip, "После всего", again=True)
    wait_until(lambda: count(sandbox, clip_bytes=10 << 20) == 6 and published(anna, clip, 2), 180)


def restore_elsewhere(installation, sandbox, postgres, tls_redis, s3, anna, clip, file: Path, folder: Path) -> None:
    """By the commands of docs/operations.md: the database, the files, the keys. Redis is not among them."""
    installation.kill_all()
    installation.flask("storage", "copy", f"file:{folder}/backup/clips")
    call("pg_dump", "--format=custom", f"--file={folder}/backup/vezde.dump", installation.settings["DATABASE_URL"])
    before = rows(installation.settings["DATABASE_URL"])
    tls_redis.wipe()

    keys = installation.settings["VAULT_PUBLIC_KEY"], installation.settings["VAULT_PRIVATE_KEY"]
    elsewhere = Installation(
        folder / "elsewhere",
        keys,
        sandbox.url,
        DATABASE_URL=paas_url(postgres, "elsewhere"),
        REDIS_URL=tls_redis.url,
        STORAGE_URL=f"file:{folder}/backup/clips",
        SECRET_KEY="another" * 6,
    )
    elsewhere.folder.mkdir()
    database = elsewhere.settings["DATABASE_URL"]
    call("pg_restore", "--no-owner", f"--dbname={database}", f"{folder}/backup/vezde.dump")
    bucket = s3.bucket()
    elsewhere.flask("storage", "copy", bucket)
    elsewhere.settings["STORAGE_URL"] = bucket
    elsewhere.release()
    assert rows(database) == before

    try:
        elsewhere.start_all()
        anna.url = elsewhere.url("b")
        anna.sign_in()
        assert published(anna, clip, 2)
        assert_plays(anna, clip, file)
        sandbox.reset()
        sandbox.control("options", rate_limits=False)
        anna.publish(clip, "Снова", again=True)
        wait_until(lambda: len(sandbox.posts) == 2 and published(anna, clip, 2), 90)
        assert {post["sha256"] for post in sandbox.posts} == {sha256(file)}
    finally:
        elsewhere.kill_all()


def assert_plays(person: Person, clip: int, file: Path) -> None:
    whole = person.get(f"/media/clips/{clip}/video")
    assert hashlib.sha256(whole.content).hexdigest() == sha256(file)
    part = person.get(f"/media/clips/{clip}/video", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, file.read_bytes()[100:200])


def count(sandbox, clip_bytes: int) -> int:
    return sum(post["bytes"] > clip_bytes for post in sandbox.posts)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def call(program: str, *arguments: str) -> None:
    subprocess.run([f"{binaries()}/{program}", *arguments], check=True)


def rows(database: str) -> dict[str, list]:
    """Everything that the database holds, but who worked at the moment."""
    with psycopg.connect(database) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        return {
            table: connection.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall()
            for (table,) in tables
            if table != "heartbeats"
        }
