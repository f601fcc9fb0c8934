"""An inbox in a folder of this machine. Those who write into it may not be trusted: no symbolic link is followed, not
even one that takes a folder's place after it has been listed.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from app.storage.base import StorageUnavailable
from app.storage.inbox import MAX_DEPTH, MAX_ENTRIES, Changed, Entry, may_be_taken, path_when_done

BLOCK_BYTES = 1 << 20


class FolderInbox:
    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def entries(self) -> Iterator[Entry]:
        count = 0
        self._require()
        for where, folders, names, descriptor in os.fwalk(self._folder, follow_symlinks=False):
            above = Path(where).relative_to(self._folder).parts
            folders[:] = sorted(one for one in folders if not one.startswith(".")) if len(above) < MAX_DEPTH else []
            for name in sorted(names):
                path = "/".join((*above, name))
                if count >= MAX_ENTRIES or not may_be_taken(path):
                    continue
                with suppress(FileNotFoundError):
                    found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    if stat.S_ISREG(found.st_mode):
                        count += 1
                        changed_at = datetime.fromtimestamp(min(found.st_mtime, _LATEST), UTC)
                        yield Entry(path, found.st_size, _version(found), changed_at)

    def blocks(self, entry: Entry) -> Iterator[bytes]:
        with self._opened(entry.folder) as above:
            descriptor = os.open(entry.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=above)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode) or _version(os.fstat(descriptor)) != entry.version:
                raise Changed
            while block := file.read(BLOCK_BYTES):
                yield block
            if _version(os.fstat(descriptor)) != entry.version:
                raise Changed

    def put_away(self, entry: Entry) -> bool:
        folder, _, name = path_when_done(entry).rpartition("/")
        with self._opened(entry.folder) as source, self._opened(folder, make=True) as target:
            try:
                if _version(os.stat(entry.name, dir_fd=source, follow_symlinks=False)) != entry.version:
                    return True  # another file by now, to be taken itself
                _rename(entry.name, source, _free(name, target), target)
            except FileNotFoundError:
                return True
        return True

    def check(self) -> None:
        self._require()
        if not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise StorageUnavailable(f"папку {self._folder} нельзя читать или менять")

    def _require(self) -> None:
        if not self._folder.is_dir():
            raise StorageUnavailable(f"папки {self._folder} нет: не подключён диск?")

    @contextmanager
    def _opened(self, folder: str, make: bool = False) -> Iterator[int]:
        """Step by step, so that no step is a link."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in folder.split("/"):
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, mode=0o770, dir_fd=descriptor)
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)


_LATEST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


def _version(found: os.stat_result) -> str:
    return f"{found.st_size}-{found.st_mtime_ns}"


def _free(name: str, folder: int) -> str:
    """The name, or one with a number where there is such a file already."""
    stem, dot, suffix = name.rpartition(".")
    number, free = 1, name
    while True:
        try:
            os.stat(free, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return free
        number += 1
        free = f"{stem} ({number}){dot}{suffix}" if dot else f"{name} ({number})"


def _rename(name: str, source: int, to: str, target: int) -> None:
    os.rename(name, to, src_dir_fd=source, dst_dir_fd=target)
