"""What all processes of one run share: made by the first that needs it, while the others wait for it.

Six processes that each make a PostgreSQL server and the tables by all migrations do the same work six times.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.postgres import Postgres, RunningPostgres

# Set by the process that was called, for those that it starts.
FOLDER = "VEZDE_TEST_RUN"


def pytest_configure(config: pytest.Config) -> None:
    if not _is_one_of_many(config):
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="vezde-run-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if _is_one_of_many(config) or FOLDER not in os.environ:
        return
    folder = Path(os.environ.pop(FOLDER))
    if (server := folder / "postgresql").exists():
        RunningPostgres(Path(server.read_text())).remove()
    shutil.rmtree(folder)


def _is_one_of_many(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def process_name() -> str:
    """Of this process among those of the run; can be a part of a database's name."""
    return os.environ.get("PYTEST_XDIST_WORKER", "alone")


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """Returns the file that `make` writes, in the first process that asks for it."""
    path = Path(os.environ[FOLDER]) / name
    with _locked(name):
        if not path.exists():
            new = path.with_name(f"{name}.new")
            make(new)
            new.rename(path)
    return path


@contextmanager
def _locked(name: str) -> Iterator[None]:
    with (Path(os.environ[FOLDER]) / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def postgresql() -> Postgres:
    """The run's server."""
    return RunningPostgres(Path(made_once("postgresql", _start_postgresql).read_text()))


def _start_postgresql(path: Path) -> None:
    path.write_text(str(Postgres(own_session=True).folder))
