"""Runs the sandbox under gunicorn: one process with many threads, since the state is in memory."""

import ctypes
import os
import signal
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from sandbox import create_sandbox

THREADS = 64
"""Each upload and each waiting fault (`delay`, `hang`, `slow`) occupies a thread."""
KEEPALIVE = 75
"""Seconds, as in nginx: with a shorter time, connection pools of clients meet connections that are just closing."""
GRACE = 2
"""Seconds for running requests at shutdown."""
PR_SET_PDEATHSIG = 1


class Server(BaseApplication):
    def __init__(self, var_dir: Path, smtp: tuple[str, int] | None, settings: dict[str, Any]) -> None:
        self._var_dir = var_dir
        self._smtp = smtp
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Runs in the only worker process. The SMTP server runs beside it and shares its state."""
        app = create_sandbox(self._var_dir)
        if self._smtp:
            app.extensions["mailbox"].serve(*self._smtp)
        return app


def main(host: str, port: int, var_dir: str | Path, threads: int = THREADS, smtp_port: int | None = None) -> None:
    """Serves until SIGTERM or SIGINT, then raises SystemExit. Safe to call in a forked child.

    Without `smtp_port` there is no SMTP server.
    """
    settings = {
        "bind": f"{host}:{port}",
        "worker_class": "gthread",
        "workers": 1,
        "threads": threads,
        "timeout": 0,
        "keepalive": KEEPALIVE,
        "graceful_timeout": GRACE,
        "loglevel": "warning",
        "control_socket_disable": True,
        "post_fork": lambda arbiter, worker: _die_with_parent(arbiter.pid),
    }
    Server(Path(var_dir).resolve(), (host, smtp_port) if smtp_port else None, settings).run()


def _die_with_parent(parent: int) -> None:
    """Otherwise the worker of a killed arbiter keeps serving and writing beside the worker of the next start."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
