"""Announced clips: a render farm says what will come, and what is to become of it; then the file comes.

The same `external_id` twice is one announcement: until the file is there, the later one changes what it gives and
leaves the rest. One that was cancelled stays so: an old announcement that is sent again must not publish anything.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload

from app import clock
from app.db import db
from app.models import ClipStatus, Render, Source, User, lock_plan
from app.problems import NotFound, Problem
from app.services import clips, rules, when_parsing

MAX_EXTERNAL_ID = Render.external_id.type.impl.length


class RenderState(StrEnum):
    ANNOUNCED = "announced"
    ARRIVING = "arriving"  # its bytes come, or are being checked
    READY = "ready"
    FAILED = "failed"  # the file cannot be used: another may be sent for the same announcement
    CANCELLED = "cancelled"  # whatever comes is not published


def announce(
    user: User,
    *,
    external_id: str | None = None,
    title: str = "",
    description: str = "",
    rule_id: int | None = None,
    when: Mapping[str, Any] | None = None,
    source: str = Source.API,
    source_name: str | None = None,
) -> Render:
    """`rule_id`: the rule that alone decides, whatever its conditions. `when`: instead of the rule's own time; see
    `when_parsing`. Raises Problem with its field.
    """
    given = _checked(user, title, description, rule_id, when)
    external_id = clips.one_line(external_id or "") or None
    if external_id and len(external_id) > MAX_EXTERNAL_ID:
        raise Problem("render_id_too_long", "external_id", max=MAX_EXTERNAL_ID)
    lock_plan(user.id)  # of two at once the second finds the first one's
    known = get_by_external_id(user, external_id) if external_id else None
    if known is None:
        known = Render(user_id=user.id, external_id=external_id, source=source, source_name=source_name)
        known.title = known.description = ""
        db.session.add(known)
    elif known.arrived_at or known.cancelled_at:
        return known
    for name, value in given.items():
        setattr(known, name, value)
    db.session.flush()
    return known


def _checked(
    user: User, title: str, description: str, rule_id: int | None, when: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What is given of it, as columns."""
    given: dict[str, Any] = {}
    if title := clips.one_line(title):
        if len(title) > clips.MAX_TITLE:
            raise Problem("clip_title_too_long", "title", max=clips.MAX_TITLE)
        given["title"] = title
    if description := clips.several_lines(description):
        if len(description) > clips.MAX_DESCRIPTION:
            raise Problem("clip_description_too_long", "description", max=clips.MAX_DESCRIPTION)
        given["description"] = description
    if rule_id is not None:
        try:
            given |= {"rule_id": rules.get(user, rule_id).id, "names_rule": True}
        except NotFound:
            raise Problem("render_rule_unknown", "rule_id") from None
    if when is not None:
        given["when"] = when_parsing.parse(user, when).stored()
    return given


def all_of(user: User) -> Select[tuple[Render]]:
    """For pages of them."""
    return select(Render).where(Render.user_id == user.id).options(joinedload(Render.clip))


def get(user: User, render_id: int, *, lock: bool = False) -> Render:
    """Raises NotFound, for another user's too."""
    mine = select(Render).where(Render.id == render_id, Render.user_id == user.id)
    render = db.session.scalar((mine.with_for_update() if lock else mine).execution_options(populate_existing=True))
    if render is None:
        raise NotFound
    return render


def named(user: User, number: str) -> Render:
    """By its id as a header has it. Raises NotFound."""
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise NotFound
    return get(user, int(number), lock=True)


def get_by_external_id(user: User, external_id: str) -> Render | None:
    mine = select(Render).where(Render.user_id == user.id, Render.external_id == external_id)
    return db.session.scalar(mine.execution_options(populate_existing=True))


def state(render: Render) -> RenderState:
    if render.cancelled_at:
        return RenderState.CANCELLED
    if render.clip is not None:
        states = {ClipStatus.READY: RenderState.READY, ClipStatus.FAILED: RenderState.FAILED}
        return states.get(ClipStatus(render.clip.status), RenderState.ARRIVING)
    if render.arrived_at:
        return RenderState.READY  # its clip is deleted since
    return RenderState.ARRIVING if render.upload_id else RenderState.ANNOUNCED


def await_upload(render: Render, upload_id: str) -> None:
    """The upload brings its file: another one than before, too, until one is there that can be used. Raises Problem."""
    require_open(render)
    render.upload_id = upload_id
    db.session.flush()


def require_open(render: Render) -> None:
    """Makes room for a file: after one that cannot be used for another. Raises Problem where one is there already."""
    if not render.arrived_at:
        return
    if state(render) != RenderState.FAILED:
        raise Problem("render_arrived", "render")
    render.clip_id = None


def cancel(user: User, render_id: int) -> Render:
    """What comes of it is a clip like any other, and is not published. Once more does nothing. Raises NotFound; Problem
    once the rules have been applied to its clip.
    """
    lock_plan(user.id)
    render = get(user, render_id, lock=True)
    if render.settled_at and not render.cancelled_at:
        raise Problem("render_too_late")
    render.cancelled_at = render.cancelled_at or clock.now()
    db.session.flush()
    return render
