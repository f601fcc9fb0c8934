"""tus with a key: the same protocol as for pages, and refusals of the API."""

import base64

from app.db import db
from app.models import Clip, Upload

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = "application/offset+octet-stream"


def begin(api, length: int, key: str | None = None, name: str = "закат.mp4", **more):
    named = base64.b64encode(name.encode()).decode()
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": f"filename {named}"}
    return api.post("/uploads", key=key, headers=headers, **more)


def below(answer) -> str:
    return answer.headers["Location"].partition("/api/v1")[2]


def test_a_file_comes_in_pieces(api, vertical_file):
    data = vertical_file.read_bytes()
    path = below(begin(api, len(data)))
    first = {**TUS, "Upload-Offset": "0"}
    assert api.patch(path, headers=first, data=data[:1000], content_type=PIECE).headers["Upload-Offset"] == "1000"
    assert api.send("HEAD", path, headers=TUS).headers["Upload-Offset"] == "1000"
    rest = {**TUS, "Upload-Offset": "1000"}
    last = api.patch(path, headers=rest, data=data[1000:], content_type=PIECE)
    assert last.status_code == 204 and last.headers["Tus-Resumable"] == "1.0.0"
    clip = db.session.get(Clip, int(last.headers["X-Clip-Id"]))
    assert (clip.title, clip.source, clip.source_name, clip.size) == ("закат", "api", "Ферма", len(data))


def test_refusals_are_problems(api):
    assert begin(api, 100, data=b"x", content_type="text/plain").status_code == 415
    wrong = api.post("/uploads", headers={"Upload-Length": "100"})
    assert (wrong.status_code, wrong.json["code"]) == (412, "tus_version")
    path = below(begin(api, 100))
    early = api.patch(path, headers={**TUS, "Upload-Offset": "50"}, data=b"x", content_type=PIECE)
    assert (early.status_code, early.json["code"]) == (409, "upload_offset_mismatch")
    assert api.delete(path, headers=TUS).status_code == 204
    assert api.send("HEAD", path, headers=TUS).status_code == 404
    assert api.send("OPTIONS", "/uploads").headers["Tus-Version"] == "1.0.0"


def test_a_creation_that_comes_twice_is_one_upload(api):
    first, second = begin(api, 100, key="file-1"), begin(api, 100, key="file-1")
    assert first.headers["Location"] == second.headers["Location"]
    assert second.headers["Idempotent-Replayed"] == "true"
    assert begin(api, 101, key="file-1").status_code == 422
    assert db.session.query(Upload).count() == 1
