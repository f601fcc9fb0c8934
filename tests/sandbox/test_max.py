"""MAX's emulator: by the unmodified maxapi, and on the wire where that is too polite."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from maxapi import Bot
from maxapi.enums.upload_type import UploadType
from maxapi.exceptions.max import InvalidToken, MaxApiError
from maxapi.types import InputMediaBuffer

from tests.sandbox.conftest import sha256, until

TOKEN = "vezde-max-demo-bot"
CHANNEL, READ_ONLY, PRIVATE = -71000000000001, -71000000000002, -71000000000003


# The client finds a channel by its link with a call that its authors no longer recommend.
pytestmark = pytest.mark.filterwarnings("ignore:.*[Gg]et_?[Cc]hat_?[Bb]y_?[Ll]ink:DeprecationWarning")


@pytest.fixture
def call_max(sandbox) -> Callable[..., Any]:
    """Calls the unmodified maxapi: `call_max(lambda bot: bot.get_me())`."""

    def call(ask: Callable[[Bot], Coroutine], token: str = TOKEN) -> Any:
        async def run() -> Any:
            bot = Bot(token, after_input_media_delay=0.01, after_upload_retry_delay=0.2, after_upload_attempts=40)
            bot.set_api_url(f"{sandbox.url}/max")
            try:
                return await ask(bot)
            finally:
                await bot.close_session()

        # In a thread of its own: Playwright leaves an event loop running in that of the tests.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, run()).result()

    return call


@pytest.fixture
def api(sandbox) -> Iterator[Callable[..., requests.Response]]:
    with requests.Session() as session:

        def call(method: str, path: str, token: str = TOKEN, **more: Any) -> requests.Response:
            headers = {"Authorization": token} if token else {}
            return session.request(method, f"{sandbox.url}/max{path}", headers=headers, timeout=10, **more)

        yield call


def code(response: requests.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def refused(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(MaxApiError) as error:
        call()
    return error.value.code, error.value.raw["code"]


@pytest.fixture
def upload(api) -> Callable[..., str]:
    """An uploaded video's token."""

    def go(data: bytes = b"clip", token: str = TOKEN, kind: str = "video") -> str:
        made = api("POST", "/uploads", token, params={"type": kind}).json()
        answer = requests.post(made["url"], files={"data": ("clip.mp4", data, "video/mp4")}, timeout=10)
        assert answer.status_code == 200, answer.text
        return made["token"]

    return go


@pytest.fixture
def send(api) -> Callable[..., requests.Response]:
    def go(*tokens: str, text: str = "Закат", chat_id: int = CHANNEL, token: str = TOKEN, **more: Any):
        attachments = [{"type": "video", "payload": {"token": one}} for one in tokens]
        body = {"text": text, "attachments": attachments, **more}
        return api("POST", "/messages", token, params={"chat_id": chat_id}, json=body)

    return go


# maxapi


def test_the_client_finds_its_bot_and_channel(call_max):
    me = call_max(lambda bot: bot.get_me())
    assert (me.user_id, me.username, me.is_bot) == (7001, "vezde_demo_bot", True)
    for find in (
        lambda bot: bot.get_chat_by_id(CHANNEL),
        lambda bot: bot.get_chat_by_link("vezde_demo"),
        lambda bot: bot.get_chat_by_link("@VEZDE_demo"),
    ):
        chat = call_max(find)
        assert (chat.chat_id, chat.type, chat.status, chat.title) == (CHANNEL, "channel", "active", "Везде — демо")
    member = call_max(lambda bot: bot.get_me_from_chat(CHANNEL))
    assert (member.is_admin, member.is_owner) == (True, False)
    assert "write" in member.permissions


def test_the_client_publishes_once_the_file_is_processed(call_max, sandbox, clip):
    sandbox.control("options", processing_seconds=0.5)
    video = InputMediaBuffer(clip, filename="clip", type=UploadType.VIDEO)
    sent = call_max(lambda bot: bot.send_message(chat_id=CHANNEL, text="Закат\n\nВолга", attachments=[video]))
    [post] = sandbox.posts
    assert (post["id"], post["account"], post["title"]) == (sent.message.body.mid, str(CHANNEL), "Закат")
    assert (post["sha256"], post["url"]) == (sha256(clip), sent.message.url)
    refusals = [one for one in sandbox.requests if one["path"] == "/max/messages" and one["status"] == 400]
    assert refusals, "attachment.not.ready"

    sandbox.control("stats", platform="max", id=post["id"], views=12)
    for read in (
        lambda bot: bot.get_messages(chat_id=CHANNEL),
        lambda bot: bot.get_messages(message_ids=[post["id"], "mid.unknown"]),
    ):
        [message] = call_max(read).messages
        assert (message.body.mid, message.body.text, message.stat.views) == (post["id"], "Закат\n\nВолга", 12)
        assert message.body.attachments[0].payload.token
    assert requests.get(post["url"], timeout=10).ok


