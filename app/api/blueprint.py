"""How an endpoint is declared: `@blueprint.endpoint(…)` above a view says all that the specification says of it.

The view gets the values of its path, `query` and `body` by name, and returns what its schema writes. What holds for all
of them (the key, its scope and budget, Idempotency-Key, the refusals) is done here.
"""

import json
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import flask_smorest
from flask import Response, make_response, request
from marshmallow import Schema
from werkzeug.exceptions import NotAcceptable

from app.api.access import WRITE, authenticate, note_use, show_budget
from app.api.parsing import accepts, parser
from app.api.replays import replayable
from app.models import Scope

JSON = "application/json"
PROBLEM = "Problem"  # the name of the response in the specification

View = Callable[..., Any]


def json_response(body: Any, status: int = 200) -> Response:
    """In the order of the schema, and with Russian as it is read."""
    return Response(json.dumps(body, ensure_ascii=False), status, mimetype=JSON)


class Blueprint(flask_smorest.Blueprint):
    """One noun of the API, at /api/v1/<noun>. `title` is what the page of the documentation calls it."""

    ARGUMENTS_PARSER = parser

    def __init__(self, noun: str, title: str, prefix: str | None = None) -> None:
        super().__init__(f"api_{noun}", __name__, url_prefix=f"/api/v1/{noun}" if prefix is None else prefix)
        self.noun, self.title = noun, title
        self.url_value_preprocessor(authenticate)
        self.after_request(note_use)
        self.after_request(show_budget)

    def endpoint(
        self,
        rule: str = "",
        *,
        method: str = "GET",
        name: str,
        scope: Scope | None,
        query: type[Schema] | None = None,
        body: type[Schema] | None = None,
        returns: type[Schema] | None = None,
        status: int = 200,
        refuses: Sequence[int] = (),
        produces: Sequence[str] = (),
        idempotent: bool = True,
        max_body: int | None = None,
        document: dict[str, Any] | None = None,
    ) -> Callable[[View], View]:
        """`name`: the operationId, of which generators make method names. `scope`: None is for everybody.

        `returns`: None is an empty answer (204), or a file of one of the types that it `produces`. `refuses`: statuses
        beside those that every endpoint has. A POST is done once for an Idempotency-Key; where it is not `idempotent`
        by itself, the view sees to that. `max_body`: bytes, where 1 MiB is not enough. `document`: what else the
        specification says.
        """

        def register(view: View) -> View:
            made = self._answering(view, returns, status, produces)
            if method == "POST" and scope and idempotent:
                made = replayable(made)
            if body is not None:
                made = self.arguments(body, location="json", arg_name="body", required=_is_required(body))(made)
            if query is not None:
                made = self.arguments(query, location="query", arg_name="query")(made)
            if max_body is not None:
                made = _with_larger_body(made, max_body)
            made = self._refusing(made, method, scope, rule, [*refuses, *([422] if body or query else [])])
            made = self._described(made, method, name, scope, document or {})
            if returns is None:
                made = self._without_schema(made, 204 if status == 200 and not produces else status, produces)
            else:
                made = self.alt_response(status, schema=returns, success=True)(made)
            made.scope, made.is_public = scope, True  # no session is asked for
            made.reads = method in ("GET", "HEAD")
            self.add_url_rule(rule, name, made, methods=[method], tags=[self.noun])
            return view

        return register

    @staticmethod
    def _answering(view: View, returns: type[Schema] | None, status: int, produces: Sequence[str]) -> View:
        schema = returns() if returns else None

        @wraps(view)
        def answer(**values: Any) -> Response:
            if not accepts(*(produces or [JSON])):
                raise NotAcceptable
            result = view(**values)
            if isinstance(result, Response):
                return result
            if schema is None:
                return make_response("", 204)
            return json_response(schema.dump(result), status)

        return answer

    def _refusing(self, view: View, method: str, scope: Scope | None, rule: str, more: list[int]) -> View:
        usual = [401, 403, 429] if scope else []
        usual += [404] if "<" in rule else []
        usual += [409] if scope == WRITE else []
        usual += [422] if method == "POST" else []
        for status in sorted({*usual, *more}):
            view = self.alt_response(status, PROBLEM)(view)
        return view

    def _described(self, view: View, method: str, name: str, scope: Scope | None, document: dict[str, Any]) -> View:
        more: dict[str, Any] = {"operationId": name, "security": [{"key": []}] if scope else [], **document}
        if scope:
            more["x-scope"] = str(scope)
        return self.doc(**more)(view)

    def _without_schema(self, view: View, status: int, produces: Sequence[str]) -> View:
        if not produces:
            return self.alt_response(status, success=True)(view)
        binary = {"type": "string", "format": "binary"}
        for content_type in produces:
            view = self.alt_response(status, schema=binary, content_type=content_type, success=True)(view)
        return view


def _is_required(body: type[Schema]) -> bool:
    return any(field.required for field in body().fields.values())


def _with_larger_body(view: View, most: int) -> View:
    @wraps(view)
    def larger(*args: Any, **values: Any) -> Any:
        request.max_content_length = most
        return view(*args, **values)

    return larger
