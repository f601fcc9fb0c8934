"""What the probe's child tells of a clip's tracks beside their codecs and shape: rate, colours, lengths, layout.

Arguments are PyAV's. Where an MP4's index names each picture, nothing of the file is read for it; of other files all
packets are, but no picture is decoded.
"""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.media import boxes

# ITU-T H.273, tables 2 and 3, by FFmpeg's names; what a file does not say (2) is unknown.
_TRANSFERS = {
    1: "bt709",
    4: "gamma22",
    5: "gamma28",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
_PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
# Two pictures as far apart as most, give or take: cameras and coarse time bases round.
_SAME_DISTANCE = 0.1
# One picture in a hundred may be missing in a recording whose rate is constant.
_MOSTLY = 0.99
# Reading the packets ends after so much of the child's processor time: what is known by then has to do.
_READ_SECONDS = 12


def read(container: Any, video: Any, audio: Any, frame: Any, path: Path, seconds: float) -> dict[str, Any]:
    """`frame`: a decoded picture of `video`; `audio`: the sound track that counts, if there is one."""
    codec = video.codec_context
    is_mp4 = container.format.name.startswith("mov")
    in_front, fragmented = boxes.layout(path) if is_mp4 else (None, False)
    pictures = _Pictures()
    sound_end = 0.0
    if is_mp4 and not fragmented and len(video.index_entries):
        for entry in video.index_entries:
            if not entry.is_discard:
                pictures.add(entry.timestamp, entry.size, entry.is_keyframe)
    else:
        for packet, is_picture in _packets(container, video, audio):
            if is_picture:
                pictures.add(packet.dts, packet.size, packet.is_keyframe)
                pictures.show(packet.pts, packet.duration or 0)
            else:
                sound_end = max(sound_end, float((packet.pts + (packet.duration or 0)) * audio.time_base))
    # Of a file in fragments what is declared may be the sum of distances in decoding order.
    length = max(_length(video), pictures.shown(video.time_base)) or pictures.length(video.time_base) or seconds
    rate = float(video.average_rate or 0) or (pictures.count / length)
    return {
        "frame_rate": round(rate, 3),
        "is_variable_rate": pictures.is_variable(),
        "bit_depth": max(component.bits for component in frame.format.components),
        "pixel_format": frame.format.name,
        "transfer": _TRANSFERS.get(int(codec.color_trc or 0)),
        "primaries": _PRIMARIES.get(int(codec.color_primaries or 0)),
        "sample_rate": audio.codec_context.sample_rate if audio and audio.codec_context else None,
        "video_duration_ms": round(length * 1000),
        "audio_duration_ms": round((_length(audio) or sound_end) * 1000) if audio else None,
        "moov_in_front": in_front,
        "is_fragmented": fragmented,
        "keyframe_ms": round(pictures.keyframe_distance(length, video.time_base) * 1000),
        "audio_tracks": len(container.streams.audio),
        "video_bit_rate": round(pictures.size * 8 / length) or None,
    }


def _packets(container: Any, video: Any, audio: Any) -> Iterator[tuple[Any, bool]]:
    from av.error import FFmpegError

    try:
        container.seek(container.start_time or 0)
        for packet in container.demux([one for one in (video, audio) if one]):
            if packet.dts is not None and packet.pts is not None:
                yield packet, packet.stream.index == video.index
            if time.process_time() > _READ_SECONDS:
                return
    except MemoryError:
        raise
    except FFmpegError:
        return  # damaged from here on


def _length(stream: Any) -> float:
    """In seconds, as the container declares it for the track; 0 where it does not."""
    return float((stream.duration or 0) * stream.time_base) if stream else 0.0


class _Pictures:
    """Counted as they come, in decoding order: there may be a million."""

    def __init__(self) -> None:
        self.count = self.size = 0
        self._first: int | None = None
        self._last = self._key = self._longest = 0
        self._distances: Counter[int] = Counter()
        self._begin: int | None = None
        self._end = 0

    def add(self, at: int, size: int, is_key: bool) -> None:
        if self._first is None:
            self._first = self._key = at
        else:
            self._distances[at - self._last] += 1
        if is_key:
            self._longest, self._key = max(self._longest, at - self._key), at
        self._last = at
        self.count += 1
        self.size += size

    def show(self, at: int, duration: int) -> None:
        self._begin = at if self._begin is None else min(self._begin, at)
        self._end = max(self._end, at + duration)

    def shown(self, time_base: Any) -> float:
        """From the first picture to the end of the last, in seconds; 0 where that was not read."""
        return 0.0 if self._begin is None else float((self._end - self._begin) * time_base)

    def is_variable(self) -> bool:
        usual = self._usual()
        near = max(usual * _SAME_DISTANCE, 1)
        same = sum(count for distance, count in self._distances.items() if abs(distance - usual) <= near)
        return same < self._distances.total() * _MOSTLY

    def length(self, time_base: Any) -> float:
        return float((self._last - (self._first or 0) + self._usual()) * time_base) if self.count else 0.0

    def keyframe_distance(self, length: float, time_base: Any) -> float:
        """The longest, up to the track's end; in seconds."""
        if self._first is None:
            return length
        left = length - float((self._key - self._first) * time_base)
        return max(float(self._longest * time_base), left, 0.0)

    def _usual(self) -> int:
        """The distance of which half are shorter."""
        seen, half = 0, self._distances.total() / 2
        for distance in sorted(self._distances):
            seen += self._distances[distance]
            if seen >= half:
                return distance
        return 0
