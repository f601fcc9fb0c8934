"""rules of automatic publication, what they have done, and what an announced clip says of its own"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    op.add_column("users", sa.Column("rules_paused_at", moment, nullable=True))
    op.create_table(
        "rules",
        sa.Column("id", number, nullable=False),
        sa.Column("user_id", number, nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("enabled_at", moment, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=True),
        sa.Column("source_name", sa.String(length=64), nullable=True),
        sa.Column("name_pattern", sa.String(length=100), nullable=True),
        sa.Column("account_set_id", number, nullable=True),
        sa.Column("title_template", sa.String(length=200), nullable=False),
        sa.Column("text_template", sa.Text(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("when_kind", sa.String(length=8), nullable=False),
        sa.Column("after_minutes", sa.Integer(), nullable=True),
        sa.Column("needs_approval", sa.Boolean(), nullable=False),
        sa.Column("daily_limit", sa.Integer(), nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_rules_user_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["account_set_id"], ["account_sets.id"], name="fk_rules_account_set_id_account_sets", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_rules"),
    )
    op.create_index("ix_rules_user_id", "rules", ["user_id"])
    op.create_index("ix_rules_account_set_id", "rules", ["account_set_id"])
    op.create_table(
        "rule_members",
        sa.Column("rule_id", number, nullable=False),
        sa.Column("connection_id", number, nullable=False),
        sa.ForeignKeyConstraint(["rule_id"], ["rules.id"], name="fk_rule_members_rule_id_rules", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["platform_connections.id"],
            name="fk_rule_members_connection_id_platform_connections",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("rule_id", "connection_id", name="pk_rule_members"),
    )
    op.create_index("ix_rule_members_connection_id", "rule_members", ["connection_id"])
    op.create_table(
        "rule_runs",
        sa.Column("id", number, nullable=False),
        sa.Column("user_id", number, nullable=False),
        sa.Column("rule_id", number, nullable=True),
        sa.Column("rule_name", sa.String(length=60), nullable=False),
        sa.Column("clip_id", number, nullable=True),
        sa.Column("clip_title", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("publication_ids", sa.JSON(), nullable=False),
        sa.Column("due_at", moment, nullable=True),
        sa.Column("ready_at", moment, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("settled_at", moment, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_rule_runs_user_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["rule_id"], ["rules.id"], name="fk_rule_runs_rule_id_rules", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["clip_id"], ["clips.id"], name="fk_rule_runs_clip_id_clips", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_rule_runs"),
        sa.UniqueConstraint("rule_id", "clip_id", name="uq_rule_runs_rule_id_clip_id"),
    )
    held = sa.text("state = 'held'")
    op.create_index("ix_rule_runs_clip_id", "rule_runs", ["clip_id"])
    op.create_index("ix_rule_runs_user_newest", "rule_runs", ["user_id", "id"])
    op.create_index("ix_rule_runs_held", "rule_runs", ["user_id"], sqlite_where=held, postgresql_where=held)
    op.create_index("ix_rule_runs_rule_due", "rule_runs", ["rule_id", "due_at"])
    op.create_table(
        "rule_checks",
        sa.Column("id", number, nullable=False),
        sa.Column("user_id", number, nullable=False),
        sa.Column("clip_id", number, nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("ready_at", moment, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("wake_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_rule_checks_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_rule_checks"),
        sa.UniqueConstraint("clip_id", name="uq_rule_checks_clip_id"),
    )
    op.create_index("ix_rule_checks_user_id", "rule_checks", ["user_id"])
    op.create_index("ix_rule_checks_wake_at", "rule_checks", ["wake_at"])
    with op.batch_alter_table("renders") as renders:
        renders.add_column(sa.Column("rule_id", number, nullable=True))
        renders.add_column(sa.Column("names_rule", sa.Boolean(), server_default=sa.false(), nullable=False))
        renders.add_column(sa.Column("when", sa.JSON(), nullable=True))
        renders.add_column(sa.Column("arrived_at", moment, nullable=True))
        renders.add_column(sa.Column("cancelled_at", moment, nullable=True))
        renders.add_column(sa.Column("settled_at", moment, nullable=True))
        renders.create_foreign_key("fk_renders_rule_id_rules", "rules", ["rule_id"], ["id"], ondelete="SET NULL")
        renders.create_index("ix_renders_rule_id", ["rule_id"])


def downgrade() -> None:
    with op.batch_alter_table("renders") as renders:
        renders.drop_index("ix_renders_rule_id")
        renders.drop_constraint("fk_renders_rule_id_rules", type_="foreignkey")
        for name in ("settled_at", "cancelled_at", "arrived_at", "when", "names_rule", "rule_id"):
            renders.drop_column(name)
    for table in ("rule_checks", "rule_runs", "rule_members", "rules"):
        op.drop_table(table)
    op.drop_column("users", "rules_paused_at")
