"""tus: by a public client against a real server, and by hand with every wrong header."""

import base64
import hashlib
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed

from app.db import db
from app.models import Clip, Upload
from app.services import clip_list, open_uploads, upload_files, uploads
from app.storage import storage
from tests import clips as files
from tests import probing
from tests.webserver import Server

ROOT = Path(__file__).parents[2]
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = "application/offset+octet-stream"


@pytest.fixture
def one_megabyte(environment) -> None:
    """To be named before the fixtures that start something."""
    environment["MAX_CLIP_MB"] = "1"


@pytest.fixture
def server(app, environment) -> Iterator[Server]:
    server = Server(environment)
    yield server
    server.close()


@pytest.fixture
def headers(app, web) -> dict[str, str]:
    """What a signed-in page's script sends. The test's own transaction ends here: the server writes."""
    db.session.commit()
    name = app.config["SESSION_COOKIE_NAME"]
    return {
        "Cookie": f"{name}={web.get_cookie(name).value}",
        "X-CSRFToken": web.environ_base["HTTP_X_CSRFTOKEN"],
    }


@pytest.fixture
def big(tmp_path: Path) -> Path:
    return files.write_big(tmp_path / "big.mp4", 24_000_001)


@pytest.fixture
def begin(web) -> Callable[..., str]:
    """Creates an upload: `begin(1000, name="клип.mp4")` returns its address."""

    def create(length: int, name: str = "клип.mp4") -> str:
        answer = web.post("/uploads", headers=TUS | {"Upload-Length": str(length), "Upload-Metadata": _named(name)})
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"]

    return create


def _named(name: str) -> str:
    return f"filename {base64.b64encode(name.encode()).decode()},filetype {base64.b64encode(b'video/mp4').decode()}"


def send(web, url: str, offset: int, data: bytes, **more):
    return web.patch(url, data=data, content_type=PIECE, headers=TUS | {"Upload-Offset": str(offset)} | more)


def offset(web, url: str) -> str | None:
    return web.head(url, headers=TUS).headers.get("Upload-Offset")


