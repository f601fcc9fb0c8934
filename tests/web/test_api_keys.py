"""«Настройки → API»: a key is shown once, and what a stolen session must not do asks for the password."""

import re
from datetime import timedelta

from app import clock
from app.db import db
from app.models import ApiKey, UserSession

FORM = {"name": "Ферма рендера", "scope": "write", "days": "90"}


def test_a_key_is_shown_once(web, owner):
    page = web.post("/settings/api/new", data=FORM)
    [secret] = re.findall(r'value="(vz_[\w-]{43})"', page.text)
    assert page.headers["Cache-Control"] == "private, no-store"
    key = db.session.query(ApiKey).one()
    assert (key.name, key.scope) == ("Ферма рендера", "write")
    assert timedelta(days=89) < key.expires_at - clock.now() <= timedelta(days=90)
    listed = web.get("/settings/api").text
    assert secret not in listed and secret[:8] in listed and "читать и менять" in listed
    assert "Создан ключ API" in web.get("/settings/security").text
    used = web.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})
    assert used.status_code == 200 and "Set-Cookie" not in used.headers
    assert "ещё не использован" not in web.get("/settings/api").text


def test_what_is_wrong_with_a_new_key_is_said_at_its_field(web):
    page = web.post("/settings/api/new", data=FORM | {"name": " х" * 65})
    assert page.status_code == 422 and "Назовите ключ" in page.text and "Сколько действует" in page.text
    assert web.post("/settings/api/new", data=FORM | {"scope": "all"}).status_code == 422
    assert db.session.query(ApiKey).count() == 0


def test_a_revoked_key_stays_in_the_list(web, owner):
    web.post("/settings/api/new", data=FORM | {"days": ""})
    key = db.session.query(ApiKey).one()
    assert key.expires_at is None
    assert "будет отказано сразу" in web.get(f"/settings/api/{key.id}/revoke").text
    assert web.post(f"/settings/api/{key.id}/revoke").location == "/settings/api"
    assert web.post(f"/settings/api/{key.id}/revoke").status_code == 303  # the other half of a double press
    page = web.get("/settings/api").text
    assert "отозван" in page and "Отозвать: " not in page


def test_a_session_that_was_stolen_makes_no_key(web):
    db.session.query(UserSession).one().confirmed_at = clock.now() - timedelta(hours=1)
    db.session.commit()
    assert web.get("/settings/api/new").location.startswith("/settings/confirm")
    assert web.post("/settings/api/new", data=FORM).status_code == 403
    assert db.session.query(ApiKey).count() == 0


def test_the_description_is_a_page_for_everybody(client):
    page = client.get("/api/v1/docs")
    assert page.status_code == 200 and page.content_type.startswith("text/html")
    for text in ("Загрузить клип одним запросом", "time_without_zone", "Idempotency-Key", 'id="schema-Publication"'):
        assert text in page.text
    assert not re.search(r"<script|<style|\sstyle=|src=.http", page.text)
    ids = set(re.findall(r'\sid="([^"]+)"', page.text))
    assert set(re.findall(r'href="#([^"]+)"', page.text)) <= ids
