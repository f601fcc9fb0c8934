"""/hooks/in/<key>: where other programs announce clips. No session, no form token: the address itself is the key."""

import json
from typing import Any

from flask import Blueprint, Response, abort, current_app, request

from app.db import db
from app.problems import Problem
from app.services import hook_requests, incoming_hooks
from app.web.access import public

blueprint = Blueprint("hooks_in", __name__, url_prefix="/hooks/in")

# What is refused for another reason than what the body says.
STATUSES = {
    "hook_body_not_json": 400,
    "hook_body_too_large": 413,
    "hook_unsigned": 401,
    "hook_signature_old": 401,
    "hook_signature_wrong": 401,
    "hook_unknown": 404,
    "too_many_attempts": 429,
    "too_many_imports": 429,
    "hook_secret_lost": 503,
}
_RETRY_SECONDS = 60


@blueprint.url_value_preprocessor
def guard(_endpoint: str | None, _values: dict | None) -> None:
    """Before anything reads the body: who calls has no session, and to such only small forms are allowed elsewhere."""
    if (request.content_length or 0) > hook_requests.MAX_BYTES:
        abort(_refused(Problem("hook_body_too_large", max_kb=hook_requests.MAX_BYTES >> 10)))
    request.max_content_length = hook_requests.MAX_BYTES


@blueprint.post("/<key>")
@public
def receive(key: str) -> Response:
    found = incoming_hooks.find(key)
    if found is None:
        return _refused(Problem("hook_unknown"))
    hook, user = found
    hook_id, body = hook.id, b""
    try:
        body = request.get_data(cache=False)
        accepted = hook_requests.receive(hook, user, request.headers, body)
        incoming_hooks.mark_used(hook)
        status = 202 if accepted.is_new else 200
        incoming_hooks.record(hook_id, status, body, import_id=accepted.clip_import.id)
        return _json(status, {"render_id": accepted.render_id, "import_id": accepted.clip_import.id})
    except Problem as problem:
        db.session.rollback()
        incoming_hooks.record(hook_id, _status(problem), body, problem)
        return _refused(problem)


def _status(problem: Problem) -> int:
    return STATUSES.get(problem.code, 422)


def _refused(problem: Problem) -> Response:
    """RFC 9457, as in the API."""
    status = _status(problem)
    body = {
        "type": f"{current_app.config['PUBLIC_URL']}/api/v1/docs#{problem.code}",
        "title": "Вызов не принят",
        "status": status,
        "code": problem.code,
        "detail": problem.text,
    }
    response = _json(status, body | ({"field": problem.field} if problem.field else {}), "application/problem+json")
    if status in (429, 503):
        response.headers["Retry-After"] = str(_RETRY_SECONDS)
    return response


def _json(status: int, body: dict[str, Any], kind: str = "application/json") -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status, mimetype=kind)
