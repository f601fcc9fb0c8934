"""What requests and responses are made of. A wrong value has a code and a Russian sentence: app/texts/api.py."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from app.texts.api import FIELDS

MAX_ID = 2**63 - 1
# RFC 3339; the zone is looked at by itself, to say what is missing.
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}):(\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII)
# Of a schema: ECMA 262. Halves of surrogate pairs cannot be written in UTF-8 at all.
STORABLE = "^[^\\u0000]*$"
_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")


class Coded(str):
    """A sentence that knows its code, whatever it is filled with."""

    code: str

    def __new__(cls, code: str, sentence: str | None = None) -> "Coded":
        made = super().__new__(cls, FIELDS[code] if sentence is None else sentence)
        made.code = code
        return made

    def __getnewargs__(self) -> tuple[str, str]:
        """To be copied with its field."""
        return self.code, str(self)

    def format(self, *args: object, **params: object) -> "Coded":
        return Coded(self.code, super().format(*args, **params))


def _messages(**more: str) -> dict[str, Coded]:
    usual = {"required": "field_required", "null": "field_null", "validator_failed": "field_invalid"}
    return {key: Coded(code) for key, code in (usual | more).items()}


class Body(Schema):
    """A request's or a response's object. What it does not know is refused: a misspelt name must not be ignored."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": Coded("field_unknown"), "type": Coded("field_not_object")}


class Query(Body):
    """The parameters of an address: all of them are texts."""


class Number(fields.Integer):
    """An integer of JSON: no text, no boolean; 1.0 is one."""

    default_error_messages = _messages(invalid="field_not_integer", too_large="field_not_integer")

    def _validated(self, value: Any) -> int:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not whole:
            raise self.make_error("invalid")
        return int(value)


class NumberText(fields.Integer):
    """An integer in an address."""

    default_error_messages = _messages(invalid="field_not_integer", too_large="field_not_integer")

    def _validated(self, value: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,19}", value, re.ASCII):
            raise self.make_error("invalid")
        return int(value)


class Seconds(fields.Float):
    """Out only."""


class Text(fields.String):
    """Neither zero bytes nor halves of surrogate pairs: no database stores them."""

    json_schema = {"pattern": STORABLE}

    default_error_messages = _messages(invalid="field_not_text", invalid_utf8="field_not_text")

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> str:
        if not isinstance(value, str) or _NOT_STORABLE.search(value):
            raise self.make_error("invalid")
        return value


class Flag(fields.Boolean):
    """`true` or `false`, in JSON as in an address."""

    default_error_messages = _messages(invalid="field_not_boolean")

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(self.parent, Query) and value in ("true", "false"):
            return value == "true"
        raise self.make_error("invalid")


class Moment(fields.Field):
    """RFC 3339: out in UTC («2026-11-28T10:00:00Z»), in with any zone, but with one."""

    default_error_messages = _messages(invalid="field_not_moment", naive="time_without_zone")

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **more: Any) -> str | None:
        return None if value is None else moment(value)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> datetime:
        found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise self.make_error("invalid")
        day, clock, seconds, part, zone = found.groups()
        if zone is None:
            raise self.make_error("naive")
        second = min(int(seconds), 59) if int(seconds) <= 60 else 99  # a leap second is the one before it here
        digits = f"{part}000000"[:7] if part else ""
        try:
            local = datetime.fromisoformat(f"{day}T{clock}:{second:02}{digits}{zone.upper().replace('Z', '+00:00')}")
            return local.astimezone(UTC)
        except OverflowError:  # within hours of year 1 or of 9999
            return local.replace(tzinfo=UTC)
        except ValueError:
            raise self.make_error("invalid") from None


class Day(fields.Field):
    """A date of the user's zone: «2026-11-28»."""

    default_error_messages = _messages(invalid="field_not_day")
    json_schema = {"type": "string", "format": "date"}

    def _serialize(self, value: date | None, attr: str | None, obj: Any, **more: Any) -> str | None:
        return None if value is None else value.isoformat()

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> date:
        try:
            if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
                return date.fromisoformat(value)
        except ValueError:
            raise self.make_error("invalid") from None
        raise self.make_error("invalid")


class Choice(Text):
    """One of a few words."""

    def __init__(self, words: type | tuple[str, ...], **more: Any) -> None:
        listed = [str(one) for one in words]
        super().__init__(validate=validate.OneOf(listed, error=Coded("field_not_among_choices")), **more)


class Answers(fields.Dict):
    """Names and values: a platform's options."""

    default_error_messages = _messages(invalid="field_not_object")
    json_schema = {
        "propertyNames": {"pattern": STORABLE},
        "additionalProperties": {"type": ["string", "boolean"], "pattern": STORABLE},
    }

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> dict:
        known = super()._deserialize(value, attr, data, **more)
        if any(_NOT_STORABLE.search(name) for name in known) or not all(map(_is_plain, known.values())):
            raise self.make_error("invalid")
        return known


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and not _NOT_STORABLE.search(value))


class Listed(fields.List):
    default_error_messages = _messages(invalid="field_not_list")


class Inner(fields.Nested):
    default_error_messages = _messages(type="field_not_object")


def moment(value: datetime) -> str:
    """UTC to the second, or to the microsecond where there are any."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def length(most: int, least: int = 0) -> validate.Length:
    """Characters of a text."""
    return validate.Length(min=least or None, max=most, error=Coded("field_length").format(min=least, max=most))


def count(most: int, least: int = 1) -> validate.Length:
    """Items of a list."""
    return validate.Length(min=least, max=most, error=Coded("field_count").format(min=least, max=most))


def between(least: int, most: int) -> validate.Range:
    return validate.Range(min=least, max=most, error=Coded("field_range").format(min=least, max=most))


def row_id(**more: Any) -> Number:
    """Of another row, in JSON."""
    return Number(validate=between(1, MAX_ID), **more)
