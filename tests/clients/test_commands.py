"""Each command once as it is typed: what it prints, what it leaves behind, and its exit code."""

import json
import os
import pty
from collections.abc import Callable
from pathlib import Path

from tests.clients.conftest import Studio, Terminal

NewClip = Callable[..., Path]


def test_a_login_keeps_the_key_for_its_user_only_and_a_logout_forgets_it(terminal: Terminal, studio: Studio):
    del terminal.environment["VEZDE_URL"], terminal.environment["VEZDE_API_KEY"]
    assert terminal("connections").exit == 3, "nobody has logged in"
    assert terminal("login", typed=studio.key).exit == 2, "where to?"
    wrong = terminal("login", "--url", studio.url, typed="vz_wrong\n")
    assert (wrong.exit, terminal("sets").exit) == (3, 3), "what does not open is not kept"
    done = terminal("login", "--url", f"{studio.url}/", typed=f"{studio.key}\n")
    assert (done.exit, "читать и менять" in done.out) == (0, True)
    kept = terminal.folder / "config" / "vezde" / "login.json"
    assert oct(kept.stat().st_mode & 0o777) == "0o600"
    assert studio.key not in done.out + done.errors
    assert {one["platform"] for one in terminal("connections", "--json").json["items"]} == {"telegram", "vk"}
    terminal.environment["VEZDE_URL"] = "http://127.0.0.1:9"
    assert terminal("sets").exit == 3, "a kept key does not go to another address"
    del terminal.environment["VEZDE_URL"]
    assert terminal("logout").exit == 0
    assert not kept.exists()


def test_the_main_job_a_file_becomes_posts(terminal: Terminal, studio: Studio, new_clip: NewClip):
    file = new_clip()
    done = terminal("publish", file, "--to", "vk,telegram", "--title", "Пашня в мае", "--wait", "--json")
    assert done.exit == 0, done.errors
    [item] = done.json["items"]
    assert [one["publication"]["status"] for one in item["results"]] == ["published", "published"]
    assert len(studio.posts("Пашня в мае")) == 2
    again = terminal("publish", "--clip", item["clip_id"], "--to", "telegram")
    assert again.exit == 1, "it is published there"
    assert terminal("publish", "--clip", item["clip_id"], "--to", "telegram", "--again", "--wait").exit == 0
    [first, _] = [one["publication"]["id"] for one in item["results"]]
    shown = terminal("status", first)
    assert (shown.exit, "Опубликовано" in shown.out, "http" in shown.out) == (0, True, True)
    assert list((terminal.folder / "state" / "vezde" / "journal").glob("*.json")) == []


def test_what_is_scheduled_is_moved_and_cancelled(terminal: Terminal, new_clip: NewClip):
    """In the zone of the account, which is not the machine's."""
    terminal.environment["TZ"] = "America/New_York"
    done = terminal("publish", new_clip(), "--to", "vk", "--at", "2027-03-01 10:00", "--json")
    assert done.exit == 0, done.errors
    publication = done.json["items"][0]["results"][0]["publication"]
    assert (publication["status"], publication["due_at"]) == ("scheduled", "2027-03-01T05:00:00Z")
    number = publication["id"]
    assert str(number) in terminal("status").out
    moved = terminal("move", number, "--at", "2027-03-02T10:00+03:00", "--json")
    assert moved.json["items"][0]["due_at"] == "2027-03-02T07:00:00Z"
    waited = terminal("status", number, "--wait", "--timeout", "0.5")
    assert (waited.exit, waited.out) == (5, "")
    assert terminal("cancel", number).exit == 0
    assert terminal("status", number, "--wait").exit == 1, "it has ended otherwise"
    both = terminal("move", number, 1 << 40, "--now")
    assert both.exit == 1
    assert both.errors.count("\n") == 2


def test_a_slot_of_a_set(terminal: Terminal, studio: Studio, new_clip: NewClip):
    file = new_clip()
    assert terminal("publish", file, "--set", "Утро").exit == 2
    accounts = [str(one["id"]) for one in terminal("connections", "--json").json["items"]]
    studio.person.post("/settings/sets/new", "/settings/sets/new", **{"set-name": "Утро", "connection": accounts})
    [made] = terminal("sets", "--json").json["items"]
    assert terminal("publish", file, "--set", "утро", "--slot").exit == 1, "it has no slots"
    page = "/settings/sets"
    studio.person.post(f"{page}/{made['id']}/slots", page, times="10:30", weekday=["0", "3"])
    first = terminal("sets", "--json").json["items"][0]["next_slots"][0]["at"]
    done = terminal("publish", file, "--set", "Утро", "--slot", "--json")
    results = done.json["items"][0]["results"]
    assert [one["publication"]["due_at"] for one in results] == [first, first]
    assert terminal("cancel", *(one["publication"]["id"] for one in results)).exit == 0
    assert terminal("publish", file, "--to", "vk", "--slot").exit == 2, "of which set?"


