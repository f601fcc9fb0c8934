"""Encodes a clip's picture anew: H.264, 8 bits, BT.709, with its index in front, within a size where one is given."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.codec.codec import UnknownCodecError
from av.codec.context import Flags
from av.error import FFmpegError

from app.media.recipes import filters, streams
from app.media.recipes.bitrates import SOUND_RATE, Rates, rates
from app.media.recipes.picture import BT709, LIMITED, Picture, begins_by, look, seek, stamp
from app.media.recipes.recipe import Recipe, RecipeFailed
from app.media.recipes.silence import Silence
from app.media.recipes.sound import CopiedSound, EncodedSound, NoSound

# Between key frames: platforms cut and seek there.
_KEY_SECONDS = 2
_TRIES = 4
_FALLBACK_RATE = Fraction(30)
# Tracks of a stream are that far apart in the file, in seconds.
_INTERLEAVED = 3
# A picture that comes so soon after the span's begin is its first one.
_SOON = Fraction(1, 100)
_FINEST_CLOCK = 90_000


class _TooLarge(Exception):
    """More was written than may be."""


@dataclass(frozen=True)
class Span:
    """What is encoded, in seconds of the clip's own clock."""

    start: Fraction
    seconds: Fraction | None  # None: to the end
    expected: float

    @classmethod
    def of(cls, picture: Picture, recipe: Recipe) -> "Span":
        start = Fraction(recipe.start_ms or 0, 1000)
        seconds = None if recipe.end_ms is None else Fraction(recipe.end_ms, 1000) - start
        left = picture.seconds - float(start)
        if (seconds is not None and seconds <= 0) or (picture.seconds and left <= 0):
            raise RecipeFailed("recipe_nothing_left", f"{recipe.start_ms}–{recipe.end_ms} of {picture.seconds} s")
        expected = min(left, float(seconds)) if seconds is not None and left > 0 else float(seconds or max(left, 0))
        return cls(picture.origin + start, seconds, expected)


def encode(source: Path, target: Path, recipe: Recipe, progress: Callable[[float], None]) -> None:
    picture = look(source)
    span = Span.of(picture, recipe)
    if recipe.max_bytes is None:
        Encoding(source, target, recipe, picture, span, None).run(progress)
        return
    budget = recipe.max_bytes
    for _ in range(_TRIES):
        rate = rates(budget, span.expected, has_sound=recipe.audio != "none")
        if rate is None:
            break
        try:
            Encoding(source, target, recipe, picture, span, rate).run(progress)
        except _TooLarge:
            budget = int(budget * 0.85)
            continue
        written = target.stat().st_size
        if written <= recipe.max_bytes:
            return
        budget = int(budget * recipe.max_bytes / written * 0.97)
    raise RecipeFailed("recipe_cannot_fit", f"{span.expected:.1f} s into {recipe.max_bytes} bytes")


