from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, LargeBinary, false
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import JSON, Id, String, UTCDateTime

IMPORT_KEPT = timedelta(days=1)


class PlanImport(db.Model):
    """A table that a user has sent, for a day. What it says is read anew each time."""

    __tablename__ = "plan_imports"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    file_name: Mapped[str] = mapped_column(String(255))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    columns: Mapped[list] = mapped_column(JSON)  # what each column means: see `services.plan_columns`
    again: Mapped[bool] = mapped_column(default=False, server_default=false())  # also where a clip stands already
    expected: Mapped[list] = mapped_column(JSON, default=list)  # names of the clips that came in the same folder
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, default=lambda: clock.now() + IMPORT_KEPT, index=True)
