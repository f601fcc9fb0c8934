"""What the engine promises, shown with a platform of four calls."""

from datetime import timedelta

import pytest

from app import clock
from app.db import commit, db
from app.models import Publication, PublicationEvent, PublicationStep, Stage, Status
from app.platform_access import lease_times
from app.publishing import lease
from app.publishing.state_machine import MOVES, SETTLED, move
from app.services import publications, retries
from tests.publishing.claims import claim
from tests.publishing.conftest import look, row, settle, wait_until


def test_the_whole_way(toy, toy_publication):
    publication = settle(toy_publication())
    assert publication.status == Status.PUBLISHED
    assert publication.external_id == "1"
    assert publication.url == f"{toy.url}/posts/1"
    assert toy.posts == {"1": 1}
    assert db.session.query(PublicationStep).count() == 0, "stored steps are erased when it settles"


def test_history_has_each_step(toy, toy_publication):
    publication_id = toy_publication()
    settle(publication_id)
    kinds = [
        (event.kind, event.name)
        for event in db.session.query(PublicationEvent).filter_by(publication_id=publication_id)
    ]
    assert kinds == [
        ("created", None),
        ("step", "create"),
        ("step", "upload"),
        ("commit_started", "publish"),
        ("accepted", "publish"),
        ("step", "ready"),
        ("published", None),
    ]


def test_a_second_job_for_the_same_row_does_nothing(toy, toy_publication):
    publication_id = toy_publication()
    assert claim(publication_id)
    assert look(publication_id) is False
    assert toy.calls == {}


@pytest.mark.parametrize("verb", ["create", "upload", "publish", "posts"])
def test_a_server_error_is_retried_and_nothing_is_done_twice(toy, toy_publication, verb):
    toy.answers = {verb: [502]}
    publication = settle(toy_publication())
    assert publication.status == Status.PUBLISHED
    assert list(toy.posts.values()) == [1]
    assert len(toy.drafts) == (2 if verb == "create" and len(toy.drafts) == 2 else 1)


@pytest.mark.parametrize("verb", ["create", "upload", "publish", "posts"])
def test_a_lost_answer_never_leads_to_a_second_post(toy, toy_publication, verb):
    toy.answers = {verb: [0]}
    publication = settle(toy_publication())
    assert publication.status == Status.PUBLISHED
    assert list(toy.posts.values()) == [1]


def test_after_a_lost_answer_the_platform_is_asked_only_when_no_process_can_be_sending(toy, toy_publication):
    toy.answers = {"publish": [0]}
    publication_id = toy_publication()
    look(publication_id)
    publication = row(publication_id)
    assert publication.commit_in_doubt == "publish"
    assert publication.stage == Stage.CHECKING
    assert publication.wake_at > clock.now() + timedelta(seconds=15)
    assert toy.calls["posts"] == 0
    settle(publication_id)
    assert toy.calls["publish"] == 1


def test_not_there_is_asked_twice_before_it_is_sent_again(toy, toy_publication):
    toy.answers = {"publish": [503]}
    publication = settle(toy_publication())
    assert publication.status == Status.PUBLISHED
    assert toy.calls["publish"] == 2
    assert toy.calls["posts"] == 3, "twice «not there», then once «ready»"


def test_three_retries_then_an_error_with_reason(toy, toy_publication):
    toy.answers = {"create": [500] * 9}
    publication = settle(toy_publication())
    assert publication.status == Status.FAILED
    assert publication.reason == "unavailable"
    assert toy.calls["create"] == 4
    assert toy.posts == {}


def test_a_refusal_is_not_retried(toy, toy_publication):
    toy.answers = {"create": [400]}
    publication = settle(toy_publication())
    assert (publication.status, publication.reason, publication.detail) == (Status.FAILED, "refused", "так нельзя")
    assert toy.calls["create"] == 1


def test_a_refusal_at_the_commit_clears_the_intent(toy, toy_publication):
    toy.answers = {"publish": [400]}
    publication = settle(toy_publication())
    assert publication.status == Status.FAILED
    assert publication.commit_in_doubt is None


def test_processing_gives_the_worker_back(toy, toy_publication):
    toy.processing = 3
    publication_id = toy_publication()
    look(publication_id)
    publication = row(publication_id)
    assert publication.lease_until is None
    assert publication.stage == Stage.PROCESSING
    assert settle(publication_id).status == Status.PUBLISHED


def test_processing_is_looked_at_often_at_first(toy, toy_publication):
    toy.processing = 7
    publication_id = toy_publication()
    pauses = []
    look(publication_id)
    while (wake_at := row(publication_id).wake_at) is not None:
        pauses.append((wake_at - clock.now()).total_seconds())
        wait_until(wake_at)
        look(publication_id)
    assert pauses == pytest.approx([1, 1, 2, 4, 10, 10, 10], abs=0.9)
    assert row(publication_id).status == Status.PUBLISHED


