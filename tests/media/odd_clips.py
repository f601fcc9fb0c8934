"""Clips as phones, recorders and editors write them: each with a flash and a beep at the same moment.

The picture is gray and turns white for a moment at FLASH; there the sound, silent before, begins.
"""

import heapq
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import pi, sin
from pathlib import Path

import av

FLASH = Fraction(1)
GRAY, WHITE = 110, 235
BT709 = {"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 1}
HLG = {"colorspace": 9, "color_primaries": 9, "color_trc": 18, "color_range": 1}
OPTIONS = {
    "libx264": {"preset": "ultrafast", "bf": "2", "g": "15", "crf": "30"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:keyint=15:bframes=2"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "prores_ks": {},
    "qtrle": {},
    "mpeg4": {},
}
MILLISECONDS = Fraction(1, 1000)


@dataclass(frozen=True)
class Sync:
    """What is read back: when the flash and the beep come, and what the first picture looks like."""

    flash: float
    beep: float | None
    first: int  # brightness
    size: tuple[int, int]
    seconds: float
    times: list[float]

    @property
    def offset(self) -> float:
        return self.flash - (self.beep or 0)


def write(
    path: Path,
    *,
    shape: tuple[int, int] = (96, 160),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[Fraction] | None = None,  # of the pictures; two seconds of 30 a second
    sounds: Sequence[int] = (48_000,),  # their sample rates
    sound_codec: str = "aac",
    rotation: int = 0,
    colours: dict[str, int] | None = None,
    shift: Fraction = Fraction(0),  # of all times: what is before 0 is skipped by an edit list
    sound_shift: Fraction = Fraction(0),
    options: dict[str, str] | None = None,
    base: Fraction = Fraction(1, 600),
) -> Path:
    times = times or [Fraction(number, 30) for number in range(60)]
    with av.open(str(path), "w", container_options=options or {}) as container:
        video = container.add_stream(codec, rate=30, options=OPTIONS[codec], time_base=base)
        video.width, video.height, video.pix_fmt = *shape, pixels
        for name, value in (colours or {}).items():
            setattr(video.codec_context, name, value)
        if rotation:
            video.set_display_rotation(-rotation)
        audio = [container.add_stream(sound_codec, rate=rate, layout="mono") for rate in sounds]
        tracks = [_pictures(video, times, base, colours or {}, shift)]
        tracks += [
            _sound(track, float(times[-1]) + 1 / 30, shift + sound_shift, 1 + number)
            for number, track in enumerate(audio)
        ]
        for packet in heapq.merge(*tracks, key=lambda packet: (packet.dts or 0) * packet.time_base):
            container.mux(packet)
    return path


def _pictures(stream, times, base, colours, shift):
    packets = []
    for time in times:
        frame = picture(
            stream.width, stream.height, stream.pix_fmt, WHITE if FLASH <= time < FLASH + Fraction(1, 5) else GRAY
        )
        for name, value in colours.items():
            setattr(frame, name, value)
        frame.pts, frame.time_base = round(time / base), base
        packets += stream.encode(frame)
    packets += stream.encode(None)
    return _shifted(packets, shift)


def picture(width: int, height: int, pixels: str, brightness: int) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, pixels)
    for number, plane in enumerate(frame.planes):
        if pixels == "argb":
            plane.update(bytes([128, brightness, brightness, brightness]) * (plane.buffer_size // 4))
        else:
            value = (brightness, 128, 128, 255)[number]
            deep = (value * 4).to_bytes(2, "little") if "10le" in pixels else bytes([value])
            plane.update(deep * (plane.buffer_size // len(deep)))
    return frame


def _sound(stream, seconds, shift, loudness):
    rate = stream.codec_context.sample_rate
    packets, beep = [], round(FLASH * rate)
    for start in range(0, round(seconds * rate), 1024):
        samples = array(
            "h",
            (
                int(5000 * loudness * sin(2 * pi * 1000 * (start + i) / rate)) if start + i >= beep else 0
                for i in range(1024)
            ),
        )
        frame = av.AudioFrame(format="s16", layout="mono", samples=1024)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        packets += stream.encode(frame)
    packets += stream.encode(None)
    return _shifted(packets, shift)


def _shifted(packets, shift):
    for packet in packets:
        by = round(shift / Fraction(packet.time_base))
        packet.pts, packet.dts = packet.pts + by, packet.dts + by
    return sorted(packets, key=lambda packet: packet.dts)


def sync(path: Path, *, loudness: int = 1) -> Sync:
    """Decoded by FFmpeg as a player does it, edit lists applied."""
    flash, first, size, times = None, None, (0, 0), []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            level = center(frame)
            first = level if first is None else first
            size = (frame.width, frame.height)
            times.append(float(frame.time))
            if flash is None and level > (WHITE + GRAY) / 2:
                flash = float(frame.time)
        end = times[-1] + float((frame.duration or 0) * frame.time_base)
    with av.open(str(path)) as container:
        beep = _beep(container) if container.streams.audio else None
    return Sync(flash if flash is not None else -1.0, beep, first or 0, size, end, times)


def center(frame: av.VideoFrame) -> int:
    """Brightness in the middle, as a player shows it."""
    small = frame.reformat(format="gray")
    return memoryview(small.planes[0])[small.planes[0].line_size * (small.height // 2) + small.width // 2]


def _beep(container) -> float | None:
    resampler = av.AudioResampler(format="s16", layout="mono")
    for frame in container.decode(audio=0):
        for one in resampler.resample(frame):
            samples = array("h", bytes(one.planes[0])[: one.samples * 2])
            for number, sample in enumerate(samples):
                if abs(sample) > 1500:
                    return float(one.pts * one.time_base) + number / one.sample_rate
    return None
