from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from app import clock, texts
from app.db import commit, db, reading, transaction
from app.models import Clip, Publication, PublicationEvent, Stage, Status, User, fold, touch
from app.publishing import state_machine
from app.services import history, publications
from app.services.history import Filters
from app.services.publications import Choice
from app.texts import moments


def clip_of(user, title: str = "Закат") -> Clip:
    clip = Clip(user_id=user.id, title=title, file_name="a.mp4", storage_key="x", size=1)
    db.session.add(clip)
    db.session.flush()
    return clip


def publish(clip: Clip, status: Status = Status.PUBLISHED, platform: str = "telegram", **more) -> Publication:
    values = {"account_id": "1", "account_name": "Канал", "title": clip.title, "due_at": clock.now()} | more
    one = Publication(user_id=clip.user_id, clip_id=clip.id, platform=platform, status=status, **values)
    db.session.add(one)
    db.session.commit()
    return one


def found(user, **filters) -> list[str]:
    return [one.title for one in history.page(user, Filters(**filters)).rows]


# The list


@pytest.mark.each_on_both
@pytest.mark.parametrize("words", ["ёж", "ЁЖ", "еж", "Еж В ТУМАНЕ", "туман ёж", "канал", "е\u0308ж", "ж в ту"])
def test_the_search_folds_cyrillic(owner, words):
    publish(clip_of(owner, "Ёжик в тумане"))
    publish(clip_of(owner, "Съёмка на закате"), account_name="Студия")
    assert found(owner, words=words) == ["Ёжик в тумане"]


@pytest.mark.each_on_both
@pytest.mark.parametrize("words", ["%", "_", "\\", "еж%", "'; --"])
def test_signs_of_the_query_language_are_letters_like_others(owner, words):
    publish(clip_of(owner, "Ёжик в тумане"))
    assert found(owner, words=words) == []
    publish(clip_of(owner, f"100 {words} ежа"))
    assert len(found(owner, words=words)) == 1


def test_filters_narrow_together(owner):
    first, second = clip_of(owner, "Первый"), clip_of(owner, "Второй")
    publish(first)
    publish(first, Status.FAILED, platform="vk")
    publish(second, Status.FAILED)
    assert found(owner) == ["Второй", "Первый", "Первый"]
    assert found(owner, status=Status.FAILED) == ["Второй", "Первый"]
    assert found(owner, status=Status.FAILED, platform="vk") == ["Первый"]
    assert found(owner, clip_id=second.id, words="втор") == ["Второй"]
    assert found(owner, clip_id=second.id, platform="vk") == []
    counts = history.counts(owner, Filters(status=Status.PUBLISHED))
    assert (counts.total, counts.by_status) == (1, {Status.PUBLISHED: 1, Status.FAILED: 2})


def test_pages(owner):
    clip = clip_of(owner)
    for number in range(5):
        publish(clip, title=f"{number}")
    pages = [history.page(owner, Filters(), number, per_page=2) for number in (1, 2, 3, 9, -4)]
    assert [[one.title for one in page.rows] for page in pages] == [
        ["4", "3"],
        ["2", "1"],
        ["0"],
        ["0"],
        ["4", "3"],
    ]
    assert [page.page for page in pages] == [1, 2, 3, 3, 1]
    assert pages[0].pages == 3


def test_strangers_are_not_found(owner, user):
    clip = clip_of(owner)
    one = publish(clip)
    stranger = user()
    assert found(stranger) == found(stranger, clip_id=clip.id) == []
    assert history.clips_published(stranger) == {}
    assert history.changed(stranger, {one.id: ""}) == []
    assert history.for_clips(stranger, [clip.id]) == {}


def test_clips_to_choose_from_are_those_that_were_published(owner):
    publish(clip_of(owner, "Первый"))
    publish(clip_of(owner, "Второй"))
    clip_of(owner, "Не публиковался")
    assert list(history.clips_published(owner).values()) == ["Второй", "Первый"]


# The poll


def test_every_change_that_a_page_shows_changes_the_version(owner):
    clip = clip_of(owner)
    one = publish(clip, Status.PUBLISHING, stage=Stage.QUEUED)
    known = {one.id: history.version(one)}
    assert history.changed(owner, known) == []

    touch(one.id)  # as every renewal of a lease with progress does
    assert history.changed(owner, known) == [one]
    db.session.refresh(clip)
    known = {one.id: history.version(one)}
    publications.cancel(owner, one.id)
    commit()
    assert history.changed(owner, known) == [one]

    db.session.expire_all()
    known = {one.id: history.version(one)}
    db.session.delete(clip)
    db.session.commit()
    assert history.changed(owner, known) == [one]

    db.session.expire_all()
    known = {one.id: history.version(one)}
    assert history.changed(owner, known) == []
    state_machine.move(one.id, Status.PUBLISHED, event="receipt_found")
    db.session.commit()
    assert history.changed(owner, known) == [one]


