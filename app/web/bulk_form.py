"""The form of «Опубликовать несколько»: what was sent, and the sheet that the page shows of it.

`clip` names the clips in order; `title-7` and `description-7` are the texts of clip 7, where they are not its own.
Options: `bulk_options`.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from flask import request
from flask_login import current_user

from app import clock, texts
from app.models import Clip
from app.platform_access.rate_limits import quotas_left
from app.problems import NotFound, Problem
from app.services import account_sets, bulk, destinations, due_times, spreading
from app.services.bulk import Line
from app.services.destinations import Destination
from app.services.drafts import Choice, Item
from app.services.spreading import How, Time
from app.texts import moments
from app.web import bulk_options
from app.web.input_guard import row_id
from app.web.publish_form import OF_TEXT, OF_TITLE

MORNING = time(10)
USUAL_HOURS = "24"
# What prevents an account for every clip.
_OF_ACCOUNT = ("not_in_plan", "account_needs_reconnect", "platform_unready")


@dataclass(frozen=True)
class Place:
    """An account to choose; `problem` prevents it for all clips."""

    destination: Destination
    chosen: bool
    problem: Problem | None

    @property
    def id(self) -> int:
        return self.destination.connection.id


@dataclass(frozen=True)
class Row:
    """A clip with its texts, its time, and a line for each account."""

    clip: Clip
    title: str
    description: str
    edits_description: bool
    time: Time | None
    lines: Sequence[Line] = ()

    @property
    def blamed(self) -> set[str]:
        """The texts that do not fit somewhere: «title», «description»."""
        codes = {problem.code for line in self.lines for problem in line.problems if isinstance(problem, Problem)}
        return {name for name, theirs in _TEXT_CODES.items() if codes & theirs}


_TEXT_CODES = {"title": OF_TITLE, "description": OF_TEXT}


@dataclass(frozen=True)
class OverQuota:
    """Of `wanted` publications the platform takes `left` today, the rest from `until` (UTC) on."""

    platform: str
    left: int
    wanted: int
    until: datetime


@dataclass(frozen=True)
class Sheet:
    """`problem`: of the time or of the whole; then no clip has a time."""

    rows: Sequence[Row]
    places: Sequence[Place]
    asked: Sequence[bulk_options.Asked]
    how: How
    hours: str
    again: bool
    problem: Problem | None = None
    lines: Sequence[Line] = field(default_factory=list)

    @property
    def ready(self) -> list[Line]:
        """What will be made."""
        return [] if self.problem else [line for line in self.lines if not line.problems]

    @property
    def over_quota(self) -> list[OverQuota]:
        """The platforms that take fewer of us today than would go out now."""
        if self.how != How.NOW:
            return []
        going = Counter(line.destination.connection.platform for line in self.ready)
        return [
            OverQuota(platform, quota.count, going[platform], quota.until)
            for platform, quota in quotas_left(going).items()
            if quota.count < going[platform]
        ]

    @property
    def published_somewhere(self) -> bool:
        return any(line.destination and line.destination.published for line in self.lines)


def clip_ids() -> list[int]:
    """In the order to go out, after «Выше», «Ниже», «Убрать» or «Перевернуть» was pressed."""
    ids, form = list(dict.fromkeys(request.values.getlist("clip", row_id))), request.form
    for name, step in (("up", -1), ("down", 1)):
        moved = form.get(name, type=int)
        if moved in ids:
            ids.insert(max(ids.index(moved) + step, 0), ids.pop(ids.index(moved)))
    if (gone := form.get("remove", type=int)) in ids:
        ids.remove(gone)
    return ids[::-1] if "reverse" in form else ids


def sheet(some: Sequence[Clip]) -> Sheet:
    """As it was sent, or as it opens. Nothing is changed."""
    form, user = request.form, current_user
    how = How(form["how"]) if form.get("how") in list(How) else How.DAILY
    here = destinations.for_clips(user, some[:1])[some[0].id] if some else []
    places, typed_hours = _places(here), form.get("hours", USUAL_HOURS)
    chosen = [place for place in places if place.chosen]
    again, answers = "again" in form, bulk_options.answers([place.destination for place in chosen])
    times: dict[int, Time] = {}
    lines: list[Line] = []
    problem = None
    try:
        lines = bulk.plan(user, _wishes(some, chosen, answers, again))
        # What goes nowhere takes no place among the times.
        going = dict.fromkeys(line.item.clip_id for line in lines if not line.problems)
        times = dict(zip(going, _times(how, typed_hours, len(going)), strict=True))
        lines = [_at(line, times.get(line.item.clip_id)) for line in lines]
    except Problem as refusal:
        problem = refusal
    of_clip: dict[int, list[Line]] = {clip.id: [] for clip in some}
    for line in lines:
        of_clip[line.item.clip_id].append(line)
    rows = [_row(clip, times.get(clip.id), of_clip[clip.id]) for clip in some]
    asked = bulk_options.asked([place.destination for place in chosen], answers, lines)
    return Sheet(rows, places, asked, how, typed_hours, again, problem, lines)


def _times(how: How, typed_hours: str, count: int) -> Sequence[Time]:
    """Raises Problem."""
    if how == How.SLOTS:
        return spreading.in_slots(current_user, request.form.get("queue", 0, int), count)
    first = None if how == How.NOW else due_times.parse(current_user, *due())
    hours = spreading.parse_hours(typed_hours) if how == How.EVERY else 0
    return spreading.spread(current_user, how, first, hours, count)


def _at(line: Line, at: Time | None) -> Line:
    return bulk.at(current_user, line, at.due_at, at.slot_id) if at else line


def due() -> tuple[str, str]:
    """The local time of the first one, and which of two such times. To begin with, tomorrow morning."""
    if "due" in request.form:
        return request.form["due"], request.form.get("occurrence", "")
    tomorrow = clock.to_zone(clock.now(), current_user.timezone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, MORNING).strftime(due_times.FORMAT), ""


def chosen_ids() -> list[int]:
    return request.form.getlist("connection", int)


def _places(here: Sequence[Destination]) -> list[Place]:
    ticked = _ticked(here)
    places = []
    for one in here:
        problem = next((problem for problem in one.problems if problem.code in _OF_ACCOUNT), None)
        places.append(Place(one, one.connection.id in ticked and not problem, problem))
    return places


def _ticked(here: Sequence[Destination]) -> Collection[int]:
    form = request.form
    if "set" in form:
        return account_sets.get(current_user, form.get("set", 0, int)).connection_ids
    return chosen_ids() if form else [one.connection.id for one in here if not one.connection.left_out]


def _wishes(
    some: Sequence[Clip], chosen: Sequence[Place], answers: Mapping[str, Mapping[str, object]], again: bool
) -> list[Item]:
    """Without a time still."""
    given = {place.id: bulk_options.answers_of(place.destination, answers) for place in chosen}
    return [Item(clip.id, Choice(place.id, *_texts(clip), again, given[place.id])) for clip in some for place in chosen]


def _texts(clip: Clip) -> tuple[str, str]:
    form = request.form
    return form.get(f"title-{clip.id}", clip.title), form.get(f"description-{clip.id}", clip.description)


def _row(clip: Clip, at: Time | None, lines: Sequence[Line]) -> Row:
    row = Row(clip, *_texts(clip), f"description-{clip.id}" in request.form, at, lines)
    return Row(clip, row.title, row.description, row.edits_description or "description" in row.blamed, at, lines)


# Notes of a clip


@dataclass(frozen=True)
class Note:
    """A sentence about some accounts, `labels`; `is_there`: what stands there already."""

    labels: str
    text: str
    is_there: bool


def notes_of(lines: Sequence[Line]) -> list[Note]:
    """Each reason once, with all the accounts that it holds for."""
    return _notes([(line, problem) for line in lines for problem in line.problems])


def notes_by_clip(refused: Sequence[tuple[Line, Problem | NotFound]]) -> list[tuple[Line, list[Note]]]:
    """The same of what was refused: a line of each clip, and its notes."""
    found: dict[int, list[tuple[Line, Problem | NotFound]]] = {}
    for line, refusal in refused:
        found.setdefault(line.item.clip_id, []).append((line, refusal))
    return [(pairs[0][0], _notes(pairs)) for pairs in found.values()]


def _notes(pairs: Sequence[tuple[Line, Problem | NotFound]]) -> list[Note]:
    found: dict[tuple[str, bool], list[str]] = {}
    for line, problem in pairs:
        of_clip = isinstance(problem, NotFound) or problem.field in (None, "due")
        there = _stands_there(line, problem)
        labels = found.setdefault((there or words_of(problem), bool(there)), [])
        if line.destination and not of_clip:
            labels.append(line.destination.label)
    return [Note(", ".join(dict.fromkeys(labels)), text, is_there) for (text, is_there), labels in found.items()]


def _stands_there(line: Line, problem: Problem | NotFound) -> str:
    code = problem.code if isinstance(problem, Problem) else ""
    zone = current_user.timezone
    if code == "already_live" and line.destination and line.destination.live:
        return texts.status(line.destination.live, zone)
    if code == "already_published" and line.destination and line.destination.published:
        published = line.destination.published
        return f"уже опубликовано {moments.near(published.published_at or published.created_at, zone)}"
    return ""


def words_of(refusal: Problem | NotFound) -> str:
    return refusal.text if isinstance(refusal, Problem) else "Клипа или аккаунта уже нет."
