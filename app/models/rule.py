"""Rules of automatic publication, and what each has done with a clip."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app import clock
from app.db import db
from app.models.types import JSON, Id, String, Text, UTCDateTime, where


class WhenKind(StrEnum):
    """When a clip is to go out. AT is a render's or a request's own; a rule has the other three."""

    NOW = "now"
    AT = "at"
    AFTER = "after"  # so many minutes after it is ready
    SLOT = "slot"  # the next free one of a set of accounts


class RunState(StrEnum):
    HELD = "held"  # waits for a person: an approval, or something does not fit
    PUBLISHED = "published"
    RELEASED = "released"  # by a person
    SKIPPED = "skipped"  # the clip was on all its accounts already
    REJECTED = "rejected"


class Rule(db.Model):
    """What happens with a clip that becomes ready. Without a set it publishes to its members."""

    __tablename__ = "rules"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(60))
    enabled: Mapped[bool] = mapped_column(default=True)
    # Clips that were ready before it was switched on are not its business.
    enabled_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
    position: Mapped[int] = mapped_column(default=0)

    # Which clips; None: any.
    source: Mapped[str | None] = mapped_column(String(16))
    source_name: Mapped[str | None] = mapped_column(String(64))
    name_pattern: Mapped[str | None] = mapped_column(String(100))

    account_set_id: Mapped[int | None] = mapped_column(ForeignKey("account_sets.id", ondelete="SET NULL"), index=True)
    title_template: Mapped[str] = mapped_column(String(200), default="{title}")
    text_template: Mapped[str] = mapped_column(Text, default="{text}")
    options: Mapped[dict] = mapped_column(JSON, default=dict)  # by the connection's id (a string), by the option's name
    when_kind: Mapped[str] = mapped_column(String(8), default=WhenKind.NOW)
    after_minutes: Mapped[int | None]
    needs_approval: Mapped[bool] = mapped_column(default=False)
    daily_limit: Mapped[int | None]  # clips that go out on a day of the user's zone
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)

    members: Mapped[list["RuleMember"]] = relationship(
        lazy="selectin",
        order_by="RuleMember.connection_id",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )

    @property
    def connection_ids(self) -> list[int]:
        return [member.connection_id for member in self.members]


class RuleMember(db.Model):
    """A row of its own, not a list of ids: it goes with its connection."""

    __tablename__ = "rule_members"

    rule_id: Mapped[int] = mapped_column(ForeignKey("rules.id", ondelete="CASCADE"), primary_key=True)
    connection_id: Mapped[int] = mapped_column(
        ForeignKey("platform_connections.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class RuleRun(db.Model):
    """What a rule has done with a clip: once, whatever is retried. It outlives both."""

    __tablename__ = "rule_runs"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("rules.id", ondelete="SET NULL"))
    rule_name: Mapped[str] = mapped_column(String(60))
    clip_id: Mapped[int | None] = mapped_column(ForeignKey("clips.id", ondelete="SET NULL"), index=True)
    clip_title: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(64))  # of a run that published nothing: a key of texts.PROBLEMS
    problems: Mapped[list] = mapped_column(JSON, default=list)  # label, code, params of what did not fit
    publication_ids: Mapped[list] = mapped_column(JSON, default=list)
    # When its publications go out, as it has planned them: what counts for the limit of a day.
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # When the clip became ready.
    ready_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # when a person has decided

    __table_args__ = (
        UniqueConstraint("rule_id", "clip_id"),
        Index("ix_rule_runs_user_newest", "user_id", "id"),
        Index("ix_rule_runs_held", "user_id", **where("state = 'held'")),
        Index("ix_rule_runs_rule_due", "rule_id", "due_at"),
    )


class RuleCheck(db.Model):
    """A clip that has become ready, until the rules have been applied to it: a worker's job may get lost."""

    __tablename__ = "rule_checks"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    clip_id: Mapped[int] = mapped_column(Id, unique=True)  # no reference: it is read when the clip is gone
    title: Mapped[str] = mapped_column(String(200))
    ready_at: Mapped[datetime] = mapped_column(UTCDateTime)
    tries: Mapped[int] = mapped_column(default=0)
    wake_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now, index=True)
