from sqlalchemy import ForeignKey, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import db
from app.models.types import Id


class Slot(db.Model):
    """A weekly time at which something may go out to an account set, in the time zone of its user."""

    __tablename__ = "slots"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    account_set_id: Mapped[int] = mapped_column(ForeignKey("account_sets.id", ondelete="CASCADE"))
    weekday: Mapped[int] = mapped_column(SmallInteger)  # 0 is Monday
    minute: Mapped[int] = mapped_column(SmallInteger)  # of the day, as the clock on the wall shows it

    __table_args__ = (UniqueConstraint("account_set_id", "weekday", "minute"),)
