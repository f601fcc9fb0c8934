"""The worker's bounds, one at a time, and that a client within them gets all: a real gunicorn, on loopback."""

import contextlib
import hashlib
import select
import socket
import time

import pytest
import requests

from app.db import commit
from app.services import uploads
from app.serving import transfers
from tests.server.raw import PIECE, body, head, whole
from tests.webserver import Server

PATIENCE = 30
TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture(scope="module")
def short(serve) -> Server:
    """With deadlines of a second or two."""
    return serve("--worker-class", "tests.server.short.ShortWorker")


@pytest.fixture
def owner(someone):
    return someone()


@pytest.fixture
def clip(owner, ready_clip, heavy_file):
    return ready_clip(owner, source=heavy_file)


def connect(server: Server, opening: bytes, buffer: int | None = None) -> socket.socket:
    one = socket.socket()
    if buffer:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    one.settimeout(PATIENCE)
    one.connect(("127.0.0.1", server.port))
    one.sendall(opening)
    return one


def rest(one: socket.socket) -> bytes:
    """What comes until the server closes."""
    came = bytearray()
    with contextlib.suppress(ConnectionError):
        while data := one.recv(1 << 20):
            came += data
    one.close()
    return bytes(came)


def drip(one: socket.socket, data: bytes, every: float = 0.2) -> bool:
    """Whether the server closed before it got everything."""
    for place in range(len(data)):
        try:
            one.sendall(data[place : place + 1])
        except ConnectionError:
            return True
        time.sleep(every)
    return False


@pytest.mark.parametrize(
    "opening",
    [
        b"",
        head("GET", "/"),
        body("POST", "/sign-in"),
        body("POST", "/sign-in", Expect="100-continue"),
        whole("GET", "/healthz") + head("GET", "/"),
    ],
    ids=["nothing", "head", "body", "100-continue", "second head"],
)
def test_a_request_has_a_deadline(short, opening):
    with connect(short, opening) as one:
        assert drip(one, b"X: " + b"a" * 100)


def test_a_head_has_a_size(short):
    answer = rest(connect(short, b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 100_000))
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


def test_an_upload_that_drips_is_cut_and_keeps_what_came(short, owner, headers):
    upload_id = uploads.create(owner, "a.mp4", 1_000_000).id
    commit()
    mine = headers(owner)
    opening = body("PATCH", f"/uploads/{upload_id}", mine | TUS | {"Upload-Offset": 0}, 1_000_000, Content_Type=PIECE)
    one = connect(short, opening + b"a" * 1000)
    drip(one, b"a" * 30)
    answer = rest(one)
    assert answer.startswith(b"HTTP/1.1 503 ") and b"Retry-After:" in answer
    assert "Связь прервалась" in answer.decode()
    stands = requests.head(f"{short.url}/uploads/{upload_id}", headers=mine | TUS, timeout=PATIENCE)
    assert int(stands.headers["Upload-Offset"]) >= 1000


def test_a_slow_upload_that_keeps_up_is_taken(short, owner, headers):
    """Twice the least rate, over several windows."""
    pieces = [b"a" * 2000] * 8
    length = sum(map(len, pieces))
    upload_id = uploads.create(owner, "a.mp4", length + 100_000).id
    commit()
    mine = headers(owner) | TUS | {"Upload-Offset": 0}
    filling = b"a" * 99_999  # so that it is not a small body, which is received beforehand
    one = connect(short, body("PATCH", f"/uploads/{upload_id}", mine, length + len(filling), Content_Type=PIECE))
    one.sendall(filling)
    for piece in pieces:
        time.sleep(0.8)
        one.sendall(piece)
    assert one.recv(1000).startswith(b"HTTP/1.1 204 ")
    one.close()


def test_a_download_that_is_not_read_is_cut(short, owner, headers, clip):
    one = connect(short, whole("GET", f"/media/clips/{clip.id}/video", headers(owner), Connection="close"), 4096)
    time.sleep(6)
    assert len(rest(one)) < clip.size


