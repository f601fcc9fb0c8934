"""What a clip that does not fit can become: offered in the publish window, played before it goes out, told after."""

import re

import pytest

from app.db import commit, db
from app.jobs import renditions as jobs
from app.models import Publication, Rendition, RenditionState, Stage, Status
from app.services import publications, renditions
from app.services.publications import Choice
from tests import clips as files
from tests.web.test_clips import HTMX

pytestmark = pytest.mark.usefixtures("sandbox")


@pytest.fixture
def clip(app, owner, ready_clip, monkeypatch, tmp_path):
    """Too large for the channel."""
    monkeypatch.setitem(app.config, "TELEGRAM_MAX_MB", 1)
    return ready_clip(owner, source=files.write_big(tmp_path / "big.mp4", 1_200_000))


@pytest.fixture
def phone_clip(owner, ready_clip, tmp_path):
    return ready_clip(owner, source=files.write(tmp_path / "phone.mp4", index_in_front=False))


def window(web, clip) -> str:
    return web.get(f"/clips/{clip.id}/publish", headers=HTMX).text


def test_an_offer_is_chosen_played_and_published(web, owner, clip, telegram):
    channel_id, clip_id = telegram(owner).id, clip.id
    page = window(web, clip)
    assert "принимают до 1 МБ" in page and "Подходит после обработки" in page
    [key] = re.findall(rf'name="recipe-{channel_id}" value="([0-9a-f]+)"', page)
    assert "disabled" not in re.search(rf'<input[^>]*id="connection-{channel_id}"[^>]*>', page)[0]
    # By itself it is not chosen, and without an offer it is refused.
    data = {"title": "Закат", "description": "", "connection": channel_id}
    assert web.post(f"/clips/{clip_id}/publish", data=data).status_code == 422
    wrong = data | {f"recipe-{channel_id}": "0" * 32}
    assert "Такая обработка клипу не подходит" in web.post(f"/clips/{clip_id}/publish", data=wrong).text

    [link] = re.findall(r'href="(/clips/\d+/renditions/choice[^"]*)"', page)
    shown = web.get(link.replace("&amp;", "&")).text
    assert "Сожмём до" in shown or "сожмём до" in shown
    form = {"account": channel_id, "recipe": key}
    response = web.post(f"/clips/{clip_id}/renditions", data=form)
    assert response.status_code == 303
    address = response.headers["Location"]
    assert "Готовим файл" in web.get(address).text
    assert web.get(link.replace("&amp;", "&")).headers["Location"] == address
    assert jobs.make_next()
    assert "<video" in web.get(address).text
    video = web.get(re.search(r'src="(/media/renditions/\d+/video)"', web.get(address).text)[1])
    assert video.status_code == 200 and len(video.data) <= 1_000_000

    sent = web.post(f"/clips/{clip_id}/publish", data=data | {f"recipe-{channel_id}": key})
    assert sent.status_code == 303
    [publication] = db.session.scalars(db.select(Publication)).all()
    assert publication.rendition_id == db.session.scalars(db.select(Rendition.id)).one()
    assert publication.recipe["max_bytes"] == 1_000_000


def test_a_strangers_rendition_is_not_there(web, owner, clip, telegram, sign_in, user):
    channel = telegram(owner)
    [offer] = renditions.offers(owner, clip.id, channel.id)
    made = renditions.choose(owner, clip.id, channel.id, offer.recipe.key)
    rendition_id, clip_id, channel_id = made.id, clip.id, channel.id
    commit()
    stranger = sign_in(user())
    for address in (f"/renditions/{rendition_id}", f"/media/renditions/{rendition_id}/video"):
        assert stranger.get(address).status_code == 404
    form = {"account": channel_id, "recipe": "x"}
    assert stranger.post(f"/clips/{clip_id}/renditions", data=form).status_code == 404


@pytest.mark.parametrize(
    "recipe",
    [
        '{"video": {"preset": "placebo"}}',
        '{"video": {"crf": "21"}}',
        '{"video": {}, "width": 100000, "height": 100000}',
        '{"video": {}, "start_ms": 5, "end_ms": 5}',
        '{"video": {}, "end_ms": 999999999}',
        '{"video": {}, "frame": {"x": 0, "y": 0, "w": 5000, "h": 10}}',
        '{"video": {}, "fps": "1/0"}',
        '{"container": "avi"}',
        '{"nonsense": 1}',
        "{",
        "[]",
        "{" * 3000,
    ],
)
def test_what_nobody_offers_is_refused_with_a_sentence(web, owner, clip, telegram, recipe):
    form = {"account": telegram(owner).id, "recipe": recipe}
    response = web.post(f"/clips/{clip.id}/renditions", data=form, headers={"Referer": "http://localhost/"})
    assert response.status_code < 500
    assert db.session.scalars(db.select(Rendition)).all() == []
    with pytest.raises(publications.Problem, match="recipe_not_offered"):
        renditions.choose(owner, clip.id, form["account"], recipe)


def test_a_lossless_copy_is_told_in_one_line_before_and_after(web, owner, phone_clip, telegram):
    channel = telegram(owner)
    assert "Отправим копию без потерь: видео показывается, пока загружается." in window(web, phone_clip)
    [made] = publications.publish(owner, phone_clip.id, [Choice(channel.id, "Закат", "")])
    made.stage, made.sent, made.total, publication_id = Stage.PREPARING, 42, 100, made.id
    commit()
    assert "готовим файл, 42 %" in web.get("/").text
    assert jobs.make_next()
    rendition = db.session.scalars(db.select(Rendition)).one()
    assert rendition.state == RenditionState.READY
    one = db.session.get(Publication, publication_id, populate_existing=True)
    one.status, one.sent_sha256, one.stage = Status.PUBLISHED, rendition.sha256, None
    uploaded, sent = db.session.get(type(phone_clip), one.clip_id).sha256, rendition.sha256
    commit()
    page = web.get(f"/publications/{publication_id}").text
    assert "Отправили копию без потерь: видео показывается, пока загружается" in page
    assert uploaded in page and sent in page and uploaded != sent
