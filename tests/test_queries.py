"""What the database is asked: how many times for a page and for a publish, and by which indexes."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import event, text

from app import clock, queue
from app.db import commit, db
from app.models import Publication, Status
from app.notifications import create, reminders
from app.publishing import dispatch, engine, lease_expiry
from app.services import clip_probes, publications, retention
from app.services.publications import Choice
from app.statistics import collector
from tests import asking
from tests.asking import asked, plans, reads_whole
from tests.publishing.claims import claim

pytestmark = pytest.mark.usefixtures("compact")

PAGE_OF_CLIPS = 24

# How many


def test_an_idle_poll_asks_for_the_user_and_once_more(app, crowd, sign_in):
    web = sign_in(crowd(PAGE_OF_CLIPS))
    known = re.findall(r'name="known" value="([\d:]+)"', web.get("/").text)
    assert len(known) == PAGE_OF_CLIPS
    with asked() as found:
        assert web.get("/clips/changes", query_string={"known": known}).status_code == 204
    assert len(found) == 2, found


def test_a_changed_poll_asks_as_often_for_all_cards_as_for_one(app, crowd, sign_in):
    web = sign_in(crowd(PAGE_OF_CLIPS))
    known = re.findall(r'name="known" value="(\d+):\d+"', web.get("/").text)
    counts = []
    for some in (known[:1], known):
        with asked() as found:
            web.get("/clips/changes", query_string={"known": [f"{number}:0" for number in some]})
        counts.append(len(found))
    assert counts[0] == counts[1]


def test_a_publish_asks_the_same_however_many_there_are(app, crowd, user, ready_clip, telegram):
    counts = []
    for rows in (1, 30):
        crowd(rows)
        owner = user()
        connection, clip = telegram(owner), ready_clip(owner)
        choice = Choice(connection.id, clip.title, "")
        with asked() as clicking:
            [publication] = publications.publish(owner, clip.id, [choice])
            commit()
        publication_id = publication.id
        db.session.rollback()
        with asked() as working:
            assert engine.advance(publication_id)
        assert db.session.get(Publication, publication_id).status == Status.PUBLISHED
        counts.append((len(clicking), len(working)))
    assert counts[0] == counts[1]
    clicks, work = counts[0]
    assert clicks <= 16 and work <= 30, counts


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)  # PostgreSQL has no such lock
def test_a_worker_that_only_reads_leaves_the_write_lock_to_others(app, user, ready_clip, telegram):
    """SQLite has one: of its transactions in a publish only those that write take it."""
    owner = user()
    connection, clip = telegram(owner), ready_clip(owner)
    [publication] = publications.publish(owner, clip.id, [Choice(connection.id, clip.title, "")])
    commit()
    publication_id = publication.id
    db.session.rollback()
    transactions: list[list[str]] = []

    def note(statement: str) -> None:
        if statement.startswith("BEGIN"):
            transactions.append([statement])
        elif statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
            transactions[-1].append(statement)

    def listen(connection, _record, _proxy) -> None:
        connection.set_trace_callback(note)

    event.listen(db.engine, "checkout", listen)
    engine.advance(publication_id)
    event.remove(db.engine, "checkout", listen)
    with db.engine.connect() as connection:
        connection.connection.dbapi_connection.set_trace_callback(None)
    assert sum(begin == "BEGIN IMMEDIATE" for begin, *_ in transactions) <= 3, "each waits for the others'"
    for begin, *rest in transactions:
        writes = any(statement.startswith(("INSERT", "UPDATE", "DELETE")) for statement in rest)
        assert begin == ("BEGIN IMMEDIATE" if writes else "BEGIN"), rest


# By which way


def test_the_tick_asks_once_when_nothing_is_awake(app, crowd):
    crowd(3)
    db.session.execute(db.update(Publication).values(wake_at=clock.now() + timedelta(hours=1)))
    db.session.commit()
    with asked() as found:
        assert dispatch.release_due(lambda few, many: True) == 0
        assert dispatch.next_due() is None
    assert len(found) == 2, found


def test_the_tick_reads_only_what_is_awake(app, crowd):
    one = db.session.scalar(db.select(Publication).where(Publication.user_id == crowd(3).id))
    one.status, one.wake_at = Status.PUBLISHING, clock.now()
    db.session.commit()
    with asked() as found:
        assert dispatch.next_due()
        assert dispatch.release_due(lambda few, many: True) == 1
    ways = plans(found, "publications")
    assert len(ways) > 4
    for plan in ways:
        assert "ix_publications_wake" in plan or "PRIMARY KEY" in plan or "pk_publications" in plan, plan
        assert not reads_whole(plan, "publications"), plan


@pytest.mark.parametrize(
    ("tick", "table"),
    [
        (lambda: collector.release_due(lambda ids: True), "publications"),
        (lambda: reminders.notify_upcoming(), "publications"),
        (lambda: create.read_events(), "events"),
        (lambda: retention.due(), "clips"),
        (lambda: lease_expiry.expire_leases_of_dead_workers(), "publications"),
    ],
    ids=["stats", "reminders", "events", "retention", "expired leases"],
)
def test_no_tick_goes_through_a_whole_table(app, crowd, tick, table):
    """They share one process: a slow one makes publications late."""
    crowd(3)
    with asked() as found:
        tick()
    plan = plans(found, table)
    assert plan and not any(reads_whole(one, table) for one in plan), plan


def test_what_is_read_of_an_account_leads_to_no_more_than_is_due(app, crowd):
    one = db.session.scalar(db.select(Publication).where(Publication.user_id == crowd(3).id))
    one.stats_due_at, connection_id = clock.now(), one.connection_id
    db.session.commit()
    with asked() as found:
        assert len(collector.claim(connection_id, 10)) == 1
    [plan] = plans(found, "publications")
    assert "ix_publications_connection" in plan and not reads_whole(plan, "publications"), plan


def test_a_claim_goes_by_the_key(app, crowd):
    crowd(3)
    with asked() as found:
        assert claim(1) is None
    for plan in plans(found, "publications"):
        assert "PRIMARY KEY" in plan or "pk_publications" in plan, plan


def test_the_clips_that_wait_for_their_probe_go_by_their_time(app, crowd):
    crowd(3)
    with asked() as found:
        clip_probes.due()
    if db.engine.dialect.name == "postgresql":
        db.session.execute(text("ANALYZE clips"))  # rolled back: it chooses by how few of the clips wait
    ways = [asking.plan(statement, parameters) for statement, parameters in found if "clips" in statement]
    db.session.rollback()
    assert ways and all("ix_clips_wake" in one for one in ways), ways


def test_the_queue_is_not_asked_by_pages(app, crowd, sign_in):
    """A page shows what the rows say; Redis may be away."""
    queue.redis_client().close()
    assert sign_in(crowd(1)).get("/").status_code == 200
