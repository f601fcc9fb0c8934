"""The smallest possible platform, to test the engine: a server that counts what viewers see, and an adapter.

The adapter's process can be made to die (SIGKILL) or freeze (SIGSTOP) at any of its points.
"""

import http.server
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from app import clock
from app.platforms.base import Account, Adapter, NotPublished, PublishContext, Receipt, Token
from app.platforms.errors import RateLimited, Reconnect, Refused, TokenExpired, Unavailable
from app.platforms.http.body import FileBody

POINTS = (
    "create:before",
    "create:after",
    "upload:before",
    "upload:after",
    "publish:before",
    "publish:commit_started",
    "publish:after",
    "ready:before",
    "ready:after",
)


class Hold:
    """A request that waits in the server: `arrived` is set once it is there; `let_go()` ends the wait."""

    def __init__(self) -> None:
        self.arrived, self._free = threading.Event(), threading.Event()

    def wait(self) -> None:
        self.arrived.set()
        self._free.wait(60)

    def let_go(self) -> None:
        self._free.set()


class ToyServer:
    """POST /create, PUT /upload/ID, POST /publish/ID, GET /posts/ID, POST /refresh.

    `answers` are statuses to send, once each, without doing what was asked; 0 does it and closes without a response.
    `holds` keep a verb's next request waiting. `options` are those that the newest draft was created with, `received`
    the newest file.
    """

    def __init__(self) -> None:
        toy = self
        self.drafts: dict[str, int] = {}
        self.posts: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.options: dict = {}
        self.received = b""
        self.answers: dict[str, list[int]] = {}
        self.holds: dict[str, Hold] = {}
        self.processing = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                _, verb, *rest = self.path.split("/")
                toy.calls[verb] += 1
                length = int(self.headers.get("Content-Length") or 0)
                received = self.rfile.read(length)
                if verb in toy.holds:
                    toy.holds.pop(verb).wait()
                status = toy.answers[verb].pop(0) if toy.answers.get(verb) else 200
                answer = toy.do(verb, rest[0] if rest else "", received) if status < 400 else {}
                if status == 0:
                    self.close_connection = True
                    self.connection.close()
                    return
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = handle_one

            def log_message(self, *_args) -> None:
                """Silent."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def do(self, verb: str, post_id: str, received: bytes) -> dict:
        if verb == "create":
            post_id = str(len(self.drafts) + 1)
            self.drafts[post_id] = 0
            self.options = json.loads(received)
        elif verb == "upload":
            self.drafts[post_id], self.received = len(received), received
        elif verb == "publish":
            self.posts[post_id] += 1
        elif verb == "posts":
            if self.processing:
                self.processing -= 1
                return {"id": post_id, "there": self.posts[post_id] > 0, "ready": False}
            return {"id": post_id, "there": self.posts[post_id] > 0, "ready": True}
        elif verb == "refresh":
            post_id = str(self.calls["refresh"])
        return {"id": post_id}

    def hold(self, verb: str) -> Hold:
        self.holds[verb] = Hold()
        return self.holds[verb]

    def forget(self) -> None:
        """Everything but its address."""
        self.drafts.clear()
        self.posts.clear()
        self.calls.clear()
        self.answers, self.holds = {}, {}
        self.processing = 0

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Toy(Adapter):
    key = "toy"
    name = "Игрушка"
    steps = {"create": "создание", "upload": "загрузка", "publish": "публикация", "ready": "обработка"}
    # Set by tests, inherited by the processes they fork.
    url = ""
    die_at = ""
    signal = signal.SIGKILL

    def __init__(self, config, http) -> None:
        super().__init__(config, http)
        http.allow([self.url])

    def connect(self, fields):
        return [Account("1", "Игрушка", self.url)], Token("toy-token")

    def refresh(self, token: Token) -> Token:
        """Each response is a new pair."""
        if not token.refresh:
            raise Reconnect
        number = self._call("POST", "/refresh")["id"]
        self._die("refresh:after")
        return Token(f"toy-token-{number}", f"refresh-{number}", clock.now() + timedelta(hours=1))

    def publish(self, context: PublishContext) -> Receipt:
        draft = context.step("create", self._create, context)
        context.step("upload", self._upload, context, draft)
        receipt = context.commit("publish", self._publish, draft, find=self._find)
        context.wait("ready", self._ready, draft, every=10, until=60)
        return receipt

    def _create(self, context: PublishContext) -> str:
        return self._at("create", lambda: self._call("POST", "/create", json=context.options)["id"])

    def _upload(self, context: PublishContext, draft: str) -> str:
        def send() -> str:
            with context.clip.open() as file:
                self._call("PUT", f"/upload/{draft}", data=FileBody(file, context.clip.size, on_block=context.progress))
            return draft

        return self._at("upload", send)

    def _publish(self, draft: str, *, begin_commit: Callable[[], None]) -> Receipt:
        def send() -> Receipt:
            begin_commit()
            self._die("publish:commit_started")
            self._call("POST", f"/publish/{draft}")
            return Receipt(draft, f"{self.url}/posts/{draft}")

        return self._at("publish", send)

    def _find(self, draft: str) -> Receipt | NotPublished:
        there = self._call("GET", f"/posts/{draft}")["there"]
        return Receipt(draft, f"{self.url}/posts/{draft}") if there else NotPublished()

    def _ready(self, draft: str) -> bool | None:
        return self._at("ready", lambda: self._call("GET", f"/posts/{draft}")["ready"] or None)

    def _at(self, step: str, fn: Callable):
        self._die(f"{step}:before")
        result = fn()
        self._die(f"{step}:after")
        return result

    def _die(self, point: str) -> None:
        if self.die_at == point:
            os.kill(os.getpid(), self.signal)

    def _call(self, method: str, path: str, **kwargs) -> dict:
        response = self.http.request(method, f"{self.url}{path}", **kwargs)
        if response.status == 401:
            raise TokenExpired("401")
        if response.status == 429:
            raise RateLimited(clock.now() + timedelta(seconds=5))
        if response.status == 400:
            raise Refused("refused", "так нельзя")
        if response.status != 200:
            raise Unavailable(f"HTTP {response.status}")
        return response.json()
