"""the list of clips by title goes by an index of those that are not deleted, without the rows"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

NAME, COLUMNS = "ix_clips_user_title", ["user_id", "search_text", "id"]
HERE = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    op.drop_index(NAME, "clips")
    op.create_index(NAME, "clips", COLUMNS, sqlite_where=HERE, postgresql_where=HERE)


def downgrade() -> None:
    op.drop_index(NAME, "clips")
    op.create_index(NAME, "clips", COLUMNS)