def test_some_of_several(terminal: Terminal, new_clip: NewClip, tmp_path: Path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(os.urandom(1000))
    done = terminal("publish", broken, new_clip(), "--to", "vk", "--at", "2027-03-01 12:00", "--json")
    assert done.exit == 6
    refused, made = done.json["items"]
    assert refused["error"]["code"]
    assert made["results"][0]["publication"]["status"] == "scheduled"
    assert "broken.mp4" in done.errors
    terminal("cancel", made["results"][0]["publication"]["id"])
    assert terminal("upload", broken, "--wait").exit == 1


def test_a_platform_that_refuses_is_an_exit_code(terminal: Terminal, studio: Studio, new_clip: NewClip):
    studio.running.control("trouble", rules=[{"match": "sendVideo", "do": "error:403 Forbidden: bot was kicked"}])
    try:
        done = terminal("publish", new_clip(), "--to", "telegram", "--wait")
    finally:
        studio.running.control("trouble", rules=[])
    assert done.exit == 1
    assert "Ошибка" in done.out
    number = done.out.split()[0]
    retried = terminal("retry", number)
    assert retried.exit == 0, retried.errors
    assert terminal("status", number, "--wait").exit in (0, 1)


def test_what_a_key_may_not(studio: Studio, terminal: Terminal, new_clip: NewClip):
    terminal.environment["VEZDE_API_KEY"] = studio.reading_key
    assert terminal("list").exit == 0
    done = terminal("upload", new_clip(), "--json")
    assert (done.exit, done.json["error"]["code"]) == (3, "api_scope_missing")


def test_what_is_typed_wrong_is_said_in_russian(terminal: Terminal, new_clip: NewClip):
    file = new_clip()
    for arguments, said in (
        ((), "не хватает"),
        (("publish", file), "нужно одно из"),
        (("publish", "--to", "vk"), "Назовите файл"),
        (("publish", "нет.mp4", "--to", "vk"), "Такого файла нет"),
        (("publish", file, "--to", "vk", "--set", "x"), "вместе не бывают"),
        (("publish", file, "--to", "vk", "--at", "завтра"), "не разобрать"),
        (("publish", file, "--to", "rutube"), "Подключены"),
        (("publish", file, "--to", "vk", "--option", "vk.nothing=1"), "нет настройки"),
        (("publish", file, "--to", "vk", "--option", "чепуха"), "записана не так"),
        (("status", "x"), "нужно число"),
        (("move", "1"), "нужно одно из"),
        (("list", "everything"), "не подходит"),
        (("fly",), "не подходит"),
    ):
        done = terminal(*arguments)
        assert (done.exit, done.out) == (2, ""), arguments
        assert said in done.errors, (arguments, done.errors)
        assert "error" not in done.errors
        assert "argument" not in done.errors


def test_progress_is_drawn_for_a_person_and_for_nobody_else(terminal: Terminal, new_clip: NewClip):
    assert "█" not in terminal("upload", new_clip()).errors
    near, far = pty.openpty()
    process = terminal.begin("upload", new_clip("рассвет.mp4"), stderr=far)
    assert process.wait(60) == 0
    os.close(far)
    drawn = os.read(near, 10_000).decode()
    os.close(near)
    assert "рассвет.mp4 [" in drawn
    assert "100 %" in drawn


def test_the_list_is_as_long_as_asked(terminal: Terminal, new_clip: NewClip):
    for name in ("озеро 1.mp4", "озеро 2.mp4", "озеро 3.mp4"):
        assert terminal("upload", new_clip(name), "--text", "Тихо").exit == 0
    found = terminal("list", "--query", "озеро", "--limit", 2, "--json").json["items"]
    assert [(one["title"], one["text"]) for one in found] == [("озеро 3", "Тихо"), ("озеро 2", "Тихо")]
    lines = terminal("list", "publications", "--status", "published").out.splitlines()
    assert all("Опубликовано" in line for line in lines)
    assert json.loads(terminal("list", "--limit", 1, "--json").out)["items"]
