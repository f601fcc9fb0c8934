"""connecting is asked of a platform by a worker

Consents under way have to be begun again: their verifiers were encrypted for the web, which no longer opens any.
"""

import sqlalchemy as sa
from alembic import op

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('questions') as questions:
        questions.add_column(sa.Column('platform', sa.String(length=16), nullable=True))
        questions.add_column(sa.Column('typed', sa.JSON(), server_default='{}', nullable=False))
        questions.add_column(sa.Column('address', sa.String(length=45), nullable=True))
    with op.batch_alter_table('oauth_states') as states:
        states.alter_column('encrypted', new_column_name='sealed', existing_type=sa.LargeBinary(), existing_nullable=False)


def downgrade() -> None:
    with op.batch_alter_table('oauth_states') as states:
        states.alter_column('sealed', new_column_name='encrypted', existing_type=sa.LargeBinary(), existing_nullable=False)
    op.execute("DELETE FROM questions WHERE kind IN ('connect', 'consent')")
    with op.batch_alter_table('questions') as questions:
        for column in ('address', 'typed', 'platform'):
            questions.drop_column(column)
