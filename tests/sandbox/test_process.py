"""The sandbox as a process: kills, concurrent uploads, large uploads."""

import hashlib
import http.client
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from sandbox.testing import Sandbox, start_sandbox
from tests.sandbox.conftest import BOT, CHANNEL, sha256, until

BLOCK = os.urandom(1 << 20)
BOUNDARY = "upload"


@pytest.fixture(scope="module")
def own_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = start_sandbox(tmp_path_factory.mktemp("own"))
    yield sandbox
    sandbox.stop()


class Upload:
    """A `sendVideo` whose body is generated during the upload."""

    def __init__(self, sandbox: Sandbox, blocks: int) -> None:
        fields = {"chat_id": str(CHANNEL), "caption": "Большой"}
        head = "".join(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        head += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\n'
        self.head, self.tail = head.encode(), f"\r\n--{BOUNDARY}--\r\n".encode()
        self.blocks = blocks
        self.connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=60)
        self.connection.putrequest("POST", f"/telegram/bot{BOT}/sendVideo")
        self.connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
        self.connection.putheader("Content-Length", str(len(self.head) + blocks * len(BLOCK) + len(self.tail)))
        self.connection.endheaders(self.head)

    def send(self, blocks: int) -> None:
        for _ in range(blocks):
            self.connection.send(BLOCK)

    def finish(self) -> int:
        self.connection.send(self.tail)
        return self.connection.getresponse().status


def status_kb(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise LookupError(field)


def worker_pid(sandbox: Sandbox) -> int:
    return int(Path(f"/proc/{sandbox.pid}/task/{sandbox.pid}/children").read_text())


def test_a_big_upload_needs_little_memory(own_sandbox):
    own_sandbox.reset()
    before = status_kb(worker_pid(own_sandbox), "VmRSS")
    upload = Upload(own_sandbox, 300)
    upload.send(300)
    assert upload.finish() == 200
    grown_mb = (status_kb(worker_pid(own_sandbox), "VmHWM") - before) / 1024
    assert grown_mb < 24, f"300 MB took {grown_mb:.0f} MB of memory"
    digest = hashlib.sha256()
    for _ in range(300):
        digest.update(BLOCK)
    assert [(post["bytes"], post["sha256"]) for post in own_sandbox.posts] == [(300 << 20, digest.hexdigest())]


def test_concurrent_uploads_do_not_mix(own_sandbox):
    own_sandbox.reset()
    own_sandbox.control("options", rate_limits=False)
    clips = [os.urandom(3_000_000) for _ in range(12)]

    def send(clip: bytes) -> int:
        url = f"{own_sandbox.url}/telegram/bot{BOT}/sendVideo"
        files = {"video": ("clip.mp4", clip)}
        return requests.post(url, {"chat_id": CHANNEL}, files=files, timeout=60).json()["result"]["message_id"]

    with ThreadPoolExecutor(12) as pool:
        numbers = list(pool.map(send, clips))
    assert sorted(numbers) == list(range(1, 13))
    arrived = {int(post["id"]): post["sha256"] for post in own_sandbox.posts}
    assert arrived == {number: sha256(clip) for number, clip in zip(numbers, clips, strict=True)}


def test_a_draft_shows_what_arrived_so_far(own_sandbox):
    own_sandbox.reset()
    upload = Upload(own_sandbox, 8)
    upload.send(4)
    draft = until(lambda: next((draft for draft in own_sandbox.drafts if draft["bytes"] >= 3 << 20), None))
    assert (draft["sha256"], draft["title"]) == (None, "Большой")
    upload.send(4)
    assert upload.finish() == 200
    assert own_sandbox.drafts == []


def test_an_upload_during_a_reset_leaves_nothing_behind(own_sandbox):
    own_sandbox.reset()
    upload = Upload(own_sandbox, 4)
    upload.send(2)
    until(lambda: own_sandbox.drafts)
    own_sandbox.reset()
    upload.send(2)
    with pytest.raises(ConnectionError):
        upload.finish()
    assert own_sandbox.posts == own_sandbox.drafts == []


def test_the_state_survives_a_kill(own_sandbox, clip):
    own_sandbox.reset()
    own_sandbox.control("tokens", platform="telegram", token="77:second", username="second_bot")
    own_sandbox.control("options", telegram_max_mb=100, rate_limits=False)
    own_sandbox.trouble({"match": "getMe", "do": "status:500", "nth": 2})
    files = {"video": ("clip.mp4", clip)}
    requests.post(
        f"{own_sandbox.url}/telegram/bot{BOT}/sendVideo",
        {"chat_id": CHANNEL, "caption": "Жив"},
        files=files,
        timeout=10,
    ).raise_for_status()
    assert requests.get(f"{own_sandbox.url}/telegram/bot{BOT}/getMe", timeout=10).ok
    upload = Upload(own_sandbox, 8)
    upload.send(4)
    until(lambda: own_sandbox.drafts and own_sandbox.drafts[0]["bytes"] >= 3 << 20)
    posts, logged = own_sandbox.posts, own_sandbox.requests

    own_sandbox.kill()
    own_sandbox.restart()
    assert own_sandbox.posts == posts
    assert own_sandbox.requests == logged
    assert own_sandbox.control("options")["telegram_max_mb"] == 100
    page = requests.get(posts[0]["url"], timeout=10).text
    assert "Жив" in page
    [draft] = own_sandbox.drafts
    received = BLOCK * 4
    assert draft["sha256"] == sha256(received[: draft["bytes"]])
    assert requests.get(f"{own_sandbox.url}/telegram/bot77:second/getMe", timeout=10).status_code == 500
    assert requests.get(f"{own_sandbox.url}/telegram/bot77:second/getMe", timeout=10).ok
    again = requests.post(
        f"{own_sandbox.url}/telegram/bot{BOT}/sendVideo", {"chat_id": CHANNEL}, files=files, timeout=10
    )
    assert again.json()["result"]["message_id"] == 2


def test_the_worker_ends_with_a_killed_parent(own_sandbox):
    worker = worker_pid(own_sandbox)
    own_sandbox.kill()
    until(lambda: not Path(f"/proc/{worker}").exists() or status(worker) == "Z")
    own_sandbox.restart()


def status(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
