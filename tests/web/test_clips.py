import io
import re
from datetime import timedelta

import pytest

from app import clock
from app.db import db
from app.models import Clip, ClipStatus, Publication, PublicationStep, Stage, Status
from app.web import filters
from tests.asking import asked
from tests.publishing.conftest import too_late_to_undo

HTMX = {"HX-Request": "true"}
XSS = "<script>alert(1)</script> «Кофе»"


def known(page: str) -> list[str]:
    return re.findall(r'name="known" value="(\d+:\d+)"', page)


def cards(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<article class="clip" id="clip-(\d+)"', page)]


def publish(clip: Clip, connection, **state) -> Publication:
    """A publication as the engine leaves it, and the clip's version raised as it raises it."""
    now = clock.now()
    if state["status"] == Status.SCHEDULED:
        state = {"wake_at": now, **state}
    publication = Publication(
        user_id=clip.user_id,
        clip_id=clip.id,
        connection_id=connection.id,
        platform=connection.platform,
        account_id=connection.account_id,
        account_name=connection.account_name,
        account_url=connection.account_url,
        title=clip.title,
        due_at=now,
        **state,
    )
    clip.version += 1
    db.session.add(publication)
    db.session.commit()
    return publication


def test_a_card_shows_the_clips_facts(web, owner, ready_clip):
    clip = ready_clip(owner, title="Закат над Волгой")
    page = web.get("/").text
    assert 'aria-label="Закат над Волгой"' in page
    for said in ("Готов", "0:02", "КБ", f"/media/clips/{clip.id}/poster?v=", f'formaction="/clips/{clip.id}/publish"'):
        assert said in page
    assert "disabled" not in page


def test_a_clip_that_goes_out_once_it_is_checked_says_so_and_can_be_kept_back(web, owner, ready_clip, telegram):
    telegram(owner)
    clip = ready_clip(owner)
    clip.status, clip.publish_when_ready = ClipStatus.PROCESSING, True
    db.session.commit()
    page = web.get("/").text
    assert "Выйдет в Telegram сразу после проверки" in page and "Не публиковать" in page
    panel = web.get(f"/clips/{clip.id}").text
    assert "Выйдет в Telegram сразу после проверки" in panel and 'id="details-withdraw"' in panel
    answer = web.post(f"/clips/{clip.id}/withdraw", headers=HTMX)
    assert "Выйдет" not in answer.text and "Будет доступно после обработки." in answer.text
    assert "Не публиковать" not in web.get("/").text
    assert "уже проверен" in web.post(f"/clips/{clip.id}/withdraw", follow_redirects=True).text


@pytest.mark.parametrize(
    ("status", "reason", "said"),
    [(ClipStatus.PROCESSING, None, "Обработка…"), (ClipStatus.FAILED, "broken_file", "Файл повреждён")],
)
def test_what_is_not_ready_cannot_be_published(web, owner, ready_clip, status, reason, said):
    clip = ready_clip(owner)
    clip.status, clip.reason = status, reason
    db.session.commit()
    page = web.get("/").text
    assert said in page
    publishes = re.search(r'<button[^>]* id="publish-\d+" ([^>]*)>Опубликовать<', page)
    assert publishes[1].startswith("disabled") if status == ClipStatus.PROCESSING else not publishes
    assert 'data-pace="fast"' in page if status == ClipStatus.PROCESSING else 'data-pace=""' in page
    assert "ещё не готов" in web.get(f"/clips/{clip.id}/publish").text


def test_titles_are_escaped_everywhere(web, owner, ready_clip, telegram):
    clip = ready_clip(owner, title=XSS)
    telegram(owner)
    for path in ("/", *(f"/clips/{clip.id}/{what}" for what in ("card", "edit", "delete", "play", "publish"))):
        page = web.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt; «Кофе»" in page


def test_strangers_see_nothing(user, sign_in, owner, ready_clip, telegram):
    clip = ready_clip(owner, title="Чужое")
    publication = publish(clip, telegram(owner), status=Status.FAILED, reason="unknown")
    stranger = sign_in(user())
    assert "Чужое" not in stranger.get("/").text
    for what in ("card", "edit", "delete", "play", "publish"):
        assert stranger.get(f"/clips/{clip.id}/{what}").status_code == 404
    for what in ("edit", "delete", "publish"):
        data = {"title": "Моё", "connection": "1"}
        assert stranger.post(f"/clips/{clip.id}/{what}", data=data).status_code == 404
    for what in ("retry", "cancel", "resend", "confirm"):
        assert stranger.post(f"/publications/{publication.id}/{what}").status_code == 404
    learnt = stranger.get(f"/clips/changes?known={clip.id}:1&open={clip.id}:1").text
    assert learnt.startswith(f'<article id="clip-{clip.id}" hx-swap-oob="delete"></article><aside')
    assert learnt.endswith("hidden></p>") and "Чужое" not in learnt
    db.session.expire_all()
    assert (clip.title, publication.status) == ("Чужое", Status.FAILED)


# The poll


def test_the_poll_brings_only_what_has_changed(web, owner, ready_clip):
    same, changed, gone = (ready_clip(owner, title=title) for title in ("Тот же", "Другой", "Удалённый"))
    query = {"known": known(web.get("/").text)}
    assert len(query["known"]) == 3
    quiet = web.get("/clips/changes", query_string=query, headers=HTMX)
    assert (quiet.status_code, quiet.data) == (204, b"")

    changed_id, gone_id = changed.id, gone.id
    web.post(f"/clips/{changed_id}/edit", data={"title": "Новое имя", "description": ""})
    web.post(f"/clips/{gone_id}/delete")
    answer = web.get("/clips/changes", query_string=query, headers=HTMX).text
    assert cards(answer) == [changed_id]
    assert 'hx-swap-oob="morph"' in answer
    assert "Новое имя" in answer
    assert f'<article id="clip-{gone_id}" hx-swap-oob="delete">' in answer
    assert f"clip-{same.id}" not in answer


def test_an_idle_poll_asks_the_database_once(app, web, owner, ready_clip):
    ready_clip(owner)
    query = {"known": known(web.get("/").text)}
    with asked(begins=True) as found:
        web.get("/clips/changes", query_string=query)
    statements = [statement for statement, _ in found]
    about_clips = [statement for statement in statements if "FROM clips" in statement]
    assert len(about_clips) == 1
    assert len(statements) <= 3  # with the user and BEGIN
    assert "BEGIN IMMEDIATE" not in statements


def test_a_poll_that_is_nonsense_is_refused(web):
    for nonsense in ("1", "x:1", "1:-1", "1:1;2:2", "9" * 30 + ":1"):
        assert web.get("/clips/changes", query_string={"known": nonsense}, headers=HTMX).status_code == 422
    assert web.get("/clips/changes").status_code == 204


def test_the_pace_follows_what_is_in_flight(web, owner, ready_clip, telegram):
    clip, connection = ready_clip(owner), telegram(owner)

    def pace():
        return re.search(r'data-pace="(\w*)"', web.get("/").text)[1]

    assert pace() == ""
    publication = publish(clip, connection, status=Status.PUBLISHING, stage=Stage.QUEUED)
    assert pace() == "fast"
    publication.status, publication.due_at = Status.SCHEDULED, clock.now() + timedelta(hours=1)
    db.session.commit()
    assert pace() == "slow"
    publication.status = Status.PUBLISHED
    db.session.commit()
    assert pace() == ""


def test_what_counts_down_is_asked_for_each_time(web, owner, ready_clip, telegram):
    clip = ready_clip(owner)
    publish(clip, telegram(owner), status=Status.PUBLISHING, stage=Stage.RETRY, wake_at=clock.now(), attempt=1)
    query = {"known": known(web.get("/").text)}
    assert query["known"] == [f"{clip.id}:0"]
    assert cards(web.get("/clips/changes", query_string=query).text) == [clip.id]


# What one does with a clip


def test_editing(web, owner, ready_clip):
    clip = ready_clip(owner, title="Было")
    form = web.get(f"/clips/{clip.id}/edit", headers=HTMX).text
    assert form.startswith("<header")
    assert 'value="Было"' in form
    answer = web.post(f"/clips/{clip.id}/edit", data={"title": " Стало ", "description": "Слова"}, headers=HTMX)
    assert answer.headers["HX-Reswap"] == "none"
    assert answer.headers["HX-Trigger-After-Settle"] == "close-dialog"
    assert cards(answer.text) == [clip.id]
    assert 'aria-label="Стало"' in answer.text


def test_editing_shows_what_is_wrong_and_keeps_what_was_typed(web, owner, ready_clip):
    clip = ready_clip(owner)
    answer = web.post(f"/clips/{clip.id}/edit", data={"title": "x" * 201, "description": "Слова"}, headers=HTMX)
    assert answer.status_code == 422
    assert "Название длиннее 200 знаков" in answer.text
    assert "x" * 201 in answer.text
    assert "Слова" in answer.text
    assert web.post(f"/clips/{clip.id}/edit", data={"title": ""}, headers=HTMX).status_code == 422


def test_without_a_script_dialogs_are_pages(web, owner, ready_clip):
    clip = ready_clip(owner)
    page = web.get(f"/clips/{clip.id}/edit").text
    assert page.startswith("<!doctype html>")
    answer = web.post(f"/clips/{clip.id}/edit", data={"title": "Стало", "description": ""})
    assert (answer.status_code, answer.location) == (303, "/")
    assert "Сохранено." in web.get("/").text


def test_deleting_shows_what_it_cancels(web, owner, ready_clip, telegram):
    clip = ready_clip(owner)
    publish(clip, telegram(owner), status=Status.PUBLISHING, stage=Stage.QUEUED)
    clip_id = clip.id
    dialog = web.get(f"/clips/{clip_id}/delete", headers=HTMX).text
    assert "1\u00a0публикация. Мы её отменим." in dialog
    answer = web.post(f"/clips/{clip_id}/delete", headers=HTMX)
    assert answer.text.startswith(f'<article id="clip-{clip_id}" hx-swap-oob="delete"></article>')
    db.session.expire_all()
    assert db.session.scalar(db.select(Clip.id).filter_by(id=clip_id)) is None
    assert db.session.scalar(db.select(Publication.status)) == Status.CANCELLED


def test_what_has_been_handed_over_keeps_its_clip(web, owner, ready_clip, telegram):
    clip = ready_clip(owner)
    publication = publish(clip, telegram(owner), status=Status.PUBLISHING, stage=Stage.SENT, commit_in_doubt="send")
    answer = web.post(f"/clips/{clip.id}/delete", headers=HTMX)
    assert answer.status_code == 422
    assert "Пока не удалить" in answer.text
    db.session.expire_all()
    assert publication.status == Status.PUBLISHING


def test_the_player(web, owner, ready_clip):
    clip = ready_clip(owner)
    dialog = web.get(f"/clips/{clip.id}/play", headers=HTMX).text
    assert f'<video src="/media/clips/{clip.id}/video"' in dialog
    assert "controls" in dialog
    assert 'preload="metadata"' in dialog


# Uploading by a plain form


def test_the_plain_upload(web, owner, vertical_file):
    files = [(io.BytesIO(vertical_file.read_bytes()), f"Клип {number}.mp4") for number in (1, 2)]
    answer = web.post("/clips", data={"clip": files})
    assert (answer.status_code, answer.location) == (303, "/")
    titles = set(db.session.scalars(db.select(Clip.title)))
    assert titles == {"Клип 1", "Клип 2"}
    page = web.get("/").text
    assert "Обработка…" in page
    assert "Загружено. Клип обрабатывается." in page


def test_the_plain_upload_of_nothing(web):
    assert web.post("/clips", data={}).status_code == 303
    assert "Выберите файл с видео." in web.get("/").text


def test_a_stranger_cannot_make_us_read_a_large_form(client):
    answer = client.post("/clips", data={"clip": (io.BytesIO(b"x" * (2 << 20)), "x.mp4")})
    assert answer.status_code == 413


def test_pages(web, owner):
    for number in range(25):
        db.session.add(Clip(user_id=owner.id, title=f"Клип {number}", file_name="a.mp4", storage_key="x", size=1))
    db.session.commit()
    first, second = web.get("/").text, web.get("/?page=2").text
    assert (len(cards(first)), len(cards(second))) == (24, 1)
    assert "25\u00a0клипов" in first
    assert "Старше" in first
    assert "Новее" in second
    assert cards(web.get("/?page=nonsense").text) == cards(first)


# Words


@pytest.mark.parametrize(
    ("number", "said"), [(1, "1 клип"), (2, "2 клипа"), (5, "5 клипов"), (11, "11 клипов"), (21, "21 клип")]
)
def test_plurals(number, said):
    assert filters.plural(number, "клип", "клипа", "клипов") == said.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("count", "said"),
    [(1, "1 КБ"), (44_000, "44 КБ"), (12_440_000, "12,4 МБ"), (500_000_000, "500 МБ"), (1_500_000_000, "1,5 ГБ")],
)
def test_sizes(count, said):
    assert filters.size(count) == said.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("milliseconds", "said"), [(999, "0:01"), (59_400, "0:59"), (61_000, "1:01"), (3_661_000, "1:01:01")]
)
def test_durations(milliseconds, said):
    assert filters.duration(milliseconds) == said


