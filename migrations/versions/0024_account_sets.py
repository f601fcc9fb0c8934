"""sets of accounts; which accounts the last choice in the publish window left out"""

import sqlalchemy as sa
from alembic import op

revision = '0024'
down_revision = '0023'
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
    op.create_table('account_sets',
    sa.Column('id', number, nullable=False),
    sa.Column('user_id', number, nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_account_sets_user_id', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name='pk_account_sets'),
    sa.UniqueConstraint('user_id', 'name', name='uq_account_sets_user_id_name')
    )
    op.create_table('account_set_members',
    sa.Column('account_set_id', number, nullable=False),
    sa.Column('connection_id', number, nullable=False),
    sa.ForeignKeyConstraint(['account_set_id'], ['account_sets.id'], name='fk_account_set_members_account_set_id',
                            ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['connection_id'], ['platform_connections.id'],
                            name='fk_account_set_members_connection_id', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('account_set_id', 'connection_id', name='pk_account_set_members')
    )
    op.create_index('ix_account_set_members_connection_id', 'account_set_members', ['connection_id'])
    op.add_column('platform_connections',
                  sa.Column('left_out', sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column('platform_connections', 'left_out')
    for table in ('account_set_members', 'account_sets'):
        op.drop_table(table)
