"""An installation as an operator has it: the Procfile's processes in several copies, and what is asked of them.

The first web has a VAR_DIR of its own; the other webs, workers and schedulers have one that cannot be written to.
"""

import re
import subprocess
from pathlib import Path

import requests

from app import platforms
from tests.conftest import free_port
from tests.procfile import ROOT, Process, environ, release
from tests.s3 import KEY, SECRET
from tests.test_run import wait_until

READ_ONLY = "/sys/vezde"
METRICS_TOKEN = "rehearsal-rehearsal"


class Installation:
    """Everything of one «Везде» but its parts that others rent out: settings, processes, and an operator's hands."""

    def __init__(self, folder: Path, keys: tuple[str, str], sandbox_url: str, **settings: str) -> None:
        self.folder = folder
        self.ports = {copy: free_port() for copy in ("a", "b")}
        addresses = [sandbox_url.partition("//")[2], *(f"127.0.0.1:{port}" for port in self.ports.values())]
        self.settings = {
            "SECRET_KEY": "rehearsal" * 5,
            "PUBLIC_URL": self.url("a"),
            "VAULT_PUBLIC_KEY": keys[0],
            "VAULT_PRIVATE_KEY": keys[1],
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "METRICS_TOKEN": METRICS_TOKEN,
            "LOCAL_HOSTS": " ".join(addresses),
            "RETRY_SECONDS": "1,1,1",
            "WORKERS": "2",
            "WEB_CONCURRENCY": "1",
            **{one.name: one.demo.format(sandbox=sandbox_url) for one in platforms.settings() if one.demo is not None},
            **settings,
        }
        self.processes: dict[str, Process] = {}

    def url(self, copy: str) -> str:
        return f"http://127.0.0.1:{self.ports[copy]}"

    def release(self) -> None:
        release(self.settings)

    def start(self, name: str, copy: str) -> Process:
        own = {"VAR_DIR": READ_ONLY, "TMPDIR": str(self.folder / f"tmp-{name}-{copy}")}
        Path(own["TMPDIR"]).mkdir(exist_ok=True)
        if name == "web":
            own["PORT"] = str(self.ports[copy[0]])
            own["VAR_DIR"] = str(self.folder / "var") if copy == "a" else READ_ONLY
        process = Process(name, self.settings | own, self.folder / f"{name}-{copy}.log")
        self.processes[f"{name}-{copy}"] = process
        return process

    def start_all(self, copies: str = "ab") -> None:
        for copy in copies:
            for name in ("web", "worker", "scheduler"):
                self.start(name, copy)
        for copy in copies:
            self.wait_until_ready(copy)
        workers = len(copies) * int(self.settings["WORKERS"])
        wait_until(lambda: self.figure('vezde_workers_alive{kind="worker"}', copies[0]) == workers, 60)
        wait_until(lambda: self.figure('vezde_workers_alive{kind="scheduler"}', copies[0]) == len(copies), 60)

    def wait_until_ready(self, copy: str) -> None:
        wait_until(lambda: self.ready(copy) == {"database": "ok", "redis": "ok", "storage": "ok"}, 90)

    def ready(self, copy: str) -> dict[str, str]:
        try:
            return requests.get(f"{self.url(copy)}/readyz", timeout=60).json()
        except requests.ConnectionError:
            return {}

    def figure(self, name: str, copy: str = "a") -> float | None:
        headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
        text = requests.get(f"{self.url(copy)}/metrics", headers=headers, timeout=60).text
        found = re.search(rf"^{re.escape(name)} (.+)$", text, re.MULTILINE)
        return float(found[1]) if found else None

    def flask(self, *arguments: str) -> str:
        command = ["flask", "--app", "wsgi", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environ(self.settings), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def kill_all(self) -> None:
        for process in self.processes.values():
            process.kill()
