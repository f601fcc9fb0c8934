"""The sandbox is tested alone: without the application, its database and Redis."""

import asyncio
import hashlib
import io
import re
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl, urlsplit

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
def session_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for the session."""
    sandbox = start_sandbox(tmp_path_factory.mktemp("sandbox"))
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(session_sandbox: Sandbox) -> Sandbox:
    """The sandbox in its initial state, without rate limits."""
    session_sandbox.reset()
    session_sandbox.control("options", rate_limits=False)
    return session_sandbox


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return clips.vertical(tmp_path_factory.mktemp("clips")).read_bytes()


@pytest.fixture(scope="session")
def jpeg() -> Callable[[int, int], bytes]:
    """Returns a function that makes a JPEG of a width and height."""

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
def call_bot(sandbox: Sandbox) -> Callable[..., Any]:
    """Calls the unmodified python-telegram-bot: `call_bot(lambda bot: bot.get_me())`."""

    def call(call_api: Callable[[telegram.Bot], Coroutine], token: str = BOT) -> Any:
        async def run() -> Any:
            async with telegram.Bot(token, base_url=f"{sandbox.url}/telegram/bot") as bot:
                return await call_api(bot)

        # In a thread of its own: Playwright leaves an event loop running in that of the tests.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, run()).result()

    return call


@pytest.fixture
def send(sandbox: Sandbox) -> Callable[..., requests.Response]:
    """A plain multipart `sendVideo` to the demo channel."""

    def call(data: bytes = b"clip", *, token: str = BOT, name: str = "video", **fields: Any) -> requests.Response:
        fields = {"chat_id": CHANNEL, "caption": "Закат", **fields}
        files = {name: ("clip.mp4", data, "video/mp4")}
        return requests.post(f"{sandbox.url}/telegram/bot{token}/sendVideo", fields, files=files, timeout=20)

    return call


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """Waits until `condition` returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError(f"not true within {seconds} s")


class Callback:
    """The redirect of a consent page: the app's URL and its parameters."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.params = dict(parse_qsl(urlsplit(url).query))


@pytest.fixture
def consent() -> Callable[..., Callback]:
    """Opens a consent page and submits it with one of its buttons, like a browser."""

    def press(url: str, label: str = "Разрешить", account: str | None = None) -> Callback:
        page = requests.get(url, timeout=10)
        page.raise_for_status()
        name, value = re.search(rf'<button[^>]* name="(\w+)" value="(\w+)">{label}</button>', page.text).groups()
        chosen = account or re.search(r'name="account" value="(\w+)" checked', page.text)[1]
        assert f'name="account" value="{chosen}"' in page.text
        response = requests.post(url, {name: value, "account": chosen}, timeout=10, allow_redirects=False)
        assert response.status_code == 303, response.text
        return Callback(response.headers["Location"])

    return press
