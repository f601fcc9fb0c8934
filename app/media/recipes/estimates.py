"""How large a rendition will be and how long it takes: measured constants, for a sentence and not a promise."""

import os
from dataclasses import dataclass
from fractions import Fraction

from app.media.recipes import bitrates
from app.media.recipes.facts import HDR, Facts, frame_rate, seconds
from app.media.recipes.recipe import Blur, Crop, Recipe

# Pixels that one core decodes, scales or encodes in a second, by what was measured with camera-like pictures.
_DECODED = {"h264": 400e6}
_DECODED_OTHER = 200e6
_SCALED = 600e6
_BLURRED = 400e6
_ENCODED = 70e6
# The table of colours that HDR is mapped by, in seconds of one core, once for each pass.
_TONE_TABLE = 6.0
# Parts of a core's time that several of them lose.
_SHARED = 0.9
_MAX_CORES = 8
_COPIED = 200e6  # bytes a second
_SOUND = 60  # seconds of sound that are encoded in one
_START = 0.3
# Bits for a pixel of the picture at the quality of `Encode`, where nothing holds it down.
_BITS_PER_PIXEL = 0.11
_EXACT = 0.97  # of the size that is allowed


@dataclass(frozen=True)
class Estimate:
    bytes: int
    seconds: float
    width: int
    height: int


def estimate(facts: Facts, recipe: Recipe) -> Estimate:
    width, height = _shape(facts, recipe)
    if recipe.video is None:
        sound = seconds(facts) / _SOUND if recipe.audio == "aac" else 0
        return Estimate(facts.size, _START + sound + facts.size / _COPIED, width, height)
    length = span_seconds(facts, recipe)
    rate = float(Fraction(recipe.fps)) if recipe.fps else frame_rate(facts)
    before = (facts.width or 0) * (facts.height or 0) * frame_rate(facts) * length
    after = width * height * rate * length
    work = before / _DECODED.get(facts.video_codec or "", _DECODED_OTHER) + after / _ENCODED
    if (width, height) != (facts.width, facts.height) or recipe.frame is not None:
        work += before / _SCALED
    if isinstance(recipe.frame, Blur):
        work += after / _BLURRED
    work += _TONE_TABLE if recipe.tone_map or facts.transfer in HDR else 0
    cores = min(len(os.sched_getaffinity(0)), _MAX_CORES)
    sound = bitrates.SOUND_RATE if recipe.audio in ("aac", "copy") else 0
    picture = after * _BITS_PER_PIXEL
    if facts.video_bit_rate and facts.video_codec == "h264":  # what was coded with few bits needs few
        picture = min(picture, facts.video_bit_rate * length * 1.1)
    size = int((picture + sound * length) / 8) + 4_000
    if recipe.max_bytes is not None:
        size = min(size, int(recipe.max_bytes * _EXACT))
    return Estimate(size, _START + work / (cores * _SHARED), width, height)


def span_seconds(facts: Facts, recipe: Recipe) -> float:
    end = seconds(facts) if recipe.end_ms is None else min(seconds(facts), recipe.end_ms / 1000)
    return max(0.0, end - (recipe.start_ms or 0) / 1000)


def _shape(facts: Facts, recipe: Recipe) -> tuple[int, int]:
    if recipe.width and recipe.height:
        return recipe.width, recipe.height
    if isinstance(recipe.frame, Crop):
        return recipe.frame.w, recipe.frame.h
    width, height = facts.width or 0, facts.height or 0
    return (width, height) if recipe.video is None else (width // 2 * 2, height // 2 * 2)
