"""The last block of a body, before which a commit is marked."""

import io
import socket
import threading

import pytest

from app.platforms.errors import Refused, Unavailable
from app.platforms.http.body import FileBody
from app.platforms.http.client import Http


def test_a_platform_that_hangs_up_while_it_is_armed_has_got_a_torn_request():
    """Arming took long, a database was away: what was not sent cannot have been done."""
    listening = socket.create_server(("127.0.0.1", 0))
    body = b"x" * 100_000
    taken: list[socket.socket] = []

    def serve() -> None:
        near, _ = listening.accept()
        taken.append(near)
        received = b""
        while len(received) < len(body) - 1024:
            received += near.recv(1 << 16)

    server = threading.Thread(target=serve, daemon=True)
    server.start()

    def arm() -> None:
        server.join(20)
        taken[0].shutdown(socket.SHUT_RDWR)
        taken[0].close()

    origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
    http = Http()
    http.allow([origin])
    with pytest.raises(Unavailable) as error:
        http.request("POST", origin, data=FileBody(io.BytesIO(body), len(body), before_last=arm))
    assert error.value.definitely_not_applied
    listening.close()


def test_a_file_that_is_shorter_than_announced_is_no_fault_of_the_platform():
    with pytest.raises(Refused) as refused:
        while FileBody(io.BytesIO(b"123"), 5).read(10):
            continue
    assert refused.value.reason == "clip_changed"
