"""Many publications moved by so much, cancelled or sent once more: a result for each, and one undo."""

from datetime import datetime, timedelta

import pytest

from app import clock
from app.db import commit, db
from app.models import Publication, PublicationStep, Status, User
from app.problems import NotFound, Problem
from app.services import bulk_changes, due_times, publications, undo
from app.services.bulk_changes import Unit
from app.services.drafts import Choice
from tests import asking


@pytest.fixture
def scheduled(user) -> tuple[User, list[Publication]]:
    """One clip on three accounts, in three hours, in Berlin."""
    owner = user(timezone="Europe/Berlin")
    places = [asking.connection(owner, f"-100{number}") for number in range(1, 4)]
    clip = asking.clip(owner, "Закат")
    commit()
    made = publications.publish(owner, clip.id, [Choice(one.id, "Закат", "") for one in places], in_hours(3))
    commit()
    return owner, made


def in_hours(hours: int) -> datetime:
    return clock.now().replace(microsecond=0) + timedelta(hours=hours)


def due(made: list[Publication]) -> list[datetime]:
    db.session.rollback()
    return [db.session.get(Publication, one.id, populate_existing=True).due_at for one in made]


def statuses(made: list[Publication]) -> list[str]:
    db.session.rollback()
    return [db.session.get(Publication, one.id, populate_existing=True).status for one in made]


def test_an_hour_later_and_back(scheduled):
    owner, made = scheduled
    ids, before = [one.id for one in made], made[0].due_at
    result = bulk_changes.move_by(owner, ids, 1, Unit.HOURS)
    commit()
    assert (result.done, result.refused) == (ids, {})
    assert due(made) == [before + timedelta(hours=1)] * 3
    undo.restore(owner, result.undo.id)
    commit()
    assert due(made) == [before] * 3


def test_what_has_begun_stays_and_is_told(scheduled):
    owner, made = scheduled
    before = made[0].due_at
    publications.publish_now(owner, made[0].id)
    commit()
    result = bulk_changes.move_by(owner, [one.id for one in made], -1, Unit.HOURS)
    commit()
    assert result.done == [one.id for one in made[1:]]
    assert result.refused[made[0].id].code == "not_scheduled"
    assert due(made)[1:] == [before - timedelta(hours=1)] * 2


def test_a_day_later_is_the_same_time_of_the_day(scheduled):
    owner, made = scheduled
    clock.correct(due_times.parse(owner, "2027-03-27T08:00"))
    first = due_times.parse(owner, "2027-03-27T10:00")
    for one in made:
        db.session.get(Publication, one.id).due_at = first
    commit()
    bulk_changes.move_by(owner, [one.id for one in made], 1, Unit.DAYS)
    commit()
    assert due(made) == [first + timedelta(hours=23)] * 3


def test_earlier_than_may_be_is_refused(scheduled):
    owner, made = scheduled
    before = made[0].due_at
    result = bulk_changes.move_by(owner, [one.id for one in made], -3, Unit.HOURS)
    assert {refusal.code for refusal in result.refused.values()} <= {"due_too_soon", "due_in_past"}
    assert (result.done, result.undo) == ([], None)
    assert due(made) == [before] * 3


@pytest.mark.parametrize(
    ("typed", "unit"), [("0", "hours"), ("", "days"), ("1000", "hours"), ("1", "years"), ("²", "days")]
)
def test_an_amount_that_is_none(typed, unit):
    with pytest.raises(Problem, match="move_amount_malformed"):
        bulk_changes.parse_amount(typed, unit, earlier=False)


def test_cancelled_together_and_taken_back_together(scheduled):
    owner, made = scheduled
    db.session.get(Publication, made[0].id).status = Status.PUBLISHED
    db.session.get(Publication, made[1].id).status = Status.UNCONFIRMED
    under_way = db.session.get(Publication, made[2].id)
    under_way.status = Status.PUBLISHING
    db.session.add(PublicationStep(publication_id=under_way.id, name="create", sealed_answer=b"x"))
    commit()
    result = bulk_changes.cancel(owner, [*(one.id for one in made), 12345])
    commit()
    assert result.done == [one.id for one in made[1:]]
    assert result.refused[made[0].id].code == "too_late_to_cancel"
    assert isinstance(result.refused[12345], NotFound)
    assert statuses(made) == [Status.PUBLISHED, Status.CANCELLED, Status.CANCELLED]
    # Its draft is removed once the cancel cannot be taken back; of the other nothing is touched.
    assert db.session.get(Publication, made[2].id).wake_at is not None
    assert db.session.get(Publication, made[1].id).wake_at is None
    assert db.session.get(Publication, made[1].id).reason == "left_unconfirmed"
    undo.restore(owner, result.undo.id)
    commit()
    assert statuses(made) == [Status.PUBLISHED, Status.UNCONFIRMED, Status.PUBLISHING]


def test_sent_once_more_where_it_failed(scheduled):
    owner, made = scheduled
    for one in made[:2]:
        db.session.get(Publication, one.id).status = Status.FAILED
    commit()
    result = bulk_changes.retry(owner, [one.id for one in made])
    commit()
    assert result.done == [one.id for one in made[:2]]
    assert result.refused[made[2].id].code == "publication_changed"
    assert statuses(made) == [Status.PUBLISHING, Status.PUBLISHING, Status.SCHEDULED]


def test_of_clips_only_what_the_action_is_for(scheduled, user):
    owner, made = scheduled
    db.session.get(Publication, made[0].id).status = Status.FAILED
    db.session.get(Publication, made[1].id).status = Status.PUBLISHING
    commit()
    clip_ids = [made[0].clip_id]
    found = {action: bulk_changes.of_clips(owner, clip_ids, action) for action in ("move", "cancel", "retry", "other")}
    assert found == {"move": [made[2].id], "cancel": [made[1].id, made[2].id], "retry": [made[0].id], "other": []}
    assert bulk_changes.of_clips(user(), clip_ids, "cancel") == []


def test_a_strangers_publications(scheduled, user):
    _, made = scheduled
    stranger, ids = user(), [one.id for one in made]
    assert bulk_changes.chosen(stranger, ids) == []
    assert bulk_changes.move_by(stranger, ids, 1, Unit.HOURS).done == []
    assert bulk_changes.cancel(stranger, ids).done == []
    assert bulk_changes.retry(stranger, ids).done == []
    assert statuses(made) == [Status.SCHEDULED] * 3
