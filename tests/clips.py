"""Writes the tests' clips with PyAV: real H.264 with AAC sound, of any shape, length and weight."""

import heapq
import secrets
import zlib
from array import array
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import wraps
from math import pi, sin
from pathlib import Path
from random import Random

import av

from app.storage import key_from

FPS = 30
LOOP_FRAMES = 2 * FPS
SAMPLE_RATE = 48_000
VERTICAL = (270, 480)
WIDE = (480, 270)
SQUARE = (320, 320)
FULL_HD = (1080, 1920)
BLACK = 16
LIGHT = 150
# Neither buffers nor reorders: one packet out for each frame in.
FASTEST = {
    "libx264": {"preset": "ultrafast", "tune": "zerolatency", "crf": "30", "g": str(LOOP_FRAMES)},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
}


def new_key() -> str:
    return key_from(secrets.token_hex())


def _encoded_once(write: Callable[..., Path]) -> Callable[..., Path]:
    """What is written is the same for the same suffix and shape: later ones are copies."""
    made: dict[tuple, bytes] = {}

    @wraps(write)
    def write_or_copy(path: Path, **how) -> Path:
        kind = (path.suffix, *sorted(how.items()))
        if kind in made:
            path.write_bytes(made[kind])
        else:
            made[kind] = write(path, **how).read_bytes()
        return path

    return write_or_copy


