"""Publishing several at once: what is refused, what is made, and what a refused request leaves behind."""

import pytest

from app import queue
from app.db import commit, db
from app.models import Clip, ClipStatus, Publication, PublicationEvent, Status
from app.problems import NotFound, Problem
from app.queue import table
from app.services import publications
from app.services.publications import Choice, Item

OTHER_CHANNEL = -1001000000009


@pytest.fixture
def owner(user):
    return user()


def count(model: type) -> int:
    return db.session.scalar(db.select(db.func.count()).select_from(model))


def test_each_item_has_a_result(owner, user, ready_clip, telegram):
    clip, other = ready_clip(owner), ready_clip(owner)
    unready = ready_clip(owner)
    unready.status = ClipStatus.PROCESSING
    foreign = ready_clip(user())
    first, second = telegram(owner), telegram(owner, chat_id=OTHER_CHANNEL)
    commit()
    items = [
        Item(clip.id, Choice(first.id, "Закат", "")),
        Item(clip.id, Choice(second.id, "x" * 1100, "")),
        Item(clip.id, Choice(first.id, "Дважды", "")),
        Item(unready.id, Choice(first.id, "Рано", "")),
        Item(foreign.id, Choice(first.id, "Чужой", "")),
        Item(clip.id, Choice(12345, "Нигде", "")),
        Item(other.id, Choice(second.id, "Рассвет", "")),
    ]
    results = publications.publish_many(owner, items)
    assert queue.queue(table.PUBLISH).count == 0
    commit()
    made = [results[0], results[-1]]
    assert [one.title for one in made] == ["Закат", "Рассвет"]
    assert [results[number].code for number in (1, 2, 3)] == ["title_over_column", "already_live", "clip_not_ready"]
    assert results[1].field == f"connection-{second.id}"
    assert [type(one) for one in results[4:6]] == [NotFound, NotFound]
    assert {one.args[0] for one in queue.queue(table.PUBLISH).jobs} == {one.id for one in made}
    assert set(db.session.scalars(db.select(Publication.title))) == {"Закат", "Рассвет"}
    assert count(PublicationEvent) == 2


def test_an_account_twice_in_one_request_makes_one(owner, ready_clip, telegram):
    clip, channel = ready_clip(owner), telegram(owner)
    made = publications.publish(owner, clip.id, [Choice(channel.id, "Раз", ""), Choice(channel.id, "Два", "")])
    commit()
    assert [one.title for one in made] == ["Раз"]
    assert count(Publication) == count(PublicationEvent) == 1


def test_a_refused_request_leaves_nothing(owner, ready_clip, telegram, sign_in):
    clip, first, second = ready_clip(owner), telegram(owner), telegram(owner, chat_id=OTHER_CHANNEL)
    version = clip.version
    with pytest.raises(Problem, match="text_too_long"):
        publications.publish(owner, clip.id, [Choice(first.id, "Раз", ""), Choice(second.id, "Два", "x" * 1100)])
    db.session.rollback()
    texts = {f"title-{first.id}": "Раз", f"title-{second.id}": "Два", f"description-{second.id}": "x" * 1100}
    for headers in ({}, {"HX-Request": "true"}):
        form = {"connection": [first.id, second.id], **texts}
        answer = sign_in(owner).post(f"/clips/{clip.id}/publish", data=form, headers=headers)
        assert answer.status_code == 422
        assert "помещается 1024" in answer.text
    db.session.expire_all()
    assert count(Publication) == count(PublicationEvent) == 0
    assert db.session.get(Clip, clip.id).version == version
    assert queue.queue(table.PUBLISH).count == 0


def test_a_failed_retry_leaves_the_publication_as_it_was(owner, ready_clip, telegram, sign_in):
    clip, channel = ready_clip(owner), telegram(owner)
    [failed] = publications.publish(owner, clip.id, [Choice(channel.id, "Раз", "")])
    failed.status = Status.FAILED
    commit()
    publications.publish(owner, clip.id, [Choice(channel.id, "Два", "")])
    commit()
    queue.queue(table.PUBLISH).empty()
    answer = sign_in(owner).post(f"/publications/{failed.id}/retry", headers={"HX-Request": "true"})
    assert answer.status_code == 422
    db.session.expire_all()
    assert failed.status == Status.FAILED
    assert count(PublicationEvent) == 2
    assert queue.queue(table.PUBLISH).count == 0
