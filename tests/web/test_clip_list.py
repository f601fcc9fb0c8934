"""The page «Клипы»: what it is narrowed down to, what a card offers, the panel, and several clips at once."""

import gzip
import re
from datetime import timedelta

import pytest

from app import clock
from app.db import db
from app.models import Clip, ConnectionStatus, Publication, Stage, Status
from app.texts import moments
from tests.asking import SORTS, asked, plans, reads_whole
from tests.web.test_clips import HTMX, cards, publish

PATH = "https://t.me/kitchen/7"


def shown(page: str) -> list[str]:
    return re.findall(r'<article class="clip[^>]* aria-label="([^"]*)"', page)


def action(page: str) -> str:
    """What the only card offers first."""
    foot = page.split('<div class="clip-foot">')[1]
    return re.search(r">([^<>]+)</(?:a|button)>", foot)[1]


@pytest.fixture
def clip(owner, ready_clip):
    return ready_clip(owner, title="Закат")


@pytest.fixture
def channel(owner, telegram):
    return telegram(owner)


# What it is narrowed down to


def test_search_folds_and_sorts(web, owner, ready_clip):
    for title in ("Ёжик в тумане", "Сырники", "Ежевика"):
        ready_clip(owner, title=title)
    assert shown(web.get("/?q=ЕЖ").text) == ["Ежевика", "Ёжик в тумане"]
    assert shown(web.get("/?q=тумане ежик").text) == ["Ёжик в тумане"]
    assert shown(web.get("/?sort=old").text) == ["Ёжик в тумане", "Сырники", "Ежевика"]
    assert shown(web.get("/?sort=title").text) == ["Ежевика", "Ёжик в тумане", "Сырники"]
    for nothing in ("%", "_", "борщ", "\0"):
        assert "Ничего не нашлось" in web.get("/", query_string={"q": nothing}).text or nothing == "\0"
    part = web.get("/?q=сыр&sort=title", headers=HTMX)
    assert part.headers["HX-Replace-Url"] == "/?q=%D1%81%D1%8B%D1%80&sort=title"
    assert "<html" not in part.text and shown(part.text) == ["Сырники"] and "Найдено: 1\u00a0клип" in part.text


def test_a_new_title_is_found(web, clip):
    web.post(f"/clips/{clip.id}/edit", data={"title": "Рассвет", "description": ""})
    assert (shown(web.get("/?q=рассвет").text), shown(web.get("/?q=закат").text)) == (["Рассвет"], [])


def test_filters(web, owner, ready_clip, telegram):
    channel, other = telegram(owner), telegram(owner, chat_id=-1001)
    titles = ("нигде", "везде", "в одном", "потом", "сорвался", "сорвался и вышел", "отменён", "спрашивает")
    made = {title: ready_clip(owner, title=title) for title in titles}
    for place in (channel, other):
        publish(made["везде"], place, status=Status.PUBLISHED)
    publish(made["в одном"], channel, status=Status.PUBLISHED)
    publish(made["потом"], channel, status=Status.SCHEDULED)
    publish(made["сорвался"], channel, status=Status.FAILED)
    publish(made["сорвался и вышел"], channel, status=Status.FAILED)
    publish(made["сорвался и вышел"], channel, status=Status.PUBLISHED)
    publish(made["отменён"], channel, status=Status.CANCELLED)
    publish(made["спрашивает"], channel, status=Status.UNCONFIRMED, reason="unknown")

    def found(state: str) -> set[str]:
        return set(shown(web.get(f"/?state={state}").text))

    assert found("unpublished") == {"нигде", "сорвался", "отменён"}
    assert found("scheduled") == {"потом"}
    assert found("everywhere") == {"везде"}
    assert found("attention") == {"сорвался", "спрашивает"}
    assert found("nonsense") == set(made)
    assert "Требует внимания: 2" in web.get("/").text
    channel.status = ConnectionStatus.RECONNECT
    db.session.commit()
    assert found("attention") == {"сорвался", "спрашивает", "потом"}, "it cannot go out either"


def test_nothing_to_attend_to_is_not_told(web, clip):
    assert "Требует внимания: " not in web.get("/").text


def test_the_view_is_kept(web, clip):
    assert "as-rows" not in web.get("/").text
    assert "as-rows" in web.get("/?view=list").text
    assert "as-rows" in web.get("/").text
    assert "as-rows" not in web.get("/?view=grid").text


