import re
from datetime import UTC, datetime, timedelta

import pytest

from app import clock
from app.db import db
from app.models import Clip, PlatformConnection, Publication, PublicationEvent, Stage, Status, touch
from app.texts import moments
from app.web import filters
from tests.asking import asked
from tests.web.test_clips import HTMX, XSS, publish

MOMENT = datetime(2026, 5, 3, 20, 59, 7, tzinfo=UTC)  # 23:59 in Moscow


@pytest.fixture
def channel(owner):
    one = PlatformConnection(
        user_id=owner.id,
        platform="telegram",
        account_id="-1001",
        account_name="Кухня",
        account_url="https://t.me/kitchen",
    )
    db.session.add(one)
    db.session.commit()
    return one


@pytest.fixture
def clip(owner):
    return clip_of(owner)


def clip_of(user, title: str = "Закат") -> Clip:
    clip = Clip(user_id=user.id, title=title, file_name="a.mp4", storage_key="x", size=1, status="ready")
    db.session.add(clip)
    db.session.commit()
    return clip


def titles(page: str) -> list[str]:
    return re.findall(r'<h2 class="entry-title"><a href="[^"]+">([^<]+)</a>', page)


def known(page: str) -> list[str]:
    return re.findall(r'name="known" value="([\d.:]+)"', page)


