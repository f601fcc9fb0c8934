"""The connected accounts of a user: made, renewed, chosen, disconnected. What leads to them: `services.connecting`."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, or_, select, update

from app import clock, platforms
from app.db import db
from app.models import (
    LIVE,
    ConnectionStatus,
    PlatformConnection,
    Publication,
    Status,
    UndoKind,
    User,
    lock_user,
)
from app.platform_access import questions, revocations, tokens
from app.platforms.base import Account, Token
from app.problems import NotFound, Problem
from app.publishing import state_machine
from app.services import asked_options, audit_log, undo, withheld
from app.services.publications import cancel_all_of

# The name of a fact: by which account's token another one was connected (`services.further_accounts`).
THROUGH = "through"
CHOICE_LIFETIME = timedelta(hours=1)
MAX_ACCOUNT_ID = PlatformConnection.account_id.type.impl.length  # cut, it would identify another account

_FINISHING = and_(
    Publication.status == Status.PUBLISHING, or_(Publication.commit_in_doubt.is_not(None), Publication.has_receipt)
)
# They stay: only their user can confirm them, which needs no connection.
_UNCONFIRMED = Publication.status == Status.UNCONFIRMED


@dataclass(frozen=True)
class Disconnection:
    """What disconnecting does to live publications: how many it cancels, how many have passed their point of no return
    and finish, and how many stay unconfirmed; `undo_id` takes it back. Of the cancelled the `planned` were to go out
    later, and can be brought back once the account is connected again.
    """

    cancelled: int
    finishing: int
    unconfirmed: int = 0
    planned: int = 0
    undo_id: int | None = field(default=None, compare=False)


def get(user: User, connection_id: int, *, lock: bool = False) -> PlatformConnection:
    """Raises NotFound, for another user's connection too.

    With `lock`, a second request for the same connection waits for the first, and sees what it has changed.
    """
    found = select(PlatformConnection).where(
        PlatformConnection.id == connection_id, PlatformConnection.user_id == user.id
    )
    if lock:
        found = found.with_for_update().execution_options(populate_existing=True)
    connection = db.session.scalar(found)
    if connection is None:
        raise NotFound
    return connection


def save(
    user: User, platform: str, accounts: Sequence[Account], token: Token, *, has_more: bool = False
) -> PlatformConnection:
    """Makes the connection, or renews the one that the user already has for the account. Raises Problem.

    Of several accounts the user has to `choose()`; until then nothing is published with the connection. With `has_more`
    a worker asks for further ones first.
    """
    if not all(fits(account.id) for account in accounts):
        raise Problem("unexpected_answer")
    lock_user(user.id)
    if len(accounts) == 1 and not has_more:
        connection = of_account(user, platform, accounts[0])
        renewed = _shared_with(connection)
    else:
        renewed = []
        connection = _to_choose(user, platform, accounts)
    db.session.flush()
    for one in renewed:
        one.status, one.reason = ConnectionStatus.ACTIVE, None
    for one in (connection, *renewed):
        tokens.seal_token(one, token)
        if one.status == ConnectionStatus.ACTIVE:
            record_connected(one)
    if has_more:
        questions.ask(user.id, "accounts", connection.id)
    return connection


def _to_choose(user: User, platform: str, accounts: Sequence[Account]) -> PlatformConnection:
    """The one whose choice begins with the same account, from another click or tab, or a new one."""
    choosing = select(PlatformConnection).where(
        PlatformConnection.user_id == user.id,
        PlatformConnection.platform == platform,
        PlatformConnection.status == ConnectionStatus.CHOOSING,
    )
    for connection in db.session.scalars(choosing.with_for_update()):
        if connection.choices and connection.choices[0]["id"] == accounts[0].id:
            return connection
    connection = PlatformConnection(
        user_id=user.id,
        platform=platform,
        account_id=f"choosing-{secrets.token_hex(8)}",
        account_name="",
        choices=[asdict(account) for account in accounts],
        status=ConnectionStatus.CHOOSING,
    )
    db.session.add(connection)
    return connection


def fits(account_id: str) -> bool:
    return 0 < len(account_id) <= MAX_ACCOUNT_ID


def choose(user: User, connection_id: int, account_id: str) -> PlatformConnection:
    """Makes one of the accounts the connection's. Raises NotFound."""
    lock_user(user.id)
    connection = get(user, connection_id, lock=True)
    if (connection.status, connection.account_id) == (ConnectionStatus.ACTIVE, account_id):
        return connection  # a double click
    chosen = next((Account(**one) for one in connection.choices or [] if one["id"] == account_id), None)
    if connection.status != ConnectionStatus.CHOOSING or chosen is None:
        raise NotFound
    take(connection, chosen)
    return connection


