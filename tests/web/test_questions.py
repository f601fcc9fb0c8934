"""The window that waits for a platform's answer: whose it is, when it is late, and how often it may be asked for."""

import re
from datetime import timedelta

from app import clock
from app.db import db
from app.models import Question
from tests.web.test_integrations import CONNECT, FIELDS, PAGE

HTMX = {"HX-Request": "true"}


def asked(web) -> str:
    """The address of a question that waits for a worker."""
    return web.post(CONNECT, data=FIELDS).location


def test_another_users_question_is_not_found(web, user, sign_in):
    address = asked(web)
    other = sign_in(user(plan="pro"))
    for path in (address, f"{address}/answer", f"{PAGE}/questions/999999", f"{PAGE}/questions/999999/answer"):
        assert other.get(path).status_code == 404, path
    assert web.get(address).status_code == 200


def test_an_answer_that_is_late_is_said_once_and_waited_for(web):
    address = asked(web)
    assert web.get(f"{address}/answer", headers=HTMX).status_code == 204
    db.session.query(Question).update({"created_at": clock.now() - timedelta(minutes=1)})
    db.session.commit()
    window = web.get(f"{address}/answer", headers=HTMX)
    assert "Ответа пока нет" in window.text
    poll = re.search(r'hx-get="([^"]+/answer\?late=1)"', window.text)[1]
    assert web.get(poll, headers=HTMX).status_code == 204
    page = web.get(address)
    assert "Ответа пока нет" in page.text and page.headers["Refresh"] == "1"


def test_a_platform_is_not_asked_without_end(web):
    """Five questions wait at most, and of twenty forms in ten minutes the next is refused whatever waits."""
    said = [web.post(CONNECT, data=FIELDS, headers=HTMX) for _ in range(21)]
    assert [one.status_code for one in said] == [200] * 5 + [422] * 16
    assert db.session.query(Question).count() == 5
    for number, sentence in ((5, "Мы ещё ждём ответа"), (19, "Мы ещё ждём ответа"), (20, "Слишком много попыток")):
        assert sentence in said[number].text
        assert FIELDS["channel"] in said[number].text and FIELDS["bot_token"] not in said[number].text
