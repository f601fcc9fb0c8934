"""A rendition is made in a process that can write the one file, and ends with its parent."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.media import probe, recipe_process
from app.media.recipes.recipe import Encode, Recipe, RecipeFailed
from app.process import landlock, syscall_filter
from tests import clips

ROOT = Path(__file__).parents[2]
ENCODED = Recipe(video=Encode(preset="ultrafast"), audio="aac", width=90, height=160)

_HOSTILE = f"""
import sys
sys.path.append({str(ROOT)!r})
import av, errno, json, os, socket, threading
from pathlib import Path
from app.media import recipe_child

clip, target = Path(sys.argv[1]), Path(sys.argv[2])
began = []
attempts = {{
    "the users": lambda: open("/etc/passwd"),
    "the other clip": lambda: open(clip.with_name("other.mp4")),
    "the clip": lambda: open(clip, "r+b"),
    "a new file": lambda: open(target.with_name("new"), "w"),
    "the target's removal": lambda: target.unlink(),
    "a folder": lambda: os.listdir(target.parent),
    "a socket": socket.socket,
    "a fork": os.fork,
    "a program": lambda: os.execv("/bin/true", ["true"]),
    "the parent's end": lambda: os.kill(os.getppid(), 0),
}}
recipe_child.limit_this_process(clip, target, 1 << 20, is_copy=False)
said = {{}}
for name, attempt in attempts.items():
    try:
        attempt()
        said[name] = "done"
    except OSError as error:
        said[name] = errno.errorcode[error.errno]
thread = threading.Thread(target=began.append, args=[1])
thread.start()
thread.join()
with open(target, "w+b") as file:
    file.write(b"12345678")
    file.truncate(4)
    file.seek(0)
    said["the target"] = file.read().decode()
said["a thread"] = len(began)
sys.stdout.write(json.dumps(said))
"""


def made(source: Path, recipe: Recipe, target: Path, most: int = 1 << 30) -> list[float]:
    seen: list[float] = []
    recipe_process.make(source, target, recipe, most, seen.append)
    return seen


@pytest.mark.skipif(
    not os.environ.get("CI") and not (landlock.version() >= 6 and syscall_filter.is_supported()),
    reason="в этом ядре нет Landlock или seccomp",
)
def test_it_can_write_the_one_file_and_start_threads_and_nothing_else(tmp_path: Path):
    for name in ("clip.mp4", "other.mp4", "target"):
        (tmp_path / name).write_bytes(b"clip")
    command = [sys.executable, "-I", "-c", _HOSTILE, str(tmp_path / "clip.mp4"), str(tmp_path / "target")]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    assert (said.pop("the target"), said.pop("a thread")) == ("1234", 1)
    assert set(said.values()) <= {"EACCES", "EPERM"}, said


def test_encoding_has_its_threads_there(tmp_path: Path):
    source = clips.write(tmp_path / "clip.mkv", seconds=1)
    seen = made(source, ENCODED, tmp_path / "target")
    assert seen == sorted(seen) and seen[-1] == 1
    facts = probe.probe(tmp_path / "target")
    assert (facts.container, facts.video_codec, facts.width, facts.height) == ("mp4", "h264", 90, 160)


def test_what_is_no_video_and_what_does_not_fit_have_their_reasons(tmp_path: Path):
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(os.urandom(5000))
    with pytest.raises(RecipeFailed) as failed:
        made(broken, Recipe(), tmp_path / "target")
    assert failed.value.reason == "recipe_unreadable"
    with pytest.raises(RecipeFailed) as failed:
        made(clips.write(tmp_path / "clip.mkv"), Recipe(), tmp_path / "target", most=10_000)
    assert failed.value.reason == "recipe_no_room"


def test_a_caller_that_has_lost_the_row_ends_the_child(tmp_path: Path):
    class Lost(Exception):
        pass

    def lost(_part: float) -> None:
        raise Lost

    source = clips.write(tmp_path / "clip.mp4", seconds=1)
    with pytest.raises(Lost):
        recipe_process.make(source, tmp_path / "target", ENCODED, 1 << 30, lost)
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert not [one for one in children if b"recipe_child" in Path(f"/proc/{one}/cmdline").read_bytes()]
