"""which text of the consent to personal data being processed a user has agreed to"""

import sqlalchemy as sa
from alembic import op

revision = '0026'
down_revision = '0025'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('users', sa.Column('consent_version', sa.String(length=16), nullable=True))


def downgrade() -> None:
    op.drop_column('users', 'consent_version')
