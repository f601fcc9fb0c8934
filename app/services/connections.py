"""Connecting accounts of platforms, and letting go of them."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from flask import current_app
from sqlalchemy import select, update

from app import platforms, texts
from app.extensions import db
from app.models import ConnectionStatus, PlatformConnection, Publication, User
from app.plans import Plan, cheapest_for
from app.platforms.base import Account, FormField, Token
from app.platforms.errors import PlatformError
from app.publishing import tokens
from app.services.errors import NotFound, Problem
from app.services.publications import cancel_all_of


@dataclass(frozen=True)
class PlatformCard:
    """One platform on the page «Интеграции»."""

    key: str
    name: str
    allowed: bool
    plan_needed: Plan
    form: Sequence[FormField]
    connections: list[PlatformConnection]


def cards(user: User) -> list[PlatformCard]:
    mine = all_of(user)
    return [
        PlatformCard(
            adapter.key,
            adapter.name,
            user.plan.allows(adapter.key),
            cheapest_for(adapter.key),
            adapter.form,
            [connection for connection in mine if connection.platform == adapter.key],
        )
        for adapter in platforms.ADAPTERS.values()
    ]


def all_of(user: User) -> list[PlatformConnection]:
    return list(
        db.session.scalars(
            select(PlatformConnection).where(PlatformConnection.user_id == user.id).order_by(PlatformConnection.id)
        )
    )


def get(user: User, connection_id: int) -> PlatformConnection:
    """Raises NotFound, for a stranger's connection too."""
    connection = db.session.scalars(
        select(PlatformConnection).where(
            PlatformConnection.id == connection_id, PlatformConnection.user_id == user.id
        )
    ).first()
    if connection is None:
        raise NotFound
    return connection


def label(connection: PlatformConnection, siblings: int) -> str:
    """«Telegram» while it is the only one, «Telegram — Имя» otherwise."""
    name = platforms.ADAPTERS[connection.platform].name
    return name if siblings < 2 else f"{name} — {connection.account_name}"


def connect(user: User, platform: str, fields: Mapping[str, str]) -> PlatformConnection:
    """Asks the platform whether what the user typed is good, and seals the token. Raises NotFound or Problem."""
    if platform not in platforms.ADAPTERS:
        raise NotFound
    adapter = platforms.adapter(platform, current_app.config)
    if not user.plan.allows(platform):
        raise Problem(f"{adapter.name} доступен на тарифе {cheapest_for(platform).title}. Смените тариф.")
    for field in adapter.form:
        if not fields.get(field.name, "").strip():
            raise Problem(f"Заполните поле «{field.label}».", field.name)
    # Asking may take seconds, and the database must not wait for it.
    db.session.rollback()
    try:
        accounts, token = adapter.connect(fields)
    except PlatformError as error:
        raise Problem(texts.sentence(error.reason, error.params), error.params.get("field")) from error
    return save(user, platform, accounts, token)


def save(user: User, platform: str, accounts: Sequence[Account], token: Token) -> PlatformConnection:
    """Makes the connection, or renews the one that the user already has for the account.

    Of several accounts the user has to `choose()`; until then the connection waits and publishes nothing.
    """
    if len(accounts) == 1:
        connection = _of_account(user, platform, accounts[0])
    else:
        connection = PlatformConnection(
            user_id=user.id,
            platform=platform,
            account_id=f"choosing-{secrets.token_hex(8)}",
            account_name="",
            choices=[asdict(account) for account in accounts],
            status=ConnectionStatus.CHOOSING,
        )
        db.session.add(connection)
    db.session.flush()
    tokens.seal_token(connection, token)
    db.session.commit()
    return connection


def choose(user: User, connection_id: int, account_id: str) -> PlatformConnection:
    """Settles a waiting connection on one of its accounts. Raises NotFound or Problem."""
    connection = get(user, connection_id)
    chosen = next((Account(**one) for one in connection.choices or [] if one["id"] == account_id), None)
    if connection.status != ConnectionStatus.CHOOSING or chosen is None:
        raise NotFound
    # The token is sealed for this row: an older connection of the same account gives way to it.
    older = _find(user, connection.platform, account_id)
    if older is not None:
        db.session.execute(
            update(Publication).where(Publication.connection_id == older.id).values(connection_id=connection.id)
        )
        db.session.delete(older)
        db.session.flush()
    connection.account_id = chosen.id
    _describe(connection, chosen)
    db.session.commit()
    return connection


def _of_account(user: User, platform: str, account: Account) -> PlatformConnection:
    connection = _find(user, platform, account.id)
    if connection is None:
        connection = PlatformConnection(user_id=user.id, platform=platform, account_id=account.id)
        db.session.add(connection)
    _describe(connection, account)
    return connection


def _find(user: User, platform: str, account_id: str) -> PlatformConnection | None:
    return db.session.scalars(
        select(PlatformConnection).where(
            PlatformConnection.user_id == user.id,
            PlatformConnection.platform == platform,
            PlatformConnection.account_id == account_id,
        )
    ).first()


def _describe(connection: PlatformConnection, account: Account) -> None:
    connection.account_name = account.name
    connection.account_url = account.url
    connection.avatar_url = account.avatar_url
    connection.facts = dict(account.facts)
    connection.choices = None
    connection.status, connection.reason = ConnectionStatus.ACTIVE, None


def disconnect(user: User, connection_id: int) -> int:
    """Deletes the connection and its token; answers how many live publications were cancelled with it."""
    connection = get(user, connection_id)
    cancelled = cancel_all_of(connection_id=connection.id)
    db.session.delete(connection)
    db.session.commit()
    return cancelled
