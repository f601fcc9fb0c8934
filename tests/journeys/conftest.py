"""A real browser before the real `make run`: every process, on ports of its own."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

import demo
from tests.conftest import free_port

ROOT = Path(__file__).parent.parent.parent
# Beside seven other processes of tests a page may take long.
expect.set_options(timeout=20_000)

# The first one has no window to draw, and so needs half the time. Debian has it.
PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")
# What the browser and htmx say of a response that refuses, of a fragment for what a list no longer shows, and of a poll
# that is given up with its page: no fault of a page.
REFUSALS = (
    "Failed to load resource",
    "Response Status Error Code",
    "htmx:oobErrorNoTarget",
    "htmx:afterRequest",
    "htmx:sendAbort",
)


class Running:
    """A running «Везде»: `url`, `sandbox_url`, the sandbox's control, and `folder`, where its state lies."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        port, sandbox_port = free_port(), free_port()
        self.url, self.sandbox_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{sandbox_port}"
        environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        environment |= {
            "PORT": str(port),
            "SANDBOX_PORT": str(sandbox_port),
            "VAR_DIR": str(folder),
            "WORKERS": "3",
            "RETRY_SECONDS": "1,1,1",
            **settings,
        }
        self._process = subprocess.Popen([sys.executable, "run.py"], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        for line in self._process.stdout:
            if "Остановить" in line.decode():
                return
        raise RuntimeError(f"run.py did not come up: {self._process.wait()}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def control(self, what: str, /, **order) -> dict:
        method = "POST" if order or what == "reset" else "GET"
        response = requests.request(method, f"{self.sandbox_url}/control/{what}", json=order, timeout=30)
        response.raise_for_status()
        return response.json()

    @property
    def posts(self) -> list[dict]:
        return self.control("posts")["posts"]

    def forget_attempts(self) -> None:
        """All journeys come from one address, whose attempts are limited."""
        client = redis.Redis(unix_socket_path=str(demo.redis_socket(self.folder)))
        if counted := list(client.scan_iter("attempts:*")):
            client.delete(*counted)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all journeys of this process: each has users of its own. It ends with the last of them."""
    one = Running(tmp_path_factory.mktemp("var"))
    yield one
    one.stop()


@pytest.fixture
def vezde(running: Running) -> Running:
    running.control("reset")
    running.forget_attempts()
    return running


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing: .ci/run installs it")
        pytest.skip("нужен chromium: apt install chromium")
    browser = playwright.chromium.launch(
        executable_path=program, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    )
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def contexts(chromium: Browser) -> Iterator[dict[str, BrowserContext]]:
    """By the address of what runs; kept, with the scripts and styles that the browser has read and compiled."""
    made: dict[str, BrowserContext] = {}
    yield made
    for context in made.values():
        context.close()


@pytest.fixture
def page(chromium: Browser, contexts: dict[str, BrowserContext], vezde: Running) -> Iterator[Page]:
    """A page without a session; whatever the console or the content policy complains about fails the test."""
    if vezde.url not in contexts:
        contexts[vezde.url] = chromium.new_context(
            base_url=vezde.url,
            locale="ru-RU",
            timezone_id="Asia/Yekaterinburg",
            reduced_motion="reduce",  # what turns while something is waited for is drawn sixty times a second
        )
    context = contexts[vezde.url]
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type == "error" and not message.text.startswith(REFUSALS)
            else None
        ),
    )
    yield page
    for one in context.pages:
        one.close()
    forget_visits(context, vezde.url)
    assert complaints == []


def forget_visits(context: BrowserContext, url: str) -> None:
    """All but the browser's own cache."""
    context.clear_cookies()
    page = context.new_page()
    context.new_cdp_session(page).send("Storage.clearDataForOrigin", {"origin": url, "storageTypes": "all"})
    page.close()
