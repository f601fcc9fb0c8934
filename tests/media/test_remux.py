"""Lossless renditions, read back by a reader of boxes of our own, and decoded as a player does it."""

import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest

from app.media.recipes.make import make
from app.media.recipes.recipe import Encode, Recipe, RecipeFailed
from tests import clips
from tests.media import mp4_reader, odd_clips
from tests.media.odd_clips import BT709, HLG, MILLISECONDS, sync

MB = 1 << 20
MAX_OFFSET = 0.020
COPY = Recipe(audio="copy")


def made(source: Path, recipe: Recipe = COPY) -> Path:
    target, parts = source.parent / "made.mp4", []
    make(source, target, recipe, parts.append)
    assert parts == sorted(parts) and parts[-1] == 1 and min(parts) >= 0
    return target


def packets(path: Path, kind: str) -> list[tuple[float, bytes]]:
    """Times of showing and contents, without what a stream's container wraps them in."""
    with av.open(str(path)) as container:
        track = getattr(container.streams, kind)[0]
        return [(float(one.pts * one.time_base), bytes(one)) for one in container.demux(track) if one.size]


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mov", "libx264"), ("mov", "libx265"), ("mkv", "libx264"), ("mkv", "libx265")]
    + [("ts", "libx264"), ("ts", "libx265"), ("3gp", "libx264")],
)
def test_packets_are_copied_into_an_mp4_that_streams(tmp_path, suffix, codec):
    source = odd_clips.write(tmp_path / f"clip.{suffix}", codec=codec, colours=BT709)

    result = made(source)

    movie, before, after = mp4_reader.read(result), sync(source), sync(result)
    assert movie.streams and movie.brand == "isom"
    assert [track.kind for track in movie.tracks] == ["vide", "soun"]
    assert movie.track("vide").entry == {"libx264": "avc1", "libx265": "hvc1"}[codec]
    assert movie.track("vide").starts == 0
    assert len(movie.track("vide").samples) == 60
    assert float(movie.seconds) == pytest.approx(2, abs=0.05)
    assert after.first == pytest.approx(before.first, abs=2) and len(after.times) == 60
    assert abs(after.offset - before.offset) <= 0.002
    if suffix != "ts":
        for kind in ("video", "audio"):
            old, new = packets(source, kind), packets(result, kind)
            assert [content for _, content in old] == [content for _, content in new]
            assert [time for time, _ in new] == pytest.approx([time for time, _ in old], abs=0.0011)
    with av.open(str(result)) as container:
        colours = container.streams.video[0].codec_context
        assert (colours.color_primaries, colours.color_trc, colours.colorspace) == (1, 1, 1)


def test_an_index_is_moved_and_nothing_else_changes(tmp_path):
    source = odd_clips.write(tmp_path / "clip.mp4", sounds=(48_000, 44_100), rotation=90)

    result = made(source)

    old, new = mp4_reader.read(source), mp4_reader.read(result)
    assert not old.streams and new.streams
    assert sorted(old.order) == sorted(new.order)
    assert old.tracks == new.tracks  # to the byte of every sample
    assert result.stat().st_size == source.stat().st_size


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_rotation_and_colours_survive(tmp_path, suffix):
    source = odd_clips.write(
        tmp_path / f"clip.{suffix}", rotation=90, codec="libx265", pixels="yuv420p10le", colours=HLG
    )

    result = made(source)

    assert mp4_reader.read(result).track("vide").matrix[:5] == (0, 1 << 16, 0, -1 << 16, 0)
    with av.open(str(result)) as container:
        colours = container.streams.video[0].codec_context
        assert (colours.color_primaries, colours.color_trc, colours.colorspace) == (9, 18, 9)
        assert next(container.decode(video=0)).rotation == -90
    assert b"colr" in mp4_reader.read(result).track("vide").description


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize(("shift", "sound_shift"), [(Fraction(-1, 2), Fraction(0)), (Fraction(0), Fraction(3, 10))])
def test_edit_lists_are_kept(tmp_path, suffix, shift, sound_shift):
    """A clip that was trimmed, and one whose sound begins later."""
    source = odd_clips.write(tmp_path / f"clip.{suffix}", shift=shift, sound_shift=sound_shift)

    result = made(source)

    before, after = sync(source), sync(result)
    assert mp4_reader.read(result).track("vide").edits == mp4_reader.read(source).track("vide").edits
    assert (after.flash, after.beep) == pytest.approx((before.flash, before.beep), abs=0.001)
    assert before.flash == pytest.approx(1 + float(shift), abs=0.001)


