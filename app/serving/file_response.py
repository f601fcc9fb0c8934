"""A stored file as a response, block by block: the requested range or an error, never other bytes."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from flask import Response, abort, request, send_file
from werkzeug.wsgi import wrap_file

from app.storage import StorageUnavailable, storage

BLOCK_BYTES = 256 << 10

# Called with the first byte and the one after the last that the server has sent.
Sent = Callable[[int, int], None]


def send(key: str, content_type: str, size: int | None = None, sent: Sent | None = None) -> Response:
    """`size`: the length that the file must have, if given. `sent` is called with what has been sent."""
    # The key is the content's name: a file is never changed, so its ETag needs no reading.
    etag = key.replace("/", "")
    try:
        path = storage().path(key)
        if path and sent is None:
            file_size = storage().size(key)
            if size not in (None, file_size):
                raise StorageUnavailable(f"файл не той длины: {file_size} байт вместо {size}")
            response = _send_here(path, content_type, etag)
        else:
            response = _stream(storage().open(key), content_type, etag, size, sent)
    except FileNotFoundError:
        abort(404)
    response.cache_control.private = True
    return response


def _send_here(path: Path, content_type: str, etag: str) -> Response:
    response = send_file(path, mimetype=content_type, conditional=True, etag=etag)
    response.headers.pop("Content-Disposition", None)  # it would have the storage's own name of the file
    if response.status_code == 206:  # a file too, which the server sends without a thread
        response.response.close()
        part = _Part(path, response.content_range.start, response.content_length)
        response.response = wrap_file(request.environ, part, BLOCK_BYTES)
    return response


class _Part(io.FileIO):
    """`count` bytes of a file. A server that sends it by its descriptor uses the position and Content-Length."""

    def __init__(self, path: Path, start: int, count: int) -> None:
        super().__init__(path)
        self._rest = count
        self.seek(start)

    def read(self, size: int = -1) -> bytes:
        data = super().read(self._rest if size < 0 else min(size, self._rest))
        self._rest -= len(data)
        return data


def forbid_execution(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _stream(file: io.BufferedIOBase, content_type: str, etag: str, size: int | None, sent: Sent | None) -> Response:
    """Nothing is read for HEAD and for what has not changed. `size`: the length that the file must have.

    Raises StorageUnavailable where its first block cannot be read: later the connection can only be cut.
    """
    length = file.seek(0, os.SEEK_END)
    if size not in (None, length):
        file.close()
        raise StorageUnavailable(f"файл не той длины: {length} байт вместо {size}")
    response = Response(mimetype=content_type)
    response.content_length = length
    response.set_etag(etag)
    response.cache_control.no_cache = True
    response.make_conditional(request, accept_ranges=True, complete_length=length)
    if request.method == "HEAD" or response.status_code not in (200, 206):
        file.close()
        return response
    start, stop = (response.content_range.start, response.content_range.stop) if response.content_range else (0, length)
    file.seek(start)
    if start < stop and not file.peek(1):
        raise StorageUnavailable("файл короче, чем был")
    response.response = _blocks(file, start, stop, sent)
    response.call_on_close(file.close)  # where no block was asked for
    response.content_length = stop - start
    return response


def _blocks(file: BinaryIO, start: int, stop: int, sent: Sent | None) -> Iterator[bytes]:
    """A block counts as sent when the next one is asked for."""
    taken = start
    try:
        while taken < stop:
            block = file.read(min(BLOCK_BYTES, stop - taken))
            if not block:
                raise StorageUnavailable("файл короче, чем был")  # the server cuts the connection
            yield block
            taken += len(block)
    finally:
        if sent and taken > start:
            sent(start, taken)
