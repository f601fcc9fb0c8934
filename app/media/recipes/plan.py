"""What a platform needs of a clip: without asking, and for the user to choose. Reads facts, never the file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any

from app.media.recipes import bitrates
from app.media.recipes import facts as about
from app.media.recipes.estimates import Estimate, estimate, span_seconds
from app.media.recipes.facts import HDR, Facts, Limits
from app.media.recipes.recipe import Audio, Blur, Crop, Encode, Recipe

# The shorter side of what is encoded, from the largest that platforms show down to what can still be looked at.
_SIDES = (1080, 720, 540, 480, 360, 240)
# Bits for a pixel under which a smaller picture looks better.
_MIN_BITS_PER_PIXEL = 0.045
_RATES = ("24", "25", "30", "50", "60")
_USUAL_RATE = "30"


@dataclass(frozen=True)
class Change:
    """One thing that the recipe changes, with what a sentence names of it."""

    kind: str  # of app.texts.renditions: size, cut, crop, …
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Offer:
    recipe: Recipe
    changes: tuple[Change, ...]
    estimate: Estimate


def lossless(facts: Facts, limits: Limits) -> Recipe | None:
    """What is done without asking, since nothing is lost by it; None where nothing needs it, or it cannot be done."""
    if about.refused_format(facts, limits):
        return None
    silent = limits.silent_audio and facts.audio_codec is None
    is_mp4 = facts.container == "mp4"
    moves_index = is_mp4 and limits.streams and facts.moov_in_front is False
    joins = is_mp4 and limits.streams and bool(facts.is_fragmented)
    if not (about.wants_mp4(facts, limits) or silent or moves_index or joins):
        return None
    # An index can be moved whatever it is the index of.
    if not (moves_index and not silent and not joins) and not about.is_copyable(facts):
        return None
    return Recipe(audio="silent" if silent else "copy" if facts.audio_codec else "none")


def offers(facts: Facts, limits: Limits) -> list[Offer]:
    """What the user may choose where the clip does not fit; none where it does, or where nothing would make it fit."""
    if not facts.width or not facts.height or not about.seconds(facts):
        return []
    if not _misfits(facts, limits):
        return []
    frames: list[Crop | Blur | None] = [None]
    if limits.vertical_or_square and facts.width > facts.height:
        frames = [Blur(), middle(facts)]
    recipes = (fitting(facts, limits, frame=frame) for frame in frames)
    return [Offer(one, tuple(changes(facts, one)), estimate(facts, one)) for one in recipes if one is not None]


def _misfits(facts: Facts, limits: Limits) -> bool:
    return (
        bool(limits.max_bytes and facts.size > limits.max_bytes)
        or about.is_too_long(facts, limits)
        or bool(limits.vertical_or_square and (facts.width or 0) > (facts.height or 0))
        or about.refused_rate(facts, limits)
        or about.refused_format(facts, limits)
        or about.refused_sides(facts, limits)
    )


def middle(facts: Facts, part: float = 0.5) -> Crop:
    """9:16 out of a wide picture; `part` 0 is its left edge, 1 its right one."""
    height = (facts.height or 0) // 2 * 2
    width = min(facts.width or 0, round(height * 9 / 16)) // 2 * 2
    return Crop(round(((facts.width or 0) - width) * part), 0, width, height)


def fitting(
    facts: Facts,
    limits: Limits,
    *,
    start_ms: int | None = None,
    end_ms: int | None = None,
    frame: Crop | Blur | None = None,
) -> Recipe | None:
    """A recipe by the user's own choice of span and frame that fits all else too; None where nothing would fit."""
    start_ms, end_ms = _span(facts, limits, start_ms, end_ms)
    rate = _rate(facts, limits)
    length = span_seconds(facts, Recipe(video=Encode(), start_ms=start_ms, end_ms=end_ms))
    max_bytes = _max_bytes(facts, limits, length, is_changed=frame is not None)
    if frame is None and start_ms is None and end_ms is None and _only_sound_is_refused(facts, limits):
        return Recipe(audio="aac")
    shape = _shape(facts, limits, frame, max_bytes, length, float(Fraction(rate)) if rate else about.frame_rate(facts))
    if shape is None or length <= 0:
        return None
    return Recipe(
        video=Encode(),
        audio=_audio(
            facts, limits, is_squeezed=max_bytes is not None, is_cut=start_ms is not None or end_ms is not None
        ),
        start_ms=start_ms,
        end_ms=end_ms,
        frame=frame,
        width=shape[0],
        height=shape[1],
        fps=rate,
        max_bytes=max_bytes,
        tone_map=facts.transfer in HDR,
    )


def _only_sound_is_refused(facts: Facts, limits: Limits) -> bool:
    """Then the picture is copied, which is faster and loses nothing of it."""
    with_aac = _WithAac(facts)
    return facts.audio_codec not in (None, "aac") and about.is_copyable(with_aac) and not _misfits(with_aac, limits)


class _WithAac:
    """The same facts of a clip whose sound is AAC."""

    audio_codec = "aac"

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._facts, name)


def _span(facts: Facts, limits: Limits, start_ms: int | None, end_ms: int | None) -> tuple[int | None, int | None]:
    """Not longer than may be: the end gives way."""
    if limits.max_seconds:
        latest = (start_ms or 0) + floor(limits.max_seconds * 1000)
        if about.is_too_long(facts, limits) or (start_ms or end_ms):
            end = end_ms or round(about.seconds(facts) * 1000)
            end_ms = latest if end > latest else end_ms
    return start_ms or None, end_ms


