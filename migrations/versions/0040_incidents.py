"""incidents: a platform that fails for one account after the other"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "incidents",
        sa.Column("id", number, nullable=False),
        sa.Column("platform", sa.String(length=16), nullable=False),
        sa.Column("failures", sa.JSON(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("began_at", moment, nullable=False),
        sa.Column("opened_at", moment, nullable=True),
        sa.Column("closed_at", moment, nullable=True),
        sa.Column("trial_publication_id", number, nullable=True),
        sa.Column("trial_until", moment, nullable=True),
        sa.Column("next_trial_at", moment, nullable=True),
        sa.Column("failed_trials", sa.Integer(), nullable=False),
        sa.Column("tried", sa.JSON(), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
    )
    current = sa.text("closed_at IS NULL")
    op.create_index(
        "uq_incidents_current", "incidents", ["platform"], unique=True, sqlite_where=current, postgresql_where=current
    )


def downgrade() -> None:
    op.drop_table("incidents")
