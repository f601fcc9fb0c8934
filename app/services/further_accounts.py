"""Further accounts that a connection's token leads to: listed by the platform or named by their address, and connected
together by one press, each as a connection of its own with the same token.

A worker lists them, finds what was typed, and hands the token on: no other process opens one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app import clock, platforms
from app.db import db
from app.models import ConnectionStatus, PlatformConnection, Question, QuestionState, User, lock_user
from app.platform_access import tokens
from app.platform_access.questions import ask
from app.platforms.base import Account, Adapter
from app.problems import NotFound, Problem
from app.services import audit_log, connecting, connections
from app.services.connections import THROUGH

# A list that is older is asked for once more, when a user opens the window.
_FRESH = timedelta(minutes=1)


@dataclass(frozen=True)
class Choice:
    account: Mapping[str, Any]
    ticked: bool
    is_own: bool  # the page of the token's user, not one of the further accounts


@dataclass(frozen=True)
class Window:
    """What the window shows. `waits`: for the platform's list, or for what was chosen to be connected.

    `problem`: why the platform gave no list, or did not connect what was chosen. `limitation`: a key of the reasons'
    texts, where it refuses to list. `connected`: what the last press has connected.
    """

    connection: PlatformConnection
    adapter: type[Adapter]
    choices: Sequence[Choice]
    waits: str = ""  # "list" or "share"
    problem: Problem | None = None
    has_no_list: bool = False
    limitation: str | None = None
    address: str = ""
    connected: Sequence[PlatformConnection] = ()


def open_window(user: User, connection_id: int) -> Window:
    """Asks for the list where there is no fresh one. Raises NotFound or Problem."""
    connection = _get(user, connection_id)
    listing, sharing = _newest(connection, "accounts"), _newest(connection, "share")
    is_over = sharing is not None and sharing.state == QuestionState.ANSWERED
    is_fresh = listing is not None and (
        listing.state == QuestionState.WAITING or listing.created_at > clock.now() - _FRESH
    )
    if connection.status == ConnectionStatus.ACTIVE and (not is_fresh or (is_over and sharing.id > listing.id)):
        ask_for_list(user, connection_id)
    return window(user, connection_id)


def ask_for_list(user: User, connection_id: int) -> None:
    """Asks the platform for the accounts to choose from. Raises NotFound or Problem."""
    connection = _get(user, connection_id)
    if connection.status != ConnectionStatus.RECONNECT:
        ask(user.id, "accounts", connection.id)


def window(user: User, connection_id: int) -> Window:
    """Raises NotFound."""
    connection = _get(user, connection_id)
    adapter = platforms.ADAPTERS[connection.platform]
    listing, sharing = _newest(connection, "accounts"), _newest(connection, "share")
    shown = Window(connection, adapter, _choices(connection, listing))
    if listing and listing.state == QuestionState.WAITING:
        return replace(shown, waits="list")
    shown = replace(shown, limitation=_limitation(connection, listing))
    if listing and listing.state == QuestionState.FAILED:
        shown = replace(shown, problem=Problem(listing.reason, **listing.params), has_no_list=True)
    if sharing is None or (listing and listing.id > sharing.id):
        return shown
    if sharing.state == QuestionState.WAITING:
        return replace(shown, waits="share")
    if sharing.state == QuestionState.ANSWERED:
        ids = PlatformConnection.id.in_(sharing.answer["connection_ids"]), PlatformConnection.user_id == user.id
        return replace(shown, connected=db.session.scalars(select(PlatformConnection).where(*ids)).all())
    return as_sent(shown, sharing.typed["accounts"], sharing.typed["address"], _problem(sharing))


def as_sent(shown: Window, account_ids: Sequence[str], address: str, problem: Problem) -> Window:
    """The window with what was chosen in it, and why it was refused."""
    ticked = [replace(choice, ticked=choice.account["id"] in account_ids) for choice in shown.choices]
    return replace(shown, choices=ticked, address=address, problem=problem, waits="")


def connect(user: User, connection_id: int, account_ids: Sequence[str], address: str) -> None:
    """Connects those accounts, and the one at `address` where it is not empty. Raises NotFound or Problem.

    One account of a choice is connected at once; where there are more, a worker connects them.
    """
    connection = _get(user, connection_id)
    address = address.strip()
    if [connection.account_id] == list(account_ids) and not address:
        return  # a double click
    offered = {choice.account["id"] for choice in _choices(connection, _newest(connection, "accounts"))}
    if not offered.issuperset(account_ids):
        raise NotFound
    if not account_ids and not address:
        raise Problem("no_account_ticked")
    connecting.require_plan(user, connection.platform)
    if connection.status == ConnectionStatus.CHOOSING and len(account_ids) == 1 and not address:
        connections.choose(user, connection_id, account_ids[0])
        return
    typed = {"accounts": list(account_ids), "address": address}
    ask(user.id, "share", connection.id, typed=typed, address=connecting.throttled(user), platform=connection.platform)


# What workers do with the answers


def add_to_choice(question: Question, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Adds the list to the accounts to choose from; where there is only one to choose, that is chosen. Returns it."""
    lock_user(question.user_id)
    connection = _locked(question)
    answer = {**answer, "accounts": [one for one in answer["accounts"] if connections.fits(one["id"])]}
    if connection is None or connection.status != ConnectionStatus.CHOOSING:
        return answer
    [first, *_] = connection.choices
    connection.choices = [{**first, "limitation": answer["limitation"]}, *answer["accounts"]]
    by_address = platforms.ADAPTERS[connection.platform].address_field and answer["limitation"]
    if not answer["accounts"] and not by_address:
        connections.take(connection, Account(**connection.choices[0]))
    return answer


