"""VK by its JSON Schema, API 5.199."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from tests.platforms.vendors import Exchange, Validator, complaints, shared

BASE = "http://vk"
_CALL = re.compile(r"POST .*/method/(\w+)\.(\w+)")
_EVERYWHERE = {"access_token", "v", "lang", "test_mode"}
_PROPER = {"integer": r"-?\d+", "boolean": r"[01]", "number": r"-?[\d.]+"}
# The route that no description names (platforms/vk.md).
_UNDESCRIBED = ("shortVideo",)


def _retrieve(uri: str) -> Resource:
    return Resource(shared(f"vk{urlsplit(uri).path}"), DRAFT7)


_registry = Registry(retrieve=_retrieve)


@cache
def _methods(section: str) -> dict[str, Mapping[str, Any]]:
    return {one["name"]: one for one in shared(f"vk/{section}/methods.json")["methods"]}


@cache
def _validator(section: str, reference: str) -> Any:
    """`reference` as it stands in the section's list of methods."""
    return Validator({"$ref": f"{BASE}/{section}/{reference}"}, registry=_registry)


def judge(one: Exchange) -> Iterable[str]:
    match = _CALL.fullmatch(one.call)
    if match is None or match[1] in _UNDESCRIBED:  # VK ID, addresses of uploads
        return
    section, name = match[1], f"{match[1]}.{match[2]}"
    method = _methods(section).get(name)
    if method is None:
        yield "the vendor has no such method"
        return
    declared = {parameter["name"]: parameter for parameter in method.get("parameters", [])}
    yield from (f"parameter {given}: unknown" for given in one.form.keys() - declared.keys() - _EVERYWHERE)
    for given, value in one.form.items():
        kind = declared.get(given, {}).get("type")
        if isinstance(kind, str) and kind in _PROPER and not re.fullmatch(_PROPER[kind], value):
            yield f"parameter {given}={value}: no {kind}"
    if isinstance(one.answer, dict) and "response" in one.answer:
        forms = [_validator(section, form["$ref"]) for form in method["responses"].values()]
        found = [list(complaints(form, one.answer, "answer")) for form in forms]
        yield from min(found, key=len)
    elif isinstance(one.answer, dict):
        yield from complaints(_ERROR, one.answer, "error")


_ERROR = Validator(
    {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"$ref": f"{BASE}/base/objects.json#/definitions/base_error"}},
    },
    registry=_registry,
)