def test_the_client_is_told_what_is_wrong(call_max):
    with pytest.raises(InvalidToken):
        call_max(lambda bot: bot.get_me(), token="unknown")
    assert refused(lambda: call_max(lambda bot: bot.get_chat_by_link("nobody"))) == (404, "chat.not.found")
    assert refused(lambda: call_max(lambda bot: bot.get_me_from_chat(READ_ONLY))) == (404, "chat.not.found")
    assert refused(lambda: call_max(lambda bot: bot.send_message(chat_id=READ_ONLY, text="a")))[0] == 404
    assert refused(lambda: call_max(lambda bot: bot.send_message(chat_id=CHANNEL)))[1] == "proto.payload"


# On the wire


def test_the_token_is_the_whole_header(api):
    assert api("GET", "/me").status_code == 200
    for token in (f"Bearer {TOKEN}", f"bearer {TOKEN}", "", "unknown"):
        assert code(api("GET", "/me", token)) == (401, "verify.token")
    for token in (TOKEN, ""):
        assert code(api("GET", "/me", token, params={"access_token": TOKEN})) == (401, "verify.token")


def test_a_revoked_token(api, sandbox):
    sandbox.control("revoke", platform="max", token=TOKEN)
    assert code(api("GET", "/me")) == (401, "verify.token")


def test_channels_cannot_be_listed(api):
    assert code(api("GET", "/chats")) == (404, "not.found")
    assert code(api("PUT", "/me")) == (405, "method.not.allowed")


def test_links_may_be_gone_and_numbers_stay(api, sandbox):
    sandbox.control("options", max_chat_links=False)
    assert code(api("GET", "/chats/vezde_demo")) == (404, "chat.not.found")
    assert api("GET", f"/chats/{CHANNEL}").json()["chat_id"] == CHANNEL


@pytest.mark.parametrize("kind", ["photo", "Video", "", None])
def test_types_of_uploads_are_exact(api, kind):
    assert code(api("POST", "/uploads", params={"type": kind})) == (400, "proto.payload")


def test_an_address_takes_one_file_in_the_field_data(api, sandbox):
    made = api("POST", "/uploads", params={"type": "video"}).json()
    for name, file in (
        ("file", ("a.mp4", b"a")),
        ("data", ("", b"a")),
        ("data", ("a.mp4", b"")),
        ("data", ("x" * 201, b"a")),
    ):
        assert requests.post(made["url"], files={name: file}, timeout=10).status_code == 400
    for headers in ({"Content-Range": "bytes 0-1/2", "Content-Type": "video/mp4"}, {}):
        assert requests.post(made["url"], data=b"ab", headers=headers, timeout=10).status_code == 416
    forged = made["url"].replace("sig=", "sig=0")
    assert requests.post(forged, files={"data": ("a.mp4", b"a")}, timeout=10).status_code == 403
    sandbox.control("options", max_max_mb=0.001)
    assert requests.post(made["url"], files={"data": ("a.mp4", b"a" * 1001)}, timeout=10).status_code == 413
    answer = requests.post(made["url"], files={"data": ("a.mp4", b"a" * 1000)}, timeout=10)
    assert (answer.status_code, answer.text) == (200, "<retval>1</retval>")
    assert requests.post(made["url"], files={"data": ("a.mp4", b"a")}, timeout=10).status_code == 410


def test_the_same_token_makes_another_post(send, sandbox, upload):
    sandbox.control("options", processing_seconds=0, max_seconds_per_mb=0)
    token = upload(b"bytes")
    mids = {send(token).json()["message"]["body"]["mid"] for _ in range(2)}
    assert {post["id"] for post in sandbox.posts} == mids and len(mids) == 2
    assert {post["sha256"] for post in sandbox.posts} == {sha256(b"bytes")}


def test_large_files_are_processed_longer(send, sandbox, upload):
    sandbox.control("options", processing_seconds=0, max_seconds_per_mb=1.0)
    small, large = upload(b"a"), upload(b"a" * 2_000_000)
    assert send(small).status_code == 200
    assert code(send(large)) == (400, "attachment.not.ready")
    assert [post["bytes"] for post in sandbox.posts] == [1], "nothing is published"
    assert until(lambda: send(large).status_code == 200)


def test_a_file_that_never_came_is_not_ready(api, send):
    made = api("POST", "/uploads", params={"type": "video"}).json()
    assert code(send(made["token"])) == (400, "attachment.not.ready")


