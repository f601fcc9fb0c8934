import re
from datetime import timedelta

import pytest

from app import clock
from app.db import db
from app.models import ConnectionStatus, Publication, Stage, Status
from app.web import filters
from tests.web.test_clips import HTMX, publish

pytestmark = pytest.mark.usefixtures("sandbox")


@pytest.fixture
def clip(owner, ready_clip):
    return ready_clip(owner, title="Закат")


@pytest.fixture
def channel(owner, telegram):
    return telegram(owner)


def checkbox(page: str, name: str) -> str:
    return re.search(f'<input class="check" type="checkbox" name="{name}"[^>]*>', page)[0]


def test_without_accounts_the_dialog_leads_to_the_integrations(web, clip):
    dialog = web.get(f"/clips/{clip.id}/publish", headers=HTMX).text
    assert 'href="/settings/integrations"' in dialog
    assert "<form" not in dialog


def test_what_fits_is_ticked_and_has_the_shared_words(web, clip, channel):
    dialog = web.get(f"/clips/{clip.id}/publish", headers=HTMX).text
    assert "Опубликовать «Закат»" in dialog
    assert " checked" in checkbox(dialog, "connection")
    assert f'<label class="option-label" for="connection-{channel.id}">Telegram</label>' in dialog
    assert 'name="title" value="Закат"' in dialog
    assert f'name="title-{channel.id}" value=""' in dialog, "an own text is optional"
    assert f'name="description-{channel.id}"' in dialog
    assert 'data-unit="characters"' in dialog and 'data-max-text="1024"' in dialog
    assert "вместе с названием 5 из 1024" in dialog


def test_two_accounts_of_a_platform_are_distinguished(web, owner, clip, channel, telegram):
    telegram(owner, chat_id=-1001000000009)
    dialog = web.get(f"/clips/{clip.id}/publish").text
    assert dialog.count(">Telegram — Везде: демо</label>") == 2


def test_what_does_not_fit_shows_why_and_cannot_be_chosen(app, web, clip, channel):
    app.config["TELEGRAM_MAX_MB"] = 0.01
    dialog = web.get(f"/clips/{clip.id}/publish").text
    assert "сожмите клип" in dialog
    assert " disabled" in checkbox(dialog, "connection")
    answer = web.post(f"/clips/{clip.id}/publish", data={"connection": channel.id}, headers=HTMX)
    assert answer.status_code == 422
    assert db.session.scalar(db.select(db.func.count(Publication.id))) == 0


def test_an_account_to_reconnect_cannot_be_chosen(web, clip, channel):
    channel.status = ConnectionStatus.RECONNECT
    db.session.commit()
    dialog = web.get(f"/clips/{clip.id}/publish").text
    assert "Переподключите аккаунт" in dialog
    assert " disabled" in checkbox(dialog, "connection")


def test_publishing(web, clip, channel):
    data = {"connection": channel.id, f"title-{channel.id}": "Своё", f"description-{channel.id}": "Слова"}
    answer = web.post(f"/clips/{clip.id}/publish", data=data, headers=HTMX)
    window, _, card = answer.text.partition('<article class="clip"')
    assert "Публикация..." in window and "Публикация..." in card
    assert "Опубликовано: 0 из 1" in answer.text
    assert "в очереди" in answer.text
    publication = db.session.scalars(db.select(Publication)).one()
    assert (publication.title, publication.description, publication.status) == ("Своё", "Слова", Status.PUBLISHING)


def test_a_double_click_makes_one(web, clip, channel):
    for _ in range(2):
        answer = web.post(f"/clips/{clip.id}/publish", data={"connection": channel.id, f"title-{channel.id}": "Закат"})
        assert answer.location == "/"
    assert db.session.scalar(db.select(db.func.count(Publication.id))) == 1


def test_nothing_chosen(web, clip, channel):
    answer = web.post(f"/clips/{clip.id}/publish", data={}, headers=HTMX)
    assert answer.status_code == 422
    assert "Выберите хотя бы одну площадку." in answer.text
    assert " checked" not in checkbox(answer.text, "connection")


def test_a_refusal_stands_at_its_account_and_keeps_what_was_typed(web, clip, channel):
    data = {"connection": channel.id, f"title-{channel.id}": "<Своё>", f"description-{channel.id}": "x" * 1100}
    answer = web.post(f"/clips/{clip.id}/publish", data=data, headers=HTMX)
    assert answer.status_code == 422
    assert "помещается 1024: сократите" in answer.text
    assert 'value="&lt;Своё&gt;"' in answer.text
    assert "x" * 1100 in answer.text
    assert " checked" in checkbox(answer.text, "connection")
    panel = answer.text.partition(f'id="panel-{channel.id}"')[2]
    assert "data-open" in panel.partition(">")[0], "the tab at fault"
    assert re.search(r'<textarea id="description-\d+"[^>]* aria-invalid="true"', panel)


def test_where_it_stands_already_one_asks_for_it_again(web, clip, channel):
    publish(clip, channel, status=Status.PUBLISHED, url="https://t.me/x/1", published_at=clock.now())
    dialog = web.get(f"/clips/{clip.id}/publish").text
    assert 'name="connection"' not in dialog
    assert "Уже опубликовано" in dialog
    assert " checked" not in checkbox(dialog, "again")
    assert web.post(f"/clips/{clip.id}/publish", data={"connection": channel.id}, headers=HTMX).status_code == 422
    data = {"again": channel.id, f"title-{channel.id}": "Закат"}
    assert web.post(f"/clips/{clip.id}/publish", data=data, headers=HTMX).status_code == 200


