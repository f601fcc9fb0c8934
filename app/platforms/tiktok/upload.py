"""Sending a clip by chunks: https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide

TikTok posts the clip by itself once it has the last byte. It says how much it has, so that whatever happened to a
request, it is asked before anything is sent again.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from app.platforms.base import PublishContext
from app.platforms.errors import PlatformError, RateLimited, Stale, Unavailable, UploadRefused
from app.platforms.http.body import FileBody
from app.platforms.http.client import Http
from app.platforms.http.response import Response
from app.platforms.http.timeouts import LONG_RESPONSE_SECONDS
from app.platforms.tiktok.api import PAUSE

# Between TikTok's 5 and 64 MB: what breaks off costs no more than this. A chunk of 4 GB is one of 400, at most 1,000.
CHUNK_BYTES = 10_000_000
_BLOCK = 1 << 20
# Times that TikTok may take nothing more of the clip, one after the other.
_MOST_STANDSTILLS = 3
# Of an address that has expired, or that TikTok does not know any more.
_ADDRESS_GONE = (403, 404, 410)
# Its own word that it has less than it was sent.
_ASKS_FOR_MORE = (206, 416)
_COMPLETE = ("PUBLISH_COMPLETE", "SEND_TO_USER_INBOX")
_STORED = re.compile(r"bytes 0-(\d{1,18})/")


@dataclass(frozen=True)
class Chunks:
    """How a file is divided: what is left over joins the last chunk."""

    total: int
    size: int

    @classmethod
    def of(cls, total: int) -> "Chunks":
        return cls(total, CHUNK_BYTES if total >= 2 * CHUNK_BYTES else total)

    @property
    def count(self) -> int:
        return self.total // self.size

    def end(self, stored: int) -> int:
        """Where the chunk ends that goes on with the byte number `stored`."""
        number = min(stored // self.size, self.count - 1)
        return self.total if number == self.count - 1 else (number + 1) * self.size


def stored_bytes(status: Mapping[str, Any], total: int) -> int | None:
    """How much TikTok has by its own word; None where it does not say."""
    if status.get("status") in _COMPLETE:
        return total
    said = str(status.get("uploaded_bytes"))
    return min(int(said), total) if said.isascii() and said.isdigit() and len(said) < 19 else None


class Upload:
    """To the address `url`. `look` returns TikTok's status of the publication, and raises its failure."""

    def __init__(
        self, url: str, chunks: Chunks, context: PublishContext, http: Http, look: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._url, self._chunks, self._context, self._http, self._look = url, chunks, context, http, look
        self._type = context.clip.content_type

    def ask(self, otherwise: int) -> int:
        """How many bytes TikTok has. `otherwise`: to go on from where its status does not say; where that is wrong,
        the upload address answers with 416.
        """
        stored = stored_bytes(self._look(), self._chunks.total)
        return otherwise if stored is None else stored

    def send(self, stored: int, begin_commit: Callable[..., None]) -> None:
        """Everything from the byte number `stored` on. `begin_commit` is called before the very last bytes."""
        standstills, furthest = 0, stored
        while stored < self._chunks.total:
            stored = self._send_from(stored, begin_commit)
            standstills = standstills + 1 if stored <= furthest else 0
            furthest = max(furthest, stored)
            if standstills == _MOST_STANDSTILLS:
                raise Unavailable("TikTok не берёт клип дальше", definitely_not_applied=True)

    def _send_from(self, stored: int, begin_commit: Callable[..., None]) -> int:
        """Reads the clip once, and sends chunk after chunk of it until one is not taken; returns what TikTok has."""
        began = stored
        with self._context.clip.open() as file:
            _skip(file, stored, lambda done: self._context.progress(done, self._chunks.total))
            while stored < self._chunks.total:
                end = self._chunks.end(stored)
                is_last = end == self._chunks.total
                try:
                    response = self._put(file, stored, end, begin_commit if is_last else None)
                except Unavailable:
                    if is_last or stored == began:  # nothing gets through at all: later
                        raise
                    return self.ask(stored)
                if not _took(response, end, is_last):
                    return self._look_behind(response, stored, is_last)
                stored = end
        return stored

    def _put(self, file: BinaryIO, start: int, end: int, begin_commit: Callable[..., None] | None) -> Response:
        total = self._chunks.total
        body = FileBody(
            file,
            end - start,
            on_block=lambda sent, _: self._context.progress(start + sent, total),
            before_last=(lambda: begin_commit(LONG_RESPONSE_SECONDS)) if begin_commit else None,
        )
        headers = {"Content-Type": self._type, "Content-Range": f"bytes {start}-{end - 1}/{total}"}
        return self._http.request("PUT", self._url, data=body, headers=headers, response_seconds=LONG_RESPONSE_SECONDS)

    def _look_behind(self, response: Response, start: int, is_last: bool) -> int:
        """After an answer that takes nothing: what TikTok says of the publication decides, then the answer itself.

        `start`: of the chunk. `is_last`: it was sent to the end, so that the clip may be posted.
        """
        try:
            stored = stored_bytes(self._look(), self._chunks.total)
        except PlatformError as error:
            if is_last:  # this says nothing of the bytes
                raise Unavailable(error.detail) from None
            raise
        stored = _told(response, self._chunks.total) if stored is None else stored
        detail = f"ошибка {response.status} при загрузке"
        if stored is None and is_last:
            raise Unavailable(detail)
        if stored == self._chunks.total:
            return stored
        if response.status == 429 or (response.status == 503 and "Retry-After" in response.headers):
            raise RateLimited(response.retry_at(PAUSE), detail)
        if response.status in _ADDRESS_GONE:
            raise UploadRefused("tiktok_upload", detail)
        if stored is None and response.status == 416:
            raise Stale("tiktok_upload", detail)
        if is_last and response.status not in _ASKS_FOR_MORE:
            raise Unavailable(detail, definitely_not_applied=True)
        return start if stored is None else stored


def _took(response: Response, end: int, is_last: bool) -> bool:
    if is_last:
        return response.status == 201
    said = _STORED.match(response.headers.get("Content-Range", ""))
    # Some name the last byte there, others the number of bytes.
    return response.status == 206 and (said is None or int(said[1]) in (end - 1, end))


def _told(response: Response, total: int) -> int | None:
    """How much TikTok has, by an answer that asks for more."""
    said = _STORED.match(response.headers.get("Content-Range", ""))
    return min(int(said[1]) + 1, total) if said and response.status in _ASKS_FOR_MORE else None


def _skip(file: BinaryIO, count: int, on_block: Callable[[int], None]) -> None:
    """Reads past what TikTok has: the clip's checksum is that of the whole file."""
    left = count
    while left:
        on_block(count - left)
        left -= len(file.read(min(left, _BLOCK)))
