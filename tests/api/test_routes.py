"""What holds for every endpoint: a key, its scope, an entry in the specification, and refusals of one form."""

import pytest

from app.models import Scope
from tests.api.client import Program
from tests.api.routes import OPEN, path_of, rules


def test_every_endpoint_needs_a_key_of_its_scope(app, program, owner):
    stranger, reader = Program(app, None), program(owner, Scope.READ)
    tried = 0
    for method, rule, view in rules(app):
        path = path_of(rule)
        assert view.scope in list(Scope), f"{rule.rule}: which scope?"
        assert view.scope == Scope.WRITE or method == "GET", f"{rule.rule}: a change needs `write`"
        answer = stranger.send(method, path)
        assert (answer.status_code, answer.json["code"]) == (401, "api_key_missing"), (method, path)
        assert stranger.send("HEAD", path).status_code in (401, 405), path
        if view.scope == Scope.WRITE:
            answer = reader.send(method, path)
            assert (answer.status_code, answer.json["code"]) == (403, "api_scope_missing"), (method, path)
        tried += 1
    assert tried > 25


def test_every_endpoint_is_in_the_specification(app, client):
    paths = client.get("/api/v1/openapi.json").json["paths"]
    operations = [one for named in paths.values() for one in named.values() if isinstance(one, dict)]
    names = [one["operationId"] for one in operations]
    assert len(names) == len(set(names))
    for method, rule, _view in rules(app):
        if rule.endpoint.startswith("api_uploads."):
            continue  # a protocol of its own: tests/api/test_uploads.py
        path = rule.rule.replace("<int:", "{").replace("<", "{").replace(">", "}")
        operation = paths[path][method.lower()]
        assert operation["summary"], f"{method} {path}: a docstring in Russian is its title"
        assert operation["security"] == [{"key": []}]


def test_what_needs_no_key_is_listed(app):
    open_to_all = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/") and not getattr(app.view_functions[rule.endpoint], "scope", None)
    }
    assert open_to_all <= OPEN | {"api_uploads.options"}


@pytest.mark.parametrize("number", [0, 2**31, 2**63 - 1, 2**63, 10**40])
def test_ids_that_no_row_has(app, api, number):
    for method, rule, _view in rules(app):
        if "<int:" in rule.rule:
            path = rule.rule.removeprefix("/api/v1").replace("<int:", "<")
            for name in rule.arguments:
                path = path.replace(f"<{name}>", str(number))
            answer = api.send(method, path, {"when": {"kind": "now"}} if path.endswith("/move") else None)
            # Of a number that is no id the router says 405 where the path has other methods too.
            assert answer.status_code in (404, 405) if number >= 2**63 else answer.status_code == 404, (method, path)
            assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/../..%2f", 404, "not_found"),
        ("DELETE", "/me", 405, "method_not_allowed"),
        ("GET", "/me%00", 400, "bad_request"),
        ("GET", "/%ff%fe", 404, "not_found"),
    ],
)
def test_errors_of_addresses_are_problems_too(api, method, path, status, code):
    answer = api.send(method, path)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.content_type == "application/problem+json"
    assert answer.json["status"] == status and answer.json["type"].endswith(f"/api/v1/docs#{code}")
    if status == 405:
        assert "GET" in answer.headers["Allow"]


def test_other_kinds_of_answers_are_not_given(api):
    assert api.get("/me", headers={"Accept": "image/png"}).status_code == 406
    assert api.get("/me", headers={"Accept": "text/html, */*;q=0.1"}).status_code == 200
