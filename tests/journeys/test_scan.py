"""A whole journey in real processes; then all that it left behind is searched for every secret that took part."""

import json
import re
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import pytest
import redis
import requests

import demo
from app.vault import Vault
from tests import clips as test_clips
from tests import memory
from tests.conftest import DEMO_BOT
from tests.journeys.conftest import Running
from tests.person import allow

PASSWORD, WRONG_PASSWORD = "scanned-parol-1", "scanned-wrong-2"
STRANGER_BOT = "998877665:AAstranger-stranger-stranger-strang"
RUTUBE_TOKEN = "rutube-demo-token"
MINUTE = 60
OPEN_TOKENS = ("worker", "spare", "probe", "questions", "bot", "sandbox")
NOT_OF_PLATFORMS = ("password", "mistyped password", "SECRET_KEY", "the vault's private key")
# What the sandbox remembers that nobody but it and a worker may know.
SECRET_FIELDS = ("token", "refresh", "refresh_token", "upload_key", "code", "verifier")


class Visit:
    """A browser without scripts that keeps every answer it gets."""

    def __init__(self, vezde: Running) -> None:
        self.url = vezde.url
        self.session = requests.Session()
        self.answers: list[str] = []

    def get(self, path: str, **more) -> requests.Response:
        return self._ask("GET", path, **more)

    def post(self, path: str, on: str = "/settings/profile", **more) -> requests.Response:
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.get(on).text)[1]
        data = {"csrf_token": token, **more.pop("data", {})}
        return self._ask("POST", path, data=data, headers={"Referer": self.url}, **more)

    def _ask(self, method: str, path: str, **more) -> requests.Response:
        answer = self.session.request(method, urljoin(self.url, path), timeout=30, **more)
        for one in (*answer.history, answer):
            headers = {name: text for name, text in one.headers.items() if name.lower() != "set-cookie"}
            self.answers.append(f"{headers}\n{one.text}")
        return answer

    def settled(self, answer: requests.Response) -> requests.Response:
        """The page that takes the place of the one that waits for a platform."""
        while "Refresh" in answer.headers:
            time.sleep(0.1)
            answer = self.get(answer.url)
        return answer


