"""What stands at the address is no «Везде», is away for now, or does harm: no crash, no lie, no key to strangers."""

import json
import tracemalloc
from pathlib import Path

import pytest

from tests.clients.unreliable import JSON, Reply, Unreliable, dripping, endless, half_a_body, nothing, unreliable
from vezde_client import answers, api
from vezde_client.api import Api
from vezde_client.errors import ClientError, Refused, Unauthorized, Unavailable
from vezde_client.journal import Journal
from vezde_client.local_file import LocalFile
from vezde_client.tus import Upload

_LARGE = 256 << 20
PROBLEM = "application/problem+json"
GOOD = Reply(body=b'{"items": []}')


def problem(status: int, code: str, **headers: str) -> Reply:
    body = json.dumps({"code": code, "detail": f"Сказано: {code}."}).encode()
    return Reply(status, body, PROBLEM, {name.replace("_", "-"): value for name, value in headers.items()})


def client(server: Unreliable, patience: float = 0.0) -> Api:
    return Api(server.url, "vz_test", patience)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in life, but fifty times as fast."""
    monkeypatch.setattr(api, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(api, "READ_SECONDS", 1)
    monkeypatch.setattr(answers, "SECONDS", 1)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>Wi-Fi</html>", "text/html"),
        Reply(200, b"{", JSON),
        Reply(200, b"[" * 100_000, JSON),
        Reply(404, b"<html>nginx</html>", "text/html"),
        Reply(403, b'"no"', PROBLEM),
        Reply(502, b"<html>Bad Gateway</html>", "text/html"),
        Reply(503, b"", "text/plain", {"Retry-After": "999999999"}),
        Reply(500, b"{}", PROBLEM),
        Reply(instead=nothing),
        Reply(instead=half_a_body),
        Reply(instead=endless),
        Reply(instead=dripping),
        Reply(instead=lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9\r\n")),
    ],
    ids=lambda reply: f"{reply.status} {reply.type} {reply.body[:6]} {getattr(reply.instead, '__name__', '')}",
)
def test_no_api_answers(reply: Reply):
    with unreliable([reply]) as server, pytest.raises(Unavailable) as caught:
        client(server).get("/connections")
    assert caught.value.exit == 4
    assert "vz_test" not in caught.value.message


def test_nobody_answers():
    with pytest.raises(Unavailable):
        Api("http://127.0.0.1:9", "vz_test", 0).get("/me")
    with pytest.raises(Unavailable):
        Api("http://[::1", "vz_test", 0).get("/me")


def test_what_passes_is_waited_out():
    script = [problem(429, "too_many_requests", Retry_After="1"), Reply(502), Reply(instead=nothing)]
    script += [problem(409, "idempotency_under_way", Retry_After="0"), GOOD]
    with unreliable(script) as server:
        said: list[str] = []
        assert Api(server.url, "vz_test", 30, said.append).post("/publications", {}) == {"items": []}
    assert len(said) == 4
    keys = {headers["Idempotency-Key"] for _, _, headers in server.seen}
    assert len(keys) == 1, "the same request each time"


@pytest.mark.parametrize(
    ("reply", "kind", "exit_code"),
    [
        (problem(401, "api_key_expired"), Unauthorized, 3),
        (problem(403, "api_scope_missing"), Unauthorized, 3),
        (problem(409, "already_live"), Refused, 1),
        (problem(404, "not_found"), Refused, 1),
        (problem(429, "too_many_requests", Retry_After="3600"), Unavailable, 4),
    ],
)
def test_refusals_are_final_and_have_their_sentence(reply: Reply, kind: type[ClientError], exit_code: int):
    with unreliable([reply]) as server, pytest.raises(kind) as caught:
        client(server, patience=5).get("/me")
    assert caught.value.exit == exit_code
    assert caught.value.message.startswith("Сказано")
    assert len(server.seen) == 1


def test_the_key_goes_nowhere_else(tmp_path: Path):
    with unreliable([GOOD]) as stranger:
        elsewhere = Reply(307, headers={"Location": f"{stranger.url}/api/v1/me"})
        with unreliable([elsewhere]) as server, pytest.raises(Unavailable, match="Адрес"):
            client(server).get("/me")
        file = LocalFile(written(tmp_path, b"video"))
        created = Reply(201, headers={"Location": f"{stranger.url}/api/v1/uploads/1"})
        there = Reply(headers={"Upload-Offset": "5", "X-Clip-Id": "7"})
        with unreliable([created, there]) as server:
            upload = Upload(client(server), file, Journal(tmp_path / "journal"), lambda done, total: None)
            assert upload.send() == 7
        assert server.seen[1][1] == "/api/v1/uploads/1"
    assert stranger.seen == []


def test_a_netrc_does_not_replace_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written(tmp_path, b"machine 127.0.0.1 login a password b\n", "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with unreliable([GOOD]) as server:
        client(server).get("/me")
    assert server.seen[0][2]["Authorization"] == "Bearer vz_test"


def test_a_file_that_changes_is_not_sent_on(tmp_path: Path):
    path = written(tmp_path, b"video")
    file = LocalFile(path)
    path.write_bytes(b"another video")
    replies = [Reply(201, headers={"Location": "/api/v1/uploads/1"}), Reply(headers={"Upload-Offset": "0"})]
    with unreliable(replies) as server, pytest.raises(Refused, match="изменился"):
        Upload(client(server), file, Journal(tmp_path / "journal"), lambda done, total: None).send()
    assert [method for method, _, _ in server.seen] == ["POST", "HEAD"]


def test_an_upload_that_the_service_has_forgotten_begins_anew_once(tmp_path: Path):
    file = LocalFile(written(tmp_path, b"video"))
    gone, created = problem(404, "not_found"), Reply(201, headers={"Location": "/api/v1/uploads/2"})
    done = Reply(headers={"Upload-Offset": "5", "X-Clip-Id": "7"})
    journal = Journal(tmp_path / "journal")
    journal.note(upload="/api/v1/uploads/1")
    with unreliable([gone, created, done]) as server:
        assert Upload(client(server), file, journal, lambda done, total: None).send() == 7
    with unreliable([created, gone, created, gone]) as server, pytest.raises(Refused):
        Upload(client(server), file, Journal(tmp_path / "other"), lambda done, total: None).send()
    assert [method for method, _, _ in server.seen] == ["POST", "HEAD", "POST", "HEAD"]


def test_a_large_file_takes_no_memory(tmp_path: Path):
    """Not more than a block of it is held. The file is a hole, and the server throws the bytes away."""
    path = tmp_path / "large.mp4"
    with path.open("wb") as file:
        file.truncate(_LARGE)
    piece = Reply(204, b"", headers={})
    offsets = iter(range(16 << 20, _LARGE + 1, 16 << 20))

    def receive(handler) -> None:
        offset = next(offsets)
        end = "X-Clip-Id: 7\r\n" if offset == _LARGE else ""
        handler.wfile.write(
            f"HTTP/1.1 204 No Content\r\nConnection: close\r\nUpload-Offset: {offset}\r\n{end}\r\n".encode()
        )

    piece.instead = receive
    begun = [Reply(201, headers={"Location": "/api/v1/uploads/1"}), Reply(headers={"Upload-Offset": "0"})]
    with unreliable([*begun, piece]) as server:
        upload = Upload(client(server), LocalFile(path), Journal(tmp_path / "journal"), lambda done, total: None)
        tracemalloc.start()
        try:
            assert upload.send() == 7
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 32 << 20, "the server's megabyte, the client's block"


def written(folder: Path, content: bytes, name: str = "clip.mp4") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path
