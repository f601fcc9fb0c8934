"""What is made of a clip, as data: stored with the rendition, sent to the child that makes it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal

# What is wrong, what to do.
REASONS = {
    "recipe_unreadable": (
        "Видео читается не до конца",
        "Сохраните его заново или отправьте на площадку без обработки.",
    ),
    "recipe_not_copyable": (
        "Этот файл не переложить в MP4 без потерь",
        "Сохраните видео как MP4 (H.264) и загрузите снова.",
    ),
    "recipe_nothing_left": (
        "В выбранном отрезке нет видео",
        "Выберите другое начало или другой конец.",
    ),
    "recipe_cannot_fit": (
        "Видео не сжать до такого размера, чтобы на него можно было смотреть",
        "Сократите его или выберите площадку, которая принимает файлы больше.",
    ),
    "recipe_no_encoder": (
        "На сервере нет программы, которая сжимает видео",
        "Напишите в поддержку: это поправит администратор.",
    ),
    "recipe_no_room": ("На сервере временно нет места", "Мы уже знаем об этом. Повторите позже."),
    "recipe_too_heavy": (
        "Видео слишком тяжёлое для обработки",
        "Уменьшите его разрешение и загрузите снова.",
    ),
    "recipe_failed": (
        "Видео не удалось обработать",
        "Повторите; если не поможет, отправьте его без обработки.",
    ),
}

# Grows when `make` makes something else of the same recipe, so that no older rendition passes for it.
VERSION = 1

Audio = Literal["copy", "aac", "silent", "none"]


class RecipeFailed(Exception):
    """Nothing was made; `reason` is a key of REASONS, `detail` is for the log."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Encode:
    """How the picture is encoded anew: H.264, 8 bits, BT.709. `crf` is x264's quality, less is better."""

    codec: Literal["h264"] = "h264"
    crf: int = 21
    preset: str = "veryfast"


@dataclass(frozen=True)
class Crop:
    """What is kept of the picture: pixels as shown, with rotation applied."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True)
class Blur:
    """The whole picture, before itself enlarged and blurred."""


@dataclass(frozen=True)
class Recipe:
    """`video` None: the picture's packets are copied, then nothing may change it or its length.

    `width` and `height` are those of the result, both or none; without them the picture keeps its size, made even.
    `start_ms` and `end_ms` count from the clip's first picture. `fps` is a constant frame rate: "30", "30000/1001".
    The result of a recipe with `max_bytes` is never larger.
    """

    container: Literal["mp4"] = "mp4"
    video: Encode | None = None
    audio: Audio = "copy"
    start_ms: int | None = None
    end_ms: int | None = None
    frame: Crop | Blur | None = None
    width: int | None = None
    height: int | None = None
    fps: str | None = None
    max_bytes: int | None = None
    tone_map: bool = False

    def __post_init__(self) -> None:
        needs_encoder = (self.start_ms, self.end_ms, self.frame, self.width, self.height, self.fps, self.max_bytes)
        if self.video is None and (self.tone_map or any(one is not None for one in needs_encoder)):
            raise ValueError("packets are copied as they are: this recipe needs `video`")
        if (self.width is None) != (self.height is None) or (isinstance(self.frame, Blur) and self.width is None):
            raise ValueError("width and height go together")
        if any(side is not None and (side < 2 or side % 2) for side in (self.width, self.height)):
            raise ValueError("sides are even")
        if self.fps is not None and Fraction(self.fps) <= 0:
            raise ValueError("a frame rate is positive")

    @property
    def is_lossless(self) -> bool:
        return self.video is None and self.audio != "aac"

    @property
    def key(self) -> str:
        """The same for the same recipe: by it a rendition is found."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:32]

    def to_json(self) -> str:
        """Canonical: the same text for the same recipe."""
        data: dict[str, Any] = {
            name: value for name, value in asdict(self).items() if value is not None and value is not False
        }
        if isinstance(self.frame, Blur):
            data["frame"] = "blur"
        return json.dumps({"version": VERSION, **data}, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        data = json.loads(text)
        data.pop("version", None)
        frame = data.pop("frame", None)
        if frame is not None:
            frame = Blur() if frame == "blur" else Crop(**frame)
        video = data.pop("video", None)
        return cls(video=Encode(**video) if video is not None else None, frame=frame, **data)
