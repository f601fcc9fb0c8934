"""The web process as the Procfile starts it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Server:
    """`gunicorn wsgi:app` as in production, on a port that stays the same over restarts."""

    def __init__(self, environment: dict[str, str], *options: str, descriptors: int = 4096) -> None:
        """`options`: more of gunicorn's; `descriptors`: how many it may have open."""
        command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", *options, "wsgi:app"]
        self._command = ["prlimit", f"--nofile={descriptors}:{descriptors}", *command]
        self._environment = os.environ | environment
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Requests wait in the listener until it is up."""
        descriptor = self._listener.fileno()
        self._process = subprocess.Popen(
            [*self._command, "--bind", f"fd://{descriptor}"],
            cwd=ROOT,
            env=self._environment,
            pass_fds=[descriptor],
            process_group=0,
        )

    def worker(self) -> int:
        """The pid of the one process that serves."""
        master = self._process.pid
        [pid] = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return int(pid)

    def kill(self) -> None:
        os.killpg(self._process.pid, 9)
        self._process.wait()

    def close(self) -> None:
        self.kill()
        self._listener.close()
