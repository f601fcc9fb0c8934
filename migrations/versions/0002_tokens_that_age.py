"""when a connection's token is to be refreshed"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

HAS_TIME = sa.text('token_refresh_at IS NOT NULL')


def upgrade() -> None:
    with op.batch_alter_table('platform_connections', schema=None) as batch_op:
        batch_op.add_column(sa.Column('token_refresh_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index('ix_platform_connections_refresh', ['token_refresh_at'], unique=False, sqlite_where=HAS_TIME, postgresql_where=HAS_TIME)

    # How long a stored token was made for is not known any more: its first refresh comes at its end.
    op.execute('UPDATE platform_connections SET token_refresh_at = token_expires_at')


def downgrade() -> None:
    with op.batch_alter_table('platform_connections', schema=None) as batch_op:
        batch_op.drop_index('ix_platform_connections_refresh', sqlite_where=HAS_TIME, postgresql_where=HAS_TIME)
        batch_op.drop_column('token_refresh_at')
