import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import pytest

from app.media import poster, probe, probe_child
from tests import clips, hostile

ROOT = Path(__file__).parents[2]


def test_the_facts_of_a_clip(tmp_path: Path):
    facts = probe.probe(clips.write(tmp_path / "clip.mp4"))
    assert (facts.container, facts.content_type) == ("mp4", "video/mp4")
    assert (facts.video_codec, facts.audio_codec) == ("h264", "aac")
    assert (facts.width, facts.height, facts.rotation) == (*clips.VERTICAL, 0)
    assert 1950 <= facts.duration_ms <= 2050


@pytest.mark.parametrize(
    ("name", "index"), [("clip.mp4", True), ("clip.mov", False), ("clip.mkv", None), ("clip.ts", None)]
)
def test_the_facts_of_its_tracks(tmp_path: Path, name: str, index: bool | None):
    written = clips.write(tmp_path / name, seconds=3, index_in_front=bool(index))
    facts = probe.probe(written)
    assert (facts.moov_in_front, facts.is_fragmented, facts.audio_tracks) == (index, False, 1)
    assert (facts.frame_rate, facts.is_variable_rate) == (30, False)
    assert (facts.bit_depth, facts.pixel_format, facts.sample_rate) == (8, "yuv420p", clips.SAMPLE_RATE)
    assert abs(facts.video_duration_ms - 3000) <= 1 and abs(facts.audio_duration_ms - 3000) <= 50
    assert facts.keyframe_ms == 2000
    assert 0 < facts.video_bit_rate < written.stat().st_size * 8 / 3


