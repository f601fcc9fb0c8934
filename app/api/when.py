"""`when` in requests: now, at a time, after so many minutes, or in the next free slot of a set."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, missing

from app.api.fields import MAX_ID, Coded, Moment, Number, between
from app.services import when as times


class When(fields.Field):
    """Becomes a dictionary for `services.when.resolve`, with its time in UTC."""

    default_error_messages = {
        "required": Coded("field_required"),
        "null": Coded("field_null"),
        "invalid": Coded("field_not_object"),
        "kind": Coded("when_kind_unknown"),
        "unknown": Coded("field_unknown"),
    }
    _OF_KIND: Mapping[str, tuple[str, fields.Field] | None] = {
        times.NOW: None,
        times.AT: ("at", Moment(required=True)),
        times.AFTER: ("minutes", Number(required=True, validate=between(0, times.MAX_MINUTES))),
        times.SLOT: ("set_id", Number(required=True, validate=between(1, MAX_ID))),
    }
    json_schema = {
        "oneOf": [
            {
                "title": "Сейчас",
                "type": "object",
                "properties": {"kind": {"const": "now"}},
                "required": ["kind"],
                "additionalProperties": False,
            },
            {
                "title": "В это время",
                "type": "object",
                "properties": {"kind": {"const": "at"}, "at": {"type": "string", "format": "date-time"}},
                "required": ["kind", "at"],
                "additionalProperties": False,
            },
            {
                "title": "Через столько минут",
                "type": "object",
                "properties": {
                    "kind": {"const": "after"},
                    "minutes": {"type": "integer", "minimum": 0, "maximum": times.MAX_MINUTES},
                },
                "required": ["kind", "minutes"],
                "additionalProperties": False,
            },
            {
                "title": "В ближайший свободный слот набора",
                "type": "object",
                "properties": {
                    "kind": {"const": "slot"},
                    "set_id": {"type": "integer", "minimum": 1, "maximum": MAX_ID},
                },
                "required": ["kind", "set_id"],
                "additionalProperties": False,
            },
        ]
    }

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.make_error("invalid")
        kind = value.get("kind")
        if not isinstance(kind, str) or kind not in self._OF_KIND:
            raise self.make_error("kind")
        inner = self._OF_KIND[kind]
        if value.keys() - {"kind", inner[0] if inner else "kind"}:
            raise self.make_error("unknown")
        if inner is None:
            return {"kind": kind}
        name, field = inner
        found = field.deserialize(value.get(name, missing), name, value)
        return times.at(found) if kind == times.AT else {"kind": kind, name: found}
