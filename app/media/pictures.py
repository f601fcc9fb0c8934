"""Pictures of a clip for its cover: frames of it, or what its user sent. All decoding is in a jailed child."""

import base64
from dataclasses import dataclass
from pathlib import Path

from app.media import containers, probe
from app.media.picture_child import MAX_PIXELS, MIN_SIDE

# Frames of a strip; pages have as many places.
STRIP_FRAMES = 12
MAX_PICTURE_BYTES = 10_000_000
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_DEMUXERS = ",".join(containers.DEMUXERS)

# What is wrong, what to do.
REASONS = {
    "cover_unreadable": ("Картинка не читается", "Сохраните её заново как JPEG или PNG и загрузите ещё раз."),
    "cover_too_small": (f"Картинка слишком маленькая: нужно от {MIN_SIDE} точек по стороне", "Выберите побольше."),
    "cover_too_many_pixels": (
        f"Картинка слишком большая: принимаем до {MAX_PIXELS // 1_000_000} мегапикселей и до 8192 точек по стороне",
        "Уменьшите её и загрузите снова.",
    ),
    "cover_too_heavy": ("Картинка слишком тяжёлая для обработки", "Уменьшите её и загрузите снова."),
    "cover_no_frame": ("В этот момент в клипе нет кадра", "Выберите другой момент."),
    "cover_failed": ("Обложку не удалось сделать", "Выберите кадр или картинку ещё раз."),
}


@dataclass(frozen=True)
class Looks:
    """One picture as JPEGs: for pages, as a small preview, and as platforms get it."""

    poster: bytes
    thumbnail: bytes
    cover: bytes


@dataclass(frozen=True)
class Strip:
    """STRIP_FRAMES places side by side; `at`: the moments of those that are filled, in milliseconds."""

    jpeg: bytes
    at: list[int]


def is_picture(head: bytes) -> bool:
    """Whether the bytes begin as a JPEG or PNG does."""
    return head.startswith(_SIGNATURES)


def strip(clip: Path) -> Strip:
    """Raises Unusable or ProbeCrashed, as all of these."""
    made = probe.run("picture_child", clip, _DEMUXERS, "strip", str(STRIP_FRAMES))
    return Strip(base64.b64decode(made["strip"]), made["at"])


def at_moment(clip: Path, ms: int) -> Looks:
    return _looks(probe.run("picture_child", clip, _DEMUXERS, "moment", str(ms)))


def of_picture(picture: Path) -> Looks:
    return _looks(probe.run("picture_child", picture, _DEMUXERS, "picture"))


def _looks(made: dict[str, str]) -> Looks:
    return Looks(**{name: base64.b64decode(jpeg) for name, jpeg in made.items()})