def states(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<div class="publication \w+" id="publication-(\d+)"', page)]


# The list


def test_a_row_shows_the_publications_state(web, clip, channel):
    publish(clip, channel, status=Status.PUBLISHED, url="https://t.me/kitchen/7", published_at=MOMENT)
    page = web.get("/publications").text
    assert titles(page) == ["Закат"]
    when = f"{moments.near(MOMENT, 'Europe/Moscow')}</time>"
    for said in ("Telegram", "Кухня", 'href="https://t.me/kitchen/7"', "Опубликовано", when):
        assert said in page
    assert "1\u00a0публикация" in page
    assert '<a href="/publications" aria-current="page">' in page


@pytest.mark.parametrize(
    ("state", "said", "offered"),
    [
        ({"status": Status.SCHEDULED, "due_at": MOMENT}, "Запланировано на 03.05.2026 23:59", "Отменить"),
        ({"status": Status.PUBLISHING, "stage": Stage.QUEUED}, "в очереди", "Отменить"),
        ({"status": Status.FAILED, "reason": "refused", "detail": "Bad Request"}, "Bad Request", "Повторить"),
        ({"status": Status.UNCONFIRMED, "reason": "unknown"}, "Проверьте", ">Есть</button>"),
        (
            {
                "status": Status.AWAITING_USER,
                "ask": {"text": "т", "link": "https://dzen.ru", "label": "Открыть Студию"},
            },
            "Открыть Студию",
            "Вставить ссылку",
        ),
        ({"status": Status.CANCELLED}, "Отменено", ""),
    ],
)
def test_each_state_offers_what_can_be_done(web, clip, channel, state, said, offered):
    state = dict(state)
    due_at = state.pop("due_at", None)
    one = publish(clip, channel, **state)
    one.due_at = due_at or one.due_at
    db.session.commit()
    for path in ("/publications", f"/publications/{one.id}"):
        page = web.get(path).text
        assert said in page
        assert offered in page


def test_filters(web, owner, clip, channel):
    other = clip_of(owner, "Ёжик")
    publish(clip, channel, status=Status.PUBLISHED)
    publish(other, channel, status=Status.FAILED, reason="refused")
    assert titles(web.get("/publications").text) == ["Ёжик", "Закат"]
    assert titles(web.get("/publications?status=failed").text) == ["Ёжик"]
    assert titles(web.get(f"/publications?clip={clip.id}").text) == ["Закат"]
    assert titles(web.get("/publications", query_string={"q": "ЕЖИК"}).text) == ["Ёжик"]
    assert titles(web.get("/publications?platform=vk").text) == []
    page = web.get("/publications?status=failed&platform=telegram&q=ёж").text
    assert titles(page) == ["Ёжик"]
    assert '<option value="failed" selected>Ошибка</option>' in page
    assert '<option value="telegram" selected>Telegram</option>' in page
    assert 'name="q" value="ёж"' in page


@pytest.mark.parametrize(
    "query",
    [
        {"status": "nonsense", "platform": "myspace", "clip": "x", "page": "y"},
        {"clip": "99999999999999999999999", "page": "99999999999999999999999"},
        {"clip": "-1", "page": "-1", "q": "  \x00 \n"},
        {"q": "\x00\u200bзакат\x00"},
    ],
)
def test_what_a_filter_cannot_mean_is_left_out(web, clip, channel, query):
    publish(clip, channel, status=Status.PUBLISHED)
    answer = web.get("/publications", query_string=query)
    assert answer.status_code == 200
    assert titles(answer.text) == ["Закат"]


def test_empty_lists_lead_on(web, clip, channel):
    page = web.get("/publications").text
    assert "Публикаций пока нет" in page
    assert '<a class="button primary" href="/">' in page
    publish(clip, channel, status=Status.PUBLISHED)
    page = web.get("/publications?q=борщ").text
    assert "Ничего не нашлось" in page
    assert '<a class="button primary" href="/publications">Сбросить фильтры</a>' in page


def test_the_summary_leads_to_what_needs_attention(web, clip, channel):
    publish(clip, channel, status=Status.PUBLISHED)
    publish(clip, channel, status=Status.FAILED, reason="refused")
    page = web.get("/publications?q=закат").text
    assert "2\u00a0публикации" in page
    assert 'href="/publications?q=%D0%B7%D0%B0%D0%BA%D0%B0%D1%82&amp;status=failed"' in page
    assert "Проверьте" not in page.partition("<form")[0].partition("<h1")[2]


def test_pages_keep_the_filters(web, clip, channel):
    for _ in range(31):
        publish(clip, channel, status=Status.PUBLISHED)
    first = web.get("/publications?status=published").text
    assert len(titles(first)) == 30
    assert 'href="/publications?page=2&amp;status=published">Старше' in first
    second = web.get("/publications?status=published&page=2").text
    assert len(titles(second)) == 1
    assert 'href="/publications?page=1&amp;status=published">Новее' in second


def test_with_a_script_only_the_list_is_swapped(web, clip, channel):
    publish(clip, channel, status=Status.PUBLISHED)
    answer = web.get("/publications?status=&platform=telegram&clip=&q=+зак+", headers=HTMX)
    assert "<h1" not in answer.text
    assert titles(answer.text) == ["Закат"]
    assert '<p class="found" id="found" hx-swap-oob="morph">' in answer.text
    assert "Найдено: 1\u00a0публикация" in answer.text
    assert answer.headers["HX-Push-Url"] == "/publications?platform=telegram&q=%D0%B7%D0%B0%D0%BA"


def test_words_of_users_are_escaped(web, owner, channel):
    one = publish(clip_of(owner, XSS), channel, status=Status.FAILED, reason="refused", detail=XSS)
    write(one, ("failed", "refused", XSS))
    for path in ("/publications", f"/publications/{one.id}", f"/publications?q={XSS}"):
        page = web.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt; «Кофе»" in page


def test_a_title_of_its_own_and_the_clip_that_is_gone(web, clip, channel):
    one = publish(clip, channel, status=Status.PUBLISHED)
    one.title = "Своё"
    db.session.commit()
    page = web.get("/publications").text
    assert titles(page) == ["Своё"]
    assert "Клип «Закат»." in page
    web.post(f"/clips/{clip.id}/delete")
    for path in ("/publications", f"/publications/{one.id}"):
        assert "Клип удалён." in web.get(path).text


def statements_of(web, path: str) -> list[str]:
    with asked(begins=True) as found:
        assert web.get(path).status_code == 200
    return [statement for statement, _ in found]


def test_many_cost_no_more_queries_than_few(web, owner, clip, channel):
    publish(clip, channel, status=Status.PUBLISHED)
    paths = ("/publications", "/publications?q=закат&status=published", f"/publications?clip={clip.id}&page=2")
    few = [statements_of(web, path) for path in paths]
    many = [
        Clip(user_id=owner.id, title=f"Клип {number}", file_name="a.mp4", storage_key="x", size=1, poster_key="x")
        for number in range(300)
    ]
    db.session.add_all(many)
    db.session.flush()
    for number in range(1200):
        of = many[number % 300]
        db.session.add(
            Publication(
                user_id=owner.id,
                clip_id=of.id,
                connection_id=channel.id,
                platform="telegram",
                account_id=channel.account_id,
                account_name=channel.account_name,
                title=of.title,
                status=(Status.PUBLISHED, Status.FAILED, Status.CANCELLED)[number % 3],
                due_at=MOMENT,
            )
        )
    db.session.commit()
    assert len(titles(web.get("/publications").text)) == 30
    assert [len(statements_of(web, path)) for path in paths] == [len(statements) for statements in few]
    # BEGIN, the user, the clips to choose from, the counts, the page, what can come back, incidents, the bell
    assert len(few[0]) <= 8
    assert "BEGIN IMMEDIATE" not in few[0]


# The poll


def test_the_poll_brings_only_what_has_changed(web, owner, clip, channel):
    same = publish(clip_of(owner, "Тот же"), channel, status=Status.PUBLISHED)
    one = publish(clip, channel, status=Status.PUBLISHING, stage=Stage.UPLOADING, sent=1, total=4)
    page = web.get("/publications").text
    query = {"known": known(page), "status": "", "q": ""}
    assert 'data-pace="fast"' in page
    quiet = web.get("/publications/changes", query_string=query, headers=HTMX)
    assert (quiet.status_code, quiet.data) == (204, b"")

    one.sent = 3
    touch(one.id)
    db.session.commit()
    answer = web.get("/publications/changes", query_string=query, headers=HTMX).text
    assert states(answer) == [one.id]
    assert "загрузка 75" in answer
    assert f'id="publication-{same.id}"' not in answer
    assert "<img" not in answer
    assert "2\u00a0публикации" in answer


def test_an_idle_poll_asks_the_database_once(web, clip, channel):
    publish(clip, channel, status=Status.PUBLISHED)
    [one] = known(web.get("/publications").text)
    with asked(begins=True) as found:
        assert web.get(f"/publications/changes?known={one}").status_code == 204
    assert len(found) <= 3  # with the user and BEGIN


def test_a_countdown_is_always_sent(web, clip, channel):
    publish(
        clip,
        channel,
        status=Status.PUBLISHING,
        stage=Stage.RETRY,
        attempt=1,
        wake_at=clock.now() + timedelta(minutes=2),
    )
    query = {"known": known(web.get("/publications").text)}
    assert "повтор через 2" in web.get("/publications/changes", query_string=query).text


@pytest.mark.parametrize("nonsense", ["", "x", "1", "1:", "-1:1.1", "1:1;1", "9999999999999999999:1.1"])
def test_a_poll_that_makes_no_sense_is_refused(web, nonsense):
    answer = web.get("/publications/changes", query_string={"known": nonsense}, headers=HTMX)
    assert answer.status_code == 422


# Acting from these pages


@pytest.mark.parametrize(
    ("page", "swapped"),
    [
        ("/publications?status=failed&page=1", 'class="publication publishing" id="publication-{id}"'),
        ("/publications/{id}", 'class="story" id="publication-{id}"'),
        ("/?page=1", 'class="clip" id="clip-{clip}"'),
    ],
)
def test_an_action_swaps_what_its_page_shows(web, clip, channel, page, swapped):
    one = publish(clip, channel, status=Status.FAILED, reason="refused")
    ids = {"id": one.id, "clip": clip.id}
    shown = {**HTMX, "HX-Current-URL": f"http://localhost{page.format(**ids)}"}
    answer = web.post(f"/publications/{one.id}/retry", headers=shown)
    assert swapped.format(**ids) in answer.text
    assert 'hx-swap-oob="morph"' in answer.text
    assert "Публикация..." in answer.text
    assert ('id="clip-' in answer.text) == (page[:2] == "/?")


@pytest.mark.parametrize(
    ("came_from", "to"),
    [
        ("/publications?status=failed", "/publications?status=failed"),
        ("/publications/{id}", "/publications/{id}"),
        ("/publications/{id}/confirm", "/publications/{id}"),
        ("/publications/{id}0", "/"),
        ("/", "/"),
    ],
)
def test_without_a_script_an_action_leads_back(web, clip, channel, came_from, to):
    one = publish(clip, channel, status=Status.FAILED, reason="refused")
    referrer = f"http://localhost{came_from.format(id=one.id)}"
    answer = web.post(f"/publications/{one.id}/retry", headers={"Referer": referrer})
    assert (answer.status_code, answer.location) == (303, to.format(id=one.id))


# A publication's own page


def write(one: Publication, *events: tuple) -> None:
    for kind, name, detail in events:
        db.session.add(
            PublicationEvent(
                publication_id=one.id, at=MOMENT, kind=kind, name=name, detail=detail, status=Status.PUBLISHING
            )
        )
    db.session.commit()


def test_its_page_shows_everything(web, clip, channel):
    one = publish(clip, channel, status=Status.PUBLISHED, url="https://t.me/kitchen/7", published_at=MOMENT)
    one.description = "Снято\nна телефон"
    write(
        one,
        ("created", None, None),
        ("retry", "unavailable", "HTTP 502"),
        ("commit_started", "send", None),
        ("accepted", "send", None),
        ("published", None, None),
    )
    page = web.get(f"/publications/{one.id}").text
    for said in (
        "<h1>Закат</h1>",
        'href="https://t.me/kitchen"',
        'href="https://t.me/kitchen/7"',
        f'href="/clips/{clip.id}"',
        "Снято\nна телефон",
        "Попытка 1",
        "Попытка 2",
        "Площадка не отвечает",
        "Ответ площадки: HTTP 502",
        "Передаём площадке: отправка в канал",
        "Площадка подтвердила: отправка в канал",
        moments.day(MOMENT, "Europe/Moscow"),
        "23:59:07",
    ):
        assert said in page
    assert f'id="details-{clip.id}"' in web.get(f"/clips/{clip.id}").text


def test_its_poll_brings_each_step(web, clip, channel):
    one = publish(clip, channel, status=Status.PUBLISHING, stage=Stage.PROCESSING)
    write(one, ("created", None, None))
    path = f"/publications/{one.id}/changes"
    query = {"known": known(web.get(f"/publications/{one.id}").text)}
    assert web.get(path, query_string=query).status_code == 204
    write(one, ("accepted", "send", None))
    answer = web.get(path, query_string=query).text
    assert f'id="publication-{one.id}" data-pace="fast" hx-swap-oob="morph"' in answer
    assert 'id="facts"' in answer
    assert "Площадка подтвердила" in answer


def test_its_clip_leads_to_it(web, clip, channel):
    one = publish(clip, channel, status=Status.PUBLISHED)
    page = web.get(f"/clips/{clip.id}").text
    link = page.partition(f'id="history-{one.id}"')[2].partition(">")[0]
    assert f'href="/publications/{one.id}"' in link and 'aria-label="История: Telegram, Кухня"' in link


def test_strangers_see_nothing(user, sign_in, clip, channel):
    one = publish(clip, channel, status=Status.FAILED, reason="refused")
    stranger = sign_in(user())
    assert "Публикаций пока нет" in stranger.get("/publications").text
    assert titles(stranger.get(f"/publications?clip={clip.id}").text) == []
    for path in (f"/publications/{one.id}", f"/publications/{one.id}/changes", f"/clips/{clip.id}"):
        assert stranger.get(path).status_code == 404
    assert stranger.get(f"/publications/changes?known={one.id}:1").status_code == 204


@pytest.mark.parametrize(
    ("status", "pace"),
    [("publishing", "fast"), ("scheduled", "slow"), ("unconfirmed", "slow"), ("published", ""), ("awaiting_user", "")],
)
def test_paces(status, pace):
    assert filters.pace(Publication(status=status, due_at=clock.now() + timedelta(hours=1))) == pace


def test_what_falls_due_within_the_minute_is_asked_for_often():
    due = clock.now() + timedelta(seconds=50)
    assert filters.pace(Publication(status=Status.SCHEDULED, due_at=due, wake_at=due)) == "fast"
    assert filters.pace(Publication(status=Status.SCHEDULED, due_at=due, wake_at=None)) == "slow"  # paused
