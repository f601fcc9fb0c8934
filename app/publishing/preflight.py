"""What does not fit, found before anything is sent: an adapter's declared limits against the probed facts."""

from collections.abc import Callable, Iterator, Mapping
from math import ceil, floor
from typing import Any

from app.media.recipes import facts as about
from app.models import Clip, Publication
from app.platforms.base import Adapter
from app.platforms.text_units import TextUnit
from app.problems import Problem

_KB, _MB = 1000, 1_000_000
MAX_TITLE = Publication.title.type.impl.length


def problems(adapter: type[Adapter], config: Mapping[str, Any], clip: Clip) -> Iterator[Problem]:
    """None where the file fits. `clip`: any file with a clip's facts, also one that is still to be made."""
    limits = adapter.limits(config)
    if why := adapter.unready(config):
        yield Problem("platform_unready", why=why)
    if limits.max_bytes and clip.size > limits.max_bytes:
        yield Problem(
            "file_too_large", mb=_tenths(clip.size / _MB, ceil), max_mb=_tenths(limits.max_bytes / _MB, floor)
        )
    if limits.min_bytes and clip.size < limits.min_bytes:
        yield Problem("file_too_small", min_kb=ceil(limits.min_bytes / _KB))
    # The picture's own track: sound often ends later. One picture more or less is no reason to refuse.
    seconds = about.seconds(clip)
    if about.is_too_long(clip, limits):
        yield Problem("clip_too_long", seconds=_tenths(seconds, ceil), max_seconds=_tenths(limits.max_seconds, floor))
    elif limits.min_seconds and seconds < limits.min_seconds - 1 / about.frame_rate(clip):
        yield Problem("clip_too_short", min_seconds=_tenths(limits.min_seconds, ceil))
    if limits.vertical_or_square and (clip.width or 0) > (clip.height or 0):
        yield Problem("clip_horizontal")
    if about.refused_rate(clip, limits):
        allowed = _range(limits.min_fps, limits.max_fps)
        yield Problem(
            "rate_refused", rate=f"{clip.frame_rate:.2f}".replace(".", ",").removesuffix(",00"), allowed=allowed
        )
    if about.refused_sides(clip, limits):
        allowed = _range(limits.min_side, limits.max_side)
        yield Problem("sides_refused", width=clip.width, height=clip.height, allowed=allowed)
    facts = (
        (limits.containers, clip.container),
        (limits.video_codecs, clip.video_codec),
        (limits.audio_codecs, clip.audio_codec),
    )
    # In one problem: one export solves all of it.
    refused = [fact.upper() for allowed, fact in facts if allowed and fact and fact not in allowed]
    if limits.video_codecs == {"h264"} and (clip.bit_depth or 8) > 8:
        refused.append(f"{clip.bit_depth} бит")
    if refused:
        yield Problem("format_refused", formats=", ".join(refused))


def text_problems(adapter: type[Adapter], config: Mapping[str, Any], title: str, description: str) -> Iterator[Problem]:
    """None where the texts fit."""
    limits = adapter.limits(config)
    if len(title) > MAX_TITLE and not (limits.max_title and limits.max_title <= MAX_TITLE):
        yield Problem("title_over_column", max=MAX_TITLE)
    if limits.max_title and limits.unit.count(title) > limits.max_title:
        yield Problem("title_too_long", max=limits.max_title)
    count = limits.text_unit.count(description)
    if limits.max_description and count > limits.max_description:
        if limits.text_unit == TextUnit.BYTES:
            yield Problem("description_too_many_bytes", count=count, max=limits.max_description)
        else:
            yield Problem("description_too_long", max=limits.max_description)
    count = limits.text_unit.count(adapter.text(title, description))
    if limits.max_text and count > limits.max_text:
        yield Problem("text_too_long", count=count, max=limits.max_text)
    if characters := limits.forbidden_in(title):
        yield Problem("title_forbidden_characters", characters=characters)
    if characters := limits.forbidden_in(description):
        yield Problem("description_forbidden_characters", characters=characters)


def _range(low: float | None, high: float | None) -> str:
    """«от 23 до 60»."""
    words = [f"{word} {number:g}" for word, number in (("от", low), ("до", high)) if number]
    return " ".join(words).replace(".", ",")


def _tenths(value: float, rounding: Callable[[float], int]) -> str:
    """What is over a limit is rounded up and the limit down, so that the two are never shown as the same number."""
    count = rounding(value * 10)
    return f"{count // 10},{count % 10}".removesuffix(",0")
