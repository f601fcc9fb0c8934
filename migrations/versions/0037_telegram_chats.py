"""decisions by a button in Telegram: linked chats, what was sent there, how far the bot's updates are read"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "telegram_chats",
        sa.Column("id", number, nullable=False),
        sa.Column("user_id", number, nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("linked_at", moment, nullable=False),
        sa.Column("blocked_at", moment, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_telegram_chats_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_telegram_chats"),
        sa.UniqueConstraint("user_id", name="uq_telegram_chats_user_id"),
        sa.UniqueConstraint("chat_id", name="uq_telegram_chats_chat_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "telegram_codes",
        sa.Column("user_id", number, nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_telegram_codes_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name="pk_telegram_codes"),
        sa.UniqueConstraint("code_hash", name="uq_telegram_codes_code_hash"),
    )
    op.create_table(
        "telegram_messages",
        sa.Column("id", number, nullable=False),
        sa.Column("telegram_chat_id", number, nullable=False),
        sa.Column("run_id", number, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("wake_at", moment, nullable=True),
        sa.Column("sent_at", moment, nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["telegram_chat_id"],
            ["telegram_chats.id"],
            name="fk_telegram_messages_telegram_chat_id_telegram_chats",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["rule_runs.id"], name="fk_telegram_messages_run_id_rule_runs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_telegram_messages"),
        sa.UniqueConstraint("telegram_chat_id", "run_id", name="uq_telegram_messages_telegram_chat_id_run_id"),
    )
    op.create_index("ix_telegram_messages_run_id", "telegram_messages", ["run_id"])
    op.create_index("ix_telegram_messages_wake_at", "telegram_messages", ["wake_at"])
    op.create_table(
        "telegram_polls",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("next_update_id", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", moment, nullable=True),
        sa.Column("wake_at", moment, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(length=16), nullable=True),
        sa.Column("problem_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_telegram_polls"),
    )


def downgrade() -> None:
    for table in ("telegram_polls", "telegram_messages", "telegram_codes", "telegram_chats"):
        op.drop_table(table)
