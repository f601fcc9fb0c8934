"""an account's publications are found by status and by when they are read again

An index of the connection alone led to all that the account had ever published.
"""

from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index('ix_publications_connection', 'publications')
    op.create_index('ix_publications_connection', 'publications', ['connection_id', 'status', 'stats_due_at'])


def downgrade() -> None:
    op.drop_index('ix_publications_connection', 'publications')
    op.create_index('ix_publications_connection', 'publications', ['connection_id'])
