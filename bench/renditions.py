"""Renditions: packets copied into an MP4, compared with copying the file; encoding, compared with the bare encoder."""

import gc
import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from app.media.recipes.make import make
from app.media.recipes.recipe import Encode, Recipe
from bench.harness import (
    MB,
    Figure,
    at_least,
    folder,
    format_number,
    interleaved,
    progress,
    reset_peak_rss,
    rss,
    timed,
)

TITLE = "Копии клипов для площадок"
PROFILE = """
Профиль: у MP4 и MOV переписывается только указатель, остальное — чтение и запись блоками. MKV и TS разбирает и собирает
FFmpeg, место под указатель занято заранее, чтобы не читать файл второй раз. В кодировании всё время — x264.
"""
MAX_MEMORY = 60 * MB
_FPS = 30
_SOURCES = ("mp4", "mov", "mkv")


def run(small: bool) -> Iterator[Figure]:
    size, turns = (50 * MB, 2) if small else (500 * MB, 5)
    with folder() as work:
        for suffix in _SOURCES:
            clip = _child(_write_heavy, work / f"clip.{suffix}", size)
            yield _remuxing(clip, work, suffix.upper(), turns)
            yield _memory(clip, work, suffix.upper())
            clip.unlink()
        seconds = 2 if small else 6
        clip = _child(_write_moving, work / "clip.mp4", seconds)
        yield _encoding(clip, work, seconds, max(2, turns // 2))


def _remuxing(clip: Path, work: Path, name: str, turns: int) -> Figure:
    target = work / "made.mp4"
    ours, beside = interleaved(
        turns,
        lambda: _fresh(target, lambda: make(clip, target, Recipe(), _ignore)),
        lambda: _fresh(target, lambda: shutil.copyfile(clip, target)),
    )
    size = clip.stat().st_size
    progress(f"{name}: {format_number(beside / ours)} ×")
    return Figure(
        f"{size // MB} МБ: {name} в MP4 без потерь",
        "копия файла",
        f"{size / ours / MB:.0f} МБ/с",
        f"{size / beside / MB:.0f} МБ/с",
        **at_least(beside / ours, 0.5),
    )


def _fresh(target: Path, work: Callable[[], object]) -> float:
    """Writing over a file is another thing than writing a new one."""
    target.unlink(missing_ok=True)
    return timed(work)


def _memory(clip: Path, work: Path, name: str) -> Figure:
    """Of a process that does nothing else."""
    peak = _child(_peak, clip, work / "made.mp4")
    return Figure(
        f"{name} в MP4: память процесса (пик RSS)",
        "—",
        f"{peak / MB:.0f} МБ",
        "—",
        ratio="—",
        target=f"≤ {MAX_MEMORY // MB} МБ",
        met=peak <= MAX_MEMORY,
    )


def _peak(clip: Path, target: Path) -> int:
    reset_peak_rss()
    make(clip, target, Recipe(), _ignore)
    return rss(field="VmHWM")


def _encoding(clip: Path, work: Path, seconds: int, turns: int) -> Figure:
    wanted = Recipe(video=Encode(), audio="none")
    ours, beside = interleaved(
        turns,
        lambda: timed(lambda: make(clip, work / "made.mp4", wanted, _ignore)),
        lambda: timed(lambda: _bare(clip, work / "bare.mp4")),
    )
    progress(f"кодирование: {format_number(beside / ours)} ×")
    return Figure(
        f"{seconds} с 1080×1920, H.264 заново",
        "PyAV: тот же декодер и x264, ничего больше",
        f"{seconds * _FPS / ours:.0f} к/с",
        f"{seconds * _FPS / beside:.0f} к/с",
        **at_least(beside / ours, 0.9),
    )


def _bare(clip: Path, target: Path) -> None:
    import av

    settings = Encode()
    with av.open(str(clip)) as source, av.open(str(target), "w") as result:
        source.streams.video[0].thread_type = "AUTO"
        options = {"preset": settings.preset, "crf": str(settings.crf), "profile": "high", "g": str(2 * _FPS)}
        stream = result.add_stream("libx264", rate=_FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = 1080, 1920, "yuv420p"
        stream.thread_type = "FRAME"
        for frame in source.decode(video=0):
            frame.pict_type = 0
            result.mux(stream.encode(frame))
        result.mux(stream.encode(None))


def _child(work: Callable, *arguments):
    """Returns the result of a new process: this one keeps its memory small."""
    gc.collect()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def _ignore(_part: float) -> None:
    pass


def _write_heavy(path: Path, size: int) -> Path:
    """As a camera's: large pictures with B-frames, and sound between them. Two seconds of noise, repeated."""
    import os

    import av

    options = {"preset": "ultrafast", "bf": "2", "crf": "20"}
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=_FPS, options=options)
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        audio = container.add_stream("aac", rate=48_000)
        pictures, sounds = [], []
        for number in range(2 * _FPS):
            frame = av.VideoFrame(320, 240, "yuv420p")
            for plane in frame.planes:
                plane.update(os.urandom(plane.buffer_size))
            frame.pts, frame.time_base = number, Fraction(1, _FPS)
            pictures += video.encode(frame)
        pictures += video.encode(None)
        for number in range(4):
            frame = av.AudioFrame("fltp", "stereo", 1024)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate, frame.pts, frame.time_base = 48_000, number * 1024, Fraction(1, 48_000)
            sounds += audio.encode(frame)
        written, turn, heard = 0, 0, 0
        while written < size:
            for original in pictures:
                packet = _again(original, video, turn * 2 * _FPS, Fraction(1, _FPS))
                while Fraction(heard, 48_000) < packet.dts * packet.time_base:
                    sound = av.Packet(bytes(sounds[-1]))
                    sound.stream, sound.time_base, sound.duration = audio, Fraction(1, 48_000), 1024
                    sound.pts = sound.dts = heard
                    heard += 1024
                    container.mux(sound)
                written += packet.size
                container.mux(packet)
            turn += 1
    return path


def _again(original, stream, shift: int, base: Fraction):
    import av

    packet = av.Packet(bytes(original))
    packet.stream, packet.time_base, packet.is_keyframe = stream, base, original.is_keyframe
    packet.pts, packet.dts, packet.duration = original.pts + shift, original.dts + shift, 1
    return packet


def _write_moving(path: Path, seconds: int) -> Path:
    """A test picture that moves, with a little noise, so that it takes about as many bits as a camera's."""
    import av
    from av.filter import Graph

    graph = Graph()
    nodes = [graph.add("testsrc2", f"size=1080x1920:rate={_FPS}"), graph.add("noise", "alls=4:allf=t")]
    nodes += [graph.add("format", "pix_fmts=yuv420p"), graph.add("buffersink")]
    graph.link_nodes(*nodes).configure()
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=_FPS, options={"preset": "ultrafast", "crf": "18"})
        video.width, video.height, video.pix_fmt = 1080, 1920, "yuv420p"
        context = video.codec_context
        context.color_primaries = context.color_trc = context.colorspace = context.color_range = 1
        for number in range(seconds * _FPS):
            frame = nodes[-1].pull()
            frame.pts, frame.time_base = number, Fraction(1, _FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path
