"""Clips by the API: the list and its pages, texts, files, deletion, and an upload in one request."""

import hashlib
import io
from urllib.parse import urlsplit

import pytest

from app.db import db
from app.models import Clip, ClipStatus, Upload
from app.services import upload_files
from tests import probing


def test_pages_stay_where_they_are_when_a_clip_comes(api, owner, ready_clip):
    clips = [ready_clip(owner, title=f"Клип {number}") for number in range(5)]
    first = api.get("/clips?limit=2").json
    assert [one["id"] for one in first["items"]] == [clips[4].id, clips[3].id]
    ready_clip(owner, title="Новый")
    second = api.get(f"/clips?limit=2&cursor={first['next_cursor']}").json
    third = api.get(f"/clips?limit=2&cursor={second['next_cursor']}").json
    assert [one["id"] for one in second["items"] + third["items"]] == [one.id for one in reversed(clips[:3])]
    assert third["next_cursor"] is None


def test_the_list_is_narrowed_down(api, owner, ready_clip):
    volga, other = ready_clip(owner, title="Закат над Волгой"), ready_clip(owner, title="Рассвет")
    other.status, other.source = ClipStatus.FAILED, "api"
    db.session.commit()

    def found(**filters):
        return [one["id"] for one in api.get("/clips", query_string=filters).json["items"]]

    assert found(query="волгой ЗАКАТ") == found(status="ready") == found(source="upload") == [volga.id]
    assert found(source="api") == [other.id] and found(query="%") == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "field_range"),
        ("limit=101", "field_range"),
        ("limit=x", "field_not_integer"),
        ("limit=٢", "field_not_integer"),
        ("cursor=-1", "field_malformed"),
        ("status=new", "field_not_among_choices"),
        ("stauts=ready", "field_unknown"),
        ("query=a%00b", "field_not_text"),
        ("status=ready&status=failed", "field_malformed"),
    ],
)
def test_a_wrong_parameter_is_named(api, query, code):
    answer = api.get(f"/clips?{query}")
    assert answer.status_code == 422 and answer.json["code"] == "invalid_request"
    [error] = answer.json["errors"]
    assert error["code"] == code and error["field"] == query.partition("=")[0]


def test_texts_are_changed_one_by_one(api, owner, ready_clip):
    clip = ready_clip(owner, title="Закат")
    assert api.patch(f"/clips/{clip.id}", {"text": "О Волге"}).json["title"] == "Закат"
    changed = api.patch(f"/clips/{clip.id}", {"title": "Рассвет"}).json
    assert (changed["title"], changed["text"]) == ("Рассвет", "О Волге")
    assert api.patch(f"/clips/{clip.id}", {"title": " "}).json["code"] == "clip_title_missing"
    assert api.patch(f"/clips/{clip.id}", {"title": "х" * 201}).json["errors"][0]["code"] == "field_length"
    assert api.patch(f"/clips/{clip.id}", {}).status_code == 200


@pytest.mark.parametrize(
    ("data", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "bad_request"),
        (b'{"title": NaN}', "application/json", 400, "bad_request"),
        (b"[" * 100_000, "application/json", 400, "bad_request"),
        (b"\xff\xfe", "application/json", 400, "bad_request"),
        (b"1" * 5000, "application/json", 400, "bad_request"),
        (b"[]", "application/json", 422, "field_not_object"),
        (b'{"title": "\\ud800"}', "application/json", 422, "field_not_text"),
        (b'{"title": "a\\u0000b"}', "application/json", 422, "field_not_text"),
        (b'{"title": 1}', "application/json", 422, "field_not_text"),
        (b'{"name": "x"}', "application/json", 422, "field_unknown"),
        (b"title=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b'{"title": "' + b"x" * (2 << 20) + b'"}', "application/json", 413, "too_large"),
    ],
)
def test_a_wrong_body_is_never_our_fault(api, owner, ready_clip, data, content_type, status, code):
    clip = ready_clip(owner)
    answer = api.patch(f"/clips/{clip.id}", data=data, content_type=content_type)
    assert answer.status_code == status, answer.json
    assert code in (answer.json["code"], *(one["code"] for one in answer.json.get("errors", ())))


def test_files(api, owner, ready_clip, vertical_file):
    clip = ready_clip(owner)
    cover = api.get(f"/clips/{clip.id}/cover")
    assert cover.content_type == "image/jpeg" and cover.data.startswith(b"\xff\xd8")
    assert urlsplit(api.get(f"/clips/{clip.id}").json["cover_url"]).path == f"/api/v1/clips/{clip.id}/cover"
    file = api.get(f"/clips/{clip.id}/file")
    assert hashlib.sha256(file.data).hexdigest() == clip.sha256 and file.content_type == "video/mp4"
    part = api.get(f"/clips/{clip.id}/file", headers={"Range": "bytes=10-19"})
    assert part.status_code == 206 and part.data == vertical_file.read_bytes()[10:20]
    assert api.get(f"/clips/{clip.id}/file", headers={"Range": "bytes=999999999-"}).status_code == 416
    [original] = api.get(f"/clips/{clip.id}/renditions").json["items"]
    assert (original["kind"], original["size"]) == ("original", clip.size)


def test_a_deleted_clip_is_gone_at_once(api, owner, ready_clip):
    clip = ready_clip(owner)
    assert api.delete(f"/clips/{clip.id}").status_code == 204
    assert api.get(f"/clips/{clip.id}").status_code == api.delete(f"/clips/{clip.id}").status_code == 404


def test_a_file_becomes_a_clip_in_one_request(api, vertical_file):
    data = vertical_file.read_bytes()
    answer = api.post("/clips?title=Закат&text=О Волге&file_name=a.mp4", data=data, content_type="video/mp4")
    assert answer.status_code == 201, answer.json
    made = answer.json
    assert (made["title"], made["text"], made["file_name"], made["source"]) == ("Закат", "О Волге", "a.mp4", "api")
    assert made["source_name"] == "Ферма" and made["status"] == "processing" and made["size"] == len(data)
    assert answer.headers["Location"].endswith(f"/api/v1/clips/{made['id']}")
    probing.probe(made["id"])
    assert api.get(f"/clips/{made['id']}").json["sha256"] == hashlib.sha256(data).hexdigest()
    form = api.post("/clips", data={"file": (io.BytesIO(data), "закат.mp4")}, content_type="multipart/form-data")
    assert (form.status_code, form.json["title"]) == (201, "закат")


def test_a_file_that_is_refused_leaves_nothing(app, api):
    assert api.post("/clips", data=b"x", content_type="text/plain").status_code == 415
    empty = api.post("/clips", content_type="video/mp4", environ_overrides={"CONTENT_LENGTH": "0"})
    assert empty.json["code"] == "upload_empty"
    assert api.post("/clips", content_type="video/mp4").status_code == 411
    assert api.post("/clips", data={}, content_type="multipart/form-data").json["code"] == "no_file"
    app.config["MAX_CLIP_MB"] = 0
    large = api.post("/clips", data=b"x" * 100, content_type="video/mp4")
    assert (large.status_code, large.json["code"]) == (413, "upload_too_large")
    assert db.session.query(Upload).count() == db.session.query(Clip).count() == 0
    assert list(upload_files.folder().iterdir()) == []


def test_a_file_that_breaks_off_leaves_nothing(api):
    promised = {"CONTENT_LENGTH": "100"}
    answer = api.post("/clips", data=b"x" * 50, content_type="video/mp4", environ_overrides=promised)
    assert (answer.status_code, answer.json["code"]) == (503, "upload_cut")
    assert "Retry-After" in answer.headers
    assert db.session.query(Upload).count() == 0
