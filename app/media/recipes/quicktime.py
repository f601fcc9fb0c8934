"""The index of a QuickTime or 3GP file as that of an MP4: the picture and the sound that play, with their tables.

Both are descended from QuickTime and differ in what describes the samples. QuickTime File Format Specification (Apple);
ISO/IEC 14496-12 (boxes), -14 (`mp4a`, `esds`), -15 (`avc1`, `hvc1`).
"""

import struct
import sys
from array import array

from app.media.recipes.boxes import Box, Buffer, Malformed, box, child, header, inside

FILE_TYPE = box(b"ftyp", b"isom", (0x200).to_bytes(4), b"isom", b"iso2", b"iso4", b"mp41")
_VIDEO = {b"avc1": b"avcC", b"hvc1": b"hvcC"}
# What describes the picture alike in both formats: shape of a pixel, aperture, light, Dolby Vision.
_KEPT_OF_VIDEO = {b"avcC", b"hvcC", b"pasp", b"clap", b"mdcv", b"clli", b"dvcC", b"dvvC", b"dvwC", b"amve"}
_KEPT_TABLES = {
    b"stts",
    b"ctts",
    b"stss",
    b"stsc",
    b"stsz",
    b"stz2",
    b"stco",
    b"co64",
    b"sdtp",
    b"sgpd",
    b"sbgp",
    b"cslg",
}
_KEPT_OF_TRACK = {b"tkhd", b"edts"}
_NAMES = {b"vide": b"VideoHandler\0", b"soun": b"SoundHandler\0"}
# The media are in the file itself.
_DATA_HERE = box(b"dinf", box(b"dref", bytes(4), (1).to_bytes(4), box(b"url ", b"\0\0\0\1")))
_UNDETERMINED = 0x55C4  # "und", ISO 639-2/T packed
_FIRST_ISO_LANGUAGE, _NO_LANGUAGE = 0x400, 0x7FFF
_VIDEO_ENTRY = 86
_SOUND_ENTRY, _SOUND_ENTRY_1, _SOUND_ENTRY_2 = 36, 52, 72
_AAC = 0x40
_ENABLED = 1


def as_mp4(moov: bytearray, *, with_sound: bool) -> list[Buffer]:
    """A new `moov`, of which the tables are still parts of the old one. Raises Malformed where FFmpeg should do it."""
    view = memoryview(moov)
    movie = next(inside(view, 0, len(view)))
    tracks: dict[bytes, list[Box]] = {b"vide": [], b"soun": []}
    for one in inside(view, movie.body, movie.end):
        if one.kind == b"trak":
            tracks.get(_handler(view, one), []).append(one)
    if not tracks[b"vide"]:
        raise Malformed("no picture")
    mvhd = child(view, movie, b"mvhd")
    parts: list[Buffer] = [view[mvhd.start : mvhd.end], *_track(view, _playing(view, tracks[b"vide"]), b"vide")]
    if with_sound and tracks[b"soun"]:
        parts += _track(view, _playing(view, tracks[b"soun"]), b"soun")
    return header(b"moov", parts)


def _handler(view: memoryview, track: Box) -> bytes:
    handler = child(view, child(view, track, b"mdia"), b"hdlr")
    return bytes(view[handler.body + 8 : handler.body + 12])


def _playing(view: memoryview, tracks: list[Box]) -> Box:
    for track in tracks:
        head = child(view, track, b"tkhd")
        if view[head.body + 3] & _ENABLED:
            return track
    return tracks[0]


def _track(view: memoryview, track: Box, kind: bytes) -> list[Buffer]:
    media = child(view, track, b"mdia")
    information = child(view, media, b"minf")
    tables = child(view, information, b"stbl")
    description = child(view, tables, b"stsd")
    head = b"vmhd" if kind == b"vide" else b"smhd"
    media_head = child(view, information, head)
    describe = _video if kind == b"vide" else _sound
    sample_tables: list[Buffer] = [describe(view, description)]
    for one in inside(view, tables.body, tables.end):
        if one.kind == b"ctts":
            _allow_negative(view, one)
        if one.kind in _KEPT_TABLES:
            sample_tables.append(view[one.start : one.end])
    kept: list[Buffer] = [
        view[one.start : one.end] for one in inside(view, track.body, track.end) if one.kind in _KEPT_OF_TRACK
    ]
    parts = [view[media_head.start : media_head.end], _DATA_HERE, *header(b"stbl", sample_tables)]
    handler = box(b"hdlr", bytes(8), kind, bytes(12), _NAMES[kind])
    return header(b"trak", [*kept, *header(b"mdia", [_media_head(view, media), handler, *header(b"minf", parts)])])


