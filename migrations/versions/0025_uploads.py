"""uploads and clips have the fingerprint of their file, and the wish to be published once they are ready"""

import sqlalchemy as sa
from alembic import op

revision = '0025'
down_revision = '0024'
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ('uploads', 'clips'):
        op.add_column(table, sa.Column('fingerprint', sa.String(length=64), nullable=True))
        op.add_column(table, sa.Column('publish_when_ready', sa.Boolean(), nullable=False,
                                       server_default=sa.false()))
    op.create_index('ix_clips_fingerprint', 'clips', ['user_id', 'fingerprint'],
                    sqlite_where=sa.text('fingerprint IS NOT NULL'), postgresql_where=sa.text('fingerprint IS NOT NULL'))


def downgrade() -> None:
    op.drop_index('ix_clips_fingerprint', table_name='clips')
    for table in ('clips', 'uploads'):
        for column in ('publish_when_ready', 'fingerprint'):
            op.drop_column(table, column)
