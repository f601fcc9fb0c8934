"""Jinja filters, tests and globals: Russian plurals, sizes, times, and what templates call by name."""

import itertools
from collections.abc import Sequence
from datetime import date as Date
from datetime import datetime

from babel import Locale
from babel.dates import format_date
from flask import Flask
from flask_login import current_user

from app import clock, platforms, texts
from app.media import containers
from app.media.recipes import plan
from app.models import Publication
from app.notifications import inbox
from app.paging import COUNTED, Page
from app.publishing import recipes
from app.services import asked_options, clips, history, publications, questions, retention, retries, uploads
from app.statistics import report
from app.texts import moments, positions, renditions, sent_files
from app.web import media, option_texts

NBSP = "\u00a0"
_plural_form = Locale("ru").plural_form

# By count: its name, its icon.
COUNT_NAMES = {"views": ("Просмотры", "eye"), "likes": ("Лайки", "heart"), "shares": ("Репосты", "share-2")}
# By a publication's status, on its clip's card.
MARK_ICONS = {
    "scheduled": "clock",
    "publishing": "loader-circle",
    "awaiting_user": "triangle-alert",
    "unconfirmed": "triangle-alert",
    "published": "check",
    "failed": "circle-alert",
}

# What the plan and the list can be narrowed down to.
PLAN_STATES = (
    ("upcoming", "Предстоящие"),
    ("published", "Вышедшие"),
    ("attention", "Требуют внимания"),
    ("cancelled", "Отменённые"),
)


def register(app: Flask) -> None:
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    for named in (plural, counted, total, size, duration, initials, grouped, short, day, views, rejects, usable):
        app.add_template_filter(named)
    app.add_template_filter(platform_name)
    app.add_template_filter(positions.short, "position")
    app.add_template_filter(option_texts.with_links)
    for named in (full_day, short_weekday, month_of, short_month, near_day, groupby_day):
        app.add_template_filter(named)
    app.jinja_env.tests.update(
        with_countdown=has_countdown, late=questions.is_late, due_soon=due_soon, awaiting_numbers=report.awaits_first
    )
    app.jinja_env.globals.update(
        now=clock.now,
        moment_texts=moment_texts,
        utc_minutes=utc_minutes,
        day_of=lambda at: moments.day(at, _zone()),
        clock_of=lambda at: clock.to_zone(at, _zone()).strftime("%H:%M"),
        second_of=lambda at: moments.second(at, _zone()),
        texts=texts,
        publication_version=history.version,
        story_version=history.story_version,
        platform_name=platform_name,
        option_facts=option_texts.facts,
        has_options=option_texts.has_options,
        option_notices=asked_options.notices,
        option_holds=option_texts.holds,
        lossless_text=lossless_text,
        offer_text=renditions.offer,
        recipe_text=recipe_text,
        sent_text=sent_text,
        door_platforms=platforms.ADAPTERS,
        progress_percent=progress_percent,
        pace=pace,
        clip_pace=clip_pace,
        mark_icons=MARK_ICONS,
        plan_states=PLAN_STATES,
        can_cancel=publications.can_cancel,
        can_resend=retries.can_resend,
        leaves_at=retention.leaves_at,
        numbers=report.numbers,
        count_names=COUNT_NAMES,
        most_counted=COUNTED,
        accepted_files=containers.ACCEPT,
        video_suffixes=containers.SUFFIXES,
        video_signatures=containers.signatures(),
        max_clip_bytes=uploads.max_bytes,
        poster_url=media.poster_url,
        strip_url=media.strip_url,
        unread_notifications=lambda: inbox.unread(current_user),
        most_unread=inbox.MOST_UNREAD,
        notification_link=inbox.link,
    )
    app.jinja_env.globals["ui"] = app.jinja_env.get_template("ui.html").module  # last: it keeps the globals of now


def _zone() -> str:
    return current_user.timezone if current_user.is_authenticated else clock.DEFAULT_ZONE


def moment_texts(at: datetime) -> dict[str, str]:
    """What `ui.moment` shows, in the user's zone."""
    zone = _zone()
    return {"near": moments.near(at, zone), "whole": moments.whole(at, zone), "offset": moments.offset(at, zone)}


def platform_name(key: str) -> str:
    return platforms.ADAPTERS[key].name


def utc_minutes() -> int:
    """How far the user's clock is ahead of UTC now."""
    return round(clock.to_zone(clock.now(), _zone()).utcoffset().total_seconds() / 60)


def plural(number: int, one: str, few: str, many: str) -> str:
    """«1 клип», «2 клипа», «5 клипов»."""
    word = {"one": one, "few": few}.get(_plural_form(number), many)
    return f"{grouped(number)}{NBSP}{word}"


def counted(number: int, most: int, one: str, few: str, many: str) -> str:
    """The same of what was counted up to `most`: «больше 1 000 клипов»."""
    return plural(number, one, few, many) if number <= most else f"больше {grouped(most)}{NBSP}{many}"


