"""A command that is killed, or whose answers are lost, and called again: one clip, one publication, one post."""

import itertools
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import clips
from tests.clients.between import AFTER, BEFORE, HALFWAY, Between
from tests.clients.conftest import Studio, Terminal

_UPLOADS = "/api/v1/uploads"
_POINTS = (
    (f"POST {_UPLOADS}", AFTER),
    (f"PATCH {_UPLOADS}", HALFWAY),
    (f"PATCH {_UPLOADS}", AFTER),
    ("POST /api/v1/publications", BEFORE),
    ("POST /api/v1/publications", AFTER),
    ("GET /api/v1/publications/", BEFORE),
)
_numbers = itertools.count()


@pytest.fixture
def between(studio: Studio):
    with Between(studio.port) as one:
        yield one


def test_a_killed_publish_goes_on_when_it_is_called_again(
    terminal: Terminal, studio: Studio, between: Between, new_clip: Callable[..., Path]
):
    terminal.environment["VEZDE_URL"] = between.url
    for begins, point in _POINTS:
        title = f"Убитый {next(_numbers)}"
        command = ("publish", new_clip(f"{title}.mp4"), "--to", "telegram", "--title", title, "--wait")
        process = terminal.begin(*command)
        between.lose(begins, point, process.kill)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, (begins, point)
        done = terminal(*command)
        assert done.exit == 0, (begins, point, done.errors)
        assert [one["title"] for one in terminal("list", "--query", title, "--json").json["items"]] == [title]
        assert len(studio.posts(title)) == 1, (begins, point)
        assert len([one for one in publications(terminal) if one["title"] == title]) == 1, (begins, point)


def test_a_lost_answer_is_asked_for_again_by_itself(
    terminal: Terminal, studio: Studio, between: Between, new_clip: Callable[..., Path]
):
    terminal.environment["VEZDE_URL"] = between.url
    for begins, point in (_POINTS[0], _POINTS[1], _POINTS[4]):
        title = f"Потерянный {next(_numbers)}"
        between.lose(begins, point)
        done = terminal("publish", new_clip(f"{title}.mp4"), "--to", "telegram", "--title", title, "--wait")
        assert done.exit == 0, (begins, point, done.errors)
        assert "Повторим" in done.errors, (begins, point)
        assert len(studio.posts(title)) == 1, (begins, point)


def test_an_upload_goes_on_where_it_was(terminal: Terminal, between: Between, tmp_path: Path):
    """Three pieces, of which two have arrived when the command is killed."""
    file = clips.write_big(tmp_path / "heavy.mp4", 40 << 20)
    terminal.environment["VEZDE_URL"] = between.url
    process = terminal.begin("upload", file)
    patches = itertools.count(1)

    def kill_at_third() -> None:
        if next(patches) == 3:
            process.kill()
        else:
            between.lose(f"PATCH {_UPLOADS}", AFTER, kill_at_third)

    between.lose(f"PATCH {_UPLOADS}", AFTER, kill_at_third)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    sent = sum(line.startswith("PATCH") for line in between.seen)
    assert terminal("upload", file, "--wait", "--json").json["size"] == 40 << 20
    assert sum(line.startswith("PATCH") for line in between.seen) - sent <= 1, "what has arrived is not sent again"
    assert sum(line.startswith(f"POST {_UPLOADS}") for line in between.seen) == 1


def test_what_has_a_name_is_done_once_also_after_it_has_ended(
    terminal: Terminal, studio: Studio, new_clip: Callable[..., Path]
):
    file, title = new_clip(), "Названный"
    command = ("publish", file, "--to", "telegram", "--title", title, "--wait", "--json", "--key", "render-1")
    first, second = terminal(*command), terminal(*command)
    assert (first.exit, second.exit) == (0, 0)
    assert first.json == second.json
    assert len(studio.posts(title)) == 1
    assert terminal("publish", file, *command[2:-1], "render-2").exit == 0
    assert len(studio.posts(title)) == 2


def test_two_of_the_same_at_once_make_one(terminal: Terminal, between: Between, new_clip: Callable[..., Path]):
    file = new_clip("двое.mp4")
    second = {}
    terminal.environment["VEZDE_URL"] = between.url
    between.lose(
        f"PATCH {_UPLOADS}", BEFORE, lambda: second.update(done=terminal.apart("upload", file, "--patience", "0"))
    )
    assert terminal("upload", file).exit == 0
    assert second["done"].exit == 4
    assert "другой процесс" in second["done"].errors
    assert len(terminal("list", "--query", "двое", "--json").json["items"]) == 1


def test_ctrl_c_says_how_to_go_on(terminal: Terminal, between: Between, new_clip: Callable[..., Path]):
    terminal.environment["VEZDE_URL"] = between.url
    file = new_clip()
    process = terminal.begin("upload", file)
    between.lose(f"PATCH {_UPLOADS}", BEFORE, lambda: process.send_signal(signal.SIGINT))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "продолжит" in errors
    assert terminal("upload", file).exit == 0


def publications(terminal: Terminal) -> list[dict]:
    return terminal("list", "publications", "--limit", 200, "--json").json["items"]
