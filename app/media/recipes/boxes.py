"""Boxes of MP4 and QuickTime files. ISO/IEC 14496-12, 4.2: a size, a name, then the content."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from app.media.recipes.recipe import RecipeFailed

Buffer = bytes | bytearray | memoryview


class Malformed(Exception):
    """No such boxes."""


@dataclass(frozen=True)
class Box:
    """Where it lies: `body` is the start of its content."""

    kind: bytes
    start: int
    body: int
    end: int


def inside(data: Buffer, start: int, end: int) -> Iterator[Box]:
    """The boxes between two places. QuickTime ends some lists with four zeros."""
    position = start
    while position + 8 <= end:
        size, header = int.from_bytes(data[position : position + 4]), 8
        if size == 1:
            size, header = int.from_bytes(data[position + 8 : position + 16]), 16
        if size < header or position + size > end:
            raise Malformed(f"a box of {size} bytes at {position}")
        yield Box(bytes(data[position + 4 : position + 8]), position, position + header, position + size)
        position += size


def child(data: Buffer, parent: Box, kind: bytes) -> Box:
    found = next((box for box in inside(data, parent.body, parent.end) if box.kind == kind), None)
    if found is None:
        raise Malformed(f"no {kind!r} in {parent.kind!r}")
    return found


def top_level(file: BinaryIO, size: int) -> list[Box]:
    """Raises RecipeFailed where the file ends in the middle of what it is for."""
    boxes, position = [], 0
    while position + 8 <= size:
        file.seek(position)
        head = file.read(16)
        length, kind, header = int.from_bytes(head[:4]), head[4:8], 8
        if length == 1:
            length, header = int.from_bytes(head[8:16]), 16
        elif length == 0:  # up to the end of the file
            length = size - position
        if length < header:
            raise Malformed(f"a box of {length} bytes at {position}")
        if position + length > size:
            if kind in (b"mdat", b"moov"):
                raise RecipeFailed("recipe_unreadable", f"{kind!r} is cut off")
            raise Malformed(f"a box that ends behind the file at {position}")
        boxes.append(Box(kind, position, position + header, position + length))
        position += length
    return boxes


def box(kind: bytes, *parts: Buffer) -> bytes:
    return (8 + sum(map(len, parts))).to_bytes(4) + kind + b"".join(parts)


def header(kind: bytes, parts: list[Buffer]) -> list[Buffer]:
    """A box of parts that are not joined, since some of them are large."""
    return [(8 + sum(map(len, parts))).to_bytes(4) + kind, *parts]
