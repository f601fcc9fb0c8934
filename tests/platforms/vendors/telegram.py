"""Telegram by the methods and types of its Bot API, read from its documentation."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from tests.platforms.vendors import Exchange, Validator, complaints, shared

FILE = "telegram/api.json"
_PLAIN = {"Integer": "integer", "String": "string", "Boolean": "boolean", "Float": "number"}
_CALL = re.compile(r"POST .*/bot[^/]+/(\w+)")


@cache
def _definitions() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, kind in shared(FILE)["types"].items():
        if "subtypes" in kind:
            found[name] = {"anyOf": [{"$ref": f"#/definitions/{one}"} for one in kind["subtypes"]]}
            continue
        fields = kind.get("fields", [])
        found[name] = {
            "type": "object",
            "properties": {one["name"]: _schema(one["types"]) for one in fields},
            "required": [one["name"] for one in fields if one["required"]],
            "additionalProperties": False,
        }
    return found


def _schema(types: list[str]) -> dict[str, Any]:
    return {"anyOf": [_one(name) for name in types]}


def _one(name: str) -> dict[str, Any]:
    if name.startswith("Array of "):
        return {"type": "array", "items": _one(name.removeprefix("Array of "))}
    return {"type": _PLAIN[name]} if name in _PLAIN else {"$ref": f"#/definitions/{name}"}


@cache
def _result(method: str) -> Any:
    result = _schema(shared(FILE)["methods"][method]["returns"])
    answer = {"type": "object", "required": ["ok", "result"], "properties": {"ok": {"const": True}, "result": result}}
    return Validator({**answer, "additionalProperties": False, "definitions": _definitions()})


@cache
def _error() -> Any:
    properties = {"ok": {"const": False}, "error_code": {"type": "integer"}, "description": {"type": "string"}}
    more = {"parameters": {"$ref": "#/definitions/ResponseParameters"}}
    answer = {"type": "object", "required": list(properties), "properties": properties | more}
    return Validator({**answer, "additionalProperties": False, "definitions": _definitions()})


def judge(one: Exchange) -> Iterable[str]:
    match = _CALL.fullmatch(one.call)
    if match is None:  # pages of t.me
        return
    method = shared(FILE)["methods"].get(match[1])
    if method is None:
        yield "the vendor has no such method"
        return
    fields = {field["name"]: field for field in method.get("fields", [])}
    yield from (f"field {name}: unknown" for name in one.form.keys() - fields.keys())
    yield from (f"field {name}: missing" for name, one_ in fields.items() if one_["required"] and name not in one.form)
    for name, value in one.form.items():
        types = set(fields.get(name, {"types": ["String"]})["types"])
        if types == {"Integer"} and not re.fullmatch(r"-?\d+", value):
            yield f"field {name}={value}: no integer"
        if types == {"Boolean"} and value not in ("true", "false"):
            yield f"field {name}={value}: no boolean"
    if isinstance(one.answer, dict):
        yield from complaints(_result(match[1]) if one.answer.get("ok") else _error(), one.answer, "answer")
