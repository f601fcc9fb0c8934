"""What does not fit, told before anything is sent: an adapter's declared limits against the probed facts."""

import math
from collections.abc import Mapping
from typing import Any

from app.models import Clip, Publication
from app.platforms.base import Adapter, Limits

_MB = 1_000_000
MAX_TITLE = Publication.title.type.impl.length


def problems(adapter: type[Adapter], config: Mapping[str, Any], clip: Clip) -> list[str]:
    """Sentences; empty where the file fits."""
    limits = adapter.limits(config)
    checks = (_size, _length, _shape, _format)
    found = [adapter.unready(config), *(check(limits, clip) for check in checks)]
    return [sentence for sentence in found if sentence]


def text_problems(adapter: type[Adapter], config: Mapping[str, Any], title: str, description: str) -> list[str]:
    limits, found = adapter.limits(config), []
    if len(title) > MAX_TITLE and not (limits.max_title and limits.max_title <= MAX_TITLE):
        found.append(f"Название длиннее {MAX_TITLE} знаков: перенесите часть его в описание.")
    if limits.max_title and adapter.count(title) > limits.max_title:
        found.append(f"Название длиннее {limits.max_title} знаков: сократите его.")
    if limits.max_description and adapter.count(description) > limits.max_description:
        found.append(f"Описание длиннее {limits.max_description} знаков: сократите его.")
    text = adapter.text(title, description)
    if limits.max_text and adapter.count(text) > limits.max_text:
        found.append(f"Текст занимает {adapter.count(text)} знаков, помещается {limits.max_text}: сократите его.")
    return found


def _size(limits: Limits, clip: Clip) -> str:
    if limits.max_bytes and clip.size > limits.max_bytes:
        over, limit = clip.size / _MB, limits.max_bytes / _MB
        return f"Файл {_rounded_up(over)} МБ, принимают до {_rounded_down(limit)} МБ: сожмите клип."
    return ""


def _length(limits: Limits, clip: Clip) -> str:
    seconds = (clip.duration_ms or 0) / 1000
    if limits.max_seconds and seconds > limits.max_seconds:
        limit = _rounded_down(limits.max_seconds)
        return f"Клип длится {_rounded_up(seconds)} с, принимают до {limit} с: укоротите его."
    if limits.min_seconds and seconds < limits.min_seconds:
        return f"Клип короче {_rounded_up(limits.min_seconds)} с: такие не принимают."
    return ""


def _shape(limits: Limits, clip: Clip) -> str:
    if limits.vertical_or_square and (clip.width or 0) > (clip.height or 0):
        return "Нужен вертикальный или квадратный клип."
    return ""


def _format(limits: Limits, clip: Clip) -> str:
    """One sentence for all of it: one export mends all of it."""
    facts = (
        (limits.containers, clip.container),
        (limits.video_codecs, clip.video_codec),
        (limits.audio_codecs, clip.audio_codec),
    )
    strange = [fact for allowed, fact in facts if allowed and fact and fact not in allowed]
    if strange:
        return f"Формат {', '.join(map(str.upper, strange))} не принимают: сохраните клип в MP4 (H.264, звук AAC)."
    return ""


# What is over a limit is rounded up and the limit down, so that the two never read the same.


def _rounded_up(value: float) -> str:
    return _tenths(math.ceil(value * 10))


def _rounded_down(value: float) -> str:
    return _tenths(math.floor(value * 10))


def _tenths(count: int) -> str:
    return f"{count // 10},{count % 10}".removesuffix(",0")
