"""MAX by its OpenAPI document."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import yaml

from tests.platforms.vendors import SHARED, Exchange, Validator, complaints

FILE = "max/schema.yaml"
_SCHEMA = "#/components/schemas/"
# The upload servers are not described there.
_DESCRIBED = re.compile(r"/max(/.*)")
_PROPER = {"integer": r"-?\d+", "boolean": r"true|false", "string": r"(?s:.*)"}


@cache
def document() -> Mapping[str, Any]:
    return yaml.safe_load((SHARED / FILE).read_text())


@cache
def _operations() -> list[tuple[str, re.Pattern[str], Mapping[str, Any]]]:
    """Each with its method and its path; those whose paths have no parameter come first."""
    found = [
        (method.upper(), _path_pattern(path, operation), operation)
        for path, operations in document()["paths"].items()
        for method, operation in operations.items()
    ]
    return sorted(found, key=lambda one: one[1].groups)


def _path_pattern(path: str, operation: Mapping[str, Any]) -> re.Pattern[str]:
    declared = {one["name"]: one["schema"] for one in operation.get("parameters", [])}
    return re.compile(re.sub(r"\{(\w+)\}", lambda name: f"({declared[name[1]].get('pattern', '[^/]+')})", path))


@cache
def _validator(reference: str) -> Any:
    definitions = {name: _definition(name) for name in document()["components"]["schemas"]}
    return Validator({"$ref": f"#/definitions/{reference.removeprefix(_SCHEMA)}", "definitions": definitions})


def _definition(name: str) -> dict[str, Any]:
    """As JSON Schema: what `allOf` lists is one object, the discriminator decides, unknown properties are none."""
    schema = document()["components"]["schemas"][name]
    if "discriminator" in schema:
        kinds = {kind: one.removeprefix(_SCHEMA) for kind, one in schema["discriminator"]["mapping"].items()}
        field = schema["discriminator"]["propertyName"]
        cases = [
            {"if": {"properties": {field: {"const": kind}}}, "then": {"$ref": f"#/definitions/{one}"}}
            for kind, one in kinds.items()
        ]
        return {"type": "object", "required": [field], "properties": {field: {"enum": [*kinds]}}, "allOf": cases}
    return _object(schema) if _is_object(schema) else _schema(schema)


def _is_object(schema: Mapping[str, Any]) -> bool:
    return "properties" in schema or "allOf" in schema


def _object(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties, required = _members(schema)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _members(schema: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    properties = {name: _schema(one) for name, one in schema.get("properties", {}).items()}
    required = list(schema.get("required", []))
    for part in schema.get("allOf", []):
        one = document()["components"]["schemas"][part["$ref"].removeprefix(_SCHEMA)] if "$ref" in part else part
        more, further = _members(one)
        properties, required = more | properties, required + further
    return properties, required


def _schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    [only] = schema["allOf"] if len(schema.get("allOf", [])) == 1 else [schema]
    if "$ref" in only:
        found: dict[str, Any] = {"$ref": f"#/definitions/{only['$ref'].removeprefix(_SCHEMA)}"}
    elif _is_object(only):
        found = _object(only)
    else:
        kept = ("type", "enum", "maxLength", "minLength", "minimum", "maximum", "pattern", "uniqueItems")
        found = {name: only[name] for name in kept if name in only}
        if "items" in only:
            found["items"] = _schema(only["items"])
        if isinstance(only.get("additionalProperties"), dict):
            found["additionalProperties"] = _schema(only["additionalProperties"])
    return {"anyOf": [found, {"type": "null"}]} if schema.get("nullable") else found


def judge(one: Exchange) -> Iterable[str]:
    match = _DESCRIBED.fullmatch(one.path)
    if match is None:
        return
    fitting = (found for method, path, found in _operations() if method == one.method and path.fullmatch(match[1]))
    operation = next(fitting, None)
    if operation is None:
        yield "the vendor has no such call"
        return
    yield from _judge_query(operation, one.query)
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content:
        yield from complaints(_validator(content["schema"]["$ref"]), one.body, "body")
    elif one.body is not None:
        yield "body: the call has none"
    if isinstance(one.answer, dict) and "success" in one.answer:
        yield from complaints(_validator("SimpleQueryResult"), one.answer, "answer")
    elif isinstance(one.answer, dict) and one.status == 200:
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        yield from complaints(_validator(schema["$ref"]), one.answer, "answer")
    elif isinstance(one.answer, dict):
        yield from complaints(_validator("Error"), one.answer, "error")


def _judge_query(operation: Mapping[str, Any], query: Mapping[str, str]) -> Iterable[str]:
    declared = {one["name"]: one for one in operation.get("parameters", []) if one["in"] == "query"}
    yield from (f"query {name}: unknown" for name in query.keys() - declared.keys())
    yield from (f"query {name}: missing" for name, one in declared.items() if one.get("required") and name not in query)
    for name, value in query.items():
        schema = declared.get(name, {}).get("schema", {})
        if "$ref" in schema:
            schema = document()["components"]["schemas"][schema["$ref"].removeprefix(_SCHEMA)]
        proper = _PROPER.get(schema.get("type"), _PROPER["string"])
        if not re.fullmatch(proper, value) or value not in schema.get("enum", [value]):
            yield f"query {name}={value}: not as declared"
        elif schema.get("type") == "integer" and not (
            schema.get("minimum", int(value)) <= int(value) <= schema.get("maximum", int(value))
        ):
            yield f"query {name}={value}: out of range"
