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
    notices,
    oauth,
    ops,
    ops_queues,
    personal,
    plans,
    publications,
    recovery,
    safety,
    sanity,
    schedule,
    security,
    statics,
    stats,
    tracing,
    transfers,
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
    schedule.blueprint,
    history.blueprint,
    connections.blueprint,
    notices.blueprint,
    oauth.blueprint,
    stats.blueprint,
    uploads.blueprint,
    media.blueprint,
    media.fetch_blueprint,
    health.blueprint,
    ops.blueprint,
)


def register(app: Flask) -> None:
    for part in (sanity, tracing, oauth, security, access, transfers, errors, statics, words, notices):
        part.register(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    ops_queues.register(app)
