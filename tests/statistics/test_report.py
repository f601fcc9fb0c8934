"""The statistics are kept added up; here they are compared with a recount of every row, whatever has happened."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import clock, platforms
from app.db import commit, db
from app.models import PERIODS, Clip, Publication, Standing, StatsSample, Status, Tally, Uncounted, User
from app.platforms.base import COUNTS
from app.services import clips
from app.statistics import report, tally
from app.statistics.report import Line, Report, Sum
from app.storage import key_from
from tests.publishing.conftest import at_work

ZONES = ("Europe/Moscow", "Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham", "America/Santiago")
NOON = datetime(2026, 9, 8, 12, tzinfo=UTC)  # Santiago's clocks were put forward two days before, at midnight


# The recount


def recount(user: User, days: int) -> tuple:
    """What `told()` says of a report, from every publication and every sample."""
    zone = clock.zone(user.timezone)
    today = clock.now().astimezone(zone).date()
    calendar = [today - timedelta(days=back) for back in reversed(range(days))]
    published = list(
        db.session.scalars(
            db.select(Publication)
            .where(Publication.user_id == user.id, Publication.status == Status.PUBLISHED)
            .order_by(Publication.id.desc())
        )
    )
    gained: dict[int, Counter] = {}
    by_day = {day: Counter() for day in calendar}
    for one in published:
        own = gained[one.id] = Counter()
        samples = db.session.scalars(db.select(StatsSample).where(StatsSample.publication_id == one.id))
        peak = Counter()
        for sample in sorted(samples, key=lambda sample: (sample.at, sample.id)):
            day = sample.at.astimezone(zone).date()
            for count in COUNTS:
                more = (getattr(sample, count) or 0) - peak[count]
                if more > 0:
                    peak[count] += more
                    if day >= calendar[0]:
                        own[count] += more
                        by_day[day][count] += more

    def sums(own: Sequence[Publication]) -> dict[str, Sum]:
        found = {}
        every = [key for key in platforms.ADAPTERS if any(one.platform == key for one in own)]
        names = {key: platforms.ADAPTERS[key].name for key in every}
        for count in COUNTS:
            known = [one for one in own if getattr(one, count) is not None]
            given = {one.platform for one in known}
            lacking = {one.platform for one in own if getattr(one, count) is None}
            found[count] = (
                sum(gained[one.id][count] for one in known) if known else None,
                tuple(names[key] for key in every if key in lacking - given) if known else (),
                tuple(names[key] for key in every if key in lacking & given) if known else (),
            )
        return found

    def line(title: str, own: Sequence[Publication], clip: Clip | None) -> tuple:
        present = tuple(key for key in platforms.ADAPTERS if any(one.platform == key for one in own))
        return title, present, len(own), sums(own), clip

    groups = defaultdict(list)
    for one in published:
        groups[one.clip_id or one.title].append(one)
    ranked = sorted(
        groups.values(),
        key=lambda own: (sum(gained[one.id]["views"] for one in own), sum(one.views or 0 for one in own)),
        reverse=True,
    )
    return (
        [(day, [by_day[day][count] for count in COUNTS]) for day in calendar],
        len(published),
        sums(published),
        [
            line(platforms.ADAPTERS[key].name, own, None)
            for key in platforms.ADAPTERS
            if (own := [one for one in published if one.platform == key])
        ],
        [line(own[0].clip.title if own[0].clip else own[0].title, own, own[0].clip) for own in ranked],
    )


def told(user: User, days: int) -> tuple:
    pages = [report.report(user, days)]
    pages += [report.report(user, days, number) for number in range(2, pages[0].clips.pages + 1)]
    first: Report = pages[0]

    def sums(found) -> dict:
        return {count: (sum.value, sum.without, sum.partly) for count, sum in found.items()}

    def line(one: Line) -> tuple:
        return one.title, one.platforms, one.publications, sums(one.sums), one.clip

    return (
        [(day.day, [day.gained[count] for count in COUNTS]) for day in first.days],
        first.publications,
        sums(first.sums),
        [line(one) for one in first.platforms],
        [line(one) for page in pages for one in page.clips.rows],
    )


def same(user: User) -> None:
    for days in PERIODS:
        assert told(user, days) == recount(user, days), days


# What may happen


@dataclass
class Life:
    """A user's clips and publications, as the database has them after everything that has happened so far."""

    user: User
    now: datetime

    def publish(self, clip: Clip | None, platform: str, title: str) -> Publication:
        one = Publication(
            user_id=self.user.id,
            clip_id=clip and clip.id,
            platform=platform,
            account_id="1",
            account_name="Канал",
            title=title,
            status=Status.PUBLISHED,
            due_at=self.now,
            published_at=self.now,
        )
        db.session.add(one)
        db.session.commit()
        return one

    def clip(self, title: str) -> Clip:
        one = Clip(user_id=self.user.id, title=title, file_name="a.mp4", storage_key=key_from(title), size=1)
        db.session.add(one)
        db.session.commit()
        return one

    def read(self, one: Publication, at: datetime, **counts: int | None) -> None:
        db.session.add(StatsSample(publication_id=one.id, at=at, **counts))
        for count, value in counts.items():
            if value is not None:
                setattr(one, count, value)
        db.session.commit()

    def pass_time(self, time: timedelta) -> None:
        self.now += time
        clock.correct(self.now)


