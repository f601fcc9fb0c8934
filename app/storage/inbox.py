"""Where clips are taken from by themselves: a folder or a bucket's prefix, by the setting INBOX_URL.

Below it the first folder is a user's, by e-mail or number. What has been taken moves into that folder's `done`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from flask import current_app

DONE = "done"
MAX_DEPTH = 5  # folders above a file, its user's included
MAX_ENTRIES = 20_000
MAX_PATH_BYTES = 1000
# As browsers and transfer programs call what is not whole yet.
_PARTIAL = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".filepart", "~")


@dataclass(frozen=True)
class Entry:
    """One file. `version` changes with its content; `etag` is a bucket's."""

    path: str  # "user/folder/name.mp4"
    size: int
    version: str
    changed_at: datetime
    etag: str | None = None

    @property
    def user(self) -> str:
        return self.path.partition("/")[0]

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class Changed(Exception):
    """The file is not the one that was listed."""


class Inbox(Protocol):
    """A missing file raises FileNotFoundError, a place that is down raises StorageUnavailable."""

    def entries(self) -> Iterator[Entry]:
        """All files that may be taken, MAX_ENTRIES at most."""

    def blocks(self, entry: Entry) -> Iterator[bytes]:
        """The file's bytes. Raises Changed."""

    def put_away(self, entry: Entry) -> bool:
        """Moves it into its user's `done`; False where it stays. May be done twice."""

    def check(self) -> None:
        """Raises StorageUnavailable unless files can be taken."""


def inbox_at(url: str, config: Mapping[str, Any]) -> Inbox:
    """The inbox at an address that `config.inbox_address` has checked."""
    if url.startswith("file:"):
        from app.storage.inbox_folder import FolderInbox

        path = url.removeprefix("file:")
        return FolderInbox(Path("/" + path.lstrip("/") if path.startswith("//") else path))
    # Here: an installation without a bucket need not load its client.
    from app.storage.inbox_s3 import S3Inbox

    return S3Inbox(url, config["AWS_ACCESS_KEY_ID"], config["AWS_SECRET_ACCESS_KEY"])


def inbox() -> Inbox | None:
    """None where the operator has set none up."""
    return current_app.extensions.get("inbox")


def may_be_taken(path: str) -> bool:
    """Neither hidden nor put away, whole by its name, in a user's folder, of a name that can be stored and shown."""
    parts = path.split("/")
    if not 2 <= len(parts) <= MAX_DEPTH + 1 or parts[1] == DONE:
        return False
    if any(not part or part.startswith(".") for part in parts) or parts[-1].lower().endswith(_PARTIAL):
        return False
    return path.isprintable() and len(path.encode()) <= MAX_PATH_BYTES


def path_when_done(entry: Entry) -> str:
    return f"{entry.user}/{DONE}/{entry.path.partition('/')[2]}"
