"""A cancel, a deletion and a disconnect are done at once, can be taken back for some seconds, and then are for good."""

from datetime import timedelta

import pytest

from app import clock, jobs
from app.db import commit, db
from app.models import (
    UNDO_TIME,
    WITH_DELETED,
    Clip,
    Erasure,
    PlatformConnection,
    Publication,
    PublicationEvent,
    PublicationStep,
    Revocation,
    Stage,
    Status,
    Undo,
    UndoState,
)
from app.notifications import create
from app.platform_access import tokens
from app.platforms.base import Account, Token
from app.problems import NotFound, Problem
from app.services import (
    clip_deletion,
    clip_list,
    clips,
    connection_list,
    connections,
    data_export,
    history,
    publications,
    undo,
    user_deletion,
)
from app.services.publications import Choice
from app.statistics import report
from app.storage import storage
from tests.edges import committed
from tests.notifications.reading import notifications
from tests.publishing.conftest import at_work, fresh, look, row, settle, tick, too_late_to_undo, wait_until

PASSWORD = "parol-parol"


def later(seconds: float):
    return clock.now() + timedelta(seconds=seconds)


def all_rows(model) -> list:
    db.session.rollback()
    return list(db.session.scalars(db.select(model).execution_options(**WITH_DELETED, populate_existing=True)))


def statistics(owner) -> list[report.Line]:
    db.session.rollback()
    return list(report.report(fresh(owner)).clips.rows)


def set_to(publication_id: int, **values) -> None:
    db.session.execute(db.update(Publication).where(Publication.id == publication_id).values(**values))
    db.session.commit()


def cancel(owner, publication_id: int) -> int:
    return committed(publications.cancel(fresh(owner), publication_id)).id


def restore(owner, undo_id: int) -> Undo:
    db.session.rollback()
    try:
        return committed(undo.restore(fresh(owner), undo_id))
    except Problem:
        db.session.rollback()
        raise


def delete(owner, publication_id: int) -> clip_deletion.Deletion:
    return committed(clip_deletion.delete(fresh(owner), [row(publication_id).clip_id]))


def disconnect(owner, publication_id: int) -> connections.Disconnection:
    return committed(connections.disconnect(fresh(owner), row(publication_id).connection_id))


# Cancelling


def test_a_scheduled_one_is_scheduled_again(toy, toy_publication, owner):
    due = later(3600)
    publication_id = toy_publication(owner, due)
    undo_id = cancel(owner, publication_id)
    assert (row(publication_id).status, row(publication_id).wake_at) == (Status.CANCELLED, None)
    restore(owner, undo_id)
    publication = row(publication_id)
    assert (publication.status, publication.due_at, publication.wake_at) == (Status.SCHEDULED, due, due)
    restore(owner, undo_id)  # the other half of a double press
    assert row(publication_id).fence == publication.fence
    assert [event.kind for event in all_rows(PublicationEvent)] == ["scheduled", "cancelled", "restored"]
    wait_until(due)
    tick()
    assert settle(publication_id).status == Status.PUBLISHED
    assert toy.posts == {"1": 1}


def test_one_whose_time_has_come_meanwhile_goes_out(toy, toy_publication, owner):
    publication_id = toy_publication(owner, due := later(3600))
    wait_until(due - timedelta(seconds=5))
    undo_id = cancel(owner, publication_id)
    wait_until(due + timedelta(seconds=4))
    assert look(publication_id) is False
    restore(owner, undo_id)
    assert settle(publication_id).status == Status.PUBLISHED


def test_what_was_under_way_goes_on_where_it_stopped(toy, toy_publication, owner):
    toy.answers = {"upload": [503]}
    publication_id = toy_publication(owner)
    look(publication_id)
    before = row(publication_id)
    assert before.stage == Stage.RETRY
    undo_id = cancel(owner, publication_id)
    assert look(publication_id) is False, "nothing is removed at the platform yet"
    at_work(lambda: tick())
    assert row(publication_id).wake_at > clock.now(), "the tick leaves it asleep"
    restore(owner, undo_id)
    after = row(publication_id)
    assert (after.status, after.stage, after.wake_at) == (Status.PUBLISHING, Stage.RETRY, before.wake_at)
    assert settle(publication_id).status == Status.PUBLISHED
    assert toy.calls["create"] == 1
    assert toy.posts == {"1": 1}


def test_what_it_has_left_is_removed_once_it_is_too_late(toy, toy_publication, owner):
    toy.answers = {"upload": [503]}
    publication_id = toy_publication(owner)
    look(publication_id)
    undo_id = cancel(owner, publication_id)
    assert (len(toy.drafts), len(all_rows(PublicationStep))) == (1, 1)
    assert settle(publication_id).status == Status.CANCELLED
    assert all_rows(PublicationStep) == []
    with pytest.raises(Problem, match="undo_too_late"):
        restore(owner, undo_id)
    assert row(publication_id).status == Status.CANCELLED


