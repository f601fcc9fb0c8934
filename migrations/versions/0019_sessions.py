"""sessions are rows, and so are the browsers in which a user has signed in before

Sessions of before are not carried over: their cookies are a signed id and key, which cannot be ended one by one.
"""

import sqlalchemy as sa
from alembic import op

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
    op.create_table('known_browsers',
    sa.Column('id', number, nullable=False),
    sa.Column('user_id', number, nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_known_browsers_user_id', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name='pk_known_browsers'),
    sa.UniqueConstraint('user_id', 'token_hash', name='uq_known_browsers_user_id_token_hash')
    )
    for column in ('token_hash', 'seen_at'):
        op.create_index(f'ix_known_browsers_{column}', 'known_browsers', [column])
    op.create_table('user_sessions',
    sa.Column('id', number, nullable=False),
    sa.Column('user_id', number, nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('known_browser_id', number, nullable=True),
    sa.Column('user_agent', sa.String(length=300), nullable=False),
    sa.Column('address', sa.String(length=45), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_user_sessions_user_id', ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['known_browser_id'], ['known_browsers.id'], name='fk_user_sessions_known_browser_id', ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name='pk_user_sessions'),
    sa.UniqueConstraint('token_hash', name='uq_user_sessions_token_hash')
    )
    for column in ('user_id', 'known_browser_id', 'created_at', 'seen_at'):
        op.create_index(f'ix_user_sessions_{column}', 'user_sessions', [column])


def downgrade() -> None:
    op.drop_table('user_sessions')
    op.drop_table('known_browsers')
