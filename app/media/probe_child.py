"""The child of the probe: reads a file with FFmpeg and writes its facts to stdout as JSON.

`probe` starts it in a process of its own. It imports nothing of `app` that is slow to load: starting the whole
application would take longer than the probe.
"""

import base64
import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.media import poster, track_facts
from app.process import landlock, syscall_filter
from app.process.lifetime import write_no_core_files

# On a busy machine this process, which is niced, gets a tenth of a processor.
WALL_SECONDS = 120
CPU_SECONDS = 20
# What reading the file may take beyond the loaded libraries. A key frame of 4K (10 bit HEVC, VP9, AV1) takes 60 to
# 110 MB, one of 8K with 8 bits up to 170 MB, the index of twelve hours 110 MB.
MEMORY_BYTES = 200 << 20
NICENESS = 10

MAX_SIDE = 8192
MAX_PIXELS = 8192 * 4320
# A camera's file has five or six: pictures, sound, time code, positions, chapters, a cover.
MAX_STREAMS = 32
MAX_SECONDS = 12 * 3600


class Unusable(Exception):
    """The file can never become a clip; `reason` is a key of `probe.REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def main(path: str, demuxers: str) -> None:
    import av  # here, so that workers do not carry FFmpeg

    limit_this_process(Path(path))
    try:
        facts = _read(av, path, demuxers)
    except Unusable as error:
        facts = {"reason": error.reason}
    except MemoryError:
        facts = {"reason": "too_complex"}
    json.dump(facts, sys.stdout)


def limit_this_process(clip: Path) -> None:
    """Called when all that is needed is loaded: the limit on memory counts from there.

    What a file could make of it may read the clip and the libraries, and has no network, no processes, no way to its
    parent. Without Landlock (`flask doctor` says so) it may read other files of this user.
    """
    loaded = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (loaded + MEMORY_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    write_no_core_files()
    os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), NICENESS))
    # The parent kills this process in time, unless it ends first.
    signal.alarm(WALL_SECONDS + 5)
    sys.dont_write_bytecode = True
    landlock.read_only([clip, *_libraries()])
    syscall_filter.compute_only()


def _libraries() -> set[Path]:
    """Python's and PyAV's folders: some modules are loaded when a file needs them."""
    return {Path(sys.modules[name].__file__).parent for name in ("os", "av")}


def _read(av: Any, path: str, demuxers: str) -> dict[str, Any]:
    with Path(path).open("rb") as file:
        head = file.read(64)
    is_video = head[4:8] == b"ftyp" or head[:4] == b"\x1aE\xdf\xa3" or head[8:12] == b"AVI "
    with opened(av, path, demuxers, "broken_file" if is_video else "not_a_video") as container:
        return _facts(container, head, Path(path))


@contextmanager
def opened(av: Any, path: str, demuxers: str, otherwise: str) -> Iterator[Any]:
    """The file for FFmpeg, read as one of the formats that are named. Raises Unusable(`otherwise`)."""
    # No playlists, no other formats, no other files: a "clip" must not make FFmpeg read what it names.
    options = {
        "format_whitelist": demuxers,
        "protocol_whitelist": "file",
        "max_streams": str(MAX_STREAMS),
        "threads": "1",
    }
    try:
        with av.open(path, options=options, metadata_errors="replace") as container:
            yield container
    except MemoryError:
        raise
    except av.error.FFmpegError:
        raise Unusable(otherwise) from None


def prepare(stream: Any, max_pixels: int = MAX_PIXELS) -> None:
    """Raises Unusable for a picture that is too large to be decoded."""
    if max(stream.width, stream.height) > MAX_SIDE or stream.width * stream.height > max_pixels:
        raise Unusable("too_large_frame")
    # `options` were for the decoder that reads the first packets. Pictures may be larger than the container declares,
    # and each thread would hold some of its own.
    stream.codec_context.options = {"max_pixels": str(max_pixels), "threads": "1"}


def _facts(container: Any, head: bytes, path: Path) -> dict[str, Any]:
    from av.stream import Disposition

    stream = container.streams.best("video")
    if stream is None and not container.streams.audio:
        raise Unusable("broken_file")  # an index that is cut off names no tracks
    if stream is None or stream.disposition & Disposition.attached_pic:
        raise Unusable("no_video")
    if stream.codec_context is None:
        raise Unusable("unknown_codec")
    prepare(stream)
    seconds = _seconds(container, stream)
    if seconds > MAX_SECONDS:
        raise Unusable("too_long")
    if seconds <= 0 or min(stream.width, stream.height) < 2:
        raise Unusable("broken_file")

    frame = poster.find_frame(container, stream, seconds)
    if frame is None:
        raise Unusable("broken_file")
    rotation = rotation_of(frame)
    width, height = shape(frame, stream, rotation)
    audio = container.streams.best("audio")
    return {
        "demuxer": container.format.name.partition(",")[0],
        "brand": _brand(container, head),
        "video_codec": stream.codec_context.codec.canonical_name,
        "audio_codec": audio.codec_context.codec.canonical_name if audio and audio.codec_context else None,
        "duration_ms": round(seconds * 1000),
        "width": width,
        "height": height,
        "rotation": rotation,
        "poster": text(poster.jpeg(frame, width, height, rotation)),
        "thumbnail": text(poster.thumbnail(frame, width, height, rotation)),
        **track_facts.read(container, stream, audio, frame, path, seconds),
    }


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def rotation_of(frame: Any) -> int:
    """Degrees clockwise by which a player turns it."""
    return round(-frame.rotation / 90) * 90 % 360


def _brand(container: Any, head: bytes) -> str:
    """What the file calls itself: MP4's major brand (QuickTime's old files have none), or Matroska's document type."""
    if container.format.name.startswith("matroska"):
        return "webm" if b"webm" in head else "matroska"
    return container.metadata.get("major_brand", "qt")


def _seconds(container: Any, stream: Any) -> float:
    """The clip's length. Browsers record WebM without one: there it is the end of the last packet."""
    if container.duration:
        return container.duration / 1_000_000
    ends = (packet.pts + (packet.duration or 0) for packet in container.demux(stream) if packet.pts is not None)
    return float(max(ends, default=0) * stream.time_base)


def shape(frame: Any, stream: Any, rotation: int) -> tuple[int, int]:
    """Width and height as a player shows them."""
    aspect = float(stream.sample_aspect_ratio or 1)
    width = round(frame.width * aspect) if 0.1 < aspect < 10 else frame.width
    return (frame.height, width) if rotation % 180 else (width, frame.height)
