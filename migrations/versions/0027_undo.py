"""what can be taken back for some seconds: deleted clips and connections, and the undos themselves"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

ACCOUNT = ["user_id", "platform", "account_id"]
HERE = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("clips", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("platform_connections") as connections:
        connections.add_column(sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
        connections.drop_constraint("uq_platform_connections_user_id_platform_account_id", type_="unique")
    op.create_index(
        "uq_platform_connections_account",
        "platform_connections",
        ACCOUNT,
        unique=True,
        sqlite_where=HERE,
        postgresql_where=HERE,
    )
    op.create_table(
        "undos",
        sa.Column("id", number, nullable=False),
        sa.Column("user_id", number, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("clip_ids", sa.JSON(), nullable=False),
        sa.Column("connection_id", number, nullable=True),
        sa.Column("publications", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_undos_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_undos"),
    )
    op.create_index("ix_undos_user_id", "undos", ["user_id"])
    for name, states in (("unfinished", "'held', 'finishing'"), ("over", "'restored', 'finished'")):
        some = sa.text(f"state IN ({states})")
        op.create_index(f"ix_undos_{name}", "undos", ["expires_at"], sqlite_where=some, postgresql_where=some)


def downgrade() -> None:
    op.drop_table("undos")
    # What could still be taken back is there again, but for an account that is connected anew.
    same = " AND ".join(f"new.{column} = old.{column}" for column in ACCOUNT)
    twins = (
        f"SELECT old.id FROM platform_connections old JOIN platform_connections new ON {same}"
        " WHERE old.deleted_at IS NOT NULL AND new.id > old.id"
    )
    op.execute(f"UPDATE publications SET connection_id = NULL WHERE connection_id IN ({twins})")
    for table in ("questions", "notifications"):
        op.execute(f"DELETE FROM {table} WHERE connection_id IN ({twins})")
    op.execute(f"DELETE FROM platform_connections WHERE id IN ({twins})")
    op.drop_index("uq_platform_connections_account", "platform_connections")
    with op.batch_alter_table("platform_connections") as connections:
        connections.create_unique_constraint("uq_platform_connections_user_id_platform_account_id", ACCOUNT)
        connections.drop_column("deleted_at")
    op.drop_column("clips", "deleted_at")
