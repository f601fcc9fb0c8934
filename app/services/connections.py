"""Connecting accounts of platforms, and letting go of them."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import func, or_, select, update

from app import clock, platforms, texts
from app.db import db
from app.models import LIVE, ConnectionStatus, PlatformConnection, Publication, Status, User
from app.plans import Plan, cheapest_for
from app.platform_access import revocations, tokens
from app.platforms.base import Account, Adapter, FormField, Token
from app.platforms.errors import PlatformError
from app.problems import NotFound, Problem
from app.publishing import state_machine
from app.services import audit_log
from app.services.publications import cancel_all_of

log = structlog.get_logger(__name__)

# What reading an answer of an unexpected shape raises: a missing field, text for a number, a number out of range.
UNEXPECTED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
CHOICE_LIFETIME = timedelta(hours=1)
MAX_ACCOUNT_ID = PlatformConnection.account_id.type.impl.length  # cut, it would be another account


@dataclass(frozen=True)
class PlatformCard:
    """One platform on the page «Интеграции»."""

    key: str
    name: str
    allowed: bool
    plan_needed: Plan
    consent: bool  # connected by a consent page of the platform
    form: Sequence[FormField]
    mode: str  # which way of publishing is on, where there are several
    unready: str  # why nothing can be published in this installation
    connections: list[PlatformConnection]


@dataclass(frozen=True)
class Ending:
    """What disconnecting means for live publications: how many are cancelled, how many have passed their point of no
    return and are let finish, and of how many it stays unknown whether the clip is there.
    """

    cancelled: int
    finishing: int
    unconfirmed: int = 0


def cards(user: User) -> list[PlatformCard]:
    mine = all_of(user)
    return [
        _card(user, adapter, [one for one in mine if one.platform == key])
        for key, adapter in platforms.ADAPTERS.items()
    ]


def _card(user: User, adapter: type[Adapter], mine: list[PlatformConnection]) -> PlatformCard:
    return PlatformCard(
        key=adapter.key,
        name=adapter.name,
        allowed=user.plan.allows(adapter.key),
        plan_needed=cheapest_for(adapter.key),
        consent=adapter.oauth(current_app.config) is not None,
        form=adapter.form,
        mode=adapter.mode(current_app.config),
        unready=adapter.unready(current_app.config),
        connections=mine,
    )


def all_of(user: User) -> list[PlatformConnection]:
    return list(
        db.session.scalars(
            select(PlatformConnection).where(PlatformConnection.user_id == user.id).order_by(PlatformConnection.id)
        )
    )


def get(user: User, connection_id: int) -> PlatformConnection:
    """Raises NotFound, for a stranger's connection too."""
    connection = db.session.scalars(
        select(PlatformConnection).where(PlatformConnection.id == connection_id, PlatformConnection.user_id == user.id)
    ).first()
    if connection is None:
        raise NotFound
    return connection


def _one_at_a_time(user: User) -> None:
    """Until the commit: each half of a double click, and each of two tabs, sees what the other has connected."""
    db.session.execute(select(User.id).where(User.id == user.id).with_for_update())