@pytest.fixture
def life(app, user) -> Life:
    clock.correct(NOON)
    return Life(user(), NOON)


TITLES = st.sampled_from(("Закат", "Волга", ""))
NUMBERS = st.one_of(st.none(), st.integers(0, 40))
ACTIONS = st.one_of(
    st.tuples(st.just("clip"), TITLES),
    st.tuples(st.just("publish"), st.integers(0, 5), st.sampled_from(tuple(platforms.ADAPTERS)), TITLES),
    st.tuples(st.just("read"), st.integers(0, 9), st.integers(0, 100 * 96), NUMBERS, NUMBERS, NUMBERS),
    st.tuples(st.just("read"), st.integers(0, 9), st.integers(0, 96), NUMBERS, NUMBERS, NUMBERS),
    st.tuples(st.just("delete"), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.integers(1, 40 * 24)),
    st.tuples(st.just("move"), st.sampled_from(ZONES)),
    st.tuples(st.just("look"), st.sampled_from(PERIODS)),
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(ACTIONS, min_size=8, max_size=40))
def test_it_is_what_a_recount_gives(app, user, actions):
    life = Life(user(email=f"life{db.session.query(User).count()}@example.org"), NOON)
    life.pass_time(timedelta(0))
    some, published = [life.clip("Первый")], []
    published.append(life.publish(some[0], "vk", "Первый"))
    for kind, *what in actions:
        if kind == "clip":
            some.append(life.clip(*what))
        elif kind == "publish":
            number, platform, title = what
            published.append(life.publish(some[number] if number < len(some) else None, platform, title))
        elif kind == "read":
            # Also the past: a clock that was put right, a backup. Never what is still to come.
            number, quarters, *counts = what
            at = life.now - timedelta(minutes=15 * quarters)
            life.read(published[number % len(published)], at, **dict(zip(COUNTS, counts, strict=True)))
        elif kind == "delete" and what[0] < len(some):
            clips.delete(life.user, some.pop(what[0]).id)
            commit()
        elif kind == "wait":
            life.pass_time(timedelta(hours=what[0]))
        elif kind == "move":
            life.user.timezone = what[0]
            db.session.commit()
        elif kind == "look":
            report.report(life.user, what[0])
    same(life.user)


# One by one


def test_a_sample_is_counted_whoever_writes_it(life):
    one = life.publish(life.clip("Закат"), "vk", "Закат")
    life.read(one, life.now, views=5)
    same(life.user)
    db.session.execute(db.insert(StatsSample).values(publication_id=one.id, at=life.now, views=9))
    db.session.execute(db.update(Publication).values(views=9))
    db.session.commit()
    assert report.report(life.user, 7).sums["views"].value == 9
    same(life.user)


