"""Pictures of clips in tests: made as workers make them, and read back."""

import io
import struct
import zlib

import av
from flask import current_app

from app.db import db
from app.jobs import pictures as job


def make_all() -> None:
    """As a worker does; the test's transaction ends first."""
    db.session.commit()
    with current_app.app_context():
        while job.make_next():
            pass
    db.session.expire_all()


def size(jpeg: bytes) -> tuple[int, int]:
    frame = _frame(jpeg)
    return frame.width, frame.height


def brightness(jpeg: bytes) -> float:
    plane = bytes(_frame(jpeg).reformat(32, 32, "gray").planes[0])
    return sum(plane) / len(plane)


def _frame(jpeg: bytes) -> av.VideoFrame:
    with av.open(io.BytesIO(jpeg)) as picture:
        return next(picture.decode(video=0))


def png(width: int, height: int, gray: int = 200, **chunks: bytes) -> bytes:
    """`chunks`: further ones, by name: what a camera or an editor writes beside the picture."""
    rows = (b"\0" + bytes([gray]) * width) * height
    more = [(name.encode(), data) for name, data in chunks.items()]
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), *more, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
