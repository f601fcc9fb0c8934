"""Writes small files that make a careless reader take much memory or time."""

import struct
import zlib
from pathlib import Path

import av

from tests import clips

HUGE = 1 << 24


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full(kind: bytes, *content: bytes) -> bytes:
    """A box with version 0 and no flags."""
    return box(kind, bytes(4), *content)


def _mp4(path: Path, *tracks: bytes, more: bytes = b"") -> Path:
    mvhd = _full(b"mvhd", struct.pack(">IIII", 0, 0, 1000, 2000), bytes(80))
    ftyp = box(b"ftyp", b"isom", bytes(4), b"isom")
    path.write_bytes(ftyp + box(b"moov", mvhd, *tracks, more) + box(b"mdat", bytes(64)))
    return path


def _track(
    samples: int = 1,
    shape: tuple[int, int] = (320, 240),
    codec: bytes = b"mp4v",
    offset: int = 0,
    size: int = 1,
    deltas: int = 1,
    edits: bytes = b"",
) -> bytes:
    """A video track whose tables say `samples` samples of `size` bytes, in so few bytes that it does not matter how
    many.
    """
    entry = box(codec, bytes(6), b"\0\1", bytes(16), struct.pack(">HH", *shape), bytes(46), b"\0\x18\xff\xff")
    tables = (
        _full(b"stsd", struct.pack(">I", 1), entry),
        _full(b"stts", struct.pack(">I", deltas), struct.pack(">II", samples, 1) * deltas),
        _full(b"stsc", struct.pack(">IIII", 1, 1, samples, 1)),
        _full(b"stsz", struct.pack(">II", size, samples)),
        _full(b"stco", struct.pack(">II", 1, offset)),
    )
    media = (
        _full(b"mdhd", struct.pack(">IIII", 0, 0, 1_000_000, samples), bytes(4)),
        _full(b"hdlr", bytes(4), b"vide", bytes(13)),
        box(b"minf", _full(b"vmhd", bytes(8)), box(b"stbl", *tables)),
    )
    return box(b"trak", _full(b"tkhd", bytes(80)), edits, box(b"mdia", *media))


def many_samples(path: Path) -> Path:
    """A few hundred bytes that say seventeen million samples."""
    return _mp4(path, _track(samples=HUGE))


def many_tracks(path: Path) -> Path:
    return _mp4(path, *[_track()] * 20_000)


def many_tags(path: Path) -> Path:
    tags = b"".join(box(b"%04x" % number, struct.pack(">HH", 8, 0), b"12345678") for number in range(60_000))
    return _mp4(path, _track(), more=box(b"udta", tags))


def many_edits(path: Path) -> Path:
    """Each edit plays the same hundred thousand samples again."""
    elst = _full(b"elst", struct.pack(">I", 100_000), struct.pack(">IiHH", 100_000, 0, 1, 0) * 100_000)
    return _mp4(path, _track(samples=100_000, edits=box(b"edts", elst)))


def png_in_mov(path: Path, shape: tuple[int, int], said: tuple[int, int] | None = None) -> Path:
    """A picture of one colour of any size, packed to nothing; the container may say another size."""
    width, height = shape
    packed = clips.packed_zeros((1 + 8 * width) * height)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 0)
    picture = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    ftyp = box(b"ftyp", b"qt  ", bytes(4), b"qt  ")
    mdat = box(b"mdat", picture)
    track = _track(shape=said or shape, codec=b"png ", offset=len(ftyp) + 8, size=len(picture))
    mvhd = _full(b"mvhd", struct.pack(">IIII", 0, 0, 1000, 2000), bytes(80))
    path.write_bytes(ftyp + mdat + box(b"moov", mvhd, track))
    return path


def picture(path: Path, codec: str, shape: tuple[int, int] = (64, 64)) -> Path:
    """A GIF, PNG or APNG, whatever its name."""
    with av.open(str(path), "w", format="image2pipe" if codec == "png" else codec) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *shape, "rgb8" if codec == "gif" else "rgb24"
        for number in range(3):
            frame = av.VideoFrame(*shape, stream.pix_fmt)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


# Matroska: ids as in RFC 9559, with their length descriptors


def _element(identifier: bytes, *content: bytes, says: int | None = None) -> bytes:
    body = b"".join(content)
    return identifier + ((1 << 56) | (len(body) if says is None else says)).to_bytes(8) + body


def _matroska(path: Path, *content: bytes) -> Path:
    head = _element(b"\x1a\x45\xdf\xa3", _element(b"\x42\x82", b"matroska"), _element(b"\x42\x87", b"\4"))
    path.write_bytes(head + _element(b"\x18\x53\x80\x67", *content))
    return path


def _matroska_track(number: int, *more: bytes) -> bytes:
    video = _element(b"\xe0", _element(b"\xb0", b"\1\x40"), _element(b"\xba", b"\xf0"))
    kind = (_element(b"\xd7", number.to_bytes(2)), _element(b"\x73\xc5", number.to_bytes(2)), _element(b"\x83", b"\1"))
    return _element(b"\xae", *kind, _element(b"\x86", b"V_MJPEG"), video, *more)


def giant_element(path: Path) -> Path:
    """A codec's private data and an attachment that say they have 250 MB; the file is padded with a hole."""
    giant = _element(b"\x63\xa2", says=250 << 20)
    _matroska(path, _element(b"\x16\x54\xae\x6b", _matroska_track(1, giant), says=300 << 20))
    with path.open("ab") as file:
        file.truncate(310 << 20)
    return path


def many_matroska_tracks(path: Path) -> Path:
    return _matroska(path, _element(b"\x16\x54\xae\x6b", *(_matroska_track(number) for number in range(1, 20_000))))


def deep_tags(path: Path) -> Path:
    inner = _element(b"\x67\xc8", _element(b"\x45\xa3", b"A"), _element(b"\x44\x87", b"B"))
    for _ in range(2000):
        inner = _element(b"\x67\xc8", _element(b"\x45\xa3", b"A"), inner)
    tags = _element(b"\x12\x54\xc3\x67", _element(b"\x73\x73", inner))
    return _matroska(path, _element(b"\x16\x54\xae\x6b", _matroska_track(1)), tags)


def many_programs(path: Path) -> Path:
    """An MPEG transport stream that announces more than a thousand programs with streams of their own."""
    data = bytearray()
    for first in range(0, 2400, 40):
        numbers = range(first, first + 40)
        data += _section(0, 0, b"".join(struct.pack(">HH", one + 1, 0xE000 | 0x100 + one) for one in numbers))
        for one in numbers:
            stream = struct.pack(">BHH", 0x1B, 0xE000 | 0x1000 + one, 0xF000)
            data += _section(0x100 + one, 2, b"\xe1\0\xf0\0" + stream)
    path.write_bytes(bytes(data))
    return path


def _section(pid: int, table: int, content: bytes) -> bytes:
    number = pid - 0x100 + 1 if table else 1
    body = struct.pack(">HBBB", number, 0xC1, 0, 0) + content
    section = struct.pack(">BH", table, 0xB000 | len(body) + 4) + body
    section += struct.pack(">I", _crc(section))
    return (struct.pack(">BHB", 0x47, 0x4000 | pid, 0x10) + b"\0" + section).ljust(188, b"\xff")


def _crc(data: bytes) -> int:
    """CRC-32/MPEG-2."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value
