"""Russian for pages: plurals, sizes, times, and what the templates ask by name."""

from babel import Locale
from flask import Flask

from app import clock, platforms, texts
from app.services import history, publications

NBSP = "\u00a0"
_plural_form = Locale("ru").plural_form


def register(app: Flask) -> None:
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(plural=plural, size=size, duration=duration, initials=initials)
    app.jinja_env.tests["telling_time"] = tells_time
    app.jinja_env.globals.update(
        now=clock.now,
        texts=texts,
        publication_version=history.version,
        story_version=history.story_version,
        platform_name=platform_name,
        door_platforms=list(platforms.ADAPTERS),
        progress_percent=progress_percent,
        pace=pace,
        can_cancel=publications.can_cancel,
        can_resend=publications.can_resend,
    )


def plural(number: int, one: str, few: str, many: str) -> str:
    """«1 клип», «2 клипа», «5 клипов»."""
    word = {"one": one, "few": few}.get(_plural_form(number), many)
    return f"{number}{NBSP}{word}"


def size(count: int) -> str:
    """In megabytes of a million bytes, as phones and platforms count."""
    for unit, factor in (("ГБ", 1_000_000_000), ("МБ", 1_000_000)):
        if count >= factor:
            return f"{count / factor:.1f}".replace(".", ",").removesuffix(",0") + NBSP + unit
    return f"{max(1, round(count / 1000))}{NBSP}КБ"


def duration(milliseconds: int) -> str:
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def initials(name: str) -> str:
    words = [word for word in name.split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "•"


def platform_name(key: str) -> str:
    return platforms.ADAPTERS[key].name


def progress_percent(publication) -> int | None:
    """For the bar; None where there is nothing to measure."""
    if publication.stage != "uploading" or not publication.total:
        return None
    return 100 * (publication.sent or 0) // publication.total


def pace(publication) -> str:
    """How often a page has to ask for it: `fast`, `slow`, or empty once nothing changes by itself."""
    if publication.status == "publishing":
        return "fast"
    return "slow" if publication.status in ("scheduled", "unconfirmed") else ""


def tells_time(publication) -> bool:
    """Whether its words change by the clock alone, so that a page has to ask for them again."""
    counts_down = publication.status == "publishing" and publication.stage in ("retry", "waiting")
    may_resend_soon = publication.status == "unconfirmed" and not publications.can_resend(publication)
    return counts_down or may_resend_soon
