"""A folder that is watched: whole files only, each once, and what lies beside them counts."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.conftest import Studio, Terminal

STABLE = ("--stable", "0.4")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "renders"
    made.mkdir()
    return made


def beside(path: Path, **facts: object) -> Path:
    sidecar = path.with_name(f"{path.name}.json")
    sidecar.write_text(json.dumps(facts, ensure_ascii=False))
    return sidecar


def titles(terminal: Terminal, query: str) -> list[str]:
    return [one["title"] for one in terminal("list", "--query", query, "--json").json["items"]]


def test_a_file_is_taken_once_by_whatever_name(
    terminal: Terminal, studio: Studio, folder: Path, new_clip: Callable[..., Path]
):
    file = new_clip("ручей.mp4", folder)
    (folder / "заметки.txt").write_text("не видео")
    (folder / ".ручей.mp4").write_bytes(b"half of a copy")
    first = terminal("watch", folder, "--once", *STABLE, "--json")
    assert first.exit == 0, first.errors
    [line] = first.out.splitlines()
    assert json.loads(line)["clip_id"]
    file.rename(folder / "река.mp4")
    assert terminal("watch", folder, "--once", *STABLE).out == ""
    assert titles(terminal, "ручей") == ["ручей"]
    assert titles(terminal, "река") == []
    assert studio.posts("ручей") == [], "where to was not said"


def test_what_lies_beside_decides(terminal: Terminal, studio: Studio, folder: Path, new_clip: Callable[..., Path]):
    file = new_clip("лес.mp4", folder)
    sidecar = beside(file, to=["telegram"], title="Лес ночью", when="now")
    refused = terminal("watch", folder, "--once", *STABLE, "--to", "vk")
    assert (refused.exit, "лишнее — when" in refused.errors) == (2, True)
    assert terminal("watch", folder, "--once", *STABLE).out == "", "the same is not tried again"
    sidecar.unlink()
    beside(file, to=["telegram"], title="Лес ночью", at="2027-05-01 10:00", text="Сова")
    done = terminal("watch", folder, "--once", *STABLE, "--to", "vk", "--json")
    assert done.exit == 0, done.errors
    [result] = json.loads(done.out)["results"]
    publication = result["publication"]
    assert (publication["platform"], publication["title"]) == ("telegram", "Лес ночью")
    assert (publication["text"], publication["due_at"]) == ("Сова", "2027-05-01T05:00:00Z")
    assert terminal("cancel", publication["id"]).exit == 0


def test_a_file_that_still_grows_is_left_alone(terminal: Terminal, folder: Path, new_clip: Callable[..., Path]):
    whole = new_clip("поле.mp4").read_bytes()
    growing = folder / "поле.mp4"
    growing.write_bytes(whole[:1000])
    process = terminal.begin("watch", folder, "--once", "--stable", "1.5")
    for end in (2000, 3000, len(whole)):
        time.sleep(0.7)
        with growing.open("ab") as file:
            file.write(whole[growing.stat().st_size : end])
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    found = terminal("list", "--query", "поле", "--json").json["items"]
    assert [one["size"] for one in found] == [len(whole)]


def test_two_watchers_do_not_share_a_folder_and_a_killed_one_is_gone_on_with(
    terminal: Terminal, folder: Path, new_clip: Callable[..., Path]
):
    process = terminal.begin("watch", folder, *STABLE, "--require-sidecar")
    second = terminal("watch", folder, "--once", *STABLE)
    for _ in range(20):
        if second.exit:
            break
        second = terminal("watch", folder, "--once", *STABLE)  # the first one was still starting
    assert (second.exit, "уже следит" in second.errors) == (4, True)
    file = new_clip("море.mp4", folder)
    beside(file)
    assert process.stdout.readline().strip().startswith("море.mp4: клип")
    process.kill()
    process.communicate(timeout=20)
    os.utime(file)
    assert terminal("watch", folder, "--once", *STABLE).out == ""
    assert titles(terminal, "море") == ["море"]


def test_what_cannot_be_watched(terminal: Terminal, tmp_path: Path):
    assert terminal("watch", tmp_path / "nowhere", "--once").exit == 2
