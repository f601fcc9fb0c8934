"""Facts and a poster of a clip, taken by FFmpeg's libraries in a child process with limits.

A file from a stranger is read by a lot of C code, so it is read where it can do little: in a process of its own with
an empty environment, that may use bounded memory and time, read nothing but the clip, reach no network and no process,
and write nothing but its facts (`probe_child`).
"""

import base64
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.media import containers
from app.media.probe_child import CPU_SECONDS, MAX_SECONDS, MAX_SIDE, WALL_SECONDS, Unusable

# The application's folder comes last, so that nothing in it hides a module of Python or of PyAV.
_CHILD = f"""
import sys
sys.path.append({str(Path(__file__).parents[2])!r})
from app.media.%s import main
main(*sys.argv[1:])
"""

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

# The facts that are pictures.
PICTURES = ("poster", "thumbnail")

# Raised inside FFmpeg by what it reads, some of them where memory ended: the same file would do it again.
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGSYS}


class ProbeCrashed(Exception):
    """The child ended without facts. Trying again may help."""


@dataclass(frozen=True)
class Facts:
    """What a clip is, by its columns' names. Pixels as shown, that is with `rotation` (degrees clockwise) applied."""

    container: str
    content_type: str
    video_codec: str
    audio_codec: str | None
    duration_ms: int
    width: int
    height: int
    rotation: int
    frame_rate: float  # on average
    is_variable_rate: bool
    bit_depth: int
    pixel_format: str  # FFmpeg's name
    transfer: str | None  # FFmpeg's names; None where the file does not say
    primaries: str | None
    sample_rate: int | None
    video_duration_ms: int  # of the picture's track alone
    audio_duration_ms: int | None
    moov_in_front: bool | None  # None for a container that has no such index
    is_fragmented: bool
    keyframe_ms: int  # the longest time from one key frame to the next
    audio_tracks: int
    video_bit_rate: int | None
    poster: bytes  # JPEG, within `poster.POSTER_SIDE` and `POSTER_BYTES`
    thumbnail: bytes  # the same within `poster.THUMBNAIL_SIDE`


def probe(path: Path) -> Facts:
    """The facts of the file at `path`, in about a quarter of a second. Raises Unusable or ProbeCrashed."""
    facts = run("probe_child", path, ",".join(containers.DEMUXERS))
    container = containers.recognize(facts.pop("demuxer"), facts.pop("brand"))
    pictures = {name: base64.b64decode(facts.pop(name)) for name in PICTURES}
    return Facts(container=container.key, content_type=container.content_type, **pictures, **facts)


def run(child_module: str, path: Path, *arguments: str) -> dict[str, Any]:
    """What the child said of the file at `path`. Raises Unusable or ProbeCrashed."""
    if not path.is_file():
        raise Unusable("file_missing")
    child = subprocess.Popen(
        # -I: imports depend neither on the environment nor on the working directory.
        [sys.executable, "-I", "-c", _CHILD % child_module, str(path), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
        # A group, so that it can be killed as a whole. Not a session: under Linux' autogroups (sched(7)) a session has
        # a share of the processor of its own, whatever its niceness.
        process_group=0,
    )
    try:
        output, errors = child.communicate(timeout=WALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise ProbeCrashed(f"no facts within {WALL_SECONDS} s, nor {CPU_SECONDS} s of a processor used") from None
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
    said = json.loads(output)
    if "reason" in said:
        raise Unusable(said["reason"])
    return said
