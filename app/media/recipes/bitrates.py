"""How many bits a second fit into a size."""

from dataclasses import dataclass

SOUND_RATE = 160_000
_LOW_SOUND_RATE = 48_000
# Of what there is, where the sound takes less than it would like.
_SOUND_PART = 1 / 8
# What MP4 itself takes: a part of the size, and its boxes.
_CONTAINER_PART = 0.01
_CONTAINER_BYTES = 6_000
# Less is no picture.
MIN_RATE = 40_000
_MAX_BUFFER_SECONDS = 2.0


@dataclass(frozen=True)
class Rates:
    """Bits a second, at most; `buffer` in bits: the picture may take so many more at once."""

    video: int
    buffer: int
    sound: int


def rates(max_bytes: int, seconds: float, copied_sound: int | None = None, *, has_sound: bool = True) -> Rates | None:
    """None where that is too little to be seen. `copied_sound`: the rate of a track that is not encoded."""
    if seconds <= 0:
        return None
    bits = (max_bytes * (1 - _CONTAINER_PART) - _CONTAINER_BYTES) * 8
    sound = copied_sound or round(min(SOUND_RATE, max(_LOW_SOUND_RATE, bits / seconds * _SOUND_PART)))
    if not has_sound:
        sound = 0
    buffer_seconds = max(0.1, min(_MAX_BUFFER_SECONDS, seconds / 8))
    video = int((bits - 1.05 * sound * seconds) / (seconds + buffer_seconds))
    return Rates(video, int(video * buffer_seconds), sound) if video >= MIN_RATE else None