@_encoded_once
def write(
    path: Path,
    *,
    shape: tuple[int, int] = VERTICAL,
    seconds: float = 2.0,
    sound: bool = True,
    rotation: int = 0,
    black_seconds: float = 0.0,
    codec: str = "libx264",
    index_in_front: bool = True,
) -> Path:
    """A playable clip at `path`; its suffix decides the container (.mp4, .mov, .mkv, .webm with `codec` libvpx).

    `shape` is width and height as stored, in pixels; `rotation` is how many degrees clockwise a player turns it;
    the first `black_seconds` are black and hold the only keyframe of the first two seconds. With its index behind, as a
    phone writes it, a file needs a rendition where a platform streams it.
    """
    faststart = {"movflags": "faststart"} if index_in_front and path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=faststart) as container:
        video = container.add_stream(codec, rate=FPS, options=FASTEST[codec])
        video.width, video.height, video.pix_fmt = *shape, "yuv420p"
        if rotation:
            video.set_display_rotation(-rotation)
        tracks = [_video_packets(video, round(seconds * FPS), round(black_seconds * FPS))]
        if sound:
            audio = container.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=SAMPLE_RATE)
            tracks.append(_audio_packets(audio, seconds))
        for packet in heapq.merge(*tracks, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


def vertical(folder: Path) -> Path:
    """The usual clip: two seconds, 9:16, with sound."""
    return write(folder / "vertical.mp4")


def write_big(path: Path, size: int, **how) -> Path:
    """A playable MP4 of exactly `size` bytes: a `free` box at its end, which players skip, makes the weight.

    The padding is a hole in the file, so that any size is written at once.
    """
    write(path, **how)
    padding = size - path.stat().st_size
    if padding < 16:
        raise ValueError(f"the clip alone has {path.stat().st_size} bytes")
    with path.open("ab") as file:
        file.write((1).to_bytes(4) + b"free" + padding.to_bytes(8))
        file.truncate(size)
    return path


def write_long(path: Path, hours: float) -> Path:
    """A black clip of any length in a few kilobytes: two pictures, that far apart."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options=FASTEST["libx264"])
        video.width, video.height, video.pix_fmt = *VERTICAL, "yuv420p"
        for packet in _video_packets(video, count=2, black=2):
            packet.pts = packet.dts = packet.pts * round(hours * 3600) * FPS
            container.mux(packet)
    return path


def write_broken(path: Path) -> Path:
    """An MP4 that ends in the middle of its index (`moov`), as an interrupted recording does."""
    data = write(path, index_in_front=False).read_bytes()
    path.write_bytes(data[: data.index(b"moov") + 200])
    return path


def write_bomb(path: Path, megabytes: int) -> Path:
    """A MOV whose index is packed (`cmov`): a small file that claims to unpack to so much."""
    index = packed_zeros(megabytes << 20)
    packed = _box(b"dcom", b"zlib") + _box(b"cmvd", (megabytes << 20).to_bytes(4) + index)
    path.write_bytes(_box(b"ftyp", b"qt  \0\0\0\0qt  ") + _box(b"moov", _box(b"cmov", packed)))
    return path


def packed_zeros(count: int) -> bytes:
    """So many zero bytes as a zlib stream, in which the block of one megabyte is repeated instead of packed again."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    end = packer.compress(bytes(count % (1 << 20))) + packer.flush()
    checksum = count % 65521 << 16 | 1  # Adler-32 of zeros
    return b"\x78\xda" + block * (count >> 20) + end + checksum.to_bytes(4)


def write_nested(path: Path, depth: int) -> Path:
    """An MP4 of nested boxes, that deep."""
    inner = b""
    for _ in range(depth):
        inner = _box(b"trak", inner)
    path.write_bytes(_box(b"ftyp", b"isom\0\0\0\0isom") + _box(b"moov", inner))
    return path


def write_damaged(path: Path, seed: int) -> Path:
    """An MP4 with a handful of wrong bytes in its index; the same for the same seed."""
    data, chance = bytearray(write(path, index_in_front=False).read_bytes()), Random(seed)
    start = data.index(b"moov")
    for _ in range(12):
        data[start + chance.randrange(len(data) - start)] = chance.randrange(256)
    path.write_bytes(data)
    return path


def _box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


def write_not_a_video(path: Path) -> Path:
    """A text file, whatever its name."""
    path.write_text("Это не видео, а письмо.\n" * 200)
    return path


def write_sound_only(path: Path) -> Path:
    """An MP4 with a sound track and no picture."""
    with av.open(str(path), "w") as container:
        for packet in _audio_packets(container.add_stream("aac", rate=SAMPLE_RATE), 1.0):
            container.mux(packet)
    return path


def _video_packets(stream: av.VideoStream, count: int, black: int) -> Iterator[av.Packet]:
    """`count` packets, one a frame. Two seconds are encoded and then repeated: a minute of Full HD in a moment."""
    encoded = []
    for number in range(count if black else min(count, LOOP_FRAMES)):
        frame = _picture(stream.width, stream.height, number, dark=number < black)
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        encoded += stream.encode(frame)
    encoded += stream.encode(None)
    for number in range(count):
        original = encoded[number % len(encoded)]
        packet = av.Packet(bytes(original))
        packet.stream, packet.is_keyframe = stream, original.is_keyframe
        packet.pts = packet.dts = number
        packet.duration, packet.time_base = 1, Fraction(1, FPS)
        yield packet


def _picture(width: int, height: int, number: int, *, dark: bool) -> av.VideoFrame:
    """Black, or a light field with a dark bar that moves down."""
    frame = av.VideoFrame(width, height, "yuv420p")
    luma, *chroma = frame.planes
    rows = bytearray(bytes([BLACK if dark else LIGHT]) * luma.buffer_size)
    if not dark:
        bar = max(2, height // 20)
        top = number * 4 % (height - bar) * luma.line_size
        rows[top : top + bar * luma.line_size] = bytes([40]) * (bar * luma.line_size)
    luma.update(rows)
    for plane, value in zip(chroma, (128, 128) if dark else (110, 150), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


def _audio_packets(stream: av.AudioStream, seconds: float) -> Iterator[av.Packet]:
    """A tone of 440 Hz, in frames of 1024 samples."""
    tone = array("h", (int(8000 * sin(2 * pi * 440 * i / SAMPLE_RATE)) for i in range(SAMPLE_RATE // 40)))
    tone *= 2
    for start in range(0, round(seconds * SAMPLE_RATE), 1024):
        frame = av.AudioFrame(format="s16", layout="mono", samples=1024)
        phase = start % (SAMPLE_RATE // 40)
        frame.planes[0].update(tone[phase : phase + 1024].tobytes())
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        yield from stream.encode(frame)
    yield from stream.encode(None)
