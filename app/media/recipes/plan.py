"""What a platform needs of a clip: without asking, and for the user to choose. Reads facts, never the file."""

from collections.abc import Set
from typing import Protocol

from app.media.recipes.recipe import Recipe

# Whose packets an MP4 takes as they are, and every player plays.
_COPIED_FROM = frozenset({"mp4", "mov", "mkv", "ts", "3gp", "3g2"})
_COPIED_VIDEO = frozenset({"h264", "hevc"})
_COPIED_AUDIO = frozenset({"aac", None})


class Facts(Protocol):
    """What is read of a clip, or of the probe's facts. None: not known, as with clips of before."""

    size: int
    container: str | None
    video_codec: str | None
    audio_codec: str | None
    duration_ms: int | None
    width: int | None
    height: int | None
    frame_rate: float | None
    is_variable_rate: bool | None
    bit_depth: int | None
    pixel_format: str | None
    transfer: str | None
    moov_in_front: bool | None
    is_fragmented: bool | None
    video_duration_ms: int | None


class Limits(Protocol):
    """What is read of `app.platforms.base.Limits`."""

    max_bytes: int | None
    max_seconds: float | None
    video_codecs: Set[str] | None
    audio_codecs: Set[str] | None
    containers: Set[str] | None
    playable_containers: Set[str] | None
    vertical_or_square: bool
    min_fps: float | None
    max_fps: float | None
    min_side: int | None
    max_side: int | None
    streams: bool
    silent_audio: bool


def lossless(facts: Facts, limits: Limits) -> Recipe | None:
    """What is done without asking, since nothing is lost by it; None where nothing needs it, or it cannot be done."""
    silent = limits.silent_audio and facts.audio_codec is None
    into_mp4 = _wants_mp4(facts, limits)
    is_mp4 = facts.container == "mp4"
    moves_index = is_mp4 and limits.streams and facts.moov_in_front is False
    if not (into_mp4 or silent or moves_index or (is_mp4 and limits.streams and facts.is_fragmented)):
        return None
    only_moves = moves_index and not silent and not facts.is_fragmented
    if not only_moves and not _is_copyable(facts):
        return None
    return Recipe(audio="silent" if silent else "copy" if facts.audio_codec else "none")


def _wants_mp4(facts: Facts, limits: Limits) -> bool:
    taken = limits.playable_containers or limits.containers
    return taken is not None and facts.container not in taken and "mp4" in taken


def _is_copyable(facts: Facts) -> bool:
    return facts.container in _COPIED_FROM and facts.video_codec in _COPIED_VIDEO and facts.audio_codec in _COPIED_AUDIO
