"""Keys: what opens the API, what does not, and what is seen of it."""

from datetime import timedelta

import pytest

from app import clock
from app.db import db
from app.models import ApiKey, AuditEvent, Event, Scope
from app.observability import redact
from app.services import api_keys
from tests.api.client import Program
from tests.edges import committed


def test_a_key_says_whose_it_is(api, owner):
    me = api.get("/me").json
    assert me["id"] == owner.id and me["scopes"] == ["read", "write"] and me["key"]["name"] == "Ферма"


@pytest.mark.parametrize("secret", [None, "", "vz_", "vz_" + "x" * 43, "x" * 5000, "vz_Ж".encode().decode("latin-1")])
def test_without_a_key_nothing_opens(app, secret):
    answer = Program(app, None).get("/me", headers={"Authorization": f"Bearer {secret}"} if secret is not None else {})
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json["code"] in ("api_key_missing", "api_key_wrong")


def test_a_session_is_no_key(app, web, owner):
    assert web.get("/api/v1/me").status_code == 401
    api_keys.create(owner, "Ферма")


def test_only_the_hash_is_stored_and_logs_hide_the_key(app, api, owner):
    row = db.session.query(ApiKey).one()
    assert api.secret.startswith(row.hint) and len(row.hint) == 8
    assert api.secret not in str(vars(row))
    assert api.secret not in redact.text(f"Bearer {api.secret} and {api.secret}")


def test_an_expired_and_a_revoked_key_are_refused_and_the_user_sees_it(app, program, owner):
    expired, revoked = program(owner), program(owner)
    first, second = db.session.query(ApiKey).order_by(ApiKey.id)
    first.expires_at = clock.now() - timedelta(seconds=1)
    committed(api_keys.revoke(owner, second.id))
    assert [one.get("/me").json["code"] for one in (expired, revoked)] == ["api_key_expired", "api_key_revoked"]
    assert revoked.get("/me").status_code == 401
    kinds = [one.kind for one in db.session.query(AuditEvent).filter(AuditEvent.kind.startswith("api_key"))]
    assert sorted(kinds) == ["api_key_created"] * 2 + ["api_key_refused"] * 2 + ["api_key_revoked"]
    assert db.session.query(Event).filter_by(kind="security.api_key_created").count() == 2


def test_a_user_who_may_not_sign_in_has_no_key(app, program, user):
    demo = program(user(email="pro@demo.vezde.ru"))
    assert demo.get("/me").json["code"] == "api_key_wrong"


def test_the_last_use_is_written_at_most_once_a_minute(api):
    assert api.get("/me").status_code == 200
    used = db.session.query(ApiKey).one().used_at
    assert used is not None
    api.get("/me")
    db.session.expire_all()
    assert db.session.query(ApiKey).one().used_at == used


def test_the_budget_of_a_key(app, api, monkeypatch):
    app.config["API_REQUESTS_PER_MINUTE"] = 2
    monkeypatch.setattr("time.time", lambda: 1_000_000_010)  # in the middle of a window
    first = api.get("/me")
    assert first.headers["RateLimit-Policy"] == '"key";q=2;w=60'
    assert first.headers["RateLimit"].startswith('"key";r=1;t=')
    api.get("/me")
    third = api.get("/me")
    assert third.status_code == 429 and third.json["code"] == "too_many_requests"
    assert 1 <= int(third.headers["Retry-After"]) <= 60
    assert third.headers["RateLimit"].startswith('"key";r=0;')


def test_a_key_has_a_name_a_scope_and_a_term(app, owner):
    from app.problems import Problem

    for wrong in ({"name": " "}, {"name": "х" * 65}, {"name": "Ферма", "scope": "all"}, {"name": "Ферма", "days": 0}):
        with pytest.raises(Problem):
            api_keys.create(owner, **wrong)
    for _ in range(api_keys.MAX_KEYS):
        api_keys.create(owner, "Ферма", Scope.READ)
    with pytest.raises(Problem, match="too_many_api_keys"):
        api_keys.create(owner, "Ферма")
