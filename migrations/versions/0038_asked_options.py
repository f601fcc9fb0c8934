"""what a platform has said of an account's publication options"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("platform_connections", sa.Column("asked_options", sa.JSON(), nullable=True))
    op.add_column("platform_connections", sa.Column("options_asked_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("platform_connections", "options_asked_at")
    op.drop_column("platform_connections", "asked_options")
