"""Lists and pages with many rows: how often the database is asked for them, and by which way it finds them."""

import re

import pytest

from app import clock, paging
from app.db import db
from app.models import Clip, Notification, Publication, Status, User
from app.notifications import inbox
from app.publishing import state_machine
from app.services import clip_list, clips, history
from app.services.history import Filters, State
from app.services.plan import Span
from app.statistics import report
from app.statistics.report import PERIODS
from tests import codes
from tests.asking import SORTS, asked, connection, plans, publication, reads_whole

PAGE_OF_CLIPS = 24

# How many

pytestmark = pytest.mark.usefixtures("compact")


# Per page, besides what everyone asks for the user, the bell and the incidents.
PAGES = {
    "/": 8,
    "/?q=клип&state=unpublished&sort=title": 7,
    "/plan": 8,
    "/plan?view=week": 8,
    "/publications": 5,
    "/publications?state=upcoming": 5,
    "/publications?status=published&platform=telegram&q=клип": 5,
    "/stats/": 9,
    "/stats/?days=90&page=2": 9,
    "/notices": 3,
    "/settings/integrations": 3,
    "/settings/rules": 8,
    "/settings/rules/approvals": 2,
    "/settings/profile": 1,
    "/settings/security": 4,  # the sessions; the second factor, twice of an administrator
    "/plans": 2,
    "/ops": 15,
}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_as_often_with_many_rows_as_with_one(app, crowd, sign_in, path):
    one, many = (sign_in(_admin(crowd(count))) for count in (1, 2 * PAGE_OF_CLIPS))
    for web in (one, many):
        assert web.get(path).status_code == 200  # what is new has been read
    with asked() as few:
        one.get(path)
    with asked() as lots:
        many.get(path)
    assert len(lots) == len(few), [statement for statement, _ in lots]
    assert len(lots) <= 3 + PAGES[path], [statement for statement, _ in lots]


def _admin(user: User) -> User:
    user.is_admin = True
    codes.set_up(user)
    db.session.add_all(Notification(user_id=user.id, kind="reconnect", dedup_key=str(number)) for number in range(30))
    db.session.commit()
    return user


def test_a_publications_page_asks_as_often_after_a_long_story(app, crowd, sign_in):
    owner = crowd(1)
    web, ids = (
        sign_in(owner),
        list(db.session.scalars(db.select(Publication.id).where(Publication.user_id == owner.id))),
    )
    state_machine.note(ids[0], "created", status=Status.PUBLISHING)
    for number in range(40):
        state_machine.note(ids[1], "step", status=Status.PUBLISHING, name=f"chunk-{number}")
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
        clip, place = db.session.get(Clip, clip_id), connection(owner, "-100")
        db.session.add_all(publication(clip, place) for _ in range(20))
        db.session.commit()
    assert counts[0] == counts[1]


# By which way


def test_the_poll_goes_by_the_key(app, crowd):
    """And to what is live of each clip, however often it has been published."""
    owner = crowd(3)
    ids = [clip.id for clip in clip_list.page(owner).rows]
    with asked() as found:
        clips.changed(owner, dict.fromkeys(ids, 1))
    [plan] = plans(found, "clips")
    assert not reads_whole(plan, "clips"), plan
    assert "uq_publications_live" in plan, plan


def test_the_page_of_clips_goes_by_the_users_newest(app, crowd):
    owner = crowd(3)
    with asked() as found:
        clip_list.page(owner)
    plan = plans(found, "clips")
    assert plan and all("ix_clips_user_newest" in one for one in plan), plan


def test_a_page_of_clips_by_title_reads_no_rows_to_find_them(app, crowd):
    owner = crowd(3)
    with asked() as found:
        clip_list.page(owner, clip_list.Filters(state=clip_list.State.UNPUBLISHED, order=clip_list.Order.TITLE))
    plan, *_rows = plans(found, "clips")
    assert "COVERING INDEX ix_clips_user_title" in plan or "Index Only Scan using ix_clips_user_title" in plan, plan


def test_the_cards_publications_go_by_their_clips(app, crowd, sign_in):
    """Not by their user, who may have a million of them."""
    web = sign_in(crowd(3))
    with asked() as found:
        web.get("/")
    grouped = [one for one in found if "GROUP BY" in one[0] and "publications.clip_id" in one[0]]
    assert grouped
    for plan in plans(grouped, "publications"):
        assert "ix_publications_clip" in plan, plan
        assert not reads_whole(plan, "publications"), plan


