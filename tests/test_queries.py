"""What the database is asked: how many times for a page and for a publish, and by which indexes."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event, text

from app import clock, queue
from app.extensions import db
from app.models import (
    PERIODS,
    Clip,
    ClipStatus,
    Notice,
    PlatformConnection,
    Publication,
    StatsSample,
    Status,
    User,
)
from app.platforms.base import Account, Token
from app.publishing import engine, lease, rehearsal, schedule, transitions
from app.services import clips, connections, history, notices, paging, publications, stats
from app.services.history import Filters
from app.services.publications import Choice

PAGE_OF_CLIPS = 24
Asked = list[tuple[str, tuple]]


@contextmanager
def asked() -> Iterator[Asked]:
    """The statements of the block, with their parameters."""
    found: Asked = []

    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            found.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


@pytest.fixture
def crowd(app, user) -> Callable[[int], User]:
    """A user with so many clips, each published on two accounts; others have as many together."""

    def make(count: int) -> User:
        owner, other = user(), user()
        for one in (owner, other):
            places = [_connection(one, f"-100{number}") for number in range(2)]
            for number in range(count):
                clip = _clip(one, f"Клип {number}")
                for place in places:
                    db.session.add(_publication(clip, place))
        db.session.commit()
        return owner

    return make


def _connection(owner: User, account_id: str) -> PlatformConnection:
    account = Account(account_id, "Канал", facts={"chat_id": int(account_id)})
    return connections.save(owner, "telegram", [account], Token("110201543:AAdemo"))


def _clip(owner: User, title: str) -> Clip:
    clip = Clip(user_id=owner.id, title=title, file_name="a.mp4", status=ClipStatus.READY, storage_key="00/a", size=1)
    clip.content_type, clip.duration_ms, clip.width, clip.height = "video/mp4", 2000, 270, 480
    db.session.add(clip)
    db.session.flush()
    return clip


def _publication(clip: Clip, place: PlatformConnection, **more) -> Publication:
    values = {"status": Status.PUBLISHED, "published_at": clock.now(), "due_at": clock.now()} | more
    return Publication(
        user_id=clip.user_id,
        clip_id=clip.id,
        connection_id=place.id,
        platform=place.platform,
        account_id=place.account_id,
        account_name=place.account_name,
        title=clip.title,
        **values,
    )


# How many


# Per page, besides what everyone asks for the user and the bell.
PAGES = {
    "/": 5,
    "/publications": 4,
    "/publications?status=published&platform=telegram&q=клип": 4,
    "/stats/": 9,
    "/stats/?days=90&page=2": 9,
    "/notices": 3,
    "/settings/integrations": 2,
    "/settings/profile": 1,
    "/settings/security": 2,
    "/plans": 1,
    "/ops": 12,
}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_as_often_with_many_rows_as_with_one(app, crowd, sign_in, path):
    one, many = (sign_in(_admin(crowd(count))) for count in (1, 2 * PAGE_OF_CLIPS))
    for web in (one, many):
        assert web.get(path).status_code == 200  # what was not counted yet is counted, what is new has been read
    with asked() as few:
        one.get(path)
    with asked() as lots:
        many.get(path)
    assert len(lots) == len(few), [statement for statement, _ in lots]
    assert len(lots) <= 2 + PAGES[path], [statement for statement, _ in lots]


def _admin(user: User) -> User:
    user.is_admin = True
    db.session.add_all(Notice(user_id=user.id, kind="reconnect", matter=str(number)) for number in range(30))
    db.session.commit()
    return user


def test_a_publications_page_asks_as_often_after_a_long_story(app, crowd, sign_in):
    owner = crowd(1)
    web, ids = (
        sign_in(owner),
        list(db.session.scalars(db.select(Publication.id).where(Publication.user_id == owner.id))),
    )
    transitions.note(ids[0], "created", status=Status.PUBLISHING)
    for number in range(40):
        transitions.note(ids[1], "step", status=Status.PUBLISHING, name=f"chunk-{number}")
    db.session.commit()
    counts = []
    for publication_id in ids:
        for path in (f"/publications/{publication_id}", f"/publications/{publication_id}/changes"):
            with asked() as found:
                assert web.get(path).status_code == 200
            counts.append(len(found))
    assert counts[:2] == counts[2:]
    assert max(counts) <= 6, counts


def test_the_dialog_of_a_clip_asks_as_often_with_many_publications(app, crowd, sign_in):
    owner = crowd(1)
    web, clip_id = sign_in(owner), db.session.scalar(db.select(Clip.id).where(Clip.user_id == owner.id))
    counts = []
    for _ in range(2):
        with asked() as found:
            assert web.get(f"/clips/{clip_id}/publish").status_code == 200
        counts.append(len(found))
        clip, place = db.session.get(Clip, clip_id), _connection(owner, "-100")
        db.session.add_all(_publication(clip, place) for _ in range(20))
        db.session.commit()
    assert counts[0] == counts[1]


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
        publication_id = publication.id
        db.session.rollback()
        with asked() as working:
            assert engine.advance(publication_id)
        assert db.session.get(Publication, publication_id).status == Status.PUBLISHED
        counts.append((len(clicking), len(working)))
    assert counts[0] == counts[1]
    clicks, work = counts[0]
    assert clicks <= 16 and work <= 30, counts


def test_a_worker_that_only_looks_leaves_the_write_lock_to_others(app, user, ready_clip, telegram):
    """SQLite has one: of its transactions in a publish only those that write take it."""
    if db.engine.dialect.name != "sqlite":
        return  # there is no such lock
    owner = user()
    connection, clip = telegram(owner), ready_clip(owner)
    [publication] = publications.publish(owner, clip.id, [Choice(connection.id, clip.title, "")])
    publication_id = publication.id
    db.session.rollback()
    transactions: list[list[str]] = []

    def note(_connection, _cursor, statement, *_more) -> None:
        transactions.append([statement]) if statement.startswith("BEGIN") else transactions[-1].append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    engine.advance(publication_id)
    event.remove(db.engine, "before_cursor_execute", note)
    for begin, *rest in transactions:
        writes = any(statement.startswith(("INSERT", "UPDATE", "DELETE")) for statement in rest)
        assert begin == ("BEGIN IMMEDIATE" if writes else "BEGIN"), rest


def test_a_rehearsal_writes_nothing_and_spares_the_work_horses(app, user, ready_clip, telegram):
    owner = user()
    connection, clip = telegram(owner), ready_clip(owner)
    [publication] = publications.publish(owner, clip.id, [Choice(connection.id, clip.title, "")])
    publication_id, before = publication.id, publication.fence
    db.session.rollback()
    rehearsal.rehearse()
    assert db.session.get(Publication, publication_id, populate_existing=True).fence == before
    db.session.rollback()
    built: list[str] = []

    def note(_connection, _cursor, statement, _parameters, context, _many) -> None:
        if context.compiled and context.cache_hit.name != "CACHE_HIT":
            built.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    engine.advance(publication_id)
    event.remove(db.engine, "before_cursor_execute", note)
    # Not without a row: keeping the receipt, and what is inserted beside it.
    changes = [statement for statement in built if not statement.startswith("INSERT")]
    assert len(changes) <= 2, changes


# By which way


def plan(statement: str, parameters: tuple | dict) -> str:
    """What the database means to do; PostgreSQL as if the tables were too large to be read whole."""
    if db.engine.dialect.name == "sqlite":
        rows = db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return "\n".join(row.detail for row in rows)
    db.session.execute(text("SET LOCAL enable_seqscan = off"))
    rows = db.session.connection().exec_driver_sql(f"EXPLAIN {statement}", parameters)
    return "\n".join(row[0] for row in rows)


# Of whole lists; what a group is made of may be sorted.
SORTS = re.compile(r"USE TEMP B-TREE FOR ORDER BY|^ *(->)? *Sort\b", re.M)


def plans(found: Asked, table: str) -> list[str]:
    db.session.rollback()
    made = [plan(statement, parameters) for statement, parameters in found if table in statement]
    db.session.rollback()
    return made


def reads_whole(told: str, table: str) -> bool:
    """SQLite says «SCAN t» and «SCAN t USING INDEX …» (all of an index); a partial index is what it is for."""
    lines = [line for line in told.splitlines() if re.search(rf"(SCAN|Seq Scan on) {table}\b", line)]
    return any("USING INDEX ix_publications_wake" not in line for line in lines)


def test_the_tick_reads_only_what_is_awake(app, crowd):
    crowd(3)
    with asked() as found:
        schedule.release_due(lambda _ids: True)
    for told in plans(found, "publications"):
        assert "ix_publications_wake" in told or "PRIMARY KEY" in told or "pk_publications" in told, told
        assert not reads_whole(told, "publications"), told


def test_a_claim_goes_by_the_key(app, crowd):
    crowd(3)
    with asked() as found:
        assert lease.claim(1, lambda _seconds: None) is None
    for told in plans(found, "publications"):
        assert "PRIMARY KEY" in told or "pk_publications" in told, told


def test_the_poll_goes_by_the_key(app, crowd):
    """And to what is live of each clip, however often it has been published."""
    owner = crowd(3)
    ids = [clip.id for clip in clips.page(owner).rows]
    with asked() as found:
        clips.changed(owner, dict.fromkeys(ids, 1))
    [told] = plans(found, "clips")
    assert not reads_whole(told, "clips"), told
    assert "uq_publications_live" in told, told


def test_the_page_of_clips_goes_by_the_users_newest(app, crowd):
    owner = crowd(3)
    with asked() as found:
        clips.page(owner)
    told = plans(found, "clips")
    assert told and all("ix_clips_user_newest" in one for one in told), told


def test_the_clips_that_wait_for_their_probe_go_by_their_time(app, crowd):
    crowd(3)
    with asked() as found:
        clips.due_probes()
    told = plans(found, "clips")
    assert told and all("ix_clips_wake" in one for one in told), told


def test_the_cards_publications_go_by_their_clips(app, crowd, sign_in):
    """Not by their user, who may have a million of them."""
    web = sign_in(crowd(3))
    with asked() as found:
        web.get("/")
    grouped = [one for one in found if "GROUP BY" in one[0] and "publications.clip_id" in one[0]]
    assert grouped
    for told in plans(grouped, "publications"):
        assert "ix_publications_clip" in told, told
        assert not reads_whole(told, "publications"), told


def test_the_lists_counts_read_no_rows(app, crowd):
    owner = crowd(3)
    for filters, index in (
        (Filters(), "ix_publications_user_status"),
        (Filters(platform="telegram"), "ix_publications_user_platform_status"),
    ):
        with asked() as found:
            history.counts(owner, filters)
        [told] = plans(found, "publications")
        lines = [line for line in told.splitlines() if "publications" in line]
        assert len(lines) == len(Status) and all(f"{index} " in line for line in lines), told


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        (Filters(), "ix_publications_user_newest"),
        (Filters(words="клип"), "ix_publications_user_newest"),
        (Filters(status=Status.FAILED), "ix_publications_user_status"),
        (Filters(platform="telegram"), "ix_publications_user_platform"),
        (Filters(platform="telegram", status=Status.FAILED), "ix_publications_user_platform_status"),
    ],
)
def test_the_list_is_read_in_its_order(app, crowd, filters, index):
    """Sorting would mean to read all first."""
    owner = crowd(3)
    with asked() as found:
        history.page(owner, filters)
    for told in plans(found, "publications"):
        assert re.search(rf"{index}\b", told) and not SORTS.search(told), told


def test_counting_ends_where_nobody_counts_any_more(app, crowd):
    owner = crowd(1)
    clip = db.session.scalar(db.select(Clip).where(Clip.user_id == owner.id))
    place = _connection(owner, "-100")
    db.session.add_all(_publication(clip, place, status=Status.FAILED) for _ in range(paging.COUNTED + 100))
    db.session.commit()
    counts = history.counts(owner, Filters())
    assert counts.total == counts.by_status[Status.FAILED] == paging.COUNTED + 1
    first, deep = history.page(owner, Filters()), history.page(owner, Filters(), 36)
    assert (first.total, first.more) == (paging.COUNTED, True)
    assert (deep.page, deep.pages, deep.total, deep.more) == (36, 37, paging.COUNTED + 102, False)
    assert history.page(owner, Filters(), 10**30).page == 37


def test_the_notices_are_read_in_their_order(app, crowd):
    owner = _admin(crowd(1))
    with asked() as found:
        notices.look(owner)
    told = plans(found[:2], "notices")
    assert told and all("ix_notices_user_newest" in one and not SORTS.search(one) for one in told), told
    with asked() as found:
        notices.unread(owner)
    [told] = plans(found, "notices")
    assert "ix_notices_unread" in told, told


def test_the_statistics_read_what_is_added_up(app, crowd, sign_in):
    owner = crowd(3)
    stats.report(owner)
    for days in PERIODS:
        with asked() as found:
            stats.report(owner, days)
        for table in ("publications", "stats_samples"):
            assert not plans(found, f"FROM {table}"), "a million of them are not added up for a page"
        [waiting] = plans(found, "uncounted")
        for index in ("ix_uncounted_user", "ix_standings_nobodys", "ix_standings_rolls"):
            assert index in waiting, waiting
        listed = plans([one for one in found if "ORDER BY standings.user_id" in one[0]], "standings")
        assert len(listed) == 2
        for told in listed:
            assert f"ix_standings_{days}" in told and not SORTS.search(told), told
        for told in plans(found, "FROM standing_days") + plans(found, "FROM standing_platforms"):
            assert re.search("PRIMARY KEY|pk_standing|autoindex_standing", told), told
            assert not reads_whole(told, "standing_(days|platforms)"), told


def test_a_sample_is_counted_among_its_clips_own(app, crowd, user):
    owner = crowd(3)
    stats.report(owner)
    one = db.session.scalar(db.select(Publication).where(Publication.user_id == owner.id))
    db.session.add(StatsSample(publication_id=one.id, views=5))
    db.session.commit()
    with asked() as found:
        stats.report(owner)
    for told in plans(found, "stats_samples"):
        assert not reads_whole(told, "stats_samples") and not reads_whole(told, "publications"), told


def test_the_list_offers_only_the_newest_clips(app, crowd):
    owner = crowd(history.MAX_TITLES + 2)
    offered = history.clips_published(owner)
    oldest = min(clip.id for clip in clips.page(owner, 10**6).rows)
    assert len(offered) == history.MAX_TITLES and oldest not in offered
    assert oldest in history.clips_published(owner, oldest)
    assert oldest not in history.clips_published(owner, 10**9)


def test_the_queue_is_not_asked_by_pages(app, crowd, sign_in):
    """A page shows what the rows say; Redis may be away."""
    queue.redis_client().close()
    assert sign_in(crowd(1)).get("/").status_code == 200
