"""The specification: OpenAPI 3.1, made of what the endpoints declare."""

from typing import Any

import flask_smorest
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.common import resolve_schema_cls
from flask import Flask
from marshmallow import fields, validate

from app.api import errors
from app.api.blueprint import PROBLEM, Blueprint
from app.api.fields import Moment
from app.api.when import SCHEMAS

_DESCRIPTION = (
    "Загружайте клипы, публикуйте их и узнавайте, что с ними стало. Ключ создаётся в «Настройки → API» и передаётся "
    "заголовком `Authorization: Bearer vz_…`. Время — по RFC 3339 с поясом, отказы — по RFC 9457. Каждый POST "
    "принимает заголовок `Idempotency-Key`: повтор с тем же ключом и телом в течение суток ничего не делает второй раз "
    "и возвращает первый ответ. Большие файлы загружают частями: tus 1.0, `/api/v1/uploads`."
)


class Specification(flask_smorest.Api):
    """Errors are those of `app.api.errors`; the document is served by our own view."""

    ERROR_SCHEMA = errors.ProblemBody
    DEFAULT_ERROR_RESPONSE_NAME = PROBLEM

    def _register_error_handlers(self) -> None:
        """None: `UnitOfWork.api_error` has all errors of API requests."""

    def _register_pagination_header(self) -> None:
        """None: pages are bodies, see `app.api.paging`."""

    def add(self, noun: Blueprint) -> None:
        """As `register_blueprint`, but the tag is the noun: Flask's name of the blueprint is no word of the API."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][noun.name] = self
        self._app.register_blueprint(noun)
        noun.register_views_in_doc(self, self._app, self.spec, name=noun.name, parameters=None)
        self.spec.tag({"name": noun.noun, "description": noun.title})


def make(app: Flask) -> Specification:
    described = {
        "title": "Vezde",
        "version": "1",
        "openapi_version": "3.1.0",
        "info": {"description": _DESCRIPTION},
        "servers": [{"url": app.config["PUBLIC_URL"]}],
        "marshmallow_plugin": MarshmallowPlugin(schema_name_resolver=_name),
    }
    made = Specification(app, spec_kwargs=described)
    made.register_field(Moment, "string", "date-time")
    made.ma_plugin.converter.add_attribute_function(_own_schema)
    components = made.spec.components
    components.security_scheme("key", {"type": "http", "scheme": "bearer", "description": "Ключ API: vz_…"})
    for name, schema in SCHEMAS.items():
        components.schema(name, component=schema)
    content = {errors.CONTENT_TYPE: {"schema": errors.ProblemBody}}
    components.response(PROBLEM, {"description": "Отказ", "content": content})
    return made


def _name(schema: Any) -> str:
    """Of a schema in the document: a class `ClipBody` is a «Clip» there."""
    return resolve_schema_cls(schema).__name__.removesuffix("Body")


def _own_schema(_converter: Any, field: fields.Field, **_more: Any) -> dict[str, Any]:
    """A field's own schema wins over what is derived of it."""
    own = dict(getattr(field, "json_schema", {}))
    if any(isinstance(one, validate.Regexp | validate.OneOf) for one in field.validators):
        own.pop("pattern", None)  # what the field itself is validated by says more
    if "oneOf" in own and field.allow_none:
        own["oneOf"] = [*own["oneOf"], {"type": "null"}]
    return own


def of(app: Flask) -> dict[str, Any]:
    api: Specification = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    return api.spec.to_dict()
