"""Packets of a clip into an MP4 with its index in front: copied; only sound that MP4 players do not know is encoded."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.error import ArgumentError

from app.media.recipes import streams
from app.media.recipes.bitrates import SOUND_RATE
from app.media.recipes.recipe import Recipe, RecipeFailed
from app.media.recipes.silence import Silence
from app.media.recipes.sound import EncodedSound

# What one packet takes of the index, at most, and what the index takes without any.
_INDEX_ENTRY = 40
_INDEX_BASE = 16 << 10
# Such a part of the file may be left free behind the index.
_FREE_PART = 0.01
# Where packets are not counted in advance there may be so many times as many as the rate says.
_UNCERTAINTY = 1.5
_AAC_SAMPLES = 1024
# Sound that a stream has before its first whole picture.
_MAX_EARLY_PACKETS = 2000


def remux(source: Path, target: Path, recipe: Recipe, progress: Callable[[float], None]) -> None:
    try:
        _copy(source, target, recipe, progress, reserves=True)
    except ArgumentError:  # the index did not fit: there are more packets than the file said
        try:
            _copy(source, target, recipe, progress, reserves=False)
        except ArgumentError as error:  # times that go backwards, as where recordings were joined
            raise RecipeFailed("recipe_not_copyable", str(error)) from error


def _copy(source: Path, target: Path, recipe: Recipe, progress: Callable[[float], None], *, reserves: bool) -> None:
    size = source.stat().st_size
    with streams.open_source(source) as clip:
        video = streams.picture(clip)
        audio = streams.sound(clip) if recipe.audio in ("copy", "aac") else None
        if video is None:
            raise RecipeFailed("recipe_unreadable", "no video track")
        copied = [track for track in (video, audio) if track is not None]
        room = _index_bytes(clip, copied, recipe)
        # Room that is kept in front spares reading and writing the whole file once more.
        in_front = {"moov_size": str(room)} if reserves and room < size * _FREE_PART else {"movflags": "faststart"}
        with streams.open_target(target, **in_front) as result:
            encodes = audio is not None and recipe.audio == "aac" and audio.codec_context.name != "aac"
            tracks = {track.index: _track(result, track) for track in copied if track is video or not encodes}
            sound = EncodedSound(result, audio, Fraction(0), None, SOUND_RATE) if encodes else None
            silence = Silence(result) if recipe.audio == "silent" else None
            end, base, index = 0, Fraction(video.time_base), video.index
            whole = (packet for packet in streams.whole_packets(clip, copied) if packet.size)
            for packet in _from_first_picture(clip, video, whole):
                progress((packet.pos or 0) / size)
                if packet.stream_index == index:
                    end = max(end, (packet.pts or 0) + (packet.duration or 0))
                    if silence is not None and packet.dts is not None:
                        result.mux(silence.until(packet.dts * base))
                elif sound is not None:
                    result.mux(sound.take(packet))
                    continue
                packet.stream = tracks[packet.stream_index]
                result.mux(packet)
            if sound is not None:
                result.mux(sound.end())
            if silence is not None:
                result.mux(silence.until(end * base))
        if video.duration and end * base < video.duration * base * Fraction(9, 10) - 1:
            raise RecipeFailed("recipe_unreadable", f"ends at {float(end * base):.1f} s")


def _track(result: Any, track: Any) -> Any:
    """The same parameters, with the display matrix and the colours."""
    new = result.add_stream_from_template(track, opaque=True)
    if track.codec_context.name == "hevc":
        new.codec_context.codec_tag = "hvc1"  # Apple's players take no other
    if track.language:
        new.metadata["language"] = track.language
    return new


def _index_bytes(clip: Any, copied: list[Any], recipe: Recipe) -> int:
    seconds = (clip.duration or 0) / 1_000_000
    packets = 0.0
    for track in copied:
        if track.type == "audio":
            rate = track.codec_context.sample_rate / _AAC_SAMPLES
        else:
            rate = float(track.average_rate or track.guessed_rate or 60)
        packets += track.frames or seconds * rate * _UNCERTAINTY
    if recipe.audio == "silent":
        packets += seconds * Silence.RATE / _AAC_SAMPLES
    return _INDEX_BASE + int(packets * _INDEX_ENTRY)


def _from_first_picture(clip: Any, video: Any, packets: Iterable[Any]) -> Iterator[Any]:
    """A stream's clock starts anywhere and its tracks where they happen to: its time starts with the first picture that
    can be shown. Sound from before is left out to the packet; the rest of it is skipped by the edit list.
    """
    if clip.format.name != "mpegts":
        yield from packets
        return
    early: list[Any] = []
    origin = None
    for packet in packets:
        if origin is None:
            if packet.stream_index != video.index:
                early.append(packet)
                if len(early) > _MAX_EARLY_PACKETS:
                    raise RecipeFailed("recipe_unreadable", "sound without a picture")
                continue
            if not packet.is_keyframe or packet.pts is None:
                continue
            origin = packet.pts
            if any(one.time_base != packet.time_base for one in early):
                raise RecipeFailed("recipe_unreadable", "several clocks")
            # A decoder needs the packet before the first that is heard.
            yield from (one for one in early if _shifted(one, origin).pts + 2 * (one.duration or 0) > 0)
        yield _shifted(packet, origin)


def _shifted(packet: Any, origin: int) -> Any:
    packet.pts = (packet.pts or 0) - origin
    if packet.dts is not None:
        packet.dts -= origin
    return packet
