"""what users choose of a platform's publication options

They are by the names that its adapter declares; older publications have none.
"""

import sqlalchemy as sa
from alembic import op

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('publications', sa.Column('options', sa.JSON(), server_default='{}', nullable=False))


def downgrade() -> None:
    op.drop_column('publications', 'options')