def test_processing_without_end_is_for_the_user_to_check(toy, toy_publication):
    toy.processing = 1000
    publication = settle(toy_publication())
    assert publication.status == Status.UNCONFIRMED
    assert publication.url == f"{toy.url}/posts/1"


def test_retry_starts_over_with_three_retries(app, user, toy, toy_publication):
    owner = user()
    toy.answers = {"create": [500] * 4}
    publication_id = toy_publication(owner)
    assert settle(publication_id).status == Status.FAILED
    retries.retry(owner, publication_id)
    commit()
    assert settle(publication_id).status == Status.PUBLISHED
    assert list(toy.posts.values()) == [1]


def test_cancel_before_the_commit(user, toy, toy_publication):
    owner = user()
    toy.answers = {"upload": [500]}
    publication_id = toy_publication(owner)
    look(publication_id)
    publications.cancel(owner, publication_id)
    commit()
    assert settle(publication_id).status == Status.CANCELLED
    assert toy.posts == {}


def test_cancel_while_a_worker_holds_it_stops_it_before_the_commit(app, user, toy, toy_publication):
    owner = user()
    publication_id = toy_publication(owner)
    db.session.rollback()
    with app.app_context():
        held = claim(publication_id)
    publications.cancel(owner, publication_id)
    commit()
    with pytest.raises(lease.Cancelled):
        held.renew()


def test_no_cancel_once_the_commit_is_armed(user, toy, toy_publication):
    owner = user()
    toy.answers = {"publish": [0]}
    publication_id = toy_publication(owner)
    look(publication_id)
    with pytest.raises(publications.Problem):
        publications.cancel(owner, publication_id)
    assert settle(publication_id).status == Status.PUBLISHED


def test_evidence_counts_even_when_the_lease_is_lost(user, toy, toy_publication):
    """The answer of a sender whose lease ran out settles the publication."""
    from app.platforms.base import Receipt
    from app.publishing import receipts

    publication_id = toy_publication()
    held = claim(publication_id)
    move(publication_id, Status.UNCONFIRMED, wake_at=None, commit_in_doubt="publish", in_doubt_until=clock.now())
    db.session.commit()
    vault = db.session.get(Publication, publication_id) and _vault()
    sealed = vault.seal(b'{"id": "7", "url": "http://example.org/7"}', f"step:{publication_id}:publish")
    receipts.record(held, "publish", Receipt("7", "http://example.org/7"), sealed)
    assert row(publication_id).status == Status.PUBLISHING
    toy.posts["1"] = 1
    publication = settle(publication_id)
    assert (publication.status, publication.external_id) == (Status.PUBLISHED, "7")
    assert toy.calls["publish"] == 0


def _vault():
    from flask import current_app

    return current_app.extensions["vault"]


def test_a_row_left_by_a_dead_worker_comes_back(toy, toy_publication):
    publication_id = toy_publication()
    assert claim(publication_id)
    assert row(publication_id).wake_at <= clock.now() + lease_times.LEASE + lease_times.AFTER_DEADLINE
    assert settle(publication_id).status == Status.PUBLISHED
    assert row(publication_id).crashes == 1


def test_what_crashes_again_and_again_is_given_up(toy, toy_publication):
    publication_id = toy_publication()
    for _ in range(lease.MOST_CRASHES + 1):
        wait_until(row(publication_id).wake_at)
        assert claim(publication_id)
    publication = settle(publication_id)
    assert (publication.status, publication.reason) == (Status.FAILED, "crashed")


def test_plan_that_no_longer_allows_it(app, user, toy, toy_publication):
    owner = user()
    publication_id = toy_publication(owner)
    owner.plan_key = "free"
    db.session.commit()
    publication = settle(publication_id)
    assert (publication.status, publication.reason) == (Status.FAILED, "plan")
    assert toy.calls == {}


def test_expired_token_asks_to_reconnect(toy, toy_publication):
    toy.answers = {"create": [401]}
    publication = settle(toy_publication())
    assert (publication.status, publication.reason) == (Status.FAILED, "reconnect")
    assert publication.connection.status == "reconnect"


@pytest.mark.parametrize("answer", [400, 401, 429, 500])
def test_what_may_stand_there_is_never_called_failed(toy, toy_publication, answer):
    """The answer was lost, and then the platform cannot be asked either."""
    toy.answers = {"publish": [0], "posts": [answer] * 99}
    publication = settle(toy_publication())
    assert publication.status == Status.UNCONFIRMED
    assert publication.commit_in_doubt == "publish"
    assert toy.posts == {"1": 1}


def test_what_was_accepted_does_not_fail_when_its_poll_is_refused(toy, toy_publication):
    toy.answers = {"posts": [400]}
    publication = settle(toy_publication())
    assert (publication.status, publication.url) == (Status.UNCONFIRMED, f"{toy.url}/posts/1")


