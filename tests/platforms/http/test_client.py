"""Where requests may go, and how long and large an answer may be."""

import gzip
import http.server
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from app import clock, texts
from app.db import commit
from app.models import Status
from app.outgoing.deadline import Deadline
from app.platforms.base import Account, Token
from app.platforms.errors import LONGEST_WAIT, RateLimited, Refused, Unavailable
from app.platforms.http import ssrf_guard
from app.platforms.http.client import Http
from app.platforms.http.response import Response, retry_at
from app.services import connections, publications
from app.services.publications import Choice
from tests.edges import committed
from tests.publishing.conftest import settle


class Host:
    """A host of our own network. `asked` are the paths that somebody came for; `answer` says what they get."""

    def __init__(self) -> None:
        host = self
        self.asked: list[str] = []
        self.answer: Callable[[http.server.BaseHTTPRequestHandler], None] = lambda request: _send(request, b"{}")

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                host.asked.append(self.path)
                host.answer(self)

            do_POST = do_GET

            def log_message(self, *_arguments) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _send(request: http.server.BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


@pytest.fixture
def inside() -> Iterator[Host]:
    host = Host()
    yield host
    host.stop()


@pytest.mark.parametrize(
    "name",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "0",
        "localhost",
        "LOCALHOST",
        socket.gethostname(),
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "user@127.0.0.1",
    ],
)
def test_our_own_network_is_not_asked_whatever_it_is_called(inside, name):
    with pytest.raises(Refused) as refusal:
        Http().request("GET", f"http://{name}:{inside.port}/metadata")
    assert refusal.value.reason == "forbidden_address"
    assert refusal.value.definitely_not_applied
    assert inside.asked == []


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255"]
    + ["240.0.0.1", "fc00::1", "fe80::1", "ff02::1", "::", "2001:db8::1", "64:ff9b::a00:1", "2002:c0a8:101::"],
)
def test_addresses_that_are_not_public(address):
    assert not ssrf_guard.is_public(address)


@pytest.mark.parametrize(
    "address", ["87.240.132.72", "2a00:1450:4010::1", "::ffff:87.240.132.72", "64:ff9b::57f0:8448"]
)
def test_addresses_that_are_public(address):
    assert ssrf_guard.is_public(address)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "gopher://127.0.0.1/", "ftp://example.org/", "//example.org", ""]
)
def test_nothing_but_http(url):
    with pytest.raises(Refused, match="forbidden_address"):
        Http().request("GET", url)


def test_what_the_operator_has_named_is_asked(inside):
    client = Http()
    client.allow([inside.origin])
    assert client.request("GET", f"{inside.origin}/a").status == 200
    for url in (
        f"http://localhost:{inside.port}/b",
        f"http://127.0.0.1:{inside.port}@127.0.0.1:{inside.port}/c",
        f"http://127.0.0.1:{inside.port}1/d",
    ):
        with pytest.raises((Refused, Unavailable)):
            client.request("GET", url)
    assert inside.asked == ["/a"]


def test_a_redirect_is_not_followed(inside):
    outside = Host()
    outside.answer = lambda request: _send(request, b"", 302, Location=f"{inside.origin}/metadata")
    client = Http()
    client.allow([outside.origin])
    assert client.request("GET", f"{outside.origin}/upload").status == 302
    assert inside.asked == []
    outside.stop()


def test_a_proxy_is_only_for_named_hosts(inside):
    client = Http()
    with pytest.raises(Refused, match="forbidden_address"):
        client.request("GET", "http://example.org/", proxy=inside.origin)
    assert inside.asked == []
    client.allow(["http://example.org"])
    assert client.request("GET", "http://example.org/x", proxy=inside.origin).status == 200
    assert inside.asked == ["http://example.org/x"]


def test_the_environments_proxy_is_not_taken(inside):
    os.environ["http_proxy"] = inside.origin
    try:
        with pytest.raises(Refused, match="forbidden_address"):
            Http().request("GET", "http://10.0.0.1/")
    finally:
        del os.environ["http_proxy"]
    assert inside.asked == []


def test_a_packed_bomb_costs_a_bounded_answer(inside):
    bomb = gzip.compress(b"0" * (64 << 20))
    inside.answer = lambda request: _send(request, bomb, Content_Encoding="gzip")
    client = Http()
    client.allow([inside.origin])
    assert len(client.request("GET", f"{inside.origin}/").body) == 4 << 20


