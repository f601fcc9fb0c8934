"""what happened, for consumers that read it in order

Notifications are the first. Their cursor begins before the first event, so that an upgrade loses and repeats none.
"""

import sqlalchemy as sa
from alembic import op

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('events',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('publication_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('clip_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('connection_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('data', sa.JSON(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_events_user_id', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name='pk_events'),
    sqlite_autoincrement=True
    )
    op.create_index('ix_events_user_id', 'events', ['user_id'])
    op.create_table('event_cursors',
    sa.Column('consumer', sa.String(length=32), nullable=False),
    sa.Column('last_event_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.PrimaryKeyConstraint('consumer', name='pk_event_cursors')
    )


def downgrade() -> None:
    op.drop_table('event_cursors')
    op.drop_table('events')
