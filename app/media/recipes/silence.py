"""A sound track in which nothing is heard."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av


class Silence:
    """An AAC track of a container that is being written. One packet is encoded, and repeated: they are all alike."""

    RATE = 48_000
    _SAMPLES = 1024

    def __init__(self, result: Any) -> None:
        self._track = result.add_stream("aac", rate=self.RATE, layout="stereo", bit_rate=64_000)
        self._packet: bytes | None = None
        self._next = 0

    def until(self, end: Fraction) -> Iterator[Any]:
        """Its packets up to `end` in seconds, less those of before."""
        while self._next + self._SAMPLES // 2 <= end * self.RATE:
            packet = av.Packet(self._packet or self._encode())
            packet.stream, packet.time_base = self._track, Fraction(1, self.RATE)
            packet.pts = packet.dts = self._next
            packet.duration = self._SAMPLES
            packet.is_keyframe = True
            self._next += self._SAMPLES
            yield packet

    def _encode(self) -> bytes:
        encoder = self._track.codec_context
        packets: list[Any] = []
        for number in range(3):
            frame = av.AudioFrame("fltp", "stereo", self._SAMPLES)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate, frame.pts, frame.time_base = self.RATE, number * self._SAMPLES, Fraction(1, self.RATE)
            packets += encoder.encode(frame)
        self._packet = bytes(packets[-1])
        return self._packet
