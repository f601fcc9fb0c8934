"""heartbeats, and since when a user has their plan"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'heartbeats',
        sa.Column('name', sa.String(length=128), nullable=False),
        sa.Column('kind', sa.String(length=16), nullable=False),
        sa.Column('opens_tokens', sa.Boolean(), nullable=False),
        sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_heartbeats')),
    )
    op.create_index(op.f('ix_heartbeats_seen_at'), 'heartbeats', ['seen_at'])
    op.create_index(op.f('ix_publication_events_at'), 'publication_events', ['at'])
    op.add_column('users', sa.Column('plan_since', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column('users', 'plan_since')
    op.drop_index(op.f('ix_publication_events_at'), table_name='publication_events')
    op.drop_table('heartbeats')
