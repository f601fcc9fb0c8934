"""YouTube by the discovery document that google-api-python-client ships."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import googleapiclient

from tests.platforms.vendors import Exchange, Validator, complaints

# Of the protocol of uploads: no discovery document has them.
_UPLOAD_PARAMETERS = {"uploadType", "upload_id"}
_PROPER = {"boolean": r"true|false", "integer": r"-?\d+", "string": r"(?s:.*)"}
# An address of a session, and Google's OAuth, are not described there.
_UNDESCRIBED = re.compile(r"PUT /upload/|.* /google/")


@cache
def document() -> Mapping[str, Any]:
    file = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents" / "youtube.v3.json"
    return json.loads(file.read_text())


@cache
def _methods() -> dict[str, Mapping[str, Any]]:
    """By what stands in the log."""
    found = {}
    for resource in document()["resources"].values():
        for method in resource.get("methods", {}).values():
            found[f"{method['httpMethod']} /{method['path']}"] = method
            for protocol in method.get("mediaUpload", {}).get("protocols", {}).values():
                found[f"{method['httpMethod']} {protocol['path']}"] = method
    return found


@cache
def _validator(name: str) -> Any:
    return Validator({"$ref": f"#/definitions/{name}", "definitions": _definitions()})


@cache
def _definitions() -> dict[str, Any]:
    return {name: _strict(schema) for name, schema in document()["schemas"].items()}


def _strict(schema: Any) -> Any:
    """As JSON Schema: references lead somewhere, numbers in strings are numbers, unknown properties are none."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": f"#/definitions/{schema['$ref']}"}
    strict = {name: _strict(inner) for name, inner in schema.items() if name not in ("id", "default", "required")}
    if "properties" in schema:
        strict["properties"] = {name: _strict(inner) for name, inner in schema["properties"].items()}
        strict["additionalProperties"] = False
    if schema.get("type") == "string" and schema.get("format") in ("uint64", "int64"):
        strict["pattern"] = r"^-?\d+$"
    return strict


def judge(one: Exchange) -> Iterable[str]:
    if _UNDESCRIBED.match(one.call):
        return
    method = _methods().get(one.call)
    if method is None:
        yield "the vendor has no such call"
        return
    yield from _judge_query(method, one.query)
    if one.body is not None:
        yield from complaints(_validator(method["request"]["$ref"]), one.body, "body")
    if isinstance(one.answer, dict) and 200 <= one.status < 300:
        yield from complaints(_validator(method["response"]["$ref"]), one.answer, "answer")
    elif isinstance(one.answer, dict):
        yield from complaints(_ERROR, one.answer, "error")


def _judge_query(method: Mapping[str, Any], query: Mapping[str, str]) -> Iterable[str]:
    known = {**document()["parameters"], **method["parameters"]}
    yield from (f"query {name}: unknown" for name in query.keys() - known.keys() - _UPLOAD_PARAMETERS)
    yield from (f"query {name}: missing" for name, one in known.items() if one.get("required") and name not in query)
    for name, value in query.items():
        declared = known.get(name, {"type": "string"})
        if not re.fullmatch(_PROPER[declared["type"]], value) or value not in declared.get("enum", [value]):
            yield f"query {name}={value}: no {declared['type']}"
    name = method.get("request", method["response"])["$ref"].replace("ListResponse", "")
    parts = {*document()["schemas"][name]["properties"]}
    yield from (f"part {part}: unknown" for part in query.get("part", "").split(",") if part and part not in parts)


# https://developers.google.com/youtube/v3/docs/errors
_ERROR = Validator(
    {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "errors"],
                "properties": {
                    "code": {"type": "integer"},
                    "message": {"type": "string"},
                    "errors": {"type": "array", "items": {"required": ["domain", "reason", "message"]}},
                },
            }
        },
    }
)
