"""A file of this machine on its way to the service."""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from vezde_client.errors import Refused, WrongUsage

# Of its beginning and its end; the service makes a fingerprint of the same.
_FINGERPRINT_BYTES = 64 << 10
_WHY = {errno.ENOENT: "Такого файла нет.", errno.EACCES: "Нет прав на чтение файла."}


class LocalFile:
    """Its size and fingerprint as at the beginning: what changes meanwhile is not sent on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._state = self._stat()
            if not path.is_file():
                raise WrongUsage("Это не файл.")
            self.fingerprint = _fingerprint(path)
        except OSError as error:
            raise WrongUsage(_WHY.get(error.errno, "Файл не читается.")) from error
        if not self.size:
            raise WrongUsage("Файл пуст.")

    @property
    def size(self) -> int:
        return self._state[0]

    @property
    def name(self) -> str:
        return self.path.name

    def require_unchanged(self) -> None:
        try:
            changed = self._stat() != self._state
        except OSError:
            changed = True
        if changed:
            raise Refused("Файл изменился, пока отправлялся. Повторите, когда он будет готов.")

    def _stat(self) -> tuple[int, int]:
        found = self.path.stat()
        return found.st_size, found.st_mtime_ns


class Piece:
    """The body of a request: `length` bytes of a file, read while they are sent."""

    def __init__(self, path: Path, offset: int, length: int, sent: Callable[[int], None]) -> None:
        self._file = path.open("rb")
        self._file.seek(offset)
        self._rest, self._length, self._sent = length, length, sent

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(self._rest if size < 0 else min(size, self._rest)) if self._rest else b""
        if not block and self._rest:
            raise Refused("Файл укоротился, пока отправлялся. Повторите, когда он будет готов.")
        self._rest -= len(block)
        self._sent(self._length - self._rest)
        return block

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(1 << 18):
            yield block

    def close(self) -> None:
        self._file.close()


def _fingerprint(path: Path) -> str:
    with path.open("rb") as opened:
        size = opened.seek(0, os.SEEK_END)
        digest = hashlib.sha256(str(size).encode())
        for start in (0, max(size - _FINGERPRINT_BYTES, 0)):
            opened.seek(start)
            digest.update(opened.read(_FINGERPRINT_BYTES))
    return digest.hexdigest()
