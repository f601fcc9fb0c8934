"""Tables of a plan to save, each of which can be imported: a template, what is scheduled, what was refused."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app import clock
from app.db import db
from app.models import PlatformConnection, Publication, Status, User
from app.platforms.options import Checkbox, Option, Select
from app.services import connection_list, plan_columns, spreading, typed_times
from app.services.plan_columns import ERRORS, LABELS, Meaning
from app.services.plan_import import Sheet, State
from app.services.plan_names import ClipNames, Places

_WRITTEN = (Meaning.FILE, Meaning.TITLE, Meaning.TEXT, Meaning.WHEN, Meaning.WHERE)
_HEAD = [LABELS[one] for one in _WRITTEN]

Cells = list[Any]


def template(user: User) -> Iterator[Cells]:
    """The head, with the options of the platforms that are connected, and two lines as an example."""
    accounts = connection_list.all_of(user)
    asked = _options({one.platform for one in accounts})
    yield [*_HEAD, *(label for _, label, _ in asked)]
    today = clock.to_zone(clock.now(), user.timezone).date()
    first, second = (
        typed_times.written(
            user, spreading.wall_time(user, datetime.combine(today + timedelta(days=days), time(hour))).due_at
        )
        for days, hour in ((7, 10), (8, 19))
    )
    one = Places(user).name_of(accounts[0]) if accounts else "Telegram"
    answers = [_answer(option, option.quiet or next(iter(_choices(option)), "")) for _, _, option in asked]
    yield ["Закат.mp4", "Закат над Волгой", "Снято на телефон. #закат", first, "все", *answers]
    yield ["Сырники.mov", "", "", second, one, *answers]


def scheduled(user: User) -> list[Cells]:
    """All that is scheduled, by time: accounts that get the same at the same time share a line."""
    query = (
        select(Publication)
        .where(Publication.user_id == user.id, Publication.status == Status.SCHEDULED, Publication.clip_id.is_not(None))
        .options(joinedload(Publication.connection))
        .order_by(Publication.due_at, Publication.clip_id, Publication.id)
    )
    rows = db.session.scalars(query).all()
    asked = _options({one.platform for one in rows})
    names, places = ClipNames(user), Places(user)
    groups: dict[tuple, list[Publication]] = {}
    for one in rows:
        key = (one.due_at, one.clip_id, one.title, one.description, repr(sorted(one.options.items())))
        groups.setdefault(key, []).append(one)
    lines = [_line(user, some, names, places, asked) for some in groups.values()]
    return [[*_HEAD, *(label for _, label, _ in asked)], *lines]


def faulty(sheet: Sheet, words: Sequence[str]) -> Iterator[Cells]:
    """The lines that cannot be made, as they were, with what is wrong. `words`: of each, in their order."""
    own = [place for place, name in enumerate(sheet.table.head) if name.casefold() != ERRORS.casefold()]
    yield [ERRORS, *(sheet.table.head[place] for place in own)]
    bad = [row for row in sheet.rows if row.state in (State.BAD, State.WAITING)]
    for row, wrong in zip(bad, words, strict=True):
        cells = row.source.cells
        kept = [cells[place] for place in own if place < len(cells)]
        yield [wrong, *kept, *cells[len(sheet.table.head) :]]


def _line(
    user: User, some: Sequence[Publication], names: ClipNames, places: Places, asked: Sequence[tuple[str, str, Option]]
) -> Cells:
    one = some[0]
    where = "; ".join(_account(publication, places) for publication in some)
    cells = [names.name_of(one.clip_id), one.title, one.description, typed_times.written(user, one.due_at), where]
    own = {publication.platform for publication in some}
    answers = [
        _answer(option, one.options.get(option.name, option.default)) if platform in own else ""
        for platform, _, option in asked
    ]
    return [*cells, *answers]


def _account(publication: Publication, places: Places) -> str:
    connection: PlatformConnection | None = publication.connection
    return places.name_of(connection) if connection else publication.account_name


def _options(used: set[str]) -> list[tuple[str, str, Option]]:
    """Platform, the column's name, declaration."""
    found = []
    for meaning, (label, option) in plan_columns.options().items():
        platform = meaning.split(":")[1]
        if platform in used:
            found.append((platform, label, option))
    return found


def _choices(option: Option) -> Iterable[str]:
    """Of what has to be chosen, unless the platform wants its user to do it: an example could be left as it is."""
    return option.choices if isinstance(option, Select) and option.required and not option.asked else ()


def _answer(option: Option, value: Any) -> str:
    if isinstance(option, Checkbox):
        return option.text(bool(value))
    return option.text(value) if value != "" else ""