def test_sent_again_after_a_lost_answer_it_is_still_the_same_draft(user, toy, toy_publication):
    owner = user()
    toy.answers = {"publish": [503], "posts": [400]}
    publication_id = toy_publication(owner)
    assert settle(publication_id).status == Status.UNCONFIRMED
    wait_until(clock.now() + timedelta(minutes=1))
    retries.resend(owner, publication_id)
    commit()
    assert settle(publication_id).status == Status.PUBLISHED
    assert toy.calls["create"] == 1
    assert toy.posts == {"1": 1}


def test_sent_again_after_it_was_accepted_it_begins_anew(user, toy, toy_publication):
    """The platform took it and never showed it: the user has looked."""
    owner = user()
    toy.processing = 20
    publication_id = toy_publication(owner)
    assert settle(publication_id).status == Status.UNCONFIRMED
    toy.posts.clear()
    toy.processing = 0
    retries.resend(owner, publication_id)
    commit()
    publication = settle(publication_id)
    assert (publication.status, publication.external_id) == (Status.PUBLISHED, "2")
    assert toy.posts == {"2": 1}


def test_another_workers_receipt_stops_a_commit_that_is_about_to_begin(toy, toy_publication):
    """A worker whose lease ran out has published; the one that took over must not begin a commit any more."""
    from app.platforms.base import Receipt
    from app.publishing import receipts

    publication_id = toy_publication()
    slow = claim(publication_id)
    wait_until(row(publication_id).wake_at)
    other = claim(publication_id)
    sealed = _vault().seal(b'{"id": "1", "url": null}', f"step:{publication_id}:publish")
    toy.drafts["1"], toy.posts["1"] = 0, 1
    receipts.record(slow, "publish", Receipt("1"), sealed)
    with pytest.raises(lease.LeaseLost):
        other.renew()
    assert settle(publication_id).status == Status.PUBLISHED
    assert toy.calls["publish"] == 0


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Status.PUBLISHED, Status.PUBLISHED),
        (Status.FAILED, Status.PUBLISHED),
        (Status.CANCELLED, Status.PUBLISHED),
        (Status.UNCONFIRMED, Status.PUBLISHING),
        (Status.AWAITING_USER, Status.PUBLISHING),
        (Status.PUBLISHING, Status.PUBLISHING),
    ],
)
def test_a_late_receipt_counts_in_every_status(toy, toy_publication, before, after, last):
    from app.platforms.base import Receipt
    from app.publishing import receipts

    publication_id = toy_publication()
    held = claim(publication_id)
    if before != Status.PUBLISHING:
        move(publication_id, before, wake_at=None, lease_until=None)
        db.session.commit()
    sealed = _vault().seal(b'{"id": "7", "url": "http://example.org/7"}', f"step:{publication_id}:publish")
    receipts.record(held, "publish", Receipt("7", "http://example.org/7"), sealed, last)
    publication = row(publication_id)
    if before == Status.PUBLISHING and last:
        after = Status.PUBLISHED  # the lease is still ours, and nothing is left to ask
        assert held.settled
    assert (publication.status, publication.external_id, publication.url) == (after, "7", "http://example.org/7")
    assert (publication.wake_at is None) == (after == Status.PUBLISHED)


def test_a_row_whose_user_is_gone_is_a_lost_lease(app, user, toy, toy_publication):
    from app.platforms.base import Receipt
    from app.publishing import receipts

    owner = user()
    publication_id = toy_publication(owner)
    held = claim(publication_id)
    db.session.delete(owner)
    db.session.commit()
    with pytest.raises(lease.LeaseLost):
        held.release(clock.now(), event="retry")
    for last in (False, True):
        receipts.record(held, "publish", Receipt("1"), b"sealed", last)
    assert look(publication_id) is False


def test_a_token_that_cannot_be_opened_comes_to_an_end(app, toy, toy_publication):
    """A key that was lost: four tries, then an error, though the draft cannot be removed either."""
    publication_id = toy_publication()
    row(publication_id).connection.sealed_token = b"rubbish"
    db.session.commit()
    publication = settle(publication_id)
    assert (publication.status, publication.reason) == (Status.FAILED, "internal")


def test_every_status_has_its_moves():
    assert set(MOVES) == set(Status)
    assert set(Status) >= SETTLED


def test_a_platform_that_always_says_wait_is_asked_ever_less_and_not_for_ever(toy, toy_publication):
    toy.answers["create"] = [429] * 100
    publication_id = toy_publication()
    done = settle(publication_id)
    assert (done.status, done.reason) == (Status.FAILED, "rate_limited")
    assert timedelta(hours=24) < clock.now() - done.started_at < timedelta(hours=26)
    assert toy.calls["create"] < 40
