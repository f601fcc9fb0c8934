"""`make run` as it is: real processes on free ports, in a folder of their own."""

import http.client
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

import demo
from app import vault
from tests import memory
from tests.conftest import free_port

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
# All kinds of them, in a run with `WORKERS=2`.
WORKERS = 12


def wait_until(true: Callable[[], bool], within: float = 20) -> None:
    give_up = time.monotonic() + within
    while not true():
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.05)


class Run:
    """A run of run.py with ports, a folder and settings of its own."""

    def __init__(self, var: Path, output: Path, **settings: str) -> None:
        self.var = var
        self.output = output
        self.settings = {"PORT": str(free_port()), "SANDBOX_PORT": str(free_port()), "WORKERS": "2", **settings}
        # What the developer's shell or CI has set must not reach it.
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "run.py"],
                cwd=ROOT,
                env={**inherited, **self.settings, "VAR_DIR": str(var), "PYTHONIOENCODING": "utf-8"},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait_for_start(self) -> "Run":
        def started() -> bool:
            assert self.process.poll() is None, self.said
            return "Остановить" in self.said

        wait_until(started, START_SECONDS)
        return self

    def status(self, path: str, port: str = "PORT") -> int | None:
        connection = http.client.HTTPConnection("127.0.0.1", int(self.settings[port]), timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def redis(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(demo.redis_socket(self.var)))

    def children(self) -> dict[str, int]:
        pid = self.process.pid
        pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        names = {int(child): Path(f"/proc/{child}/comm") for child in pids}
        return {name.read_text().strip(): child for child, name in names.items() if name.exists()}

    def left(self) -> list[int]:
        """Every process of this run that lives, with whatever parent: they share its session."""
        return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat") if self._is_ours(path)]

    def _is_ours(self, stat: Path) -> bool:
        try:
            state, _parent, _group, session = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # it has ended
            return False
        return int(session) == self.process.pid and state not in "ZX"

    def stop(self, signum: int = signal.SIGINT) -> int:
        self.process.send_signal(signum)
        return self.process.wait(timeout=30)


@pytest.fixture
def run(tmp_path) -> Iterator[Callable[..., Run]]:
    """Starts runs, and ends those that the test left."""
    runs: list[Run] = []

    def start(var: Path = tmp_path / "var", **settings: str) -> Run:
        runs.append(Run(var, tmp_path / f"output-{len(runs)}", **settings))
        return runs[-1]

    yield start
    for one in runs:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
    for var in {one.var for one in runs if one.var.is_relative_to(tmp_path)}:
        demo.forget_redis_socket(var)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run that tests look at and leave as it is."""
    folder = tmp_path_factory.mktemp("standing")
    one = Run(folder / "var", folder / "output").wait_for_start()
    yield one
    one.process.kill()
    one.process.wait()
    demo.forget_redis_socket(one.var)


def keys(var: Path) -> list[str]:
    return [(var / "keys" / name).read_text() for name in ("secret_key", "vault_keys")]


def users(var: Path) -> list[tuple[int, str]]:
    with sqlite3.connect(var / "vezde.db") as connection:
        return connection.execute("SELECT id, email FROM users ORDER BY id").fetchall()


def test_everything_starts_heals_and_ends(run, tmp_path):
    var = tmp_path / ("a folder whose path is longer than a socket's may be " + "x" * 80) / "var"
    var.parent.mkdir()
    one = run(var).wait_for_start()

    port, sandbox_port = one.settings["PORT"], one.settings["SANDBOX_PORT"]
    assert f"http://127.0.0.1:{port}" in one.said and f"http://127.0.0.1:{sandbox_port}" in one.said
    assert one.status("/healthz") == 200
    assert one.status("/", "SANDBOX_PORT") == 200
    assert [email for _, email in users(var)] == [
        f"{name}@demo.vezde.ru" for name in ("free", "start", "pro", "business", "admin")
    ]
    # The parent forks, so it must not have threads.
    assert len(list(Path(f"/proc/{one.process.pid}/task").iterdir())) == 1

    workers = {
        "worker-1",
        "worker-2",
        "questions-1",
        "webhooks-1",
        "bot-1",
        "spare-1",
        "spare-2",
        "probe-1",
        "probe-2",
        "import-1",
        "import-2",
        "media-1",
    }
    names = {"valkey-server", "sandbox", "web", "scheduler", "ticks", *workers}
    wait_until(lambda: set(one.children()) == names)  # the last ones may not have taken their names yet
    before = one.children()
    # Redis, the first one started, dies last: a worker that is only starting ends by itself without it.
    for pid in reversed(before.values()):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: set(one.children()) == set(before) and not set(one.children().values()) & set(before.values()))
    wait_until(lambda: one.status("/healthz") == 200 and one.status("/", "SANDBOX_PORT") == 200)
    for name in ("redis", "web", "scheduler", "ticks", "sandbox", *workers):
        assert f"{name}: завершён сигналом SIGKILL, снова через" in one.said

    assert one.left()
    assert one.stop(signal.SIGINT) == 0
    assert one.left() == []


def test_the_next_start_goes_on_with_the_same_data(run):
    """After it was stopped, and after it was killed, which leaves nothing behind: at once."""
    one = run().wait_for_start()
    one.redis().set("kept", "yes")
    before = users(one.var), keys(one.var)
    assert one.stop(signal.SIGTERM) == 0

    other = run().wait_for_start()
    assert other.redis().get("kept") == b"yes"
    assert (users(other.var), keys(other.var)) == before
    other.redis().set("kept", "still")
    wait_until(lambda: other.redis().info("persistence")["aof_buffer_length"] == 0)
    other.process.kill()
    wait_until(lambda: other.left() == [])

    third = run(PORT=other.settings["PORT"], SANDBOX_PORT=other.settings["SANDBOX_PORT"]).wait_for_start()
    assert third.redis().get("kept") == b"still"


@pytest.mark.parametrize("variable", ["PORT", "SANDBOX_PORT"])
def test_a_taken_port_is_one_clear_line(run, variable):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        one = run(**{variable: str(port)})
        assert one.process.wait(timeout=10) == 1
    assert one.said.startswith(f"Порт {port} занят") and f"{variable}=" in one.said
    assert one.said.count("\n") == 1
    assert not one.var.exists()


def test_two_runs_on_one_folder_are_refused(standing, run):
    other = run(standing.var)
    assert other.process.wait(timeout=20) == 1
    assert "уже работает другой запуск" in other.said and other.said.count("\n") == 1
    assert standing.status("/healthz") == 200


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"PORT": "http"}, "PORT=http: порт"),
        ({"PORT": "8000", "SANDBOX_PORT": "8000"}, "одинаковы"),
        ({"WORKERS": "many"}, "WORKERS=many"),
        ({"PROBE_WORKERS": "0"}, "PROBE_WORKERS=0"),
        ({"VAULT_PUBLIC_KEY": "one alone"}, "задайте оба или ни одного"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(run, settings, said):
    one = run(**settings)
    assert one.process.wait(timeout=20) == 1
    assert said in one.said and one.said.count("\n") == 1


def test_a_folder_that_cannot_be_made_is_one_clear_line(run):
    one = run(Path("/proc/vezde"))
    assert one.process.wait(timeout=10) == 1
    assert one.said.startswith("Папка VAR_DIR=/proc/vezde не годится") and one.said.count("\n") == 1


def test_settings_that_the_application_refuses_are_told_and_nothing_starts(run):
    one = run(SECRET_KEY="short", PUBLIC_URL="nowhere")
    assert one.process.wait(timeout=30) == 1
    assert "SECRET_KEY: " in one.said and "PUBLIC_URL: " in one.said and "Traceback" not in one.said
    assert one.left() == []


def test_a_start_that_fails_tells_why_and_leaves_nothing(run, tmp_path):
    one = run(DATABASE_URL=f"sqlite:///{tmp_path}/no/such/folder.db")
    assert one.process.wait(timeout=START_SECONDS) == 1
    assert "Не запустилось: prepare" in one.said and "unable to open database file" in one.said
    assert one.left() == []


@pytest.mark.parametrize("given", [False, True], ids=["generated", "given"])
def test_only_workers_ever_hold_the_private_key(request, run, given):
    """Whoever reads the environment and the memory of all others, root included, does not find it."""
    if given:
        public_key, private_key = vault.generate()
        one = run(VAULT_PUBLIC_KEY=public_key, VAULT_PRIVATE_KEY=private_key).wait_for_start()
        file = one.var / "keys" / "given_private_key"
    else:
        one: Run = request.getfixturevalue("standing")
        file = one.var / "keys" / "vault_keys"
    private_key = file.read_text().split()[-1]
    assert file.stat().st_mode & 0o077 == 0
    assert one.status("/sign-in") == 200
    others = set(one.left()) - set(workers(one))
    assert len(others) > 4
    for pid in others:
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended, as the ticks do now and then
            assert not memory.holds(pid, private_key), Path(f"/proc/{pid}/comm").read_text()
    if os.getuid() == 0:
        # The look finds it where it is.
        wait_until(lambda: sum(memory.holds(pid, private_key) for pid in workers(one) if readable(pid)) == WORKERS)
    else:
        wait_until(lambda: not any(readable(pid) for pid in workers(one)))
    if given:
        assert one.stop() == 0
        assert not file.exists()


def workers(one: Run) -> list[int]:
    kinds = ("worker-", "spare-", "probe-", "media-", "questions-", "webhooks-", "import-", "bot-")
    return [pid for name, pid in one.children().items() if name.startswith(kinds)]


def readable(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/environ").read_bytes())
    except (PermissionError, FileNotFoundError, ProcessLookupError):
        return False


def test_an_operators_command_reads_the_key_where_it_needs_it(standing):
    shown = flask(standing, "keys", "status").stdout
    assert "открывается здесь" in shown
    shown = flask(standing, "doctor", "--role", "web").stdout
    assert "Закрытых ключей в этом процессе нет." in shown and "✗" not in shown.partition("Landlock")[0], shown


def flask(one: Run, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "run.py", "flask", *arguments]
    environ = {"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8", **one.settings, "VAR_DIR": str(one.var)}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
