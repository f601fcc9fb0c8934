"""Whatever an API request ends with that is no success: RFC 9457, with the code of the refusal."""

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from flask import Response, current_app, g, request
from marshmallow import ValidationError
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError
from werkzeug.exceptions import HTTPException

from app.api.fields import Body, Coded, Inner, Listed, Number, Text
from app.db import db, is_db_down
from app.problems import NotFound, Problem
from app.serving import tus
from app.serving.refusals import RETRY_SECONDS, Refusal
from app.storage import StorageUnavailable
from app.texts.api import STATUSES

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"

# What a service refuses is a conflict with how things are (409), but for these.
_STATUS_OF = {**tus.STATUSES, "idempotency_key_reused": 422}


class ApiProblem(Refusal):
    """A refusal of the API itself: its status, and headers that go with it."""

    def __init__(
        self, code: str, status: int, headers: Mapping[str, str] | None = None, field: str | None = None, **params: Any
    ) -> None:
        super().__init__(code, status, **params)
        self.field, self.headers = field, dict(headers or {})


class AllRefused(Exception):
    """Of several results none is a success: `problems` by their path in the request. The first one counts."""

    def __init__(self, problems: Mapping[str, Problem | NotFound]) -> None:
        super().__init__(*problems.values())
        self.problems = problems


class FieldProblem(Body):
    field = Text(required=True, metadata={"description": "Путь к полю: items.0.connection_id"})
    code = Text(required=True, metadata={"description": "Код: по нему отличает программа"})
    detail = Text(required=True, metadata={"description": "Что исправить, по-русски"})


class ProblemBody(Body):
    """Отказ (RFC 9457)."""

    type = Text(required=True, metadata={"format": "uri", "description": "Страница с описанием кода"})
    title = Text(required=True, metadata={"description": "Что за отказ, коротко"})
    status = Number(required=True, metadata={"description": "Статус HTTP"})
    code = Text(required=True, metadata={"description": "Код отказа: он не меняется"})
    detail = Text(required=True, metadata={"description": "Что случилось и что сделать, по-русски"})
    field = Text(metadata={"description": "Поле, из-за которого отказано"})
    errors = Listed(Inner(FieldProblem), metadata={"description": "По одному на каждое неверное поле"})


def status_of(problem: Problem | NotFound) -> int:
    if isinstance(problem, NotFound):
        return 404
    return getattr(problem, "status", None) or _STATUS_OF.get(problem.code, 409)


def as_dict(problem: Problem | NotFound) -> dict[str, Any]:
    """The same where a refusal is one of several results."""
    status = status_of(problem)
    if isinstance(problem, NotFound):
        return _body(status)
    return _body(status, problem.code, problem.text, field=problem.field)


def response(error: Exception) -> Response:
    """For `UnitOfWork.api_error`. Rolls the unit of work back."""
    db.session.rollback()
    made = _response(error)
    if made.status_code in (429, 503) and "Retry-After" not in made.headers:
        made.headers["Retry-After"] = str(RETRY_SECONDS)
    if made.status_code == 401:
        made.headers["WWW-Authenticate"] = 'Bearer realm="vezde"'
    return made


def _response(error: Exception) -> Response:
    if isinstance(error, ValidationError):
        return _made(422, errors=list(_flat(error.normalized_messages())))
    if isinstance(error, AllRefused):
        each = {path: as_dict(one) for path, one in error.problems.items()}
        first = next(iter(each.values()))
        errors = [{"field": path, "code": one["code"], "detail": one["detail"]} for path, one in each.items()]
        return _made(first["status"], first["code"], first["detail"], field=first.get("field"), errors=errors)
    if isinstance(error, NotFound | ObjectDeletedError | StaleDataError):
        return _made(404)
    if isinstance(error, Problem):
        made = _made(status_of(error), error.code, error.text, field=error.field)
        made.headers.update(getattr(error, "headers", {}))
        return made
    if isinstance(error, HTTPException):
        return _http(error)
    if isinstance(error, StorageUnavailable | RedisError) or (isinstance(error, SQLAlchemyError) and is_db_down(error)):
        log.error("a dependency is unavailable", path=request.path, error=type(error).__name__)
        return _made(503)
    return _unexpected(error)


def _http(error: HTTPException) -> Response:
    if error.response is not None or 300 <= (error.code or 500) < 400:
        return error.get_response()
    made = _made(error.code if error.code in STATUSES else 400)
    for name, value in error.get_headers():
        if name in ("Allow", "Content-Range", "Retry-After"):
            made.headers[name] = value
    return made


def _unexpected(error: Exception) -> Response:
    code = g.get("request_id") or secrets.token_hex(4)
    log.error("unexpected error", code=code, method=request.method, path=request.path, exc_info=error)
    return _made(500, detail=STATUSES[500][2].format(request=code))


def _made(status: int, code: str = "", detail: str = "", **more: Any) -> Response:
    return Response(json.dumps(_body(status, code, detail, **more), ensure_ascii=False), status, mimetype=CONTENT_TYPE)


def _body(status: int, code: str = "", detail: str = "", **more: Any) -> dict[str, Any]:
    usual, title, sentence = STATUSES[status]
    code = code or usual
    known = {
        "type": f"{current_app.config['PUBLIC_URL']}/api/v1/docs#{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail or sentence,
    }
    return known | {name: value for name, value in more.items() if value}


def _flat(messages: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Of marshmallow's nested messages: one for each field."""
    if isinstance(messages, dict):
        for name, inner in messages.items():
            at = path if name == "_schema" else f"{path}.{name}".strip(".")
            yield from _flat(inner, at)
    elif isinstance(messages, list):
        for one in messages:
            yield from _flat(one, path)
    else:
        code = messages.code if isinstance(messages, Coded) else "field_invalid"
        yield {"field": path, "code": code, "detail": str(messages)}
