"""Tokens that age: refreshed once, before they run out, and never at the cost of what the user has just renewed."""

import multiprocessing
import os
import signal
import threading
import time
from datetime import timedelta

import pytest

from app import clock, jobs
from app.db import commit, db, reading
from app.models import ConnectionStatus, PlatformConnection, Revocation, Status
from app.platform_access import tokens
from app.platform_access.rate_limits import paced_adapter
from app.platforms.base import Account, Token
from app.platforms.errors import RateLimited, Reconnect, TokenExpired
from app.services import connections, publications, undo
from app.services.publications import Choice
from app.vault import CannotOpen
from tests.edges import committed
from tests.notifications.reading import notifications
from tests.publishing.conftest import at_work, fresh, in_a_work_horse, row, settle, too_late_to_undo, wait_until
from tests.publishing.toy import Toy

WORKERS = 12


@pytest.fixture
def owner(user):
    return user(plan="business")


def the_connection() -> PlatformConnection:
    db.session.rollback()
    return db.session.query(PlatformConnection).populate_existing().one()


def refreshes(sandbox) -> int:
    """How often VK ID was asked for a token after the first, which a code was given for."""
    return sum(call["path"] == "/vk-id/oauth2/auth" for call in sandbox.requests) - 1


@pytest.fixture
def aging(app, toy, owner):
    """A connection to the toy whose token runs out in a minute."""
    token = Token("toy-token", "refresh-0", clock.now() + timedelta(minutes=1))
    return committed(connections.save(owner, "toy", [Account("1", "Игрушка")], token))


