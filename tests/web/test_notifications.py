"""The bell in every page's head, and the page behind it."""

import re

import pytest

from app.db import db
from app.models import Notification
from tests.web.test_clips import HTMX, XSS, publish

PAGE = "/notices"


@pytest.fixture
def notification(owner):
    """Makes notifications: `notification(kind="failed", title=…)`."""

    def make(kind: str = "failed", **facts) -> Notification:
        facts = {"platform": "VK", "account": "Анна", "title": "Закат", "reason": "unavailable", **facts}
        one = Notification(
            user_id=owner.id, kind=kind, dedup_key=f"{kind}:{db.session.query(Notification).count()}", facts=facts
        )
        db.session.add(one)
        db.session.commit()
        return one

    return make


def bell(page: str) -> str:
    return re.search(r'<a class="icon-button bell"[^>]*aria-label="([^"]*)"', page)[1]


def test_the_bell_counts_what_is_new(web, notification):
    assert bell(web.get("/").text) == "Уведомления"
    notification()
    assert bell(web.get("/plans").text) == "Уведомления, 1\xa0новое"
    for _ in range(2):
        notification()
    assert bell(web.get("/settings/profile").text) == "Уведомления, 3\xa0новых"
    page = web.get(PAGE).text
    assert bell(page) == "Уведомления", "opening the page is reading them"
    assert page.count(">новое<") == 3
    assert ">новое<" not in web.get(PAGE).text


def test_the_newest_stands_first_and_leads_on(web, owner, ready_clip, telegram, notification):
    publication = publish(ready_clip(owner), telegram(owner), status="failed", reason="unavailable")
    notification().publication_id = publication.id
    notification("reconnect")
    page = web.get(PAGE).text
    assert page.index("Переподключите VK") < page.index("Не опубликовано: «Закат»")
    assert "VK, «Анна». Площадка не отвечает." in page
    assert 'href="/settings/integrations">Переподключить</a>' in page
    assert f'href="/publications/{publication.id}">Открыть публикацию</a>' in page
    assert web.get(f"/publications/{publication.id}").status_code == 200


def test_what_a_user_wrote_is_text(web, notification):
    notification(title=XSS)
    page = web.get(PAGE).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_strangers_notifications_stay_theirs(web, user, sign_in, notification):
    notification(title="Моё")
    stranger = sign_in(user())
    page = stranger.get(PAGE).text
    assert "Моё" not in page
    assert "Пока тихо" in page
    assert bell(web.get("/").text) == "Уведомления, 1\xa0новое"


def test_the_poll_brings_the_bell_with_what_has_changed(web, owner, ready_clip, notification):
    clip = ready_clip(owner)
    notification()
    assert web.get(f"/clips/changes?known={clip.id}:{clip.version}", headers=HTMX).status_code == 204
    answer = web.get(f"/clips/changes?known={clip.id}:0", headers=HTMX).text
    assert bell(answer) == "Уведомления, 1\xa0новое"
    assert re.search(r'id="bell"[^>]*hx-swap-oob="morph"', answer)


def test_pages(web, notification):
    for _ in range(21):
        notification()
    assert "Старше" in web.get(PAGE).text
    assert "Новее" in web.get(f"{PAGE}?page=2").text
