"""Many clips on many accounts at once: what would become of each, and then all of it in one unit of work."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select, tuple_

from app import clock
from app.db import db
from app.models import LIVE, Clip, ClipStatus, Publication, Status, User
from app.problems import NotFound, Problem
from app.services import drafts, due_times, publications
from app.services.drafts import Draft, Item

MAX_CLIPS = 200
MAX_PUBLICATIONS = 1200

# What is wished is an Item; a Draft is a line of the plan: its clip, account, texts, time, and what prevents it.
Line = Draft
Result = Publication | Problem | NotFound

# The other half of a double press, or a form that is sent again, finds what the first has made.
_SAME_PRESS = timedelta(minutes=10)


def plan(user: User, wishes: Sequence[Item]) -> list[Line]:
    """A line for each, in their order; changes nothing. Raises Problem where they are too many."""
    if len(wishes) > MAX_PUBLICATIONS:
        raise Problem("bulk_too_many", max=MAX_PUBLICATIONS)
    return drafts.of(user, wishes)


def at(user: User, line: Line, due_at: datetime | None, slot_id: int | None = None) -> Line:
    """The same line at another time: nothing else of it depends on that."""
    problems = [one for one in line.problems if not (isinstance(one, Problem) and one.field == "due")]
    if due_at:
        try:
            due_times.check(user, due_at)
        except Problem as problem:
            problems.append(problem)
    return replace(line, item=replace(line.item, due_at=due_at, slot_id=slot_id), problems=problems)


def carry_out(user: User, lines: Sequence[Line]) -> list[Result]:
    """A publication or the refusal for each line: all is looked at once more.

    Where nothing was left to make, what the other half of a double press has made is the result of its line.
    """
    results: list[Result] = list(publications.publish_many(user, [line.item for line in lines]))
    if any(isinstance(one, Publication) for one in results):
        return results
    refused = [line for line, one in zip(lines, results, strict=True) if one.args == ("already_live",)]
    made = _live(user, {line.key for line in refused}) if refused else {}
    there = [made.get(line.key) for line in lines]
    return [
        found if found and _is_same(line, found) else refusal
        for line, found, refusal in zip(lines, there, results, strict=True)
    ]


def _live(user: User, keys: set[tuple[int, int]]) -> dict[tuple[int, int], Publication]:
    live = select(Publication).where(
        Publication.user_id == user.id,
        Publication.status.in_(LIVE),
        tuple_(Publication.clip_id, Publication.connection_id).in_(keys),
    )
    return {(one.clip_id, one.connection_id): one for one in db.session.scalars(live)}


def _is_same(line: Line, there: Publication) -> bool:
    """A line without a time is for now, or has got none since all of its clip is there."""
    return (
        (line.title, line.description) == (there.title, there.description)
        and line.item.due_at in (None, there.due_at)
        and there.created_at > clock.now() - _SAME_PRESS
    )


def clips_of(user: User, clip_ids: Sequence[int]) -> list[Clip]:
    """Of the clips that a form names those that are the user's, in its order."""
    ids = list(dict.fromkeys(clip_ids))[:MAX_CLIPS]
    found = {
        clip.id: clip for clip in db.session.scalars(select(Clip).where(Clip.user_id == user.id, Clip.id.in_(ids)))
    }
    return [found[one] for one in ids if one in found]


def all_ready(user: User) -> list[Clip]:
    """«Все готовые»: those that are published nowhere and on their way nowhere, oldest first."""
    used = select(Publication.id).where(
        Publication.clip_id == Clip.id, Publication.status.in_((*LIVE, Status.PUBLISHED))
    )
    ready = select(Clip).where(Clip.user_id == user.id, Clip.status == ClipStatus.READY, ~used.exists())
    return list(db.session.scalars(ready.order_by(Clip.id).limit(MAX_CLIPS)))