def test_rate_fragments_and_colours_of_a_screen_recording(tmp_path: Path):
    """10 bits, HLG, in fragments, with pictures that come when something moves, and two sound tracks."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w", options={"movflags": "frag_keyframe+empty_moov"}) as container:
        video = container.add_stream(
            "libx265", rate=30, options={"x265-params": "log-level=none", "preset": "ultrafast"}
        )
        video.width, video.height, video.pix_fmt = 64, 128, "yuv420p10le"
        video.codec_context.color_trc, video.codec_context.color_primaries = 18, 9
        video.codec_context.time_base = Fraction(1, 1000)
        tracks = [container.add_stream("aac", rate=44_100, layout="mono") for _ in range(2)]
        for number, at in enumerate((0, 33, 66, 300, 333, 700, 733, 1000)):
            frame = av.VideoFrame(64, 128, "yuv420p10le")
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            container.mux(video.encode(frame))
            for track in tracks:
                sound = av.AudioFrame("fltp", "mono", 1024)
                sound.planes[0].update(bytes(sound.planes[0].buffer_size))
                sound.sample_rate, sound.pts, sound.time_base = 44_100, number * 1024, Fraction(1, 44_100)
                container.mux(track.encode(sound))
        for track in (video, *tracks):
            container.mux(track.encode(None))
    facts = probe.probe(path)
    assert (facts.moov_in_front, facts.is_fragmented, facts.is_variable_rate) == (True, True, True)
    assert (facts.bit_depth, facts.transfer, facts.primaries) == (10, "arib-std-b67", "bt2020")
    assert (facts.audio_tracks, facts.sample_rate) == (2, 44_100)
    assert 950 <= facts.video_duration_ms <= 1100 and facts.audio_duration_ms < 400


def test_a_minute_of_full_hd(tmp_path: Path):
    facts = probe.probe(clips.write(tmp_path / "clip.mp4", shape=clips.FULL_HD, seconds=60))
    assert (facts.width, facts.height) == clips.FULL_HD
    assert 59_900 <= facts.duration_ms <= 60_100
    assert max(_size(facts.poster)) == poster.POSTER_SIDE
    assert len(facts.poster) <= poster.POSTER_BYTES


@pytest.mark.parametrize("shape", [clips.VERTICAL, clips.WIDE, clips.SQUARE])
def test_the_poster_has_the_clips_shape(tmp_path: Path, shape: tuple[int, int]):
    facts = probe.probe(clips.write(tmp_path / "clip.mp4", shape=shape, sound=False))
    assert (facts.width, facts.height) == _size(facts.poster) == shape
    assert facts.audio_codec is None


@pytest.mark.parametrize(("rotation", "side"), [(0, "top"), (90, "right"), (180, "bottom"), (270, "left")])
def test_rotation_is_applied(tmp_path: Path, rotation: int, side: str):
    """The stored picture has a dark bar at its top; turned clockwise, it comes to another side."""
    facts = probe.probe(clips.write(tmp_path / "clip.mp4", shape=clips.WIDE, rotation=rotation))
    shown = clips.WIDE if rotation in (0, 180) else clips.WIDE[::-1]
    assert facts.rotation == rotation
    assert (facts.width, facts.height) == _size(facts.poster) == shown
    assert _darkest_side(facts.poster) == side


@pytest.mark.parametrize(
    ("name", "codec", "container", "content_type"),
    [
        ("clip.mov", "libx264", "mov", "video/quicktime"),
        ("clip.mkv", "libx264", "mkv", "video/x-matroska"),
        ("clip.webm", "libvpx", "webm", "video/webm"),
        ("clip.avi", "libx264", "avi", "video/x-msvideo"),
        ("clip.ts", "libx264", "ts", "video/mp2t"),
        ("clip.3gp", "libx264", "3gp", "video/3gpp"),
        ("clip.3g2", "libx264", "3g2", "video/3gpp2"),
    ],
)
def test_the_content_decides_the_container(tmp_path: Path, name: str, codec: str, container: str, content_type: str):
    written = clips.write(tmp_path / name, codec=codec)
    facts = probe.probe(written.rename(tmp_path / "clip.exe"))
    assert (facts.container, facts.content_type) == (container, content_type)
    assert 1900 <= facts.duration_ms <= 2200


def test_a_clip_that_begins_black_gets_a_bright_poster(tmp_path: Path):
    facts = probe.probe(clips.write(tmp_path / "clip.mp4", black_seconds=1.5))
    assert _brightness(facts.poster) > 100


def test_an_all_black_clip_has_a_black_poster(tmp_path: Path):
    facts = probe.probe(clips.write(tmp_path / "clip.mp4", black_seconds=2))
    assert _brightness(facts.poster) < poster.DARK


def test_padding_weighs_and_plays(tmp_path: Path):
    clip = clips.write_big(tmp_path / "clip.mp4", 20_000_000)
    assert clip.stat().st_size == 20_000_000
    assert probe.probe(clip).duration_ms > 0


def test_what_is_no_clip_has_a_reason(tmp_path: Path):
    playlist = tmp_path / "playlist.mp4"
    playlist.write_text(f"#EXTM3U\n#EXTINF:2,\n{clips.write(tmp_path / 'other.ts')}\n#EXT-X-ENDLIST\n")
    listing = tmp_path / "listing.mp4"
    listing.write_text(f"ffconcat version 1.0\nfile {clips.write(tmp_path / 'other.mp4')}\n")
    picture = tmp_path / "picture.mp4"
    picture.write_bytes(probe.probe(tmp_path / "other.mp4").poster)
    empty = tmp_path / "empty.mp4"
    empty.touch()
    for path, reason in {
        clips.write_not_a_video(tmp_path / "text.mp4"): "not_a_video",
        playlist: "not_a_video",
        listing: "not_a_video",
        picture: "not_a_video",
        empty: "not_a_video",
        clips.write_broken(tmp_path / "broken.mp4"): "broken_file",
        clips.write_sound_only(tmp_path / "sound.mp4"): "no_video",
        clips.write(tmp_path / "wide.mp4", shape=(8704, 64), seconds=0.1): "too_large_frame",
        clips.write_long(tmp_path / "long.mp4", hours=13): "too_long",
        tmp_path / "missing.mp4": "file_missing",
    }.items():
        with pytest.raises(probe.Unusable) as unusable:
            probe.probe(path)
        assert unusable.value.reason == reason, path.name


def test_a_clip_cut_off_in_its_pictures_is_broken_or_shows_what_it_has(tmp_path: Path):
    """Damage behind the index: players show the part that is there, and so does the poster."""
    clip = clips.write(tmp_path / "clip.mkv")
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) // 2])
    assert probe.probe(clip).poster


def test_ten_black_hours_cost_no_more_than_a_moment(tmp_path: Path):
    facts = probe.probe(clips.write_long(tmp_path / "long.mp4", hours=10))
    assert facts.duration_ms > 9.9 * 3600 * 1000


@pytest.mark.parametrize(
    ("name", "write", "reasons"),
    [
        ("samples.mp4", hostile.many_samples, {"broken_file", "too_complex"}),
        ("tracks.mp4", hostile.many_tracks, {"too_complex"}),
        ("tags.mp4", hostile.many_tags, {"broken_file"}),
        ("edits.mp4", hostile.many_edits, {"broken_file", "too_complex"}),
        ("bomb.mov", lambda path: clips.write_bomb(path, megabytes=3000), {"too_complex"}),
        ("8k.mov", lambda path: hostile.png_in_mov(path, (7680, 4320)), {"too_complex"}),
        ("16k.mov", lambda path: hostile.png_in_mov(path, (16_000, 16_000)), {"too_large_frame"}),
        ("area.mov", lambda path: hostile.png_in_mov(path, (8000, 8000)), {"too_large_frame"}),
        ("lie.mov", lambda path: hostile.png_in_mov(path, (16_000, 16_000), said=(320, 240)), {"too_large_frame"}),
        ("gif.mp4", lambda path: hostile.picture(path, "gif"), {"not_a_video"}),
        ("apng.mp4", lambda path: hostile.picture(path, "apng"), {"not_a_video"}),
        ("giant.mkv", hostile.giant_element, {"broken_file", "too_complex"}),
        ("tracks.mkv", hostile.many_matroska_tracks, {"broken_file", "too_complex"}),
        ("tags.mkv", hostile.deep_tags, {"broken_file"}),
        ("programs.ts", hostile.many_programs, {"broken_file", "too_complex"}),
    ],
)
def test_a_small_file_that_wants_much_is_bounded(tmp_path: Path, name: str, write: Callable, reasons: set[str]):
    reason, peak, seconds = _in_a_process_of_its_own(write(tmp_path / name))
    assert reason in reasons
    assert peak <= 256 << 20
    assert seconds < probe_child.CPU_SECONDS


def test_large_pictures_fit_into_the_memory(tmp_path: Path):
    """4K that fades in: frames that other frames need are kept, too."""
    clip = clips.write(tmp_path / "clip.mp4", shape=(2160, 3840), seconds=1, black_seconds=0.5)
    facts = probe.probe(clip)
    assert (facts.width, facts.height) == (2160, 3840)
    assert _brightness(facts.poster) > 100


def test_the_child_is_niced_and_shares_its_parents_session(tmp_path: Path):
    clip = clips.write(tmp_path / "clip.mp4", shape=clips.FULL_HD, seconds=5, black_seconds=5)
    seen = set()
    with ThreadPoolExecutor(1) as pool:
        probing = pool.submit(probe.probe, clip)
        while not probing.done():
            seen |= set(_niceness_and_session())
    assert probing.result().poster
    assert (probe_child.NICENESS, os.getsid(0)) in seen
    assert {session for _, session in seen} == {os.getsid(0)}


def test_frames_of_16k_are_refused_before_any_is_unpacked(tmp_path: Path):
    with pytest.raises(probe.Unusable, match="too_large_frame"):
        probe.probe(clips.write(tmp_path / "wide.mp4", shape=(16384, 64), seconds=0.1))


def test_boxes_in_boxes_in_boxes(tmp_path: Path):
    with pytest.raises(probe.Unusable):
        probe.probe(clips.write_nested(tmp_path / "nested.mp4", depth=5000))


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_index_is_refused_or_read_as_far_as_it_goes(tmp_path: Path, seed: int):
    """Whatever FFmpeg makes of it, even a crash, stays in the child."""
    try:
        facts = probe.probe(clips.write_damaged(tmp_path / "damaged.mp4", seed))
    except (probe.Unusable, probe.ProbeCrashed):
        return
    assert 0 < facts.duration_ms <= probe_child.MAX_SECONDS * 1000
    assert facts.poster


def test_every_reason_has_advice():
    assert all(not what.endswith(".") and advice.endswith(".") for what, advice in probe.REASONS.values())


def _niceness_and_session() -> Iterator[tuple[int, int]]:
    """Of the probe's child, from its exec on."""
    for pid in " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children")).split():
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"probe_child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                yield os.getpriority(os.PRIO_PROCESS, int(pid)), os.getsid(int(pid))


