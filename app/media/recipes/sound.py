"""A clip's sound on its way into a rendition: encoded as AAC, or copied with its times moved."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from av.error import BlockingIOError, EOFError, FFmpegError
from av.filter import Graph

_RATES = (48_000, 44_100)


class NoSound:
    def take(self, packet: Any) -> Iterator[Any]:
        yield from ()

    def end(self) -> Iterator[Any]:
        yield from ()


class CopiedSound:
    """Packets as they are; time 0 is `origin`."""

    def __init__(self, result: Any, track: Any, origin: Fraction) -> None:
        self._track = result.add_stream_from_template(track, opaque=True)
        self._shift = round(origin / Fraction(track.time_base))

    def take(self, packet: Any) -> Iterator[Any]:
        if packet.size and packet.pts is not None:
            packet.pts -= self._shift
            packet.dts = packet.pts
            # The decoder needs the packet before the first that is heard.
            if packet.pts + 2 * (packet.duration or 0) > 0:
                packet.stream = self._track
                yield packet

    def end(self) -> Iterator[Any]:
        yield from ()


class EncodedSound:
    """AAC of 48 or 44.1 kHz, one or two channels. Heard from `origin` on for `seconds`, gaps filled with silence."""

    def __init__(self, result: Any, track: Any, origin: Fraction, seconds: Fraction | None, bit_rate: int) -> None:
        self._origin, self._seconds = origin, seconds
        channels = min(2, track.codec_context.layout.nb_channels or 2)
        self._layout = "mono" if channels == 1 else "stereo"
        rate = track.codec_context.sample_rate
        self._rate = rate if rate in _RATES else _RATES[0]
        bit_rate = min(bit_rate, bit_rate * channels // 2 + 32_000)
        self._encoder = result.add_stream("aac", rate=self._rate, layout=self._layout, bit_rate=bit_rate)
        self._graph: Graph | None = None
        self._source = self._sink = None
        self._shape: tuple[Any, ...] = ()
        self._heard = Fraction(0)

    def take(self, packet: Any) -> Iterator[Any]:
        try:
            frames = packet.decode()
        except FFmpegError:
            return  # as players do: a moment of silence
        for frame in frames:
            yield from self._encode(frame)

    def _encode(self, frame: Any) -> Iterator[Any]:
        base = Fraction(frame.time_base)
        if frame.pts is None:
            frame.pts = round((self._heard + self._origin) / base)
        frame.pts -= round(self._origin / base)
        start = frame.pts * base
        self._heard = start + Fraction(frame.samples, frame.sample_rate)
        if self._heard <= 0 or (self._seconds is not None and start >= self._seconds):
            return
        shape = (frame.sample_rate, frame.format.name, frame.layout.nb_channels, base)
        if shape != self._shape:
            if self._graph is not None:
                yield from self._pulled(end=True)
            self._build(frame, *shape)
        self._source.push(frame)
        yield from self._pulled()

    def _build(self, frame: Any, rate: int, sample_format: str, channels: int, base: Fraction) -> None:
        first = self._graph is None
        graph = self._graph = Graph()
        self._shape = (rate, sample_format, channels, base)
        layout = frame.layout.name
        # Tracks that do not say where their channels belong.
        layout = layout if " channels" not in layout else {1: "mono", 2: "stereo"}.get(channels, f"{channels}C")
        end = "" if self._seconds is None else f":end={float(self._seconds):.6f}"
        self._source = last = graph.add(
            "abuffer", sample_rate=str(rate), sample_fmt=sample_format, channel_layout=layout, time_base=str(base)
        )
        start = ":first_pts=0" if first else ""
        for name, args in (
            ("atrim", f"start=0{end}"),
            ("aresample", f"{self._rate}:async=1{start}"),
            ("aformat", f"sample_fmts=fltp:sample_rates={self._rate}:channel_layouts={self._layout}"),
            ("asetnsamples", "n=1024:p=0"),
            ("abuffersink", None),
        ):
            following = graph.add(name, args)
            last.link_to(following)
            last = following
        self._sink = last
        graph.configure()

    def _pulled(self, *, end: bool = False) -> Iterator[Any]:
        if end:
            self._source.push(None)
        while True:
            try:
                frame = self._sink.pull()
            except (BlockingIOError, EOFError):
                return
            yield from self._encoder.encode(frame)

    def end(self) -> Iterator[Any]:
        if self._graph is not None:
            yield from self._pulled(end=True)
            yield from self._encoder.encode(None)
