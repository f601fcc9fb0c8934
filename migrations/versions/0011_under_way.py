"""what is under way is found apart from what waits for its due time

The tick looks whether a wrong clock has put any of it off, without going through all that is scheduled.
"""

from alembic import op
from sqlalchemy import text

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

UNDER_WAY = text("wake_at IS NOT NULL AND (status <> 'scheduled' OR wake_at <> due_at)")


def upgrade() -> None:
    op.create_index(
        'ix_publications_under_way',
        'publications',
        ['status', 'wake_at'],
        sqlite_where=UNDER_WAY,
        postgresql_where=UNDER_WAY,
    )


def downgrade() -> None:
    op.drop_index('ix_publications_under_way', 'publications')