def test_what_leaves_a_period_changes_the_order(life):
    old, new = (life.publish(life.clip(title), "vk", title) for title in ("Старый", "Новый"))
    life.read(old, life.now, views=100)
    life.pass_time(timedelta(days=5))
    life.read(new, life.now, views=10)
    assert [line.title for line in report.report(life.user, 7).clips.rows] == ["Старый", "Новый"]
    life.pass_time(timedelta(days=2))
    same(life.user)
    assert [line.title for line in report.report(life.user, 7).clips.rows] == ["Новый", "Старый"]


def test_publications_of_deleted_clips_are_told_apart_by_title(life):
    clip, other = life.clip("Закат"), life.clip("Закат над Волгой")
    for one in (clip, other):
        life.read(life.publish(one, "vk", "Закат"), life.now, views=3)
    life.read(life.publish(clip, "telegram", "Закат для Telegram"), life.now, views=4)
    assert len(report.report(life.user).clips.rows) == 2
    db.session.delete(clip)
    db.session.commit()
    same(life.user)
    db.session.delete(other)
    db.session.commit()
    same(life.user)
    assert [line.publications for line in report.report(life.user).clips.rows] == [2, 1]


def test_another_zone_has_other_days(life):
    one = life.publish(life.clip("Закат"), "vk", "Закат")
    for back in range(0, 96 * 8, 5):
        life.read(one, life.now - timedelta(days=8) + timedelta(minutes=15 * back), views=back)
    for zone in ZONES:
        life.user.timezone = zone
        db.session.commit()
        same(life.user)


def test_what_is_counted_is_not_counted_again(life):
    life.read(life.publish(life.clip("Закат"), "vk", "Закат"), life.now, views=5)
    assert db.session.query(Uncounted).count() == 1
    report.report(life.user)
    assert db.session.query(Uncounted).count() == 0


def test_a_tick_counts_what_nobody_looks_at(life):
    life.read(life.publish(life.clip("Закат"), "vk", "Закат"), life.now, views=5)
    at_work(tally.catch_up_somebody)
    assert db.session.query(Uncounted).count() == 0
    assert db.session.query(Tally).count() == 1
    same(life.user)


def test_what_is_written_while_it_is_counted_is_not_lost(app, life):
    """Neither deadlocked: samples come by the worker of each account, looks from several pages."""
    ones = [life.publish(life.clip(f"{number}"), key, "Закат") for number in range(3) for key in platforms.ADAPTERS]
    ids, user_id, zone_name = [one.id for one in ones], life.user.id, life.user.timezone
    db.session.rollback()

    def write(own: list[int]) -> None:
        for views in range(1, 16):
            for publication_id in own:
                db.session.add(StatsSample(publication_id=publication_id, at=NOON, views=views))
                db.session.execute(db.update(Publication).where(Publication.id == publication_id).values(views=views))
            db.session.commit()

    def look() -> None:
        for _ in range(20):
            tally.catch_up(user_id, zone_name)

    def run(work: Callable[..., None], *arguments) -> None:
        with app.app_context():
            work(*arguments)

    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(run, write, ids[part::3]) for part in range(3)]
        jobs += [pool.submit(run, look) for _ in range(2)]
        for job in jobs:
            job.result()
    assert report.report(life.user, 7).sums["views"].value == 15 * len(ids)
    same(life.user)


def test_nothing_is_left_of_an_account(life):
    life.read(life.publish(life.clip("Закат"), "vk", "Закат"), life.now, views=5)
    report.report(life.user)
    db.session.delete(life.user)
    db.session.commit()
    assert db.session.query(Standing).count() == db.session.query(Tally).count() == 0


def test_without_publications_nothing_is_kept(life):
    life.clip("Закат")
    assert tally.catch_up(life.user.id, life.user.timezone).total_id is None
    assert report.report(life.user).publications == 0
    assert db.session.query(Tally).count() == 0


def test_who_has_no_time_says_what_is_left(life):
    life.read(life.publish(life.clip("Закат"), "vk", "Закат"), life.now, views=5)
    user_id, zone_name = life.user.id, life.user.timezone
    assert tally.catch_up(user_id, zone_name, within=0).anything
    assert not tally.catch_up(user_id, zone_name).anything
    assert not report.report(life.user).behind
