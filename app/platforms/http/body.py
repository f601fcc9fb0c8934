"""Request bodies that are read from a clip as they are sent: 500 MB go out in one block of memory."""

import io
import secrets
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from app.platforms.errors import Refused, Unavailable
from app.platforms.http.transport import SendingConnection

# What is held back until everything else is on its way: without it the platform cannot act.
_LAST_BYTES = 1024


class FileBody:
    """`head` + a file of `size` bytes + `tail`, with a known length, for `requests`' `data=`.

    `on_block(sent, total)` is called before each block. `before_last()` is called before the small last block that
    makes the request complete, once everything before it has been delivered: whatever it raises, the platform has an
    incomplete request that it cannot act upon, and afterwards the kernel holds no more than those last bytes.
    """

    def __init__(
        self,
        file: BinaryIO,
        size: int,
        *,
        head: bytes = b"",
        tail: bytes = b"",
        on_block: Callable[[int, int], None] | None = None,
        before_last: Callable[[], None] | None = None,
    ) -> None:
        self._parts = [(io.BytesIO(head), len(head)), (file, size), (io.BytesIO(tail), len(tail))]
        self._sent, self._total = 0, len(head) + size + len(tail)
        self._last = self._total - min(max(len(tail), _LAST_BYTES), self._total)
        self._on_block, self._before_last = on_block, before_last
        self.connection: SendingConnection | None = None  # set by the connection that sends it

    def __len__(self) -> int:
        return self._total

    def read(self, amount: int = -1) -> bytes:
        left = self._total - self._sent
        if left == 0:
            return b""
        amount = left if amount < 0 else min(amount, left)
        if self._on_block:
            self._on_block(self._sent, self._total)
        last = self._before_last is not None and self._sent >= self._last
        if self._before_last and not last:
            amount = min(amount, self._last - self._sent)
        block = self._next(amount)  # before the commit begins: a storage that fails here has harmed nothing
        if last:
            self._commit()
        self._sent += len(block)
        return block

    def _commit(self) -> None:
        while self.connection:
            if self.connection.has_early_response():
                # Makes urllib3 stop sending and read the response, a refusal most likely: nothing was completed.
                raise BrokenPipeError("the platform responded before the end")
            if self.connection.wait_until_delivered():
                break
            if self._on_block:
                self._on_block(self._sent, self._total)
        self._before_last()
        self._before_last = None
        # Beginning the commit may have taken long. Without the last bytes the platform cannot have acted.
        if self.connection and self.connection.has_early_response():
            raise Unavailable("площадка закрыла соединение раньше последних байт", definitely_not_applied=True)

    def _next(self, amount: int) -> bytes:
        block = b""
        while self._parts and len(block) < amount:
            part, left = self._parts.pop(0)
            more = part.read(min(amount - len(block), left))
            if left and not more:  # a shorter file is an error, not a shorter request
                raise Refused("clip_changed")
            block += more
            if len(more) < left:
                self._parts.insert(0, (part, left - len(more)))
        return block


class Multipart(FileBody):
    """multipart/form-data with plain fields, `pictures` (JPEGs), and then one file; it goes with its `headers`."""

    def __init__(
        self,
        fields: Mapping[str, str],
        field: str,
        name: str,
        content_type: str,
        file: BinaryIO,
        size: int,
        *,
        pictures: Mapping[str, bytes] | None = None,
        **on: Any,
    ) -> None:
        boundary = secrets.token_hex(16)
        start = f"--{boundary}\r\nContent-Disposition: form-data; name="
        plain = "".join(f'{start}"{key}"\r\n\r\n{value}\r\n' for key, value in fields.items())
        before = plain.encode()
        for key, jpeg in (pictures or {}).items():
            of_picture = f'{start}"{key}"; filename="{key}.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
            before += of_picture.encode() + jpeg + b"\r\n"
        head = f'{start}"{field}"; filename="{name}"\r\nContent-Type: {content_type}\r\n\r\n'
        super().__init__(file, size, head=before + head.encode(), tail=f"\r\n--{boundary}--\r\n".encode(), **on)
        self.headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