def _only_clip(owner) -> Clip:
    """The user's one clip as it is now. Leaves no transaction behind that a server would wait for."""
    db.session.commit()
    [clip] = clip_list.page(owner).rows
    db.session.expunge(clip)
    db.session.commit()
    return clip


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _head(path: str, headers: dict[str, str], start: int) -> bytes:
    """A PATCH's head, without the length of its body."""
    lines = headers | TUS | {"Host": "localhost", "Upload-Offset": start, "Content-Type": PIECE}
    return "".join([f"PATCH {path} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in lines.items())]).encode()


def _cut_off(server: Server, path: str, headers: dict[str, str], start: int, data: bytes, promised: int) -> None:
    """Sends `data` of a piece that promised more, and hangs up."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(_head(path, headers, start) + f"Content-Length: {promised}\r\n\r\n".encode() + data)


def _wait_for_offset(server: Server, path: str, headers: dict[str, str], expected: int) -> None:
    for _ in range(100):
        answer = requests.head(server.url + path, headers=headers | TUS, timeout=30)
        if answer.headers.get("Upload-Offset") == str(expected):
            return
        time.sleep(0.05)
    pytest.fail(f"{answer.status_code} {answer.headers}")


@pytest.mark.parametrize("chunk_size", [sys.maxsize, 5_000_000])
def test_tuspy_uploads_byte_for_byte(server, headers, owner, big, chunk_size):
    client = TusClient(f"{server.url}/uploads", headers=headers)
    uploader = client.uploader(
        str(big), chunk_size=chunk_size, metadata={"filename": "Закат над Волгой.mp4"}, upload_checksum=True
    )
    uploader.upload()

    clip = _only_clip(owner)
    assert uploader.request.response_headers["x-clip-id"] == str(clip.id)
    assert (clip.title, clip.size) == ("Закат над Волгой", big.stat().st_size)
    assert _sha256(storage().path(clip.storage_key)) == _sha256(big)
    probing.probe(clip.id)
    assert _only_clip(owner).sha256 == _sha256(big)


def test_tuspy_resumes_after_a_cut_and_after_the_servers_death(server, headers, owner, big):
    data = big.read_bytes()
    client = TusClient(f"{server.url}/uploads", headers=headers)
    url = client.uploader(str(big), metadata={"filename": "big.mp4"}).create_url()
    path = url.removeprefix(server.url)

    _cut_off(server, path, headers, 0, data[:7_000_000], promised=len(data))
    _wait_for_offset(server, path, headers, 7_000_000)

    client.uploader(str(big), url=url, chunk_size=2_000_000).upload_chunk()
    server.kill()
    server.start()

    resumed = client.uploader(str(big), url=url)
    assert resumed.offset == 9_000_000
    resumed.upload()
    assert _sha256(storage().path(_only_clip(owner).storage_key)) == _sha256(big)


def test_the_largest_clip_fits_exactly(one_megabyte, server, headers, owner, tmp_path):
    client = TusClient(f"{server.url}/uploads", headers=headers)
    largest = files.write_big(tmp_path / "largest.mp4", upload_files.MIB)
    client.uploader(str(largest)).upload()
    assert _only_clip(owner).size == upload_files.MIB

    with largest.open("ab") as file:
        file.write(b"x")
    with pytest.raises(TusCommunicationError) as refused:
        client.uploader(str(largest)).upload()
    assert refused.value.status_code == 413


def test_tuspy_gets_the_refusal(server, headers, tmp_path):
    clip = str(files.vertical(tmp_path))
    stranger = TusClient(f"{server.url}/uploads")
    with pytest.raises(TusCommunicationError) as refused:
        stranger.uploader(clip).create_url()
    assert refused.value.status_code == 401
    assert "Войдите" in refused.value.response_content.decode()

    uploader = TusClient(f"{server.url}/uploads", headers=headers).uploader(clip)
    uploader.set_url(uploader.create_url())
    uploader.client = stranger
    with pytest.raises(TusUploadFailed) as refused:
        uploader.upload()
    assert refused.value.status_code == 401


def test_a_body_without_end_is_not_read(server, headers):
    created = requests.post(f"{server.url}/uploads", headers=headers | TUS | {"Upload-Length": "1000"}, timeout=30)
    path = created.headers["Location"]
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(_head(path, headers, 0) + b"Transfer-Encoding: chunked\r\n\r\n" + b"5\r\n01234\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 411 ")
    _wait_for_offset(server, path, headers, 0)


def test_options_tell_what_there_is(client):
    answer = client.options("/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == answer.headers["Tus-Resumable"] == "1.0.0"
    assert answer.headers["Tus-Max-Size"] == str(500 << 20)
    assert set(answer.headers["Tus-Extension"].split(",")) >= {"creation", "termination", "checksum", "expiration"}
    assert "sha1" in answer.headers["Tus-Checksum-Algorithm"]


def test_pieces_by_hand(web, begin, owner):
    url = begin(10)
    assert url.startswith("/uploads/")
    first = send(web, url, 0, b"01234")
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, "5")
    assert "X-Clip-Id" not in first.headers
    head = web.head(url, headers=TUS)
    assert (head.status_code, head.headers["Upload-Offset"], head.headers["Upload-Length"]) == (200, "5", "10")
    assert head.headers["Cache-Control"] == "private, no-store"
    last = send(web, url, 5, b"56789")
    assert (last.status_code, last.headers["Upload-Offset"]) == (204, "10")
    assert last.headers["X-Clip-Id"] == str(_only_clip(owner).id)
    assert web.head(url, headers=TUS).headers["X-Clip-Id"] == last.headers["X-Clip-Id"]


def test_creation_may_bring_the_bytes(web, owner):
    answer = web.post("/uploads", data=b"01234", content_type=PIECE, headers=TUS | {"Upload-Length": "5"})
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "5")
    assert _only_clip(owner).title == "Без названия"
    answer = web.post("/uploads", data=b"012345", content_type=PIECE, headers=TUS | {"Upload-Length": "5"})
    assert answer.status_code == 413


def test_termination(web, begin):
    url = begin(10)
    assert web.delete(url, headers=TUS).status_code == 204
    assert web.head(url, headers=TUS).status_code == 404
    assert web.delete(url, headers=TUS).status_code == 404
    assert send(web, url, 0, b"x").status_code == 404


def test_a_checksum_is_compared(web, begin):
    url = begin(10)
    right = base64.b64encode(hashlib.sha1(b"01234").digest()).decode()
    assert send(web, url, 0, b"01235", **{"Upload-Checksum": f"sha1 {right}"}).status_code == 460
    assert send(web, url, 0, b"01234", **{"Upload-Checksum": f"crc32 {right}"}).status_code == 400
    assert send(web, url, 0, b"01234", **{"Upload-Checksum": "sha1 ***"}).status_code == 400
    assert offset(web, url) == "0"
    assert send(web, url, 0, b"01234", **{"Upload-Checksum": f"sha1 {right}"}).status_code == 204


def test_offsets_that_lie(web, begin):
    url = begin(10)
    assert send(web, url, 3, b"x").status_code == 409
    for wrong in ("", "-1", "0x1", "1.5", "²", "9" * 30, "1 2"):
        assert send(web, url, 0, b"x", **{"Upload-Offset": wrong}).status_code == 400
    assert send(web, url, 0, b"x" * 11).status_code == 413
    assert offset(web, url) == "0"


def test_lengths_that_lie(web):
    for wrong in (None, "", "-5", "abc", "1e9", "²", "9" * 30, "0"):
        headers = TUS if wrong is None else TUS | {"Upload-Length": wrong}
        assert web.post("/uploads", headers=headers).status_code == 400
    assert web.post("/uploads", headers=TUS | {"Upload-Defer-Length": "1"}).status_code == 400
    too_large = web.post("/uploads", headers=TUS | {"Upload-Length": str((500 << 20) + 1)})
    assert too_large.status_code == 413
    assert too_large.mimetype == "text/plain"
    assert "500 МБ" in too_large.text
    assert db.session.query(Upload).count() == 0


def test_metadata_that_lies(web, begin, owner):
    for wrong in ("filename ***", "filename YQ", "filename \xd0"):
        answer = web.post("/uploads", headers=TUS | {"Upload-Length": "5", "Upload-Metadata": wrong})
        assert answer.status_code == 400
    for odd in ("filename", "", ",,", "is_private", "filename " + base64.b64encode(b"\xff\xfe").decode()):
        answer = web.post("/uploads", headers=TUS | {"Upload-Length": "5", "Upload-Metadata": odd})
        assert answer.status_code == 201
    send(web, begin(5, name="../../../etc/cron.d/x\x00.mp4"), 0, b"01234")
    assert _only_clip(owner).file_name == "x.mp4"


def test_what_is_not_tus_is_refused(web, begin):
    url = begin(10)
    for other in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        answer = web.patch(url, data=b"x", content_type=other, headers=TUS | {"Upload-Offset": "0"})
        assert answer.status_code == 415
    form = web.post("/uploads", data={"file": "x"}, headers=TUS | {"Upload-Length": "5"})
    assert form.status_code == 415
    for version in ({}, {"Tus-Resumable": "0.2.2"}):
        answer = web.post("/uploads", headers=version | {"Upload-Length": "5"})
        assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")
    assert offset(web, url) == "0"


def test_every_change_needs_the_form_token(web, begin):
    url = begin(10)
    web.environ_base.pop("HTTP_X_CSRFTOKEN")
    for answer in (
        web.post("/uploads", headers=TUS | {"Upload-Length": "5"}),
        send(web, url, 0, b"x"),
        web.delete(url, headers=TUS),
    ):
        assert (answer.status_code, answer.mimetype) == (400, "text/plain")
        assert "Обновите" in answer.text
    assert offset(web, url) == "0"


def test_guests_are_asked_to_sign_in(client, begin):
    url = begin(10)
    for answer in (
        client.post("/uploads", headers=TUS | {"Upload-Length": "5"}),
        client.head(url, headers=TUS),
        send(client, url, 0, b"x"),
        client.delete(url, headers=TUS),
    ):
        assert answer.status_code == 401
        assert answer.headers["Tus-Resumable"] == "1.0.0"


def test_strangers_find_nothing(sign_in, user, web, begin):
    url, stranger = begin(10), sign_in(user())
    assert stranger.head(url, headers=TUS).status_code == 404
    assert send(stranger, url, 0, b"x").status_code == 404
    assert stranger.delete(url, headers=TUS).status_code == 404
    assert offset(web, url) == "0"


def test_limits_have_their_statuses(web, begin, user, sign_in):
    for _ in range(uploads.MAX_OPEN):
        begin(10)
    assert web.post("/uploads", headers=TUS | {"Upload-Length": "5"}).status_code == 429

    poor = user(plan="free")
    db.session.add(Clip(user_id=poor.id, title="x", file_name="x", storage_key="x", size=2 * open_uploads.GIB))
    db.session.commit()
    full = sign_in(poor).post("/uploads", headers=TUS | {"Upload-Length": "5"})
    assert full.status_code == 413
    assert "тариф" in full.text


def test_the_pages_script_learns_what_is_unfinished_and_what_is_there_already(web, begin, owner):
    print_, other = "a" * 64, "b" * 64
    metadata = f"{_named('клип.mp4')},fingerprint {base64.b64encode(print_.encode()).decode()},publish"
    answer = web.post("/uploads", headers=TUS | {"Upload-Length": "10", "Upload-Metadata": metadata})
    url = answer.headers["Location"]
    send(web, url, 0, b"x" * 4)
    listed = {"url": url, "name": "клип.mp4", "size": 10, "sent": 4, "fingerprint": print_, "publish": True}
    assert web.get("/uploads").json == {"uploads": [listed]}

    # Continued with another file, it is refused.
    for response in (
        web.head(url, headers=TUS | {"Upload-Fingerprint": other}),
        send(web, url, 4, b"y", **{"Upload-Fingerprint": other}),
    ):
        assert response.status_code == 400
    assert web.head(url, headers=TUS | {"Upload-Fingerprint": print_}).headers["Upload-Offset"] == "4"
    changed = send(web, url, 4, b"y" * 6, **{"Upload-Fingerprint": print_})
    assert changed.status_code == 410
    assert "Файл изменился" in changed.text
    assert web.delete(url, headers=TUS).status_code == 204
    assert web.get("/uploads").json == {"uploads": []}

    send(web, begin(10), 0, b"x" * 10)
    clip = _only_clip(owner)
    assert web.get(f"/uploads/same?fingerprint={other}").json == {"clip": None}
    assert web.get("/uploads/same?fingerprint=nonsense").json == {"clip": None}
    found = web.get(f"/uploads/same?fingerprint={clip.fingerprint}").json["clip"]
    assert (found["title"], found["url"]) == ("клип", f"/clips/{clip.id}")


def test_the_wish_to_publish_is_kept(web, begin):
    url = begin(10)
    for method, wished in ((web.put, True), (web.delete, False)):
        assert method(f"{url}/publishing", headers=TUS).status_code == 204
        assert web.get("/uploads").json["uploads"][0]["publish"] is wished


def test_a_stale_token_is_told_where_to_get_a_new_one(web, begin):
    del web.environ_base["HTTP_X_CSRFTOKEN"]
    answer = web.post("/uploads", headers=TUS | {"Upload-Length": "5"})
    assert (answer.status_code, answer.headers["X-Session"]) == (400, "/session")