# One publication's history


def write(one: Publication, *events: tuple) -> list[tuple[int, list[str]]]:
    """Attempts with what their lines say, of (kind, name, detail, status)."""
    for second, event in enumerate(events):
        kind, name, detail, status = (*event, *(None,) * (4 - len(event)))
        db.session.add(
            PublicationEvent(
                publication_id=one.id,
                at=clock.now() + timedelta(seconds=second),
                kind=kind,
                name=name,
                detail=detail,
                status=status or Status.PUBLISHING,
            )
        )
    db.session.commit()
    return [
        (
            attempt.number,
            [texts.event(line.kind, line.name, "Europe/Moscow", line.step) for line in attempt.lines],
        )
        for attempt in history.attempts(one)
    ]


def test_attempts_are_separated(owner):
    one = publish(clip_of(owner), Status.FAILED, platform="vk")
    assert write(
        one,
        ("created",),
        ("step", "create"),
        ("retry", "unavailable", "HTTP 502"),
        ("step", "upload"),
        ("step", "encoded: since"),
        ("failed", "refused", "нельзя", Status.FAILED),
        ("retried",),
        ("commit_started", "publish"),
        ("accepted", "publish"),
        ("published", None, None, Status.PUBLISHED),
    ) == [
        (1, ["Создана", "Готово: создание черновика", "Не вышло, будет повтор"]),
        (2, ["Готово: загрузка видео", "Ждём: обработка видео", "Не опубликована"]),
        (
            3,
            [
                "Повтор по вашей просьбе",
                "Передаём площадке: публикация в VK Клипах",
                "Площадка подтвердила: публикация в VK Клипах",
                "Опубликована",
            ],
        ),
    ]
    first, second, _third = history.attempts(one)
    assert (first.lines[-1].reason, first.lines[-1].detail) == ("Площадка не отвечает", "HTTP 502")
    assert second.lines[-1].reason == "Площадка отказала. Прочитайте её ответ ниже, исправьте и повторите."


def test_what_waits_for_its_time_has_not_begun(owner):
    one = publish(clip_of(owner), Status.SCHEDULED)
    due = "2026-05-03T20:59:00+00:00"
    assert write(one, ("scheduled", due, None, Status.SCHEDULED), ("started",), ("published",)) == [
        (0, [f"Запланирована на {moments.dated(datetime.fromisoformat(due), 'Europe/Moscow')}"]),
        (1, ["Началась", "Опубликована"]),
    ]


def test_cancelled_between_two_attempts_is_no_attempt(owner):
    one = publish(clip_of(owner), Status.CANCELLED)
    assert write(one, ("created",), ("retry", "unavailable"), ("cancelled",)) == [
        (1, ["Создана", "Не вышло, будет повтор", "Отменена"]),
    ]


def test_folding():
    assert fold("ЁЖ") == fold("е\u0308ж") == "еж"
    assert fold("Straße") == fold("STRASSE")


def test_a_change_while_a_page_is_made_is_seen_by_its_next_poll(app, user, ready_clip, telegram):
    """The version is read with the data, not after it."""
    owner = user()
    [made] = publications.publish(owner, ready_clip(owner).id, [Choice(telegram(owner).id, "Клип", "")])
    commit()
    publication_id, owner_id = made.id, owner.id
    db.session.commit()

    def begin() -> tuple[str, str]:
        with app.app_context(), reading():
            one = publications.get(db.session.get(User, owner_id), publication_id)
            shown = one.stage
            with ThreadPoolExecutor() as thread:
                thread.submit(change).result()
            return shown, history.version(one)

    def change() -> None:
        """As a worker notes its progress, without a move."""
        with app.app_context(), transaction():
            db.session.get(Publication, publication_id).stage = "uploading"
            touch(publication_id)

    shown, version = begin()
    assert shown == "queued"
    assert [one.stage for one in history.changed(db.session.get(User, owner_id), {publication_id: version})] == [
        "uploading"
    ]


def test_changes_at_once_all_raise_the_version(app, user, ready_clip, telegram):
    owner = user()
    clip = ready_clip(owner)
    some = [telegram(owner, chat_id=-1000 - number).id for number in range(8)]
    clip_id, owner_id, before = clip.id, owner.id, clip.version
    db.session.commit()

    def publish(connection_id: int) -> None:
        with app.app_context():
            publications.publish(db.session.get(User, owner_id), clip_id, [Choice(connection_id, "Клип", "")])
            commit()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(publish, some))
    db.session.rollback()
    assert db.session.get(Clip, clip_id).version >= before + len(some)
