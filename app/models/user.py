from datetime import datetime

from flask import current_app
from flask_login import UserMixin
from sqlalchemy import ForeignKey, false, select
from sqlalchemy.orm import Mapped, mapped_column

from app import clock, plans
from app.db import db
from app.models.types import Id, String, UTCDateTime

DEMO_DOMAIN = "demo.vezde.ru"


def is_demo(email: str) -> bool:
    return email.endswith(f"@{DEMO_DOMAIN}")


class User(UserMixin, db.Model):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    # A link for a new password is signed over it: a new one ends the link, as all sessions of before.
    session_key: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(80))
    timezone: Mapped[str] = mapped_column(String(64), default=clock.DEFAULT_ZONE)
    plan_key: Mapped[str] = mapped_column(String(16), default=plans.FREE.key)
    plan_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    is_admin: Mapped[bool] = mapped_column(default=False)
    # When a clip of the user's was last taken for a probe: the probes' workers serve users in turn.
    probed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
    # To personal data being processed, at sign-up; None where an operator added the user.
    consented_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # The text that was agreed to, by its date; None for the sentence beside the button of before 0.5.
    consent_version: Mapped[str | None] = mapped_column(String(16))
    # Renewing the secret address of the plan's calendar feed changes it; None: there is no feed.
    feed_version: Mapped[int | None]
    # Since when no rule acts: the one switch of all of them.
    rules_paused_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # Until then nothing is mailed but the letter by which it is confirmed.
    email_confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    @property
    def may_sign_in(self) -> bool:
        """The passwords of demo users are known to all. Not Flask-Login's `is_active`: that is asked for again while a
        request waits for its body, when no row may be loaded.
        """
        return bool(current_app.config["DEMO"]) or not is_demo(self.email)

    @property
    def plan(self) -> plans.Plan:
        return plans.PLANS[self.plan_key]


def lock_user(user_id: int) -> None:
    """Until the transaction ends, others that lock the user wait, and then see what this one has changed."""
    db.session.execute(select(User.id).where(User.id == user_id).with_for_update())


def lock_plan(user_id: int) -> User:
    """The user as the row is now, of whom what may go out, or when, is about to change: the tariff, the slots and what
    waits in them. Waits for others that do so, and for those that `hold_plan`.

    Rows that refer to the user can still be added: a worker that holds a publication adds an event, and whoever has
    this lock may wait for the publication.
    """
    return _read(user_id, key_share=True)


def hold_plan(user_id: int) -> User:
    """The user as the row is now: until the transaction ends, no other has `lock_plan`. A transaction that needs both
    begins with that: two that did the reverse would wait for each other.
    """
    return _read(user_id, read=True)


def _read(user_id: int, **lock: bool) -> User:
    found = select(User).where(User.id == user_id).with_for_update(**lock)
    return db.session.scalars(found.execution_options(populate_existing=True)).one()


class Recovery(db.Model):
    """A letter with a link, until it has been sent: for a new password, or to confirm the e-mail. Without a user for an
    unknown e-mail, which must be as much work.
    """

    __tablename__ = "recoveries"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    is_confirmation: Mapped[bool] = mapped_column(default=False, server_default=false())
    tries: Mapped[int] = mapped_column(default=0)
    wake_at: Mapped[datetime | None] = mapped_column(UTCDateTime, default=clock.now, index=True)  # None: being sent
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
