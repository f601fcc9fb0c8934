"""One request to a receiver, whatever it does."""

import threading
import time

import pytest

from app.webhooks import sending
from app.webhooks.sending import Message, Outcome, send
from tests.receivers import Receiver, drip, endless, hang, ok, reset, status


@pytest.fixture(scope="module")
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.stop()


def sent(receiver: Receiver, answer, url: str = "") -> Outcome:
    receiver.got.clear()
    receiver.answer = answer
    return send(Message(url or receiver.url, {"webhook-id": "msg_1"}, b"{}"), [receiver.origin])


@pytest.mark.parametrize(
    ("answer", "code", "error"),
    [
        (ok, 200, None),
        (status(204), 204, None),
        (status(400, "нет".encode()), 400, "status"),
        (status(410), 410, "status"),
        (endless, 200, None),
        (reset, None, "broken"),
        (lambda request: request.wfile.write(b"SSH-2.0-OpenSSH\r\n"), None, "broken"),
        (lambda request: request.wfile.write(b"HTTP/1.1 200 OK\r\n" + 200 * b"X: y\r\n"), None, "broken"),
    ],
    ids=["ok", "no content", "refused", "gone", "endless", "reset", "not http", "many headers"],
)
def test_answers(receiver, answer, code, error):
    began = time.monotonic()
    outcome = sent(receiver, answer)
    assert (outcome.status, outcome.error) == (code, error)
    assert len(outcome.excerpt) <= sending.MAX_EXCERPT and time.monotonic() - began < 5
    assert receiver.got[0].headers["webhook-id"] == "msg_1"


def test_what_a_receiver_says_is_shown_without_secrets(receiver):
    outcome = sent(receiver, status(400, "Плохо: access_token=abcdefghijklmnop\0".encode()))
    assert outcome.excerpt.startswith("Плохо: access_token=[скрыто]")


def test_a_redirect_is_not_followed(receiver):
    other = Receiver()
    for code in (301, 302, 303, 307, 308):
        for to in (other.url, "http://169.254.169.254/latest/meta-data", "http://127.0.0.1:1/"):
            outcome = sent(receiver, status(code, Location=to))
            assert (outcome.status, outcome.error) == (code, "redirect")
    assert other.got == []
    other.stop()


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_our_own_network_is_not_asked(receiver, host):
    outcome = sent(receiver, ok, receiver.url.replace("127.0.0.1", host))
    assert (outcome.status, outcome.error) == (None, "forbidden_address")
    assert receiver.got == []


def test_what_hangs_or_drips_ends_in_time(receiver):
    def dripping_body(request):
        request.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            request.wfile.write(b"z")
            time.sleep(0.2)

    receivers, outcomes = [Receiver() for _ in range(3)], {}
    began = time.monotonic()
    threads = [
        threading.Thread(target=lambda one=one, answer=answer: outcomes.update({answer: sent(one, answer)}))
        for one, answer in zip(receivers, (hang, drip, dripping_body), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < sending.SECONDS + 3
    assert [outcomes[answer].error for answer in (hang, drip, dripping_body)] == ["timeout", "timeout", None]
    for one in receivers:
        one.stop()
