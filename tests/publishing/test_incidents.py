"""A platform that fails for everyone: publishing there pauses, one at a time tries again, nothing is lost."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from app import clock, texts
from app.db import commit, db, transaction
from app.models import Clip, Incident, Notification, Publication, PublicationEvent, Stage, Status, User
from app.notifications import create, inbox
from app.platforms.base import Account, Token
from app.publishing import incidents
from app.publishing.lease import claim_publication
from app.services import connections, publications, retries
from app.services import incidents as told
from app.services.publications import Choice
from tests.conftest import SQLITE
from tests.edges import committed
from tests.publishing.conftest import at_work, look, row, settle, wait_until


@pytest.fixture
def make(user, ready_clip, toy) -> Callable[..., int]:
    """A publication of the user with that number, with a clip of its own unless one is given."""
    owners, accounts = {}, {}

    def made(number: int, due_at=None, clip: Clip | None = None, account: int = 0) -> int:
        if number not in owners:
            owners[number] = user(email=f"user-{number}@example.org")
        owner = owners[number]
        if (number, account) not in accounts:
            known = Account(f"{number}-{account}", f"Игрушка {number}")
            accounts[number, account] = committed(connections.save(owner, "toy", [known], Token("toy-token"))).id
        clip = clip or ready_clip(owner)
        choice = Choice(accounts[number, account], clip.title, "")
        [publication] = publications.publish(owner, clip.id, [choice], due_at)
        commit()
        return publication.id

    return made


def current() -> Incident | None:
    db.session.rollback()
    return db.session.scalar(db.select(Incident).where(Incident.closed_at.is_(None)))


def is_open() -> bool:
    incident = current()
    return incident is not None and incident.opened_at is not None


def open_by_failures(toy, make) -> list[int]:
    toy.answers["create"] = [503] * 3
    failed = [make(number) for number in (1, 2, 3)]
    for one in failed:
        look(one)
    assert is_open()
    return failed


def advance(seconds: float) -> None:
    """So much time passes; then the periodic task and the workers do what is due, in the order of the rows' times."""
    wait_until(clock.now() + timedelta(seconds=seconds))
    at_work(incidents.nominate)
    now = clock.now()
    for one in db.session.scalars(
        db.select(Publication.id).where(Publication.wake_at <= now).order_by(Publication.wake_at, Publication.id)
    ).all():
        look(one)


@pytest.mark.parametrize("database_kind", [SQLITE], indirect=True)
def test_an_hour_of_incident(app, toy, make):
    toy.answers["create"] = [503] * 10_000
    start = clock.now().replace(second=0, microsecond=0) + timedelta(minutes=10)
    due = {}
    for turn in range(5):
        for number in range(20):
            at = start + timedelta(minutes=10 * turn)
            due[make(number, at)] = at
    wait_until(start)
    for _ in range(55):  # minutes
        advance(60)
    assert is_open() and toy.posts == {}
    # Three failures opened it; then one try after the other, with growing pauses.
    assert toy.calls["create"] < 30
    held = [row(one) for one in due]
    assert {(one.status, one.stage) for one in held} == {(Status.PUBLISHING, Stage.INCIDENT)}
    assert sum(one.attempt for one in held) == 2  # those that failed before it was open
    toy.answers["create"] = []
    for _ in range(12):
        advance(30)
    assert current() is None
    done = [row(one) for one in due]
    assert {one.status for one in done} == {Status.PUBLISHED}
    assert toy.posts == dict.fromkeys(toy.drafts, 1) and len(toy.posts) == 100
    in_order = [due[one.id] for one in sorted(done, key=lambda one: (one.published_at, int(one.external_id)))]
    assert in_order == sorted(in_order)
    at_work(create.read_events)
    letters = Counter((one.user_id, one.kind) for one in db.session.scalars(db.select(Notification)))
    assert Counter(kind for _, kind in letters) == {"incident": 20, "recovered": 20}
    assert set(letters.values()) == {1}


def test_too_late_to_be_published(app, toy, make):
    [first, *_] = open_by_failures(toy, make)
    toy.answers["create"] = [503] * 100
    for _ in range(13):
        advance(300)
    failed = row(first)
    assert (failed.status, failed.reason, failed.attempt) == (Status.FAILED, "incident", 1)
    at_work(create.read_events)
    assert {one.kind for one in db.session.scalars(db.select(Notification))} == {"incident"}
    # The platform is back: the next one tries, and the letters tell of what was missed.
    toy.answers["create"] = []
    last = make(1)
    look(last)
    assert row(last).stage == Stage.INCIDENT
    advance(301)
    advance(1)
    assert row(last).status == Status.PUBLISHED and current() is None
    at_work(create.read_events)
    [ended] = db.session.scalars(
        db.select(Notification).where(Notification.kind == "recovered", Notification.user_id == failed.user_id)
    )
    headline, text = texts.notification(ended.kind, ended.facts, "Europe/Moscow")
    assert (headline, text) == ("Игрушка снова работает", "Выходят сейчас: 0. Не дождались: 1.")
    assert inbox.link(ended) == (
        "Повторить все",
        "/bulk/publications?do=retry&found=on&status=failed&platform=toy",
    )
    owner = db.session.get(User, failed.user_id)
    assert retries.retry_many(owner, [first]) == {}
    commit()
    assert settle(first).status == Status.PUBLISHED


