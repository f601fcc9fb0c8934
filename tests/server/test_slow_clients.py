"""Two hundred sockets that drip, are silent or do not read: health checks and other people's pages are answered."""

import contextlib
import socket
import threading
import time

import pytest
import requests

from app.db import commit, db
from app.models import User
from app.services import uploads
from tests.server.raw import FORM, PIECE, body, head, whole
from tests.webserver import Server

SOCKETS = 200
ROUNDS = 4
# Far above what it takes, for a machine that is busy with other tests; without the bounds no answer comes at all.
PATIENCE = 30
MULTIPART = "multipart/form-data; boundary=b"


class Attack:
    """Sockets that each send `opening`, and then byte by byte `drip`, and read byte by byte or nothing."""

    def __init__(self, port: int, openings: list[bytes], drip: bytes = b"", *, end: bool = False, reads: bool = False):
        self._drip, self._reads = drip, reads
        self.sockets = [self._open(port, openings[number % len(openings)], end) for number in range(SOCKETS)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()

    def _open(self, port: int, opening: bytes, end: bool) -> socket.socket:
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(PATIENCE)
        one.connect(("127.0.0.1", port))
        one.setblocking(False)
        with contextlib.suppress(OSError):
            one.send(opening)
            if end:
                one.shutdown(socket.SHUT_WR)
        return one

    def _go_on(self) -> None:
        place = 0
        while not self._over.wait(0.2):
            for one in self.sockets:
                with contextlib.suppress(OSError):
                    if self._drip:
                        one.send(self._drip[place % len(self._drip) :][:1])
                    if self._reads:
                        one.recv(1)
            place += 1

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        for one in self.sockets:
            one.close()


@pytest.fixture
def attacker(someone) -> User:
    return someone()


ANONYMOUS = {
    "a head that drips": lambda: {"openings": [head("GET", "/sign-in")], "drip": b"X-Long: aaaaaaaa\r\n"},
    "nothing": lambda: {"openings": [b""]},
    "half a head, half-closed": lambda: {"openings": [head("GET", "/sign-in")], "end": True},
    "garbage": lambda: {"openings": [b"\x16\x03\x01" * 50], "drip": b"\x00\xff"},
    "garbage behind a request": lambda: {"openings": [whole("GET", "/healthz") + b"\x00\xff" * 50], "drip": b"\x00"},
    "empty lines": lambda: {"openings": [b"\r\n\r\n"], "drip": b"\r\n"},
    "a small body that drips": lambda: {"openings": [body("POST", "/sign-in")], "drip": b"email=a"},
    "100-continue": lambda: {"openings": [body("POST", "/sign-in", Expect="100-continue")], "drip": b"email=a"},
    "a form that drips": lambda: {"openings": [body("POST", "/sign-in", length=900_000)], "drip": b"email=a"},
    "a chunked form that drips": lambda: {
        "openings": [whole("POST", "/sign-in", Content_Type=FORM, Transfer_Encoding="chunked") + b"FFFF\r\n"],
        "drip": b"email=a",
    },
    "a body where none belongs": lambda: {"openings": [body("GET", "/healthz", length=900_000)], "drip": b"a"},
    "a piece that drips": lambda: {
        "openings": [body("PATCH", "/uploads/x", {"Tus-Resumable": "1.0.0"}, 10_000_000, Content_Type=PIECE)],
        "drip": b"a",
    },
    "a script that is not read": lambda: {"openings": [whole("GET", "/static/vendor/htmx.min.js") * 20]},
}


def _pieces(headers: dict[str, str], owner: User, chunked: bool = False) -> list[bytes]:
    more = {"Tus-Resumable": "1.0.0", "Upload-Offset": 0, "Content-Type": PIECE}
    more |= {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": 1_000_000}
    ids = [uploads.create(owner, "a.mp4", 1_000_000).id for _ in range(uploads.MAX_OPEN)]
    commit()
    return [whole("PATCH", f"/uploads/{one}", headers | more) + b"a" * 100 for one in ids]


def _form(headers: dict[str, str], **more: object) -> bytes:
    start = b'--b\r\nContent-Disposition: form-data; name="clip"; filename="a.mp4"\r\n\r\n'
    return whole("POST", "/clips", headers, Content_Type=MULTIPART, **more) + start


SIGNED_IN = {
    "pieces that drip": lambda headers, clip: {"openings": _pieces(headers, clip.user), "drip": b"a"},
    "chunked pieces": lambda headers, clip: {"openings": _pieces(headers, clip.user, chunked=True), "drip": b"a"},
    "a plain upload that drips": lambda headers, clip: {
        "openings": [_form(headers, Content_Length=50_000_000)],
        "drip": b"a",
    },
    "a chunked form": lambda headers, clip: {
        "openings": [
            whole("POST", "/clips", headers, Content_Type=MULTIPART, Transfer_Encoding="chunked") + b"FFFF\r\n"
        ],
        "drip": b"a",
    },
    "a clip that is not read": lambda headers, clip: {
        "openings": [whole("GET", f"/media/clips/{clip.id}/video", headers)]
    },
    "a clip that is read byte by byte": lambda headers, clip: {
        "openings": [whole("GET", f"/media/clips/{clip.id}/video", headers, Range="bytes=1000-")],
        "reads": True,
    },
    "posters": lambda headers, clip: {"openings": [whole("GET", f"/media/clips/{clip.id}/poster", headers) * 8]},
    "pages": lambda headers, clip: {"openings": [whole("GET", "/", headers) * 2]},
    "tables": lambda headers, clip: {"openings": [whole("GET", "/stats.csv", headers) * 2]},
}


def _answers(server: Server, headers: dict[str, str]) -> None:
    for _ in range(ROUNDS):
        assert requests.get(f"{server.url}/healthz", timeout=PATIENCE).text == "ok"
        page = requests.get(f"{server.url}/", headers=headers, timeout=PATIENCE)
        assert page.status_code == 200 and "Загрузить клип" in page.text
        time.sleep(0.3)


@pytest.mark.parametrize("kind", ANONYMOUS)
def test_strangers_stop_nothing(server, someone, headers, kind):
    honest = headers(someone())
    db.session.commit()
    attack = Attack(server.port, **ANONYMOUS[kind]())
    try:
        _answers(server, honest)
    finally:
        attack.stop()


@pytest.mark.parametrize("kind", SIGNED_IN)
def test_one_user_stops_nothing(server, someone, attacker, headers, ready_clip, heavy_file, kind):
    honest, clip = headers(someone()), ready_clip(attacker, source=heavy_file)
    openings = SIGNED_IN[kind](headers(attacker), clip)
    db.session.commit()
    attack = Attack(server.port, **openings)
    try:
        _answers(server, honest)
        _uploads(server, honest)
    finally:
        attack.stop()


def _uploads(server: Server, headers: dict[str, str]) -> None:
    """A large plain form: another user's transfers do not keep it out. What it is refused for is not a video."""
    sent = requests.post(
        f"{server.url}/clips", headers=headers, files={"clip": ("a.mp4", b"a" * 300_000)}, timeout=4 * PATIENCE
    )
    assert sent.status_code == 200, sent.text
