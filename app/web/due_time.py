"""The field «Дата и время» of a form: in the user's zone, which is named beside it."""

from dataclasses import dataclass

from flask import request
from flask_login import current_user

from app import clock
from app.models import Publication
from app.problems import Problem
from app.services import scheduling
from app.web import time_zones


@dataclass(frozen=True)
class When:
    """What the field shows. `occurrences`: key and words of each, where the local time comes twice."""

    typed: str
    occurrence: str
    occurrences: list[tuple[str, str]]
    earliest: str
    latest: str
    zone: str


def asked() -> When:
    """As it was sent, or empty."""
    return _when(*sent())


def sent() -> tuple[str, str]:
    """What was typed, and which of two such times."""
    return request.form.get("due", ""), request.form.get("occurrence", "")


def standing(publication: Publication) -> When:
    """As the publication is scheduled."""
    local = clock.to_zone(publication.due_at, current_user.timezone)
    return _when(local.strftime(scheduling.TYPED), "second" if local.fold else "first")


def check_not_asked() -> None:
    """Whoever has typed a date must not publish at once by the wrong button: that cannot be undone."""
    if request.form.get("due"):
        raise Problem("Здесь указана дата: нажмите «Запланировать». Чтобы опубликовать сейчас, сотрите её.", "due")


def _when(typed: str, occurrence: str) -> When:
    zone = current_user.timezone
    both = scheduling.occurrences(current_user, typed)
    names = {"first": "Первый раз, до перевода часов", "second": "Второй раз, после перевода"}
    return When(
        typed=typed,
        occurrence=occurrence,
        occurrences=[
            (key, f"{names[key]} ({time_zones.utc(clock.to_zone(moment, zone).utcoffset())})")
            for key, moment in both.items()
        ],
        earliest=clock.to_zone(scheduling.earliest(), zone).strftime(scheduling.TYPED),
        latest=clock.to_zone(scheduling.latest(), zone).strftime(scheduling.TYPED),
        zone=time_zones.label(zone),
    )
