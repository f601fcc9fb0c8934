"""The state of the sandbox: clips and drafts, tokens, options, and the request log.

One lock protects all of it. The bytes of clips are in files beside it.
"""

import hashlib
import math
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.store import Row, Store, Table

BLOCK = 1 << 20
"""Bytes read, hashed and written at once."""

MAX_LOGGED_REQUESTS = 20_000


class DraftGone(Exception):
    """During its upload, the draft was deleted, replaced or published, or the sandbox was reset."""


class UnknownOption(ValueError):
    """An unknown option, or a value of the wrong type."""


@dataclass
class Video:
    """A clip on one platform, from the first byte of its upload. A draft until `published`.

    - `id`: the vendor's id, unique within the account; None if the vendor assigns it at the end
    - `sha256`: None during the upload
    - `ready_at`: Unix time of the end of processing; None before the last byte, and on a platform that does not
      show processing
    - `views`: None where the platform shows no number
    - `facts`: data of the platform's emulator
    """

    key: str
    platform: str
    account: str
    file: str
    created_at: str
    id: str | None = None
    title: str = ""
    text: str = ""
    url: str | None = None
    bytes: int = 0
    total: int | None = None
    sha256: str | None = None
    ready_at: float | None = None
    published: bool = False
    visible: bool = False
    views: int | None = 0
    likes: int | None = 0
    shares: int | None = 0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        return self.ready_at is not None and self.ready_at <= time.time()


@dataclass
class Token:
    """An access token. `expires_at`: Unix time in seconds; None: never."""

    platform: str
    token: str
    account: str
    scopes: list[str] = field(default_factory=list)
    expires_at: float | None = None
    revoked: bool = False
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= time.time()


@dataclass
class LoggedRequest:
    """`status` 0: no response was sent. `bytes`: received bytes of the body. `trouble`: the fault that was injected."""

    at: str
    method: str
    path: str
    status: int
    bytes: int
    trouble: str | None


class State:
    def __init__(self, folder: Path, options: Mapping[str, Any]) -> None:
        self.files = folder / "files"
        self.files.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self.rate_limits = RateLimits()
        self._store = Store(folder / "world.sqlite")  # an existing installation has this file
        self._tables: list[Table] = []
        self._seeds: list[Callable[[], None]] = []
        self._defaults = dict(options)
        self._options = {name: value for name, value in self._store.rows("option") if name in options}
        logged = ((int(key), LoggedRequest(**value)) for key, value in self._store.rows("request"))
        self._requests = deque(logged, MAX_LOGGED_REQUESTS)
        self.videos = self.table("video", Video)
        self.tokens = self.table("token", Token)
        self._processing = {video.key: video for video in self.videos if _in_processing(video)}
        self._hash_interrupted_uploads()

    def table(self, kind: str, row_type: type[Row]) -> Table[Row]:
        """Returns a table of rows that survive a restart and are deleted by a reset."""
        table = Table(self._store, kind, row_type)
        self._tables.append(table)
        return table

    def seed(self, name: str, fill: Callable[[], None]) -> None:
        """Calls `fill` to create the initial rows: now, unless an earlier run did, and after each reset."""
        self._seeds.append(fill)
        if name not in dict(self._store.rows("seeded")):
            fill()
            self._store.put("seeded", name, True)

    def reset(self) -> None:
        with self.lock:
            for table in self._tables:
                table.clear()
            self._options.clear()
            self._store.delete("option")
            self._requests.clear()
            self._store.delete("request")
            self.rate_limits.clear()
            self._processing.clear()
            for path in self.files.iterdir():
                path.unlink()
            for fill in self._seeds:
                fill()

    # Options

    @property
    def options(self) -> dict[str, Any]:
        return self._defaults | self._options

    def set_options(self, changes: Mapping[str, Any]) -> None:
        """Changes nothing if one option is invalid. Raises UnknownOption."""
        for name, value in changes.items():
            if name not in self._defaults:
                raise UnknownOption(f"there is no option {name!r}; there are {', '.join(self._defaults)}")
            if not _same_type(value, self._defaults[name]):
                raise UnknownOption(f"{name} needs a value like {self._defaults[name]!r}, not {value!r}")
        with self.lock:
            for name, value in changes.items():
                self._options[name] = value
                self._store.put("option", name, value)

    # Clips

    def begin(self, platform: str, account: str = "", key: str = "", **fields: Any) -> Video:
        """Creates a draft. `key` is its key in `videos`; random by default."""
        name = uuid.uuid4().hex
        video = Video(key=key or name, file=name, platform=platform, account=account, created_at=_timestamp(), **fields)
        with self.lock:
            (self.files / name).touch()
            self.videos.put(video.key, video)
        return video

    def save(self, video: Video) -> None:
        """Saves a changed draft or post. Raises DraftGone."""
        with self.lock:
            if self.videos.get(video.key) is not video:
                raise DraftGone
            self.videos.put(video.key, video)
            if _in_processing(video):
                self._processing[video.key] = video
            else:
                self._processing.pop(video.key, None)

    def uploaded_drafts(self, platform: str) -> list[Video]:
        """Returns drafts that are completely uploaded: in processing, or not yet published."""
        with self.lock:
            return [video for video in self._processing.values() if video.platform == platform]

    def publish(self, video: Video, at: float | None = None) -> None:
        """Makes a video visible and sets `created_at` to `at` (Unix time; now by default). Raises DraftGone."""
        with self.lock:
            video.published = video.visible = True
            video.created_at = _timestamp(at)
            self.save(video)

    def publish_copy(self, video: Video, **fields: Any) -> None:
        """Publishes the same clip as one more post."""
        with self.lock:
            copy = self.begin(video.platform, **fields)
            self.path(copy).unlink()
            self.path(copy).hardlink_to(self.path(video))
            copy.bytes, copy.sha256 = video.bytes, video.sha256
            self.publish(copy)

    def discard(self, video: Video) -> None:
        with self.lock:
            if self.videos.get(video.key) is video:
                self.videos.delete(video.key)
                self._processing.pop(video.key, None)
                self.path(video).unlink(missing_ok=True)

    def path(self, video: Video) -> Path:
        return self.files / video.file

    def receive(self, video: Video) -> "Receiver":
        """`with state.receive(video) as receiver: receiver.write(block)`; replaces the bytes of the draft.

        The later upload wins: an earlier one of the same draft ends with DraftGone. So does an upload for a clip
        that is already complete.
        """
        return Receiver(self, video)

    def _hash_interrupted_uploads(self) -> None:
        """A killed process leaves drafts without size and hash: both are computed from the files."""
        for video in self.videos:
            if not video.published and video.sha256 is None:
                path = self.path(video)
                path.touch()
                video.bytes = path.stat().st_size
                if not video.bytes:  # its upload has not begun
                    continue
                with path.open("rb") as file:
                    video.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                self.videos.put(video.key, video)

    # Requests

    def log(self, method: str, path: str, status: int, received: int, trouble: str | None) -> None:
        with self.lock:
            number = self._requests[-1][0] + 1 if self._requests else 1
            request = LoggedRequest(_timestamp(), method, path, status, received, trouble)
            if len(self._requests) == MAX_LOGGED_REQUESTS:
                self._store.delete("request", str(self._requests[0][0]))
            self._requests.append((number, request))
            self._store.put("request", str(number), vars(request))

    @property
    def requests(self) -> list[LoggedRequest]:
        with self.lock:
            return [request for _, request in self._requests]