@pytest.mark.parametrize(("name", "said"), [("Кухня за минуту", "КЗ"), ("везде", "В"), ("— «»", "•"), ("", "•")])
def test_initials(name, said):
    assert filters.initials(name) == said


def test_a_clip_with_an_unconfirmed_publication_can_be_deleted(web, owner, ready_clip, telegram):
    clip, connection = ready_clip(owner), telegram(owner)
    publication = publish(
        clip,
        connection,
        status=Status.UNCONFIRMED,
        reason="unknown",
        commit_in_doubt="send",
        in_doubt_until=clock.now(),
        has_receipt=True,
    )
    db.session.add(PublicationStep(publication_id=publication.id, name="create", sealed_answer=b"x"))
    db.session.commit()
    clip_id, publication_id = clip.id, publication.id
    dialog = web.get(f"/clips/{clip_id}/delete", headers=HTMX).text
    assert "на площадке он может остаться" in dialog
    assert f'href="{connection.account_url}"' in dialog
    assert ">Удалить</button>" in dialog
    assert web.post(f"/clips/{clip_id}/delete", headers=HTMX).status_code == 200
    db.session.expire_all()
    assert db.session.scalar(db.select(Clip.id).filter_by(id=clip_id)) is None
    publication = db.session.get(Publication, publication_id)
    assert (publication.status, publication.reason, publication.wake_at) == ("cancelled", "left_unconfirmed", None)
    too_late_to_undo()
    assert db.session.query(PublicationStep).count() == 0
    page = web.get(f"/publications/{publication_id}").text
    assert "клип мог остаться на площадке" in page
    assert f'id="place-{publication_id}" href="{connection.account_url}"' in page


