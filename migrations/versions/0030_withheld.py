"""planned publications that a disconnection or a smaller plan has cancelled, until they are brought back"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

SOME = sa.text("withheld_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("publications", sa.Column("withheld_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_publications_withheld", "publications", ["user_id", "withheld_at"], sqlite_where=SOME, postgresql_where=SOME
    )


def downgrade() -> None:
    op.drop_index("ix_publications_withheld", "publications")
    op.drop_column("publications", "withheld_at")
