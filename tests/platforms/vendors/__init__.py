"""The vendors' own descriptions of their APIs, as judges of what adapters send and emulators answer.

Descriptions come with a package, or stand in `../shared/schemas`; where a file is not there, nothing is judged by it
and `test_vendors.py` says so. A deviation that stays is listed with its reason.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jsonschema import Draft7Validator, ValidationError
from jsonschema.validators import extend

SHARED = Path(__file__).parents[3].parent / "shared" / "schemas"


@dataclass(frozen=True)
class Exchange:
    """One call of an adapter. `form`: the fields of a form; `body`: the JSON that was sent; `answer`: that came back,
    None where none came that is JSON.
    """

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    body: Any
    status: int
    answer: Any

    @property
    def call(self) -> str:
        return f"{self.method} {self.path}"


# What a judge finds wrong with a call, each in a line.
Judge = Callable[[Exchange], Iterable[str]]


def exchange(method: str, url: str, sent: Mapping[str, Any], response: Any) -> Exchange:
    """`sent`: what `Http.request` was given; `response`: what it returned, None where it raised."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) | {name: str(value) for name, value in (sent.get("params") or {}).items()}
    data = sent.get("data")
    form = {name: str(value) for name, value in data.items()} if isinstance(data, Mapping) else _multipart_fields(data)
    status, answer = (response.status, response.json()) if response else (0, None)
    return Exchange(method, parts.path, query, form, sent.get("json"), status, answer)


def head_of(data: Any) -> bytes:
    """What a `Multipart` begins with, before it is sent."""
    return data._parts[0][0].getvalue() if hasattr(data, "_parts") else b""


def _multipart_fields(head: Any) -> dict[str, str]:
    if not isinstance(head, bytes):
        return {}
    found = re.findall(rb'name="([^"]+)"(; filename="[^"]*")?\r\n(?:[^\r\n]+\r\n)*\r\n((?s:.*?))(?=\r\n--|$)', head)
    return {name.decode(): "" if is_file else value.decode() for name, is_file, value in found}


def _properties(validator: Any, properties: Any, instance: Any, schema: Any) -> Iterable[ValidationError]:
    """VK writes `required` beside a property's type."""
    yield from Draft7Validator.VALIDATORS["properties"](validator, properties, instance, schema)
    if isinstance(instance, dict):
        for name, inner in properties.items():
            if isinstance(inner, dict) and inner.get("required") is True and name not in instance:
                yield ValidationError(f"{name!r} is required")


def _required(validator: Any, required: Any, instance: Any, schema: Any) -> Iterable[ValidationError]:
    if not isinstance(required, bool):
        yield from Draft7Validator.VALIDATORS["required"](validator, required, instance, schema)


Validator = extend(Draft7Validator, {"properties": _properties, "required": _required})


def complaints(validator: Any, value: Any, what: str) -> Iterable[str]:
    for error in validator.iter_errors(value):
        at = ".".join(map(str, error.absolute_path))
        yield f"{what} {at}: {error.message[:200]}"


@cache
def shared(path: str) -> Any:
    return json.loads((SHARED / path).read_text())
