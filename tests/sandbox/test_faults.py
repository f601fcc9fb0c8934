"""Each kind of fault, and when a rule applies."""

import socket
import struct
import time
from urllib.parse import urlsplit

import pytest
import requests

from sandbox.testing import start_sandbox
from tests.sandbox.conftest import BOT, CHANNEL, sha256, until

MATCH = "POST /telegram/.*sendVideo"


@pytest.mark.parametrize(
    ("status", "description"),
    [(500, "Internal Server Error"), (502, "Bad Gateway"), (413, "Request Entity Too Large")],
)
def test_status_has_the_vendors_format(sandbox, send, status, description):
    sandbox.trouble({"match": MATCH, "do": f"status:{status}"})
    response = send()
    assert response.status_code == status
    assert response.json() == {"ok": False, "error_code": status, "description": description}
    assert sandbox.posts == sandbox.drafts == []


def test_retry_after_has_the_vendors_format(sandbox, send):
    sandbox.trouble({"match": MATCH, "do": "status:429", "retry_after": 7})
    response = send()
    assert response.json()["parameters"] == {"retry_after": 7}
    assert response.headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("code", "status", "description"),
    [
        ("401", 401, "Unauthorized"),
        ("403", 403, "Forbidden: bot was kicked from the channel chat"),
        ("403 Forbidden: bot was blocked", 403, "Forbidden: bot was blocked"),
        ("CHAT_ADMIN_REQUIRED", 400, "Bad Request: CHAT_ADMIN_REQUIRED"),
    ],
)
def test_errors_are_the_vendors_own(sandbox, send, code, status, description):
    sandbox.trouble({"match": MATCH, "do": f"error:{code}"})
    response = send()
    assert response.json() == {"ok": False, "error_code": status, "description": description}
    assert response.status_code == status


def test_garbage_is_an_html_page(sandbox, send):
    sandbox.trouble({"match": MATCH, "do": "garbage"})
    response = send()
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert sandbox.posts == []


@pytest.mark.parametrize("do", ["status:500", "error:403", "garbage", "hang:0.1"])
def test_a_request_can_be_handled_before_the_fault(sandbox, send, do):
    sandbox.trouble({"match": MATCH, "do": do, "effect": True})
    if do.startswith("hang"):
        with pytest.raises(requests.ConnectionError):
            send()
    else:
        send()
    assert len(sandbox.posts) == 1


def test_a_response_can_be_lost(sandbox, send, clip):
    sandbox.trouble({"match": MATCH, "do": "lose_answer"})
    with pytest.raises(requests.ConnectionError):
        send(clip)
    assert [post["sha256"] for post in sandbox.posts] == [sha256(clip)]
    assert sandbox.requests[-1]["status"] == 0
    assert sandbox.requests[-1]["trouble"] == "lose_answer"


@pytest.mark.parametrize("percent", [50, 100])
def test_a_request_can_be_cut(sandbox, send, percent):
    data = bytes(range(256)) * 20_000
    sandbox.trouble({"match": MATCH, "do": f"cut_request:{percent}"})
    with pytest.raises(requests.ConnectionError):
        send(data, caption="Полклипа")
    assert sandbox.posts == []
    [draft] = sandbox.drafts
    assert draft["offset"] == draft["bytes"] == pytest.approx(len(data) * percent / 100, abs=2000)
    assert draft["sha256"] == sha256(data[: draft["bytes"]])
    assert (draft["title"], draft["account"], draft["id"]) == ("Полклипа", str(CHANNEL), None)


def test_a_cut_request_without_a_body_is_not_handled(sandbox, send):
    send()
    sandbox.trouble({"match": "deleteMessage", "do": "cut_request:50"})
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{sandbox.url}/telegram/bot{BOT}/deleteMessage?chat_id={CHANNEL}&message_id=1", timeout=10)
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize("effect", [False, True])
def test_a_response_can_be_late(sandbox, send, effect):
    sandbox.trouble({"match": MATCH, "do": "delay:0.5", "effect": effect})
    start = time.monotonic()
    assert send().ok
    assert time.monotonic() - start >= 0.5
    assert len(sandbox.posts) == 1


def test_a_hanging_request_is_not_handled(sandbox, send):
    sandbox.trouble({"match": MATCH, "do": "hang:30"})
    with pytest.raises(requests.ReadTimeout):
        requests.post(
            f"{sandbox.url}/telegram/bot{BOT}/sendVideo",
            {"chat_id": CHANNEL},
            files={"video": ("clip.mp4", b"clip")},
            timeout=0.3,
        )
    assert sandbox.posts == []


def test_a_hanging_request_ends_with_its_client(single_threaded_sandbox):
    sandbox = single_threaded_sandbox
    sandbox.trouble({"match": "getMe", "do": "hang:30", "times": 1})
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{sandbox.url}/telegram/bot{BOT}/getMe", timeout=0.3)
    assert requests.get(f"{sandbox.url}/telegram/bot{BOT}/getMe", timeout=5).ok


