"""What the page of the documentation shows, out of the specification: operations by noun, and the schemas they name."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]

_REF = "#/components/schemas/"
_BINARY = "файл"
_TYPES = {
    "string": "строка",
    "integer": "целое число",
    "number": "число",
    "boolean": "true или false",
    "array": "список",
    "object": "объект",
    "null": "null",
}
_FORMATS = {"date-time": "время", "date": "дата", "uri": "адрес", "binary": _BINARY}


@dataclass(frozen=True)
class Field:
    """`schema`: the name of the one that it is made of."""

    name: str
    type: str
    schema: str | None
    required: bool
    description: str


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    path: str
    title: str
    description: str
    scope: str
    parameters: Sequence[Field]
    body: str | None
    answer: str | None
    example: str


@dataclass(frozen=True)
class Noun:
    name: str
    title: str
    operations: list[Operation] = field(default_factory=list)


@dataclass(frozen=True)
class Described:
    """A schema and its fields."""

    name: str
    description: str
    fields: Sequence[Field]


def nouns(document: Mapping[str, Any]) -> list[Noun]:
    found = {tag["name"]: Noun(tag["name"], tag["description"]) for tag in document["tags"]}
    base = document["servers"][0]["url"]
    for path, named in document["paths"].items():
        shared = named.get("parameters", [])
        for method, one in named.items():
            if method != "parameters":
                operation = _operation(document, base, path, method, one, [*shared, *one.get("parameters", [])])
                found[one["tags"][0]].operations.append(operation)
    return list(found.values())


def schemas(document: Mapping[str, Any]) -> list[Described]:
    return [
        Described(name, schema.get("description", ""), _fields(schema))
        for name, schema in sorted(document["components"]["schemas"].items())
    ]


def _operation(
    document: Mapping[str, Any], base: str, path: str, method: str, one: Mapping[str, Any], parameters: Sequence[Schema]
) -> Operation:
    body, answer = _content(one.get("requestBody", {})), _success(one["responses"])
    return Operation(
        name=one["operationId"],
        method=method.upper(),
        path=path,
        title=one["summary"].rstrip("."),
        description=one.get("description", ""),
        scope=one.get("x-scope", ""),
        parameters=[
            _field(each["name"], each["schema"], each.get("required", False), each.get("description", ""))
            for each in parameters
        ],
        body=body,
        answer=answer,
        example=_curl(document, base, path, method.upper(), body),
    )


def _fields(schema: Schema) -> list[Field]:
    required = schema.get("required", ())
    return [_field(name, one, name in required) for name, one in schema.get("properties", {}).items()]


def _field(name: str, schema: Schema, required: bool, description: str = "") -> Field:
    return Field(name, _type(schema), _named(schema), required, description or schema.get("description", ""))


def _named(schema: Schema) -> str | None:
    """Of a reference, of a list of them, or of one that may be null."""
    for one in (schema, schema.get("items", {}), *schema.get("anyOf", ())):
        if reference := one.get("$ref", ""):
            return reference.removeprefix(_REF)
    return None


def _type(schema: Schema) -> str:
    if name := _named({key: value for key, value in schema.items() if key == "$ref"}):
        return name
    if several := schema.get("anyOf") or schema.get("oneOf"):
        return " или ".join(_type(one) for one in several)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kinds = schema.get("type", "object")
    words = [
        _FORMATS.get(schema.get("format", ""), _TYPES[kind]) if kind == "string" else _TYPES[kind]
        for kind in ([kinds] if isinstance(kinds, str) else kinds)
    ]
    said = " или ".join(words)
    if "items" in schema:
        said += f": {_type(schema['items'])}"
    if schema.get("maximum", 2**63 - 1) < 2**63 - 1:
        said += f", {schema.get('minimum', 0)}–{schema['maximum']}"
    if "maxLength" in schema:
        said += f", до {schema['maxLength']} знаков"
    return said


def _content(part: Mapping[str, Any]) -> str | None:
    """The schema's name; a file is none."""
    content = part.get("content", {})
    if not content:
        return None
    return _named(content.get("application/json", {}).get("schema", {})) or _BINARY


def _success(responses: Mapping[str, Any]) -> str | None:
    return next((_content(one) for status, one in responses.items() if status.startswith("2")), None)


def _curl(document: Mapping[str, Any], base: str, path: str, method: str, body: str | None) -> str:
    parts = ["curl" if method == "GET" else f"curl -X {method}", '-H "Authorization: Bearer $VEZDE_API_KEY"']
    if body == _BINARY:
        parts += ['-H "Content-Type: video/mp4"', "--data-binary @clip.mp4"]
    elif body:
        sample = json.dumps(_sample(document, {"$ref": _REF + body}), ensure_ascii=False)
        parts += ['-H "Content-Type: application/json"', f"-d '{sample}'"]
    if method == "POST":
        parts.insert(2, '-H "Idempotency-Key: task-1"')
    address = base + "".join("1" if part.startswith("{") else part for part in _split(path))
    return " \\\n  ".join([*parts, address])


def _split(path: str) -> list[str]:
    """«/clips/{clip_id}/cover» in three."""
    return [part for before in path.split("{") for part in _closed(before)]


def _closed(part: str) -> list[str]:
    name, brace, rest = part.partition("}")
    return ["{" + name, rest] if brace else [part]


def _sample(document: Mapping[str, Any], schema: Schema) -> Any:
    """A value that fits, of what is required and what says most."""
    if reference := schema.get("$ref"):
        return _sample(document, document["components"]["schemas"][reference.removeprefix(_REF)])
    if several := schema.get("oneOf") or schema.get("anyOf"):
        return _sample(document, several[0])
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind if isinstance(kind, str) else kind[0]
    if kind == "object":
        known = schema.get("properties", {})
        wanted = dict.fromkeys([*schema.get("required", ()), *(name for name in ("to", "when") if name in known)])
        return {name: _sample(document, known[name]) for name in wanted}
    if kind == "array":
        return [_sample(document, schema["items"])]
    if schema.get("format") == "date-time":
        return "2026-11-28T10:00:00+03:00"
    return {"integer": max(schema.get("minimum", 1), 1), "boolean": True}.get(kind, "…")
