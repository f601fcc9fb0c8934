"""Announced clips: what is known of a clip before its file arrives."""

from typing import Any

from sqlalchemy import select

from app.db import db
from app.models import Render, Source, User, lock_user
from app.problems import NotFound
from app.services import clips


def announce(
    user: User,
    *,
    external_id: str | None = None,
    title: str = "",
    description: str = "",
    rule_id: int | None = None,
    when: dict[str, Any] | None = None,
    source: str = Source.API,
    source_name: str | None = None,
) -> Render:
    """The same `external_id` twice is one announcement: the first one's."""
    lock_user(user.id)
    if external_id is not None and (known := get_by_external_id(user, external_id)):
        return known
    one = Render(
        user_id=user.id,
        external_id=external_id,
        title=clips.one_line(title)[: clips.MAX_TITLE],
        description=clips.several_lines(description)[: clips.MAX_DESCRIPTION],
        source=source,
        source_name=source_name,
    )
    db.session.add(one)
    db.session.flush()
    return one


def get(user: User, render_id: int) -> Render:
    """Raises NotFound, for another user's too."""
    one = db.session.scalar(select(Render).where(Render.id == render_id, Render.user_id == user.id))
    if one is None:
        raise NotFound
    return one


def get_by_external_id(user: User, external_id: str) -> Render | None:
    return db.session.scalar(select(Render).where(Render.user_id == user.id, Render.external_id == external_id))
