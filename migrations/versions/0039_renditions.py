"""renditions: files made of clips, which of them a publication sends, and the facts by which they are planned"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FACTS = {
    "frame_rate": sa.Float(),
    "is_variable_rate": sa.Boolean(),
    "bit_depth": sa.Integer(),
    "pixel_format": sa.String(length=32),
    "transfer": sa.String(length=32),
    "primaries": sa.String(length=32),
    "sample_rate": sa.Integer(),
    "video_duration_ms": sa.Integer(),
    "audio_duration_ms": sa.Integer(),
    "moov_in_front": sa.Boolean(),
    "is_fragmented": sa.Boolean(),
    "keyframe_ms": sa.Integer(),
    "audio_tracks": sa.Integer(),
    "video_bit_rate": NUMBER,
}


def upgrade() -> None:
    for name, kind in FACTS.items():
        op.add_column("clips", sa.Column(name, kind, nullable=True))
    op.add_column("clips", sa.Column("facts_version", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "renditions",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("clip_id", NUMBER, nullable=False),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("recipe_key", sa.String(length=64), nullable=False),
        sa.Column("recipe", sa.JSON(), nullable=False),
        sa.Column("is_lossless", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("wanted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("storage_key", sa.String(length=64), nullable=True),
        sa.Column("size", NUMBER, nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["clip_id"], ["clips.id"], name="fk_renditions_clip_id_clips", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_renditions_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_renditions"),
        sa.UniqueConstraint("clip_id", "recipe_key", name="uq_renditions_clip_id_recipe_key"),
    )
    op.create_index("ix_renditions_user_id", "renditions", ["user_id"])
    awake = sa.text("wake_at IS NOT NULL")
    op.create_index("ix_renditions_wake", "renditions", ["wake_at"], sqlite_where=awake, postgresql_where=awake)
    with op.batch_alter_table("publications") as publications:
        publications.add_column(sa.Column("recipe", sa.JSON(), nullable=True))
        publications.add_column(sa.Column("rendition_id", NUMBER, nullable=True))
        publications.add_column(sa.Column("sent_sha256", sa.String(length=64), nullable=True))
        publications.create_foreign_key(
            "fk_publications_rendition_id_renditions", "renditions", ["rendition_id"], ["id"], ondelete="SET NULL"
        )
    some = sa.text("rendition_id IS NOT NULL")
    op.create_index(
        "ix_publications_rendition", "publications", ["rendition_id"], sqlite_where=some, postgresql_where=some
    )
    # What is under way has begun with the clip's own file, and goes on with it.
    op.execute(
        "UPDATE publications SET sent_sha256 = (SELECT sha256 FROM clips WHERE clips.id = publications.clip_id) "
        "WHERE status IN ('publishing', 'unconfirmed', 'awaiting_user')"
    )


def downgrade() -> None:
    op.drop_index("ix_publications_rendition", "publications")
    with op.batch_alter_table("publications") as publications:
        for name in ("sent_sha256", "rendition_id", "recipe"):
            publications.drop_column(name)
    op.drop_table("renditions")
    for name in ("facts_version", *reversed(FACTS)):
        op.drop_column("clips", name)