def test_a_slow_reader_gets_the_whole_clip(server, owner, headers, clip, heavy_file):
    url = f"{server.url}/media/clips/{clip.id}/video"
    with requests.get(url, headers=headers(owner), stream=True, timeout=PATIENCE) as answer:
        digest = hashlib.sha256()
        for number, block in enumerate(answer.iter_content(1 << 20)):
            digest.update(block)
            time.sleep(0.2 if number < 10 else 0)
    assert digest.hexdigest() == hashlib.sha256(heavy_file.read_bytes()).hexdigest()


@pytest.mark.parametrize("wanted", ["0-99", "1000-", "-50", "5000000-5000000"])
def test_a_part_of_a_clip(server, owner, headers, clip, heavy_file, wanted):
    content, mine = heavy_file.read_bytes(), headers(owner)
    start, _, end = wanted.partition("-")
    expected = content[int(start) : int(end) + 1 if end else None] if start else content[-int(end) :]
    url = f"{server.url}/media/clips/{clip.id}/video"
    with requests.Session() as session:  # the connection is used again: nothing too much was sent
        for _ in range(2):
            answer = session.get(url, headers=mine | {"Range": f"bytes={wanted}"}, timeout=PATIENCE)
            assert (answer.status_code, answer.content == expected) == (206, True)


def test_requests_in_one_packet_are_answered_in_turn(server):
    sent = body("POST", "/nowhere", length=3) + b"a=b" + whole("GET", "/healthz") * 2
    answer = rest(connect(server, sent + whole("GET", "/healthz", Connection="close")))
    assert answer.count(b"HTTP/1.1 ") == 4 and answer.count(b"HTTP/1.1 200 OK") == 3 and answer.endswith(b"ok")


def test_a_client_that_asks_first_gets_100_continue(server):
    one = connect(server, body("POST", "/nowhere", length=3, Expect="100-continue", Connection="close"))
    assert one.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    one.sendall(b"a=b")
    answer = rest(one)
    assert answer.startswith(b"HTTP/1.1 4") and b"100 Continue" not in answer


def test_a_half_closed_client_is_answered(server):
    one = connect(server, whole("GET", "/healthz"))
    one.shutdown(socket.SHUT_WR)
    assert rest(one).endswith(b"ok")


def test_nothing_large_is_read_without_a_sign_in(server):
    large = body("POST", "/sign-in", length=900_000)
    endless = whole("POST", "/sign-in", Transfer_Encoding="chunked") + b"5\r\n"
    assert rest(connect(server, large)).startswith(b"HTTP/1.1 413 ")
    assert rest(connect(server, endless)).startswith(b"HTTP/1.1 411 ")


def test_one_users_uploads_are_bounded_and_anothers_are_not(server, owner, someone, headers):
    other = someone()
    greedy, fair = headers(owner), headers(other)

    def begin(owner, mine: dict[str, str]) -> socket.socket:
        upload_id = uploads.create(owner, "a.mp4", 1_000_000).id
        commit()
        more = mine | TUS | {"Upload-Offset": 0}
        return connect(server, body("PATCH", f"/uploads/{upload_id}", more, 1_000_000, Content_Type=PIECE))

    running = [begin(owner, greedy) for _ in range(transfers.MOST_PER_USER + 1)]
    [over], _, _ = select.select(running, [], [], PATIENCE)
    refused = rest(over)
    assert (
        refused.startswith(b"HTTP/1.1 429 ")
        and b"Retry-After:" in refused
        and "С вашего аккаунта уже идёт передач: 8." in refused.decode()
    )
    taken = begin(other, fair)
    taken.sendall(b"a" * 1_000_000)
    assert taken.recv(1000).startswith(b"HTTP/1.1 204 ")
    for one in [*running, taken]:
        one.close()


def test_a_thousand_sockets_with_few_descriptors(serve):
    server = serve(descriptors=700)
    sockets = [connect(server, head("GET", "/")) for _ in range(1000)]
    for _ in range(5):
        assert requests.get(f"{server.url}/healthz", timeout=PATIENCE).text == "ok"
    for one in sockets:
        one.close()
