"""The body and the parameters of a request, or a refusal that says what is wrong with them."""

import json
from typing import Any, NoReturn

from flask import Request, request
from marshmallow import RAISE, Schema, ValidationError
from webargs.core import missing
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from app.api.fields import Coded


class Parser(FlaskParser):
    DEFAULT_UNKNOWN_BY_LOCATION = {"json": RAISE, "query": RAISE, "headers": None}

    def load_json(self, req: Request, schema: Schema) -> Any:
        body = req.get_data(cache=True)
        if not body and not any(field.required for field in schema.fields.values()):
            return {}
        if not req.is_json and (body or req.mimetype):
            raise UnsupportedMediaType
        return read_json(body) if body else missing

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """Each parameter once."""
        twice = [name for name, values in req.args.lists() if len(values) > 1]
        if twice:
            raise ValidationError({name: [Coded("field_malformed")] for name in twice})
        return dict(req.args)

    def handle_error(self, error: ValidationError, *_request: Any, **_status: Any) -> NoReturn:
        """Without webargs' name of the location: a field is called as its sender calls it."""
        [messages] = error.messages.values() if isinstance(error.messages, dict) else [error.messages]
        raise ValidationError(messages)


def read_json(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # no JSON, no UTF-8, a number of a million digits, a thousand brackets
        raise BadRequest from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def accepts(*types: str) -> bool:
    """Whether the client takes a response of one of these types."""
    wanted = request.accept_mimetypes
    return not wanted or bool(wanted.best_match([*types, "application/problem+json"]))


parser = Parser()
