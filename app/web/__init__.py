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
    personal,
    plans,
    publications,
    recovery,
    safety,
    sanity,
    security,
    statics,
    uploads,
    words,
)

BLUEPRINTS = (
    accounts.blueprint,
    recovery.blueprint,
    safety.blueprint,
    personal.blueprint,
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
)


def register(app: Flask) -> None:
    for part in (sanity, oauth, security, access, errors, statics, words):
        part.register(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
