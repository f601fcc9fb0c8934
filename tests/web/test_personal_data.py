"""Personal data: consent, export and deletion."""

import json
import re
from pathlib import Path

import pytest

from app.db import commit, db
from app.models import (
    AuditEvent,
    Clip,
    PlatformConnection,
    Publication,
    PublicationEvent,
    PublicationStep,
    Revocation,
    Status,
    Upload,
    User,
)
from app.services import data_export, publications, upload_files, uploads, user_deletion, users
from app.services.publications import Choice
from app.storage import storage
from tests.conftest import DEMO_BOT

PASSWORD = "parol-parol"


@pytest.fixture
def anna(app, user, ready_clip, telegram):
    """A user with a row of each kind."""
    one = user(email="anna@example.org")
    connection = telegram(one)
    clip = ready_clip(one)
    publications.publish(one, clip.id, [Choice(connection.id, "Закат", "Волга, июль")])
    commit()
    uploads.create(one, "second.mp4", 1000)
    commit()
    return one


def test_consent_is_a_box_of_its_own_and_its_time_and_text_are_kept(app):
    client = app.test_client()
    page = client.get("/sign-up").text
    [box] = re.findall(r'<input[^>]*type="checkbox"[^>]*>', page)
    assert 'name="consent"' in box
    assert "checked" not in box  # nobody agrees by default
    assert "novalidate" in page  # the sentence is ours, with or without a script
    assert 'href="/privacy"' in page
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": token, "name": "Анна", "email": "anna@example.org", "password": PASSWORD}
    refused = client.post("/sign-up", data=form)
    assert refused.status_code == 422
    assert "Отметьте согласие" in refused.text
    assert 'aria-describedby="consent-notes"' in refused.text
    assert [one.email for one in users.list_users()] == []
    assert client.post("/sign-up", data=form | {"consent": "y"}).location == "/"
    anna = users.by_email("anna@example.org")
    assert anna.consented_at is not None
    assert anna.consent_version == users.CONSENT_VERSION.isoformat()


def test_a_box_that_was_ticked_stays_so_when_something_else_is_wrong(app):
    client = app.test_client()
    token = client.get("/sign-up").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": token, "name": "Анна", "email": "anna", "password": PASSWORD, "consent": "y"}
    [box] = re.findall(r'<input[^>]*type="checkbox"[^>]*>', client.post("/sign-up", data=form).text)
    assert " checked" in box


def test_the_privacy_page(app, client):
    page = client.get("/privacy").text
    assert "152-ФЗ" in page
    assert "не назвал себя" in page
    app.config["OPERATOR_NAME"], app.config["OPERATOR_CONTACT"] = "ООО «Волна»", "privacy@example.org"
    page = client.get("/privacy").text
    assert "ООО «Волна»" in page
    assert "privacy@example.org" in page


def test_everything_can_be_taken_along_without_secrets(app, user, sign_in, anna, ready_clip):
    ready_clip(user(email="boris@example.org"), title="Клип Бориса")
    answer = sign_in(anna).post("/settings/data")
    assert "attachment" in answer.headers["Content-Disposition"]
    data = json.loads(answer.text)
    assert data["profile"]["email"] == "anna@example.org"
    assert [clip["title"] for clip in data["clips"]] == ["Закат над Волгой"]
    assert data["clips"][0]["file"].endswith("/video?download=1")
    assert [one["title"] for one in data["publications"]] == ["Закат"]
    assert data["publication_events"][0]["kind"] == "created"
    assert data["connections"][0]["account_name"] == "Везде: демо"
    assert data["security"][0]["kind"] == "signed_up"
    assert data["security"][-1]["kind"] == "data_downloaded"
    for secret in (DEMO_BOT, "sealed", "password_hash", "session_key", "storage_key", "Бориса", "argon2"):
        assert secret not in answer.text


def test_taking_along_goes_in_batches(app, anna):
    from app.services import audit_log

    for _ in range(2 * data_export.BATCH + 1):
        audit_log.record(anna.id, "signed_in")
    db.session.commit()
    exported = data_export.export(anna)
    db.session.commit()
    pieces = list(exported)
    assert len(pieces) > 2 * data_export.BATCH
    kept = json.loads("".join(pieces))["security"]
    assert len({one["id"] for one in kept}) == len(kept) == db.session.query(AuditEvent).count()


def test_the_end_of_an_account_leaves_nothing(app, user, sign_in, anna, ready_clip, telegram):
    boris = user(email="boris@example.org")
    telegram(boris)
    others_clip = ready_clip(boris)
    browser, elsewhere = sign_in(anna), sign_in(anna)
    page = browser.get("/settings/delete").text
    for words in ("1\u00a0клип", "1\u00a0подключённый аккаунт", "Не закончено: 1\u00a0публикация"):
        assert words in page
    assert browser.post("/settings/delete", data={"password": "wrong-wrong"}).status_code == 422
    assert db.session.query(Clip).count() == 2

    answer = browser.post("/settings/delete", data={"password": PASSWORD})
    assert answer.location == "/sign-in"
    assert "удалены" in browser.get("/sign-in").text
    assert elsewhere.get("/").status_code == 303
    db.session.rollback()
    left = {model.__tablename__: db.session.query(model).count() for model in (User, Clip, PlatformConnection)}
    assert left == {"users": 1, "clips": 1, "platform_connections": 1}
    for model in (Publication, PublicationEvent, PublicationStep, Upload):
        assert db.session.query(model).count() == 0
    assert db.session.query(Revocation).count() == 1, "the token is revoked at the platform and gone within minutes"
    assert {event.user_id for event in db.session.query(AuditEvent)} == {boris.id}
    files = [path for path in Path(app.config["STORAGE_URL"].removeprefix("file:")).rglob("*") if path.is_file()]
    assert len(files) == 3, "a clip, its poster and the preview: Boris'"
    assert storage().exists(others_clip.storage_key)
    assert list(Path(app.config["VAR_DIR"], "uploads").iterdir()) == []
    with pytest.raises(users.NotFound):
        users.by_email("anna@example.org")


def test_a_worker_that_wakes_for_a_publication_that_is_gone(app, anna):
    from tests.publishing.conftest import look

    publication_id = db.session.query(Publication.id).scalar()
    user_deletion.delete_user(anna, PASSWORD)
    db.session.commit()
    assert look(publication_id) is False


def test_an_upload_that_is_being_sent_is_not_torn_away(app, anna, sign_in):
    import fcntl

    upload_id = db.session.query(Upload.id).scalar()
    with upload_files.path(upload_id).open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        answer = sign_in(anna).post("/settings/delete", data={"password": PASSWORD})
    assert answer.status_code == 422
    assert "уже загружается" in answer.text
    assert db.session.query(Publication).one().status == Status.PUBLISHING