def total(page: Page, one: str, few: str, many: str) -> str:
    """How many rows a list has, as far as they were counted."""
    return counted(page.total + page.more, page.total, one, few, many)


def grouped(number: int) -> str:
    """«1 234»."""
    return f"{number:,}".replace(",", NBSP)


def short(number: int) -> str:
    """«9 876», «12,3 тыс.», «3 млн»: never more than there is."""
    for unit, factor in (("млрд", 10**9), ("млн", 10**6), ("тыс.", 10**3)):
        if number >= max(factor, 10_000):
            tenths = number // (factor // 10)
            return f"{tenths // 10},{tenths % 10}".removesuffix(",0") + NBSP + unit
    return grouped(number)


def views(number: int) -> str:
    """«1 234 просмотра»."""
    return plural(number, "просмотр", "просмотра", "просмотров")


def day(date: Date) -> str:
    """«5 ноября»."""
    return format_date(date, "d MMMM", "ru").replace(" ", NBSP)


def full_day(date: Date) -> str:
    """«суббота, 28 ноября», with the year where it is not this one."""
    this_year = date.year == clock.to_zone(clock.now(), _zone()).year
    return format_date(date, "cccc, d MMMM" if this_year else "cccc, d MMMM y", "ru")


def near_day(date: Date) -> str:
    """«Сегодня, 28 ноября», «Суббота, 5 декабря»."""
    near = moments.NEAR.get((date - clock.to_zone(clock.now(), _zone()).date()).days)
    words = f"{near}, {day(date)}" if near else full_day(date)
    return words[0].upper() + words[1:]


def groupby_day(publications: Sequence[Publication]) -> list[tuple[Date, list[Publication]]]:
    """By their due times' local days, in the order that they are in."""
    groups = itertools.groupby(publications, key=lambda one: clock.to_zone(one.due_at, _zone()).date())
    return [(date, list(some)) for date, some in groups]


def short_weekday(date: Date) -> str:
    """«сб»."""
    return format_date(date, "ccc", "ru")


def month_of(date: Date) -> str:
    """«ноября»."""
    return format_date(date, "MMMM", "ru")


def short_month(date: Date) -> str:
    """«нояб.»."""
    return format_date(date, "MMM", "ru")


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
    parts = [part for part in name.split() if part[0].isalnum()]
    return "".join(part[0] for part in parts[:2]).upper() or "•"


def recipe_text(clip, recipe) -> str:
    """What is made of a clip, and how long it takes."""
    made = plan.Offer(recipe, tuple(plan.changes(clip, recipe)), plan.estimate(clip, recipe))
    text = renditions.lossless(made.changes) if recipe.is_lossless else renditions.offer(made)
    return f"{text[:1].upper()}{text[1:]}."


def lossless_text(destination) -> str:
    """What is done to the file without asking, before it goes there; empty where nothing is."""
    if destination.lossless is None:
        return ""
    return sent_files.sent(plan.changes(destination.clip, destination.lossless), is_lossless=True, is_over=False)


def sent_text(publication) -> str:
    """Which file goes to the platform, where it is not the clip's own; empty where it is, or that is not settled."""
    made = publication.rendition
    if made is None:
        return ""
    recipe = recipes.from_row(made.recipe)
    changes = plan.changes(publication.clip, recipe) if publication.clip else ()
    is_over = publication.status in ("published", "unconfirmed")
    return sent_files.sent(changes, is_lossless=made.is_lossless, is_over=is_over)


def progress_percent(publication) -> int | None:
    """For the progress bar; None where nothing is measured."""
    if publication.stage not in ("uploading", "preparing") or not publication.total:
        return None
    return 100 * (publication.sent or 0) // publication.total


def due_soon(publication) -> bool:
    """Whether a page polls often, so as to show its start."""
    soon = clock.now() + clips.SOON
    return publication.status == "scheduled" and not publication.is_paused and publication.due_at <= soon


def pace(publication) -> str:
    """How often a page polls for it: `fast`, `slow`, or empty once nothing changes by itself."""
    if publication.status == "publishing" or due_soon(publication) or report.awaits_first(publication):
        return "fast"
    return "slow" if publication.status in ("scheduled", "unconfirmed") else ""


def clip_pace(clip, publications) -> str:
    """The same for a clip: the fastest that its file or one of its publications needs."""
    is_busy = clip.status == "processing" or clip.cover_wanted_at
    paces = {"fast"} if is_busy else {pace(publication) for publication in publications}
    return next((one for one in ("fast", "slow") if one in paces), "")


def rejects(cards) -> list:
    """Of cards those whose files cannot be published."""
    return [card for card in cards if card.clip.status == "failed"]


def usable(cards) -> list:
    return [card for card in cards if card.clip.status != "failed"]


def has_countdown(publication) -> bool:
    """Whether its text changes by the clock alone, so that each poll has to return it."""
    counts_down = publication.status == "publishing" and publication.stage in ("retry", "waiting", "incident")
    may_resend_soon = publication.status == "unconfirmed" and retries.may_still_arrive(publication)
    return counts_down or may_resend_soon