def _media_head(view: memoryview, media: Box) -> bytes:
    """QuickTime has other numbers for languages below the first one of ISO."""
    found = child(view, media, b"mdhd")
    data = bytearray(view[found.start : found.end])
    at = 8 + (32 if data[8] == 1 else 20)
    if (language := int.from_bytes(data[at : at + 2])) < _FIRST_ISO_LANGUAGE or language == _NO_LANGUAGE:
        data[at : at + 2] = _UNDETERMINED.to_bytes(2)
    return bytes(data)


def _allow_negative(view: memoryview, table: Box) -> None:
    """QuickTime's offsets from decoding to showing are signed, MP4's only in version 1."""
    count = int.from_bytes(view[table.body + 4 : table.body + 8])
    if table.body + 8 + 8 * count > table.end:
        raise Malformed("a table of times that is cut off")
    pairs = array("i", bytes(view[table.body + 8 : table.body + 8 + 8 * count]))
    if sys.byteorder == "little":
        pairs.byteswap()
    if min(pairs[1::2], default=0) < 0:
        view[table.body] = 1


def _entry(view: memoryview, description: Box) -> Box:
    entries = list(inside(view, description.body + 8, description.end))
    if len(entries) != 1:
        raise Malformed("samples of several kinds")
    return entries[0]


def _video(view: memoryview, description: Box) -> bytes:
    entry = _entry(view, description)
    if entry.kind not in _VIDEO or entry.end - entry.start < _VIDEO_ENTRY:
        raise Malformed(f"pictures of {entry.kind!r}")
    fixed = bytearray(view[entry.start : entry.start + _VIDEO_ENTRY])
    fixed[16:32] = bytes(16)  # version, maker, quality: reserved in MP4
    parts, kinds = [], set()
    for one in inside(view, entry.start + _VIDEO_ENTRY, entry.end):
        kinds.add(one.kind)
        if one.kind == b"colr":
            parts.append(_colours(bytes(view[one.start : one.end])))
        elif one.kind in _KEPT_OF_VIDEO:
            parts.append(bytes(view[one.start : one.end]))
    if _VIDEO[entry.kind] not in kinds:
        raise Malformed("nothing tells the decoder how to begin")
    return _described(box(entry.kind, bytes(fixed[8:]), *parts))


def _colours(data: bytes) -> bytes:
    """QuickTime's `nclc` has no word on the range, which is the limited one."""
    return box(b"colr", b"nclx", data[12:18], b"\0") if data[8:12] == b"nclc" else data


def _sound(view: memoryview, description: Box) -> bytes:
    entry = _entry(view, description)
    if entry.kind != b"mp4a" or entry.end - entry.start < _SOUND_ENTRY:
        raise Malformed(f"sound of {entry.kind!r}")
    data = view[entry.start : entry.end]
    version = int.from_bytes(data[16:18])
    channels, rate = int.from_bytes(data[24:26]), int.from_bytes(data[32:34])
    if version == 2:
        (exact,) = struct.unpack(">d", data[40:48])
        rate, channels = int(exact), int.from_bytes(data[48:52])
    start = {0: _SOUND_ENTRY, 1: _SOUND_ENTRY_1, 2: _SOUND_ENTRY_2}.get(version)
    if start is None or not 0 < rate < 1 << 16:
        raise Malformed(f"sound of version {version}, {rate} Hz")
    found = list(inside(data, start, len(data)))
    wave = next((one for one in found if one.kind == b"wave"), None)
    found += list(inside(data, wave.body, wave.end)) if wave else []
    setup = next((bytes(data[one.start : one.end]) for one in found if one.kind == b"esds"), b"")
    if _object_type(setup) != _AAC:
        raise Malformed("sound that is not AAC")
    fixed = bytes(6) + data[14:16].tobytes() + bytes(8) + channels.to_bytes(2) + (16).to_bytes(2) + bytes(4)
    return _described(box(b"mp4a", fixed, (rate << 16).to_bytes(4), setup))


def _object_type(setup: bytes) -> int | None:
    """Of an `esds`: ES descriptor (3), in it the decoder's (4), whose first byte it is."""
    try:
        at = _content(setup, 12, 3)
        flags = setup[at + 2]
        at += 3 + 2 * bool(flags & 0x80)
        if flags & 0x40:
            at += 1 + setup[at]
        return setup[_content(setup, at + 2 * bool(flags & 0x20), 4)]
    except IndexError:
        return None


def _content(data: bytes, at: int, tag: int) -> int:
    if data[at] != tag:
        raise IndexError
    at += 1
    while data[at] & 0x80:  # the length is in groups of seven bits
        at += 1
    return at + 1


def _described(entry: bytes) -> bytes:
    return box(b"stsd", bytes(4), (1).to_bytes(4), entry)
