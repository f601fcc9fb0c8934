"""What the decoder gives for a clip's picture: its shape, how it is to be turned, its colours, when it begins."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.error import FFmpegError
from av.video.format import VideoFormat

from app.media.recipes import streams
from app.media.recipes.recipe import Crop, RecipeFailed

# Numbers of ISO/IEC 23091-2, as FFmpeg's AVColorTransferCharacteristic and the like.
PQ, HLG = 16, 18
BT709 = 1
UNSPECIFIED = 2
LIMITED, FULL = 1, 2
_WIDE_PRIMARIES = {9, 11, 12}  # BT.2020, the two of P3
_SD_MATRICES = {5, 6}
# Where nothing says which, pictures of so many lines and more are BT.709.
_HD_LINES = 720


@dataclass(frozen=True)
class Turn:
    """From stored to shown pixels: transposed first, then mirrored."""

    transposed: bool = False
    left_right: bool = False
    upside_down: bool = False

    @classmethod
    def of(cls, frame: Any) -> "Turn":
        try:
            a, b, _u, c, d, *_ = struct.unpack("=9i", bytes(frame.side_data["DISPLAYMATRIX"]))
        except (KeyError, ValueError, struct.error):  # none, or PyAV 18 does not know another kind of side data
            quarter = round(-frame.rotation / 90) % 4
            return (cls(), cls(True, True, False), cls(False, True, True), cls(True, False, True))[quarter]
        if abs(b) > abs(a):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)

    def stored(self, crop: Crop, width: int, height: int) -> Crop:
        """`crop` is in a picture that is shown as `width` by `height`."""
        x = width - crop.x - crop.w if self.left_right else crop.x
        y = height - crop.y - crop.h if self.upside_down else crop.y
        return Crop(y, x, crop.h, crop.w) if self.transposed else Crop(x, y, crop.w, crop.h)


@dataclass(frozen=True)
class Picture:
    """`width` and `height` as stored; `origin` in seconds is when the first picture is shown."""

    origin: Fraction
    width: int
    height: int
    format: str
    has_alpha: bool
    aspect: Fraction  # of a pixel
    turn: Turn
    is_interlaced: bool
    matrix: int
    range: int
    primaries: int
    transfer: int
    time_base: Fraction
    rate: Fraction | None  # on the average
    seconds: float

    @property
    def shown(self) -> tuple[int, int]:
        width = round(self.width * self.aspect)
        return (self.height, width) if self.turn.transposed else (width, self.height)

    @property
    def is_hdr(self) -> bool:
        return self.transfer in (PQ, HLG) or self.primaries in _WIDE_PRIMARIES

    @property
    def is_sd(self) -> bool:
        """Coded by BT.601."""
        return self.matrix in _SD_MATRICES or (self.matrix == UNSPECIFIED and min(self.shown) < _HD_LINES)


def look(source: Path) -> Picture:
    with streams.open_source(source) as clip:
        video = streams.picture(clip)
        if video is None or video.codec_context is None:
            raise RecipeFailed("recipe_unreadable", "no video track")
        frame = next(first_frames(clip, video), None)
        if frame is None or frame.width < 2 or frame.height < 2:
            raise RecipeFailed("recipe_unreadable", "no picture")
        aspect = Fraction(video.sample_aspect_ratio or 1)
        rate = Fraction(video.average_rate or video.guessed_rate or 0)
        base = Fraction(video.time_base)
        length = video.duration * base if video.duration else Fraction(clip.duration or 0, 10**6)
        return Picture(
            origin=(stamp(frame, video) or 0) * base,
            width=frame.width,
            height=frame.height,
            format=frame.format.name,
            has_alpha=_has_alpha(frame.format),
            aspect=aspect if Fraction(1, 10) < aspect < 10 else Fraction(1),
            turn=Turn.of(frame),
            is_interlaced=bool(frame.interlaced_frame),
            matrix=int(frame.colorspace),
            range=int(frame.color_range),
            primaries=int(frame.color_primaries),
            transfer=int(frame.color_trc),
            time_base=base,
            rate=rate if 0 < rate <= 1000 else None,
            seconds=float(length) or _measured(source),
        )


def _measured(source: Path) -> float:
    """Browsers record WebM without a length."""
    with streams.open_source(source) as clip:
        video = streams.picture(clip)
        ends = (packet.pts + (packet.duration or 0) for packet in clip.demux(video) if packet.pts is not None)
        return float(max(ends, default=0) * video.time_base)


def begins_by(source: Path, time: Fraction) -> bool:
    """Whether decoding can begin in the middle: at `time` the file is found at a picture that is not later."""
    with streams.open_source(source) as clip:
        video = streams.picture(clip)
        try:
            seek(clip, video, time)
        except FFmpegError:
            return False
        frame = next(first_frames(clip, video), None)
        at = None if frame is None else stamp(frame, video)
        return at is not None and at * Fraction(video.time_base) <= time


def seek(clip: Any, video: Any, time: Fraction) -> None:
    clip.seek(int(time / Fraction(video.time_base)), stream=video)


def first_frames(clip: Any, video: Any) -> Any:
    """Frames from here; what cannot be decoded before the first one is passed over."""
    video.thread_type = "AUTO"
    for packet in clip.demux(video):
        try:
            frames = packet.decode()
        except FFmpegError:
            continue
        yield from frames


def stamp(frame: Any, video: Any) -> int | None:
    """When the frame is shown. AVI has no such times: FFmpeg's guess is wrong where frames are reordered."""
    if video.container.format.name == "avi" and video.codec_context.has_b_frames:
        return None
    return frame.pts if frame.pts is not None else frame.dts


def _has_alpha(format: VideoFormat) -> bool:
    return any(component.is_alpha for component in format.components)
