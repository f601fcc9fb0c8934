"""Time zones for Russian speakers: by city, Russia first, each with its offset."""

from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from zoneinfo import available_timezones

from babel import Locale
from babel.core import get_global
from babel.dates import get_timezone_location

from app import clock
from app.texts.moments import offset_name

# One zone for each offset, by its largest cities.
RUSSIA = {
    "Europe/Kaliningrad": "Калининград",
    "Europe/Moscow": "Москва, Санкт-Петербург",
    "Europe/Samara": "Самара, Ижевск",
    "Asia/Yekaterinburg": "Екатеринбург, Челябинск",
    "Asia/Omsk": "Омск",
    "Asia/Novosibirsk": "Новосибирск, Томск",
    "Asia/Krasnoyarsk": "Красноярск, Кемерово",
    "Asia/Irkutsk": "Иркутск, Улан-Удэ",
    "Asia/Yakutsk": "Якутск, Чита",
    "Asia/Vladivostok": "Владивосток, Хабаровск",
    "Asia/Magadan": "Магадан, Сахалин",
    "Asia/Kamchatka": "Петропавловск-Камчатский",
}

_RUSSIAN = Locale("ru")
_NO_COUNTRY = "001"  # Etc/GMT-3 and the like: their signs mislead

Choices = list[tuple[str, str]]


def choices(current: str) -> dict[str, Choices]:
    """Groups for a <select>. `current` is in one of them even where it is an old name of a zone."""
    today = clock.now().replace(minute=0, second=0, microsecond=0)
    groups = {"Россия": _labels(tuple(RUSSIA.items()), today), "Другие": _labels(_others(), today)}
    if current not in {name for group in groups.values() for name, _ in group}:
        groups = {"Сейчас": _labels(((current, current),), today), **groups}
    return groups


def label(name: str) -> str:
    """«Москва, Санкт-Петербург (UTC+3)»: the offset is today's."""
    place = RUSSIA.get(name) or dict(_others()).get(name, name)
    return f"{place} ({offset_name(_offset(name, clock.now()))})"


@lru_cache(maxsize=8)
def _labels(zones: tuple[tuple[str, str], ...], moment: datetime) -> Choices:
    labelled = [(_offset(name, moment), name, label) for name, label in zones]
    return [
        (name, f"{label} ({offset_name(offset)})") for offset, name, label in sorted(labelled, key=itemgetter(0, 2))
    ]


@lru_cache(maxsize=1)
def _others() -> tuple[tuple[str, str], ...]:
    countries = get_global("zone_territories")
    return tuple(
        (name, _place(name, countries[name]))
        for name in sorted(countries.keys() & available_timezones() - RUSSIA.keys())
        if countries[name] != _NO_COUNTRY
    )


def _place(zone: str, country_code: str) -> str:
    city = get_timezone_location(zone, locale=_RUSSIAN, return_city=True)
    country = _RUSSIAN.territories[country_code]
    return city if city == country else f"{city}, {country}"


def _offset(name: str, moment: datetime) -> timedelta:
    return clock.to_zone(moment, name).utcoffset()
