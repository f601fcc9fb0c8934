"""The child that makes pictures of a clip, or of a picture that a user sent: in the probe's jail, for the same reasons.

Its last argument says what: `strip <count>`, `moment <ms>` or `picture`.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.media import poster
from app.media.probe_child import Unusable, limit_this_process, opened, prepare, rotation_of, shape, text

# Processor time in which the frames of a strip are looked for; then the nearest that were found have to do.
STRIP_SECONDS = 12
CELL_SIDE = 200
STRIP_BYTES = 300_000
# Of a picture that a user sent.
PICTURE_DEMUXERS = "jpeg_pipe,png_pipe"
MIN_SIDE, MAX_PIXELS = 100, 50_000_000


def main(path: str, demuxers: str, kind: str, number: str = "0") -> None:
    import av  # here, so that workers do not carry FFmpeg
    import av.filter

    limit_this_process(Path(path))
    try:
        made = _made(av, path, demuxers, kind, int(number))
    except Unusable as error:
        made = {"reason": error.reason}
    except MemoryError:
        made = {"reason": "too_complex"}
    json.dump(made, sys.stdout)


def _made(av: Any, path: str, demuxers: str, kind: str, number: int) -> dict[str, Any]:
    if kind == "picture":
        with opened(av, path, PICTURE_DEMUXERS, "cover_unreadable") as container:
            return _looks(container, _only_frame(container))
    with opened(av, path, demuxers, "broken_file") as container:
        stream = container.streams.best("video")
        if stream is None or stream.codec_context is None:
            raise Unusable("no_video")
        prepare(stream)
        if kind == "strip":
            return _strip(av, container, number)
        frame = next(frames_at(container, [number]), None)
        if frame is None:
            raise Unusable("cover_no_frame")
        return _looks(container, frame)


def _only_frame(container: Any) -> Any:
    stream = container.streams.video[0]
    try:
        prepare(stream, MAX_PIXELS)
    except Unusable:
        raise Unusable("cover_too_many_pixels") from None
    frame = next(container.decode(stream), None)
    if frame is None:
        raise Unusable("cover_unreadable")
    if min(frame.width, frame.height) < MIN_SIDE:
        raise Unusable("cover_too_small")
    return frame


def _looks(container: Any, frame: Any) -> dict[str, Any]:
    """One frame in the sizes that pages and platforms take."""
    rotation = rotation_of(frame)
    width, height = shape(frame, container.streams.best("video"), rotation)
    made = {
        "poster": poster.jpeg(frame, width, height, rotation),
        "thumbnail": poster.thumbnail(frame, width, height, rotation),
        "cover": poster.jpeg(frame, width, height, rotation, poster.COVER_SIDE, poster.COVER_BYTES),
    }
    return {name: text(jpeg) for name, jpeg in made.items()}


def frames_at(container: Any, moments: list[int], budget: float | None = None) -> Iterator[Any]:
    """The frame that is shown at each of the moments (milliseconds, in order); `budget`: processor seconds for all."""
    stream = container.streams.best("video")
    until = None if budget is None else time.process_time()
    for number, at in enumerate(moments):
        if until is not None:
            until += budget / len(moments)
        frame = _frame_at(container, stream, at, until)
        if frame is not None:
            yield frame
        elif number == 0:
            return


def _frame_at(container: Any, stream: Any, at: int, until: float | None) -> Any | None:
    from av.error import FFmpegError

    origin = (container.start_time or 0) / 1_000_000
    for start in (at / 1000 + origin, origin):  # where it cannot be sought, from the beginning
        try:
            container.seek(int(start / stream.time_base), stream=stream)
        except FFmpegError:
            continue
        best = None
        for frame in _frames(container, stream):
            if best is not None and ms_of(container, frame) > at:
                break
            best = frame
            if ms_of(container, frame) >= at or (until is not None and time.process_time() > until):
                break
        if best is not None:
            return best
    return None


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """From here on; what cannot be decoded is passed over."""
    from av.error import FFmpegError

    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except MemoryError:
                raise
            except FFmpegError:
                continue
            yield from frames
    except MemoryError:
        raise
    except FFmpegError:
        return


def ms_of(container: Any, frame: Any) -> int:
    """When a player shows the frame."""
    stamp = frame.pts if frame.pts is not None else frame.dts or 0
    return max(0, round(float(stamp * frame.time_base) * 1000 - (container.start_time or 0) / 1000))


def _strip(av: Any, container: Any, count: int) -> dict[str, Any]:
    """So many frames, evenly from the first to the last, side by side in one picture. `at`: when each is shown."""
    stream = container.streams.best("video")
    seconds = (container.duration or 0) / 1_000_000
    last = max(0.0, seconds - 1.5 / float(stream.average_rate or 25))
    moments = [round(1000 * last * number / (count - 1)) for number in range(count)]
    cells: list[Any] = []
    at: list[int] = []
    for frame in frames_at(container, moments, STRIP_SECONDS):
        moment = ms_of(container, frame)
        if at and moment <= at[-1]:
            continue  # a clip of few frames
        if not cells:
            rotation = rotation_of(frame)
            width, height = shape(frame, stream, rotation)
            scale = CELL_SIDE / max(width, height)
            width, height = (max(16, round(side * scale / 2) * 2) for side in (width, height))
        cells.append(poster.picture(frame, width, height, rotation))
        at.append(moment)
    if not cells:
        raise Unusable("cover_no_frame")
    return {"at": at, "strip": text(poster.encoded(_side_by_side(av, cells, count), STRIP_BYTES))}


def _side_by_side(av: Any, cells: list[Any], count: int) -> Any:
    """`count` places, whatever of them is filled: a page shows one by its share of the whole."""
    whole = av.VideoFrame(cells[0].width * count, cells[0].height, poster.FORMAT)
    for number, plane in enumerate(whole.planes):
        rows = [_rows(cell.planes[number]) for cell in cells]
        filled = [b"".join(parts) for parts in zip(*rows, strict=True)]
        empty = b"\x00" if number == 0 else b"\x80"
        plane.update(b"".join(row.ljust(plane.line_size, empty) for row in filled))
    return whole


def _rows(plane: Any) -> list[bytes]:
    data = bytes(plane)
    return [data[start : start + plane.width] for start in range(0, plane.height * plane.line_size, plane.line_size)]
