"""consents under way, files to be erased, and letters for a new password that have not been sent"""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    op.create_table('oauth_states',
    sa.Column('state_hash', sa.String(length=64), nullable=False),
    sa.Column('user_id', ID, nullable=False),
    sa.Column('platform', sa.String(length=16), nullable=False),
    sa.Column('browser_hash', sa.String(length=64), nullable=False),
    sa.Column('encrypted', sa.LargeBinary(), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_oauth_states_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('state_hash', name=op.f('pk_oauth_states'))
    )
    op.create_index(op.f('ix_oauth_states_user_id'), 'oauth_states', ['user_id'])
    op.create_index(op.f('ix_oauth_states_expires_at'), 'oauth_states', ['expires_at'])

    op.create_table('erasures',
    sa.Column('id', ID, nullable=False),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('wake_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_erasures'))
    )
    op.create_index(op.f('ix_erasures_key'), 'erasures', ['key'])
    op.create_index(op.f('ix_erasures_wake_at'), 'erasures', ['wake_at'])

    op.create_table('recoveries',
    sa.Column('id', ID, nullable=False),
    sa.Column('user_id', ID, nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('wake_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_recoveries_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recoveries'))
    )
    for column in ('user_id', 'wake_at', 'expires_at'):
        op.create_index(op.f(f'ix_recoveries_{column}'), 'recoveries', [column])


def downgrade() -> None:
    op.drop_table('recoveries')
    op.drop_table('erasures')
    op.drop_table('oauth_states')
