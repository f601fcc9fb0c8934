"""No order of clicks, jobs, crashes and clock steps makes two posts of one publication, or a row that nobody wakes.

Hypothesis makes the orders. The toy platform runs in this process: a worker "dies" by an exception that nothing
catches, at any of the adapter's points, and then its row is left as a SIGKILL leaves it.
"""

from datetime import timedelta

import pytest
from flask import current_app
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app import clock
from app.db import commit, db, transaction
from app.models import Clip, Publication, Status, User
from app.platforms.base import Account, Token
from app.problems import NotFound, Problem
from app.publishing import dispatch, engine
from app.services import connections, publications, retries
from app.services.publications import Choice
from tests.publishing.claims import claim
from tests.publishing.conftest import row
from tests.publishing.toy import POINTS, Toy, ToyServer

EXAMPLES = 25
STEPS = 18
MOVING = (Status.SCHEDULED, Status.PUBLISHING)


class Died(BaseException):
    """What SIGKILL is to a process."""


class MortalToy(Toy):
    dies_at = ""

    def _die(self, point: str) -> None:
        if point == type(self).dies_at:
            type(self).dies_at = ""
            raise Died


class Orders(RuleBasedStateMachine):
    """`asked`: how often the user has asked for a post; «Нет, отправить ещё раз» is such a word too."""

    toy: ToyServer
    user_id: int
    template: dict

    @initialize()
    def begin(self) -> None:
        db.session.rollback()
        self.toy.forget()
        MortalToy.dies_at = ""
        self._connect()
        with transaction():
            clip = Clip(user_id=self.user_id, **self.template)
            db.session.add(clip)
            db.session.flush()
            self.clip_id = clip.id
        [publication] = publications.publish(self._user(), self.clip_id, [Choice(self.connection_id, "Клип", "")])
        commit()
        self.publication_id, self.asked = publication.id, 1

    # What the user does

    @rule()
    def cancels(self) -> None:
        self._click(publications.cancel)

    @rule()
    def user_retries(self) -> None:
        failed = row(self.publication_id).status == Status.FAILED
        if self._click(retries.retry):
            assert failed

    @rule()
    def confirms(self) -> None:
        """An honest user: only where the clip is."""
        if self._standing():
            self._click(publications.confirm)

    @rule()
    def asks_to_send_again(self) -> None:
        """An honest user: only where the clip is not."""
        if not self._standing():
            self._click(retries.resend)

    @rule()
    def clicks_publish_again(self) -> None:
        try:
            made = publications.publish(self._user(), self.clip_id, [Choice(self.connection_id, "Клип", "")])
            commit()
        except (Problem, NotFound):
            db.session.rollback()
            return
        if made:
            assert row(self.publication_id).status not in publications.LIVE
            self.publication_id = made[0].id
            self.asked += 1

    @rule()
    def disconnects_and_connects(self) -> None:
        db.session.rollback()
        connections.disconnect(self._user(), self.connection_id)
        self._connect()

    # What the platform and the machine do

    @rule(
        verb=st.sampled_from(["create", "upload", "publish", "posts"]), answer=st.sampled_from([0, 500, 400, 401, 429])
    )
    def platform_will_fail(self, verb: str, answer: int) -> None:
        self.toy.answers.setdefault(verb, []).append(answer)

    @rule(point=st.sampled_from(POINTS))
    def worker_will_die(self, point: str) -> None:
        MortalToy.dies_at = point

    @rule()
    def worker_dies_before_it_begins(self) -> None:
        db.session.rollback()
        claim(self.publication_id)

    @rule()
    def job(self) -> None:
        self._work()

    @rule()
    def job_twice(self) -> None:
        self._work()
        self._work()

    @rule()
    def tick(self) -> None:
        db.session.rollback()
        woken: list[int] = []
        dispatch.release_due(lambda few, many: woken.extend(few + many) or True)
        for publication_id in woken:
            self._work(publication_id)

    @rule(seconds=st.sampled_from([1, 20, 40, 100, 300, 4000]))
    def time_goes_by(self, seconds: int) -> None:
        _step_clock(seconds)

    @precondition(lambda self: row(self.publication_id).wake_at)
    @rule()
    def time_goes_by_until_it_wakes(self) -> None:
        ahead = (row(self.publication_id).wake_at - clock.now()).total_seconds()
        if ahead > 0:
            _step_clock(ahead + 0.01)
        self._work()

    @rule(seconds=st.sampled_from([1, 10, 3000]))
    def clock_is_put_back(self, seconds: int) -> None:
        _step_clock(-seconds)

    # What must hold

    @invariant()
    def never_two_posts_of_one_wish(self) -> None:
        assert all(count <= 1 for count in self.toy.posts.values())
        assert len(self._standing()) <= self.asked

    @invariant()
    def success_is_not_assumed(self) -> None:
        publication = row(self.publication_id)
        if publication.status == Status.PUBLISHED:
            assert self._standing()

    @invariant()
    def whatever_moves_will_be_woken(self) -> None:
        publication = row(self.publication_id)
        assert publication.status not in MOVING or publication.wake_at is not None
        if publication.status in (Status.PUBLISHED, Status.FAILED, Status.UNCONFIRMED, Status.AWAITING_USER):
            assert (publication.wake_at, publication.lease_until) == (None, None)

    def teardown(self) -> None:
        """From here on nothing goes wrong: it comes to rest, and what it says is so."""
        self.toy.answers, MortalToy.dies_at = {}, ""
        for _ in range(60):
            publication = row(self.publication_id)
            if publication.wake_at is None:
                break
            _step_clock(max((publication.wake_at - clock.now()).total_seconds(), 0) + 0.01)
            self._work()
        publication = row(self.publication_id)
        assert publication.status not in MOVING
        if publication.status == Status.FAILED:
            assert not self._standing_of(publication), "told that it is not there, and it is"
        self.never_two_posts_of_one_wish()

    # Helpers

    def _connect(self) -> None:
        db.session.rollback()
        connection = connections.save(self._user(), "toy", [Account("1", "Игрушка")], Token("toy-token"))
        self.connection_id = connection.id

    def _user(self) -> User:
        return db.session.get(User, self.user_id)

    def _click(self, act) -> bool:
        db.session.rollback()
        try:
            act(self._user(), self.publication_id)
            commit()
        except Problem:
            db.session.rollback()
            return False
        return True

    def _work(self, publication_id: int | None = None) -> None:
        db.session.rollback()
        try:
            with current_app.app_context():
                engine.advance(publication_id or self.publication_id)
        except Died:
            with current_app.app_context():
                db.session.remove()

    def _standing(self) -> list[str]:
        return [post for post, count in self.toy.posts.items() if count]

    def _standing_of(self, publication: Publication) -> bool:
        return publication.external_id in self._standing()


def _step_clock(seconds: float) -> None:
    clock.correct(clock.now() + timedelta(seconds=seconds))


@pytest.fixture
def mortal_toy(app, toy, user, ready_clip):
    from app import platforms

    platforms.ADAPTERS["toy"] = MortalToy
    owner = user()
    clip = ready_clip(owner)
    own = ("id", "user_id", "created_at")
    Orders.toy, Orders.user_id = toy, owner.id
    Orders.template = {
        column.key: getattr(clip, column.key) for column in Clip.__table__.columns if column.key not in own
    }
    return Orders


def test_no_order_of_events_posts_twice_or_gets_stuck(mortal_toy):
    run_state_machine_as_test(
        mortal_toy,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
