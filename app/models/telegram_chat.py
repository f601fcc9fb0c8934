"""Decisions by a button in Telegram: a user's chat with the installation's bot, what was sent there, and the poll."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import Id, String, UTCDateTime


class TelegramChat(db.Model):
    """A user has one, and it is one user's: a press must mean one account."""

    __tablename__ = "telegram_chats"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    chat_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    name: Mapped[str] = mapped_column(String(64))  # of the person there, for the page
    linked_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
    # The person has stopped the bot: nothing is sent until they write to it again.
    blocked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = {"sqlite_autoincrement": True}  # buttons are signed with the id: another chat never has it


class TelegramCode(db.Model):
    """Of the link that opens the bot: once, and for a short time. A user has one at most."""

    __tablename__ = "telegram_codes"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)


class TelegramMessage(db.Model):
    """That a run waits, with two buttons: one in a chat, however often its event is read. At least once where the
    response got lost.
    """

    __tablename__ = "telegram_messages"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    telegram_chat_id: Mapped[int] = mapped_column(ForeignKey("telegram_chats.id", ondelete="CASCADE"))
    run_id: Mapped[int] = mapped_column(ForeignKey("rule_runs.id", ondelete="CASCADE"), index=True)
    tries: Mapped[int] = mapped_column(default=0)
    wake_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    message_id: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        UniqueConstraint("telegram_chat_id", "run_id"),
        Index("ix_telegram_messages_wake_at", "wake_at"),
    )


class TelegramPoll(db.Model):
    """How far the bot's updates are read, and the lease of the one worker that reads. A row for each bot."""

    __tablename__ = "telegram_polls"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # the bot's
    next_update_id: Mapped[int] = mapped_column(BigInteger, default=0)
    updated_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # when the last update came
    wake_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
    tries: Mapped[int] = mapped_column(default=0)  # goes up with each lease: an older one changes nothing more
    problem: Mapped[str | None] = mapped_column(String(16))  # why the last one came to nothing
    problem_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
