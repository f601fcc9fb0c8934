"""A deployment as an operator has it, by the Procfile's own lines, through restarts, a release and a restore.

PostgreSQL, a Redis that speaks TLS, and a bucket; two copies of everything, which share nothing else. The second
web's VAR_DIR cannot be written to, and that of workers and schedulers neither.
"""

import hashlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox.testing import Sandbox
from tests.conftest import DEMO_BOT
from tests.installation import Installation
from tests.person import Person
from tests.postgres import Postgres, binaries
from tests.procfile import STOP_SECONDS
from tests.test_run import wait_until
from tests.tls_redis import TlsRedis


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


@pytest.fixture(scope="module")
def installation(tmp_path_factory, keys, world: Sandbox, postgres, tls_redis, s3) -> Iterator[Installation]:
    world.reset()
    world.control("options", rate_limits=False)
    one = Installation(
        tmp_path_factory.mktemp("installation"),
        keys,
        world.url,
        DATABASE_URL=paas_url(postgres, "rehearsal"),
        REDIS_URL=tls_redis.url,
        STORAGE_URL=s3.bucket(),
    )
    try:
        one.release()
        one.start_all()
        yield one
    finally:
        one.kill_all()


@pytest.fixture(scope="module")
def anna(installation: Installation) -> Person:
    """Signs up at one copy and goes on at the other; the operator gives her a plan."""
    person = Person(installation.url("a"))
    person.sign_up()
    installation.flask("users", "plan", person.email, "pro")
    person.url = installation.url("b")
    person.connect("telegram", bot_token=DEMO_BOT, channel="@vezde_demo")
    person.connect("rutube", token="rutube-demo-token")
    return person


def uploaded(person: Person, file: Path) -> int:
    clip = person.upload(file)
    wait_until(lambda: "Готов" in person.card(clip), 60)
    return clip


def published(person: Person, clip: int) -> bool:
    """On both accounts."""
    return person.card(clip).count("Опубликовано") == 2


def test_a_clip_goes_out_from_the_bucket(installation, world: Sandbox, anna: Person, vertical_file: Path):
    """Telegram is sent it, Rutube fetches it through us; it is uploaded, played and published at different copies."""
    clip = uploaded(anna, vertical_file)
    anna.url = installation.url("a")
    assert_plays(anna, clip, vertical_file)
    anna.publish(clip, "Закат")
    wait_until(lambda: published(anna, clip), 90)
    assert {(post["platform"], post["sha256"]) for post in world.posts} == {
        ("telegram", sha256(vertical_file)),
        ("rutube", sha256(vertical_file)),
    }
    assert installation.figure('vezde_ended_24h{outcome="first_try",platform="telegram"}') == 1


def test_a_release_rolls_while_a_clip_goes_up(installation, world: Sandbox, anna: Person, heavy_file: Path):
    """New copies start and the old ones get SIGTERM, within what a PaaS grants. It is sent whole, and once."""
    clip = uploaded(anna, heavy_file)
    world.trouble({"match": "sendVideo", "do": f"slow:{4 << 20}", "times": 1})
    anna.publish(clip, "Выпуск")
    wait_until(lambda: "загрузка" in anna.card(clip), 60)

    installation.release()
    for name in ("worker", "scheduler"):
        installation.start(name, "c")
    old = [installation.processes[name] for name in ("worker-a", "worker-b", "scheduler-a", "scheduler-b", "web-b")]
    for process in old:
        process.process.send_signal(signal.SIGTERM)
    for process in old:
        assert process.process.wait(STOP_SECONDS) == 0, process.said
    installation.start("web", "b")

    installation.wait_until_ready("b")
    wait_until(lambda: published(anna, clip), 180)
    assert sent(world, heavy_file) == ["rutube", "telegram"]
    wait_until(lambda: installation.figure('vezde_workers_alive{kind="worker"}') == 2, 60)


