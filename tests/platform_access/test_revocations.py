"""A disconnected account's token: it is revoked, others keep theirs, and nothing stays for long."""

from datetime import timedelta

import pytest

from app import clock, jobs, platforms
from app.db import commit, db
from app.models import UNDO_TIME, ConnectionStatus, PlatformConnection, Publication, Revocation
from app.platform_access import revocations, tokens
from app.platforms.base import Account
from app.services import connections, publications
from app.services.publications import Choice
from tests.edges import committed
from tests.publishing.conftest import at_work, too_late_to_undo, wait_until


@pytest.fixture
def owner(user):
    return user(plan="business")


def kept() -> list[Revocation]:
    db.session.rollback()
    return db.session.query(Revocation).populate_existing().all()


def disconnect(owner, connection_id: int) -> connections.Disconnection:
    """Once it can no longer be taken back."""
    disconnection = committed(connections.disconnect(owner, connection_id))
    too_late_to_undo()
    return disconnection


def logouts(sandbox) -> list[int]:
    return [call["status"] for call in sandbox.requests if call["path"] == "/vk-id/oauth2/logout"]


def run_due() -> None:
    for revocation_id in at_work(revocations.due):
        at_work(jobs.revoke_token, revocation_id)


def test_the_token_is_revoked_and_the_row_goes(app, sandbox, owner, vk):
    disconnect(owner, vk(owner).id)
    assert db.session.query(PlatformConnection).count() == 0
    [row] = kept()
    assert row.sealed_for.startswith("connection:")
    run_due()
    assert logouts(sandbox) == [200]
    assert kept() == []


def test_it_is_tried_again_and_gone_in_a_quarter_of_an_hour_whatever_happens(app, sandbox, owner, vk):
    begun = clock.now()
    disconnect(owner, vk(owner).id)
    sandbox.trouble({"match": "logout", "do": "status:502"})
    while rows := kept():
        run_due()
        wait_until(min(rows[0].wake_at, rows[0].expires_at))
        at_work(revocations.sweep)
        assert clock.now() - begun < timedelta(minutes=15)
    assert len(logouts(sandbox)) > 3


def test_two_jobs_revoke_it_once(app, sandbox, owner, vk):
    disconnect(owner, vk(owner).id)
    [row] = kept()
    revocation_id = row.id
    for _ in range(2):
        at_work(jobs.revoke_token, revocation_id)
    assert logouts(sandbox) == [200]


def test_a_token_that_has_run_out_is_refreshed_to_be_given_back(app, sandbox, owner, vk):
    connection = vk(owner)
    connection_id, expires_at = connection.id, connection.token_expires_at
    sandbox.control("expire", platform="vk", account=connection.account_id)
    wait_until(expires_at)
    disconnect(owner, connection_id)
    run_due()
    assert logouts(sandbox) == [200]
    assert kept() == []


def test_an_own_token_is_its_owners_business(app, sandbox, owner):
    adapter = platforms.adapter("vk", app.config)
    accounts, token = adapter.connect({"token": "vk1.a.vezde-demo"})
    connection = committed(connections.save(owner, "vk", accounts[:1], token))
    disconnect(owner, connection.id)
    run_due()
    assert logouts(sandbox) == []
    assert kept() == []


def test_a_token_that_another_connection_has_too_stays(app, sandbox, user, owner, vk):
    first = vk(owner)
    other = user(plan="business")
    token = tokens.open_token(first)
    account = Account(first.account_id, first.account_name, facts=first.facts)
    second = committed(connections.save(other, "vk", [account], token))
    disconnect(owner, first.id)
    run_due()
    assert logouts(sandbox) == []
    assert kept() == []
    disconnect(other, second.id)
    run_due()
    assert logouts(sandbox) == [200]


def test_while_a_commit_may_be_in_flight_the_token_stays_good(app, sandbox, owner, vk, ready_clip):
    connection, clip = vk(owner), ready_clip(owner)
    [one] = publications.publish(owner, clip.id, [Choice(connection.id, clip.title, "")])
    commit()
    until = clock.now() + UNDO_TIME + timedelta(minutes=4)
    db.session.execute(
        db.update(Publication)
        .where(Publication.id == one.id)
        .values(commit_in_doubt="publish", in_doubt_until=until, lease_until=until)
    )
    db.session.commit()
    assert disconnect(owner, connection.id).finishing == 1
    assert at_work(revocations.due) == []
    assert kept()[0].wake_at > until
    wait_until(kept()[0].wake_at)
    run_due()
    assert kept() == []


def test_a_token_that_cannot_be_opened_stops_only_itself(app, sandbox, owner, user, vk):
    """Sealed with a key that is lost, or damaged."""
    damaged = PlatformConnection(
        user_id=user().id, platform="vk", account_id="9", account_name="x", sealed_token=b"\x01" * 80
    )
    db.session.add(damaged)
    db.session.add(Revocation(platform="vk", sealed_token=b"\x01" * 80, sealed_for="connection:99"))
    db.session.commit()
    disconnect(owner, vk(owner).id)
    run_due()
    assert logouts(sandbox) == [200]
    assert [row.sealed_for for row in kept()] == ["connection:99"]


def test_accounts_not_chosen_go_with_their_token(app, sandbox, owner, vk):
    two = [Account(id="1", name="Анна"), Account(id="-2", name="Сообщество")]
    waiting = committed(connections.save(owner, "vk", two, tokens.open_token(vk(owner))))
    committed(connections.sweep())
    assert db.session.query(PlatformConnection).count() == 2
    waiting.created_at = clock.now() - connections.CHOICE_LIFETIME
    db.session.commit()
    at_work(lambda: committed(connections.sweep()))
    db.session.rollback()
    assert db.session.query(PlatformConnection).one().status == ConnectionStatus.ACTIVE
    assert len(kept()) == 1
    run_due()
    assert logouts(sandbox) == [], "another connection uses the same token"
    assert kept() == []
