"""how often a platform has asked a publication to wait

Each such wait is longer than the one before.
"""

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('publications', sa.Column('limits', sa.Integer(), server_default='0', nullable=False))


def downgrade() -> None:
    op.drop_column('publications', 'limits')
