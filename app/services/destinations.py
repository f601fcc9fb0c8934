"""Where a clip can go: the user's accounts, and what stands in the way on each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from flask import current_app
from sqlalchemy import select

from app import platforms
from app.db import db
from app.models import LIVE, Clip, ConnectionStatus, PlatformConnection, Publication, Status, User
from app.platforms.options import Option as PublicationOption
from app.publishing import preflight


@dataclass(frozen=True)
class Option:
    """An account in the publish dialog. `problems` say what does not fit; with any of them it cannot be chosen."""

    connection: PlatformConnection
    platform_name: str
    label: str
    problems: list[str]
    mode: str  # which way of publishing is on, where there are several
    live: Publication | None
    standing: Publication | None
    max_title: int | None
    max_text: int | None
    options: Sequence[PublicationOption]


def for_clip(user: User, clip: Clip) -> list[Option]:
    connections = db.session.scalars(
        select(PlatformConnection)
        .where(PlatformConnection.user_id == user.id, PlatformConnection.status != ConnectionStatus.CHOOSING)
        .order_by(PlatformConnection.id)
    ).all()
    siblings = Counter(connection.platform for connection in connections)
    publications = db.session.scalars(
        select(Publication)
        .where(Publication.clip_id == clip.id, Publication.status.in_((*LIVE, Status.PUBLISHED)))
        .order_by(Publication.id.desc())
    ).all()
    return [_option(user, clip, connection, siblings, publications) for connection in connections]


def _option(
    user: User,
    clip: Clip,
    connection: PlatformConnection,
    siblings: Counter[str],
    publications: Sequence[Publication],
) -> Option:
    adapter, config = platforms.ADAPTERS[connection.platform], current_app.config
    limits = adapter.limits(config)
    mine = [
        publication
        for publication in publications
        if (publication.platform, publication.account_id) == (connection.platform, connection.account_id)
    ]
    several = siblings[connection.platform] > 1
    return Option(
        connection=connection,
        platform_name=adapter.name,
        label=f"{adapter.name} — {connection.account_name}" if several else adapter.name,
        problems=_problems_of_account(user, connection) + preflight.problems(adapter, config, clip),
        mode=adapter.mode(config),
        live=next((one for one in mine if one.status in LIVE), None),
        standing=next((one for one in mine if one.status == Status.PUBLISHED), None),
        max_title=min(limits.max_title or preflight.MAX_TITLE, preflight.MAX_TITLE),
        max_text=limits.max_text,
        options=adapter.options,
    )


def _problems_of_account(user: User, connection: PlatformConnection) -> list[str]:
    if not user.plan.allows(connection.platform):
        return ["Ваш тариф не включает эту платформу. Смените тариф."]
    if connection.status != ConnectionStatus.ACTIVE:
        return ["Переподключите аккаунт: «Настройки → Интеграции»."]
    return []
