"""A watched folder: which files are whole, what lies beside them, and which have been taken before."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vezde_client.errors import Unavailable, WrongUsage
from vezde_client.journal import digest
from vezde_client.local_file import LocalFile
from vezde_client.settings import state_folder, write_private

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
SIDECAR_NAMES = ("to", "set", "at", "in", "slot", "title", "text", "options", "again")
_SIDECAR_BYTES = 1 << 20
_REMEMBERED_SECONDS = 30 * 24 * 3600

State = tuple[int, int]


@dataclass(frozen=True)
class Found:
    """A file that is whole; `sidecar` is the JSON file beside it, or None."""

    path: Path
    fingerprint: str
    sidecar: Path | None
    sidecar_state: State | None


class Folder:
    def __init__(self, path: Path, stable_seconds: float, needs_sidecar: bool) -> None:
        if not path.is_dir():
            raise WrongUsage(f"{path}: это не папка.")
        self.path, self._stable_seconds, self._needs_sidecar = path, stable_seconds, needs_sidecar
        self._since: dict[Path, tuple[Any, float]] = {}
        self._fingerprints: dict[Path, tuple[State, str]] = {}

    def scan(self) -> tuple[list[Found], bool]:
        """The files that are whole, oldest first, and whether there are others that still grow."""
        whole: list[Found] = []
        grows = False
        listed = self._listed()
        for path, state in listed:
            sidecar, sidecar_state = self._sidecar(path)
            if self._needs_sidecar and sidecar is None:
                continue
            if self._is_stable(path, (state, sidecar_state)) and state[0]:
                whole.append(Found(path, self._fingerprint(path, state), sidecar, sidecar_state))
            else:
                grows = True
        for gone in self._since.keys() - {path for path, _ in listed}:
            del self._since[gone]
            self._fingerprints.pop(gone, None)
        return whole, grows

    def _listed(self) -> list[tuple[Path, State]]:
        found = []
        try:
            for entry in os.scandir(self.path):
                if entry.name.startswith(".") or not entry.name.lower().endswith(SUFFIXES):
                    continue
                if (state := _state(Path(entry.path))) and entry.is_file():
                    found.append((Path(entry.path), state))
        except OSError as error:
            raise Unavailable(f"{self.path}: папка сейчас не читается.") from error
        return sorted(found, key=lambda one: (one[1][1], one[0]))

    def _is_stable(self, path: Path, state: Any) -> bool:
        """Unchanged since it was first seen so; a file that has lain there for longer is whole at once."""
        now = time.monotonic()
        known, since = self._since.get(path, (None, now))
        if known != state:
            changed = max(one[1] for one in state if one) / 1e9
            since = now - max(0.0, min(time.time() - changed, self._stable_seconds))
            self._since[path] = (state, since)
        return now - since >= self._stable_seconds

    def _fingerprint(self, path: Path, state: State) -> str:
        known = self._fingerprints.get(path)
        if known is None or known[0] != state:
            known = self._fingerprints[path] = (state, LocalFile(path).fingerprint)
        return known[1]

    def _sidecar(self, path: Path) -> tuple[Path | None, State | None]:
        """`clip.mp4.json` or `clip.json`."""
        for sidecar in (path.with_name(f"{path.name}.json"), path.with_suffix(".json")):
            if state := _state(sidecar):
                return sidecar, state
        return None, None


def _state(path: Path) -> State | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def read_sidecar(path: Path) -> dict[str, Any]:
    """Raises WrongUsage."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_SIDECAR_BYTES).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        raise WrongUsage(f"{path}: это не JSON в UTF-8.") from None
    if not isinstance(found, dict):
        raise WrongUsage(f"{path}: нужен объект JSON.")
    if unknown := found.keys() - set(SIDECAR_NAMES):
        raise WrongUsage(f"{path}: лишнее — {', '.join(sorted(unknown))}. Бывает: {', '.join(SIDECAR_NAMES)}.")
    return found


class Taken:
    """Which files have been taken, by their fingerprints: under another name it is still the same file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._entries: dict[str, dict[str, Any]] = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            self._entries = {}

    def has(self, found: Found) -> bool:
        """A file that was refused is taken again when what lies beside it has changed."""
        entry = self._entries.get(found.fingerprint)
        if entry is None:
            return False
        entry["seen"] = time.time()
        return not entry.get("refused") or entry.get("sidecar") == _as_list(found.sidecar_state)

    def add(self, found: Found, refused: bool) -> None:
        self._entries[found.fingerprint] = {
            "name": found.path.name,
            "seen": time.time(),
            "refused": refused,
            "sidecar": _as_list(found.sidecar_state),
        }
        self.save()

    def save(self) -> None:
        """Without those that have not lain there for a month."""
        oldest = time.time() - _REMEMBERED_SECONDS
        self._entries = {key: one for key, one in self._entries.items() if one["seen"] > oldest}
        write_private(self._path, json.dumps(self._entries, ensure_ascii=False))


def _as_list(state: State | None) -> list[int] | None:
    return list(state) if state else None


@contextmanager
def taken(*names: Any) -> Iterator[Taken]:
    """Of one folder. Raises Unavailable while another process watches it."""
    folder = state_folder() / "watch"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{digest(*names)}.json"
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable("За этой папкой уже следит другой процесс vezde.") from None
        found = Taken(path)
        try:
            yield found
        finally:
            found.save()