_ALONE = """
import resource, sys
from pathlib import Path
from app.media import probe
try:
    probe.probe(Path(sys.argv[1]))
    print("ready")
except probe.Unusable as error:
    print(error.reason)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss << 10, used.ru_utime)
"""


def _in_a_process_of_its_own(path: Path) -> tuple[str, int, float]:
    """The reason, and what the child used at most: before its exec it would count as large as this process."""
    done = subprocess.run([sys.executable, "-c", _ALONE, path], cwd=ROOT, capture_output=True, text=True, check=True)
    reason, peak, seconds = done.stdout.split()
    return reason, int(peak), float(seconds)


def _picture(jpeg: bytes) -> av.VideoFrame:
    decoder = av.CodecContext.create("mjpeg", "r")
    return decoder.decode(av.Packet(jpeg))[0]


def _size(jpeg: bytes) -> tuple[int, int]:
    picture = _picture(jpeg)
    return picture.width, picture.height


def _brightness(jpeg: bytes) -> float:
    gray = bytes(_picture(jpeg).reformat(32, 32, "gray").planes[0])
    return sum(gray) / len(gray)


def _darkest_side(jpeg: bytes) -> str:
    gray = bytes(_picture(jpeg).reformat(32, 32, "gray", interpolation="AREA").planes[0])
    sides = {"top": gray[:32], "bottom": gray[-32:], "left": gray[::32], "right": gray[31::32]}
    return min(sides, key=lambda side: sum(sides[side]))
