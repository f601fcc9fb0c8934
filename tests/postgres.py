"""A PostgreSQL server of one's own, from the system's binaries: in a temporary folder, on a unix socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg import sql

START_SECONDS, STOP_SECONDS = 30, 10
# Nothing of it outlives the run, so nothing need reach a disk.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")
OPTIONS = ("max_connections=400", "listen_addresses=", "log_min_messages=fatal")


def binaries() -> Path | None:
    """The folder of the newest server that is installed (Debian's place)."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


class Postgres:
    """`url(name)` is a database's address as the application takes it."""

    def __init__(self, *, fast: bool = True, own_session: bool = False) -> None:
        """`own_session`: it outlives this process, and what a terminal sends it."""
        self._own_session = own_session
        self._folder = Path(tempfile.mkdtemp(prefix="vezde-pg-", dir="/tmp"))
        self._options = (*OPTIONS, *(FAST if fast else ()))
        self._user = _somebody()
        if self._user:
            shutil.chown(self._folder, self._user)
        self._call("initdb", "-D", f"{self._folder}/data", "-U", "vezde", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    @property
    def folder(self) -> Path:
        return self._folder

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://vezde@/{name}?host={self._folder}"

    def command(self) -> list[str]:
        """What starts the server; for a supervisor, together with `become()`."""
        settings = [part for option in self._options for part in ("-c", option)]
        return [f"{binaries()}/postgres", "-D", f"{self._folder}/data", "-k", str(self._folder), *settings]

    def become(self) -> None:
        """Turns this process into the server. PostgreSQL refuses to be root."""
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.setgroups([])
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
        command = self.command()
        os.execv(command[0], command)

    def start(self) -> None:
        self._server = subprocess.Popen(self.command(), start_new_session=self._own_session, **self._as_user())
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL не запустился")
            time.sleep(0.05)

    def answers(self) -> bool:
        try:
            self._execute(sql.SQL("SELECT 1"))
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """At once; the data stay."""
        self._server.terminate()
        try:
            self._server.wait(5)
        except subprocess.TimeoutExpired:  # somebody is still connected
            self._server.kill()
            self._server.wait()

    def remove(self) -> None:
        self._server.send_signal(signal.SIGQUIT)  # without asking anybody
        self._server.wait()
        self.forget()

    def forget(self) -> None:
        """Once it is stopped: its data go."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def create(self, name: str, template: str = "template0") -> str:
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return self.url(name)

    def drop(self, name: str) -> None:
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def address(self, name: str) -> str:
        """As psycopg takes it."""
        return f"host={self._folder} user=vezde dbname={name}"

    def _execute(self, statement: sql.Composable) -> None:
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run([f"{binaries()}/{program}", *arguments], check=True, **self._as_user())

    def _as_user(self) -> dict:
        who = {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []} if self._user else {}
        return {"cwd": "/", "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **who}


class RunningPostgres(Postgres):
    """A server that another process has started in this folder, and that may have ended since."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._user = folder, _somebody()

    def remove(self) -> None:
        file = self._folder / "data" / "postmaster.pid"
        os.kill(int(file.read_text().split()[0]), signal.SIGQUIT)
        deadline = time.monotonic() + STOP_SECONDS
        while file.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.forget()


def _somebody() -> str | None:
    """Who runs the server where we are root; None where we are not."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
