"""What a user sees of the notifications: the bell and the page. The caller commits."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update

from app import clock
from app.db import db, transaction
from app.models import Notification, User
from app.paging import Page, count_up_to, indexed_eq, paginate

PER_PAGE = 20
MOST_UNREAD = 99
KEPT = timedelta(days=90)
_OF_SECURITY = (
    *("second_factor_added", "second_factor_removed", "recovery_code_used"),
    *("passkey_added", "passkey_removed"),
    *("api_key_created", "api_key_revoked"),
)


def unread(user: User) -> int:
    """How many; MOST_UNREAD + 1 stands for any greater number."""
    return count_up_to(
        MOST_UNREAD, select(Notification).where(Notification.user_id == user.id, Notification.read_at.is_(None))
    )


def read_page(user: User, number: int = 1) -> tuple[Page[Notification], frozenset[int]]:
    """A page of the user's notifications, newest first, and the ids of those that were unread.

    Marks them and all older ones as read.
    """
    newest_first = (
        select(Notification)
        .where(indexed_eq(Notification.user_id, user.id))
        .order_by(Notification.user_id.desc(), Notification.id.desc())
    )
    page = paginate(newest_first, number, PER_PAGE)
    new = frozenset(notification.id for notification in page.rows if notification.read_at is None)
    if new:
        db.session.execute(
            update(Notification)
            .where(Notification.user_id == user.id, Notification.read_at.is_(None), Notification.id <= max(new))
            .values(read_at=clock.now())
        )
    return page, new


def link(notification: Notification) -> tuple[str, str]:
    """The label and the path of the link below it."""
    if notification.kind in ("reconnect", "ahead"):
        return "Переподключить", "/settings/integrations"
    if notification.kind == "new_device":
        return "Посмотреть устройства", "/settings/security"
    if notification.kind in _OF_SECURITY:
        return "Открыть «Безопасность»", "/settings/security"
    if notification.kind == "plan_withheld":
        return "Сравнить тарифы", "/plans"
    if notification.kind == "plan_returnable":
        return "Вернуть запланированное", "/withheld"
    if notification.kind == "held":
        return "Решить", "/settings/rules/approvals"
    if notification.kind == "webhook_paused":
        return "Открыть вебхуки", "/settings/webhooks"
    if notification.kind in ("incident", "recovered"):
        return _after_incident(notification.facts)
    if notification.kind == "import_failed":
        return "К клипам", "/"
    if notification.kind == "not_published":
        return "Открыть клип", f"/clips/{notification.facts['clip']}"
    return "Открыть публикацию", f"/publications/{notification.publication_id}"


def _after_incident(facts: Mapping[str, Any]) -> tuple[str, str]:
    if facts.get("missed"):
        return "Повторить все", f"/bulk/publications?do=retry&incident={facts['incident']}"
    return "К публикациям", f"/publications/?platform={facts['key']}"


def sweep() -> None:
    with transaction():
        db.session.execute(delete(Notification).where(Notification.created_at < clock.now() - KEPT))
