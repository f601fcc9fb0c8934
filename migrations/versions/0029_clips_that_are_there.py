"""the lists of clips find those that are not deleted without the rows"""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_clips_user_newest": ["user_id", "id", "search_text"],
    "ix_clips_user_title": ["user_id", "search_text", "id"],
}


def upgrade() -> None:
    for name, columns in INDEXES.items():
        op.drop_index(name, "clips")
        op.create_index(name, "clips", [*columns, "deleted_at"])


def downgrade() -> None:
    for name, columns in INDEXES.items():
        op.drop_index(name, "clips")
        op.create_index(name, "clips", columns)