@pytest.mark.parametrize(
    "values",
    [
        {"status": Status.AWAITING_USER, "ask": {"text": "Текст", "link": "https://e.org", "label": "Открыть"}},
        {"status": Status.FAILED, "reason": "rejected", "detail": "не то"},
        {"status": Status.UNCONFIRMED, "reason": "unknown", "commit_in_doubt": "publish"},
    ],
)
def test_what_waits_for_its_user_waits_again_and_says_so_once(toy, toy_publication, owner, values):
    publication_id = toy_publication(owner)
    db.session.add(PublicationStep(publication_id=publication_id, name="create", sealed_answer=b"x"))
    set_to(publication_id, wake_at=None, in_doubt_until=None, **values)
    undo_id = cancel(owner, publication_id)
    restore(owner, undo_id)
    publication = row(publication_id)
    assert {name: getattr(publication, name) for name in values} == values
    assert (publication.wake_at, len(all_rows(PublicationStep))) == (None, 1)
    at_work(create.read_events)
    assert notifications() == []


def test_an_unconfirmed_one_that_stays_cancelled_keeps_no_steps(toy, toy_publication, owner):
    publication_id = toy_publication(owner)
    db.session.add(PublicationStep(publication_id=publication_id, name="create", sealed_answer=b"x"))
    set_to(publication_id, wake_at=None, status=Status.UNCONFIRMED)
    cancel(owner, publication_id)
    assert len(all_rows(PublicationStep)) == 1
    too_late_to_undo()
    assert (all_rows(PublicationStep), row(publication_id).wake_at) == ([], None)


def test_late_presses_and_others_are_refused(toy, toy_publication, owner, user):
    publication_id = toy_publication(owner, later(3600))
    undo_id = cancel(owner, publication_id)
    with pytest.raises(NotFound):
        restore(user(), undo_id)
    wait_until(later(UNDO_TIME.total_seconds()))
    with pytest.raises(Problem, match="undo_too_late"):
        restore(owner, undo_id)
    at_work(jobs.finish_undos)
    with pytest.raises(Problem, match="undo_too_late"):
        restore(owner, undo_id)
    assert row(publication_id).status == Status.CANCELLED


def test_not_beside_another_publication_to_the_same_account(toy, toy_publication, owner):
    publication_id = toy_publication(owner, later(3600))
    one = row(publication_id)
    undo_id = cancel(owner, publication_id)
    [again] = publications.publish(fresh(owner), one.clip_id, [Choice(one.connection_id, one.title, "")])
    commit()
    with pytest.raises(Problem, match="undo_too_late"):
        restore(owner, undo_id)
    assert (row(publication_id).status, row(again.id).status) == (Status.CANCELLED, Status.PUBLISHING)


# Deleting


def test_a_deleted_clip_is_nowhere_and_comes_back(toy, toy_publication, owner):
    publication_id = toy_publication(owner, due := later(3600))
    clip_id = row(publication_id).clip_id
    deletion = delete(owner, publication_id)
    assert (deletion.clip_ids, deletion.finishing) == ([clip_id], [])
    owner = fresh(owner)
    with pytest.raises(NotFound):
        clips.get(owner, clip_id)
    assert clip_list.page(owner).rows == []
    assert clips.changed(owner, {clip_id: 1}) == ([], [clip_id])
    assert clips.used_bytes(owner) == 0
    assert history.clips_published(owner, clip_id) == {}
    assert [one.clip for one in history.page(owner, history.Filters()).rows] == [None]
    assert history.changed(owner, {publication_id: f"{row(publication_id).fence}.0"}) == []
    assert row(publication_id).status == Status.CANCELLED
    restore(owner, deletion.undo_id)
    assert [clip.id for clip in clip_list.page(fresh(owner)).rows] == [clip_id]
    assert (row(publication_id).status, row(publication_id).wake_at) == (Status.SCHEDULED, due)
    too_late_to_undo()
    assert clips.get(fresh(owner), clip_id).id == clip_id
    assert storage().size(clips.get(fresh(owner), clip_id).storage_key) > 0


def test_a_deleted_clip_is_gone_with_its_files_in_time(toy, toy_publication, owner):
    publication_id = toy_publication(owner)
    assert settle(publication_id).status == Status.PUBLISHED
    keys = [clip.storage_key for clip in all_rows(Clip)]
    delete(owner, publication_id)
    before = statistics(owner)
    assert [line.title for line in before] == [row(publication_id).title]
    too_late_to_undo()
    assert all_rows(Clip) == []
    assert row(publication_id).clip_id is None
    assert statistics(owner) == before
    for erasure in all_rows(Erasure):
        at_work(jobs.erase_file, erasure.id)
    for key in keys:
        with pytest.raises(FileNotFoundError):
            storage().size(key)


def test_several_at_once_and_one_that_is_being_handed_over(toy, toy_publication, owner, ready_clip):
    publication_id = toy_publication(owner)
    set_to(publication_id, commit_in_doubt="publish")
    busy = row(publication_id).clip_id
    free = [ready_clip(fresh(owner)).id for _ in range(3)]
    deletion = committed(clip_deletion.delete(fresh(owner), [busy, *free, 12345]))
    assert (deletion.clip_ids, deletion.finishing) == (free, [busy])
    restore(owner, deletion.undo_id)
    assert len(clip_list.page(fresh(owner)).rows) == 4


