"""YouTube's emulator: by Google's own client library, unchanged, and on the wire where that is too polite."""

import base64
import hashlib
import io
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httplib2
import pytest
import requests
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseUpload

from tests.sandbox.conftest import until

TOKEN = "ya29.vezde-demo"
CHANNEL = "UCdemoVolzhskieZakaty001"
GRANULE = 256 << 10
INSERT = "/upload/youtube/v3/videos"
BODY = {
    "snippet": {"title": "Закат", "description": "Волга", "categoryId": "22"},
    "status": {"privacyStatus": "public"},
}


class Plain(httplib2.Http):
    """The client wants to upload by https, whatever address it was given. 308: as its own `build_http` has it."""

    def __init__(self) -> None:
        super().__init__(timeout=10)
        self.redirect_codes = self.redirect_codes - {308}

    def request(self, uri: str, *args, **kwargs):
        return super().request(uri.replace("https://127.", "http://127."), *args, **kwargs)


@pytest.fixture
def youtube(sandbox) -> Iterator[Any]:
    """Google's client, which finds the API by the document that it ships."""
    sandbox.control("options", processing_seconds=0)
    where = {"api_endpoint": sandbox.url}
    http = AuthorizedHttp(Credentials(TOKEN), http=Plain())
    with build("youtube", "v3", http=http, static_discovery=True, client_options=where) as made:
        yield made


def upload(youtube, data: bytes, body: dict | None = None, chunk: int = -1, **more) -> dict:
    media = MediaIoBaseUpload(io.BytesIO(data), "video/mp4", chunksize=chunk, resumable=True)
    wanted = body or BODY
    call = youtube.videos().insert(part=",".join(wanted), body=wanted, media_body=media, **more)
    answer = None
    while answer is None:
        _, answer = call.next_chunk()
    return answer


def set_cover(youtube, number: str, picture: bytes) -> dict:
    media = MediaIoBaseUpload(io.BytesIO(picture), "image/jpeg")
    return youtube.thumbnails().set(videoId=number, media_body=media).execute()


def reason(refusal: pytest.ExceptionInfo[HttpError]) -> tuple[int, str]:
    return refusal.value.status_code, refusal.value.error_details[0]["reason"]


# Google's client


