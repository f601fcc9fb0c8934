"""the plan: weekly slots of account sets, due times by user, the calendar feed"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("users", sa.Column("feed_version", sa.Integer(), nullable=True))
    op.add_column("account_sets", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "slots",
        sa.Column("id", number, nullable=False),
        sa.Column("account_set_id", number, nullable=False),
        sa.Column("weekday", sa.SmallInteger(), nullable=False),
        sa.Column("minute", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_set_id"], ["account_sets.id"], name="fk_slots_account_set_id_account_sets", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_slots"),
        sa.UniqueConstraint("account_set_id", "weekday", "minute", name="uq_slots_account_set_id_weekday_minute"),
    )
    with op.batch_alter_table("publications") as publications:
        publications.add_column(sa.Column("slot_id", number, nullable=True))
        publications.create_foreign_key(
            "fk_publications_slot_id_slots", "slots", ["slot_id"], ["id"], ondelete="SET NULL"
        )
    some = sa.text("slot_id IS NOT NULL")
    op.create_index(
        "ix_publications_slot", "publications", ["slot_id", "due_at"], sqlite_where=some, postgresql_where=some
    )
    op.create_index("ix_publications_user_due", "publications", ["user_id", "due_at"])


def downgrade() -> None:
    op.drop_index("ix_publications_user_due", "publications")
    op.drop_index("ix_publications_slot", "publications")
    with op.batch_alter_table("publications") as publications:
        publications.drop_column("slot_id")
    op.drop_table("slots")
    op.drop_column("account_sets", "paused_at")
    op.drop_column("users", "feed_version")
