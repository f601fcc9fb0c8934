"""Russian for what is made of a clip: what it costs, what is different, how long it takes."""

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

from app.texts.moments import NBSP

if TYPE_CHECKING:
    from app.media.recipes.plan import Change, Offer

_MB = 1_000_000


def offer(one: "Offer") -> str:
    """«сожмём до 48 МБ, 1080×1920 → 720×1280, около минуты»."""
    return ", ".join([*_parts(one.changes), duration(one.estimate.seconds)])


def lossless(changes: Iterable["Change"]) -> str:
    """«переложим в MP4 без потерь»: what is done without asking."""
    return ", ".join(_parts(changes))


def _parts(changes: Iterable["Change"]) -> list[str]:
    return [_CHANGES[change.kind](change.params) for change in changes]


def duration(seconds: float) -> str:
    """How long it takes, roughly and never less: nobody counts the seconds of a promise."""
    if seconds <= 10:
        return "несколько секунд"
    if seconds <= 40:
        return "меньше минуты"
    minutes = max(1, ceil(seconds / 60 - 0.25))
    if minutes == 1:
        return "около минуты"
    if minutes < 90:
        return f"около{NBSP}{minutes} минут" if minutes % 10 != 1 or minutes == 11 else f"около{NBSP}{minutes} минуты"
    return f"около{NBSP}{ceil(minutes / 60)} часов"


def size(count: int) -> str:
    """«48 МБ», «0,4 МБ»: never less than it is."""
    if count >= 10 * _MB:
        return f"{ceil(count / _MB)}{NBSP}МБ"
    tenths = max(1, ceil(count * 10 / _MB))
    return f"{tenths // 10},{tenths % 10}".removesuffix(",0") + f"{NBSP}МБ"


def moment(milliseconds: int) -> str:
    """«1:05», «0:07,5»: a place in a clip."""
    tenths = milliseconds // 100
    text = f"{tenths // 600}:{tenths // 10 % 60:02}"
    return f"{text},{tenths % 10}" if tenths % 10 else text


def _cut(params: Mapping[str, Any]) -> str:
    start, end = params["start_ms"], params["end_ms"]
    if not start:
        return f"оставим первые {moment(end)}"
    return f"возьмём отрезок {moment(start)}–{moment(end)}" if end else f"начнём с {moment(start)}"


def _shape(shape: tuple[int, int]) -> str:
    return f"{shape[0]}×{shape[1]}"


def _rate(text: str) -> str:
    return f"{float(Fraction(text)):.2f}".rstrip("0").rstrip(".").replace(".", ",")


_CHANGES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "size": lambda params: f"сожмём до {size(params['to'])}",
    "cut": _cut,
    "crop": lambda params: "обрежем до вертикального кадра",
    "blur": lambda params: "поставим на размытый фон, чтобы кадр стал вертикальным",
    "scale": lambda params: f"{_shape(params['from'])} → {_shape(params['to'])}",
    "rate": lambda params: f"ровно {_rate(params['to'])}{NBSP}кадров в секунду",
    "format": lambda params: "сохраним как MP4 (H.264)",
    "tone_map": lambda params: "цвета HDR переведём в обычные",
    "silence": lambda params: "добавим беззвучную дорожку",
    "sound": lambda params: "переложим в MP4: картинка останется как есть, звук сохраним как AAC",
    "container": lambda params: "переложим в MP4 без потерь",
    "index": lambda params: "подготовим файл к просмотру без ожидания, без потерь",
}
