"""The sandbox is tested by itself: nothing here needs the application, its database or Redis."""

import asyncio
import hashlib
import io
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import av
import pytest
import requests
import telegram

from sandbox.testing import Sandbox, start_sandbox
from tests import clips

BOT = "110201543:AAdemo-demo-demo-demo-demo-demo-demo"
BOT_ID = 110201543
CHANNEL = -1001000000001


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for the whole run."""
    sandbox = start_sandbox(tmp_path_factory.mktemp("sandbox"))
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(world: Sandbox) -> Sandbox:
    """The sandbox as at its start, without rate limits."""
    world.reset()
    world.control("options", rate_limits=False)
    return world


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return clips.vertical(tmp_path_factory.mktemp("clips")).read_bytes()


@pytest.fixture(scope="session")
def jpeg() -> Callable[[int, int], bytes]:
    """Makes a JPEG of any width and height."""

    def make(width: int, height: int) -> bytes:
        file = io.BytesIO()
        with av.open(file, "w", format="mjpeg") as container:
            stream = container.add_stream("mjpeg")
            stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
            container.mux(stream.encode(av.VideoFrame(width, height, "yuvj420p")))
            container.mux(stream.encode(None))
        return file.getvalue()

    return make


@pytest.fixture
def ask(sandbox: Sandbox) -> Callable[..., Any]:
    """Calls python-telegram-bot, unchanged: `ask(lambda bot: bot.get_me())`."""

    def call(deed: Callable[[telegram.Bot], Coroutine], token: str = BOT) -> Any:
        async def run() -> Any:
            async with telegram.Bot(token, base_url=f"{sandbox.url}/telegram/bot") as bot:
                return await deed(bot)

        return asyncio.run(run())

    return call


@pytest.fixture
def send(sandbox: Sandbox) -> Callable[..., requests.Response]:
    """A plain multipart `sendVideo` to the demo channel."""

    def call(
        data: bytes = b"clip", *, token: str = BOT, name: str = "video", **fields: Any
    ) -> requests.Response:
        fields = {"chat_id": CHANNEL, "caption": "Закат", **fields}
        files = {name: ("clip.mp4", data, "video/mp4")}
        return requests.post(f"{sandbox.url}/telegram/bot{token}/sendVideo", fields, files=files, timeout=20)

    return call


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
