"""What exists in the sandbox: clips and drafts, tokens, options, and the log of what was asked.

One lock guards it all; the bytes of clips lie in files beside it.
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
"""Bytes that are read, hashed and written at once."""

LOGGED_REQUESTS = 20_000


class Gone(Exception):
    """A draft was deleted, replaced or published, or the sandbox reset, while it was still being received."""


class UnknownOption(ValueError):
    """No such option, or a value of the wrong type."""


@dataclass
class Video:
    """One clip on one platform, from its first byte on. A draft until `published`.

    `id` is the vendor's, unique within the account; None where the vendor gives one only at the end.
    `sha256` is None while bytes are still coming. `views` is None where the platform shows no number.
    `ready_at` is the Unix time when the platform has processed it; None until the last byte came, and where a
    platform does not let one see that it processes. `facts` is what the platform's own emulator wants to remember.
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
    """An access token. `expires_at` is Unix time in seconds, None for never."""

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
    """`status` 0: no answer was given. `bytes` of the body that were received. `trouble`: what hit it."""

    at: str
    method: str
    path: str
    status: int
    bytes: int
    trouble: str | None


class World:
    def __init__(self, folder: Path, options: Mapping[str, Any]) -> None:
        self.files = folder / "files"
        self.files.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self.rates = Rates()
        self._store = Store(folder / "world.sqlite")
        self._tables: list[Table] = []
        self._seeds: list[Callable[[], None]] = []
        self._defaults = dict(options)
        self._options = {name: value for name, value in self._store.rows("option") if name in options}
        logged = ((int(key), LoggedRequest(**value)) for key, value in self._store.rows("request"))
        self._requests = deque(logged, LOGGED_REQUESTS)
        self.videos = self.table("video", Video)
        self.tokens = self.table("token", Token)
        self._processing = {video.key: video for video in self.videos if _in_processing(video)}
        self._measure_interrupted()

    def table(self, kind: str, row_type: type[Row]) -> Table[Row]:
        """Rows that survive a restart and vanish at a reset."""
        table = Table(self._store, kind, row_type)
        self._tables.append(table)
        return table

    def seed(self, name: str, fill: Callable[[], None]) -> None:
        """`fill` makes what is there from the start: now, unless an earlier run did, and at each reset."""
        self._seeds.append(fill)
        if name not in dict(self._store.rows("seeded")):
            fill()
            self._store.put("seeded", name, True)

    def reset(self) -> None:
        with self.lock:
            for table in self._tables:
                table.clear()
            self._options.clear()
            self._store.drop("option")
            self._requests.clear()
            self._store.drop("request")
            self.rates.clear()
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
        """All or none. Raises UnknownOption."""
        for name, value in changes.items():
            if name not in self._defaults:
                raise UnknownOption(f"there is no option {name!r}; there are {', '.join(self._defaults)}")
            if not _alike(value, self._defaults[name]):
                raise UnknownOption(f"{name} wants something like {self._defaults[name]!r}, not {value!r}")
        with self.lock:
            for name, value in changes.items():
                self._options[name] = value
                self._store.put("option", name, value)

    # Clips

    def begin(self, platform: str, account: str = "", key: str = "", **known: Any) -> Video:
        """A new draft. `key` finds it in `videos` at once; unless given it is any."""
        name = uuid.uuid4().hex
        video = Video(key=key or name, file=name, platform=platform, account=account, created_at=_timestamp(), **known)
        with self.lock:
            (self.files / name).touch()
            self.videos.put(video.key, video)
        return video

    def keep(self, video: Video) -> None:
        """Stores what was changed in a draft or a post. Raises Gone."""
        with self.lock:
            if self.videos.get(video.key) is not video:
                raise Gone
            self.videos.put(video.key, video)
            if _in_processing(video):
                self._processing[video.key] = video
            else:
                self._processing.pop(video.key, None)

    def received(self, platform: str) -> list[Video]:
        """Drafts whose bytes have all come: in processing, or waiting for what shall make them visible."""
        with self.lock:
            return [video for video in self._processing.values() if video.platform == platform]

    def publish(self, video: Video, at: float | None = None) -> None:
        """From here on a viewer sees it; `created_at` becomes that moment (`at`: Unix time). Raises Gone."""
        with self.lock:
            video.published = video.visible = True
            video.created_at = _timestamp(at)
            self.keep(video)

    def repeat(self, video: Video, **known: Any) -> None:
        """The same clip is visible at one more place: a post of its own."""
        with self.lock:
            again = self.begin(video.platform, **known)
            self.path(again).unlink()
            self.path(again).hardlink_to(self.path(video))
            again.bytes, again.sha256 = video.bytes, video.sha256
            self.publish(again)

    def discard(self, video: Video) -> None:
        with self.lock:
            if self.videos.get(video.key) is video:
                self.videos.drop(video.key)
                self._processing.pop(video.key, None)
                self.path(video).unlink(missing_ok=True)

    def path(self, video: Video) -> Path:
        return self.files / video.file

    def receive(self, video: Video) -> "Receiver":
        """`with world.receive(video) as receiver: receiver.write(block)`; replaces what the draft held.

        Who begins later wins: an upload that is still under way for the same draft ends with Gone. So does one
        for a clip that has all its bytes.
        """
        return Receiver(self, video)

    def _measure_interrupted(self) -> None:
        """A process that was killed left drafts without figures: their files tell."""
        for video in self.videos:
            if not video.published and video.sha256 is None:
                path = self.path(video)
                path.touch()
                video.bytes = path.stat().st_size
                if not video.bytes:  # nothing was on its way
                    continue
                with path.open("rb") as file:
                    video.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                self.videos.put(video.key, video)

    # Requests

    def log(self, method: str, path: str, status: int, received: int, trouble: str | None) -> None:
        with self.lock:
            number = self._requests[-1][0] + 1 if self._requests else 1
            request = LoggedRequest(_timestamp(), method, path, status, received, trouble)
            if len(self._requests) == LOGGED_REQUESTS:
                self._store.drop("request", str(self._requests[0][0]))
            self._requests.append((number, request))
            self._store.put("request", str(number), vars(request))

    @property
    def requests(self) -> list[LoggedRequest]:
        with self.lock:
            return [request for _, request in self._requests]