def test_twelve_workers_that_want_the_same_refresh_ask_once(app, sandbox, owner, vk):
    connection = vk(owner)
    connection_id, used = connection.id, tokens.open_token(connection)
    sandbox.trouble({"match": "oauth2/auth", "do": "delay:1"})
    db.session.remove()
    together, got = threading.Barrier(WORKERS), []

    def want() -> None:
        with app.app_context():
            together.wait()
            while True:
                try:
                    got.append(tokens.refresh(connection_id, paced_adapter("vk"), used))
                    return
                except RateLimited as limited:
                    time.sleep(max((limited.until - clock.now()).total_seconds(), 0))

    threads = [threading.Thread(target=want) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(got) == WORKERS
    assert all(token == got[0] and token.access != used.access for token in got)
    assert refreshes(sandbox) == 1
    assert tokens.open_token(the_connection()) == got[0]


def test_twelve_publications_of_one_old_token_refresh_it_once(app, toy, aging, owner, ready_clip):
    clips = [ready_clip(owner, title=f"Клип {number}") for number in range(WORKERS)]
    made = [publications.publish(owner, clip.id, [Choice(aging.id, clip.title, "")])[0].id for clip in clips]
    commit()
    hold = toy.hold("refresh")
    work_horses = [in_a_work_horse(app, publication_id) for publication_id in made]
    assert hold.arrived.wait(20)
    hold.let_go()
    for work_horse in work_horses:
        work_horse.join(60)
    assert [settle(publication_id).status for publication_id in made] == [Status.PUBLISHED] * WORKERS
    assert toy.calls["refresh"] == 1
    assert sorted(toy.posts.values()) == [1] * WORKERS


def test_the_tick_refreshes_well_before_the_end(app, sandbox, owner, vk):
    connection = vk(owner)
    assert at_work(tokens.due_refreshes) == []
    assert connection.token_refresh_at < connection.token_expires_at - timedelta(minutes=10)
    wait_until(connection.token_refresh_at)
    [connection_id] = at_work(tokens.due_refreshes)
    for _ in range(3):
        at_work(jobs.refresh_token, connection_id)
    assert refreshes(sandbox) == 1
    assert at_work(tokens.due_refreshes) == []
    assert the_connection().token_expires_at > clock.now() + timedelta(minutes=50)


def test_a_platform_that_does_not_answer_is_asked_again_later(app, sandbox, owner, vk):
    connection_id = vk(owner).id
    wait_until(the_connection().token_refresh_at)
    sandbox.trouble({"match": "oauth2/auth", "do": "status:502"})
    at_work(jobs.refresh_token, connection_id)
    assert at_work(tokens.due_refreshes) == []
    assert the_connection().status == ConnectionStatus.ACTIVE
    sandbox.trouble()
    wait_until(the_connection().token_refresh_at)
    at_work(jobs.refresh_token, connection_id)
    assert the_connection().token_expires_at > clock.now() + timedelta(minutes=50)


@pytest.mark.parametrize(
    "do", ["page:401", "page:403", "page:400", "page:429", "status:429", "error:server_error", "error:invalid_client"]
)
def test_only_the_platforms_word_on_the_token_makes_its_user_connect_again(app, sandbox, owner, vk, do):
    connection_id = vk(owner).id
    wait_until(the_connection().token_refresh_at)
    sandbox.trouble({"match": "oauth2/auth", "do": do, "retry_after": 600})
    at_work(jobs.refresh_token, connection_id)
    assert the_connection().status == ConnectionStatus.ACTIVE
    assert timedelta(0) < the_connection().token_refresh_at - clock.now() <= timedelta(hours=1)
    if "429" in do:
        assert the_connection().token_refresh_at - clock.now() > timedelta(minutes=9)


def test_a_revoked_account_asks_its_user_once(app, sandbox, owner, vk):
    connection = vk(owner)
    sandbox.control("revoke", platform="vk", account=connection.account_id)
    wait_until(connection.token_refresh_at)
    for _ in range(2):
        at_work(jobs.refresh_token, connection.id)
    assert the_connection().status == ConnectionStatus.RECONNECT
    assert at_work(tokens.due_refreshes) == []
    [notification] = notifications()
    assert (notification.kind, notification.connection_id) == ("reconnect", connection.id)


def test_a_token_that_expires_between_the_click_and_the_upload_publishes_once(app, sandbox, owner, vk, ready_clip):
    connection, clip = vk(owner), ready_clip(owner)
    [one] = publications.publish(owner, clip.id, [Choice(connection.id, clip.title, "")])
    commit()
    sandbox.control("expire", platform="vk", account=connection.account_id)
    assert settle(one.id).status == Status.PUBLISHED, row(one.id).detail
    assert len(sandbox.posts) == 1
    assert refreshes(sandbox) == 1


def test_an_answer_that_was_lost_leads_to_the_user(app, sandbox, owner, vk):
    """VK has turned the pair over and we have not got the new one: the old refresh token is worth nothing now."""
    connection = vk(owner)
    wait_until(connection.token_refresh_at)
    sandbox.trouble({"match": "oauth2/auth", "do": "lose_answer", "times": 1})
    at_work(jobs.refresh_token, connection.id)
    assert the_connection().status == ConnectionStatus.ACTIVE
    wait_until(the_connection().token_refresh_at)
    at_work(jobs.refresh_token, connection.id)
    assert the_connection().status == ConnectionStatus.RECONNECT
    assert [one.kind for one in notifications()] == ["reconnect"]


def test_a_worker_that_died_in_a_refresh_does_not_block_the_others(app, toy, aging):
    connection_id = aging.id
    Toy.die_at = "refresh:after"

    def ride() -> None:
        db.engine.dispose(close=False)
        tokens.refresh(connection_id, paced_adapter("toy"), tokens.open_token(the_connection()))
        os._exit(0)

    db.session.remove()
    work_horse = multiprocessing.get_context("fork").Process(target=ride)
    work_horse.start()
    work_horse.join(20)
    assert work_horse.exitcode == -signal.SIGKILL
    Toy.die_at = ""
    used = tokens.open_token(the_connection())
    with pytest.raises(RateLimited):
        tokens.refresh(connection_id, paced_adapter("toy"), used)
    wait_until(the_connection().refresh_until + timedelta(seconds=1))
    assert tokens.refresh(connection_id, paced_adapter("toy"), used).access == "toy-token-2"


def in_the_middle_of_a_refresh(app, toy, connection_id: int, act) -> list:
    """Refreshes in another thread, and does `act` while the platform is thinking; answers the outcome."""
    hold, outcome = toy.hold("refresh"), []
    used = tokens.open_token(the_connection())
    db.session.remove()

    def want() -> None:
        with app.app_context():
            try:
                outcome.append(tokens.refresh(connection_id, paced_adapter("toy"), used))
            except Reconnect as error:
                outcome.append(error)

    thread = threading.Thread(target=want)
    thread.start()
    assert hold.arrived.wait(20)
    act()
    hold.let_go()
    thread.join(20)
    return outcome


def test_what_the_user_has_just_renewed_stands(app, toy, aging, owner):
    renewed = Token("renewed", "refresh-r", clock.now() + timedelta(hours=1))

    def reconnect() -> None:
        committed(connections.save(fresh(owner), "toy", [Account("1", "Игрушка")], renewed))

    [answer] = in_the_middle_of_a_refresh(app, toy, aging.id, reconnect)
    assert answer == renewed
    assert tokens.open_token(the_connection()) == renewed
    assert the_connection().refresh_until is None


def test_a_refusal_of_the_old_token_does_not_spoil_the_renewed_one(app, toy, aging, owner):
    used = tokens.open_token(aging)
    committed(connections.save(owner, "toy", [Account("1", "Игрушка")], Token("renewed")))
    assert at_work(tokens.require_reconnect, aging.id, used) is False
    assert the_connection().status == ConnectionStatus.ACTIVE
    assert notifications() == []


def used_tokens(connection_id: int, *outcomes: Exception | None) -> list[str]:
    """With which tokens the platform is called; each call ends with the next of the outcomes."""
    connection = fresh_connection(connection_id)
    used, left = [], list(outcomes)

    def call(_adapter, _account, token: Token) -> str:
        used.append(token.access)
        outcome = left.pop(0)
        if outcome:
            raise outcome
        return token.access

    at_work(tokens.with_fresh_token, connection, call)
    return used


def fresh_connection(connection_id: int) -> PlatformConnection:
    with reading():
        connection = db.session.get(PlatformConnection, connection_id)
        db.session.expunge_all()
    return connection


def test_a_token_that_runs_out_soon_is_refreshed_before_its_use(app, toy, aging):
    assert used_tokens(aging.id, None) == ["toy-token-1"]
    assert toy.calls["refresh"] == 1


def test_a_call_whose_token_has_run_out_is_made_once_more(app, toy, owner):
    token = Token("toy-token", "refresh-0", clock.now() + timedelta(hours=1))
    connection_id = connections.save(owner, "toy", [Account("1", "Игрушка")], token).id
    db.session.commit()
    assert used_tokens(connection_id, TokenExpired(), None) == ["toy-token", "toy-token-1"]
    with pytest.raises(TokenExpired):
        used_tokens(connection_id, TokenExpired(), TokenExpired())
    assert the_connection().status == ConnectionStatus.RECONNECT
    assert toy.calls["refresh"] == 2


def test_only_a_refusal_of_the_token_that_is_stored_marks_the_connection(app, toy, owner):
    connection = connections.save(owner, "toy", [Account("1", "Игрушка")], Token("toy-token"))
    db.session.commit()
    known = fresh_connection(connection.id)
    connections.save(fresh(owner), "toy", [Account("1", "Игрушка")], Token("renewed"))
    db.session.commit()

    def refuse(_adapter, _account, _token):
        raise Reconnect

    with pytest.raises(tokens.TokenReplaced):
        at_work(tokens.with_fresh_token, known, refuse)
    assert the_connection().status == ConnectionStatus.ACTIVE
    now = fresh_connection(known.id)
    with pytest.raises(Reconnect):
        at_work(tokens.with_fresh_token, now, refuse)
    assert the_connection().status == ConnectionStatus.RECONNECT


def test_a_pair_that_comes_after_the_disconnect_is_given_back(app, toy, aging, owner):
    connection_id = aging.id

    def disconnect() -> None:
        committed(connections.disconnect(fresh(owner), connection_id))
        too_late_to_undo()

    [answer] = in_the_middle_of_a_refresh(app, toy, connection_id, disconnect)
    assert isinstance(answer, Reconnect)
    old, new = db.session.query(Revocation).order_by(Revocation.id)
    opened = [tokens.open_token(one).access for one in (old, new)]
    assert opened == ["toy-token", "toy-token-1"]


def test_a_pair_that_comes_after_the_disconnect_is_kept_while_that_can_be_taken_back(app, toy, aging, owner):
    connection_id, undone = aging.id, []

    def disconnect() -> None:
        undone.append(committed(connections.disconnect(fresh(owner), connection_id)).undo_id)

    [answer] = in_the_middle_of_a_refresh(app, toy, connection_id, disconnect)
    assert answer.access == "toy-token-1"
    committed(undo.restore(fresh(owner), undone[0]))
    assert tokens.open_token(fresh_connection(connection_id)).access == "toy-token-1"
    assert db.session.query(Revocation).count() == 0


def test_a_token_that_cannot_be_opened_lets_the_others_go_first(app, user):
    damaged = PlatformConnection(
        user_id=user().id,
        platform="vk",
        account_id="9",
        account_name="x",
        sealed_token=b"\x01" * 80,
        token_refresh_at=clock.now() - timedelta(days=1),
    )
    db.session.add(damaged)
    db.session.commit()
    with pytest.raises(CannotOpen):
        at_work(tokens.refresh_due, damaged.id)
    assert at_work(tokens.due_refreshes) == []
