"""`when` in requests: now, at a time, after so many minutes, or in the next free slot of a set."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, missing

from app.api.fields import MAX_ID, Coded, Moment, Number, between
from app.models import WhenKind
from app.services import when as times


def _schema(kind: str, **properties: Any) -> dict[str, Any]:
    """Of one kind, as the specification names it."""
    known = {"kind": {"type": "string", "enum": [kind]}, **properties}
    return {"type": "object", "properties": known, "required": [*known], "additionalProperties": False}


SCHEMAS = {
    "WhenNow": _schema(WhenKind.NOW),
    "WhenAt": _schema(WhenKind.AT, at={"type": "string", "format": "date-time"}),
    "WhenAfter": _schema(WhenKind.AFTER, minutes={"type": "integer", "minimum": 0, "maximum": times.MAX_MINUTES}),
    "WhenSlot": _schema(WhenKind.SLOT, set_id={"type": "integer", "minimum": 1, "maximum": MAX_ID}),
}


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
        WhenKind.NOW: None,
        WhenKind.AT: ("at", Moment(required=True)),
        WhenKind.AFTER: ("minutes", Number(required=True, validate=between(0, times.MAX_MINUTES))),
        WhenKind.SLOT: ("set_id", Number(required=True, validate=between(1, MAX_ID))),
    }
    json_schema = {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in SCHEMAS]}

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
        return times.at(found) if kind == WhenKind.AT else {"kind": kind, name: found}
