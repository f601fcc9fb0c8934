"""the e-mail of a sign-up is confirmed

Users of before count as confirmed: they have been mailed to all along.
"""

import sqlalchemy as sa
from alembic import op

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('users', sa.Column('email_confirmed_at', sa.DateTime(timezone=True), nullable=True))
    op.execute('UPDATE users SET email_confirmed_at = created_at')
    op.add_column('recoveries', sa.Column('is_confirmation', sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column('recoveries', 'is_confirmation')
    op.drop_column('users', 'email_confirmed_at')
