"""What the plan's page shows: the month or week that its address names, and the fragment that renews it."""

from dataclasses import dataclass
from datetime import date as Date
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from babel.dates import format_date
from flask import render_template, request, url_for
from flask_login import current_user
from markupsafe import Markup
from werkzeug.datastructures import MultiDict

from app import clock
from app.models import PlatformConnection, Status
from app.services import clips, connection_list, due_times, plan
from app.services.history import State
from app.services.plan import Filters, Item, Span
from app.web.access import address_of

MONTH, WEEK = "month", "week"
_FIRST, _LAST = Date(2000, 1, 1), Date(2100, 1, 1)
_ITEMS_OF_A_DAY = 3
_ITEMS_OF_THE_CHOSEN_DAY = 20  # below the month, on a phone
# Of an hour; fewer where a week has very many.
_FEW, _MANY, _FROM_TOTAL = 2, 8, 200


@dataclass(frozen=True)
class Asked:
    """An address of the plan, without what it cannot mean."""

    view: str
    on: Date
    filters: Filters
    accounts: list[PlatformConnection]

    @property
    def arguments(self) -> dict[str, str | int]:
        chosen = {"view": self.view, "on": self.on.isoformat(), **self.narrowed}
        return {name: value for name, value in chosen.items() if value}

    @property
    def narrowed(self) -> dict[str, str | int | None]:
        return {"account": self.filters.connection_id, "state": self.filters.state}

    def span(self) -> Span:
        """The week, or the weeks of the month, from Monday."""
        if self.view == WEEK:
            return Span.of(current_user, _monday(self.on), 7)
        first = _monday(self.on.replace(day=1))
        last = _next_month(self.on) - timedelta(days=1)
        return Span.of(current_user, first, 7 * ((last - first).days // 7 + 1))


def today() -> Date:
    return clock.to_zone(clock.now(), current_user.timezone).date()


def day_of(text: str | None) -> Date | None:
    """A day of an address, as far as a calendar reaches."""
    try:
        day = Date.fromisoformat(text or "")
    except ValueError:
        return None
    return day if _FIRST <= day < _LAST else None


def asked(args: MultiDict[str, str]) -> Asked:
    accounts = connection_list.all_of(current_user)
    account, state = args.get("account", type=int), args.get("state")
    filters = Filters(
        state=State(state) if state in list(State) else None,
        connection_id=account if account in {one.id for one in accounts} else None,
    )
    view = args.get("view") if args.get("view") in (MONTH, WEEK) else MONTH
    return Asked(view, day_of(args.get("on")) or today(), filters, accounts)


def context(asked: Asked) -> dict[str, Any]:
    """Of the template of a month or week."""
    span = asked.span()
    if asked.view == WEEK:
        days = plan.hours(current_user, span, asked.filters, _FEW, _MANY, _FROM_TOTAL)
        before, after = asked.on - timedelta(days=7), asked.on + timedelta(days=7)
    else:
        days = plan.days(current_user, span, asked.filters, _ITEMS_OF_A_DAY, asked.on, _ITEMS_OF_THE_CHOSEN_DAY)
        before, after = _previous_month(asked.on), _next_month(asked.on)
    return {
        "asked": asked,
        "days": days,
        "chosen": next(day for day in days if day.date == asked.on),
        "items_of_a_day": _ITEMS_OF_A_DAY,
        "version": plan.version(current_user, span, asked.filters),
        "pace": _pace([item for day in days for cell in day.cells for item in cell.items]),
        "title": _title(asked),
        "before": before if before >= _FIRST else None,
        "after": after if after < _LAST else None,
        "today": today(),
        "now_here": clock.to_zone(clock.now(), current_user.timezone),
    }


def _pace(items: list[Item]) -> str:
    """How often the page polls."""
    soon = clock.now() + clips.SOON
    statuses = {mark.status for item in items for mark in item.marks}
    if Status.PUBLISHING in statuses or any(item.status == Status.SCHEDULED and item.due_at <= soon for item in items):
        return "fast"
    return "slow" if statuses & {Status.SCHEDULED, Status.UNCONFIRMED} else ""


def _title(asked: Asked) -> str:
    if asked.view == MONTH:
        words = format_date(asked.on, "LLLL y", "ru")
        return words[0].upper() + words[1:]
    first = _monday(asked.on)
    last = first + timedelta(days=6)
    beginning = "d" if first.month == last.month else "d MMMM" if first.year == last.year else "d MMMM y"
    return f"{format_date(first, beginning, 'ru')} – {format_date(last, 'd MMMM y', 'ru')}"


def _monday(day: Date) -> Date:
    return day - timedelta(days=day.weekday())


def _next_month(day: Date) -> Date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _previous_month(day: Date) -> Date:
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def free_time(day: Date, at: str = "") -> str:
    """A local time for something new on that day, as a form has it: the given one, or in the morning, or soon."""
    try:
        local = datetime.combine(day, datetime.strptime(at or "10:00", "%H:%M").time())
    except ValueError:
        local = datetime.combine(day, datetime.strptime("10:00", "%H:%M").time())
    earliest = clock.to_zone(due_times.earliest(), current_user.timezone).replace(tzinfo=None)
    half_hour = earliest.replace(minute=0) + timedelta(minutes=30 * (earliest.minute // 30 + 1))
    return max(local, half_hour if half_hour.date() == day else local).strftime(due_times.FORMAT)


# What a page that shows the plan gets after a change


def is_shown() -> bool:
    """Whether the page that asks is the plan's."""
    return address_of(request.htmx.current_url if request.htmx else None).path == url_for("plan.page")


def fragment() -> Markup:
    """The month or week that the page shows, anew."""
    shown = address_of(request.htmx.current_url)
    return render(asked(MultiDict(parse_qsl(shown.query))))


def render(asked: Asked) -> Markup:
    return Markup(render_template("plan/_calendar.html", oob=True, **context(asked)))