def test_an_answer_that_drips_is_given_up(inside):
    def drip(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        try:
            while True:
                request.wfile.write(b"x")
                time.sleep(0.01)
        except OSError:
            return

    inside.answer = drip
    client = Http()
    client.allow([inside.origin])
    with pytest.raises(Unavailable):
        client.request("GET", f"{inside.origin}/", response_seconds=0.7)


def _raw(request: http.server.BaseHTTPRequestHandler, head: bytes, dripping: bytes) -> None:
    with suppress(OSError):
        request.connection.sendall(head)
        while True:
            request.connection.sendall(dripping)
            time.sleep(0.02)


@pytest.mark.parametrize(
    ("head", "dripping"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n{", b" "),  # a body that ends with the connection
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9999\r\n\r\n\x1f\x8b\x08", b"\0"),
    ],
)
def test_whatever_drips_the_deadline_holds(inside, head, dripping):
    """A time-out of the socket begins anew with each byte."""
    inside.answer = lambda request: _raw(request, head, dripping)
    client = Http()
    client.allow([inside.origin])
    with pytest.raises(Unavailable) as given_up:
        client.request("GET", f"{inside.origin}/", response_seconds=0.7)
    assert not given_up.value.definitely_not_applied


def test_a_handshake_that_drips_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 kB
                while True:
                    connection.sendall(b"\0")
                    time.sleep(0.02)

        threading.Thread(target=drip, daemon=True).start()
        client = Http()
        origin = f"https://127.0.0.1:{server.getsockname()[1]}"
        client.allow([origin])
        # A call's own: CONNECT_SECONDS long otherwise.
        with Deadline(0.3, 0.3) as deadline, pytest.raises((requests.RequestException, OSError)):
            requests.Session.request(client._session, "GET", origin)
        assert deadline.has_passed


def test_a_deadline_leaves_no_thread_and_no_socket(inside):
    client = Http()
    client.allow([inside.origin])
    for _ in range(3):  # the connection is used again
        assert client.request("GET", f"{inside.origin}/").status == 200
    open_files = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        client.request("GET", f"{inside.origin}/")
    # What else this process opens and closes at the same time is less than one for each call.
    assert len(list(Path("/proc/self/fd").iterdir())) < open_files + 10
    for thread in threading.enumerate():
        if thread.name == "deadline":
            thread.join(5)
            assert not thread.is_alive()


def test_no_more_is_read_than_is_wanted(inside):
    inside.answer = lambda request: _send(request, b"x" * 100_000)
    client = Http()
    client.allow([inside.origin])
    assert len(client.request("GET", f"{inside.origin}/", max_bytes=1000).body) == 1000


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"[" * 60 + b"]" * 60,
        b'{"a":' * 60 + b"1" + b"}" * 60,
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": 9223372036854775808}',
        b'{"a": ' + b"9" * 400 + b"}",
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b"",
    ],
)
def test_json_that_is_not_safe_is_none(body):
    assert Response(200, {}, body).json() is None


def test_json_without_what_no_page_and_no_database_holds():
    assert Response(200, {}, rb'{"a\u0000": ["\ud800b", true, null, -1.5]}').json() == {"a": ["b", True, None, -1.5]}


def test_an_upload_address_inside_our_network_ends_the_publication(app, user, ready_clip, inside):
    """A platform that was broken into hands out an address of ours: nothing is sent, and the user sees."""
    vk = Host()
    made = {"owner_id": 1, "video_id": 2, "upload_url": f"{inside.origin}/upload?secret=1"}
    vk.answer = lambda request: _send(request, json.dumps({"response": made}).encode())
    app.config["VK_API_URL"] = vk.origin
    owner = user()
    connection = committed(
        connections.save(owner, "vk", [Account("1", "Анна", facts={"owner_id": 1})], Token("vk1.a.token"))
    )
    [one] = publications.publish(owner, ready_clip(owner).id, [Choice(connection.id, "Закат", "")])
    commit()
    done = settle(one.id)
    vk.stop()
    assert (done.status, done.reason) == (Status.FAILED, "forbidden_address")
    assert inside.asked == []
    assert "secret" not in f"{done.detail}"
    assert "по которому мы не ходим" in texts.sentence(done.reason)