def test_another_bots_token(send, sandbox, upload):
    sandbox.control("options", processing_seconds=0)
    sandbox.control("tokens", platform="max", token="stranger", username="stranger_bot")
    token = upload(token="stranger")
    time.sleep(0.05)
    refusal = send(token)
    assert code(refusal) == (400, "proto.payload")
    assert "movie.not.owner" in refusal.json()["message"]
    own = upload()
    sandbox.control("options", max_refuses_videos=True)
    assert "movie.not.owner" in send(own).json()["message"], "an incident like that of June 2026"


def test_limits_of_a_message(send, sandbox, upload):
    sandbox.control("options", processing_seconds=0, max_seconds_per_mb=0)
    token = upload()
    assert send(text="a" * 4000).status_code == 200
    assert send(*[token] * 12).status_code == 200
    for refusal in (
        send(text="a" * 4001),
        send(*[token] * 13),
        send("unknown"),
        send(text=""),
        send(format="bold"),
        send(notify="yes"),
        send(silent=True),
    ):
        assert code(refusal) == (400, "proto.payload")


def test_rights_in_a_channel(api, send, sandbox):
    def allow(**rights: Any) -> None:
        sandbox.control("rights", platform="max", account=str(CHANNEL), **rights)

    allow(permissions=["edit", "delete"])
    assert code(send()) == (403, "chat.denied")
    allow(permissions=["post_edit_delete_message"])
    assert send().status_code == 200
    allow(is_admin=False)
    assert api("GET", f"/chats/{CHANNEL}/members/me").json()["permissions"] is None
    assert code(send()) == (403, "chat.denied")
    allow(is_owner=True)
    assert send().status_code == 200
    allow(status="removed")
    assert code(send()) == (403, "chat.denied")
    assert code(api("GET", f"/chats/{CHANNEL}/members/me")) == (403, "chat.denied")
    assert code(api("GET", "/messages", params={"chat_id": CHANNEL})) == (403, "chat.denied")
    assert api("GET", f"/chats/{CHANNEL}").json()["status"] == "removed"


def test_a_private_channel_has_no_links(api, send):
    assert api("GET", f"/chats/{PRIVATE}").json()["link"] is None
    assert send(chat_id=PRIVATE).json()["message"]["url"] is None


def test_messages_come_newest_first_within_their_times(api, send, sandbox):
    stamps = [send(text=str(number)).json()["message"]["timestamp"] for number in range(4)]

    def texts(**params: Any) -> list[str]:
        response = api("GET", "/messages", params=params)
        return [one["body"]["text"] for one in response.json()["messages"]]

    assert texts(chat_id=CHANNEL) == ["3", "2", "1", "0"]
    assert texts(chat_id=CHANNEL, count=2) == ["3", "2"]
    assert texts(**{"chat_id": CHANNEL, "from": stamps[0]})[-1] == "0"
    assert texts(**{"chat_id": CHANNEL, "from": stamps[0] - 1}) == []
    for wrong in ({"count": 0}, {"count": 101}, {"count": "a"}, {}, {"marker": 1}):
        chat = {} if not wrong else {"chat_id": CHANNEL}
        assert code(api("GET", "/messages", params={**chat, **wrong})) == (400, "proto.payload")


def test_two_messages_a_second(send, sandbox):
    sandbox.control("options", rate_limits=True)
    answers = [send(text=str(number)).status_code for number in range(3)]
    assert answers == [200, 200, 429]
    assert code(send()) == (429, "too.many.requests")


def test_faults_in_its_own_form(api, sandbox):
    sandbox.trouble({"match": "/max/me", "do": "error:success:false"})
    response = api("GET", "/me")
    assert (response.status_code, response.json()["success"]) == (200, False)
    for do, expected in {
        "error:attachment.not.ready": (400, "attachment.not.ready"),
        "error:not.owner": (400, "proto.payload"),
        "error:403": (403, "chat.denied"),
        "status:502": (502, "error"),
        "status:400": (400, "proto.payload"),
        "error:chat.denied": (403, "chat.denied"),
    }.items():
        sandbox.trouble({"match": "/max/me", "do": do})
        assert code(api("GET", "/me")) == expected


def test_pages(sandbox, send, upload):
    sandbox.control("options", processing_seconds=0, max_seconds_per_mb=0)
    url = send(upload(), text="Закат").json()["message"]["url"]
    assert "Закат" in requests.get(url, timeout=10).text
    assert "Закат" in requests.get(url.rpartition("/")[0], timeout=10).text
    assert requests.get(f"{url}0", timeout=10).status_code == 404
    send(upload(), text="Рассвет", chat_id=PRIVATE)
    assert requests.get(sandbox.posts[-1]["url"], timeout=10).ok
    assert "Закрытый канал" in requests.get(sandbox.url, timeout=10).text
