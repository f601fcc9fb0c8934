"""The web process as the Procfile starts it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Server:
    """`gunicorn wsgi:app` as in production, on a port that stays the same over restarts."""

    def __init__(self, environment: dict[str, str], config: str = "gunicorn.conf.py") -> None:
        self._config = config
        self._environment = os.environ | environment
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Requests wait in the listener until it is up."""
        descriptor = self._listener.fileno()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "--config",
                "gunicorn.conf.py",
                "--bind",
                f"fd://{descriptor}",
                "wsgi:app",
            ],
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
