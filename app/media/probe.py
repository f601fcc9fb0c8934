"""Facts and a poster of a clip, taken by FFmpeg's libraries in a child process with limits.

A file from a stranger is read by a lot of C code, so it is read where it can do little: in a process of its own with
an empty environment, that may use bounded memory and time, and may write nothing but its answer. This file is both
sides: `probe()` is called by workers; `python app/media/probe.py PATH DEMUXERS` is the child. The child imports nothing
of `app`, since starting the whole application would take longer than the probe.
"""

import base64
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# On a busy machine the child, which is niced, gets a tenth of a processor.
WALL_SECONDS = 120
CPU_SECONDS = 20
# What reading the file may take beyond the loaded libraries. A key frame of 4K (10 bit HEVC, VP9, AV1) takes 60 to
# 110 MB, one of 8K with 8 bits up to 170 MB, the index of twelve hours 110 MB.
MEMORY_BYTES = 200 << 20
# The search for a poster that is not black ends after so much of the child's processor time.
POSTER_SECONDS = 4
NICENESS = 10

MAX_SIDE = 8192
MAX_PIXELS = 8192 * 4320
# A camera's file has five or six: pictures, sound, time code, positions, chapters, a cover.
MAX_STREAMS = 32
MAX_SECONDS = 12 * 3600
POSTER_SIDE = 720
POSTER_BYTES = 200_000
# Mean brightness, 0 to 255, under which a picture passes for black.
DARK = 24

# What is wrong, what to do.
REASONS = {
    "not_a_video": ("Это не видео", "Загрузите файл MP4, MOV, WebM, MKV или AVI."),
    "broken_file": ("Файл повреждён или записан не до конца", "Сохраните видео заново и загрузите ещё раз."),
    "no_video": ("В файле нет видеодорожки", "Проверьте, тот ли это файл."),
    "unknown_codec": ("Видео сжато неизвестным способом", "Сохраните его как MP4 (H.264) и загрузите снова."),
    "too_large_frame": (
        f"Кадр больше, чем мы принимаем: до {MAX_SIDE} точек по стороне и до 8K",
        "Уменьшите разрешение и загрузите снова.",
    ),
    "too_long": (f"Видео длиннее {MAX_SECONDS // 3600} часов", "Сократите его и загрузите снова."),
    "too_complex": ("Файл слишком тяжёлый для обработки", "Сохраните его как MP4 (H.264) и загрузите снова."),
    "probe_timeout": ("Обработка заняла слишком много времени", "Сохраните видео как MP4 (H.264) и загрузите снова."),
    "probe_failed": ("Видео не удалось обработать", "Загрузите его ещё раз; если не поможет, напишите в поддержку."),
    "file_missing": ("Файл клипа потерян на нашей стороне", "Загрузите его ещё раз."),
}


# Raised inside FFmpeg by what it reads, some of them where memory ended: the same file would do it again.
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGSYS}


class Unusable(Exception):
    """The file can never become a clip; `reason` is a key of REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProbeCrashed(Exception):
    """The child ended without an answer. Trying again may help."""


@dataclass(frozen=True)
class Facts:
    """What a clip is. Width and height in pixels as shown, that is with `rotation` (degrees clockwise) applied."""

    container: str
    content_type: str
    video_codec: str
    audio_codec: str | None
    duration_ms: int
    width: int
    height: int
    rotation: int
    poster: bytes  # JPEG, longest side at most POSTER_SIDE, at most POSTER_BYTES


def probe(path: Path) -> Facts:
    """The facts of the file at `path`, in about a quarter of a second. Raises Unusable or ProbeCrashed."""
    from app.media import containers  # not at the top: the child runs this file without `app`

    if not path.is_file():
        raise Unusable("file_missing")
    child = subprocess.Popen(
        # -I: neither the environment nor this folder (whose queue.py would hide Python's) takes part in imports.
        [sys.executable, "-I", __file__, str(path), ",".join(containers.DEMUXERS)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
        # A group, so that it can be killed as a whole. Not a session: under Linux' autogroups (sched(7)) a session has
        # a share of the processor of its own, whatever its niceness.
        process_group=0,
    )
    try:
        answer, errors = child.communicate(timeout=WALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise ProbeCrashed(f"no answer within {WALL_SECONDS} s, nor {CPU_SECONDS} s of a processor used") from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    if child.returncode == -signal.SIGXCPU:
        raise Unusable("probe_timeout")
    if -child.returncode in _CRASHES:
        raise Unusable("too_complex")
    if child.returncode != 0:
        raise ProbeCrashed(f"exit {child.returncode}: {errors.decode(errors='replace')[-500:]}")
    facts = json.loads(answer)
    if "reason" in facts:
        raise Unusable(facts["reason"])
    container = containers.recognize(facts.pop("demuxer"), facts.pop("brand"))
    poster = base64.b64decode(facts.pop("poster"))
    return Facts(container=container.key, content_type=container.content_type, poster=poster, **facts)


# From here on: the child.


def main(path: str, demuxers: str) -> None:
    import av  # here, so that workers do not carry FFmpeg

    _limit_this_process()
    try:
        answer = _look(av, path, demuxers)
    except Unusable as error:
        answer = {"reason": error.reason}
    except MemoryError:
        answer = {"reason": "too_complex"}
    json.dump(answer, sys.stdout)


def _limit_this_process() -> None:
    """To be called when all that is needed has been loaded: the limit on memory counts from there."""
    loaded = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (loaded + MEMORY_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), NICENESS))
    # The parent kills this process in time, unless it dies itself.
    signal.alarm(WALL_SECONDS + 5)


def _look(av: Any, path: str, demuxers: str) -> dict[str, Any]:
    # No playlists, no picture formats, no other files: a "clip" must not make FFmpeg read what it names.
    options = {
        "format_whitelist": demuxers,
        "protocol_whitelist": "file",
        "max_streams": str(MAX_STREAMS),
        "threads": "1",
    }
    with Path(path).open("rb") as file:
        head = file.read(64)
    known = head[4:8] == b"ftyp" or head[:4] == b"\x1aE\xdf\xa3" or head[8:12] == b"AVI "
    try:
        with av.open(path, options=options, metadata_errors="replace") as container:
            return _facts(container, head)
    except MemoryError:
        raise
    except av.error.FFmpegError:
        raise Unusable("broken_file" if known else "not_a_video") from None


def _facts(container: Any, head: bytes) -> dict[str, Any]:
    from av.stream import Disposition

    stream = container.streams.best("video")
    if stream is None and not container.streams.audio:
        raise Unusable("broken_file")  # an index that is cut off names no tracks
    if stream is None or stream.disposition & Disposition.attached_pic:
        raise Unusable("no_video")
    if stream.codec_context is None:
        raise Unusable("unknown_codec")
    if max(stream.width, stream.height) > MAX_SIDE or stream.width * stream.height > MAX_PIXELS:
        raise Unusable("too_large_frame")
    # `options` were for the decoder that looks at the first packets. Pictures may be larger than the container says,
    # and each thread would hold some of its own.
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS), "threads": "1"}
    seconds = _seconds(container, stream)
    if seconds > MAX_SECONDS:
        raise Unusable("too_long")
    if seconds <= 0 or min(stream.width, stream.height) < 2:
        raise Unusable("broken_file")

    frame = _poster_frame(container, stream, seconds)
    rotation = round(-frame.rotation / 90) * 90 % 360
    width, height = _shape(frame, stream, rotation)
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
        "poster": base64.b64encode(_jpeg(frame, width, height, rotation)).decode(),
    }


def _brand(container: Any, head: bytes) -> str:
    """What the file calls itself: MP4's major brand (QuickTime's old files have none), or Matroska's document type."""
    if container.format.name.startswith("matroska"):
        return "webm" if b"webm" in head else "matroska"
    return container.metadata.get("major_brand", "qt")


