"""What is published a moment after its cover was chosen waits for it, not for long, and uses up no try."""

from datetime import timedelta

from app import clock
from app.db import commit, db
from app.models import Clip, Rendition, Stage, Status
from app.publishing import preparation
from app.publishing.clip_file import clip_file
from app.services import covers
from tests import pictures
from tests.edges import committed
from tests.publishing.conftest import look, row, settle


def _choose(publication_id: int, at_ms: int = 500) -> Clip:
    clip = row(publication_id).clip
    committed(covers.choose_moment(clip.user, clip.id, at_ms))
    return clip


def test_a_publication_waits_for_the_cover(toy_publication):
    publication_id = toy_publication()
    _choose(publication_id)
    look(publication_id)
    waiting = row(publication_id)
    assert (waiting.status, waiting.stage, waiting.attempt) == (Status.PUBLISHING, Stage.QUEUED, 0)
    assert waiting.wake_at <= clock.now() + preparation.COVER_LOOK_AGAIN
    pictures.make_all()
    assert settle(publication_id).status == Status.PUBLISHED


def test_a_cover_that_is_never_made_holds_nothing_up(toy_publication):
    publication_id = toy_publication()
    clip = _choose(publication_id)
    clip.cover_wanted_at = clock.now() - preparation.COVER_PATIENCE - timedelta(seconds=1)
    commit()
    assert settle(publication_id).status == Status.PUBLISHED


def test_the_moment_is_that_of_the_file_that_goes_out(toy_publication):
    publication_id = toy_publication()
    _choose(publication_id, 1500)
    pictures.make_all()
    publication = row(publication_id)
    assert clip_file(publication).cover_ms == 1500
    cut = Rendition(clip_id=publication.clip_id, user_id=publication.user_id, recipe_key="cut", is_lossless=False)
    cut.recipe, cut.facts = (
        {"start_ms": 1000},
        {"duration_ms": 800, "width": 2, "height": 2, "content_type": "video/mp4"},
    )
    cut.storage_key, cut.size, cut.sha256 = publication.clip.storage_key, 1, "0"
    db.session.add(cut)
    publication.rendition, publication.sent_sha256 = cut, "0"
    assert clip_file(publication).cover_ms == 500
    cut.recipe = {"start_ms": 1600}
    assert clip_file(publication).cover_ms is None, "the moment was cut away"
