"""What a publication would be, and what keeps it from being made: looked at for many at once, changing nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import select

from app import platforms
from app.db import db
from app.models import Clip, ClipStatus, PlatformConnection, User
from app.problems import NotFound, Problem
from app.publishing import preflight
from app.services import asked_options, clips, destinations, due_times
from app.services.destinations import Destination


@dataclass(frozen=True)
class Choice:
    """An account, and the texts for it; `again` where the clip is published there already and shall be once more.

    `recipe`: how the clip is to be changed for it, by the key of one of its offers or as JSON; empty: not at all.
    """

    connection_id: int
    title: str
    description: str
    again: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    recipe: str = ""


@dataclass(frozen=True)
class Item:
    """One publication to be made: now, or at `due_at` (UTC). `slot_id`: the slot in which it waits."""

    clip_id: int
    choice: Choice
    due_at: datetime | None = None
    slot_id: int | None = None


@dataclass(frozen=True)
class Draft:
    """An item, and the row that it would become. With any of the `problems` it cannot; the first one counts.

    `clip` and `destination` are None where they are not the user's, or gone.
    """

    item: Item
    clip: Clip | None
    destination: Destination | None
    title: str
    description: str
    options: Mapping[str, Any]
    recipe: Mapping[str, Any] | None  # as a row has it
    problems: Sequence[Problem | NotFound]

    @property
    def key(self) -> tuple[int, int]:
        return self.item.clip_id, self.item.choice.connection_id


def of(user: User, items: Sequence[Item], *, lock: bool = False) -> list[Draft]:
    """One for each item, in their order. With `lock`, none of the clips and accounts is deleted from here on, until the
    end of the transaction.
    """
    some = _clips(user, {item.clip_id for item in items}, lock)
    if lock:
        _lock_accounts(user)
    by_clip = {
        clip_id: {one.connection.id: one for one in found}
        for clip_id, found in destinations.for_clips(user, list(some.values())).items()
    }
    drafts: list[Draft] = []
    seen: set[tuple[int, int]] = set()
    for item in items:
        destination = by_clip.get(item.clip_id, {}).get(item.choice.connection_id)
        drafts.append(_draft(user, item, some.get(item.clip_id), destination, seen))
    return drafts


def _clips(user: User, ids: set[int], lock: bool) -> dict[int, Clip]:
    mine = select(Clip).where(Clip.id.in_(ids), Clip.user_id == user.id).order_by(Clip.id)
    if lock:
        # As a reference to the row does; a deletion that is under way is waited for.
        mine = mine.with_for_update(read=True, key_share=True).execution_options(populate_existing=True)
    return {clip.id: clip for clip in db.session.scalars(mine)}


def _lock_accounts(user: User) -> None:
    """All of them: ids that a form names may be any number."""
    mine = select(PlatformConnection.id).where(PlatformConnection.user_id == user.id)
    db.session.execute(mine.order_by(PlatformConnection.id).with_for_update(read=True, key_share=True))


def _draft(
    user: User, item: Item, clip: Clip | None, destination: Destination | None, seen: set[tuple[int, int]]
) -> Draft:
    """`seen`: clip and account of the items before it; of two alike the first is made."""
    choice = item.choice
    title, description = clips.one_line(choice.title), clips.several_lines(choice.description)
    chosen: Mapping[str, Any] = {}
    recipe: Mapping[str, Any] | None = None
    problems: list[Problem | NotFound] = []
    if clip is None or destination is None:
        problems.append(NotFound())
    else:
        try:
            recipe = destination.recipe(choice.recipe)
        except Problem as problem:
            problems.append(Problem(problem.code, _field(destination), **problem.params))
        problems += _problems(user, item, clip, destination, recipe, title, description)
        try:
            chosen = asked_options.check(destination.connection, choice.options, f"option-{choice.connection_id}-")
        except Problem as problem:
            problems.append(problem)
    draft = Draft(item, clip, destination, title, description, chosen, recipe, problems)
    if not problems and draft.key in seen:
        problems.append(Problem("already_live", _field(destination)))
    seen.add(draft.key)
    return draft


def _problems(
    user: User,
    item: Item,
    clip: Clip,
    destination: Destination,
    recipe: Mapping[str, Any] | None,
    title: str,
    description: str,
) -> Iterator[Problem]:
    if clip.status != ClipStatus.READY:
        yield Problem("clip_not_ready")
    if item.due_at:
        try:
            due_times.check(user, item.due_at)
        except Problem as problem:
            yield problem
    at = _field(destination)
    if destination.live:
        yield Problem("already_live", at)
    adapter = platforms.ADAPTERS[destination.connection.platform]
    problems = destination.problems_with(recipe)
    for problem in (*problems, *preflight.text_problems(adapter, current_app.config, title, description)):
        yield Problem(problem.code, at, **problem.params)
    try:
        asked_options.check_length(destination.connection, clip)
    except Problem as problem:
        yield problem
    if destination.published and not item.choice.again:
        yield Problem("already_published", at)


def _field(destination: Destination) -> str:
    """Where a form shows it."""
    return f"connection-{destination.connection.id}"
