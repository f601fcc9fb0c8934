"""A second user walks the URL map with another user's ids: every route returns 404, and nothing has changed."""

from pathlib import Path

import pytest

from app.db import commit, db
from app.models import ConnectionStatus, Passkey, PlatformConnection, Publication, Status, UndoKind
from app.platform_access import questions
from app.services import (
    account_sets,
    api_keys,
    imports,
    incoming_hooks,
    plan_import,
    publications,
    renditions,
    rules,
    sessions,
    slots,
    undo,
    uploads,
    webhook_history,
    webhooks,
)
from app.services.publications import Choice
from app.serving import API

# Arguments of routes that name a user's row; what is not listed here or below fails the walk.
OWNED = {
    *("account_set_id", "clip_id", "connection_id", "passkey_id", "publication_id"),
    *("import_id", "key_id", "question_id", "rule_id", "session_id", "slot_id", "undo_id", "upload_id"),
    *("webhook_id", "delivery_id", "clip_import_id", "hook_id", "rendition_id"),
}
# A feed's user_id opens nothing without its key.
SHARED = {"platform", "key", "filename", "signed", "version", "entry", "user_id"}

FORM = {
    "title": "Чужое",
    "description": "Чужое",
    "account": "1",
    "url": "https://example.org/1",
    "name": "Чужое",
    "password": "parol-parol",
    "weekday": "1",
    "times": "19:00",
    "hook-url": "https://93.184.215.14/",
}
TUS = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}


@pytest.fixture
def boris(app, user, ready_clip, telegram):
    """His ids, one set for each state that a publication can be in; two connections, one still to be chosen."""
    one = user(email="boris@example.org")
    connection = telegram(one)
    choosing = PlatformConnection(
        user_id=one.id,
        platform="vk",
        account_id="choosing",
        account_name="",
        choices=[{"id": "1", "name": "Борис", "url": None, "avatar_url": None, "facts": {}}],
        status=ConnectionStatus.CHOOSING,
    )
    db.session.add(choosing)
    db.session.commit()
    things = []
    for status in Status:
        clip = ready_clip(one, title=f"Клип Бориса: {status}")
        [made] = publications.publish(one, clip.id, [Choice(connection.id, clip.title, "")])
        commit()
        db.session.get(Publication, made.id).status = status
        db.session.commit()
        things.append({"clip_id": clip.id, "publication_id": made.id})
    passkey = Passkey(user_id=one.id, name="Ключ Бориса", credential_id=b"1", public_key=b"1", user_handle=b"1")
    passkey.sign_count = 0
    db.session.add(passkey)
    db.session.commit()
    upload_id = uploads.create(one, "boris.mp4", 1000).id
    question_id = questions.ask(one.id, "accounts", choosing.id).id
    sessions.begin(one, "", "", "")
    session_id = sessions.all_of(one)[0].id
    undo_id = undo.hold(one, UndoKind.CANCEL).id
    account_set = account_sets.save(one, "Набор Бориса", [connection.id])
    slots.add(one, account_set.id, [0], [600])
    slot_id = account_set.slots[0].id
    wish = rules.Wish("Правило Бориса", connection_ids=[connection.id], needs_approval=True)
    rule_id = rules.save(one, wish).id
    import_id = plan_import.start(one, "Борис.csv", "Файл\nБорис.mp4".encode()).id
    key_id = api_keys.create(one, "Ключ Бориса").row.id
    webhook, _secret = webhooks.create(one, "https://93.184.215.14/", "Вебхук Бориса")
    delivery_id = webhook_history.test(one, webhook.id).id
    clip_import_id = imports.start(one, "https://example.org/Борис.mp4").id
    hook_id = incoming_hooks.create(one, "Вебхук Бориса", incoming_hooks.DEFAULTS, signed=False).hook.id
    recipe = '{"video": {}, "width": 90, "height": 160}'
    rendition_id = renditions.choose(one, things[0]["clip_id"], connection.id, recipe).id
    commit()
    return [
        {
            **thing,
            "rendition_id": rendition_id,
            "connection_id": (connection.id, choosing.id)[number % 2],
            "passkey_id": passkey.id,
            "upload_id": upload_id,
            "clip_import_id": clip_import_id,
            "hook_id": hook_id,
            "session_id": session_id,
            "question_id": question_id,
            "undo_id": undo_id,
            "account_set_id": account_set.id,
            "rule_id": rule_id,
            "slot_id": slot_id,
            "import_id": import_id,
            "key_id": key_id,
            "webhook_id": webhook.id,
            "delivery_id": delivery_id,
        }
        for number, thing in enumerate(things)
    ]


