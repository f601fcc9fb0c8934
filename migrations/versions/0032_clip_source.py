"""where a clip came from, and clips that are announced before they arrive"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    for table in ("clips", "uploads"):
        op.add_column(table, sa.Column("source", sa.String(length=16), server_default="upload", nullable=False))
        op.add_column(table, sa.Column("source_name", sa.String(length=64), nullable=True))
    op.create_table(
        "renders",
        sa.Column("id", number, nullable=False),
        sa.Column("user_id", number, nullable=False),
        sa.Column("external_id", sa.String(length=128), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("source_name", sa.String(length=64), nullable=True),
        sa.Column("upload_id", sa.String(length=43), nullable=True),
        sa.Column("clip_id", number, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_renders_user_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["clip_id"], ["clips.id"], name="fk_renders_clip_id_clips", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_renders"),
        sa.UniqueConstraint("user_id", "external_id", name="uq_renders_user_id_external_id"),
    )
    op.create_index("ix_renders_clip_id", "renders", ["clip_id"])
    op.create_index("ix_renders_upload_id", "renders", ["upload_id"])


def downgrade() -> None:
    op.drop_table("renders")
    for table in ("clips", "uploads"):
        op.drop_column(table, "source_name")
        op.drop_column(table, "source")