class Encoding:
    """One pass over the clip."""

    def __init__(
        self, source: Path, target: Path, recipe: Recipe, picture: Picture, span: Span, rate: Rates | None
    ) -> None:
        self._source, self._target, self._recipe = source, target, recipe
        self._picture, self._span, self._rate = picture, span, rate
        self._written = 0
        self._last = -1
        self._end = Fraction(0)

    def run(self, progress: Callable[[float], None]) -> None:
        with streams.open_source(self._source) as clip:
            video = streams.picture(clip)
            audio = streams.sound(clip) if self._recipe.audio in ("copy", "aac") else None
            video.thread_type = "AUTO"
            early = self._span.start - _INTERLEAVED
            if early > self._picture.origin and begins_by(self._source, early):
                seek(clip, video, early)
            with streams.open_target(self._target, movflags="faststart") as result:
                encoder = self._encoder(result)
                sound = self._sound(result, audio)
                chain = filters.Filters(self._picture, self._recipe)
                for time, frame in self._pictures(clip, video, audio, lambda one: self._mux(result, sound.take(one))):
                    self._mux(result, self._encoded(encoder, chain, frame))
                    if isinstance(sound, Silence):
                        self._mux(result, sound.until(time))
                    progress(float(time) / self._span.expected if self._span.expected else 0)
                self._mux(result, self._encoded(encoder, chain, None))
                self._mux(result, sound.until(self._end) if isinstance(sound, Silence) else sound.end())
        if self._last < 0:
            raise RecipeFailed("recipe_nothing_left", "no picture in the span")
        if float(self._end) < 0.9 * self._span.expected - 1:
            raise RecipeFailed("recipe_unreadable", f"ends at {float(self._end):.1f} s of {self._span.expected:.1f} s")

    def _encoder(self, result: Any) -> Any:
        recipe, picture = self._recipe, self._picture
        rate = Fraction(recipe.fps) if recipe.fps else picture.rate or _FALLBACK_RATE
        base = picture.time_base
        if recipe.fps:
            base = 1 / rate
        elif base.numerator != 1 or base.denominator > _FINEST_CLOCK:
            base = Fraction(1, _FINEST_CLOCK)
        options = {"preset": recipe.video.preset, "crf": str(recipe.video.crf), "profile": "high"}
        options["g"] = str(max(1, round(rate * _KEY_SECONDS)))
        if self._rate:
            options |= {"maxrate": str(self._rate.video), "bufsize": str(self._rate.buffer)}
        try:
            track = result.add_stream("libx264", rate=rate, options=options, time_base=base)
        except UnknownCodecError as error:
            raise RecipeFailed("recipe_no_encoder", str(error)) from error
        track.width, track.height = filters.size(picture, recipe)
        context = track.codec_context
        context.pix_fmt = "yuv420p"
        # By slices, PyAV's default, x264 is slower and its pictures are worse.
        context.thread_type = "FRAME"
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED
        context.flags |= Flags.frame_duration  # so that the last one lasts
        return track

    def _sound(self, result: Any, audio: Any | None) -> Any:
        span = self._span
        if self._recipe.audio == "silent":
            return Silence(result)
        if audio is None:
            return NoSound()
        is_cut = bool(self._recipe.start_ms or self._recipe.end_ms)
        if self._recipe.audio == "copy" and not is_cut and audio.codec_context.name == "aac":
            return CopiedSound(result, audio, span.start)
        return EncodedSound(result, audio, span.start, span.seconds, self._rate.sound if self._rate else SOUND_RATE)

    def _pictures(
        self, clip: Any, video: Any, audio: Any | None, on_sound: Callable[[Any], None]
    ) -> Iterator[tuple[Fraction, Any]]:
        """Frames of the span, with their time in it. `on_sound` gets the packets of sound."""
        waiting = None  # the frame that is on the screen when the span begins, if it began earlier
        base = Fraction(video.time_base)
        clock = self._picture.origin
        for packet in streams.whole_packets(clip, [track for track in (video, audio) if track is not None]):
            if audio is not None and packet.stream_index == audio.index:
                on_sound(packet)
                continue
            if self._is_over(packet, base):
                break
            for frame in self._decoded(packet):
                at = stamp(frame, video)
                clock = at * base if at is not None else clock
                time = clock - self._span.start
                clock += self._length(frame, base)
                if time < 0:
                    waiting = frame
                elif self._span.seconds is None or time < self._span.seconds:
                    if self._last < 0 and time <= _SOON:
                        time = Fraction(0)
                    elif waiting is not None:
                        yield from self._timed(waiting, Fraction(0), base)
                    waiting = None
                    yield from self._timed(frame, time, base)
        if waiting is not None:
            yield from self._timed(waiting, Fraction(0), base)

    def _timed(self, frame: Any, time: Fraction, base: Fraction) -> Iterator[tuple[Fraction, Any]]:
        pts = round(time / base)
        if pts <= self._last:
            if time < self._end - 1:  # recordings were joined: the rest would be lost
                raise RecipeFailed("recipe_unreadable", f"the clock goes back from {float(self._end):.1f} s")
            return
        self._last = frame.pts = pts
        frame.time_base = base
        frame.pict_type = 0  # the encoder decides
        length = self._length(frame, base)
        if self._span.seconds is not None:
            length = min(length, self._span.seconds - time)
        frame.duration = max(1, round(length / base))
        self._end = time + length
        yield time, frame

    def _length(self, frame: Any, base: Fraction) -> Fraction:
        return Fraction(frame.duration or 0) * base or 1 / (self._picture.rate or _FALLBACK_RATE)

    def _is_over(self, packet: Any, base: Fraction) -> bool:
        """Sound of the span may come behind the span's pictures: those after it are read, and not decoded."""
        if self._span.seconds is None or packet.dts is None:
            return False
        return packet.dts * base > self._span.start + self._span.seconds + _INTERLEAVED

    def _decoded(self, packet: Any) -> list[Any]:
        try:
            return packet.decode()
        except FFmpegError as error:
            if self._last < 0:  # the pictures before the first whole one
                return []
            raise RecipeFailed("recipe_unreadable", f"damaged at {float(self._end):.1f} s: {error}") from error

    @staticmethod
    def _encoded(encoder: Any, chain: filters.Filters, frame: Any | None) -> Iterator[Any]:
        for one in chain.push(frame):
            yield from encoder.encode(one)
        if frame is None:
            yield from encoder.encode(None)

    def _mux(self, result: Any, packets: Iterator[Any]) -> None:
        for packet in packets:
            self._written += packet.size
            if self._recipe.max_bytes is not None and self._written > self._recipe.max_bytes:
                raise _TooLarge
            result.mux(packet)
