"""A platform that fails for everyone: publishing there pauses, one at a time tries again, nothing is lost."""

import re
import signal
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from app import clock, texts
from app.db import commit, db, transaction
from app.models import Clip, Incident, Notification, Publication, PublicationEvent, Stage, Status, User
from app.notifications import create, inbox
from app.platforms import errors
from app.platforms.base import Account, Token
from app.publishing import cancellation, incidents
from app.publishing.lease import claim_publication
from app.services import connections, publications, retries
from app.services import incidents as told
from app.services.publications import Choice
from tests.conftest import SQLITE
from tests.edges import committed
from tests.publishing.conftest import at_work, in_a_work_horse, look, row, settle, tick, wait_until
from tests.publishing.toy import Toy


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


def test_too_late_to_be_published(app, toy, make, sign_in):
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
    label, path = inbox.link(ended)
    # Only what was missed, whatever else has failed there.
    other = make(1)
    with transaction():
        values = {"status": Status.FAILED, "reason": "refused", "wake_at": None}
        db.session.execute(db.update(Publication).where(Publication.id == other).values(values))
    owner = db.session.get(User, row(first).user_id)
    page = sign_in(owner).get(path).text
    assert label == "Повторить все"
    assert set(re.findall(r'name="publication"[^>]*value="(\d+)"', page)) == {str(first)}
    stranger = db.session.scalar(db.select(User).where(User.id != row(first).user_id))
    assert f'value="{first}"' not in sign_in(stranger).get(path).text
    owner = db.session.get(User, row(first).user_id)
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
    # The two that it began with are offered again with its end.
    look(make(0))
    toy.answers["create"] = []
    for _ in range(4):
        advance(30)
    at_work(create.read_events)
    ended = db.session.scalars(db.select(Notification).where(Notification.kind == "recovered")).all()
    assert {one.user_id: one.facts["missed"] for one in ended}[row(refused[0]).user_id] == 1


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


# What an incident must not depend on


def test_a_user_who_is_deleted_meanwhile(toy, make):
    waiting = open_by_failures(toy, make)
    toy.answers["create"] = [503] * 3
    advance(60)
    gone = row(waiting[1]).user_id
    assert gone in current().told
    with transaction():
        db.session.execute(db.delete(User).where(User.id == gone))
    toy.answers["create"] = []
    for _ in range(4):
        advance(300)
    assert current() is None
    assert [row(one).status for one in (waiting[0], waiting[2])] == [Status.PUBLISHED] * 2


def test_what_must_be_made_anew_counts_too(toy, make, monkeypatch):
    """An upload server that fails: what was made before is no longer good, and the try has failed."""

    def fail(*_) -> None:
        raise errors.Stale("unavailable", "ошибка 500")

    monkeypatch.setattr(Toy, "_upload", fail)
    for number in range(3):
        look(make(number))
    assert is_open()


@pytest.mark.parametrize("error", [errors.NotTaken("2: bad file"), errors.UploadRefused("toy_upload", "ошибка 400")])
def test_a_file_that_is_not_taken_counts_of_different_users(toy, make, monkeypatch, error):
    """It may be the file: one user's bad clips on several accounts open none."""

    def fail(*_) -> None:
        raise error

    monkeypatch.setattr(Toy, "_upload", fail)
    for account in range(4):
        look(make(1, account=account))
    assert not is_open()
    for number in (2, 3):
        look(make(number))
    assert is_open()


def test_an_account_that_has_another_bot_counts_for_none(toy, make, monkeypatch):
    def fail(*_) -> None:
        raise errors.Stale("toy_other", "")

    monkeypatch.setattr(Toy, "_upload", fail)
    for number in range(4):
        look(make(number))
    assert not is_open()


def test_a_trial_that_waits_in_between_is_not_patient_for_longer(toy, make, monkeypatch):
    """As MAX does it: first the file is not ready, then the message is refused."""
    waiting = open_by_failures(toy, make)
    waits = []

    def first_wait(self, context):
        waits.append(context.publication_id)
        if waits.count(context.publication_id) % 2:
            context.wait("file", lambda: None, every=30, until=3600)
        raise errors.Incident("not.owner", reason="unavailable")

    monkeypatch.setattr(Toy, "publish", first_wait)
    for _ in range(70):
        advance(60)
    assert {(one.status, one.reason) for one in map(row, waiting)} == {(Status.FAILED, "incident")}


def test_a_wait_for_the_file_begins_anew_after_it(toy, make, monkeypatch):
    ready = []

    def publish(self, context):
        if context.publication_id == one:
            context.wait("file", lambda: ready or None, every=30, until=200)
        return Toy_publish(self, context)

    Toy_publish = Toy.publish
    monkeypatch.setattr(Toy, "publish", publish)
    one = make(9)
    look(one)
    assert row(one).stage == Stage.PROCESSING
    with transaction():  # so that it is not the one that tries
        later = clock.now() + timedelta(hours=1)
        db.session.execute(db.update(Publication).where(Publication.id == one).values(due_at=later))
    open_by_failures(toy, make)
    toy.answers["create"] = [503] * 1000
    for _ in range(6):
        advance(60)
    assert row(one).stage == Stage.INCIDENT
    toy.answers["create"] = []
    advance(300)
    advance(1)
    assert current() is None and row(one).status == Status.PUBLISHING
    ready.append(True)
    assert settle(one).status == Status.PUBLISHED


