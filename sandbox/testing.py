"""Starts a sandbox for tests: a real process on a free port."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).parent.parent
START_SECONDS = 20


class Sandbox:
    """A running sandbox. `url` has no trailing slash; the state is in `var_dir/sandbox`."""

    def __init__(self, var_dir: Path, port: int, threads: int) -> None:
        self.var_dir = var_dir
        self.port = port
        self.smtp_port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._threads = threads
        self._start()

    def control(self, name: str, /, **command: Any) -> Any:
        """Calls `/control/<name>` and returns its JSON. Raises ValueError for an error response.

        `control("posts")` is a GET; `control("options", rate_limits=False)` and `control("reset")` are POSTs.
        """
        method = "POST" if command or name == "reset" else "GET"
        response = requests.request(method, f"{self.url}/control/{name}", json=command or None, timeout=30)
        if not response.ok:
            raise ValueError(response.text)
        return response.json()

    @property
    def posts(self) -> list[dict[str, Any]]:
        return self.control("posts")["posts"]

    @property
    def drafts(self) -> list[dict[str, Any]]:
        return self.control("drafts")["drafts"]

    @property
    def requests(self) -> list[dict[str, Any]]:
        return self.control("requests")["requests"]

    @property
    def mails(self) -> list[dict[str, Any]]:
        return self.control("mails")["mails"]

    def reset(self) -> None:
        self.control("reset")

    def trouble(self, *rules: dict[str, Any]) -> None:
        """Replaces the fault rules; without arguments, removes them."""
        self.control("trouble", rules=list(rules))

    @property
    def pid(self) -> int:
        """gunicorn's parent process; the worker is its only child."""
        return self._process.pid

    def kill(self) -> None:
        """Sends SIGKILL. `restart` starts it again with the same port and state."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        self.stop()
        self._start()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()

    def _start(self) -> None:
        environment = os.environ | {
            "SANDBOX_PORT": str(self.port),
            "SANDBOX_SMTP_PORT": str(self.smtp_port),
            "SANDBOX_THREADS": str(self._threads),
            "VAR_DIR": str(self.var_dir),
        }
        self._process = subprocess.Popen([sys.executable, "-m", "sandbox"], cwd=ROOT, env=environment)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                requests.get(f"{self.url}/control/options", timeout=5).raise_for_status()
                return
            except requests.ConnectionError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise
                time.sleep(0.05)


def start_sandbox(var_dir: str | Path, port: int | None = None, threads: int = 64) -> Sandbox:
    """Starts a sandbox with its state in `var_dir/sandbox`. The caller calls `stop()`."""
    return Sandbox(Path(var_dir).resolve(), port or free_port(), threads)


def free_port() -> int:
    """None of those that the kernel gives to sockets without a port: no other process takes it in between."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
