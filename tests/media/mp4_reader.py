"""Reads MP4's boxes by the standard's words (ISO/IEC 14496-12), apart from the application's code and from FFmpeg."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

_PARENTS = {"moov", "trak", "edts", "mdia", "minf", "dinf", "stbl", "mvex", "moof", "traf"}


@dataclass(frozen=True)
class Track:
    kind: str  # vide, soun
    entry: str  # avc1, hvc1, mp4a
    description: bytes
    matrix: tuple[int, ...]
    seconds: Fraction  # of the presentation, by its edit list
    media_seconds: Fraction
    edits: list[tuple[Fraction, Fraction | None]]  # how long, from where in the media (None: nothing is shown)
    samples: list[bytes]

    @property
    def starts(self) -> Fraction:
        """When the media are first shown."""
        return sum((length for length, begin in self.edits if begin is None), Fraction(0))


@dataclass(frozen=True)
class Movie:
    order: list[str]  # the boxes of the file
    brand: str
    seconds: Fraction
    tracks: list[Track]

    @property
    def streams(self) -> bool:
        """Plays while it loads."""
        return self.order.index("moov") < self.order.index("mdat") and "moof" not in self.order

    def track(self, kind: str) -> Track:
        return next(track for track in self.tracks if track.kind == kind)


def read(path: Path) -> Movie:
    data = path.read_bytes()
    top = list(_boxes(data, 0, len(data)))
    order = [kind for kind, _, _ in top]
    moov = next((body, end) for kind, body, end in top if kind == "moov")
    scale, length = _clock(data, _one(data, moov, "mvhd"))
    tracks = [_track(data, (body, end), scale) for kind, body, end in _boxes(data, *moov) if kind == "trak"]
    return Movie(order, data[8:12].decode(), Fraction(length, scale), tracks)


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    while start + 8 <= end:
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        body = start + 8
        if size == 1:
            size, body = struct.unpack(">Q", data[body : body + 8])[0], body + 8
        size = size or end - start
        assert body <= start + size <= end, f"box {kind!r} of {size} bytes at {start} in one that ends at {end}"
        yield kind.decode("latin-1"), body, start + size
        start += size


def _one(data: bytes, parent: tuple[int, int], *path: str) -> tuple[int, int]:
    for name in path:
        parent = next((body, end) for kind, body, end in _boxes(data, *parent) if kind == name)
    return parent


def _clock(data: bytes, box: tuple[int, int]) -> tuple[int, int]:
    """Time scale and duration of a `mvhd` or `mdhd`."""
    return (
        struct.unpack_from(">IQ", data, box[0] + 20) if data[box[0]] else struct.unpack_from(">II", data, box[0] + 12)
    )


def _track(data: bytes, trak: tuple[int, int], movie_scale: int) -> Track:
    head, media = _one(data, trak, "tkhd")[0], _one(data, trak, "mdia")
    version = data[head]
    length = struct.unpack_from(">Q" if version else ">I", data, head + (28 if version else 20))[0]
    scale, media_length = _clock(data, _one(data, media, "mdhd"))
    tables = _one(data, media, "minf", "stbl")
    stsd = _one(data, tables, "stsd")
    kind, body, end = next(_boxes(data, stsd[0] + 8, stsd[1]))
    handler = _one(data, media, "hdlr")[0]
    return Track(
        kind=data[handler + 8 : handler + 12].decode(),
        entry=kind,
        description=data[body:end],
        matrix=struct.unpack_from(">9i", data, head + (52 if version else 40)),
        seconds=Fraction(length, movie_scale),
        media_seconds=Fraction(media_length, scale),
        edits=_edits(data, trak, movie_scale, scale),
        samples=list(_samples(data, tables)),
    )


def _edits(data: bytes, trak: tuple[int, int], movie_scale: int, scale: int) -> list[tuple[Fraction, Fraction | None]]:
    if not any(kind == "edts" for kind, _, _ in _boxes(data, *trak)):
        return []
    start = _one(data, trak, "edts", "elst")[0]
    count, form = struct.unpack_from(">I", data, start + 4)[0], ">QqI" if data[start] else ">IiI"
    rows = (struct.unpack_from(form, data, start + 8 + number * struct.calcsize(form)) for number in range(count))
    return [(Fraction(length, movie_scale), None if begin < 0 else Fraction(begin, scale)) for length, begin, _ in rows]


def _samples(data: bytes, tables: tuple[int, int]) -> Iterator[bytes]:
    kinds = {kind: body for kind, body, _ in _boxes(data, *tables)}
    same, count = struct.unpack_from(">II", data, kinds["stsz"] + 4)
    sizes = iter([same] * count if same else struct.unpack_from(f">{count}I", data, kinds["stsz"] + 12))
    wide = "co64" in kinds
    places = kinds["co64" if wide else "stco"]
    chunks = struct.unpack_from(
        f">{struct.unpack_from('>I', data, places + 4)[0]}{'Q' if wide else 'I'}", data, places + 8
    )
    runs = struct.unpack_from(">I", data, kinds["stsc"] + 4)[0]
    rows = [struct.unpack_from(">III", data, kinds["stsc"] + 8 + 12 * number) for number in range(runs)]
    for number, place in enumerate(chunks, start=1):
        for _ in range(next(row[1] for row in reversed(rows) if row[0] <= number)):
            size = next(sizes)
            assert place + size <= len(data), "a sample behind the end of the file"
            yield data[place : place + size]
            place += size
