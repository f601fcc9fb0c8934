"""covers: the poster that a user has chosen, and pictures that workers make of a clip"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    op.add_column("clips", sa.Column("cover", sa.String(length=16), nullable=True))
    op.add_column("clips", sa.Column("cover_ms", sa.Integer(), nullable=True))
    op.add_column("clips", sa.Column("cover_wanted_at", moment, nullable=True))
    op.create_table(
        "clip_pictures",
        sa.Column("id", number, nullable=False),
        sa.Column("clip_id", number, nullable=False),
        sa.Column("user_id", number, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("at_ms", sa.Integer(), nullable=True),
        sa.Column("source_key", sa.String(length=64), nullable=True),
        sa.Column("storage_key", sa.String(length=64), nullable=True),
        sa.Column("frames", sa.JSON(), nullable=True),
        sa.Column("wake_at", moment, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("claimed_at", moment, nullable=True),
        sa.Column("wanted_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["clip_id"], ["clips.id"], name="fk_clip_pictures_clip_id_clips", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_clip_pictures_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_clip_pictures"),
        sa.UniqueConstraint("clip_id", "kind", name="uq_clip_pictures_clip_id_kind"),
    )
    op.create_index("ix_clip_pictures_user_id", "clip_pictures", ["user_id"])
    awake = sa.text("wake_at IS NOT NULL")
    op.create_index("ix_clip_pictures_wake", "clip_pictures", ["wake_at"], sqlite_where=awake, postgresql_where=awake)


def downgrade() -> None:
    op.drop_table("clip_pictures")
    op.drop_column("clips", "cover_wanted_at")
    op.drop_column("clips", "cover_ms")
    op.drop_column("clips", "cover")