@pytest.mark.parametrize(("status", "detail"), [(401, "an account's own"), (429, "a limit"), (400, "of one user")])
def test_what_opens_none(toy, make, status, detail):
    toy.answers["create"] = [status] * 50
    for account in range(6):
        look(make(1, account=account))
    assert not is_open()


def test_one_clip_that_a_platform_cannot_digest(toy, make):
    toy.answers["create"] = [503] * 50
    first = make(1)
    clip = row(first).clip
    look(first)
    for account in range(1, 6):
        look(make(1, clip=clip, account=account))
    assert not is_open()


def test_a_refusal_without_a_reason_of_its_own_by_different_users(toy, make):
    toy.answers["create"] = [400] * 4
    refused = [make(number) for number in range(4)]
    for one in refused:
        look(one)
    assert is_open()
    assert [row(one).status for one in refused] == [Status.FAILED, Status.FAILED, Status.PUBLISHING, Status.PUBLISHING]


def test_a_success_in_between(toy, make):
    for number, answer in enumerate((503, 503, 200, 503, 503)):
        toy.answers["create"] = [answer]
        one = make(number)
        settle(one) if answer == 200 else look(one)
    assert not is_open()


def test_failures_that_are_far_apart(toy, make):
    toy.answers["create"] = [503] * 3
    for number in range(3):
        look(make(number))
        wait_until(clock.now() + incidents.IN_A_ROW)
    assert not is_open()


def test_one_that_tries_and_is_cancelled_makes_room(toy, make):
    waiting = open_by_failures(toy, make)
    wait_until(clock.now() + timedelta(seconds=31))
    for one in waiting:
        look(one)  # their retries become a wait
    at_work(incidents.nominate)
    trying = current().trial_publication_id
    assert trying == waiting[0]
    publications.cancel(db.session.get(User, row(trying).user_id), trying)
    commit()
    at_work(incidents.nominate)
    assert current().trial_publication_id == waiting[1]
    look(waiting[1])
    for one in waiting[1:]:
        assert settle(one).status == Status.PUBLISHED
    assert current() is None and len(toy.posts) == 2


def test_one_that_tries_and_fails_for_its_own_reason_makes_room(toy, make):
    waiting = open_by_failures(toy, make)
    toy.answers["create"] = [401, 200]
    for _ in range(6):
        advance(30)
    # The third was held first; the others still had retries to wait for.
    assert [row(one).status for one in waiting] == [Status.PUBLISHED, Status.PUBLISHED, Status.FAILED]


def test_it_is_over_before_a_publication_is_held(toy, make):
    """A worker has found it open, and waits for the database while another closes it."""
    open_by_failures(toy, make)
    one = make(5)

    def hold_when_it_is_over() -> bool:
        lease, publication, _ = claim_publication(one, lambda _deadline: None)
        with transaction():
            db.session.execute(db.update(Incident).values(closed_at=clock.now()))
        return incidents.hold(lease, publication)

    assert at_work(hold_when_it_is_over)
    assert row(one).wake_at <= clock.now()


def test_what_is_in_doubt_is_asked_about_all_the_same(toy, make):
    doubtful = make(9)
    toy.answers["publish"] = [0]  # done, and no response
    look(doubtful)
    open_by_failures(toy, make)
    assert settle(doubtful).status == Status.PUBLISHED
    assert toy.posts["1"] == 1 and is_open()


def test_its_history_has_one_line_of_it(toy, make):
    [first, *_] = open_by_failures(toy, make)
    toy.answers["create"] = [503] * 20
    for _ in range(20):
        advance(60)
    kinds = [one.kind for one in db.session.query(PublicationEvent).filter_by(publication_id=first)]
    assert kinds.count("incident") == 1


def test_what_users_and_operators_see(toy, make, sign_in, app):
    open_by_failures(toy, make)
    toy.answers["create"] = [503] * 10
    advance(60)
    owner = db.session.scalar(db.select(User).where(User.email == "user-1@example.org"))
    page = sign_in(owner).get("/").text
    assert "У Игрушка сбой, ждём" in page
    [overview] = told.overviews()
    assert (overview.platform, overview.waiting, overview.closed_at) == ("toy", 3, None)
    assert told.open_by_platform()["toy"] == 1