class Receiver:
    """Writes a draft's bytes. At the end, also of an interrupted upload, the draft has their size and hash."""

    def __init__(self, state: State, video: Video) -> None:
        self._state = state
        self._video = video
        self._hash = hashlib.sha256()
        self._name = uuid.uuid4().hex

    def __enter__(self) -> "Receiver":
        with self._state.lock:
            if self._video.ready_at is not None or self._video.published:
                raise DraftGone
            before = self._state.path(self._video)
            self._video.file = self._name
            self._video.bytes = 0
            self._video.sha256 = None
            self._state.save(self._video)
            before.unlink(missing_ok=True)
            self._file = self._state.path(self._video).open("wb", buffering=0)
        return self

    def write(self, block: bytes | memoryview) -> None:
        self._hash.update(block)
        self._file.write(block)
        with self._state.lock:
            if self._video.file != self._name or self._state.videos.get(self._video.key) is not self._video:
                raise DraftGone
            self._video.bytes += len(block)

    def __exit__(self, *_: object) -> None:
        self._file.close()
        with self._state.lock:
            if self._video.file != self._name:
                raise DraftGone
            self._video.sha256 = self._hash.hexdigest()
            self._state.save(self._video)


class RateLimits:
    """Sliding windows, in memory only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}

    def hit(self, *windows: tuple[str, int, float]) -> int:
        """Counts one request in each window (key, limit, seconds), or in none of them.

        Returns the whole seconds to wait; 0 if the request is allowed.
        """
        with self._lock:
            now = time.monotonic()
            wait = 0.0
            for key, count, seconds in windows:
                times = self._times.setdefault(key, deque())
                while times and times[0] <= now - seconds:
                    times.popleft()
                if len(times) >= count:
                    wait = max(wait, times[-count] + seconds - now)
            if wait:
                return max(1, math.ceil(wait))
            for key, _, _ in windows:
                self._times[key].append(now)
            return 0

    def clear(self) -> None:
        with self._lock:
            self._times.clear()


def _same_type(value: Any, default: Any) -> bool:
    """Numbers may be int or float; a bool is not a number. For the default None: «a b», ["a", "b"] or None."""
    if default is None:
        words = value if isinstance(value, list) else [value]
        return value is None or all(isinstance(word, str) for word in words)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    return isinstance(value, int | float if isinstance(default, int | float) else type(default))


def _in_processing(video: Video) -> bool:
    return video.ready_at is not None and not video.published


def _timestamp(at: float | None = None) -> str:
    when = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
    return when.isoformat(timespec="milliseconds")