def everything(app) -> tuple[dict, list[tuple[str, int]]]:
    """Every row of every table, and every file."""
    db.session.rollback()
    rows = {table.name: db.session.execute(db.select(table)).all() for table in db.metadata.sorted_tables}
    db.session.rollback()
    folders = (Path(app.config["STORAGE_URL"].removeprefix("file:")), Path(app.config["VAR_DIR"]))
    files = sorted((str(path), path.stat().st_size) for folder in folders for path in folder.rglob("*"))
    return rows, files


def walk(app):
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(("/ops", API)):
            continue  # only for administrators: tests/web/test_ops.py; with keys: tests/api/test_tenants.py
        assert rule.arguments <= OWNED | SHARED, f"{rule.rule}: owned or shared?"
        if rule.arguments & OWNED:
            for method in sorted(rule.methods - {"OPTIONS"}):
                yield method, rule


def test_every_route_hides_other_users_rows(app, user, sign_in, boris):
    anna = sign_in(user(email="anna@example.org", plan="business"))
    before = everything(app)
    tried = 0
    for method, rule in walk(app):
        for ids in boris:
            with app.test_request_context():
                path = app.url_for(rule.endpoint, **{name: ids[name] for name in rule.arguments})
            piece = method == "PATCH"
            answer = anna.open(
                path,
                method=method,
                data=b"x" * 10 if piece else FORM if method == "POST" else None,
                content_type="application/offset+octet-stream" if piece else None,
                headers=TUS,
            )
            assert answer.status_code == 404, (method, path, answer.status_code)
            assert "Борис" not in answer.text
            tried += 1
    assert tried > 100
    assert everything(app) == before


def test_ids_in_forms_and_queries(app, user, sign_in, boris, ready_clip):
    """The ids that do not stand in the path: what to publish to, what the page's poll knows, what a search asks."""
    anna = user(email="anna@example.org", plan="business")
    browser, mine = sign_in(anna), ready_clip(anna, title="Клип Анны")
    before = everything(app)
    for name in ("connection", "again"):
        for ids in boris[:2]:
            answer = browser.post(f"/clips/{mine.id}/publish", data={name: ids["connection_id"], **FORM})
            assert answer.status_code in (404, 422), answer.status_code
            assert "Борис" not in answer.text
    known = [("known", f"{ids['clip_id']}:0") for ids in boris]
    answer = browser.get("/clips/changes", query_string=known)
    assert "Борис" not in answer.text
    assert answer.text.count('hx-swap-oob="delete"') == len(boris), "all that she learns is that they are not hers"
    assert everything(app) == before


def test_lists_hold_only_ones_own(app, user, sign_in, boris):
    browser = sign_in(user(email="anna@example.org", plan="business"))
    for rule in app.url_map.iter_rules():
        if "GET" in rule.methods and not rule.arguments:
            answer = browser.get(rule.rule)
            assert answer.status_code < 500, rule.rule
            for word in ("Борис", "boris@", "Везде: демо"):
                assert word not in answer.text, rule.rule


def test_a_platform_fetches_one_file_for_one_publication_while_it_lasts(app, user, boris, client):
    from app.publishing import fetch_links

    publication = db.session.query(Publication).filter_by(status=Status.PUBLISHING).one()
    link = fetch_links.signed_link(publication).removeprefix(app.config["PUBLIC_URL"])
    assert client.get(link).status_code == 200
    other = db.session.query(Publication).filter_by(status=Status.PUBLISHED).one()
    assert client.get(fetch_links.signed_link(other).removeprefix(app.config["PUBLIC_URL"])).status_code == 404
    assert client.get(link[:-6] + "x" + link[-5:]).status_code == 404
    publication.status = Status.PUBLISHED
    db.session.commit()
    assert client.get(link).status_code == 404
