"""The judges themselves: that they are there, and that they find what is wrong."""

from dataclasses import replace

import pytest

from app.platforms.http.body import Multipart
from tests.platforms.vendors import SHARED, Exchange, google, head_of, max_api, telegram, vk
from tests.platforms.vendors import exchange as exchanged
from tests.platforms.vendors.judges import JUDGES, NEEDS, judge_of

VIDEOS = Exchange("GET", "/youtube/v3/videos", {"part": "status", "id": "a"}, {}, None, 200, None)
INSERT = Exchange(
    "POST", "/upload/youtube/v3/videos", {"part": "snippet", "uploadType": "resumable"}, {}, {}, 200, None
)
CHAT = Exchange("POST", "/telegram/bot1:a/getChat", {}, {"chat_id": "1"}, None, 200, None)
SAVE = Exchange("POST", "/vk-api/method/video.save", {}, {"name": "Закат", "wallpost": "0"}, None, 200, None)

MESSAGE = {"text": "Закат", "attachments": [{"type": "video", "payload": {"token": "a"}}], "link": None}
SEND = Exchange("POST", "/max/messages", {"chat_id": "-71"}, {}, MESSAGE, 200, None)


@pytest.mark.parametrize("platform", JUDGES)
def test_what_the_vendors_have_written_is_there(platform):
    if judge_of(platform) is None:
        pytest.skip(f"{SHARED / NEEDS[platform]} is not here: {platform} is not judged")


def test_google_finds_what_is_wrong():
    assert list(google.judge(VIDEOS)) == []
    assert list(google.judge(replace(VIDEOS, path="/youtube/v3/clips"))) == ["the vendor has no such call"]
    wrong = {
        "query ids: unknown": {"part": "status", "ids": "a"},
        "query part: missing": {"id": "a"},
        "part clip: unknown": {"part": "clip"},
        "query maxResults=many: no integer": {"part": "status", "maxResults": "many"},
    }
    for line, query in wrong.items():
        assert line in list(google.judge(replace(VIDEOS, query=query)))
    for body in (
        {"snippet": {"name": "Закат"}},
        {"status": {"privacyStatus": "open"}},
        {"status": {"selfDeclaredMadeForKids": "no"}},
        {"snippet": {"tags": "a,b"}},
    ):
        assert len(list(google.judge(replace(INSERT, body=body)))) == 1, body
    for answer in ({"items": [{"statistics": {"viewCount": 7}}]}, {"items": {}}, {"videos": []}):
        assert len(list(google.judge(replace(VIDEOS, answer=answer)))) == 1, answer
    assert list(google.judge(replace(VIDEOS, status=404, answer={"error": "gone"})))
    assert list(google.judge(replace(VIDEOS, answer={"items": [{"statistics": {"viewCount": "7"}}]}))) == []


@pytest.mark.skipif(judge_of("telegram") is None, reason=f"{SHARED} is not here")
def test_telegram_finds_what_is_wrong():
    assert list(telegram.judge(CHAT)) == []
    assert list(telegram.judge(replace(CHAT, form={"chat": "1"}))) == ["field chat: unknown", "field chat_id: missing"]
    assert list(telegram.judge(replace(CHAT, path="/telegram/bot1:a/findChat")))
    assert list(telegram.judge(replace(CHAT, answer={"ok": True, "result": {"id": 1}})))
    member = replace(CHAT, path="/bot1:a/getChatMember", form={"chat_id": "@a", "user_id": "a"})
    assert list(telegram.judge(member)) == ["field user_id=a: no integer"]


@pytest.mark.skipif(judge_of("vk") is None, reason=f"{SHARED} is not here")
def test_vk_finds_what_is_wrong():
    assert list(vk.judge(SAVE)) == []
    assert list(vk.judge(replace(SAVE, path="/method/wall.get", form={"domain": "durov"}))) == []
    assert list(vk.judge(replace(SAVE, form={"title": "Закат"}))) == ["parameter title: unknown"]
    assert list(vk.judge(replace(SAVE, form={"wallpost": "no"}))) == ["parameter wallpost=no: no boolean"]
    assert list(vk.judge(replace(SAVE, path="/method/video.upload"))) == ["the vendor has no such method"]
    assert list(vk.judge(replace(SAVE, answer={"response": {"video_id": "7"}})))
    assert list(vk.judge(replace(SAVE, answer={"response": {"video_id": 7, "owner_id": 1}}))) == []


@pytest.mark.skipif(judge_of("max") is None, reason=f"{SHARED} is not here")
def test_max_finds_what_is_wrong():
    assert list(max_api.judge(SEND)) == []
    assert list(max_api.judge(replace(SEND, path="/max/posts"))) == ["the vendor has no such call"]
    assert list(max_api.judge(replace(SEND, path="/max/chats/-71/members/you", method="GET")))
    for path in ("/max/chats/-71", "/max/chats/vezde_demo", "/max/chats/-71/members/me"):
        assert list(max_api.judge(replace(SEND, path=path, method="GET", query={}, body=None))) == []
    wrong = {
        "query chat: unknown": {"chat": "1"},
        "query chat_id=@vezde: not as declared": {"chat_id": "@vezde"},
    }
    for line, query in wrong.items():
        assert line in list(max_api.judge(replace(SEND, query=query)))
    uploads = replace(SEND, path="/max/uploads", body=None, query={"type": "photo"})
    assert list(max_api.judge(uploads)) == ["query type=photo: not as declared"]
    assert list(max_api.judge(replace(uploads, query={}))) == ["query type: missing"]
    read = replace(SEND, method="GET", body=None, query={"chat_id": "-71", "count": "101"})
    assert list(max_api.judge(read)) == ["query count=101: out of range"]
    for changes in (
        {"text": "a" * 4001},
        {"silent": True},
        {"attachments": [{"type": "clip"}]},
        {"attachments": [{"type": "video", "payload": {"id": 1}}]},
        {"notify": "yes"},
    ):
        assert len(list(max_api.judge(replace(SEND, body={**MESSAGE, **changes})))) == 1, changes
    assert list(max_api.judge(replace(SEND, answer={"message": {"body": {}}})))
    assert list(max_api.judge(replace(SEND, status=400, answer={"code": "proto.payload"})))
    assert list(max_api.judge(replace(SEND, answer={"success": False, "message": "no"}))) == []


def test_a_form_with_a_file_is_read(tmp_path):
    (tmp_path / "clip").write_bytes(b"abc")
    with (tmp_path / "clip").open("rb") as file:
        body = Multipart({"chat_id": "-1", "caption": "Закат\r\n\r\nВолга"}, "video", "clip.mp4", "video/mp4", file, 3)
        one = exchanged("POST", "http://t/bot1/sendVideo?a=1", {"data": head_of(body)}, None)
    assert one.form == {"chat_id": "-1", "caption": "Закат\r\n\r\nВолга", "video": ""}
    assert (one.path, one.query, one.status) == ("/bot1/sendVideo", {"a": "1"}, 0)
