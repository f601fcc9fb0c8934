"""What a platform needs of a clip, and what a user may choose: recipes, and the facts that a file will have by them.

What is done without asking (`plan.lossless`) follows from the clip's facts and the platform's limits; what changes the
picture is the user's choice, kept in the publication's `recipe`.
"""

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from flask import current_app

from app.media.recipes import plan
from app.media.recipes.recipe import Crop, Recipe
from app.models import FACTS_VERSION, Clip, ClipStatus
from app.platforms.base import Adapter
from app.problems import Problem

_MOST_RECIPE_CHARACTERS = 2000
_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium")
_MAX_SIDE, _MAX_RATE, _LEAST_BYTES = 4096, 120, 100_000


def from_row(recipe: Mapping[str, Any]) -> Recipe:
    return Recipe.from_json(json.dumps(recipe))


def to_row(recipe: Recipe) -> dict[str, Any]:
    return json.loads(recipe.to_json())


def recipe_for(clip: Clip, adapter: type[Adapter], chosen: Mapping[str, Any] | None = None) -> Recipe | None:
    """By which the clip is changed for the platform; None where its own file goes out. `chosen`: by the user."""
    return from_row(chosen) if chosen else plan.lossless(clip, adapter.limits(current_app.config))


def offers(clip: Clip, adapter: type[Adapter]) -> Sequence["plan.Offer"]:
    """How a clip that does not fit can be changed so that it does, for its user to choose."""
    return plan.offers(clip, adapter.limits(current_app.config)) if clip.status == ClipStatus.READY else ()


def chosen(clip: Clip, adapter: type[Adapter], text: str) -> dict[str, Any]:
    """A user's choice, as a row has it: the key of an offer, or a recipe as JSON. Raises Problem for anything else."""
    if not text.startswith("{"):
        offered = next((one.recipe for one in offers(clip, adapter) if one.recipe.key == text), None)
        if offered is None:
            raise Problem("recipe_not_offered")
        return to_row(offered)
    try:
        recipe = Recipe.from_json(text[:_MOST_RECIPE_CHARACTERS])
        _check(recipe, clip)
    except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise Problem("recipe_not_offered") from error
    return to_row(recipe)


def _check(recipe: Recipe, clip: Clip) -> None:
    """What a program may ask for: no more work than a platform can want. Raises ValueError, TypeError, …"""
    whole, width, height = (int(fact or 0) for fact in (clip.duration_ms, clip.width, clip.height))
    checks = [recipe.container == "mp4", recipe.audio in ("copy", "aac", "silent", "none")]
    if recipe.video is not None:
        checks += [recipe.video.codec == "h264", 16 <= recipe.video.crf <= 35, recipe.video.preset in _PRESETS]
    if recipe.width is not None:
        checks.append(max(recipe.width, recipe.height) <= _MAX_SIDE)
    if recipe.fps is not None:
        checks.append(1 <= Fraction(recipe.fps) <= _MAX_RATE)
    if recipe.start_ms is not None or recipe.end_ms is not None:
        checks.append(0 <= (recipe.start_ms or 0) < (whole if recipe.end_ms is None else recipe.end_ms) <= whole)
    if recipe.max_bytes is not None:
        checks.append(recipe.max_bytes >= _LEAST_BYTES)
    if isinstance(recipe.frame, Crop):
        kept = recipe.frame
        checks += [min(kept.x, kept.y) >= 0, min(kept.w, kept.h) >= 2]
        checks += [kept.x + kept.w <= width, kept.y + kept.h <= height]
    if not all(checks):
        raise ValueError("out of bounds")


class Outcome:
    """A clip as the recipe will leave it: the facts that it changes, and the clip's own for the rest."""

    def __init__(self, clip: Clip, recipe: Recipe) -> None:
        self._clip = clip
        audio = {"copy": clip.audio_codec, "none": None}.get(recipe.audio, "aac")
        self._facts: dict[str, Any] = {"container": recipe.container, "audio_codec": audio, "moov_in_front": True}
        self._facts["is_fragmented"] = False
        if recipe.video is not None:
            self._encoded(clip, recipe)

    def _encoded(self, clip: Clip, recipe: Recipe) -> None:
        estimate = plan.estimate(clip, recipe)
        whole = clip.video_duration_ms or clip.duration_ms or 0
        length = min(recipe.end_ms or whole, whole) - (recipe.start_ms or 0)
        self._facts |= {
            "size": min(estimate.bytes, recipe.max_bytes or estimate.bytes),
            "width": estimate.width,
            "height": estimate.height,
            "duration_ms": length,
            "video_duration_ms": length,
            "video_codec": recipe.video.codec,
            "bit_depth": 8,
            "pixel_format": "yuv420p",
        }
        if recipe.tone_map:
            self._facts["transfer"] = "bt709"
        if recipe.fps:
            numerator, _, denominator = recipe.fps.partition("/")
            self._facts |= {"frame_rate": int(numerator) / int(denominator or 1), "is_variable_rate": False}

    def __getattr__(self, name: str) -> Any:
        return self._facts[name] if name in self._facts else getattr(self._clip, name)


def outcome(clip: Clip, adapter: type[Adapter], chosen: Mapping[str, Any] | None = None) -> Clip | Outcome:
    """What the platform will be sent, for the checks before it is."""
    recipe = recipe_for(clip, adapter, chosen)
    return Outcome(clip, recipe) if recipe else clip


def lacks_facts(clip: Clip, adapter: type[Adapter]) -> bool:
    """Whether what the platform needs depends on facts that the clip's probe, of before, has not taken."""
    return clip.facts_version < FACTS_VERSION and adapter.limits(current_app.config).streams
