from pathlib import Path

import pytest

from app.db import commit, db
from app.models import Clip, ClipPicture, Erasure, PictureKind, PictureState, cover_key, files_of, thumbnail_key
from app.problems import NotFound, Problem
from app.services import clip_probes, clips, covers, picture_worker
from app.storage import storage
from tests import clips as test_clips
from tests import pictures
from tests.edges import committed


@pytest.fixture(scope="module")
def dark_start(tmp_path_factory) -> Path:
    """Black for a second, then light."""
    return test_clips.write(tmp_path_factory.mktemp("clips") / "dark.mp4", black_seconds=1.0)


@pytest.fixture
def clip(owner, ready_clip, dark_start) -> Clip:
    return ready_clip(owner, source=dark_start)


def _read(key: str) -> bytes:
    with storage().open(key) as file:
        return file.read()


def test_a_moment_becomes_the_cover_and_goes_back(owner, clip):
    automatic, version = clip.poster_key, clip.version
    assert pictures.brightness(_read(automatic)) > 100
    committed(covers.choose_moment(owner, clip.id, 500))
    assert clip.poster_key == automatic and clip.cover_wanted_at, "the old one stays until the new one is there"
    pictures.make_all()
    assert (clip.cover, clip.cover_ms, clip.cover_wanted_at) == ("moment", 500, None)
    assert clip.version > version
    chosen = clip.poster_key
    assert all(pictures.brightness(_read(key)) < 40 for key in files_of(chosen)), "it is black at that moment"
    assert max(pictures.size(_read(thumbnail_key(chosen)))) <= 320
    committed(covers.reset(owner, clip.id))
    assert (clip.poster_key, clip.cover, clip.cover_ms) == (automatic, None, None)
    assert storage().exists(automatic) and not any(map(storage().exists, files_of(chosen)))


def test_an_own_picture_becomes_the_cover_without_its_metadata(owner, clip):
    secret = b"taken at home"
    committed(covers.choose_picture(owner, clip.id, pictures.png(600, 2400, tEXt=b"Comment\0" + secret)))
    source = db.session.query(ClipPicture).one().source_key
    pictures.make_all()
    assert (clip.cover, clip.cover_ms) == ("picture", None)
    cover = _read(cover_key(clip.poster_key))
    assert cover.startswith(b"\xff\xd8") and pictures.size(cover) == (480, 1920), "its own shape, within limits"
    assert 180 < pictures.brightness(cover) < 220
    assert secret not in cover
    assert db.session.query(Erasure).filter_by(key=source).count() or not storage().exists(source)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "cover_picture_missing"),
        (b"GIF89a" + bytes(100), "cover_not_picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "cover_not_picture"),
        (b"\xff\xd8\xff" + bytes(10_000_000), "cover_too_large"),
    ],
)
def test_what_is_no_picture_is_refused_at_once(owner, clip, data, code):
    with pytest.raises(Problem) as refused:
        covers.choose_picture(owner, clip.id, data)
    assert (refused.value.code, refused.value.field) == (code, "picture")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xd8\xff\xe0" + bytes(2000), "cover_unreadable"),
        (pictures.png(200, 200)[:60], "cover_unreadable"),
        (pictures.png(99, 200), "cover_too_small"),
        (pictures.png(8193, 100), "cover_too_many_pixels"),
    ],
)
def test_a_picture_that_cannot_be_taken_leaves_the_cover_as_it_is(owner, clip, data, reason):
    before = clip.poster_key
    committed(covers.choose_picture(owner, clip.id, data))
    pictures.make_all()
    assert (clip.poster_key, clip.cover, clip.cover_wanted_at) == (before, None, None)
    assert (clip.chosen_cover.state, clip.chosen_cover.reason) == (PictureState.FAILED, reason)
    committed(covers.choose_moment(owner, clip.id, 1500))
    pictures.make_all()
    assert clip.cover == "moment" and clip.chosen_cover.state == PictureState.READY


def test_a_clip_behind_a_pictures_name_is_not_decoded_as_one(owner, clip, dark_start):
    """Only the two formats are read, whatever the bytes are behind a picture's first ones."""
    committed(covers.choose_picture(owner, clip.id, b"\xff\xd8\xff" + dark_start.read_bytes()))
    pictures.make_all()
    assert clip.chosen_cover.reason == "cover_unreadable"


@pytest.mark.parametrize("at_ms", [-1, 3000, 10**12])
def test_a_moment_outside_of_the_clip_is_refused(owner, clip, at_ms):
    with pytest.raises(Problem) as refused:
        covers.choose_moment(owner, clip.id, at_ms)
    assert "нет такого момента" in refused.value.text


def test_the_last_choice_counts_whatever_a_worker_was_at(owner, clip):
    committed(covers.choose_moment(owner, clip.id, 500))
    one = picture_worker.claim(db.session.query(ClipPicture.id).scalar())
    commit()
    made = picture_worker.make(one, clip.storage_key)
    committed(covers.choose_moment(owner, clip.id, 1500))
    picture_worker.settle(one, made)
    commit()
    assert clip.cover is None, "its time is over"
    pictures.make_all()
    assert clip.cover_ms == 1500


def test_a_chosen_cover_survives_another_probe(owner, clip):
    committed(covers.choose_moment(owner, clip.id, 500))
    pictures.make_all()
    chosen, clip.wake_at, clip.probes = clip.poster_key, clip.created_at, 0
    commit()
    taken = clip_probes.claim(clip.id)
    commit()
    clip_probes.settle(taken, clip_probes.inspect(taken))
    commit()
    db.session.expire_all()
    assert clip.poster_key == chosen


def test_the_strip_is_made_once_and_shows_what_a_choice_gives(owner, clip):
    row = committed(covers.want_strip(owner, clip.id))
    pictures.make_all()
    assert row.state == PictureState.READY
    assert len(row.frames) == 12 and row.frames[0] == 0 and row.frames[-1] > 1800
    assert row.frames == sorted(set(row.frames))
    width, height = pictures.size(_read(row.storage_key))
    assert (width, height) == (12 * 112, 200)
    key = row.storage_key
    committed(covers.want_strip(owner, clip.id))
    pictures.make_all()
    assert row.storage_key == key and db.session.query(ClipPicture).count() == 1


def test_pictures_go_with_their_clip(owner, clip):
    committed(covers.want_strip(owner, clip.id))
    committed(covers.choose_moment(owner, clip.id, 500))
    pictures.make_all()
    keys = [clip.storage_key, clips.key_of_poster(clip.storage_key), *files_of(clip.poster_key)]
    keys.append(covers.find(clip, PictureKind.STRIP).storage_key)
    assert all(map(storage().exists, keys))
    clips.delete(owner, clip.id)
    commit()
    assert not any(map(storage().exists, keys))
    assert db.session.query(ClipPicture).count() == 0


def test_another_users_clip_is_not_found(user, clip):
    boris = user(email="boris@example.com")
    for call in (
        lambda: covers.choose_moment(boris, clip.id, 0),
        lambda: covers.choose_picture(boris, clip.id, pictures.png(200, 200)),
        lambda: covers.reset(boris, clip.id),
        lambda: covers.want_strip(boris, clip.id),
    ):
        with pytest.raises(NotFound):
            call()
