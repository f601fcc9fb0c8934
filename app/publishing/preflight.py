"""What does not fit, told before anything is sent: an adapter's declared limits against the probed facts."""

from app.models import Clip, Publication
from app.platforms.base import Adapter, Limits

_MB = 1_000_000
MAX_TITLE = Publication.title.type.impl.length


def problems(adapter: Adapter, clip: Clip) -> list[str]:
    """Sentences; empty where the file fits."""
    limits = adapter.limits
    checks = (_size, _length, _shape, _format)
    found = [adapter.unready(), *(check(limits, clip) for check in checks)]
    return [sentence for sentence in found if sentence]


def text_problems(adapter: Adapter, title: str, description: str) -> list[str]:
    limits, found = adapter.limits, []
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
        return f"Файл {_megabytes(clip.size)} МБ, принимают до {_megabytes(limits.max_bytes)} МБ: сожмите клип."
    return ""


def _length(limits: Limits, clip: Clip) -> str:
    seconds = (clip.duration_ms or 0) / 1000
    if limits.max_seconds and seconds > limits.max_seconds:
        return f"Клип длится {seconds:.0f} с, принимают до {limits.max_seconds:.0f} с: укоротите его."
    if limits.min_seconds and seconds < limits.min_seconds:
        return f"Клип короче {limits.min_seconds:.0f} с: такие не принимают."
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


def _megabytes(size: int) -> str:
    return f"{size / _MB:.0f}" if size >= _MB else f"{size / _MB:.1f}"
