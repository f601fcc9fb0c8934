"""Sets of accounts («наборы»): a choice of where to publish, under a name."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app import clock
from app.db import db
from app.models.slot import Slot
from app.models.types import Id, String, UTCDateTime


class AccountSet(db.Model):
    __tablename__ = "account_sets"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(40))
    # Since when nothing that waits in its slots goes out.
    paused_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)

    members: Mapped[list["AccountSetMember"]] = relationship(lazy="selectin", order_by="AccountSetMember.connection_id")

    slots: Mapped[list[Slot]] = relationship(
        lazy="selectin", order_by=(Slot.weekday, Slot.minute), passive_deletes=True
    )

    __table_args__ = (UniqueConstraint("user_id", "name"),)

    @property
    def connection_ids(self) -> list[int]:
        return [member.connection_id for member in self.members]

    @property
    def weekly_slots(self) -> list[dict[str, int]]:
        return [{"weekday": one.weekday, "minute": one.minute} for one in self.slots]


class AccountSetMember(db.Model):
    """A row of its own, not a list of ids: it goes with its connection."""

    __tablename__ = "account_set_members"

    account_set_id: Mapped[int] = mapped_column(ForeignKey("account_sets.id", ondelete="CASCADE"), primary_key=True)
    connection_id: Mapped[int] = mapped_column(
        ForeignKey("platform_connections.id", ondelete="CASCADE"), primary_key=True, index=True
    )
