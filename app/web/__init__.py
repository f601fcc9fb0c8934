"""The web: blueprints, and what holds for all of them. A route validates a form, calls one service and renders."""

from flask import Flask

from app.web import (
    access,
    accounts,
    clips,
    connections,
    errors,
    filters,
    headers,
    health,
    history,
    input_guard,
    media,
    notifications,
    oauth,
    ops,
    ops_queues,
    personal,
    plans,
    publications,
    recovery,
    request_log,
    safety,
    schedule,
    static_files,
    statistics,
    transfers,
    uploads,
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
    notifications.blueprint,
    oauth.blueprint,
    statistics.blueprint,
    uploads.blueprint,
    media.blueprint,
    media.fetch_blueprint,
    health.blueprint,
    ops.blueprint,
)


def register(app: Flask) -> None:
    for part in (
        input_guard,
        request_log,
        oauth,
        headers,
        access,
        transfers,
        errors,
        static_files,
        filters,
        notifications,
    ):
        part.register(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    ops_queues.register(app)