class Secrets:
    """Everything that must be found nowhere, by what it is."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.known: dict[str, str] = {
            PASSWORD: "password",
            WRONG_PASSWORD: "mistyped password",
            DEMO_BOT: "Telegram's token",
            STRANGER_BOT: "Telegram's token that was refused",
            RUTUBE_TOKEN: "Rutube's token",
            (var / "keys" / "secret_key").read_text(): "SECRET_KEY",
            (var / "keys" / "vault_keys").read_text().split()[1]: "the vault's private key",
        }

    def add_consent(self, callback: str) -> None:
        """The verifier stands sealed in the database, the code in the address that the browser is sent back to."""
        query = parse_qs(urlsplit(callback).query)
        database = sqlite3.connect(self.var / "vezde.db")
        [[sealed, state_hash]] = database.execute("SELECT sealed, state_hash FROM oauth_states").fetchall()
        database.close()
        kept = Vault(*(self.var / "keys" / "vault_keys").read_text().split()).open(sealed, f"consent:{state_hash}")
        self.known[json.loads(kept)["code_verifier"]] = "verifier"
        self.known[query["code"][0]] = "code"

    def look_outside(self) -> None:
        """What the platforms have handed out until now: tokens, upload addresses; and the link that Rutube fetched."""
        world = sqlite3.connect(self.var / "sandbox" / "world.sqlite")
        for kind, key, text in world.execute("SELECT kind, key, json FROM rows").fetchall():
            for name, value in _fields({kind: json.loads(text)}):
                if name in SECRET_FIELDS and isinstance(value, str) and len(value) > 8:
                    self.known.setdefault(value, f"{kind}.{name}")
            if kind in ("token", "refresh"):
                self.known.setdefault(key.rpartition(" ")[2], f"{kind}'s key")
            for link in re.findall(r"/fetch/([^\"]+?)\.mp4", text):
                self.known.setdefault(link, "the link for Rutube")
        world.close()

    def in_text(self, text: str | bytes) -> set[str]:
        data = text.encode() if isinstance(text, str) else text
        return {
            what
            for secret, what in self.known.items()
            if secret.encode() in data or quote(secret, safe="").encode() in data
        }


def _fields(value) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, inner
            yield from _fields(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner)


def search(secrets: Secrets, answers: list[str]) -> dict[str, set[str]]:
    """Where a secret can be read, and which. Raw files hold more than a dump: deleted rows, the journals."""
    places: dict[str, str | bytes] = {}
    for path in secrets.var.rglob("*"):
        if path.is_file() and path.relative_to(secrets.var).parts[0] not in ("sandbox", "keys"):
            places[str(path.relative_to(secrets.var))] = path.read_bytes()
    places.update(_redis(secrets.var))
    places.update({f"answer {number}": answer for number, answer in enumerate(answers)})
    for process in Path("/proc").glob("[0-9]*"):
        try:
            places[f"arguments of {process.name}"] = (process / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return {place: found for place, text in places.items() if (found := secrets.in_text(text))}


def _redis(var: Path) -> dict[str, bytes]:
    client = redis.Redis(unix_socket_path=str(demo.redis_socket(var)))
    readers: dict[bytes, Callable] = {
        b"string": client.get,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"hash": lambda key: list(client.hgetall(key).values()),
        b"stream": client.xrange,
        b"none": lambda _key: b"",
    }
    found = {}
    for key in client.scan_iter("*"):
        value = readers[client.type(key)](key)
        parts = [part for part in (value if isinstance(value, (list, set)) else [value]) if isinstance(part, bytes)]
        found[f"redis {key.decode()}"] = b"\n".join([key, *parts, *map(_unpacked, parts)])
    return found


def _unpacked(value: bytes) -> bytes:
    """RQ packs its jobs."""
    try:
        return zlib.decompress(value)
    except zlib.error:
        return b""


@pytest.fixture
def vezde(tmp_path: Path) -> Iterator[Running]:
    one = Running(tmp_path / "var")
    yield one
    one.stop()


def wait_for(condition: Callable[[], bool], seconds: float = MINUTE) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not come to that"
        time.sleep(0.3)


def test_no_secret_is_left_anywhere(vezde: Running, tmp_path: Path):
    var, visit = tmp_path / "var", Visit(vezde)
    secrets = Secrets(var)
    clip = test_clips.write(tmp_path / "Закат.mp4", seconds=6)
    database = sqlite3.connect(f"file:{var / 'vezde.db'}?mode=ro", uri=True)

    def statuses() -> list[str]:
        return [row[0] for row in database.execute("SELECT status FROM publications ORDER BY id")]

    def connections() -> list[int]:
        return [row[0] for row in database.execute("SELECT id FROM platform_connections ORDER BY id")]

    def nothing_found() -> None:
        secrets.look_outside()
        assert search(secrets, visit.answers) == {}

    def nothing_in_memory() -> None:
        """Of any process but workers, and the sandbox, which stands for the platforms."""
        tokens = {secret.encode(): what for secret, what in secrets.known.items() if what not in NOT_OF_PLATFORMS}
        tokens.pop(demo.DEMO_BOT_TOKEN.encode(), None)  # in the text of the program: the demo's own
        others = [pid for pid in memory.processes_below(vezde.pid) if not memory.name(pid).startswith(OPEN_TOKENS)]
        assert {"web", "scheduler", "ticks"} <= {memory.name(pid) for pid in others}
        # A thread may still hold the request that it has just answered.
        wait_for(lambda: not any(memory.find(pid, tokens) for pid in others), 5)

    who = {"name": "Анна", "email": "anna@example.org", "password": PASSWORD, "consent": "y"}
    visit.post("/sign-up", on="/sign-up", data=who)
    visit.post("/plans/pro", on="/plans")

    for platform in ("vk", "dzen"):
        start = visit.post(f"/settings/integrations/{platform}/consent", allow_redirects=False)
        callback = allow(start.headers["Location"])
        secrets.add_consent(callback)
        assert "подключён" in visit.settled(visit.get(callback)).text
    cards = "/settings/integrations"
    for platform, typed in (
        ("telegram", {"bot_token": STRANGER_BOT, "channel": "@vezde_demo"}),
        ("telegram", {"bot_token": DEMO_BOT, "channel": "@vezde_demo"}),
        ("rutube", {"token": RUTUBE_TOKEN}),
    ):
        visit.settled(visit.post(f"{cards}/{platform}/connect", data=typed))
    assert len(connections()) == 4
    nothing_found()
    nothing_in_memory()

    with clip.open("rb") as file:
        visit.post("/clips", files={"clip": (clip.name, file, "video/mp4")})
    wait_for(lambda: database.execute("SELECT count(*) FROM clips WHERE status = 'ready'").fetchone()[0] == 1)
    texts = {f"title-{number}": "Закат" for number in connections()}
    visit.post("/clips/1/publish", data={"connection": connections(), **texts})
    steps = "SELECT count(*) FROM publication_steps"
    wait_for(lambda: database.execute(steps).fetchone()[0] > 0 or "publishing" not in statuses())
    nothing_found()  # while upload addresses are stored, sealed, and jobs are in Redis
    wait_for(lambda: statuses() == ["published"] * 4, 2 * MINUTE)
    assert {post["platform"] for post in vezde.posts} == {"vk", "rutube", "dzen", "telegram"}
    assert database.execute(steps).fetchone() == (0,)

    vezde.control("trouble", rules=[{"match": "/(vk-api|rutube|dzen|telegram)/", "do": "status:502"}])
    visit.post("/clips/1/publish", data={"again": connections(), **texts})
    wait_for(lambda: "publishing" not in statuses(), 2 * MINUTE)
    assert "failed" in statuses()
    for number in connections():
        visit.post(f"{cards}/{number}/disconnect")
    wait_for(lambda: connections() == [], MINUTE)  # nothing can be taken back any more
    for path in ("/", "/settings/security", "/settings/integrations", "/plans"):
        visit.get(path)
    visit.post("/settings/data")
    visit.post("/sign-out")
    visit.post("/sign-in", on="/sign-in", data={"email": "anna@example.org", "password": WRONG_PASSWORD})

    secrets.look_outside()
    kinds = set(secrets.known.values())
    assert {"verifier", "code", "token.token", "the link for Rutube"} <= kinds, kinds
    assert any("upload_key" in kind for kind in kinds), kinds
    nothing_found()
    database.close()
    secrets.known = {"anna@example.org": "e-mail", "run.py": "program", "release_publications": "job"}
    seen = " ".join(search(secrets, visit.answers))
    for place in ("vezde.db", "redis/", "redis rq:", "answer", "arguments of"):
        assert place in seen, f"the search does not reach {place}"
