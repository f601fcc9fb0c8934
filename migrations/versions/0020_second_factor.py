"""second factor: the secrets of code applications, and recovery codes"""

import sqlalchemy as sa
from alembic import op

revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
    op.create_table('totp_secrets',
    sa.Column('user_id', number, autoincrement=False, nullable=False),
    sa.Column('encrypted', sa.LargeBinary(), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_step', sa.BigInteger(), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('failures_end_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_totp_secrets_user_id', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('user_id', name='pk_totp_secrets')
    )
    op.create_table('recovery_codes',
    sa.Column('id', number, nullable=False),
    sa.Column('user_id', number, nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_recovery_codes_user_id', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name='pk_recovery_codes')
    )
    op.create_index('ix_recovery_codes_user_id', 'recovery_codes', ['user_id'])


def downgrade() -> None:
    op.drop_table('recovery_codes')
    op.drop_table('totp_secrets')
