"""passkeys and their challenges; wrong codes are counted for users without a code application too"""

import sqlalchemy as sa
from alembic import op

revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
    op.create_table('passkeys',
    sa.Column('id', number, nullable=False),
    sa.Column('user_id', number, nullable=False),
    sa.Column('name', sa.String(length=60), nullable=False),
    sa.Column('credential_id', sa.LargeBinary(), nullable=False),
    sa.Column('public_key', sa.LargeBinary(), nullable=False),
    sa.Column('user_handle', sa.LargeBinary(), nullable=False),
    sa.Column('sign_count', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_passkeys_user_id', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name='pk_passkeys'),
    sa.UniqueConstraint('credential_id', name='uq_passkeys_credential_id')
    )
    op.create_index('ix_passkeys_user_id', 'passkeys', ['user_id'])
    op.create_table('passkey_challenges',
    sa.Column('id', number, nullable=False),
    sa.Column('challenge', sa.LargeBinary(), nullable=False),
    sa.Column('purpose', sa.String(length=16), nullable=False),
    sa.Column('browser_hash', sa.String(length=64), nullable=False),
    sa.Column('user_id', number, nullable=True),
    sa.Column('user_handle', sa.LargeBinary(), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_passkey_challenges_user_id', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name='pk_passkey_challenges'),
    sa.UniqueConstraint('challenge', name='uq_passkey_challenges_challenge')
    )
    for column in ('user_id', 'expires_at'):
        op.create_index(f'ix_passkey_challenges_{column}', 'passkey_challenges', [column])
    op.create_table('second_factor_failures',
    sa.Column('user_id', number, autoincrement=False, nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('end_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_second_factor_failures_user_id', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('user_id', name='pk_second_factor_failures')
    )
    op.execute('INSERT INTO second_factor_failures (user_id, count, end_at)'
               ' SELECT user_id, failures, failures_end_at FROM totp_secrets')
    for column in ('failures', 'failures_end_at'):
        op.drop_column('totp_secrets', column)


def downgrade() -> None:
    op.add_column('totp_secrets', sa.Column('failures', sa.Integer(), nullable=False, server_default='0'))
    op.add_column('totp_secrets', sa.Column('failures_end_at', sa.DateTime(timezone=True), nullable=False,
                                            server_default='2000-01-01 00:00:00'))
    for table in ('second_factor_failures', 'passkey_challenges', 'passkeys'):
        op.drop_table(table)
