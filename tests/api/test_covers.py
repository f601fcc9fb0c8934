"""Covers by the API: a moment, a picture as the body or in a form, and back."""

import io

import pytest

from app.models import PictureState
from tests import pictures


@pytest.fixture
def path(owner, ready_clip) -> str:
    return f"/clips/{ready_clip(owner).id}"


def test_a_moment_a_picture_and_back(api, path):
    automatic = api.get(f"{path}/cover").data
    assert api.get(path).json["cover"] == _cover("auto")
    answer = api.send("PUT", f"{path}/cover", {"at_ms": 500})
    assert (answer.status_code, answer.json["cover"]) == (202, _cover("auto", state="waiting"))
    pictures.make_all()
    assert api.get(path).json["cover"] == _cover("moment", at_ms=500)
    png = pictures.png(300, 400)
    api.send("PUT", f"{path}/cover", data=png, content_type="image/png")
    pictures.make_all()
    assert api.get("/clips").json["items"][0]["cover"] == _cover("picture")
    assert pictures.size(api.get(f"{path}/cover").data) == (300, 400)
    api.send("PUT", f"{path}/cover", data={"file": (io.BytesIO(b"\xff\xd8\xff" + bytes(500)), "cover.jpg")})
    pictures.make_all()
    refused = api.get(path).json["cover"]
    assert (refused["kind"], refused["state"], refused["reason"]) == ("picture", "failed", "cover_unreadable")
    assert refused["detail"].startswith("Картинка не читается")
    assert api.delete(f"{path}/cover").status_code == 204
    assert api.get(f"{path}/cover").data == automatic


def _cover(kind: str, at_ms: int | None = None, state: str = PictureState.READY) -> dict:
    return {"kind": kind, "at_ms": at_ms, "state": state, "reason": None, "detail": None}


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"json": {"at_ms": 60_000}}, 409, "cover_moment_outside"),
        ({"json": {"at_ms": -1}}, 422, "invalid_request"),
        ({"json": {"at_ms": "1"}}, 422, "invalid_request"),
        ({"json": {}}, 422, "invalid_request"),
        ({"json": {"at_ms": 1, "x": 1}}, 422, "invalid_request"),
        ({"data": b"{", "content_type": "application/json"}, 400, "bad_request"),
        ({"data": b"GIF89a", "content_type": "image/png"}, 409, "cover_not_picture"),
        ({"data": b"", "content_type": "image/png"}, 409, "cover_picture_missing"),
        ({"data": b"GIF89a", "content_type": "image/gif"}, 415, "unsupported_media_type"),
        ({"data": {"other": "x"}, "content_type": "multipart/form-data"}, 409, "cover_picture_missing"),
    ],
)
def test_what_is_refused(api, path, more, status, code):
    answer = api.send("PUT", f"{path}/cover", **more)
    assert (answer.status_code, answer.json["code"]) == (status, code)
