"""Publications for later: the time a user typed, «Запланировать», «Перенести», «Опубликовать сейчас»."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from app import clock, texts
from app.db import db
from app.models import Publication, Status, User
from app.problems import Problem
from app.publishing import state_machine
from app.services import publications
from app.services.publications import Choice

MIN_AHEAD = timedelta(minutes=5)
MAX_AHEAD = timedelta(days=366)

# What a form's <input type="datetime-local"> sends.
TYPED = "%Y-%m-%dT%H:%M"

# Of a local time that comes twice, by Python's `fold`.
OCCURRENCES = {"first": 0, "second": 1}


def publish_later(
    user: User, clip_id: int, choices: Sequence[Choice], typed: str, occurrence: str = ""
) -> list[Publication]:
    """«Запланировать»: as `publications.publish()`, at one due time for all. Raises NotFound, Problem."""
    return publications.publish(user, clip_id, choices, due_at(user, typed, occurrence))


def move(user: User, publication_id: int, typed: str, occurrence: str = "") -> Publication:
    """«Перенести». A wake-up that is in the queue already finds the row not due. Raises NotFound, Problem."""
    publication = publications.get(user, publication_id)
    due = due_at(user, typed, occurrence)
    if due != publication.due_at:
        again = {"due_at": due, "wake_at": due, "queued_at": None, "stage": None}
        _change(publication, Status.SCHEDULED, event="moved", name=due.isoformat(), **again)
    return publications.get(user, publication_id)


def publish_now(user: User, publication_id: int) -> Publication:
    """«Опубликовать сейчас» what was to go out later. Raises NotFound, Problem."""
    publication = publications.get(user, publication_id)
    _change(publication, Status.PUBLISHING, event="published_now", **publications.under_way())
    publications.wake(user, publication.id)
    return publications.get(user, publication_id)


def _change(publication: Publication, to: Status, **values: Any) -> None:
    """A worker that has taken it up, but not begun, lets go of it."""
    begun_anew = {"lease_until": None, "attempt": 0, "crashes": 0, "reason": None, "detail": None}
    moved = state_machine.move(publication.id, to, Publication.status == Status.SCHEDULED, **begun_anew, **values)
    db.session.commit()
    if not moved:
        raise Problem(NOT_SCHEDULED)


NOT_SCHEDULED = "Эта публикация уже началась или отменена. Обновите страницу."


def get(user: User, publication_id: int) -> Publication:
    """A publication that is still to go out. Raises NotFound, Problem."""
    publication = publications.get(user, publication_id)
    if publication.status != Status.SCHEDULED:
        raise Problem(NOT_SCHEDULED)
    return publication


# The time


def due_at(user: User, typed: str, occurrence: str = "") -> datetime:
    """UTC of what was typed in the user's zone, as TYPED; `occurrence` is a key of OCCURRENCES.

    Raises Problem at the field «due», or «occurrence» where it has to be said which of two such times is meant.
    """
    if not typed.strip():
        raise Problem("Укажите дату и время, когда опубликовать.", "due")
    try:
        moment = clock.from_zone(datetime.strptime(typed, TYPED), user.timezone, OCCURRENCES.get(occurrence))
    except clock.NoSuchTime as gap:
        raise Problem(
            "Такого времени в этот день нет: часы переводят вперёд. "
            f"Выберите другое, например {gap.instead:%d.%m.%Y %H:%M}.",
            "due",
        ) from None
    except clock.TwoSuchTimes:
        raise Problem(
            "Это время наступит дважды: часы переводят назад. Отметьте, какое из двух.", "occurrence"
        ) from None
    except (ValueError, OverflowError):
        raise Problem("Укажите дату и время целиком, вот так: 2027-03-08T18:30.", "due") from None
    _check_range(moment, user.timezone)
    return moment


def _check_range(moment: datetime, zone: str) -> None:
    now = clock.now()
    if moment < now + MIN_AHEAD:
        what = "Это время уже прошло." if moment <= now else "Слишком скоро: нужно хотя бы 5 минут."
        raise Problem(f"{what} Ближайшее — {texts.moment(earliest(), zone)}.", "due")
    if moment > latest():
        raise Problem(f"Это больше чем через год. Самое позднее — {texts.moment(latest(), zone)}.", "due")


def earliest() -> datetime:
    """A whole minute that is still far enough ahead when somebody has read and typed it."""
    return (clock.now() + MIN_AHEAD + timedelta(minutes=2)).replace(second=0, microsecond=0)


def latest() -> datetime:
    return (clock.now() + MAX_AHEAD).replace(second=0, microsecond=0)


def occurrences(user: User, typed: str) -> dict[str, datetime]:
    """Where what was typed comes twice in the user's zone: both moments (UTC). Otherwise empty."""
    try:
        local = datetime.strptime(typed, TYPED)
        both = {name: clock.from_zone(local, user.timezone, fold) for name, fold in OCCURRENCES.items()}
    except (ValueError, OverflowError):
        return {}
    return both if both["first"] != both["second"] else {}
