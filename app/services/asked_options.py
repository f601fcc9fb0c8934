"""Publication options of an account: as its adapter declares them, and as the platform has said last."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import current_app

from app import clock, platforms
from app.db import db
from app.models import PlatformConnection, Question
from app.platforms import options
from app.platforms.options import AccountOptions, Option
from app.problems import Problem


def said(connection: PlatformConnection) -> AccountOptions | None:
    """None: the platform has not been asked, or has not answered yet."""
    return AccountOptions.of(connection.asked_options) if is_asked(connection) else None


def is_asked(connection: PlatformConnection) -> bool:
    """Whether the platform is asked for the account's options at all."""
    return platforms.ADAPTERS[connection.platform].asks_options and bool(_offered(connection.platform))


def declared(connection: PlatformConnection) -> Sequence[Option]:
    """As pages render them for the account."""
    return options.for_account(_offered(connection.platform), said(connection))


def check(connection: PlatformConnection, answers: Mapping[str, Any], field: str) -> dict[str, Any]:
    """As they are stored. Raises Problem, at the field named `field` and the option's name."""
    adapter, offered = platforms.ADAPTERS[connection.platform], _offered(connection.platform)
    if said(connection) is None and options.needs_answer(offered):
        raise Problem("options_not_asked", f"connection-{connection.id}", platform=adapter.name)
    return options.check(declared(connection), answers, field, adapter.check_options)


def store(question: Question, answer: AccountOptions) -> dict[str, Any]:
    """On the connection, where whatever publishes finds it; returns it as JSON."""
    stored = answer.stored()
    connection = db.session.get(
        PlatformConnection, question.connection_id, with_for_update=True, populate_existing=True
    )
    if connection:
        connection.asked_options, connection.options_asked_at = stored, clock.now()
    return stored


def _offered(platform: str) -> Sequence[Option]:
    return platforms.ADAPTERS[platform].offered_options(current_app.config)
