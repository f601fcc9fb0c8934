"""What planning reads of a clip and of a platform. Any objects with these attributes will do."""

from collections.abc import Set
from typing import Protocol

# Transfers, by FFmpeg's names: HLG and PQ.
HDR = frozenset({"arib-std-b67", "smpte2084"})
_USUAL_RATE = 30.0


class Facts(Protocol):
    """A clip, or what the probe found. None: not known, as with clips of before. Pixels as shown."""

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
    transfer: str | None
    video_bit_rate: int | None
    video_duration_ms: int | None
    moov_in_front: bool | None
    is_fragmented: bool | None


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


def seconds(facts: Facts) -> float:
    """By the picture, where that is known."""
    return (facts.video_duration_ms or facts.duration_ms or 0) / 1000


def frame_rate(facts: Facts) -> float:
    return facts.frame_rate or _USUAL_RATE


def is_too_long(facts: Facts, limits: Limits) -> bool:
    """By more than one frame."""
    return bool(limits.max_seconds) and seconds(facts) > limits.max_seconds + 1 / frame_rate(facts)


def refused_rate(facts: Facts, limits: Limits) -> bool:
    """Where nothing is known of the rate it is taken to fit."""
    rate = facts.frame_rate
    if rate is None:
        return False
    # 59.94 is called 60, 23.976 is called 23.98.
    return bool((limits.min_fps and rate < limits.min_fps - 0.05) or (limits.max_fps and rate > limits.max_fps + 0.05))


def refused_format(facts: Facts, limits: Limits) -> bool:
    """Something of container, codecs or bit depth that no copying mends."""
    video = limits.video_codecs is not None and facts.video_codec not in limits.video_codecs
    audio = limits.audio_codecs is not None and facts.audio_codec not in limits.audio_codecs | {None}
    deep = limits.video_codecs == {"h264"} and (facts.bit_depth or 8) > 8
    return video or audio or deep or (wants_mp4(facts, limits) and not is_copyable(facts))


def refused_sides(facts: Facts, limits: Limits) -> bool:
    width, height = facts.width or 0, facts.height or 0
    if not width or not height:
        return False
    return bool(
        (limits.max_side and max(width, height) > limits.max_side)
        or (limits.min_side and min(width, height) < limits.min_side)
    )


def wants_mp4(facts: Facts, limits: Limits) -> bool:
    taken = limits.playable_containers or limits.containers
    return taken is not None and facts.container not in taken and "mp4" in taken


# What an MP4 takes as it is, and every player plays. Not from AVI: the times of its pictures are wrong.
_NOT_COPIED_FROM = frozenset({"avi", None})
_COPIED_VIDEO = frozenset({"h264", "hevc"})
_COPIED_AUDIO = frozenset({"aac", None})


def is_copyable(facts: Facts) -> bool:
    codecs_fit = facts.video_codec in _COPIED_VIDEO and facts.audio_codec in _COPIED_AUDIO
    return codecs_fit and facts.container not in _NOT_COPIED_FROM
