"""Renditions that are encoded, decoded again as a player does it: what is seen, heard, and when."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from app.media.recipes.make import make
from app.media.recipes.recipe import Blur, Crop, Encode, Recipe, RecipeFailed
from tests import clips
from tests.media import mp4_reader, odd_clips
from tests.media.odd_clips import BT709, GRAY, HLG, MILLISECONDS, Sync, sync

MAX_OFFSET = 0.020
ENCODE = Recipe(video=Encode(preset="ultrafast"), audio="aac")


def recipe(**how) -> Recipe:
    return Recipe(**{"video": ENCODE.video, "audio": "aac"} | how)


def made(source: Path, wanted: Recipe = ENCODE) -> tuple[mp4_reader.Movie, Sync]:
    """Holds for every result: H.264 of 8 bits and even sides, BT.709, AAC, that streams and begins with a picture."""
    target, parts = source.parent / "made.mp4", []
    make(source, target, wanted, parts.append)
    assert parts == sorted(parts) and parts[-1] == 1 and min(parts) >= 0
    movie, seen = mp4_reader.read(target), sync(target)
    assert movie.streams and {track.entry for track in movie.tracks} <= {"avc1", "mp4a"}
    assert movie.track("vide").starts == 0 and seen.times[0] == 0
    assert movie.track("vide").matrix[:5] == (1 << 16, 0, 0, 0, 1 << 16)
    with av.open(str(target)) as container:
        video = container.streams.video[0].codec_context
        assert video.pix_fmt == "yuv420p" and video.width % 2 == video.height % 2 == 0
        assert (video.color_primaries, video.color_trc, video.colorspace, video.color_range) == (1, 1, 1, 1)
        for audio in container.streams.audio:
            assert audio.codec_context.sample_rate in (44_100, 48_000)
    return movie, seen


ODD = {
    "rotated": {"rotation": 90},
    "upside-down": {"rotation": 180},
    "odd-sides": {"shape": (97, 161), "pixels": "yuv444p"},
    "variable-rate": {"times": [Fraction(n, 30) + Fraction(n % 3, 200) for n in range(60) if n % 7 != 3]},
    "trimmed": {"shift": Fraction(-1, 2)},
    "late-sound": {"sound_shift": Fraction(3, 10)},
    "late-picture": {"shift": Fraction(4, 10), "sound_shift": Fraction(-4, 10)},
    "two-sounds": {"sounds": (48_000, 44_100)},
    "96-kHz": {"sounds": (96_000,)},
    "22-kHz": {"sounds": (22_050,)},
    "no-sound": {"sounds": ()},
    "hevc-10-bit": {"codec": "libx265", "pixels": "yuv420p10le", "colours": BT709},
}


@pytest.mark.parametrize("name", ODD)
def test_odd_clips(tmp_path, name):
    source = odd_clips.write(tmp_path / "clip.mp4", **ODD[name])
    before = sync(source)

    movie, after = made(source)

    assert after.first == pytest.approx(GRAY, abs=5)
    assert len(after.times) == len(before.times)
    origin = before.times[0]
    assert after.seconds == pytest.approx(before.seconds - origin, abs=0.04)
    assert after.flash == pytest.approx(before.flash - origin, abs=0.002)
    if before.beep is not None:
        assert abs(after.offset - before.offset) <= MAX_OFFSET
        assert [track.kind for track in movie.tracks] == ["vide", "soun"]
    turned = name == "rotated"
    assert after.size == tuple(side // 2 * 2 for side in (before.size[::-1] if turned else before.size))


@pytest.mark.parametrize(
    ("suffix", "how"),
    [
        (".webm", {"codec": "libvpx-vp9", "sound_codec": "libopus", "base": MILLISECONDS}),
        (".mov", {"codec": "prores_ks", "pixels": "yuv422p10le", "sound_codec": "pcm_s16le"}),
        (".avi", {"codec": "libx264", "sound_codec": "libmp3lame", "base": Fraction(1, 30)}),
        (".avi", {"codec": "mpeg4", "sound_codec": "libmp3lame", "base": Fraction(1, 30)}),
        (".ts", {"codec": "libx264"}),
        (".mkv", {"codec": "libx265", "sound_codec": "flac"}),
    ],
    ids=["vp9", "prores", "avi-h264", "avi-mpeg4", "ts", "mkv-hevc"],
)
def test_containers_and_codecs(tmp_path, suffix, how):
    movie, after = made(odd_clips.write(tmp_path / f"clip{suffix}", **how))

    assert len(after.times) == 60 and after.first == pytest.approx(GRAY, abs=5)
    assert abs(after.offset) <= MAX_OFFSET + (0.03 if suffix == ".avi" else 0)  # AVI's MP3 has a delay of its own
    assert float(movie.seconds) == pytest.approx(2, abs=0.07)


def test_what_a_browser_records(tmp_path):
    """No length is written in front, and the picture changes its size in the middle."""
    source = tmp_path / "clip.webm"
    with av.open(str(source), "w", container_options={"live": "1"}) as container:
        parts = []
        for number, (width, height) in enumerate(((96, 160), (128, 200))):
            encoder = av.CodecContext.create("libvpx", "w")
            encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "yuv420p", MILLISECONDS
            encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
            for count in range(20):
                frame = odd_clips.picture(width, height, "yuv420p", GRAY)
                frame.pts, frame.time_base = number * 800 + count * 40, MILLISECONDS
                parts += [(bytes(packet), packet) for packet in encoder.encode(frame)]
        video = container.add_stream("libvpx", rate=25, width=96, height=160)
        for content, packet in parts:
            copy = av.Packet(content)
            copy.stream, copy.time_base, copy.is_keyframe = video, MILLISECONDS, packet.is_keyframe
            copy.pts = copy.dts = packet.pts
            container.mux(copy)
    with av.open(str(source)) as container:
        assert container.duration is None
        assert {frame.width for frame in container.decode(video=0)} == {96, 128}

    _, after = made(source, recipe(max_bytes=50_000))

    assert after.size == (96, 160) and len(after.times) == 40 and after.seconds == pytest.approx(1.6, abs=0.05)


def test_which_side_is_up(tmp_path):
    """A player turns the stored picture clockwise: its left edge comes to the top."""
    source = tmp_path / "clip.mp4"
    with av.open(str(source), "w") as container:
        video = container.add_stream("libx264", rate=30, options={"crf": "10"})
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        video.set_display_rotation(-90)
        for number in range(5):
            frame = odd_clips.picture(160, 96, "yuv420p", 60)
            rows = bytearray(bytes(frame.planes[0]))
            for row in range(96):
                at = row * frame.planes[0].line_size
                rows[at : at + 40] = bytes([220]) * 40
            frame.planes[0].update(bytes(rows))
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))

    made(source)
    with av.open(str(tmp_path / "made.mp4")) as container:
        frame = next(container.decode(video=0))
        luma = memoryview(frame.planes[0])
        assert (frame.width, frame.height) == (96, 160)
        assert luma[5 * frame.planes[0].line_size + 48] > 190 and luma[100 * frame.planes[0].line_size + 48] < 90

    # Of what is shown, the upper part.
    made(source, recipe(frame=Crop(0, 0, 96, 40), width=96, height=40))
    with av.open(str(tmp_path / "made.mp4")) as container:
        assert odd_clips.center(next(container.decode(video=0))) > 190


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize(("start", "end"), [(0, 1300), (510, 1500), (950, None), (1110, 1113)])
def test_a_span_is_cut_to_the_picture(tmp_path, suffix, start, end):
    source = odd_clips.write(tmp_path / f"clip.{suffix}")
    length = (2000 if end is None else end) - start

    movie, after = made(source, recipe(start_ms=start, end_ms=end))

    assert after.seconds == pytest.approx(length / 1000, abs=0.035)
    assert float(movie.seconds) == pytest.approx(length / 1000, abs=0.035)
    if start < 1000 < start + length:
        assert after.first == pytest.approx(GRAY, abs=5)
        assert after.flash == pytest.approx(1 - start / 1000, abs=0.011)
        assert abs(after.offset) <= MAX_OFFSET


def test_a_span_deep_in_a_clip_is_found_without_decoding_all(tmp_path):
    times = [Fraction(number, 10) for number in range(100)]
    source = odd_clips.write(tmp_path / "clip.mp4", times=times)

    _, after = made(source, recipe(start_ms=8_050, end_ms=9_050))

    assert after.times == pytest.approx([0, *(0.05 + number / 10 for number in range(10))], abs=0.002)
    assert after.beep == pytest.approx(0, abs=0.03)


def test_a_span_outside_is_refused(tmp_path):
    source = odd_clips.write(tmp_path / "clip.mp4")
    for start, end in ((5_000, None), (1_500, 1_500), (3_000, 4_000)):
        with pytest.raises(RecipeFailed) as failed:
            made(source, recipe(start_ms=start, end_ms=end))
        assert failed.value.reason == "recipe_nothing_left"
    assert not (tmp_path / "made.mp4").exists() or not (tmp_path / "made.mp4").stat().st_size


@pytest.mark.parametrize("size", [60_000, 120_000])
def test_the_result_is_never_larger_than_allowed(tmp_path, size):
    """Of pictures that hardly can be compressed."""
    source = _noise(tmp_path / "clip.mkv")
    assert source.stat().st_size > 3 * size

    made(source, recipe(max_bytes=size))

    assert 0.5 * size < (tmp_path / "made.mp4").stat().st_size <= size


def test_what_cannot_be_that_small_is_refused(tmp_path):
    with pytest.raises(RecipeFailed) as failed:
        made(odd_clips.write(tmp_path / "clip.mp4"), recipe(max_bytes=10_000))
    assert failed.value.reason == "recipe_cannot_fit"


def _noise(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "18"})
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        at = 1
        for number in range(60):
            frame = av.VideoFrame(160, 96, "yuv420p")
            for plane in frame.planes:
                rows = bytearray(plane.buffer_size)
                for place in range(len(rows)):
                    at = (at * 1_103_515_245 + 12_345) & 0x7FFFFFFF
                    rows[place] = 16 + (at >> 16) % 200
                plane.update(bytes(rows))
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


@pytest.mark.parametrize(("rate", "count"), [("30", 60), ("24", 48), ("30000/1001", 60), ("60", 120)])
def test_a_constant_rate(tmp_path, rate, count):
    times = [Fraction(n, 30) + Fraction(n % 3, 200) for n in range(60) if n % 7 != 3]
    source = odd_clips.write(tmp_path / "clip.mp4", times=times)

    _, after = made(source, recipe(fps=rate))

    assert len(after.times) == pytest.approx(count, abs=1)
    step = 1 / float(Fraction(rate))
    assert after.times == pytest.approx([number * step for number in range(len(after.times))], abs=0.0001)
    assert abs(after.offset) <= MAX_OFFSET + step / 2


def test_a_part_of_the_picture(tmp_path):
    source = odd_clips.write(tmp_path / "clip.mp4", shape=(320, 180), rotation=180)
    _, after = made(source, recipe(frame=Crop(60, 0, 100, 180), width=100, height=180, fps="30"))
    assert after.size == (100, 180) and abs(after.offset) <= MAX_OFFSET


def test_the_whole_picture_on_its_own_blurred_background(tmp_path):
    source = odd_clips.write(tmp_path / "clip.mp4", shape=(320, 180), colours=BT709)

    _, after = made(source, recipe(frame=Blur(), width=180, height=320))

    assert after.size == (180, 320) and len(after.times) == 60 and abs(after.offset) <= MAX_OFFSET
    with av.open(str(tmp_path / "made.mp4")) as container:
        frame = next(container.decode(video=0))
        luma = memoryview(frame.planes[0])
        for row in (10, 160, 310):
            assert luma[row * frame.planes[0].line_size + 90] == pytest.approx(GRAY, abs=5)


@pytest.mark.parametrize(
    ("codec", "pixels", "shown"),
    [("prores_ks", "yuva444p10le", GRAY), ("qtrle", "argb", GRAY // 2)],
    ids=["opaque", "half-transparent"],
)
def test_what_is_transparent_is_shown_on_black(tmp_path, codec, pixels, shown):
    source = odd_clips.write(tmp_path / "clip.mov", codec=codec, pixels=pixels, sound_codec="pcm_s16le")
    _, after = made(source)
    assert after.first == pytest.approx(shown, abs=8) and len(after.times) == 60


def test_hdr_is_mapped_to_what_every_screen_shows(tmp_path):
    """Gray of HLG is neither left as dark as its numbers nor burnt out."""
    times = [Fraction(number, 10) for number in range(12)]
    source = odd_clips.write(tmp_path / "clip.mov", codec="libx265", pixels="yuv420p10le", colours=HLG, times=times)
    _, after = made(source, recipe(tone_map=True))
    assert 60 < after.first < 140 and after.flash == pytest.approx(1, abs=0.001) and len(after.times) == 12


def test_full_range_and_small_colours_are_converted(tmp_path):
    source = odd_clips.write(
        tmp_path / "clip.mp4", pixels="yuvj420p", colours={"colorspace": 5, "color_range": 2, "color_primaries": 5}
    )
    _, after = made(source)
    assert after.first == pytest.approx(GRAY, abs=3)


def test_a_silent_track(tmp_path):
    movie, after = made(odd_clips.write(tmp_path / "clip.mp4", sounds=()), recipe(audio="silent"))
    assert movie.track("soun").seconds == pytest.approx(2, abs=0.025) and after.beep is None


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_sound_may_be_copied(tmp_path, suffix):
    source = odd_clips.write(tmp_path / f"clip.{suffix}", shift=Fraction(0))
    movie, after = made(source, recipe(audio="copy"))
    assert abs(after.offset) <= MAX_OFFSET
    if suffix != "ts":
        with av.open(str(source)) as container:
            old = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
        assert movie.track("soun").samples == old


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_a_file_that_is_cut_off_is_refused(tmp_path, suffix):
    source = odd_clips.write(
        tmp_path / f"clip.{suffix}", options={"movflags": "faststart"} if suffix[0:2] != "mk" else {}
    )
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])

    with pytest.raises(RecipeFailed) as failed:
        made(source)

    assert failed.value.reason == "recipe_unreadable"
    assert (tmp_path / "made.mp4").stat().st_size == 0


def test_what_is_no_video_is_refused(tmp_path):
    for source in (clips.write_sound_only(tmp_path / "a.mp4"), clips.write_not_a_video(tmp_path / "b.mp4")):
        with pytest.raises(RecipeFailed) as failed:
            made(source)
        assert failed.value.reason == "recipe_unreadable"


def test_a_full_disk_is_named(tmp_path):
    (tmp_path / "made.mp4").symlink_to("/dev/full")
    with pytest.raises(RecipeFailed) as failed:
        made(odd_clips.write(tmp_path / "clip.mp4"))
    assert failed.value.reason == "recipe_no_room"
