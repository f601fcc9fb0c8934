"""The HTTP API, version 1: a module for each noun, on the services that pages use.

It knows keys and no sessions. A change is one transaction, as for pages: `app.serving.unit_of_work`.
"""

from flask import Flask

from app.api import (
    approvals,
    clip_uploads,  # noqa: F401 - endpoints of `clips`
    clips,
    connections,
    covers,  # noqa: F401 - endpoints of `clips`
    docs,
    errors,
    imports,
    incoming_hooks,
    me,
    openapi,
    publications,
    renders,
    rules,
    sets,
    statistics,
    uploads,
    webhooks,
)

NOUNS = (
    me,
    clips,
    connections,
    sets,
    publications,
    rules,
    approvals,
    renders,
    statistics,
    webhooks,
    imports,
    incoming_hooks,
)


def register(app: Flask) -> None:
    """After the web: its hooks begin each request's log, and say whether it only reads."""
    app.api_error = errors.response
    specification = openapi.make(app)
    for noun in NOUNS:
        specification.add(noun.blueprint)
    app.register_blueprint(uploads.blueprint)
    app.register_blueprint(docs.blueprint)


def blueprints() -> list:
    """For the CSRF check, which they need none of: no browser sends a key by itself."""
    return [docs.blueprint, uploads.blueprint, *(noun.blueprint for noun in NOUNS)]
