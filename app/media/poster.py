"""A clip's poster: a frame that is not black, as a small upright JPEG. For the probe's child; arguments are PyAV's.

The child may start no threads: everything is told to do without.
"""

import time
from collections.abc import Iterator
from typing import Any

POSTER_SIDE = 720
POSTER_BYTES = 200_000
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


def jpeg(frame: Any, width: int, height: int, rotation: int) -> bytes:
    """The frame as a JPEG, upright, within POSTER_SIDE and POSTER_BYTES."""
    import av

    scale = min(1.0, POSTER_SIDE / max(width, height))
    width, height = (max(2, int(side * scale) // 2 * 2) for side in (width, height))
    stored = (height, width) if rotation % 180 else (width, height)
    picture = _rotate(frame.reformat(*stored, "yuvj420p", interpolation="AREA", threads=1), rotation)
    for quality in (3, 6, 12, 31):
        encoder = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
        encoder.time_base = picture.time_base
        encoder.thread_count = 1
        encoder.qmin = encoder.qmax = quality
        data = b"".join(bytes(packet) for packet in (*encoder.encode(picture), *encoder.encode(None)))
        if len(data) <= POSTER_BYTES:
            break
    return data


def _rotate(picture: Any, rotation: int) -> Any:
    from av.filter import Graph

    if not rotation:
        return picture
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=picture.time_base
    )
    turns = [graph.add("transpose", "clock") for _ in range(rotation // 90)]
    graph.link_nodes(source, *turns, graph.add("buffersink")).configure()
    graph.push(picture)
    return graph.pull()