def test_each_part_goes_away_and_comes_back(
    installation, world: Sandbox, postgres, tls_redis, s3, anna: Person, vertical_file: Path
):
    """The others wait for it, and say so; what was asked for meanwhile goes out, once."""
    installation.processes["web-b"].kill()
    anna.url = installation.url("a")
    clip = uploaded(anna, vertical_file)
    installation.start("web", "b")

    world.reset()
    tls_redis.kill()
    assert installation.ready("a")["redis"] == "down"
    anna.publish(clip, "Без Redis")
    tls_redis.start()
    tls_redis.wipe()
    wait_until(lambda: published(anna, clip), 150)

    os.kill(s3.pid, signal.SIGSTOP)
    assert installation.ready("a")["storage"] == "down"
    os.kill(s3.pid, signal.SIGCONT)

    postgres.stop()
    assert installation.ready("a")["database"] == "down"
    postgres.start()
    for copy in ("a", "b"):
        installation.wait_until_ready(copy)
    anna.publish(clip, "После всего", again=True)
    wait_until(lambda: len(world.posts) == 4 and published(anna, clip), 150)
    assert sent(world, vertical_file) == ["rutube", "rutube", "telegram", "telegram"]


def test_a_backup_is_restored_elsewhere(
    installation, world: Sandbox, keys, postgres, tls_redis, s3, anna: Person, vertical_file: Path, tmp_path: Path
):
    """By the commands of docs/operations.md: the database, the files, the keys. Redis is not among them."""
    clip = uploaded(anna, vertical_file)
    anna.publish(clip, "Перед копией")
    wait_until(lambda: published(anna, clip), 90)
    installation.kill_all()
    installation.flask("storage", "copy", f"file:{tmp_path}/backup/clips")
    call("pg_dump", "--format=custom", f"--file={tmp_path}/backup/vezde.dump", installation.settings["DATABASE_URL"])
    before = rows(installation.settings["DATABASE_URL"])
    tls_redis.wipe()

    elsewhere = Installation(
        tmp_path,
        keys,
        world.url,
        DATABASE_URL=paas_url(postgres, "elsewhere"),
        REDIS_URL=tls_redis.url,
        STORAGE_URL=f"file:{tmp_path}/backup/clips",
        SECRET_KEY="another" * 6,
    )
    database, bucket = elsewhere.settings["DATABASE_URL"], s3.bucket()
    call("pg_restore", "--no-owner", f"--dbname={database}", f"{tmp_path}/backup/vezde.dump")
    elsewhere.flask("storage", "copy", bucket)
    elsewhere.settings["STORAGE_URL"] = bucket
    elsewhere.release()
    assert rows(database) == before

    world.reset()
    try:
        elsewhere.start_all("a")
        there = Person(elsewhere.url("a"), anna.email)
        there.sign_in()
        assert published(there, clip)
        assert_plays(there, clip, vertical_file)
        there.publish(clip, "Снова", again=True)
        wait_until(lambda: len(world.posts) == 2 and published(there, clip), 90)
        assert sent(world, vertical_file) == ["rutube", "telegram"]
    finally:
        elsewhere.kill_all()


def assert_plays(person: Person, clip: int, file: Path) -> None:
    whole = person.get(f"/media/clips/{clip}/video")
    assert hashlib.sha256(whole.content).hexdigest() == sha256(file)
    part = person.get(f"/media/clips/{clip}/video", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, file.read_bytes()[100:200])


def sent(world: Sandbox, file: Path) -> list[str]:
    """The platforms that have got this very file."""
    return sorted(post["platform"] for post in world.posts if post["sha256"] == sha256(file))


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def call(program: str, *arguments: str) -> None:
    subprocess.run([f"{binaries()}/{program}", *arguments], check=True)


def rows(database: str) -> dict[str, list]:
    """Everything that the database holds, but which processes worked at the moment."""
    with psycopg.connect(database) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        return {
            table: connection.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall()
            for (table,) in tables
            if table != "heartbeats"
        }
