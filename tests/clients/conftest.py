"""The client before the real `make run`, by its public API only."""

import io
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DEMO_BOT
from tests.journeys.conftest import Running
from tests.person import Person
from vezde_client.commands import run

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "clients"
ZONE = "Asia/Yekaterinburg"


@dataclass(frozen=True)
class Studio:
    """A user with accounts, and keys of theirs: one that may write, one that may only read."""

    running: Running
    person: Person
    key: str
    reading_key: str

    @property
    def url(self) -> str:
        return self.running.url

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def posts(self, title: str) -> list[dict]:
        """On all platforms."""
        return [one for one in self.running.posts if title in json.dumps(one, ensure_ascii=False)]


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    one = Running(tmp_path_factory.mktemp("var"))
    yield one
    one.stop()


@pytest.fixture(scope="package")
def studio(running: Running) -> Studio:
    person = Person(running.url, "studio@example.org")
    person.sign_up(timezone=ZONE)
    person.post("/plans/business", "/plans")
    person.connect("telegram", bot_token=DEMO_BOT, channel="@vezde_demo")
    person.connect_by_consent("vk")
    return Studio(running, person, new_key(person, "write"), new_key(person, "read"))


def new_key(person: Person, scope: str) -> str:
    page = "/settings/api/new"
    answer = person.post(page, page, name="Ферма", scope=scope, days="30")
    return re.search(r"vz_[\w-]{43}", answer.text)[0]


@dataclass
class Done:
    exit: int
    out: str
    errors: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal:
    """Where `vezde` is typed: a login, and folders of its own."""

    def __init__(self, folder: Path, url: str, key: str) -> None:
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("VEZDE_")} | {
            "PYTHONPATH": str(CLIENTS),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_STATE_HOME": str(folder / "state"),
            "PYTHONIOENCODING": "utf-8",
        }
        if url:
            self.environment |= {"VEZDE_URL": url, "VEZDE_API_KEY": key}

    def begin(self, *arguments: object, **more: Any) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "vezde_client", *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            text=True,
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
        )

    def __call__(self, *arguments: object, typed: str = "") -> Done:
        """In this process: an interpreter of its own for each command would take most of the time."""
        out, errors, before = io.StringIO(), io.StringIO(), signal.getsignal(signal.SIGTERM)
        with pytest.MonkeyPatch.context() as patch:
            for name in [*os.environ]:
                patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            patch.setattr(sys, "stdin", io.StringIO(typed))
            with redirect_stdout(out), redirect_stderr(errors):
                try:
                    code = run([*map(str, arguments)])
                except SystemExit as end:
                    code = end.code
                finally:
                    signal.signal(signal.SIGTERM, before)
        return Done(code, out.getvalue(), errors.getvalue())

    def apart(self, *arguments: object) -> Done:
        """In a process of its own."""
        process = self.begin(*arguments)
        out, errors = process.communicate(timeout=120)
        assert "Traceback" not in errors, errors
        return Done(process.returncode, out, errors)


@pytest.fixture
def terminal(tmp_path: Path, studio: Studio) -> Terminal:
    return Terminal(tmp_path, studio.url, studio.key)


@pytest.fixture
def new_clip(tmp_path: Path, vertical_file: Path) -> Callable[..., Path]:
    """Files that are all different: `new_clip("закат.mp4")`."""

    def make(name: str = "clip.mp4", folder: Path = tmp_path) -> Path:
        path = folder / name
        shutil.copy(vertical_file, path)
        with path.open("ab") as file:
            file.write((24).to_bytes(4) + b"free" + secrets.token_bytes(16))  # a box that players skip
        return path

    return make