def test_one_that_is_taken_back_after_its_end_goes_on_at_once(toy, make):
    waiting = open_by_failures(toy, make)
    wait_until(clock.now() + timedelta(seconds=31))
    for one in waiting:
        look(one)
    kept = committed(cancellation.cancel_many([waiting[2]]))
    with transaction():
        db.session.execute(db.update(Incident).values(closed_at=clock.now()))
    committed(cancellation.restore_many(kept))
    assert row(waiting[2]).wake_at <= clock.now()


def test_patience_that_a_clock_ahead_began(toy, make):
    [first, *_] = open_by_failures(toy, make)
    with transaction():
        ahead = clock.now() + timedelta(days=365)
        db.session.execute(db.update(Publication).where(Publication.id == first).values(outage_since=ahead))
    toy.answers["create"] = [503] * 100
    for _ in range(14):
        advance(300)
    assert (row(first).status, row(first).reason) == (Status.FAILED, "incident")


def test_a_clock_that_was_ahead(toy, make):
    waiting = open_by_failures(toy, make)
    wait_until(clock.now() + timedelta(seconds=31))
    for one in waiting:
        look(one)
    for values in ({"next_trial_at": 1}, {"trial_publication_id": 999, "trial_until": 1}):
        with transaction():
            ahead = {name: clock.now() + timedelta(days=365) if value == 1 else value for name, value in values.items()}
            db.session.execute(db.update(Incident).values(ahead))
        at_work(incidents.nominate)
        assert current().trial_publication_id in waiting


def test_a_clip_that_the_platform_cannot_digest_does_not_prolong_it(toy, make, monkeypatch):
    waiting = open_by_failures(toy, make)
    bad, create = waiting[0], Toy._create

    def of_all_but_one(self, context):
        if context.publication_id == bad:
            raise errors.Unavailable("HTTP 503")
        return create(self, context)

    monkeypatch.setattr(Toy, "_create", of_all_but_one)
    for _ in range(20):
        advance(30)
    assert not is_open()
    assert [row(one).status for one in waiting[1:]] == [Status.PUBLISHED] * 2


def test_a_trial_that_lasts_is_not_held_again(toy, make, monkeypatch):
    """A large file is processed for longer than one tries."""
    waiting = open_by_failures(toy, make)
    began, publish = clock.now(), Toy.publish

    def slow(self, context):
        context.wait("file", lambda: clock.now() - began > timedelta(minutes=25) or None, every=30, until=3600)
        return publish(self, context)

    monkeypatch.setattr(Toy, "publish", slow)
    stages = set()
    while clock.now() - began < timedelta(minutes=24):
        advance(30)
        stages |= {row(one).stage for one in current().tried}
    assert stages == {Stage.PROCESSING} and len(current().tried) > 1
    for _ in range(10):
        advance(30)
    assert current() is None and row(waiting[0]).status == Status.PUBLISHED


def test_only_what_this_one_has_missed_is_told(toy, make):
    open_by_failures(toy, make)
    earlier = make(1)
    with transaction():
        values = {"status": Status.FAILED, "reason": "incident", "wake_at": None}
        db.session.execute(db.update(Publication).where(Publication.id == earlier).values(values))
    toy.answers["create"] = [503] * 2
    for _ in range(10):
        advance(60)
    at_work(create.read_events)
    ended = db.session.scalars(db.select(Notification).where(Notification.kind == "recovered")).all()
    assert ended and {one.facts["missed"] for one in ended} == {0}


def test_one_that_comes_long_after_it_tries_at_once(toy, make):
    """All that it held have been cancelled: no letter tells of a failure that may be long over."""
    for one in open_by_failures(toy, make):
        publications.cancel(db.session.get(User, row(one).user_id), one)
        commit()
    wait_until(clock.now() + timedelta(days=1))
    late = settle(make(5))
    assert late.status == Status.PUBLISHED and current() is None
    at_work(create.read_events)
    assert late.user_id not in db.session.scalars(db.select(Notification.user_id)).all()


def test_a_worker_that_dies_while_it_tries(app, toy, make, monkeypatch):
    waiting = open_by_failures(toy, make)
    wait_until(clock.now() + timedelta(seconds=31))
    for one in waiting:
        look(one)
    at_work(incidents.nominate)
    monkeypatch.setattr(Toy, "die_at", "upload:before")
    work_horse = in_a_work_horse(app, waiting[0])
    work_horse.join(30)
    assert work_horse.exitcode == -signal.SIGKILL and current().trial_publication_id == waiting[0]
    monkeypatch.setattr(Toy, "die_at", "")
    tick()
    assert settle(waiting[0]).status == Status.PUBLISHED
    assert not is_open()
    assert [settle(one).status for one in waiting[1:]] == [Status.PUBLISHED] * 2
    assert toy.posts == dict.fromkeys(toy.drafts, 1)