def test_files_that_cannot_be_published_come_first(web, owner, ready_clip):
    broken = ready_clip(owner, title="Сломан")
    broken.status, broken.reason = "failed", "broken_file"
    db.session.commit()
    ready_clip(owner, title="Новый")
    page = web.get("/").text
    assert shown(page) == ["Сломан", "Новый"]
    assert "Файл повреждён" in page and 'class="clip broken"' in page


# A card


@pytest.mark.parametrize(
    ("states", "offered"),
    [
        ([], "Опубликовать"),
        ([Status.PUBLISHED], "Ещё раз"),
        ([Status.PUBLISHING], "Опубликовать"),
        ([Status.FAILED], "Повторить"),
        ([Status.UNCONFIRMED], "Проверьте"),
        ([Status.AWAITING_USER], "Ждёт вас"),
        ([Status.CANCELLED], "Опубликовать"),
    ],
)
def test_the_next_step(web, clip, channel, states, offered):
    for status in states:
        publish(clip, channel, status=status, stage=Stage.QUEUED, reason=None)
    page = web.get("/").text
    assert action(page) == offered
    assert f'formaction="/clips/{clip.id}/publish"' in page, "in the menu at least"


def test_an_account_that_is_lost_comes_first(web, clip, channel, owner, telegram):
    publish(clip, channel, status=Status.FAILED, reason="reconnect")
    publish(clip, telegram(owner, chat_id=-1001), status=Status.UNCONFIRMED, reason="unknown")
    assert action(web.get("/").text) == "Проверьте"
    channel.status = ConnectionStatus.RECONNECT
    db.session.commit()
    assert action(web.get("/").text) == "Переподключить"


def test_a_new_account_makes_it_a_clip_to_publish(web, clip, channel, owner, telegram):
    publish(clip, channel, status=Status.PUBLISHED)
    telegram(owner, chat_id=-1001)
    assert action(web.get("/").text) == "Опубликовать"


def test_marks_say_all_in_words(web, clip, channel, owner, telegram):
    due = clock.now() + timedelta(days=30)
    publish(clip, channel, status=Status.PUBLISHED, url=PATH, views=12_345, likes=7)
    later = publish(clip, telegram(owner, chat_id=-1001), status=Status.SCHEDULED)
    later.due_at = due
    db.session.commit()
    page = web.get("/").text
    local = clock.to_zone(due, owner.timezone)
    assert f"Запланировано на {local:%d.%m.%Y %H:%M}, {moments.whole(due, owner.timezone)}" in page
    assert re.search(rf'<a class="mark status" [^>]*href="{PATH}"[^>]*>.*?Опубликовано</span></a>', page, re.S)
    assert "Просмотры </span>12,3\u00a0тыс." in page and "Лайки </span>7" in page and "Репосты" not in page


def test_retrying_all_that_failed(web, clip, channel, owner, telegram):
    failed = [publish(clip, place, status=Status.FAILED) for place in (channel, telegram(owner, chat_id=-1001))]
    fine = publish(clip, telegram(owner, chat_id=-1002), status=Status.PUBLISHED)
    answer = web.post(f"/clips/{clip.id}/retry", headers=HTMX)
    assert cards(answer.text) == [clip.id]
    db.session.expire_all()
    assert [one.status for one in (*failed, fine)] == [Status.PUBLISHING, Status.PUBLISHING, Status.PUBLISHED]
    assert "Обновите страницу" in web.post(f"/clips/{clip.id}/retry", follow_redirects=True).text


# The panel


def test_the_panel_is_a_part_or_a_page(web, clip, channel):
    publish(clip, channel, status=Status.FAILED, reason="refused", detail="Bad Request")
    part, page = web.get(f"/clips/{clip.id}", headers=HTMX).text, web.get(f"/clips/{clip.id}").text
    for text in (part, page, web.get(f"/?clip={clip.id}").text):
        assert f'id="details-{clip.id}"' in text and "Ответ площадки: Bad Request" in text
    assert "<html" not in part and "<h1" not in part
    assert "details-" not in web.get("/?clip=999").text


