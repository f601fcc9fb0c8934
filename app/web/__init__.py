"""The web: blueprints, and what holds for all of them. A route validates a form, calls one service and renders."""

from flask import Flask

from app.web import (
    access,
    accounts,
    clips,
    connections,
    errors,
    health,
    history,
    media,
    oauth,
    ops,
    ops_queues,
    plans,
    publications,
    security,
    statics,
    tracing,
    uploads,
    words,
)

BLUEPRINTS = (
    accounts.blueprint,
    plans.blueprint,
    clips.blueprint,
    publications.blueprint,
    history.blueprint,
    connections.blueprint,
    oauth.blueprint,
    uploads.blueprint,
    media.blueprint,
    media.fetch_blueprint,
    health.blueprint,
    ops.blueprint,
)


def register(app: Flask) -> None:
    for part in (tracing, oauth, security, access, errors, statics, words):
        part.register(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    ops_queues.register(app)