class Receiver:
    """Takes a draft's bytes, block by block. However it ends, the draft says what really arrived."""

    def __init__(self, world: World, video: Video) -> None:
        self._world = world
        self._video = video
        self._hash = hashlib.sha256()
        self._name = uuid.uuid4().hex

    def __enter__(self) -> "Receiver":
        with self._world.lock:
            if self._video.ready_at is not None or self._video.published:
                raise Gone
            before = self._world.path(self._video)
            self._video.file = self._name
            self._video.bytes = 0
            self._video.sha256 = None
            self._world.keep(self._video)
            before.unlink(missing_ok=True)
            self._file = self._world.path(self._video).open("wb", buffering=0)
        return self

    def write(self, block: bytes | memoryview) -> None:
        self._hash.update(block)
        self._file.write(block)
        with self._world.lock:
            if self._video.file != self._name or self._world.videos.get(self._video.key) is not self._video:
                raise Gone
            self._video.bytes += len(block)

    def __exit__(self, *_: object) -> None:
        self._file.close()
        with self._world.lock:
            if self._video.file != self._name:
                raise Gone
            self._video.sha256 = self._hash.hexdigest()
            self._world.keep(self._video)


class Rates:
    """How often something may happen: sliding windows, in memory only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}

    def take(self, *windows: tuple[str, int, float]) -> int:
        """Takes one place in each window (key, how many, in how many seconds), or in none of them.

        Answers the whole seconds to wait, 0 when it was taken.
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


def _alike(value: Any, default: Any) -> bool:
    """Numbers may be whole or not; `true` is no number. None stands for words: «a b», ["a", "b"] or none given."""
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