@pytest.mark.parametrize("place", ["/?clip={}", "/clips/{}"])
def test_the_panel_follows_what_is_done(web, clip, channel, place):
    publication = publish(clip, channel, status=Status.SCHEDULED)
    headers = {**HTMX, "HX-Current-URL": f"http://localhost{place.format(clip.id)}"}
    answer = web.post(f"/publications/{publication.id}/cancel", headers=headers).text
    assert f'id="details-{clip.id}"' in answer
    assert cards(answer) == ([clip.id] if "?" in place else [])
    answer = web.post(f"/clips/{clip.id}/delete", headers=headers).text
    assert re.search(r'<aside class="clip-panel[^>]*" id="clip-panel"[^>]* hx-swap-oob="morph"></aside>', answer)


def test_the_poll_of_the_panel(web, clip, channel):
    known = re.search(r'name="open" value="([\d:]+)"', web.get(f"/clips/{clip.id}").text)[1]
    assert web.get(f"/clips/changes?open={known}").status_code == 204
    publish(clip, channel, status=Status.PUBLISHED, url=PATH)
    answer = web.get(f"/clips/changes?open={known}").text
    assert f'id="details-{clip.id}"' in answer and PATH in answer and cards(answer) == []
    assert cards(web.get(f"/clips/changes?open={known}&known={clip.id}:1").text) == [clip.id]
    assert web.get("/clips/changes?open=x", headers=HTMX).status_code == 422


# Several at once


def test_deleting_several(web, owner, ready_clip, channel, user):
    mine, foreign = [ready_clip(owner, title=f"Клип {number}") for number in range(3)], ready_clip(user())
    ids = [one.id for one in mine]
    publish(mine[2], channel, status=Status.PUBLISHING, stage=Stage.SENT, commit_in_doubt="send")
    publish(mine[1], channel, status=Status.SCHEDULED)
    chosen = {"clip": [*ids, foreign.id, 10**9]}
    dialog = web.get("/clips/delete", query_string=chosen, headers=HTMX).text
    assert "Удалить 3\u00a0клипа?" in dialog
    answer = web.post("/clips/delete", data=chosen, headers=HTMX)
    assert answer.status_code == 200 and "Удалены не все" in answer.text and "Пока не удалить" in answer.text
    assert re.findall(r'id="clip-(\d+)" hx-swap-oob="delete"', answer.text) == [str(ids[0]), str(ids[1])]
    db.session.expire_all()
    assert {clip.id for clip in db.session.scalars(db.select(Clip))} == {ids[2], foreign.id}
    statuses = db.session.scalars(db.select(Publication.status).order_by(Publication.id)).all()
    assert statuses == [Status.PUBLISHING, Status.CANCELLED]


def test_deleting_several_without_a_script(web, owner, ready_clip):
    ids = [ready_clip(owner).id for _ in range(2)]
    assert "<html" in web.get("/clips/delete", query_string={"clip": ids}).text
    assert web.post("/clips/delete", data={"clip": ids}).location == "/"
    assert "Удалено: 2\u00a0клипа." in web.get("/").text
    assert "Отметьте хотя бы один клип." in web.post("/clips/delete", data={}, follow_redirects=True).text


# How large, and by which way


def test_a_page_of_24_clips_is_small(app, crowd, sign_in):
    page = sign_in(crowd(24)).get("/").data
    assert len(gzip.compress(page, 6)) <= 30_000


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("q=клип", "ix_clips_user_newest"),
        ("q=клип&sort=old", "ix_clips_user_newest"),
        ("sort=title", "ix_clips_user_title"),
        ("q=клип&sort=title", "ix_clips_user_title"),
        ("state=unpublished", "ix_clips_user_newest"),
        ("state=scheduled", "ix_clips_user_newest"),
        ("state=everywhere", "ix_clips_user_newest"),
    ],
)
def test_the_list_is_read_in_its_order(app, crowd, sign_in, query, index):
    web = sign_in(crowd(3))
    with asked() as found:
        web.get(f"/?{query}")
    plan = plans([one for one in found if "ORDER BY clips.user_id" in one[0]], "clips")[-1]
    assert index in plan and not SORTS.search(plan), plan
    assert not reads_whole(plan, "(clips|publications)"), plan


def test_what_needs_attention_is_found_by_its_status(app, crowd, sign_in):
    web = sign_in(crowd(3))
    with asked() as found:
        web.get("/")
    [plan] = plans([one for one in found if "UNION ALL" in one[0]], "publications")
    assert not reads_whole(plan, "publications"), plan