def test_edits_in_the_middle_are_kept(tmp_path):
    """An editor has left out half a second: only the edit list says so."""
    source = odd_clips.write(tmp_path / "clip.mov")
    data = bytearray(source.read_bytes())
    for at in [number for number in range(len(data)) if data[number : number + 4] == b"elst"][:1]:
        length, begin = struct.unpack_from(">II", data, at + 12)
        second = struct.pack(">III", length - 1000, begin + 15_360, 0x10000)
        table = struct.pack(">II", 0, 2) + struct.pack(">III", 500, begin, 0x10000) + second
        data = _replaced(data, at - 4, table)
    source.write_bytes(data)
    edits = mp4_reader.read(source).track("vide").edits
    assert len(edits) == 2

    assert mp4_reader.read(made(source)).track("vide").edits == edits


def _replaced(data: bytearray, start: int, content: bytes) -> bytearray:
    """The box at `start` gets another content; those around it, at the file's end, grow."""
    size = int.from_bytes(data[start : start + 4])
    grown = 8 + len(content) - size
    for kind in (b"moov", b"trak", b"edts"):
        at = data.rindex(kind, 0, start) - 4
        data[at : at + 4] = (int.from_bytes(data[at : at + 4]) + grown).to_bytes(4)
    data[start : start + size] = (8 + len(content)).to_bytes(4) + b"elst" + content
    return data


@pytest.mark.parametrize("suffix", ["mov", "mkv"])
def test_of_two_sounds_the_first_is_kept(tmp_path, suffix):
    source = odd_clips.write(tmp_path / f"clip.{suffix}", sounds=(48_000, 44_100))

    movie = mp4_reader.read(made(source))

    assert [track.kind for track in movie.tracks] == ["vide", "soun"]
    assert movie.track("soun").samples == [content for _, content in packets(source, "audio")]


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "ts"])
def test_a_silent_track_is_added(tmp_path, suffix):
    source = odd_clips.write(tmp_path / f"clip.{suffix}", sounds=())

    result = made(source, Recipe(audio="silent"))

    movie = mp4_reader.read(result)
    assert [track.kind for track in movie.tracks] == ["vide", "soun"] and movie.streams
    assert float(movie.track("soun").seconds) == pytest.approx(float(movie.track("vide").seconds), abs=0.025)
    assert len(movie.track("vide").samples) == 60
    assert sync(result).beep is None
    with av.open(str(result)) as container:
        assert max(abs(sample) for frame in container.decode(audio=0) for sample in _levels(frame)) < 0.001


def _levels(frame: av.AudioFrame) -> tuple[float, ...]:
    return struct.unpack(f"{frame.samples}f", bytes(frame.planes[0])[: frame.samples * 4])


@pytest.mark.parametrize(("suffix", "sound"), [("mov", "pcm_s16le"), ("mkv", "libopus"), ("ts", "libmp3lame")])
def test_only_the_sound_is_encoded(tmp_path, suffix, sound):
    source = odd_clips.write(tmp_path / f"clip.{suffix}", sound_codec=sound)

    result = made(source, Recipe(audio="aac"))

    movie = mp4_reader.read(result)
    assert [track.entry for track in movie.tracks] == ["avc1", "mp4a"] and movie.streams
    assert abs(sync(result).offset - sync(source).offset) <= MAX_OFFSET and len(sync(result).times) == 60
    assert movie.track("soun").seconds == pytest.approx(2.02, abs=0.05)


def test_fragments_are_joined(tmp_path):
    source = odd_clips.write(tmp_path / "clip.mp4", options={"movflags": "frag_keyframe+empty_moov"})
    assert "moof" in mp4_reader.read(source).order

    result = made(source)

    assert mp4_reader.read(result).streams
    assert len(sync(result).times) == 60 and abs(sync(result).offset) <= MAX_OFFSET