def _rate(facts: Facts, limits: Limits) -> str | None:
    if about.refused_rate(facts, limits):
        taken = [one for one in _RATES if (limits.min_fps or 0) <= float(one) <= (limits.max_fps or 1000)]
        if limits.min_fps and (facts.frame_rate or 0) < limits.min_fps:
            return _USUAL_RATE if _USUAL_RATE in taken else next(iter(taken), None)
        return taken[-1] if taken else None
    # A platform that names rates means constant ones.
    if facts.is_variable_rate and (limits.min_fps or limits.max_fps):
        return min(_RATES, key=lambda one: abs(float(one) - about.frame_rate(facts)))
    return None


def _max_bytes(facts: Facts, limits: Limits, length: float, *, is_changed: bool) -> int | None:
    """Only where the result could be too large: otherwise quality decides."""
    if limits.max_bytes is None:
        return None
    unlimited = Recipe(video=Encode())
    likely = estimate(facts, unlimited).bytes * (length / max(about.seconds(facts), 0.001))
    is_large = facts.size > limits.max_bytes or likely * (4 if is_changed else 2) > limits.max_bytes
    return limits.max_bytes if is_large else None


def _audio(facts: Facts, limits: Limits, *, is_squeezed: bool, is_cut: bool) -> Audio:
    if facts.audio_codec is None:
        return "silent" if limits.silent_audio else "none"
    return "aac" if is_squeezed or is_cut or facts.audio_codec != "aac" else "copy"


def _shape(
    facts: Facts, limits: Limits, frame: Crop | Blur | None, max_bytes: int | None, length: float, rate: float
) -> tuple[int, int] | None:
    """The largest that looks good within the size."""
    width, height = facts.width or 0, facts.height or 0
    if isinstance(frame, Crop):
        width, height = frame.w, frame.h
    elif isinstance(frame, Blur):
        width, height = _vertical(width, height)
    has_sound = facts.audio_codec is not None
    found = bitrates.rates(max_bytes, length, has_sound=has_sound) if max_bytes is not None else None
    if max_bytes is not None and found is None:
        return None
    shapes = list(_smaller(width, height, limits))
    for shape in shapes:
        if found is None or found.video / (shape[0] * shape[1] * rate) >= _MIN_BITS_PER_PIXEL:
            return shape
    return shapes[-1] if shapes else None


def _vertical(width: int, height: int) -> tuple[int, int]:
    """9:16 in which the picture keeps its width, up to what platforms show."""
    width = min(max(width, height * 9 // 16), _SIDES[0])
    return width, round(width * 16 / 9)


def _smaller(width: int, height: int, limits: Limits) -> Iterator[tuple[int, int]]:
    """The picture's own size and then the usual ones: nothing is enlarged, unless a platform takes no less."""
    short = min(width, height)
    sides = [short] if short <= _SIDES[0] else []
    sides += [side for side in _SIDES if side < short or (side == _SIDES[0] <= short)]
    smallest = limits.min_side or 2
    if short < smallest:
        sides = [smallest]
    for side in dict.fromkeys(sides):
        factor = Fraction(side, short)
        if limits.max_side and max(width, height) * factor > limits.max_side:
            factor = Fraction(limits.max_side, max(width, height))
        shape = tuple(max(2, round(one * factor / 2) * 2 if factor != 1 else one // 2 * 2) for one in (width, height))
        if min(shape) >= smallest // 2 * 2:
            yield shape[0], shape[1]


def changes(facts: Facts, recipe: Recipe) -> Iterator[Change]:
    """What is different in the result, in the order of a sentence."""
    if recipe.video is None:
        if recipe.audio == "aac":
            yield Change("sound", {"from": facts.audio_codec, "to": "aac"})
        elif facts.container != recipe.container:
            yield Change("container", {"from": facts.container, "to": recipe.container})
        elif recipe.audio != "silent" or facts.moov_in_front is False:
            yield Change("index")
        if recipe.audio == "silent":
            yield Change("silence")
        return
    expected = estimate(facts, recipe)
    if recipe.max_bytes is not None and facts.size > recipe.max_bytes:
        yield Change("size", {"from": facts.size, "to": expected.bytes})
    if recipe.start_ms is not None or recipe.end_ms is not None:
        yield Change("cut", {"start_ms": recipe.start_ms or 0, "end_ms": recipe.end_ms})
    if isinstance(recipe.frame, Crop):
        yield Change("crop", {"x": recipe.frame.x, "y": recipe.frame.y, "w": recipe.frame.w, "h": recipe.frame.h})
    elif isinstance(recipe.frame, Blur):
        yield Change("blur")
    before, after = (facts.width, facts.height), (expected.width, expected.height)
    if after != before and (recipe.frame is not None or _is_scaled(facts, expected)):
        yield Change("scale", {"from": before, "to": after})
    if recipe.fps:
        yield Change("rate", {"from": facts.frame_rate, "to": recipe.fps})
    if facts.video_codec != "h264" or (facts.bit_depth or 8) > 8 or facts.container != recipe.container:
        yield Change("format", {"from": facts.video_codec, "to": "h264"})
    if recipe.tone_map:
        yield Change("tone_map")
    if recipe.audio == "silent":
        yield Change("silence")


def _is_scaled(facts: Facts, expected: Estimate) -> bool:
    """By more than the pixel that an odd side loses."""
    return abs((facts.width or 0) - expected.width) > 1 or abs((facts.height or 0) - expected.height) > 1
