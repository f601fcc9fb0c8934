"""What a user can do with publications: publish, retry, cancel, and answer when we cannot know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from app import clock, platforms, queue
from app.db import db
from app.models import LIVE, Clip, ClipStatus, PlatformConnection, Publication, Stage, Status, User
from app.platform_access import lease_times
from app.platforms import options
from app.problems import NotFound, Problem
from app.publishing import dispatch, preflight, state_machine
from app.services import clips, destinations
from app.services.destinations import Option

MAX_URL = 2000


# What can be called back: it has not been handed to the platform, or waits for its user alone.
_REVOCABLE = or_(
    Publication.status.in_((Status.AWAITING_USER, Status.FAILED)),
    and_(
        Publication.status.in_((Status.SCHEDULED, Status.PUBLISHING)),
        Publication.commit_in_doubt.is_(None),
        Publication.has_receipt.is_(False),
    ),
)


@dataclass(frozen=True)
class Ending:
    """A clip's live publications, by what its deletion means for them: those that are `cancelled`, those of which
    nobody knows whether the clip is there, and those that are being handed over, which have to be waited for.
    """

    cancelled: list[Publication]
    unconfirmed: list[Publication]
    finishing: list[Publication]


@dataclass(frozen=True)
class Choice:
    """An account that the user chose; `again` where the clip stands there already and shall a second time."""

    connection_id: int
    title: str
    description: str
    again: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


def publish(user: User, clip_id: int, choices: Sequence[Choice], due_at: datetime | None = None) -> list[Publication]:
    """A publication for each choice, all or none: now, or at `due_at` (UTC). Raises NotFound or Problem.

    Answers those it has made. Where one is live already it stands: a double click makes one.
    """
    try:
        made = _make(user, clip_id, choices, due_at)
    except IntegrityError:
        # The other half of a double click was faster; seen now, its publications stand.
        db.session.rollback()
        made = _make(user, clip_id, choices, due_at)
    if due_at is None:
        wake(user, *(publication.id for publication in made))
    return made


def _make(user: User, clip_id: int, choices: Sequence[Choice], due_at: datetime | None) -> list[Publication]:
    clip = clips.get(user, clip_id)
    if clip.status != ClipStatus.READY:
        raise Problem("Клип ещё не готов. Дождитесь состояния «Готов».")
    if not choices:
        raise Problem("Выберите хотя бы одну платформу.")
    by_id = {option.connection.id: option for option in destinations.for_clip(user, clip)}
    made: list[Publication] = []
    for choice in choices:
        option = by_id.get(choice.connection_id)
        if option is None:
            raise NotFound
        if option.live is None:
            choice = replace(
                choice, title=clips.one_line(choice.title), description=clips.several_lines(choice.description)
            )
            _check(option, choice)
            made.append(_new(user, clip, option.connection, choice, due_at))
    db.session.add_all(made)
    db.session.flush()
    for publication in made:
        state_machine.begin(publication)
    clip.version = Clip.version + 1
    db.session.commit()
    return made


def _check(option: Option, choice: Choice) -> None:
    adapter = platforms.ADAPTERS[option.connection.platform]
    problems = option.problems + preflight.text_problems(adapter, current_app.config, choice.title, choice.description)
    if problems:
        raise Problem(f"{option.label}: {problems[0]}", f"connection-{option.connection.id}")
    if option.standing and not choice.again:
        raise Problem(
            f"{option.label}: клип там уже опубликован. Отметьте «Опубликовать ещё раз», если так и нужно.",
            f"connection-{option.connection.id}",
        )


def _new(
    user: User, clip: Clip, connection: PlatformConnection, choice: Choice, due_at: datetime | None
) -> Publication:
    begin = {"due_at": due_at, "wake_at": due_at} if due_at else under_way()
    return Publication(
        user_id=user.id,
        clip_id=clip.id,
        connection_id=connection.id,
        platform=connection.platform,
        account_id=connection.account_id,
        account_name=connection.account_name,
        account_url=connection.account_url,
        title=choice.title,
        description=choice.description,
        options=options.check(
            platforms.ADAPTERS[connection.platform].options, choice.options, f"option-{connection.id}-"
        ),
        status=Status.SCHEDULED if due_at else Status.PUBLISHING,
        **begin,
    )


def under_way() -> dict[str, Any]:
    """The columns of a publication that begins now and whose wake-up goes into the queue at once."""
    now = clock.now()
    return {"stage": Stage.QUEUED, "due_at": now, "started_at": now, "wake_at": now, "queued_at": now}


def wake(user: User, *publication_ids: int) -> None:
    """The tick would find them anyway; this is faster."""
    if publication_ids:
        dispatch.release_now(user.id, publication_ids, queue.enqueue_publications)


# One publication


def get(user: User, publication_id: int) -> Publication:
    """Raises NotFound, for a stranger's publication too.

    With its clip in the same query: read later, the clip's version would hide a change in between from the poll.
    """
    publication = db.session.scalars(
        select(Publication)
        .where(Publication.id == publication_id, Publication.user_id == user.id)
        .options(joinedload(Publication.clip))
        .execution_options(populate_existing=True)
    ).first()
    if publication is None:
        raise NotFound
    return publication


def can_cancel(publication: Publication) -> bool:
    if publication.status in (Status.AWAITING_USER, Status.UNCONFIRMED):
        return True
    return publication.status in LIVE and not publication.commit_in_doubt and not publication.has_receipt


def can_resend(publication: Publication) -> bool:
    """Only once nobody can still be sending, and where there is an account to send to."""
    return (
        publication.status == Status.UNCONFIRMED
        and publication.connection_id is not None
        and not may_still_arrive(publication)
    )


def may_still_arrive(publication: Publication) -> bool:
    if publication.in_doubt_until is None:
        return False
    left = publication.in_doubt_until + lease_times.AFTER_DEADLINE - clock.now()
    # More is left than a send may take: a clock that was ahead wrote it.
    return timedelta(0) < left <= lease_times.LONGEST_LEASE + 2 * lease_times.AFTER_DEADLINE


def cancel(user: User, publication_id: int) -> Publication:
    publication = get(user, publication_id)
    if not _cancel(publication.id):
        db.session.rollback()
        raise Problem("Уже нельзя отменить: клип передан платформе. Дождитесь её ответа.")
    db.session.commit()
    return get(user, publication_id)


def cancel_all_of(*, connection_id: int | None = None, clip_id: int | None = None, reason: str | None = None) -> int:
    """Cancels what is live there and can be; the caller commits. Returns how many.

    Of an account, not those that wait for their user's word whether the clip is there: that can still be given.
    """
    one_of = Publication.clip_id == clip_id
    if connection_id:
        one_of = and_(Publication.connection_id == connection_id, Publication.status != Status.UNCONFIRMED)
    ids = db.session.scalars(select(Publication.id).where(one_of, Publication.status.in_(LIVE))).all()
    return sum(_cancel(publication_id, reason) for publication_id in ids)


def _cancel(publication_id: int, reason: str | None = None) -> bool:
    if state_machine.move(publication_id, Status.CANCELLED, _REVOCABLE, reason=reason):
        return True
    unconfirmed = Publication.status == Status.UNCONFIRMED
    if not state_machine.move(publication_id, Status.CANCELLED, unconfirmed, reason="left_unconfirmed"):
        return False
    # No clean-up at the platform: the clip may be public there, and deleting that is its owner's decision.
    state_machine.erase_steps(publication_id)
    db.session.execute(update(Publication).where(Publication.id == publication_id).values(wake_at=None))
    return True


def ending(clip: Clip) -> Ending:
    """What `delete_clip()` would do now."""
    live = db.session.scalars(
        select(Publication)
        .where(Publication.clip_id == clip.id, Publication.status.in_(LIVE))
        .order_by(Publication.id)
        .execution_options(populate_existing=True)
    ).all()
    unconfirmed = [one for one in live if one.status == Status.UNCONFIRMED]
    cancelled = [one for one in live if one not in unconfirmed and can_cancel(one)]
    return Ending(cancelled, unconfirmed, [one for one in live if not can_cancel(one)])


def delete_clip(user: User, clip_id: int) -> None:
    """Deletes the clip with its files and cancels its live publications, all or nothing. Raises NotFound; Problem while
    one of them is being handed over.
    """
    clip = clips.get(user, clip_id)
    cancel_all_of(clip_id=clip.id)
    if ending(clip).finishing:
        db.session.rollback()
        raise Problem(
            "Пока не удалить: клип прямо сейчас передаётся платформе, и его файл ещё нужен. "
            "Обычно это длится не больше нескольких минут. Нажмите «Удалить» ещё раз, когда передача закончится."
        )
    clips.delete(user, clip_id)


def retry(user: User, publication_id: int) -> Publication:
    """«Повторить»: from the start, with three retries again. Refused while another publication there lives."""
    publication = get(user, publication_id)
    if publication.connection_id is None:
        raise Problem("Аккаунт отключён. Подключите его и опубликуйте клип заново.")
    if publication.clip_id is None:
        raise Problem("Клип удалён. Загрузите его заново.")
    _again(user, publication, "retried", Publication.status == Status.FAILED)
    return get(user, publication_id)


def resend(user: User, publication_id: int) -> Publication:
    """«Нет, отправить ещё раз»: the user has looked and the clip is not there."""
    publication = get(user, publication_id)
    if publication.connection_id is None:
        raise Problem("Аккаунт отключён. Подключите его и опубликуйте клип заново.")
    if publication.status == Status.UNCONFIRMED and may_still_arrive(publication):
        raise Problem("Прежняя отправка ещё может дойти. Подождите немного и посмотрите ещё раз.")
    _again(user, publication, "resent", Publication.status == Status.UNCONFIRMED)
    return get(user, publication_id)


def _again(user: User, publication: Publication, event: str, *where: ColumnElement[bool]) -> None:
    """From where a commit was begun and got no answer: the same draft cannot become two clips. Otherwise anew."""
    now = clock.now()
    going_on = publication.commit_in_doubt is not None
    try:
        moved = state_machine.move(
            publication.id,
            Status.PUBLISHING,
            *where,
            event=event,
            attempt=0,
            limits=0,
            crashes=0,
            reason=None,
            detail=None,
            commit_in_doubt=None,
            in_doubt_until=None,
            not_found_count=0,
            has_receipt=publication.has_receipt and going_on,
            external_id=publication.external_id if going_on else None,
            url=publication.url if going_on else None,
            stage=Stage.QUEUED,
            started_at=now,
            wake_at=now,
            queued_at=now,
        )
        if moved and not going_on:
            state_machine.erase_steps(publication.id)
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        raise Problem("Этот клип уже публикуется на этом аккаунте.") from None
    if not moved:
        raise Problem("Публикация уже изменилась. Обновите страницу.")
    wake(user, publication.id)


def confirm(user: User, publication_id: int, url: str = "") -> Publication:
    """«Есть»: the user has seen the clip there; a link is welcome. Who has published by hand must give it."""
    publication = get(user, publication_id)
    url = url.strip()
    if not url and publication.status == Status.AWAITING_USER:
        raise Problem("Вставьте ссылку на опубликованный клип: она начинается с https://.", "url")
    if url and not _is_web_address(url):
        raise Problem("Вставьте ссылку целиком, вместе с https://.", "url")
    moved = state_machine.move(
        publication.id,
        Status.PUBLISHED,
        Publication.status.in_((Status.UNCONFIRMED, Status.AWAITING_USER)),
        event="confirmed",
        url=url or publication.account_url,
        published_at=clock.now(),
        reason=None,
        detail=None,
    )
    db.session.commit()
    if not moved:
        raise Problem("Публикация уже изменилась. Обновите страницу.")
    return get(user, publication_id)


def _is_web_address(url: str) -> bool:
    """It is only kept and shown: nobody here goes there."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= MAX_URL
    except ValueError:
        return False