def test_a_stream_that_begins_in_the_middle(tmp_path):
    """Its first pictures refer to others that are not there; the sound before the first whole one is skipped."""
    source = odd_clips.write(tmp_path / "clip.ts")
    data = source.read_bytes()
    source.write_bytes(data[len(data) // 10 // 188 * 188 :])

    result = made(source)

    after = sync(result)
    assert mp4_reader.read(result).track("vide").starts == 0
    assert after.first == pytest.approx(odd_clips.GRAY, abs=4) and abs(after.offset) <= MAX_OFFSET


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [(COPY, "recipe_not_copyable"), (Recipe(video=Encode(), audio="aac"), "recipe_unreadable")],
    ids=["copied", "encoded"],
)
def test_joined_recordings_whose_clock_goes_backwards(tmp_path, recipe, reason):
    """Nothing of the second one is left out in silence."""
    source = odd_clips.write(tmp_path / "clip.ts")
    source.write_bytes(source.read_bytes() * 2)

    with pytest.raises(RecipeFailed) as failed:
        made(source, recipe)

    assert failed.value.reason == reason


def test_variable_times_of_matroska(tmp_path):
    times = [Fraction(number * number, 900) for number in range(44)]
    source = odd_clips.write(tmp_path / "clip.mkv", times=times, base=MILLISECONDS)

    after = sync(made(source))

    assert after.times == pytest.approx([float(time) for time in times], abs=0.0015)
    assert abs(after.offset) <= 0.05  # one picture's time, here


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "ts"])
def test_a_file_that_is_cut_off_is_refused(tmp_path, suffix):
    source = odd_clips.write(tmp_path / f"clip.{suffix}", options={"movflags": "faststart"} if suffix[0] == "m" else {})
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2] if suffix != "ts" else b"G" * 100_000)

    with pytest.raises(RecipeFailed) as failed:
        made(source)

    assert failed.value.reason == "recipe_unreadable"
    assert (tmp_path / "made.mp4").stat().st_size == 0 if (tmp_path / "made.mp4").exists() else True


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_index_is_refused_or_read(tmp_path, seed):
    source = clips.write_damaged(tmp_path / "clip.mp4", seed)
    try:
        result = made(source)
    except RecipeFailed as failed:
        assert failed.reason in {"recipe_unreadable", "recipe_failed", "recipe_too_heavy"}
    else:
        assert result.stat().st_size > 0


def test_a_full_disk_is_named(tmp_path):
    (tmp_path / "made.mp4").symlink_to("/dev/full")
    for suffix, recipe in (("mp4", COPY), ("mkv", COPY), ("mp4", Recipe(audio="silent"))):
        with pytest.raises(RecipeFailed) as failed:
            made(odd_clips.write(tmp_path / f"clip.{suffix}"), recipe)
        assert failed.value.reason == "recipe_no_room"


def test_a_large_index_at_the_end_takes_little_memory(tmp_path):
    """20 MB of index, as an hour with positions and captions has it, behind 100 MB."""
    source = odd_clips.write(tmp_path / "clip.mp4")
    data = source.read_bytes()
    at = data.index(b"moov") - 4
    index = bytearray(data[at:])
    filler = (20 * MB).to_bytes(4) + b"free" + bytes(20 * MB - 8)
    index[:4] = (len(index) + len(filler)).to_bytes(4)
    hole = 100 * MB
    with source.open("wb") as file:
        file.write(data[:at] + hole.to_bytes(4) + b"free")
        file.seek(at + hole)
        file.write(index + filler)
    target = tmp_path / "made.mp4"
    script = """
import sys
from pathlib import Path
from app.media.recipes.make import make
from app.media.recipes.recipe import Recipe
make(Path(sys.argv[1]), Path(sys.argv[2]), Recipe(), lambda part: None)
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""
    output = subprocess.check_output([sys.executable, "-c", script, str(source), str(target)], timeout=60)

    assert int(output) * 1024 <= 60_000_000
    assert target.stat().st_size == source.stat().st_size
    assert mp4_reader.read(target).streams and len(sync(target).times) == 60
