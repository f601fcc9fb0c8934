"""Which file a publication sends: the clip's own, or a rendition that is made of it by a recipe (`recipes`)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app import clock, platforms, queue
from app.db import after_commit, db
from app.media.recipes.recipe import Recipe
from app.models import (
    FACTS_VERSION,
    Clip,
    ClipStatus,
    Publication,
    Rendition,
    RenditionState,
    Stage,
    Status,
    touch_all,
)
from app.platforms.errors import Refused
from app.publishing import preflight, recipes

_JOBS = {True: "app.jobs.renditions.copy", False: "app.jobs.renditions.make"}
# Any wake-up serves any row.
_ANY = 0


def find(clip_id: int, recipe: Recipe) -> Rendition | None:
    return db.session.scalar(select(Rendition).filter_by(clip_id=clip_id, recipe_key=recipe.key))


@dataclass(frozen=True)
class Want:
    """A file that is needed, by then."""

    clip: Clip
    recipe: Recipe
    at: datetime

    @property
    def key(self) -> tuple[int, str]:
        return self.clip.id, self.recipe.key


def want(wants: Sequence[Want], failed_before: datetime) -> dict[tuple[int, str], Rendition]:
    """The renditions, locked, by clip and recipe: new rows for a worker, or those that are there. What failed before
    that moment is tried again. As many statements for many as for one.
    """
    earliest: dict[tuple[int, str], Want] = {}
    for one in sorted(wants, key=lambda one: one.at):
        earliest.setdefault(one.key, one)
    dialect = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    add = dialect.insert(Rendition.__table__).on_conflict_do_nothing()
    # In order: two requests at once do not wait for each other.
    db.session.connection().execute(add, [_row(earliest[key]) for key in sorted(earliest)])
    mine = select(Rendition).where(Rendition.clip_id.in_({clip_id for clip_id, _ in earliest}))
    found = db.session.scalars(
        mine.order_by(Rendition.clip_id, Rendition.recipe_key)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    wanted = {key: one for one in found if (key := (one.clip_id, one.recipe_key)) in earliest}
    for key, one in wanted.items():
        one.wanted_at = min(one.wanted_at, earliest[key].at)
        if one.state == RenditionState.FAILED and (one.settled_at is None or one.settled_at <= failed_before):
            one.state, one.reason, one.tries, one.progress = RenditionState.WAITING, None, 0, 0
            one.wake_at = clock.now()
    db.session.flush()
    for job in {_JOBS[one.is_lossless] for one in wanted.values() if one.state == RenditionState.WAITING}:
        after_commit(partial(queue.enqueue, job, _ANY))
    return wanted


def _row(wanted: Want) -> dict[str, Any]:
    now = clock.now()
    return {
        "clip_id": wanted.clip.id,
        "user_id": wanted.clip.user_id,
        "recipe_key": wanted.recipe.key,
        "recipe": recipes.to_row(wanted.recipe),
        "is_lossless": wanted.recipe.is_lossless,
        "state": RenditionState.WAITING,
        "progress": 0,
        "wanted_at": wanted.at,
        "wake_at": now,
        "tries": 0,
        "fence": 0,
        "created_at": now,
    }


# Before a publication begins


@dataclass(frozen=True)
class File:
    """What goes out. `columns` of the publication settle it; none while it has to be made first (`rendition` is None
    then) or cannot be (`obstacle`).
    """

    columns: dict[str, Any] = field(default_factory=dict)
    rendition: Rendition | None = None
    obstacle: Refused | None = None


def choose(publication: Publication) -> File:
    """Which file the publication sends, as far as that is settled: one that has begun goes on with the same file."""
    clip = publication.clip
    if not publication.awaits_file:
        return File(rendition=publication.rendition)
    adapter = platforms.ADAPTERS[publication.platform]
    if recipes.lacks_facts(clip, adapter) and not publication.recipe:
        return File()
    recipe = recipes.recipe_for(clip, adapter, publication.recipe)
    if recipe is None:
        return _own(clip)
    made = find(clip.id, recipe)
    if made is not None and made.state == RenditionState.READY:
        return File({"rendition_id": made.id, "sent_sha256": made.sha256}, made)
    if made is not None and made.state == RenditionState.FAILED and _is_since(made.settled_at, publication):
        # Without it the clip may do as well: a platform that streams, or shows something else.
        fits = publication.recipe is None and not list(preflight.problems(adapter, current_app.config, clip))
        return _own(clip) if fits else File(obstacle=Refused(made.reason or "recipe_failed"))
    return File()


def _own(clip: Clip) -> File:
    return File({"rendition_id": None, "sent_sha256": clip.sha256 or ""})


def _is_since(moment: datetime | None, publication: Publication) -> bool:
    """A failure of before is no answer to «Повторить»."""
    return (
        publication.status == Status.PUBLISHING
        and moment is not None
        and publication.started_at is not None
        and moment > publication.started_at
    )


def request_facts(*clip_ids: int) -> None:
    """Has those clips probed again whose facts are of before; they stay ready meanwhile."""
    old = (Clip.id.in_(clip_ids), Clip.status == ClipStatus.READY, Clip.facts_version < FACTS_VERSION)
    again = update(Clip).where(*old, Clip.wake_at.is_(None)).values(wake_at=clock.now(), probes=0)
    db.session.execute(again.execution_options(synchronize_session=False))


def make_ahead(made: Sequence[Publication]) -> None:
    """The renditions that publications, just added, will need. The caller commits."""
    wants: dict[int, Want] = {}
    old: list[int] = []
    for one in made:
        adapter, clip = platforms.ADAPTERS[one.platform], one.clip
        if recipes.lacks_facts(clip, adapter) and not one.recipe:
            old.append(clip.id)
        elif recipe := recipes.recipe_for(clip, adapter, one.recipe):
            wants[one.id] = Want(clip, recipe, one.due_at)
    if old:
        request_facts(*old)
    if wants:
        renditions = want(list(wants.values()), failed_before=clock.now())
        for one in made:
            if one.id in wants:
                one.rendition_id = renditions[wants[one.id].key].id
        db.session.flush()


# When it is made


def resume(*where: ColumnElement[bool]) -> None:
    """Publications that wait for their file go on: the tick finds them. The caller commits."""
    waiting = (Publication.status == Status.PUBLISHING, Publication.stage == Stage.PREPARING, *where)
    free = select(Publication.id).where(*waiting, Publication.lease_until.is_(None))
    ready = {"wake_at": clock.now(), "stage": Stage.QUEUED, "reason": None, "sent": None, "total": None}
    on = update(Publication).where(Publication.id.in_(free)).values(**ready)
    ids = db.session.scalars(on.returning(Publication.id).execution_options(synchronize_session=False)).all()
    if ids:
        touch_all(ids)


def show_progress(rendition_id: int, percent: int, reason: str | None = None) -> None:
    """On the cards of what waits for it; `reason`: why it pauses. The caller commits."""
    waiting = (Publication.rendition_id == rendition_id, Publication.stage == Stage.PREPARING)
    shown = update(Publication).where(*waiting).values(sent=percent, total=100, reason=reason)
    ids = db.session.scalars(shown.returning(Publication.id).execution_options(synchronize_session=False)).all()
    if ids:
        touch_all(ids)