@pytest.mark.parametrize("chunk", [-1, GRANULE, 2 * GRANULE])
def test_insert_by_chunks(youtube, sandbox, chunk):
    data = bytes(range(256)) * 4000
    video = upload(youtube, data, chunk=chunk)
    [post] = sandbox.posts
    assert (post["id"], post["title"], post["account"]) == (video["id"], "Закат", CHANNEL)
    assert post["sha256"] == hashlib.sha256(data).hexdigest()
    puts = [one["bytes"] for one in sandbox.requests if one["method"] == "PUT"]
    assert len(puts) == (1 if chunk < 0 else -(-len(data) // chunk))
    assert requests.get(post["url"], timeout=5).ok


def test_list(youtube, sandbox, clip):
    mine = youtube.channels().list(part="snippet,statistics,contentDetails", mine=True).execute()
    assert [one["snippet"]["title"] for one in mine["items"]] == ["Волжские закаты"]
    ids = [upload(youtube, clip)["id"] for _ in range(2)]
    sandbox.control("stats", platform="youtube", id=ids[0], views=7, likes=None)
    parts = "snippet,status,statistics,processingDetails,fileDetails"
    found = youtube.videos().list(part=parts, id=",".join([*ids, "nonexistent"])).execute()["items"]
    assert [one["id"] for one in found] == ids
    assert found[0]["statistics"] == {"viewCount": "7", "favoriteCount": "0", "commentCount": "0"}
    assert found[0]["status"]["uploadStatus"] == "processed"
    assert found[0]["processingDetails"]["processingStatus"] == "succeeded"
    assert found[0]["fileDetails"]["fileSize"] == str(len(clip))
    playlist = mine["items"][0]["contentDetails"]["relatedPlaylists"]["uploads"]
    uploads = youtube.playlistItems().list(part="snippet,contentDetails", playlistId=playlist).execute()["items"]
    assert {one["snippet"]["resourceId"]["videoId"] for one in uploads} == set(ids)


def test_a_cover_is_taken_and_ignored_before_the_video_is_processed(youtube, sandbox, clip, jpeg):
    sandbox.control("options", processing_seconds=3)
    number = upload(youtube, clip)["id"]
    picture = jpeg(640, 360)
    assert set_cover(youtube, number, picture)["items"]
    status = youtube.videos().list(part="status", id=number)
    assert status.execute()["items"][0]["status"]["uploadStatus"] == "uploaded"  # it came before
    until(lambda: status.execute()["items"][0]["status"]["uploadStatus"] == "processed")
    [post] = sandbox.posts
    assert post["facts"]["cover"] is None
    set_cover(youtube, number, picture)
    [post] = sandbox.posts
    assert post["facts"]["cover"] == hashlib.sha256(picture).hexdigest()


def test_covers_that_are_refused(youtube, sandbox, clip):
    number = upload(youtube, clip)["id"]
    with pytest.raises(HttpError) as refusal:
        set_cover(youtube, number, b"no picture")
    assert reason(refusal) == (400, "invalidImage")
    with pytest.raises(HttpError) as refusal:
        set_cover(youtube, "nonexistent", b"\xff\xd8")
    assert reason(refusal) == (404, "videoNotFound")
    sandbox.control("options", youtube_phone_verified=False)
    with pytest.raises(HttpError) as refusal:
        set_cover(youtube, number, b"\xff\xd8")
    assert reason(refusal) == (403, "forbidden")


@pytest.mark.parametrize(
    ("part", "change", "expected"),
    [
        ("snippet", {"title": ""}, "invalidTitle"),
        ("snippet", {"title": "5 > 3"}, "invalidTitle"),
        ("snippet", {"title": "а" * 101}, "invalidTitle"),
        ("snippet", {"description": "<b>"}, "invalidDescription"),
        ("snippet", {"description": "а" * 2500 + "!"}, "invalidDescription"),
        ("snippet", {"tags": ["а" * 501]}, "invalidTags"),
        ("snippet", {"tags": ["а б" * 83, "в" * 249]}, "invalidTags"),
        ("snippet", {"tags": "волга"}, "badRequest"),
        ("snippet", {"categoryId": "21"}, "invalidCategoryId"),
        ("snippet", {"name": "Закат"}, "badRequest"),
        ("status", {"privacyStatus": "open"}, "badRequest"),
        ("status", {"selfDeclaredMadeForKids": "no"}, "badRequest"),
        ("status", {"publishAt": "2030-01-01T00:00:00Z"}, "invalidPublishAt"),
    ],
)
def test_metadata_is_refused_before_the_first_byte(youtube, sandbox, part, change, expected):
    body = {**BODY, part: {**BODY[part], **change}}
    with pytest.raises(HttpError) as refusal:
        upload(youtube, b"clip", body)
    assert reason(refusal)[1] == expected
    assert sandbox.drafts == []


def test_what_just_fits(youtube, sandbox):
    snippet = {"title": "а" * 100, "description": "а" * 2500, "tags": ["а" * 250, "б" * 249]}
    number = upload(youtube, b"clip", {"snippet": snippet})["id"]
    [post] = sandbox.posts
    status = post["facts"]["metadata"]["status"]
    assert (post["id"], status["privacyStatus"], post["facts"]["notify"]) == (number, "public", True)


def test_the_quota_of_a_project_and_the_limit_of_a_channel(youtube, sandbox):
    sandbox.control("options", rate_limits=True, youtube_daily_inserts=2)
    with pytest.raises(HttpError) as refusal:
        upload(youtube, b"clip", {"snippet": {"title": ""}})
    assert reason(refusal) == (400, "invalidTitle")
    upload(youtube, b"clip", notifySubscribers=False)
    with pytest.raises(HttpError) as refusal:
        upload(youtube, b"clip")
    assert reason(refusal) == (403, "quotaExceeded")
    assert refusal.value.error_details[0]["domain"] == "youtube.quota"
    sandbox.control("options", rate_limits=False, youtube_channel_uploads=1)
    with pytest.raises(HttpError) as refusal:
        upload(youtube, b"clip")
    assert reason(refusal) == (400, "uploadLimitExceeded")
    sandbox.control("options", rate_limits=True, youtube_daily_units=0)
    with pytest.raises(HttpError) as refusal:
        youtube.channels().list(part="snippet", mine=True).execute()
    assert reason(refusal) == (403, "quotaExceeded")


def test_another_privacy_and_what_is_rejected(youtube, sandbox, clip):
    sandbox.control("options", youtube_privacy="private")
    assert upload(youtube, clip)["status"]["privacyStatus"] == "private"
    sandbox.control("options", youtube_privacy="", youtube_reject_duplicates=True)
    number = upload(youtube, clip)["id"]
    [found] = youtube.videos().list(part="status", id=number).execute()["items"]
    assert (found["status"]["uploadStatus"], found["status"]["rejectionReason"]) == ("rejected", "duplicate")
    assert [post["visible"] for post in sandbox.posts] == [False, False]


# Access


@pytest.mark.parametrize("scope", ["youtube.upload", "youtube.readonly"])
def test_each_call_needs_its_scope(youtube, sandbox, scope):
    sandbox.control("rights", platform="youtube", token=TOKEN, scopes=[f"https://www.googleapis.com/auth/{scope}"])
    calls = {
        "youtube.readonly": lambda: youtube.channels().list(part="snippet", mine=True).execute(),
        "youtube.upload": lambda: upload(youtube, b"clip"),
    }
    calls.pop(scope)()
    [refused] = calls.values()
    with pytest.raises(HttpError) as refusal:
        refused()
    assert reason(refusal) == (403, "insufficientPermissions")


def test_what_is_private_is_its_owners(youtube, sandbox, clip):
    number = upload(youtube, clip, {**BODY, "status": {"privacyStatus": "private"}})["id"]
    scopes = ["https://www.googleapis.com/auth/youtube.readonly"]
    sandbox.control("tokens", platform="youtube", token="other", account="UCother", scopes=scopes)
    asked = {"part": "status", "id": number}
    assert [len(call(sandbox, "videos", asked, token).json()["items"]) for token in (TOKEN, "other")] == [1, 0]
    assert requests.get(f"{sandbox.url}/youtube-web/shorts/{number}", timeout=5).status_code == 404


def call(sandbox, resource: str, params: dict[str, str], token: str = TOKEN) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{sandbox.url}/youtube/v3/{resource}", params=params, headers=headers, timeout=5)


# Sessions


def begin(sandbox, total: int) -> str:
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "X-Upload-Content-Length": str(total),
        "X-Upload-Content-Type": "video/mp4",
    }
    params = {"uploadType": "resumable", "part": "snippet,status"}
    answer = requests.post(f"{sandbox.url}{INSERT}", params=params, json=BODY, headers=headers, timeout=5)
    assert answer.status_code == 200, answer.text
    return answer.headers["Location"]


def put(address: str, content_range: str | None, data: bytes = b"") -> requests.Response:
    headers = {"Content-Range": content_range} if content_range else {}
    return requests.put(address, data, headers=headers, timeout=5, allow_redirects=False)


def test_a_session_says_what_it_has_and_makes_one_video(sandbox):
    data = bytes(range(256)) * 2500
    total = len(data)
    address = begin(sandbox, total)
    empty = put(address, f"bytes */{total}")
    assert (empty.status_code, "Range" in empty.headers, "Location" in empty.headers) == (308, False, False)
    part = put(address, f"bytes 0-{GRANULE - 1}/{total}", data[:GRANULE])
    assert (part.status_code, part.headers["Range"]) == (308, f"bytes=0-{GRANULE - 1}")
    wrong = put(address, f"bytes {2 * GRANULE}-{total - 1}/{total}", data[2 * GRANULE :])
    assert (wrong.status_code, wrong.headers["Range"]) == (308, f"bytes=0-{GRANULE - 1}"), "no error"
    done = put(address, f"bytes {GRANULE}-{total - 1}/{total}", data[GRANULE:])
    again = put(address, f"bytes */{total}"), put(address, f"bytes 0-{total - 1}/{total}", data)
    assert (done.status_code, {one.json()["id"] for one in again}) == (201, {done.json()["id"]})
    assert [post["sha256"] for post in [*sandbox.posts, *sandbox.drafts]] == [hashlib.sha256(data).hexdigest()]


@pytest.mark.parametrize(
    ("content_range", "length"),
    [
        ("bytes 0-99/1000", 100),  # no multiple of 256 KiB
        ("bytes 0-999/2000", 1000),  # another total
        ("bytes 0-998/1000", 1000),
        ("bytes 500-400/1000", 1),
        ("bytes 0-1000/1000", 1001),
        ("0-999/1000", 1000),
        ("bytes */1000", 10),
        ("bytes */999", 0),
    ],
)
def test_numbers_that_do_not_agree(sandbox, content_range, length):
    assert put(begin(sandbox, 1000), content_range, bytes(length)).status_code == 400


def test_what_arrives_of_a_broken_request_is_kept_in_whole_granules(sandbox):
    total = 3 * GRANULE
    address = begin(sandbox, total)
    sandbox.trouble({"match": f"PUT {INSERT}", "do": "cut_request:50"})
    with pytest.raises(requests.ConnectionError):
        put(address, None, bytes(total))
    sandbox.trouble()
    assert put(address, f"bytes */{total}").headers["Range"] == f"bytes=0-{GRANULE - 1}"


def test_a_session_expires(sandbox):
    address = begin(sandbox, 4)
    sandbox.control("options", youtube_session_seconds=0)
    assert put(address, None, b"clip").status_code == 404
    assert put(address.replace("upload_id=", "upload_id=x"), "bytes */4").status_code == 404


# Google's OAuth

CLIENT = {"client_id": "vezde", "redirect_uri": "http://127.0.0.1/back"}
SECRET = {"client_secret": "secret"}
OFFLINE = {"access_type": "offline", "prompt": "consent"}
SCOPES = "https://www.googleapis.com/auth/youtube.upload https://www.googleapis.com/auth/youtube.readonly"
VERIFIER = "v" * 43


def token(sandbox, **form: str) -> requests.Response:
    return requests.post(f"{sandbox.url}/google/token", CLIENT | SECRET | form, timeout=5)


def consent(sandbox, **more: str) -> dict:
    """What the token address answers to a consent of the first channel."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    asked = {"response_type": "code", "scope": SCOPES, "state": "s", "code_challenge": challenge}
    page = requests.get(
        f"{sandbox.url}/google/auth", params=CLIENT | asked | {"code_challenge_method": "S256"} | more, timeout=5
    )
    account = re.search(r'name="account" value="(\w+)" checked', page.text)[1]
    allowed = {"decision": "allow", "account": account}
    back = requests.post(page.url, allowed, timeout=5, allow_redirects=False).headers["Location"]
    code = dict(parse_qsl(urlsplit(back).query))["code"]
    answer = token(sandbox, grant_type="authorization_code", code=code, code_verifier=VERIFIER)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_refresh_token_comes_where_it_is_asked_for(sandbox):
    assert "refresh_token" not in consent(sandbox)
    first = consent(sandbox, **OFFLINE)
    assert (first["token_type"], first["scope"], "refresh_token" in first) == ("Bearer", SCOPES, True)
    assert "refresh_token" not in consent(sandbox, access_type="offline"), "a second time only by consent"


def test_a_refresh_brings_no_new_refresh_token_and_all_are_revoked_together(sandbox):
    first = consent(sandbox, **OFFLINE)
    refresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    for _ in range(2):
        again = token(sandbox, **refresh)
        assert (again.status_code, "refresh_token" in again.json()) == (200, False)
    newest = again.json()["access_token"]
    assert requests.post(f"{sandbox.url}/google/revoke", {"token": newest}, timeout=5).ok
    for one in (first["access_token"], newest):
        answer = call(sandbox, "channels", {"part": "snippet", "mine": "true"}, one)
        assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (401, "authError")
    refused = token(sandbox, **refresh)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert requests.post(f"{sandbox.url}/google/revoke", {"token": "none"}, timeout=5).status_code == 400