def _seconds(container: Any, stream: Any) -> float:
    """The clip's length. Browsers record WebM without one: there the last packet tells."""
    if container.duration:
        return container.duration / 1_000_000
    ends = (packet.pts + (packet.duration or 0) for packet in container.demux(stream) if packet.pts is not None)
    return float(max(ends, default=0) * stream.time_base)


def _shape(frame: Any, stream: Any, rotation: int) -> tuple[int, int]:
    """Width and height as a player shows them."""
    aspect = float(stream.sample_aspect_ratio or 1)
    width = round(frame.width * aspect) if 0.1 < aspect < 10 else frame.width
    return (frame.height, width) if rotation % 180 else (width, frame.height)


def _poster_frame(container: Any, stream: Any, seconds: float) -> Any:
    """The first frame that is not black, else the brightest of those seen."""
    brightest, best = -1.0, None
    try:
        for frame in _candidates(container, stream, seconds):
            brightness = sum(gray := bytes(frame.reformat(32, 32, "gray").planes[0])) / len(gray)
            if brightness > brightest:
                brightest, best = brightness, frame
            if brightness > DARK or time.process_time() > POSTER_SECONDS:
                break
    except MemoryError:
        if best is None:
            raise
    if best is None:
        raise Unusable("broken_file")
    return best


def _candidates(container: Any, stream: Any, seconds: float) -> Iterator[Any]:
    """Keyframes first, since they are cheap; then every frame from the start, for a clip that fades in."""
    from av.error import FFmpegError

    stream.codec_context.skip_frame = "NONKEY"
    for part in (0, 0.05, 0.2, 0.5):
        try:
            container.seek(int(part * seconds * 1_000_000) + (container.start_time or 0))
            yield next(container.decode(stream))
        except MemoryError:
            raise
        except (FFmpegError, StopIteration):
            continue  # damaged or not there; another place may do
    try:
        container.seek(container.start_time or 0)
        stream.codec_context.skip_frame = "DEFAULT"
        yield from container.decode(stream)
    except MemoryError:
        raise
    except FFmpegError:
        return


def _jpeg(frame: Any, width: int, height: int, rotation: int) -> bytes:
    """The frame as a JPEG, upright, within POSTER_SIDE and POSTER_BYTES."""
    import av

    scale = min(1.0, POSTER_SIDE / max(width, height))
    width, height = (max(2, int(side * scale) // 2 * 2) for side in (width, height))
    stored = (height, width) if rotation % 180 else (width, height)
    picture = _turned(frame.reformat(*stored, "yuvj420p", interpolation="AREA"), rotation)
    for quality in (3, 6, 12, 31):
        encoder = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
        encoder.time_base = picture.time_base
        encoder.qmin = encoder.qmax = quality
        data = b"".join(bytes(packet) for packet in (*encoder.encode(picture), *encoder.encode(None)))
        if len(data) <= POSTER_BYTES:
            break
    return data


def _turned(picture: Any, rotation: int) -> Any:
    from av.filter import Graph

    if not rotation:
        return picture
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=picture.time_base
    )
    turns = [graph.add("transpose", "clock") for _ in range(rotation // 90)]
    graph.link_nodes(source, *turns, graph.add("buffersink")).configure()
    graph.push(picture)
    return graph.pull()


if __name__ == "__main__":
    main(*sys.argv[1:])