def test_a_restart_in_the_middle_loses_nothing(toy, owner, ready_clip):
    ids = [ready_clip(fresh(owner)).id for _ in range(3)]
    deletion = committed(clip_deletion.delete(fresh(owner), ids))
    wait_until(later(UNDO_TIME.total_seconds()))
    at_work(lambda: committed(undo.begin_to_finish(deletion.undo_id)))
    at_work(lambda: committed(undo.remove_clip(ids[0])))
    with pytest.raises(Problem, match="undo_too_late"):
        restore(owner, deletion.undo_id)
    assert len(all_rows(Clip)) == 2
    at_work(jobs.finish_undos)
    assert all_rows(Clip) == []
    assert [one.state for one in all_rows(Undo)] == [UndoState.FINISHED]


def test_a_clip_that_goes_out_again_meanwhile_is_deleted_afterwards(toy, toy_publication, owner):
    """By an undo of its publication's cancel that came at the moment of the deletion."""
    publication_id = toy_publication(owner)
    delete(owner, publication_id)
    set_to(publication_id, status=Status.PUBLISHING, wake_at=clock.now(), has_receipt=True, external_id="1")
    too_late_to_undo()
    assert len(all_rows(Clip)) == 1
    set_to(publication_id, status=Status.PUBLISHED, wake_at=None)
    at_work(jobs.finish_undos)
    assert all_rows(Clip) == []


def test_a_cancel_is_not_taken_back_once_the_clip_is_deleted(toy, toy_publication, owner):
    publication_id = toy_publication(owner, later(3600))
    undo_id = cancel(owner, publication_id)
    delete(owner, publication_id)
    with pytest.raises(Problem, match="undo_too_late"):
        restore(owner, undo_id)
    assert row(publication_id).status == Status.CANCELLED


# Disconnecting


def test_a_disconnected_account_comes_back_with_what_it_published(toy, toy_publication, owner):
    publication_id = toy_publication(owner, due := later(3600))
    disconnection = disconnect(owner, publication_id)
    assert connection_list.all_of(fresh(owner)) == []
    assert row(publication_id).status == Status.CANCELLED
    restore(owner, disconnection.undo_id)
    [connection] = connection_list.all_of(fresh(owner))
    assert tokens.open_token(connection).access == "toy-token"
    assert all_rows(Revocation) == []
    wait_until(due)
    tick()
    assert settle(publication_id).status == Status.PUBLISHED
    assert toy.posts == {"1": 1}


def test_the_token_is_gone_when_the_time_is_over(toy, toy_publication, owner):
    publication_id = toy_publication(owner)
    disconnection = disconnect(owner, publication_id)
    assert all_rows(PlatformConnection)[0].sealed_token
    too_late_to_undo()
    assert all_rows(PlatformConnection) == []
    assert len(all_rows(Revocation)) == 1
    with pytest.raises(Problem, match="undo_too_late"):
        restore(owner, disconnection.undo_id)


def test_the_same_account_can_be_connected_anew_at_once(toy, toy_publication, owner):
    publication_id = toy_publication(owner, later(3600))
    disconnection = disconnect(owner, publication_id)
    again = committed(connections.save(fresh(owner), "toy", [Account("1", "Игрушка")], Token("toy-token-2")))
    assert again.id != row(publication_id).connection_id
    with pytest.raises(Problem, match="undo_connected_again"):
        restore(owner, disconnection.undo_id)
    assert row(publication_id).status == Status.CANCELLED
    too_late_to_undo()
    assert [one.id for one in all_rows(PlatformConnection)] == [again.id]


# The user's data


def test_deleting_the_account_waits_for_nothing(toy, toy_publication, owner):
    disconnect(owner, toy_publication(owner, later(3600)))
    publication_id = toy_publication(owner, later(3600))
    delete(owner, publication_id)
    keys = [clip.storage_key for clip in all_rows(Clip)]
    user_deletion.delete_user(fresh(owner), PASSWORD)
    commit()
    for model in (Clip, PlatformConnection, Undo, Publication):
        assert all_rows(model) == [], model
    assert len(all_rows(Revocation)) == 2
    for erasure in all_rows(Erasure):
        at_work(jobs.erase_file, erasure.id)
    for key in keys:
        with pytest.raises(FileNotFoundError):
            storage().size(key)


def test_the_export_has_nothing_that_was_deleted(toy, toy_publication, owner):
    publication_id = toy_publication(owner, later(3600))
    title = row(publication_id).clip.title
    assert title in exported_clips(owner)
    delete(owner, publication_id)
    assert title not in exported_clips(owner)


def exported_clips(owner) -> str:
    text = "".join(data_export.export(fresh(owner)))
    return text[text.index('"clips"') : text.index('"publications"')]
