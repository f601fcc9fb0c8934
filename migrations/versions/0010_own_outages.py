"""how long a publication has been waiting for something of ours, and what a platform has fetched of its clip

Plain ALTER TABLE: no copy of the table, which SQLite's batch mode would make.
"""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('publications', sa.Column('outage_since', sa.DateTime(timezone=True), nullable=True))
    op.add_column('publications', sa.Column('fetched', sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column('publications', 'fetched')
    op.drop_column('publications', 'outage_since')