def test_the_lists_counts_read_no_rows(app, crowd):
    owner = crowd(3)
    for filters, index in (
        (Filters(), "ix_publications_user_status"),
        (Filters(platform="telegram"), "ix_publications_user_platform_status"),
    ):
        with asked() as found:
            history.counts(owner, filters)
        [plan] = plans(found, "publications")
        lines = [line for line in plan.splitlines() if "publications" in line]
        assert len(lines) == len(Status) and all(f"{index} " in line for line in lines), plan


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
    ways = plans(found, "publications")
    assert ways
    for plan in ways:
        assert re.search(rf"{index}\b", plan) and not SORTS.search(plan), plan


@pytest.mark.parametrize("state", [State.UPCOMING, State.ATTENTION])
def test_what_is_sorted_is_found_by_status(app, crowd, state):
    """Not by due time: all that a user has published comes before what is ahead."""
    owner = crowd(3)
    with asked() as found:
        history.page(owner, Filters(state=state), counted=2)
    [plan] = plans(found, "publications")
    lines = [line for line in plan.splitlines() if re.search(r"(SEARCH|SCAN| on|using \S+ on) publications\b", line)]
    assert lines and all(re.search("ix_publications_user_status|PRIMARY KEY|pk_publications", one) for one in lines), (
        plan
    )
    assert not reads_whole(plan, "publications"), plan


def test_a_days_list_is_found_by_its_due_times(app, crowd):
    owner = crowd(3)
    day = Span.of(owner, clock.now().date(), 1)
    with asked() as found:
        history.page(owner, Filters(due=tuple(day.starts)))
        history.counts(owner, Filters(due=tuple(day.starts), platform="telegram"))
    for plan in plans(found, "publications"):
        assert "ix_publications_user_due" in plan and not reads_whole(plan, "publications"), plan


@pytest.mark.parametrize("filters", [{}, {"status": Status.FAILED}, {"platform": "telegram", "status": Status.FAILED}])
def test_a_clips_publications_are_found_by_the_clip(app, crowd, filters):
    """Not among all that its user has."""
    owner = crowd(3)
    clip_id = db.session.scalar(db.select(Clip.id).where(Clip.user_id == owner.id))
    with asked() as found:
        history.counts(owner, Filters(clip_id=clip_id, **filters))
        history.page(owner, Filters(clip_id=clip_id, **filters), counted=2)
    ways = plans(found, "publications")
    assert ways
    for plan in ways:
        lines = [line for line in plan.splitlines() if re.search(r"(SEARCH|SCAN| on) publications\b", line)]
        assert lines and all(re.search("ix_publications_clip |uq_publications_live", line) for line in lines), plan


def test_counting_ends_where_nobody_counts_any_more(app, crowd):
    owner = crowd(1)
    clip = db.session.scalar(db.select(Clip).where(Clip.user_id == owner.id))
    place = connection(owner, "-100")
    db.session.add_all(publication(clip, place, status=Status.FAILED) for _ in range(paging.COUNTED + 100))
    db.session.commit()
    counts = history.counts(owner, Filters())
    assert counts.total == counts.by_status[Status.FAILED] == paging.COUNTED + 1
    first, deep = history.page(owner, Filters()), history.page(owner, Filters(), 36)
    assert (first.total, first.more) == (paging.COUNTED, True)
    assert (deep.page, deep.pages, deep.total, deep.more) == (36, 37, paging.COUNTED + 102, False)
    assert history.page(owner, Filters(), 10**30).page == 37


def test_the_notifications_are_read_in_their_order(app, crowd):
    owner = _admin(crowd(1))
    with asked() as found:
        inbox.read_page(owner)
    plan = plans(found[:2], "notifications")
    assert plan and all("ix_notifications_user_newest" in one and not SORTS.search(one) for one in plan), plan
    with asked() as found:
        inbox.unread(owner)
    [plan] = plans(found, "notifications")
    assert "ix_notifications_unread" in plan, plan


def test_the_statistics_are_summed_by_their_indexes(app, crowd):
    owner = crowd(3)
    for days in PERIODS:
        with asked() as found:
            report.report(owner, days)
        assert not plans(found, "stats_samples"), "samples are not added up for a page"
        chosen = plans(found, "FROM publications") + plans(found, "daily_increments")
        for plan in chosen:
            assert not reads_whole(plan, "(publications|daily_increments)"), plan
        [by_platform] = [plan for plan in chosen if "ix_publications_user_counts" in plan]
        assert not SORTS.search(by_platform), by_platform
        ranked = [plan for plan in chosen if "ix_daily_increments_clips" in plan]
        assert ranked and all("ix_publications_user_clip_views" in plan for plan in ranked), ranked


def test_the_list_offers_only_the_newest_clips(app, crowd):
    owner = crowd(history.MAX_TITLES + 2)
    offered = history.clips_published(owner)
    oldest = min(clip.id for clip in clip_list.page(owner, number=10**6).rows)
    assert len(offered) == history.MAX_TITLES and oldest not in offered
    assert oldest in history.clips_published(owner, oldest)
    assert oldest not in history.clips_published(owner, 10**9)
