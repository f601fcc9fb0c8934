"""An MP4's index (`moov`) in front of its media, and a QuickTime or 3GP file as MP4, without touching a packet.

The media are copied as a block, so this is as fast as copying the file; edit lists, times, display matrix and all
sample tables stay as they are. Where a file is not plain enough for that, nothing is written and FFmpeg remuxes it.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from sys import byteorder
from typing import BinaryIO

from app.media import containers
from app.media.recipes import boxes, quicktime
from app.media.recipes.boxes import Box, Buffer, Malformed
from app.media.recipes.recipe import Recipe, RecipeFailed

_BLOCK = 1 << 20
_MAX_INDEX = 128 << 20
# In fragments; with places in the file in other boxes than the sample tables.
_ELSEWHERE = {b"moof", b"sidx", b"mfra", b"meta"}
_NOT_PLAIN = (b"mvex", b"cmov", b"saio", b"iloc")
_MEDIA = b"mdat"


@dataclass(frozen=True)
class Piece:
    """A part of the source that goes to `to` in the target."""

    start: int
    end: int
    to: int


def rewrite(source: Path, target: Path, recipe: Recipe, progress: Callable[[float], None]) -> bool:
    """False where that cannot be done with this file; then nothing is written."""
    with source.open("rb", buffering=0) as file:
        size = source.stat().st_size
        try:
            found = _layout(file, size, recipe)
        except Malformed:
            return False
        if found is None:
            return False
        head, pieces = found
        with target.open("wb", buffering=0) as result:
            for part in head:
                _write(result, part)
            del head, part, found
            for piece in pieces:
                _copy(file, result, piece, lambda at: progress(at / size))
    return True


def _layout(file: BinaryIO, size: int, recipe: Recipe) -> tuple[list[Buffer], list[Piece]] | None:
    """What the target begins with, and what follows of the source."""
    top = boxes.top_level(file, size)
    kinds = [box.kind for box in top]
    if kinds.count(b"moov") != 1 or _MEDIA not in kinds or set(kinds) & _ELSEWHERE:
        return None
    movie = top[kinds.index(b"moov")]
    if movie.end - movie.start > _MAX_INDEX:
        return None
    moov = bytearray(movie.end - movie.start)
    _read(file, movie.start, moov)
    if any(kind in moov for kind in _NOT_PLAIN):
        return None
    type_box = top[0] if kinds[0] == b"ftyp" else None
    file_type = bytearray(type_box.end - type_box.start if type_box else 0)
    _read(file, 0, file_type)
    brand = bytes(file_type[8:12]).decode("latin-1") or "qt  "
    if containers.recognize("mov", brand).key == "mp4":
        head: list[Buffer] = [file_type, memoryview(moov)]
        kept = [box for box in top if box.kind not in (b"ftyp", b"moov")]
    else:
        head = [quicktime.FILE_TYPE, *quicktime.as_mp4(moov, with_sound=recipe.audio != "none")]
        kept = [box for box in top if box.kind == _MEDIA]
    pieces = _placed(kept, sum(map(len, head)))
    return (head, pieces) if _move(moov, pieces) else None


def _placed(kept: Iterable[Box], position: int) -> list[Piece]:
    """One piece for boxes that follow one another."""
    pieces: list[Piece] = []
    for box in kept:
        if pieces and pieces[-1].end == box.start:
            pieces[-1] = Piece(pieces[-1].start, box.end, pieces[-1].to)
        else:
            pieces.append(Piece(box.start, box.end, position))
        position += box.end - box.start
    return pieces


def _move(moov: bytearray, pieces: list[Piece]) -> bool:
    """Moves the places of all chunks along with the media, in place. False where one would not fit, or is elsewhere."""
    movie = next(boxes.inside(moov, 0, len(moov)))
    for track in boxes.inside(moov, movie.body, movie.end):
        if track.kind != b"trak":
            continue
        table = track
        for kind in (b"mdia", b"minf", b"stbl"):
            table = boxes.child(moov, table, kind)
        for box in boxes.inside(moov, table.body, table.end):
            if box.kind in (b"stco", b"co64") and not _move_chunks(moov, box, pieces):
                return False
    return True


def _move_chunks(moov: bytearray, table: Box, pieces: list[Piece]) -> bool:
    count = int.from_bytes(moov[table.body + 4 : table.body + 8])
    code, width = ("I", 4) if table.kind == b"stco" else ("Q", 8)
    start, end = table.body + 8, table.body + 8 + count * width
    if end > table.end:
        raise Malformed("a table of chunks that is cut off")
    places = array(code, bytes(moov[start:end]))
    if byteorder == "little":
        places.byteswap()
    starts, biggest = [piece.start for piece in pieces], (1 << 8 * width) - 1
    for number, place in enumerate(places):
        piece = pieces[bisect_right(starts, place) - 1]
        moved = place - piece.start + piece.to
        if not piece.start <= place < piece.end or moved > biggest:
            return False
        places[number] = moved
    if byteorder == "little":
        places.byteswap()
    moov[start:end] = places.tobytes()
    return True


def _read(file: BinaryIO, start: int, into: bytearray) -> None:
    file.seek(start)
    view = memoryview(into)
    while len(view) and (count := file.readinto(view)):
        view = view[count:]
    if len(view):
        raise Malformed("the file became shorter")


def _write(result: BinaryIO, part: Buffer) -> None:
    view = memoryview(part)
    while len(view):
        view = view[result.write(view) :]


def _copy(file: BinaryIO, result: BinaryIO, piece: Piece, at: Callable[[int], None]) -> None:
    file.seek(piece.start)
    block = memoryview(bytearray(_BLOCK))
    position = piece.start
    while position < piece.end:
        count = file.readinto(block[: min(_BLOCK, piece.end - position)])
        if not count:
            raise RecipeFailed("recipe_unreadable", "the file became shorter")
        _write(result, block[:count])
        position += count
        at(position)