def take(connection: PlatformConnection, account: Account) -> None:
    """Makes an account the one of a connection whose account was to be chosen."""
    # The token is sealed for this row, so it takes the place of an older connection of the same account.
    older = _find(connection.user_id, connection.platform, account.id)
    if older is not None:
        revocations.keep(older)
        db.session.execute(
            update(Publication).where(Publication.connection_id == older.id).values(connection_id=connection.id)
        )
        db.session.delete(older)
        db.session.flush()
    connection.account_id = account.id
    _describe(connection, account)
    record_connected(connection)


def record_connected(connection: PlatformConnection) -> None:
    """In the audit log; the platform is asked what the account can choose."""
    audit_log.record(connection.user_id, "connected", _audit_detail(connection))
    asked_options.ask_first(connection)


def sweep() -> None:
    """Connections whose account was never chosen: a token is not kept for what is not used."""
    unchosen = select(PlatformConnection).where(
        PlatformConnection.status == ConnectionStatus.CHOOSING,
        PlatformConnection.created_at <= clock.now() - CHOICE_LIFETIME,
    )
    for connection in db.session.scalars(unchosen.with_for_update()).all():
        revocations.keep(connection)
        db.session.delete(connection)


def of_account(user: User, platform: str, account: Account) -> PlatformConnection:
    """The user's connection to an account, as the platform describes it now, or a new one without a token."""
    connection = _find(user.id, platform, account.id)
    if account.previous_id:
        withheld.move_account(user, platform, account.previous_id, account.id)
    if connection is None and account.previous_id:
        # From before the platform gave the account's real id, which it and its publications get now.
        connection = _find(user.id, platform, account.previous_id)
        if connection is not None:
            moved = update(Publication).where(Publication.connection_id == connection.id)
            db.session.execute(moved.values(account_id=account.id))
            connection.account_id = account.id
    if connection is None:
        connection = PlatformConnection(user_id=user.id, platform=platform, account_id=account.id)
        db.session.add(connection)
    _describe(connection, account)
    return connection


def _shared_with(connection: PlatformConnection) -> list[PlatformConnection]:
    """Those that were connected by this account's token and have lost it with it."""
    lost = select(PlatformConnection).where(
        PlatformConnection.user_id == connection.user_id,
        PlatformConnection.platform == connection.platform,
        PlatformConnection.status == ConnectionStatus.RECONNECT,
    )
    others = (one for one in db.session.scalars(lost.with_for_update()) if one is not connection)
    return [one for one in others if one.facts.get(THROUGH) == connection.account_id]


def _find(user_id: int, platform: str, account_id: str) -> PlatformConnection | None:
    return db.session.scalars(
        select(PlatformConnection).where(
            PlatformConnection.user_id == user_id,
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


def preview_disconnect(user: User, connection_id: int) -> Disconnection:
    """What `disconnect()` would do now. Raises NotFound."""
    connection = get(user, connection_id)
    finishing, unconfirmed = len(_publications(connection, _FINISHING)), len(_publications(connection, _UNCONFIRMED))
    live = len(_publications(connection, Publication.status.in_(LIVE)))
    planned = len(_publications(connection, Publication.status == Status.SCHEDULED))
    return Disconnection(live - finishing - unconfirmed, finishing, unconfirmed, planned)


def disconnect(user: User, connection_id: int) -> Disconnection:
    """Disconnects at once; for some seconds it can be taken back, and only then the connection with its token is
    deleted. Raises NotFound.

    Publications keep the account's name, its link and their history.
    """
    connection = get(user, connection_id, lock=True)  # from here on no publication can be made for it
    cancelled = cancel_all_of(connection_id=connection.id, reason="disconnected")
    planned = withheld.mark(user, cancelled)
    finishing, unconfirmed = _publications(connection, _FINISHING), _publications(connection, _UNCONFIRMED)
    for publication_id in finishing:
        state_machine.note(publication_id, "disconnected", status=Status.PUBLISHING)
    audit_log.record(user.id, "disconnected", _audit_detail(connection))
    held = undo.hold(user, UndoKind.DISCONNECT, publications=cancelled, connection_id=connection.id)
    return Disconnection(len(cancelled), len(finishing), len(unconfirmed), planned, held.id)


def _publications(connection: PlatformConnection, which: ColumnElement[bool]) -> Sequence[int]:
    return db.session.scalars(select(Publication.id).where(Publication.connection_id == connection.id, which)).all()


def _audit_detail(connection: PlatformConnection) -> str:
    return f"{platforms.ADAPTERS[connection.platform].name}: {connection.account_name}"
