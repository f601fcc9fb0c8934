"""Clips in a folder of this machine, or of a network file system that all machines mount."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

from app.storage.base import StorageUnavailable, checked


class FolderStorage:
    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        # Only here: made again while a disk is not mounted, it would be a storage that has lost its files.
        with suppress(OSError):  # `check()` reports what is wrong
            self._folder.mkdir(parents=True, exist_ok=True)

    def put_file(self, path: Path, key: str) -> str:
        target = self._target(key)
        if path.stat().st_dev != self._folder.stat().st_dev:
            # A rename does not cross file systems: copy beside the target first, so that half a file is never seen.
            arriving = target.with_name(target.name + ".part")
            shutil.copyfile(path, arriving)
            _rename(arriving, target)
            path.unlink()
        else:
            _rename(path, target)
        return key

    def put_bytes(self, data: bytes, key: str) -> str:
        target = self._target(key)
        arriving = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
        arriving.write_bytes(data)
        _sync(arriving)
        _rename(arriving, target)
        _sync(target.parent)
        return key

    def keep(self, key: str) -> None:
        """The bytes, then the folder, so that the name is there too."""
        path = self.path(key)
        _sync(path)
        _sync(path.parent)

    def open(self, key: str, start: int = 0) -> BinaryIO:
        path = self.path(key)
        with _storage_errors(path):
            file = path.open("rb")
        file.seek(start)
        return file

    def size(self, key: str) -> int:
        with _storage_errors(self.path(key), self._folder):
            return self.path(key).stat().st_size

    def exists(self, key: str) -> bool:
        return self.path(key).is_file()

    def delete(self, key: str) -> None:
        if not self._folder.is_dir():
            raise StorageUnavailable(f"папки клипов {self._folder} нет")  # not mounted: the file may well be there
        self.path(key).unlink(missing_ok=True)

    def path(self, key: str) -> Path:
        return self._folder / checked(key)

    @contextmanager
    def on_disk(self, key: str) -> Iterator[Path]:
        self.open(key).close()
        yield self.path(key)

    def check(self) -> None:
        try:
            with NamedTemporaryFile(prefix=".check-", dir=self._folder, buffering=0) as probe:
                probe.write(b"ok")
        except OSError as error:
            raise StorageUnavailable(f"папка клипов {self._folder}: {error.strerror}") from error

    def _target(self, key: str) -> Path:
        target = self.path(key)
        with _storage_errors(target, self._folder):
            target.parent.mkdir(mode=0o700, exist_ok=True)
        return target


@contextmanager
def _storage_errors(path: Path, stays: Path | None = None) -> Iterator[None]:
    """Distinguishes a missing file from a disk that is not mounted: a file's own folder outlives the file, an empty
    mount point has none. `stays` is checked instead where the file may never have been there.
    """
    try:
        yield
    except FileNotFoundError:
        if os.path.isdir(stays or path.parent):  # noqa: PTH112 - False for any trouble, Path.is_dir() raises some
            raise
        raise StorageUnavailable("папка клипов пропала: не подключён диск?") from None
    except OSError as error:
        raise StorageUnavailable(f"папка клипов: {error.strerror}") from error


def _rename(arriving: Path, target: Path) -> None:
    """In one step: half a file is never seen."""
    arriving.chmod(0o600)
    arriving.replace(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
