"""What a command has begun: written before each request, so that the command, killed and called again, continues.

One file for each thing that is done, below the state folder. Its lock keeps two commands from doing the same at once.
"""

import fcntl
import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vezde_client.errors import Unavailable
from vezde_client.settings import state_folder, write_private

# The API knows a key for 24 hours. What is older was not continued in time.
KEPT_SECONDS = 23 * 3600


class Journal:
    """A dictionary that lies on disk. `note()` is written at once."""

    def __init__(self, path: Path, is_kept: bool = False) -> None:
        """`is_kept`: also after what it is of has ended, so that it is not done again."""
        self._path, self._is_kept = path, is_kept
        try:
            found = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            found = None
        self.facts: dict[str, Any] = found if isinstance(found, dict) else {}
        self._keys: dict[str, Any] = self.facts.setdefault("keys", {})

    def note(self, **facts: Any) -> None:
        self.facts.update(facts)
        write_private(self._path, json.dumps(self.facts, ensure_ascii=False))

    def forget(self, *names: str) -> None:
        for name in names:
            self.facts.pop(name, None)
        self.note()

    def key(self, name: str) -> str:
        """The Idempotency-Key of a request: a new one is on disk before it is sent."""
        if name not in self._keys or self.is_stale(name):
            self._keys[name] = {"key": str(uuid.uuid4()), "at": time.time()}
            self.note()
        return self._keys[name]["key"]

    def is_stale(self, name: str) -> bool:
        """Whether the request was sent so long ago that the API does not know its key any more."""
        return name in self._keys and self._keys[name]["at"] < time.time() - KEPT_SECONDS

    def drop_key(self, name: str) -> None:
        """The request was refused: to be asked again, it must be another one."""
        self._keys.pop(name, None)
        self.note()

    def finish(self) -> None:
        """What it is of has ended well: the same command is a new one from here on."""
        if not self._is_kept:
            self.discard()

    def discard(self) -> None:
        self._path.unlink(missing_ok=True)
        self.facts.clear()
        self._keys = self.facts.setdefault("keys", {})


@contextmanager
def opened(*names: Any, key: str = "") -> Iterator[Journal]:
    """The journal of what `names` are of, or `key` with them. Raises Unavailable while another process has it."""
    folder = state_folder() / "journal"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(folder)
    path = folder / f"{digest(*names, key)}.json"
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable("То же самое уже делает другой процесс vezde. Дождитесь его.") from None
        yield Journal(path, is_kept=bool(key))


def digest(*names: Any) -> str:
    text = json.dumps(names, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:40]


def _sweep(folder: Path) -> None:
    """What nobody has continued for a week."""
    for entry in os.scandir(folder):
        with suppress(FileNotFoundError):
            if entry.stat().st_mtime < time.time() - 7 * 24 * 3600:
                Path(entry.path).unlink()
