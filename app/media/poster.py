"""A clip's poster: a frame that is not black, as a small upright JPEG. For jailed children; arguments are PyAV's.

The child may start no threads: everything is told to do without.
"""

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

POSTER_SIDE = 720
POSTER_BYTES = 200_000
# What Telegram takes: https://core.telegram.org/bots/api#sendvideo
THUMBNAIL_SIDE = 320
# A chosen cover, as platforms get it: 2 MB is YouTube's limit, Rutube's and Telegram's are higher.
COVER_SIDE = 1920
COVER_BYTES = 2_000_000
FORMAT = "yuvj420p"
# What makes light of a value from 0 to 1, by the numbers of ISO/IEC 23091-2: 1 is the brightest of a usual screen. HLG
# is made so that such a screen can show it as it is, all but its colours. PQ says how bright each point is: white of
# 203 nits and what is brighter, up to 1,000, share the upper half.
_PQ, _HLG = 16, 18
_NITS = "10000/203*pow(max(pow({v},1/78.84375)-0.8359375,0)/(18.8515625-18.6875*pow({v},1/78.84375)),1/0.1593017578125)"
_TO_LINEAR = {
    _HLG: "pow({v},2.4)",
    _PQ: f"st(0,{_NITS});ld(0)*(1+ld(0)/24.3)/(1+ld(0))",
}
# From BT.2020's colours to BT.709's.
_COLOURS = "rr=1.6605:rg=-0.5876:rb=-0.0728:gr=-0.1246:gg=1.1329:gb=-0.0083:br=-0.0182:bg=-0.1006:bb=1.1187"
# Mean brightness, 0 to 255, under which a picture passes for black.
DARK = 24
# The search for a poster that is not black ends after so much of the child's processor time.
POSTER_SECONDS = 4


def find_frame(container: Any, stream: Any, seconds: float) -> Any | None:
    """The first frame that is not black, else the brightest of those seen; None where no frame can be read."""
    brightest, best = -1.0, None
    try:
        for frame in _candidates(container, stream, seconds):
            brightness = sum(gray := bytes(frame.reformat(32, 32, "gray", threads=1).planes[0])) / len(gray)
            if brightness > brightest:
                brightest, best = brightness, frame
            if brightness > DARK or time.process_time() > POSTER_SECONDS:
                break
    except MemoryError:
        if best is None:
            raise
    return best


def _candidates(container: Any, stream: Any, seconds: float) -> Iterator[Any]:
    """Keyframes first, since they are cheap; then every frame from the start, for a clip that fades in."""
    from av.error import FFmpegError

    stream.codec_context.skip_frame = "NONKEY"
    for part in (0, 0.05, 0.2, 0.5):
        try:
            container.seek(int(part * seconds * 1_000_000) + (container.start_time or 0))
            yield next(container.decode(stream))
        except MemoryError:
            raise
        except (FFmpegError, StopIteration):
            continue  # damaged or not there; another position may do
    try:
        container.seek(container.start_time or 0)
        stream.codec_context.skip_frame = "DEFAULT"
        yield from container.decode(stream)
    except MemoryError:
        raise
    except FFmpegError:
        return


def jpeg(
    frame: Any, width: int, height: int, rotation: int, side: int = POSTER_SIDE, most_bytes: int = POSTER_BYTES
) -> bytes:
    """The frame as a JPEG, upright, within `side` and `most_bytes`, in colours that any screen shows."""
    scale = min(1.0, side / max(width, height))
    width, height = (max(2, int(side * scale) // 2 * 2) for side in (width, height))
    return encoded(picture(frame, width, height, rotation), most_bytes)


def thumbnail(frame: Any, width: int, height: int, rotation: int) -> bytes:
    return jpeg(frame, width, height, rotation, side=THUMBNAIL_SIDE)


def picture(frame: Any, width: int, height: int, rotation: int) -> Any:
    """The frame upright, of that size, as a JPEG has its pixels."""
    stored = (height, width) if rotation % 180 else (width, height)
    steps = []
    if any(component.is_alpha for component in frame.format.components):  # shown on black, as players show it
        frame = frame.reformat(*stored, "yuva444p", interpolation="AREA", threads=1)
        steps += [("premultiply", "inplace=1"), ("format", f"pix_fmts={FORMAT}")]
    if frame.color_trc in _TO_LINEAR:
        steps += _tone_mapping(frame.color_trc, *stored)
    frame = filtered(frame, *steps)
    small = frame.reformat(*stored, FORMAT, interpolation="AREA", threads=1)
    return filtered(small, *[("transpose", "clock")] * (rotation // 90))


def _tone_mapping(transfer: int, width: int, height: int) -> list[tuple[str, str]]:
    """The filter `scale` can do it too, but takes five seconds to prepare and starts threads."""
    to_linear = _TO_LINEAR[transfer].format(v="(val/maxval)")
    return [
        ("scale", f"{width}:{height}:flags=area:out_range=pc"),
        ("format", "pix_fmts=gbrp16le"),
        # Half of the light: what the colours need in between may be brighter than 1.
        ("lutrgb", _each(f"clip({to_linear},0,1)*maxval/2")),
        ("colorchannelmixer", _COLOURS),
        ("lutrgb", _each("pow(min(2*val/maxval,1),1/2.4)*maxval")),
        ("format", "pix_fmts=gbrp"),
    ]


def _each(expression: str) -> str:
    return ":".join(f"{colour}='{expression}'" for colour in "rgb")


def encoded(picture: Any, most_bytes: int) -> bytes:
    import av

    for quality in (3, 6, 12, 31):
        encoder = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, FORMAT
        encoder.time_base = Fraction(1, 25)
        encoder.thread_count = 1
        encoder.qmin = encoder.qmax = quality
        data = b"".join(bytes(packet) for packet in (*encoder.encode(picture), *encoder.encode(None)))
        if len(data) <= most_bytes:
            break
    return data


def filtered(frame: Any, *steps: tuple[str, str]) -> Any:
    from av.filter import Graph

    if not steps:
        return frame
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 25)
    )
    graph.link_nodes(source, *(graph.add(*step) for step in steps), graph.add("buffersink")).configure()
    graph.push(frame)
    return graph.pull()