def _hang_up(request: http.server.BaseHTTPRequestHandler) -> None:
    request.connection.shutdown(socket.SHUT_RDWR)


def _break_off(request: http.server.BaseHTTPRequestHandler) -> None:
    _send(request, b"{", Content_Length="100")


def _garble(request: http.server.BaseHTTPRequestHandler) -> None:
    _send(request, b"no gzip", Content_Encoding="gzip")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_hang_up, "соединение оборвалось"),
        (_break_off, "соединение оборвалось"),
        (_garble, "ответ пришёл испорченным"),
        (lambda request: time.sleep(1.5), "ответ не пришёл вовремя"),
    ],
)
def test_what_happened_is_said_in_russian(inside: Host, answer: Callable, said: str):
    """Not by the name of an exception: users read it."""
    inside.answer = answer
    http_ = Http()
    http_.allow([inside.origin])
    with pytest.raises(Unavailable) as trouble:
        http_.request("GET", f"{inside.origin}/", response_seconds=0.5)
    assert trouble.value.detail == said


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("http://nothing.invalid", "адрес площадки не найден"),
        ("http://127.0.0.1:1", "площадка не принимает соединения"),
    ],
)
def test_why_there_is_no_connection_is_said_in_russian(origin: str, said: str):
    http_ = Http()
    http_.allow([origin])
    with pytest.raises(Unavailable) as trouble:
        http_.request("GET", f"{origin}/")
    assert trouble.value.detail == said and trouble.value.definitely_not_applied


HOUR = LONGEST_WAIT.total_seconds()
PAUSE = 7


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("40", 40),
        (" 40 ", 40),
        ("1.5", 1.5),
        (40, 40),
        (0.25, 0.25),
        ("0", 0),
        ("40000000", HOUR),
        ("9" * 400, HOUR),
        (10**400, HOUR),
        ("1e300", HOUR),
        ("inf", HOUR),
        (float("inf"), HOUR),
        ("nan", PAUSE),
        (float("nan"), PAUSE),
        ("-5", PAUSE),
        (-5, PAUSE),
        ("", PAUSE),
        ("soon", PAUSE),
        ("40 seconds", PAUSE),
        (None, PAUSE),
        ([40], PAUSE),
        ({"seconds": 40}, PAUSE),
        ("Fri, 31 Dec 9999 23:59:59 GMT", HOUR),
        ("Fri, 31 Dec 99999999 23:59:59 GMT", PAUSE),
        ("Sun, 06 Nov 1994 08:49:37 GMT", PAUSE),
        ("Sunday, 06-Nov-94 08:49:37 GMT", PAUSE),
        ("Sun Nov  6 08:49:37 1994", PAUSE),
        ("Fri, 99 Foo 2026 99:99:99 GMT", PAUSE),
    ],
)
def test_when_to_come_again(said, seconds):
    assert (retry_at(said, PAUSE) - clock.now()).total_seconds() == pytest.approx(seconds, abs=3)


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
def test_it_may_be_said_as_a_date(form):
    """All three of RFC 9110, 5.6.7."""
    for ahead, seconds in ((300, 300), (10**6, HOUR), (-300, PAUSE)):
        said = (datetime.now(UTC) + timedelta(seconds=ahead)).strftime(form)
        waits = (retry_at(said, PAUSE) - clock.now()).total_seconds()
        assert waits == pytest.approx(seconds, abs=30 if ahead == 300 else 3)


@pytest.mark.parametrize("until", [timedelta(days=462), timedelta(days=-462), timedelta(0)])
def test_no_wait_is_absurd_whoever_asks_for_it(until):
    wait = RateLimited(clock.now() + until).until - clock.now()
    assert timedelta(0) < wait <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("status", "headers", "limited"),
    [(429, {}, True), (503, {"Retry-After": "9"}, True), (503, {}, False), (500, {"Retry-After": "9"}, False)],
)
def test_what_says_when_to_come_again(status, headers, limited):
    answer = Response(status, headers, b"<html>")
    with pytest.raises(RateLimited) if limited else nullcontext() as error:
        answer.raise_if_limited(PAUSE)
    assert not limited or not error.value.definitely_not_applied, "a gateway may have passed the request on"
