"""All endpoints of the API, out of the URL map: a new one is walked too."""

from collections.abc import Iterator
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from app.serving import API

# Without a key: the specification, and the page made of it.
OPEN = {"api_docs.openapi_json", "api_docs.page"}


def rules(app: Flask) -> Iterator[tuple[str, Rule, Any]]:
    """Method, rule and view of each."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(API) and rule.endpoint not in OPEN:
            for method in sorted(rule.methods - {"OPTIONS", "HEAD"}):
                yield method, rule, app.view_functions[rule.endpoint]


def path_of(rule: Rule, **values: Any) -> str:
    """Below /api/v1; what is not given is 1."""
    return rule.build(dict.fromkeys(rule.arguments, 1) | values, append_unknown=False)[1].removeprefix("/api/v1")
