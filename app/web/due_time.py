"""The field «Дата и время» of a form: in the user's zone, which is named beside it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import request
from flask_login import current_user

from app import clock
from app.models import Publication
from app.services import due_times
from app.services.slot_queue import Offer
from app.texts.moments import near, offset_name
from app.web import time_zones

# What the macro shows, local times as FORMAT. `occurrences`: key and label of each, where the local time comes twice.
# `presets`: words, local time and, where it is that far from the press, how many minutes.
DueField = dict[str, Any]
# What it shows of a set's queue.
QueueChoice = dict[str, Any]
SOON_PRESET = timedelta(hours=1)


def typed() -> DueField:
    """As it was sent, or empty."""
    return of(*_sent())


def asked_for() -> DueField:
    """As the address names it (`?due=…`), or empty."""
    return of(request.args.get("due", "")[: len("2027-03-08T18:30")], "")


def sent() -> datetime:
    """The time that was typed, in UTC. Raises Problem."""
    return due_times.parse(current_user, *_sent())


def _sent() -> tuple[str, str]:
    return request.form.get("due", ""), request.form.get("occurrence", "")


def queues(offers: Sequence[Offer]) -> list[QueueChoice]:
    """«В очередь», with the next free time; of several sets, which one."""
    return [
        {
            "id": str(one.account_set.id),
            "name": f"В очередь «{one.account_set.name}»" if len(offers) > 1 else "В очередь",
            "is_paused": one.account_set.paused_at is not None,
            "accounts": one.account_set.connection_ids,
            "words": near(one.due_at, current_user.timezone),
        }
        for one in offers
    ]


def scheduled(publication: Publication) -> DueField:
    """As the publication is scheduled."""
    local = clock.to_zone(publication.due_at, current_user.timezone)
    return of(local.strftime(due_times.FORMAT), "second" if local.fold else "first")


def of(typed: str, occurrence: str) -> DueField:
    """Of a local time as FORMAT, and a key of `due_times.OCCURRENCES` where it comes twice."""
    zone = current_user.timezone
    both = due_times.occurrences(current_user, typed)
    names = {"first": "Первый раз, до перевода часов", "second": "Второй раз, после перевода"}
    return {
        "typed": typed,
        "occurrence": occurrence,
        "occurrences": [
            (key, f"{names[key]} ({offset_name(clock.to_zone(moment, zone).utcoffset())})")
            for key, moment in both.items()
        ],
        "earliest": clock.to_zone(due_times.earliest(), zone).strftime(due_times.FORMAT),
        "latest": clock.to_zone(due_times.latest(), zone).strftime(due_times.FORMAT),
        "zone": time_zones.label(zone),
        "now": clock.to_zone(clock.now(), zone).strftime(due_times.FORMAT),
        "presets": _presets(),
    }


def _presets() -> list[tuple[str, str, int | None]]:
    now = clock.to_zone(clock.now(), current_user.timezone)
    at = [
        ("Сегодня 19:00", now.replace(hour=19, minute=0), None),
        ("Завтра 10:00", (now + timedelta(days=1)).replace(hour=10, minute=0), None),
    ]
    soon = (now + SOON_PRESET).strftime(due_times.FORMAT)
    latest_today = now + due_times.MIN_AHEAD
    return [
        ("Через час", soon, int(SOON_PRESET.total_seconds() // 60)),
        *((words, local.strftime(due_times.FORMAT), minutes) for words, local, minutes in at if local > latest_today),
    ]
