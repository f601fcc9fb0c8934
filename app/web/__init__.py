"""The web: blueprints, and what holds for all of them. A route validates a form, calls one service and renders."""

from flask import Flask

from app.web import (
    access,
    account_sets,
    api_keys,
    approvals,
    auth,
    bot_chat,
    bulk,
    bulk_publications,
    clips,
    compression,
    confirmation,
    consent_client,
    covers,
    email_confirmation,
    errors,
    fetch,
    filters,
    headers,
    health,
    hooks,
    hooks_in,
    hosts,
    imports,
    input_guard,
    integrations,
    media,
    notifications,
    ops,
    passkeys,
    plan,
    plan_export,
    plan_feed,
    plan_import,
    plans,
    privacy,
    publications,
    publish,
    recovery,
    renditions,
    request_log,
    rules,
    second_factor,
    settings,
    static_files,
    statistics,
    transfers,
    undo,
    uploads,
    webhooks,
    withheld,
)

PARTS = (
    *(compression, input_guard, request_log, consent_client, headers, access, transfers),
    *(errors, static_files, filters, hosts),
)
PAGES = (
    *(clips, publish, plan, plan_feed, publications, statistics, notifications),
    *(settings, second_factor, passkeys, confirmation, api_keys),
    *(
        integrations,
        account_sets,
        webhooks,
        undo,
        withheld,
        plans,
        privacy,
        auth,
        recovery,
        email_confirmation,
        uploads,
        media,
        covers,
        renditions,
        fetch,
        health,
        ops,
    ),
    *(bulk, bulk_publications, plan_import, plan_export),
    *(rules, approvals, bot_chat, imports, hooks, hooks_in),
)


def register(app: Flask) -> None:
    for part in PARTS:
        part.register(app)
    for page in PAGES:
        app.register_blueprint(page.blueprint)
    access.csrf.exempt(hooks_in.blueprint)  # its address is a key, and no browser knows it
    ops.register(app)
