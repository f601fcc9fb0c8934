"""Views, likes and shares: of one publication, and of all in a period."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from app import clock
from app.api import publications as publications_api
from app.api.access import READ, current_user
from app.api.blueprint import Blueprint
from app.api.fields import Body, Day, Inner, Listed, Moment, Number, Query, Text
from app.db import db
from app.models import StatsSample
from app.problems import Problem
from app.services import publications
from app.statistics import period

blueprint = Blueprint("statistics", "Статистика")

_USUAL_DAYS = 30
_MOST_SAMPLES = 1000
_UNKNOWN = {"description": "null: площадка такого числа не даёт"}


class SampleBody(Body):
    at = Moment(required=True)
    views = Number(required=True, allow_none=True)
    likes = Number(required=True, allow_none=True)
    shares = Number(required=True, allow_none=True)


class PublicationStatisticsBody(Body):
    """Последние числа публикации и их история."""

    views = Number(required=True, allow_none=True, metadata=_UNKNOWN)
    likes = Number(required=True, allow_none=True, metadata=_UNKNOWN)
    shares = Number(required=True, allow_none=True, metadata=_UNKNOWN)
    updated_at = Moment(required=True, allow_none=True, metadata={"description": "null: ещё не собраны"})
    samples = Listed(Inner(SampleBody), required=True, metadata={"description": "Новые первыми"})


class GainBody(Body):
    views = Number(required=True)
    likes = Number(required=True)
    shares = Number(required=True)


class DayGainBody(GainBody):
    day = Day(required=True)


class PlatformGainBody(GainBody):
    platform = Text(required=True)


class StatisticsBody(Body):
    """Прирост за период, по дням пояса пользователя."""

    since = Day(required=True, data_key="from")
    until = Day(required=True, data_key="to")
    timezone = Text(required=True)
    total = Inner(GainBody, required=True)
    days = Listed(Inner(DayGainBody), required=True)
    platforms = Listed(Inner(PlatformGainBody), required=True)


class PeriodFilters(Query):
    since = Day(data_key="from", metadata={"description": f"Без него — {_USUAL_DAYS} дней до to"})
    until = Day(data_key="to", metadata={"description": "Без него — сегодня"})


@publications_api.blueprint.endpoint(
    "/<int:publication_id>/statistics",
    name="get_publication_statistics",
    scope=READ,
    returns=PublicationStatisticsBody,
)
def get_publication_statistics(publication_id: int) -> dict[str, Any]:
    """Числа одной публикации."""
    one = publications.get(current_user(), publication_id)
    newest = select(StatsSample).where(StatsSample.publication_id == one.id).order_by(StatsSample.at.desc())
    samples = db.session.scalars(newest.limit(_MOST_SAMPLES)).all()
    counts = {name: getattr(one, name) for name in ("views", "likes", "shares")}
    return counts | {"updated_at": one.stats_at, "samples": samples}


@blueprint.endpoint(name="get_statistics", scope=READ, query=PeriodFilters, returns=StatisticsBody, refuses=[409])
def get_statistics(query: dict[str, date]) -> dict[str, Any]:
    """Что прибавилось за период: по дням и по площадкам."""
    user = current_user()
    until = query.get("until", clock.to_zone(clock.now(), user.timezone).date())
    since = query.get("since") or until - timedelta(days=min(_USUAL_DAYS - 1, (until - date.min).days))
    if (until - since).days >= period.MOST_DAYS:
        raise Problem("period_too_long", "from", max=period.MOST_DAYS)
    found = period.gained(user, since, until)
    return {
        "since": since,
        "until": until,
        "timezone": user.timezone,
        "total": _gain(found.total),
        "days": [{"day": day} | _gain(gained) for day, gained in sorted(found.days.items())],
        "platforms": [{"platform": key} | _gain(gained) for key, gained in sorted(found.platforms.items())],
    }


def _gain(counts: Any) -> dict[str, int]:
    return {name: counts.get(name, 0) for name in ("views", "likes", "shares")}
