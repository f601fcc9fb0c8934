"""Starts the processes of the Procfile by its own lines, as a PaaS does."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
BINARIES = Path(sys.executable).parent
STOP_SECONDS = 30  # what a PaaS grants between SIGTERM and SIGKILL


def lines() -> dict[str, str]:
    """The Procfile: name of the process, its command."""
    pairs = (line.partition(":") for line in (ROOT / "Procfile").read_text().splitlines())
    return {name: command.strip() for name, _, command in pairs}


def environ(settings: Mapping[str, str]) -> dict[str, str]:
    """What such a process gets: the settings, a path, and nothing of the developer's shell."""
    return {
        "PATH": f"{BINARIES}:{os.environ['PATH']}",
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        **settings,
    }


class Process:
    """One line of the Procfile, running; what it says goes to `log`."""

    def __init__(self, name: str, settings: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                shlex.split(lines()[name]),
                cwd=ROOT,
                env=environ(settings),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def stop(self) -> int:
        """SIGTERM, as a PaaS sends it; its exit code, within the time that is granted."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """As when its machine is lost: the whole session at once."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def release(settings: Mapping[str, str]) -> None:
    """The release phase: raises CalledProcessError where it fails."""
    subprocess.run(
        shlex.split(lines()["release"]), cwd=ROOT, env=environ(settings), check=True, capture_output=True, text=True
    )