@pytest.fixture
def single_threaded_sandbox(tmp_path):
    sandbox = start_sandbox(tmp_path, threads=1)
    yield sandbox
    sandbox.stop()


def test_the_rate_of_a_connection_can_be_limited(sandbox, send):
    sandbox.trouble({"match": MATCH, "do": "slow:100000"})
    start = time.monotonic()
    assert send(bytes(50_000)).ok
    assert time.monotonic() - start >= 0.5


def test_a_disconnected_client_leaves_a_draft(sandbox):
    place = urlsplit(sandbox.url)
    start = b'--x\r\nContent-Disposition: form-data; name="chat_id"\r\n\r\n@vezde_demo\r\n'
    start += b'--x\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\n' + bytes(5000)
    head = f"POST /telegram/bot{BOT}/sendVideo HTTP/1.1\r\nHost: {place.netloc}\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n"
    with socket.create_connection((place.hostname, place.port)) as client:
        client.sendall(head.encode() + start)
    [logged] = until(lambda: sandbox.requests)
    assert logged["status"] == 0
    [draft] = sandbox.drafts
    assert 4990 <= draft["bytes"] <= 5000


def test_a_cut_connection_is_closed_without_a_byte(sandbox):
    sandbox.trouble({"match": "getMe", "do": "lose_answer"})
    place = urlsplit(sandbox.url)
    with socket.create_connection((place.hostname, place.port), timeout=5) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 5, 0))
        client.sendall(f"GET /telegram/bot{BOT}/getMe HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
        try:
            received = client.recv(1000)
        except ConnectionResetError:
            received = b""
    assert received == b""


def statuses(send, count: int) -> list[int]:
    return [send().status_code for _ in range(count)]


def test_nth_applies_once(sandbox, send):
    sandbox.trouble({"match": MATCH, "do": "status:500", "nth": 2})
    assert statuses(send, 4) == [200, 500, 200, 200]


def test_nth_with_times_applies_from_there_on(sandbox, send):
    sandbox.trouble({"match": MATCH, "do": "status:500", "nth": 2, "times": 2})
    assert statuses(send, 5) == [200, 500, 500, 200, 200]


def test_times_limits(sandbox, send):
    sandbox.trouble({"match": MATCH, "do": "status:500", "times": 2})
    assert statuses(send, 4) == [500, 500, 200, 200]


def test_probability_is_reproducible_by_seed(sandbox, send):
    rule = {"match": MATCH, "do": "status:500", "probability": 0.5, "seed": 7}
    sandbox.trouble(rule)
    first = statuses(send, 20)
    sandbox.trouble(rule)
    assert statuses(send, 20) == first
    assert {200, 500} == set(first)
    sandbox.trouble(rule | {"seed": 8})
    assert statuses(send, 20) != first


def test_the_first_applicable_rule_is_used(sandbox, send):
    sandbox.trouble(
        {"match": MATCH, "do": "status:502", "nth": 2},
        {"match": MATCH, "do": "status:500"},
    )
    assert statuses(send, 3) == [500, 502, 500]


def test_a_rule_can_match_a_token(sandbox, send):
    sandbox.trouble(
        {"match": "/bot110201543:", "do": "status:500", "times": 1}, {"match": "bot<TOKEN>", "do": "garbage"}
    )
    assert send().status_code == 500
    assert send().headers["Content-Type"].startswith("text/html")


def test_rules_are_shown_with_their_hits(sandbox, send):
    sandbox.trouble({"match": MATCH, "do": "status:500", "nth": 2})
    statuses(send, 3)
    [rule] = sandbox.control("trouble")["rules"]
    assert rule == {
        "match": MATCH, "do": "status:500", "nth": 2, "seed": 0, "effect": False, "repeat": False, "seen": 3, "hits": 1,
    }  # fmt: skip
    sandbox.trouble()
    assert sandbox.control("trouble")["rules"] == []


def test_control_and_pages_get_no_faults(sandbox):
    sandbox.trouble({"match": ".*", "do": "hang:30"})
    assert sandbox.posts == []
    assert requests.get(sandbox.url, timeout=5).ok


@pytest.mark.parametrize(
    "rule",
    [
        {"match": "x"},
        {"do": "garbage"},
        {"match": "x", "do": "explode"},
        {"match": "(", "do": "garbage"},
        {"match": "x", "do": "status:often"},
        {"match": "x", "do": "error:"},
        {"match": "x", "do": "slow:0"},
        {"match": "x", "do": "delay:-1"},
        {"match": "x", "do": "garbage", "often": True},
        {"match": "x", "do": "garbage", "nth": "2"},
        {"match": "x", "do": "garbage", "nth": 2, "probability": 0.5},
        {"match": "x", "do": "cut_request:50", "effect": True},
        "garbage",
    ],
)
def test_an_invalid_rule_is_refused(sandbox, rule):
    with pytest.raises(ValueError, match='"error"'):
        sandbox.trouble(rule)
    assert sandbox.control("trouble")["rules"] == []