def _locked(user: User, connection_id: int) -> PlatformConnection:
    """As `get()`; a second request for the same connection waits for the first, and sees what became of it."""
    connection = db.session.scalar(
        select(PlatformConnection)
        .where(PlatformConnection.id == connection_id, PlatformConnection.user_id == user.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if connection is None:
        raise NotFound
    return connection


def connect(user: User, platform: str, fields: Mapping[str, str]) -> PlatformConnection:
    """Asks the platform whether what the user typed is good, and seals the token. Raises NotFound or Problem."""
    if platform not in platforms.ADAPTERS:
        raise NotFound
    adapter = platforms.adapter(platform, current_app.config)
    require_plan(user, platform)
    for field in adapter.form:
        if not fields.get(field.name, "").strip():
            raise Problem(f"Заполните поле «{field.label}».", field.name)
    accounts, token = _ask(lambda: adapter.connect(fields))
    return save(user, platform, accounts, token)


def accept(user: User, platform: str, answer: Mapping[str, Any], arguments: Mapping[str, str]) -> PlatformConnection:
    """The connection that a consent gives: `answer` is the token address's, `arguments` the callback's.

    Raises Problem, where a right was withheld for instance: nothing is connected then.
    """
    require_plan(user, platform)
    adapter = platforms.adapter(platform, current_app.config)
    accounts, token = _ask(lambda: adapter.accept(answer, arguments))
    return save(user, platform, accounts, token)


def require_plan(user: User, platform: str) -> None:
    """Raises Problem where the plan does not include the platform."""
    if not user.plan.allows(platform):
        name, needed = platforms.ADAPTERS[platform].name, cheapest_for(platform).title
        raise Problem(f"{name} доступен на тарифе {needed}. Смените тариф.")


def _ask(platform_call: Callable[[], tuple[list[Account], Token]]) -> tuple[list[Account], Token]:
    db.session.rollback()  # asking may take seconds, and the database must not wait for it
    try:
        return platform_call()
    except PlatformError as error:
        raise Problem(texts.sentence(error.reason, error.params), error.params.get("field")) from error
    except UNEXPECTED as error:
        log.exception("an answer of an unexpected shape")
        raise Problem(texts.sentence("unexpected_answer")) from error


def save(user: User, platform: str, accounts: Sequence[Account], token: Token) -> PlatformConnection:
    """Makes the connection, or renews the one that the user already has for the account. Raises Problem.

    Of several accounts the user has to `choose()`; until then the connection waits and publishes nothing.
    """
    if any(not 0 < len(account.id) <= MAX_ACCOUNT_ID for account in accounts):
        raise Problem(texts.sentence("unexpected_answer"))
    _one_at_a_time(user)
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
    if connection.status == ConnectionStatus.ACTIVE:
        audit_log.record(user.id, "connected", _told(connection))
    db.session.commit()
    return connection


def choose(user: User, connection_id: int, account_id: str) -> PlatformConnection:
    """Settles a waiting connection on one of its accounts. Raises NotFound."""
    _one_at_a_time(user)
    connection = _locked(user, connection_id)
    if (connection.status, connection.account_id) == (ConnectionStatus.ACTIVE, account_id):
        return connection  # a double click
    chosen = next((Account(**one) for one in connection.choices or [] if one["id"] == account_id), None)
    if connection.status != ConnectionStatus.CHOOSING or chosen is None:
        raise NotFound
    # The token is sealed for this row: an older connection of the same account gives way to it.
    older = _find(user, connection.platform, account_id)
    if older is not None:
        revocations.keep(older)
        db.session.execute(
            update(Publication).where(Publication.connection_id == older.id).values(connection_id=connection.id)
        )
        db.session.delete(older)
        db.session.flush()
    connection.account_id = chosen.id
    _describe(connection, chosen)
    audit_log.record(user.id, "connected", _told(connection))
    db.session.commit()
    return connection


def sweep() -> None:
    """Connections of which nobody has chosen an account: a token is not kept for what is never used."""
    unchosen = select(PlatformConnection.id).where(
        PlatformConnection.status == ConnectionStatus.CHOOSING,
        PlatformConnection.created_at <= clock.now() - CHOICE_LIFETIME,
    )
    for connection_id in db.session.scalars(unchosen).all():
        connection = db.session.get(PlatformConnection, connection_id, with_for_update=True, populate_existing=True)
        if connection is not None and connection.status == ConnectionStatus.CHOOSING:
            revocations.keep(connection)
            db.session.delete(connection)
        db.session.commit()


def _of_account(user: User, platform: str, account: Account) -> PlatformConnection:
    connection = _find(user, platform, account.id) or _under_its_former_id(user, platform, account)
    if connection is None:
        connection = PlatformConnection(user_id=user.id, platform=platform, account_id=account.id)
        db.session.add(connection)
    _describe(connection, account)
    return connection


def _under_its_former_id(user: User, platform: str, account: Account) -> PlatformConnection | None:
    """The account's connection from before the platform told its real id, which it and its publications get now."""
    connection = _find(user, platform, account.previous_id) if account.previous_id else None
    if connection is not None:
        db.session.execute(
            update(Publication).where(Publication.connection_id == connection.id).values(account_id=account.id)
        )
        connection.account_id = account.id
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
    connection.status, connection.reason = ConnectionStatus.ACTIVE, account.limitation


def ending(user: User, connection_id: int) -> Ending:
    """What `disconnect()` would do now. Raises NotFound."""
    connection = get(user, connection_id)
    finishing, unconfirmed = len(_finishing(connection)), _unconfirmed(connection)
    live = select(func.count()).where(Publication.connection_id == connection.id, Publication.status.in_(LIVE))
    return Ending(db.session.scalar(live) - finishing - unconfirmed, finishing, unconfirmed)


def disconnect(user: User, connection_id: int) -> Ending:
    """Deletes the connection and its token at once; a worker tells the platform. Raises NotFound.

    What is published keeps the account's name, its link and its history.
    """
    connection = _locked(user, connection_id)  # from here on no publication can be made for it
    cancelled = cancel_all_of(connection_id=connection.id, reason="disconnected")
    finishing = _finishing(connection)
    for publication_id in finishing:
        state_machine.note(publication_id, "disconnected", status=Status.PUBLISHING)
    unconfirmed = _unconfirmed(connection)
    revocations.keep(connection)
    audit_log.record(user.id, "disconnected", _told(connection))
    db.session.delete(connection)
    db.session.commit()
    return Ending(cancelled, len(finishing), unconfirmed)


def _finishing(connection: PlatformConnection) -> Sequence[int]:
    return db.session.scalars(
        select(Publication.id).where(
            Publication.connection_id == connection.id,
            Publication.status == Status.PUBLISHING,
            or_(Publication.commit_in_doubt.is_not(None), Publication.has_receipt),
        )
    ).all()


def _unconfirmed(connection: PlatformConnection) -> int:
    """They stay: only their user can answer, and needs no connection for that."""
    return db.session.scalar(
        select(func.count()).where(Publication.connection_id == connection.id, Publication.status == Status.UNCONFIRMED)
    )


def _told(connection: PlatformConnection) -> str:
    """For «Безопасность»."""
    return f"{platforms.ADAPTERS[connection.platform].name}: {connection.account_name}"
