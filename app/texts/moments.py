"""Moments and days as people say them, in a user's zone."""

from datetime import datetime, timedelta

from babel.dates import format_date

from app import clock

NBSP = "\u00a0"

WEEKDAYS = ("пн", "вт", "ср", "чт", "пт", "сб", "вс")
WHOLE_WEEKDAYS = ("понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье")

NEAR = {-1: "вчера", 0: "сегодня", 1: "завтра"}


def near(at: datetime, zone_name: str) -> str:
    """«завтра в 10:00», «сб, 28 ноября, 10:00»: for what is read at once. It ages, so not for letters."""
    local, today = clock.to_zone(at, zone_name), clock.to_zone(clock.now(), zone_name)
    day = NEAR.get((local.date() - today.date()) // timedelta(days=1))
    return f"{day} в{NBSP}{local:%H:%M}" if day else dated(at, zone_name)


def dated(at: datetime, zone_name: str) -> str:
    """«сб, 28 ноября, 10:00», with the year where it is not this one."""
    return dated_here(clock.to_zone(at, zone_name), zone_name)


def dated_here(local: datetime, zone_name: str) -> str:
    """The same of a time in that zone."""
    year = "" if local.year == clock.to_zone(clock.now(), zone_name).year else f" {local.year}"
    return f"{format_date(local, 'ccc, d MMMM', 'ru')}{year}, {local:%H:%M}"


def whole(at: datetime, zone_name: str) -> str:
    """«суббота, 28 ноября 2026, 10:00 (UTC+3)»: nothing left out."""
    local = clock.to_zone(at, zone_name)
    return f"{format_date(local, 'cccc, d MMMM y', 'ru')}, {local:%H:%M} ({offset(at, zone_name)})"


def exact(at: datetime, zone_name: str) -> str:
    """«28.11.2026 10:00»: the status of what is scheduled (US-AP-06, AC4), and tables."""
    return clock.to_zone(at, zone_name).strftime("%d.%m.%Y %H:%M")


def numbers(at: datetime, zone_name: str) -> str:
    """«28.11.2026»: a day that stands in a text for long."""
    return clock.to_zone(at, zone_name).strftime("%d.%m.%Y")


def day(at: datetime, zone_name: str) -> str:
    """«28 ноября», with the year where it is not this one."""
    local, today = clock.to_zone(at, zone_name), clock.to_zone(clock.now(), zone_name)
    return format_date(local, "d MMMM" if local.year == today.year else "d MMMM y", "ru").replace(" ", NBSP)


def second(at: datetime, zone_name: str) -> str:
    return clock.to_zone(at, zone_name).strftime("%H:%M:%S")


def offset(at: datetime, zone_name: str) -> str:
    return offset_name(clock.to_zone(at, zone_name).utcoffset())


def offset_name(offset: timedelta) -> str:
    """«UTC+3», «UTC−3:30»."""
    minutes = round(offset.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    sign = "−" if minutes < 0 else "+"
    return f"UTC{sign}{hours}" + (f":{rest:02}" if rest else "")


def of_day(minute: int) -> str:
    """«10:00»: a time of the day, by its minute."""
    return f"{minute // 60:02}:{minute % 60:02}"
