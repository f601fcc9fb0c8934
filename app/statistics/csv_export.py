"""All publications with their counts, as a table for a spreadsheet, batch by batch: never all in memory."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, func, select

from app import clock, platforms
from app.db import db, end_reading
from app.models import Clip, Publication, StatsSample, Status, User
from app.platforms.base import COUNTS

BATCH = 500


def rows(user: User, days: int) -> Iterator[list[Any]]:
    """The head, then the newest publication first. An unknown number is None."""
    names = ("Просмотры", "Лайки", "Репосты")
    head = ["Клип", "Площадка", "Аккаунт", "Опубликовано", "Ссылка"]
    head += [f"{name}, всего" for name in names] + [f"{name}, за {days} дней" for name in names] + ["Собрано"]
    # Read before the first row goes out: a download may be slow, and the session does not last as long.
    return _rows(head, user.id, user.timezone, clock.days(user.timezone, days)[0][1])


def _rows(head: list[Any], user_id: int, zone_name: str, since: datetime) -> Iterator[list[Any]]:
    def local(moment: datetime | None) -> str:
        return clock.to_zone(moment, zone_name).strftime("%d.%m.%Y %H:%M") if moment else ""

    yield head
    for batch in _published(user_id):
        gains = _gains([one.id for one in batch], since)
        end_reading()  # between batches the connection goes back
        for one in batch:
            known = [getattr(one, count) for count in COUNTS]
            gained = gains.get(one.id, [0] * len(COUNTS))
            yield [
                one.clip_title or one.title,
                platforms.ADAPTERS[one.platform].name,
                one.account_name,
                local(one.published_at),
                one.url,
                *known,
                *(None if value is None else more for value, more in zip(known, gained, strict=True)),
                local(one.stats_at),
            ]


def _published(user_id: int) -> Iterator[Sequence[Row]]:
    columns = ("id", "platform", "account_name", "title", "url", "published_at", "stats_at", *COUNTS)
    newest_first = (
        select(*(getattr(Publication, name) for name in columns), Clip.title.label("clip_title"))
        .outerjoin(Clip, Clip.id == Publication.clip_id)
        .where(Publication.user_id == user_id, Publication.status == Status.PUBLISHED)
        .order_by(Publication.id.desc())
        .limit(BATCH)
    )
    batch = db.session.execute(newest_first).all()
    while batch:
        yield batch
        batch = db.session.execute(newest_first.where(Publication.id < batch[-1].id)).all()


def _gains(publication_ids: Sequence[int], since: datetime) -> dict[int, list[int]]:
    """By publication: its highest counts so far less those before `since`."""
    gained = (
        func.coalesce(func.max(column), 0) - func.coalesce(func.max(case((StatsSample.at < since, column))), 0)
        for column in (getattr(StatsSample, count) for count in COUNTS)
    )
    rows = db.session.execute(
        select(StatsSample.publication_id, *gained)
        .where(StatsSample.publication_id.in_(publication_ids))
        .group_by(StatsSample.publication_id)
    )
    return {publication_id: gains for publication_id, *gains in rows}
