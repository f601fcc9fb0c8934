"""The plan as an iCalendar feed (RFC 5545): its address is secret, off until the user turns it on, and can be renewed.

The key in the address is signed over the user and a number that each renewal changes. It is stored nowhere.
"""

import hmac
import secrets
from datetime import timedelta
from urllib.parse import urlsplit

import structlog
from flask import current_app
from icalendar import Calendar, Event

from app import clock, platforms, texts
from app.db import db
from app.models import Status, User
from app.problems import NotFound
from app.services import plan, throttle
from app.services.plan import Item
from app.services.throttle import Limit, network_of

log = structlog.get_logger(__name__)

BACK, AHEAD = timedelta(days=30), timedelta(days=366)
MOST_EVENTS = 2000
_LENGTH = timedelta(minutes=15)  # programs show an event without a length badly, or not at all
_REFRESH = timedelta(hours=1)

# Wrong keys of one address, and reads of one feed: each of a user's devices reads it several times an hour.
_PER_ADDRESS = Limit("feed-address", times=30, seconds=3600)
_PER_USER = Limit("feed", times=240, seconds=3600)

# RFC 5545 has no more of an event; what failed does not take place.
_STATES = {
    Status.AWAITING_USER: "TENTATIVE",
    Status.UNCONFIRMED: "TENTATIVE",
    Status.FAILED: "CANCELLED",
    Status.CANCELLED: "CANCELLED",
}


def renew(user: User) -> None:
    """Turns it on, or gives it another address; those of before are valid no more."""
    user.feed_version = _other_than(user.feed_version)


def _other_than(version: int | None) -> int:
    """Random, not the next one: after it was turned off nothing remembers which have been."""
    while (fresh := secrets.randbelow(2**31)) == version:
        pass
    return fresh


def turn_off(user: User) -> None:
    user.feed_version = None


def key(user: User) -> str:
    """Raises ValueError while the feed is off."""
    if user.feed_version is None:
        raise ValueError("the feed is off")
    signed = f"plan-feed:{user.id}:{user.feed_version}".encode()
    return hmac.digest(current_app.config["SECRET_KEY"].encode(), signed, "sha256").hex()[:40]


def opened(user_id: int, given: str, address: str) -> User:
    """The feed's user. Raises NotFound for whatever is not a valid address; Problem after too many of them."""
    guess = (_PER_ADDRESS, network_of(address))
    throttle.hit(guess)
    user = db.session.get(User, user_id) if 0 < user_id < 1 << 63 else None
    if user is None or user.feed_version is None or not hmac.compare_digest(key(user).encode(), given.encode()):
        raise NotFound
    throttle.release(guess)
    throttle.hit((_PER_USER, str(user.id)))
    return user


def document(user: User) -> bytes:
    """What is ahead first where there is too much; events go by items of the plan."""
    now = clock.now()
    ahead = plan.items(user, now, now + AHEAD, MOST_EVENTS)
    past = plan.items(user, now - BACK, now, MOST_EVENTS - len(ahead), newest_first=True)
    calendar = Calendar()
    calendar.add("prodid", "-//Vezde//Plan//RU")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", "План публикаций — Везде")
    calendar.add("refresh-interval", _REFRESH, parameters={"value": "DURATION"})
    for item in (*past, *ahead):
        calendar.add_component(_event(item))
    return calendar.to_ical()


def _event(item: Item) -> Event:
    site = current_app.config["PUBLIC_URL"]
    page = f"clips/{item.clip.id}" if item.clip else f"publications/{item.id}"
    names = ", ".join(dict.fromkeys(platforms.ADAPTERS[mark.platform].name for mark in item.marks))
    event = Event()
    event.add("uid", f"publication-{item.id}@{urlsplit(site).hostname}")  # as long as it stays an item, moved or not
    event.add("dtstamp", clock.now())
    event.add("sequence", item.fence)
    event.add("dtstart", item.due_at.replace(microsecond=0))
    event.add("dtend", item.due_at.replace(microsecond=0) + _LENGTH)
    event.add("summary", f"{item.title} — {names}")
    event.add("description", "\n".join(_lines(item)))
    event.add("url", f"{site}/{page}")
    event.add("status", _STATES.get(item.status, "CONFIRMED"))
    event.add("transp", "TRANSPARENT")
    return event


def _lines(item: Item) -> list[str]:
    return [
        f"{platforms.ADAPTERS[mark.platform].name}, {mark.account_name}: {texts.STATUSES[mark.status]}"
        for mark in item.marks
    ]
