"""Deletes old clips on plans that keep them only for some days: none with publications under way, and none about which
its user has lately been asked.
"""

from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, and_, exists, or_, select

from app import clock, plans
from app.db import db
from app.models import LIVE, Clip, Publication, Status, User
from app.services import clip_deletion

log = structlog.get_logger(__name__)

BATCH = 100
# «Проверьте» and «Ждёт вас» keep a clip for so long after their time: an answer that never comes must not keep it.
ANSWER_WAIT = timedelta(days=30)


def leaves_at(clip: Clip, user: User) -> datetime | None:
    """When the clip's time on its user's plan is over; None where the plan keeps clips for good.

    Counted from the change of plan at the earliest: no clip goes on the day of a downgrade.
    """
    if user.plan.keep_days is None:
        return None
    return max(clip.created_at, user.plan_since or clip.created_at) + timedelta(days=user.plan.keep_days)


def due() -> list[int]:
    """Ids of clips whose time is over, each user's oldest first."""
    over = select(Clip.id).where(*_over()).order_by(Clip.user_id, Clip.id).limit(BATCH)
    return list(db.session.scalars(over))


def remove(clip_id: int) -> None:
    """Deletes the clip and its files, if its time is still over. Its publications stay in the history.

    Raises NotFound or Problem where its user has deleted or published it meanwhile.
    """
    user = db.session.scalar(select(User).join(Clip).where(Clip.id == clip_id, *_over()))
    if user is not None:
        clip_deletion.remove(user, clip_id)
        log.info("old clip deleted", clip=clip_id, user=user.id)


def _over() -> tuple[ColumnElement[bool], ...]:
    now, old = clock.now(), []
    for plan in plans.PLANS.values():
        if plan.keep_days:
            limit = now - timedelta(days=plan.keep_days)
            changed = or_(User.plan_since.is_(None), User.plan_since < limit)
            # Not joined with the clips: SQLite would go through those of all other plans too.
            its_users = select(User.id).where(User.plan_key == plan.key, changed)
            old.append((Clip.created_at < limit) & Clip.user_id.in_(its_users))
    asked_long_ago = and_(
        Publication.status.in_((Status.UNCONFIRMED, Status.AWAITING_USER)), Publication.due_at < now - ANSWER_WAIT
    )
    live = exists().where(Publication.clip_id == Clip.id, Publication.status.in_(LIVE), ~asked_long_ago)
    return or_(*old), ~live
