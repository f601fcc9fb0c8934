"""Opening files with PyAV, alike for its versions 18 and 19, and which of a clip's tracks are meant."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from app.media import containers
from app.media.recipes.recipe import RecipeFailed

# No playlists, no other files: a clip must not make FFmpeg read what it names.
_READING = {"format_whitelist": ",".join(containers.DEMUXERS), "protocol_whitelist": "file", "max_streams": "32"}
# From 19 on this is what it does without being told.
_METADATA = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
# How far one track may be behind the other, in microseconds, before packets are written nevertheless: what is held back
# for it is in memory.
_MAX_INTERLEAVE = "1000000"


def open_source(path: Path) -> Any:
    return av.open(str(path), options=_READING, **_METADATA)


def open_target(path: Path, **options: str) -> Any:
    # -1: allows the boxes of Dolby Vision, which say how to show the picture that everything else shows without them.
    settings = {"max_interleave_delta": _MAX_INTERLEAVE, "write_tmcd": "0", "strict": "-1", **options}
    return av.open(str(path), "w", format="mp4", container_options=settings)


def picture(container: Any) -> Any | None:
    """The video track that plays; no cover."""
    tracks = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    return next((one for one in tracks if one.disposition & Disposition.default), tracks[0] if tracks else None)


def sound(container: Any) -> Any | None:
    """The audio track that plays: the default one, else the first."""
    tracks = [one for one in container.streams.audio if one.codec_context is not None]
    return next((one for one in tracks if one.disposition & Disposition.default), tracks[0] if tracks else None)


def whole_packets(clip: Any, tracks: list[Any]) -> Iterator[Any]:
    """All packets of these tracks, with those of no bytes that end them. Raises RecipeFailed where the file is not
    whole: it may read as if it were.
    """
    # What a broadcast lost on its way was lost before.
    may_lose = clip.format.name == "mpegts"
    # Matroska has its length in front; its clusters may stop anywhere. Whole numbers: there are many packets.
    ends = dict.fromkeys((track.index for track in tracks), 0)
    for packet in clip.demux(*tracks):
        if packet.size:
            if packet.is_corrupt and not may_lose:
                raise RecipeFailed("recipe_unreadable", f"cut off at {packet.pos}")
            until = (packet.pts or 0) + (packet.duration or 0)
            if until > ends[packet.stream_index]:
                ends[packet.stream_index] = until
        yield packet
    if clip.format.name.startswith("matroska") and clip.duration:
        last = max(float(ends[track.index] * track.time_base) for track in tracks)
        seconds = clip.duration / 1_000_000
        if last < seconds * 0.98 - 0.5:
            raise RecipeFailed("recipe_unreadable", f"ends at {last:.1f} s of {seconds:.1f} s")
