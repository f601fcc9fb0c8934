from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from app import clock
from app.db import db
from app.models.clip import Clip
from app.models.rule import Rule  # noqa: F401 - the table that rule_id refers to
from app.models.types import JSON, Id, String, Text, UTCDateTime


class Render(db.Model):
    """A clip that is announced before its file arrives: its texts, and the upload or import that will bring it."""

    __tablename__ = "renders"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    # As the render farm calls it: an announcement that comes twice is one.
    external_id: Mapped[str | None] = mapped_column(String(128))
    title: Mapped[str] = mapped_column(String(200), default="")  # empty: from the file's name
    description: Mapped[str] = mapped_column(Text, default="")
    # The rule that alone decides; with `names_rule` and without `rule_id` it has been deleted since.
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("rules.id", ondelete="SET NULL"), index=True)
    names_rule: Mapped[bool] = mapped_column(default=False, server_default=false())
    when: Mapped[dict | None] = mapped_column(JSON)  # see `services.when_parsing`; None: the rule decides
    source: Mapped[str] = mapped_column(String(16))
    source_name: Mapped[str | None] = mapped_column(String(64))
    # No reference: the upload's row goes before the render's does.
    upload_id: Mapped[str | None] = mapped_column(String(43), index=True)
    clip_id: Mapped[int | None] = mapped_column(ForeignKey("clips.id", ondelete="SET NULL"), index=True)
    arrived_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # stays when the clip is deleted
    cancelled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # the rules have been applied to its clip
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)

    clip: Mapped[Clip | None] = relationship()

    __table_args__ = (UniqueConstraint("user_id", "external_id"),)

    @validates("clip_id")
    def _arrive(self, _key: str, clip_id: int | None) -> int | None:
        self.arrived_at = clock.now() if clip_id else None
        return clip_id
