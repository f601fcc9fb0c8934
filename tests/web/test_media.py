import pytest
from flask import current_app

from app.db import db
from app.models import Clip, ClipStatus
from app.storage import StorageUnavailable, storage, storage_at
from app.web.media import poster_url
from tests.lying_s3 import LIES, lying
from tests.s3 import KEY, SECRET


@pytest.fixture(scope="module")
def bucket(s3) -> str:
    """One for all tests, so that they share an application: no key is ever used twice."""
    return s3.bucket()


@pytest.fixture(params=["folder", "bucket"])
def environment(request, environment):
    """Every storage sends alike."""
    if request.param == "folder":
        return environment
    bucket = request.getfixturevalue("bucket")
    return {**environment, "STORAGE_URL": bucket, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}


@pytest.fixture
def clip(owner, ready_clip) -> Clip:
    return ready_clip(owner, title="Закат: «Волга»")


@pytest.fixture
def content(clip) -> bytes:
    return storage().open(clip.storage_key).read()


def test_the_owner_gets_every_byte(sign_in, owner, clip, content):
    answer = sign_in(owner).get(f"/media/clips/{clip.id}/video")
    assert answer.status_code == 200
    assert answer.content_type == "video/mp4"
    assert answer.data == content
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert "Content-Disposition" not in answer.headers


def _poster_url(clip: Clip) -> str | None:
    with current_app.test_request_context():
        return poster_url(clip)


@pytest.mark.parametrize("what", ["video", "poster"])
def test_it_can_only_be_looked_at(sign_in, owner, clip, what):
    answer = sign_in(owner).get(f"/media/clips/{clip.id}/{what}")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.cache_control.private
    assert not answer.cache_control.public


def test_ranges(sign_in, owner, clip, content):
    browser, url = sign_in(owner), f"/media/clips/{clip.id}/video"
    for header, expected in {
        "bytes=0-99": content[:100],
        "bytes=100-": content[100:],
        "bytes=-50": content[-50:],
    }.items():
        part = browser.get(url, headers={"Range": header})
        assert part.status_code == 206
        assert part.data == expected
    beyond = browser.get(url, headers={"Range": f"bytes={len(content)}-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(content)}")


def test_head_and_conditions(sign_in, owner, clip, content):
    browser, url = sign_in(owner), f"/media/clips/{clip.id}/video"
    head = browser.head(url)
    assert (head.status_code, head.data, head.content_length) == (200, b"", len(content))
    assert browser.get(url, headers={"If-None-Match": head.headers["ETag"]}).status_code == 304
    changed = browser.get(url, headers={"Range": "bytes=0-9", "If-Range": '"another"'})
    assert (changed.status_code, len(changed.data)) == (200, len(content))


def test_a_download_has_the_clips_title(sign_in, owner, clip):
    answer = sign_in(owner).get(f"/media/clips/{clip.id}/video?download=1")
    assert answer.headers["Content-Disposition"] == (
        f'attachment; filename="clip-{clip.id}.mp4"; '
        "filename*=UTF-8''%D0%97%D0%B0%D0%BA%D0%B0%D1%82%20%20%C2%AB%D0%92%D0%BE%D0%BB%D0%B3%D0%B0%C2%BB.mp4"
    )


def test_a_poster_is_cached_under_its_own_address(sign_in, owner, clip):
    browser = sign_in(owner)
    answer = browser.get(_poster_url(clip))
    assert answer.content_type == "image/jpeg"
    assert answer.data.startswith(b"\xff\xd8")
    assert (answer.cache_control.immutable, answer.cache_control.private) == (True, True)
    plain = browser.get(f"/media/clips/{clip.id}/poster?v=other")
    assert plain.cache_control.no_cache
    assert plain.headers["ETag"]


def test_strangers_and_guests_get_nothing(client, sign_in, user, clip):
    stranger = sign_in(user())
    for what in ("video", "poster"):
        assert stranger.get(f"/media/clips/{clip.id}/{what}").status_code == 404
        guest = client.get(f"/media/clips/{clip.id}/{what}")
        assert guest.status_code == 303
        assert not guest.data.startswith(b"\xff\xd8")


def test_types_come_from_the_probe_and_from_a_list(sign_in, owner, clip):
    for stored in (None, "text/html", "image/svg+xml"):
        clip.content_type = stored
        db.session.commit()
        answer = sign_in(owner).get(f"/media/clips/{clip.id}/video")
        assert answer.content_type == "application/octet-stream"


def test_a_clip_without_poster_or_file_is_not_found(sign_in, owner, clip):
    browser = sign_in(owner)
    storage().delete(clip.storage_key)
    clip.status, clip.poster_key = ClipStatus.FAILED, None
    db.session.commit()
    assert _poster_url(clip) is None
    for what in ("video", "poster"):
        assert browser.get(f"/media/clips/{clip.id}/{what}").status_code == 404


@pytest.mark.parametrize("header", [None, "bytes=10-"])
def test_a_cut_file_is_not_sent_as_if_it_were_whole(sign_in, owner, clip, content, header):
    storage().put_bytes(content[:-1], clip.storage_key)
    headers = {"Range": header} if header else {}
    assert sign_in(owner).get(f"/media/clips/{clip.id}/video", headers=headers).status_code == 503


@pytest.mark.parametrize("environment", ["bucket"], indirect=True)
class TestLyingBucket:
    """What a player would take for the clip."""

    @pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
    @pytest.mark.parametrize("header", [None, "bytes=100-199", "bytes=-50"])
    def test_the_browser_gets_the_right_bytes_or_an_error(self, app, sign_in, owner, clip, content, lie, header):
        url = app.config["STORAGE_URL"]
        with lying(url, lie, content) as (_, through):
            app.extensions["storage", "storage_at"] = storage_at(through, app.config)
            headers = {"Range": header} if header else {}
            try:
                answer = sign_in(owner).get(f"/media/clips/{clip.id}/video", headers=headers)
            except StorageUnavailable:
                return  # a server cuts the connection: fewer bytes than were announced
        if answer.status_code != 503:
            expected = {None: content, "bytes=100-199": content[100:200], "bytes=-50": content[-50:]}[header]
            assert answer.data == expected