@pytest.mark.parametrize("values", [{"commit_in_doubt": "send"}, {"has_receipt": True}])
@pytest.mark.parametrize("script", [True, False])
def test_a_clip_that_is_being_handed_over_is_deleted_afterwards(web, owner, ready_clip, telegram, values, script):
    clip, headers = ready_clip(owner), HTMX if script else {}
    waiting = publish(clip, telegram(owner, chat_id=-1001), status=Status.SCHEDULED)
    publication = publish(clip, telegram(owner), status=Status.PUBLISHING, stage=Stage.SENT, **values)
    clip_id = clip.id
    assert "прямо сейчас передаётся" in web.get(f"/clips/{clip_id}/delete", headers=headers).text
    answer = web.post(f"/clips/{clip_id}/delete", headers=headers)
    assert answer.status_code == 422
    assert "Пока не удалить" in answer.text
    assert ">Удалить</button>" in answer.text
    db.session.expire_all()
    assert waiting.status == Status.SCHEDULED, "all or nothing"
    publication.status = Status.PUBLISHED
    db.session.commit()
    assert web.post(f"/clips/{clip_id}/delete", headers=headers).status_code in (200, 303)
    db.session.expire_all()
    assert db.session.scalar(db.select(Clip.id).filter_by(id=clip_id)) is None


@pytest.mark.parametrize("status", list(Status))
def test_no_status_keeps_a_clip_for_ever(web, owner, ready_clip, telegram, status):
    clip = ready_clip(owner)
    publish(clip, telegram(owner), status=status)
    clip_id = clip.id
    assert web.get(f"/clips/{clip_id}/delete", headers=HTMX).status_code == 200
    assert web.post(f"/clips/{clip_id}/delete", headers=HTMX).status_code == 200
    db.session.expire_all()
    assert db.session.scalar(db.select(Clip.id).filter_by(id=clip_id)) is None
    publication = db.session.query(Publication).one()
    live = status in ("scheduled", "publishing", "awaiting_user", "unconfirmed")
    assert publication.status == (Status.CANCELLED if live else status)
    assert web.get(f"/publications/{publication.id}").status_code == 200
    assert web.get("/publications").status_code == 200
