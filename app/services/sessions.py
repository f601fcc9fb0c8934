"""Sessions: a row for each signed-in browser, by a random token of which only the hash is stored.

One ends 30 days after the sign-in, after 14 days without use, and whenever its row is deleted. A browser in which its
user has signed in before is known by a second token, which opens nothing; it changes with each sign-in.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, exists, select, update

from app import clock
from app.db import db
from app.models import KnownBrowser, User, UserSession, record_event
from app.problems import NotFound
from app.services import audit_log
from app.services.user_agents import describe

LIFETIME = timedelta(days=30)
IDLE = timedelta(days=14)
BROWSER_KEPT = timedelta(days=400)  # as long as browsers keep a cookie at most
MAX_PER_USER = 50  # sessions, and known browsers; the oldest are deleted
CONFIRMED_FOR = timedelta(minutes=10)
# A session's last use is written no more often: no write for each poll.
_SEEN_STEP = timedelta(minutes=5)


@dataclass(frozen=True)
class Begun:
    """What the browser stores."""

    token: str
    browser_token: str


def begin(user: User, browser_token: str, user_agent: str, address: str) -> Begun:
    """A new session. `browser_token` is what the browser brought, if anything; it gets another one.

    A browser that is new to a user who has signed in before is an event, of which the user is notified.
    """
    device = describe(user_agent)
    known = is_known(user.email, browser_token)
    if not known and db.session.scalar(select(exists().where(KnownBrowser.user_id == user.id))):
        record_event(user.id, "session.new_device", {"device": device, "address": address})
    _keep_newest(user)
    new_browser_token = secrets.token_urlsafe(32)
    browser_id = _know_browser(user, browser_token, new_browser_token)
    token = secrets.token_urlsafe(32)
    db.session.add(
        UserSession(
            user_id=user.id,
            token_hash=_hash(token),
            known_browser_id=browser_id,
            user_agent=user_agent,
            address=address,
        )
    )
    db.session.flush()
    return Begun(token, new_browser_token)


def _keep_newest(user: User) -> None:
    """A user may sign in as often as they like: the rows are bounded, with room for one more."""
    for model in (UserSession, KnownBrowser):
        newest = select(model.id).where(model.user_id == user.id).order_by(model.id.desc()).limit(MAX_PER_USER - 1)
        db.session.execute(delete(model).where(model.user_id == user.id, model.id.not_in(newest)))


def is_known(email: str, browser_token: str) -> bool:
    """Whether the user with this e-mail has signed in in the browser before."""
    return db.session.scalar(
        select(
            exists()
            .where(KnownBrowser.token_hash == _hash(browser_token))
            .where(KnownBrowser.user_id == User.id, User.email == email)
        )
    )


def _know_browser(user: User, old_token: str, new_token: str) -> int:
    """The row of this browser for this user. For other users of the browser it stays known, by the new token too: one
    that was planted, or copied, is of no use after the sign-in.
    """
    db.session.execute(
        update(KnownBrowser)
        .where(KnownBrowser.token_hash == _hash(old_token))
        .values(token_hash=_hash(new_token))
        .execution_options(synchronize_session=False)
    )
    mine = (KnownBrowser.user_id == user.id, KnownBrowser.token_hash == _hash(new_token))
    found = db.session.scalar(
        update(KnownBrowser)
        .where(*mine)
        .values(seen_at=clock.now())
        .returning(KnownBrowser.id)
        .execution_options(synchronize_session=False)
    )
    if found is None:
        browser = KnownBrowser(user_id=user.id, token_hash=_hash(new_token))
        db.session.add(browser)
        db.session.flush()
        found = browser.id
    return found


def find(token: str) -> tuple[UserSession, User] | None:
    """The session of a token and its user, in one query; None once it has ended."""
    row = db.session.execute(
        select(UserSession, User)
        .join(User, User.id == UserSession.user_id)
        .where(UserSession.token_hash == _hash(token), *_alive())
    ).one_or_none()
    return row and (row[0], row[1])


def is_unseen(session: UserSession) -> bool:
    """Whether its use is to be written again."""
    return session.seen_at < clock.now() - _SEEN_STEP


def mark_seen(session_id: int) -> None:
    now = clock.now()
    db.session.execute(
        update(UserSession)
        .where(UserSession.id == session_id, UserSession.seen_at < now - _SEEN_STEP)
        .values(seen_at=now)
        .execution_options(synchronize_session=False)
    )


def is_confirmed(session: UserSession) -> bool:
    """Whether the user has lately shown again who they are."""
    return session.confirmed_at > clock.now() - CONFIRMED_FOR


def confirm(session: UserSession) -> str:
    """The user has just shown again who they are. Returns the new token: the one of before is worth nothing."""
    token = secrets.token_urlsafe(32)
    session.token_hash, session.confirmed_at = _hash(token), clock.now()
    return token


def all_of(user: User) -> list[UserSession]:
    newest_first = select(UserSession).where(UserSession.user_id == user.id, *_alive())
    return list(db.session.scalars(newest_first.order_by(UserSession.seen_at.desc(), UserSession.id.desc())))


def sign_out(session: UserSession) -> None:
    """The browser stays known."""
    audit_log.record(session.user_id, "signed_out")
    db.session.delete(session)


def end(user: User, session_id: int) -> None:
    """Ends one, whose browser is known no longer. Raises NotFound."""
    session = db.session.scalar(select(UserSession).where(UserSession.id == session_id, UserSession.user_id == user.id))
    if session is None:
        raise NotFound
    audit_log.record(user.id, "session_ended", describe(session.user_agent))
    _end(UserSession.id == session.id)


def end_others(user: User, keep_id: int) -> None:
    """Ends all but one; links for a new password too."""
    user.session_key = secrets.token_hex(16)
    audit_log.record(user.id, "other_sessions_ended")
    _end(UserSession.user_id == user.id, UserSession.id != keep_id)


def end_all(user: User) -> None:
    """With a new password: a link for another one ends too, and no browser is known any more."""
    user.session_key = secrets.token_hex(16)
    _end(UserSession.user_id == user.id)
    db.session.execute(delete(KnownBrowser).where(KnownBrowser.user_id == user.id))


def sweep() -> None:
    now = clock.now()
    db.session.execute(delete(UserSession).where(UserSession.created_at < now - LIFETIME))
    db.session.execute(delete(UserSession).where(UserSession.seen_at < now - IDLE))
    db.session.execute(delete(KnownBrowser).where(KnownBrowser.seen_at < now - BROWSER_KEPT))


def _end(*which: ColumnElement[bool]) -> None:
    browsers = db.session.scalars(select(UserSession.known_browser_id).where(*which)).all()
    db.session.execute(delete(UserSession).where(*which))
    db.session.execute(delete(KnownBrowser).where(KnownBrowser.id.in_([one for one in browsers if one is not None])))


def _alive() -> tuple[ColumnElement[bool], ...]:
    now = clock.now()
    return UserSession.created_at > now - LIFETIME, UserSession.seen_at > now - IDLE


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