def test_where_it_is_on_its_way_it_cannot_be_chosen(web, clip, channel):
    publish(clip, channel, status=Status.PUBLISHING, stage=Stage.UPLOADING, sent=42, total=100)
    dialog = web.get(f"/clips/{clip.id}/publish").text
    assert "Публикация... загрузка 42" in dialog
    assert " disabled" in checkbox(dialog, "connection")


# On the card


def row(web, clip) -> str:
    page = web.get(f"/clips/{clip.id}").text
    return page.partition('<ul class="publications">')[2].partition("</ul>")[0]


def test_uploading_shows_how_far_it_is(web, clip, channel):
    publish(clip, channel, status=Status.PUBLISHING, stage=Stage.UPLOADING, sent=42, total=100)
    card = row(web, clip)
    assert "Публикация..." in card
    assert "загрузка 42" in card
    assert 'max="100" value="42"' in card
    assert "Отменить" in card


def test_published_has_its_link(web, clip, channel):
    publish(clip, channel, status=Status.PUBLISHED, url="https://t.me/x/1?a=1&b=2")
    card = row(web, clip)
    assert 'href="https://t.me/x/1?a=1&amp;b=2" target="_blank" rel="noopener">Опубликовано' in card
    assert "Отменить" not in card


def test_failed_shows_why_and_can_be_tried_again(web, clip, channel):
    publication = publish(clip, channel, status=Status.FAILED, reason="refused", detail="<b>Bad Request</b>")
    card = row(web, clip)
    assert "Ошибка" in card
    assert "Площадка отказала. Прочитайте" in card
    assert "&lt;b&gt;Bad Request&lt;/b&gt;" in card
    answer = web.post(f"/publications/{publication.id}/retry", headers=HTMX)
    assert "Публикация..." in answer.text
    assert 'hx-swap-oob="morph"' in answer.text


def test_what_is_handed_over_cannot_be_cancelled(web, clip, channel):
    publication = publish(clip, channel, status=Status.PUBLISHING, stage=Stage.SENT, commit_in_doubt="send")
    assert "Отменить" not in row(web, clip)
    answer = web.post(f"/publications/{publication.id}/cancel", headers=HTMX)
    assert answer.status_code == 422
    assert "toast" in answer.headers["HX-Trigger"]


def test_cancelling(web, clip, channel):
    publication = publish(clip, channel, status=Status.PUBLISHING, stage=Stage.QUEUED)
    answer = web.post(f"/publications/{publication.id}/cancel")
    assert (answer.status_code, answer.location) == (303, "/")
    db.session.expire_all()
    assert publication.status == Status.CANCELLED


def test_what_we_cannot_know_the_user_is_asked(web, clip, channel):
    publication = publish(clip, channel, status=Status.UNCONFIRMED, reason="unknown", in_doubt_until=clock.now())
    card = row(web, clip)
    assert "Проверьте" in card
    assert f'href="{channel.account_url}"' in card
    assert ">Есть</button>" in card
    assert "отправить ещё раз" not in card
    assert web.post(f"/publications/{publication.id}/resend", headers=HTMX).status_code == 422

    publication.in_doubt_until = clock.now() - timedelta(hours=1)
    db.session.commit()
    assert ">Нет, отправить ещё раз</button>" in row(web, clip)
    assert web.post(f"/publications/{publication.id}/resend", headers=HTMX).status_code == 200


def test_the_user_need_not_answer(web, clip, channel):
    publication = publish(clip, channel, status=Status.UNCONFIRMED, reason="unknown", commit_in_doubt="send")
    assert ">Отменить</button>" in row(web, clip)
    assert web.post(f"/publications/{publication.id}/cancel", headers=HTMX).status_code == 200
    db.session.expire_all()
    assert (publication.status, publication.reason) == (Status.CANCELLED, "left_unconfirmed")


def test_an_unconfirmed_one_outlives_its_account(web, clip, channel):
    publication = publish(clip, channel, status=Status.UNCONFIRMED, reason="unknown", commit_in_doubt="send")
    path = f"/settings/integrations/{channel.id}/disconnect"
    assert "останется в «Проверьте»" in web.get(path, headers=HTMX).text
    assert web.post(path, headers=HTMX).status_code == 200
    card = row(web, clip)
    assert ">Есть</button>" in card and ">Отменить</button>" in card
    assert "отправить ещё раз" not in card
    assert web.post(f"/publications/{publication.id}/confirm", headers=HTMX).status_code == 200


def test_it_is_there(web, clip, channel):
    publication = publish(clip, channel, status=Status.UNCONFIRMED, reason="unknown")
    assert "Не обязательно" in web.get(f"/publications/{publication.id}/confirm", headers=HTMX).text
    answer = web.post(f"/publications/{publication.id}/confirm", data={"url": "javascript:alert(1)"}, headers=HTMX)
    assert answer.status_code == 422
    assert "Вставьте ссылку целиком" in answer.text
    answer = web.post(f"/publications/{publication.id}/confirm", data={"url": "https://t.me/x/7"}, headers=HTMX)
    assert 'href="https://t.me/x/7"' in answer.text


def test_percentages():
    assert filters.progress_percent(Publication(stage=Stage.UPLOADING, sent=1, total=3)) == 33
    assert filters.progress_percent(Publication(stage=Stage.UPLOADING, sent=None, total=None)) is None
    assert filters.progress_percent(Publication(stage=Stage.QUEUED)) is None
