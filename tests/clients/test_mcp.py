"""The MCP server, with the client of the official SDK, over both transports."""

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import requests
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.clients.conftest import Studio, Terminal
from vezde_client.api import Api
from vezde_client.mcp.server import build

READ = ["list_clips", "list_connections", "list_publications", "plan", "publication_status", "statistics"]
WRITE = ["cancel", "move", "publish", "publish_confirm", "upload_clip"]
TOKEN = "demo-" + secrets.token_urlsafe(16)

Connect = Callable[..., Any]


@asynccontextmanager
async def by_stdio(terminal: Terminal, *arguments: object) -> AsyncIterator[Client]:
    command = ["-m", "vezde_client", "mcp", *map(str, arguments)]
    async with Client(StdioServerParameters(command=sys.executable, args=command, env=terminal.environment)) as client:
        yield client


@asynccontextmanager
async def by_http(terminal: Terminal, *arguments: object) -> AsyncIterator[Client]:
    terminal.environment["VEZDE_MCP_TOKEN"] = TOKEN
    process = terminal.begin("mcp", "--http", "--port", 0, *arguments)
    try:
        url = process.stderr.readline().strip()
        assert requests.post(url, json={}, timeout=10).status_code == 401
        assert requests.post(url, headers={"Authorization": "Bearer x"}, timeout=10).status_code == 401
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=20)


async def ask(client: Client, tool: str, /, **arguments: object) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def refusal(client: Client, tool: str, /, **arguments: object) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return result.content[0].text


@pytest.mark.parametrize("connect", [by_stdio, by_http])
def test_it_only_reads_unless_it_is_allowed_more(terminal: Terminal, connect: Connect):
    async def talk() -> None:
        async with connect(terminal) as client:
            tools = (await client.list_tools()).tools
            assert sorted(one.name for one in tools) == READ
            assert all(one.annotations.read_only_hint and one.title and one.description for one in tools)
            assert "только смотреть" in client.instructions
            known = await ask(client, "list_connections")
            assert {one["platform"] for one in known["connections"]} == {"telegram", "vk"}
            assert (await ask(client, "statistics"))["timezone"] == "Asia/Yekaterinburg"
            assert "нет" in await refusal(client, "publication_status", publication_id=1 << 40)
            assert (await client.call_tool("cancel", {"publication_id": 1})).is_error

    asyncio.run(talk())


@pytest.mark.parametrize("connect", [by_stdio, by_http])
def test_a_publication_is_planned_confirmed_moved_and_cancelled(
    terminal: Terminal, studio: Studio, connect: Connect, new_clip: Callable[..., Path], tmp_path: Path
):
    title = f"Помощник {secrets.token_hex(4)}"
    new_clip("гора.mp4")
    folder = ("--allow-publish", "--folder", tmp_path)

    async def talk() -> None:
        async with connect(terminal, *folder) as client:
            assert sorted(one.name for one in (await client.list_tools()).tools) == sorted(READ + WRITE)
            clip = await ask(client, "upload_clip", path="гора.mp4", title=title)
            while clip["status"] == "processing":
                await asyncio.sleep(0.2)
                [clip] = (await ask(client, "list_clips", query=title))["clips"]
            wish = {"clip_id": clip["id"], "to": ["telegram"], "at": "2027-06-01 10:00"}
            plan = await ask(client, "plan", **wish)
            assert (plan["when"]["local"], plan["items"][0]["problems"]) == ("01.06.2027 10:00", [])
            made = await ask(client, "publish", **wish)
            assert made["plan"] == plan
            assert await of_clip(client, clip) == [], "a plan changes nothing"
            twice = [await ask(client, "publish_confirm", confirmation=made["confirmation"]) for _ in range(2)]
            assert twice[0] == twice[1]
            [publication] = await of_clip(client, clip)
            number = publication["id"]
            assert publication["due_at"] == "2027-06-01T05:00:00Z"
            again = await ask(client, "plan", **wish)
            assert again["items"][0]["problems"], "it waits there already"
            moved = await ask(client, "move", publication_id=number, at="2027-06-02T10:00+03:00")
            assert moved["due_at"] == "2027-06-02T07:00:00Z"
            assert "Назовите" in await refusal(client, "move", publication_id=number)
            assert (await ask(client, "cancel", publication_id=number))["status"] == "cancelled"
            assert "устарел" in await refusal(client, "publish_confirm", confirmation="x")
            assert "Назовите" in await refusal(client, "publish", clip_id=clip["id"])

    asyncio.run(talk())
    assert studio.posts(title) == []


async def of_clip(client: Client, clip: dict[str, Any]) -> list[dict[str, Any]]:
    return (await ask(client, "list_publications", clip_id=clip["id"]))["publications"]


def test_files_are_only_taken_from_the_folder(tmp_path: Path, new_clip: Callable[..., Path]):
    """Without a process of its own: it is refused before anything is sent."""
    inside = tmp_path / "inside"
    inside.mkdir()
    outside = new_clip("outside.mp4")
    (inside / "link.mp4").symlink_to(outside)
    (inside / "notes.txt").write_text("x")

    def nowhere() -> Api:
        raise AssertionError("it connects")

    async def talk() -> None:
        async with Client(build(nowhere, allow_publish=True, folder=inside)) as client:
            for path in (outside, "../outside.mp4", "link.mp4", "notes.txt", "/etc/passwd", "x\0.mp4"):
                assert "Можно загружать только" in await refusal(client, "upload_clip", path=str(path)), path
            assert "Такого файла нет" in await refusal(client, "upload_clip", path="none.mp4")
        async with Client(build(nowhere, allow_publish=True)) as client:
            assert "--folder" in await refusal(client, "upload_clip", path=str(outside))

    asyncio.run(talk())


def test_without_a_login_or_a_token_it_does_not_start(terminal: Terminal):
    terminal.environment["VEZDE_MCP_TOKEN"] = "short"
    assert terminal("mcp", "--http", "--port", 0).exit == 2
    terminal.environment["VEZDE_API_KEY"] = "vz_wrong"
    done = terminal("mcp", "--json")
    assert done.exit == 3
    assert json.loads(done.out)["error"]["code"] == "api_key_wrong"