def share(question: Question, found: Sequence[Account]) -> Mapping[str, Any]:
    """Connects what was chosen, unless its question is settled already; returns the connections' ids.

    Raises Problem.
    """
    lock_user(question.user_id)
    waiting = db.session.get(Question, question.id, with_for_update=True, populate_existing=True)
    source = _locked(question)
    if waiting is None or waiting.state != QuestionState.WAITING or source is None or source.sealed_token is None:
        return {"connection_ids": []}
    if not all(connections.fits(account.id) for account in found):
        raise Problem("unexpected_answer")
    choices = _choices(source, _newest(source, "accounts"))
    own = next((choice.account["id"] for choice in choices if choice.is_own), source.account_id)
    through = source.facts.get(THROUGH, own) if source.status == ConnectionStatus.ACTIVE else own
    wanted = [Account(**one.account) for one in choices if one.account["id"] in question.typed["accounts"]]
    accounts = {one.id: one for one in (*wanted, *found)}
    with audit_log.on_behalf_of(question.address):
        return {"connection_ids": [_hand_on(source, one, through) for one in accounts.values()]}


def _hand_on(source: PlatformConnection, account: Account, through: str) -> int:
    if account.id != through:
        account = replace(account, facts={**account.facts, THROUGH: through})
    if source.status == ConnectionStatus.CHOOSING:
        connections.take(source, account)
        return source.id
    if account.id == source.account_id:
        return source.id
    user = db.session.get(User, source.user_id)
    made = connections.of_account(user, source.platform, account)
    db.session.flush()
    tokens.seal_token(made, tokens.open_token(source))
    connections.record_connected(made)
    return made.id


def _locked(question: Question) -> PlatformConnection | None:
    return db.session.get(PlatformConnection, question.connection_id, with_for_update=True, populate_existing=True)


# The rows


def _get(user: User, connection_id: int) -> PlatformConnection:
    connection = connections.get(user, connection_id)
    is_choosing = connection.status == ConnectionStatus.CHOOSING
    if not is_choosing and not platforms.ADAPTERS[connection.platform].has_more_accounts:
        raise NotFound
    return connection


def _newest(connection: PlatformConnection, kind: str) -> Question | None:
    about = Question.user_id == connection.user_id, Question.kind == kind, Question.connection_id == connection.id
    return db.session.scalar(select(Question).where(*about).order_by(Question.id.desc()).limit(1))


def _choices(connection: PlatformConnection, listing: Question | None) -> list[Choice]:
    """What is connected already is not offered to be added; to be chosen, it is renewed."""
    others = select(PlatformConnection).filter_by(user_id=connection.user_id, platform=connection.platform)
    mine = {one.account_id: one.status for one in db.session.scalars(others)}
    lost = {number for number, status in mine.items() if status == ConnectionStatus.RECONNECT}
    if connection.status == ConnectionStatus.CHOOSING:
        ids = [one["id"] for one in connection.choices]
        return [Choice(one, one["id"] in lost or len(ids) == 1, one.get("is_own", False)) for one in connection.choices]
    listed = listing.answer["accounts"] if listing and listing.state == QuestionState.ANSWERED else []
    return [Choice(one, one["id"] in lost, False) for one in listed if one["id"] not in mine or one["id"] in lost]


def _limitation(connection: PlatformConnection, listing: Question | None) -> str | None:
    return listing.answer["limitation"] if listing and listing.state == QuestionState.ANSWERED else None


def _problem(question: Question) -> Problem:
    params = dict(question.params)
    return Problem(question.reason, params.pop("field", None), **params)
