"""questions: what a worker asks of a platform while a user has a page open"""

import sqlalchemy as sa
from alembic import op

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
    op.create_table('questions',
    sa.Column('id', number, nullable=False),
    sa.Column('user_id', number, nullable=False),
    sa.Column('connection_id', number, nullable=True),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('sealed_payload', sa.LargeBinary(), nullable=True),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('answer', sa.JSON(), nullable=True),
    sa.Column('reason', sa.String(length=64), nullable=True),
    sa.Column('params', sa.JSON(), nullable=False),
    sa.Column('wake_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['connection_id'], ['platform_connections.id'], name='fk_questions_connection_id', ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_questions_user_id', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name='pk_questions')
    )
    for column in ('user_id', 'connection_id', 'expires_at'):
        op.create_index(f'ix_questions_{column}', 'questions', [column])
    condition = sa.text('wake_at IS NOT NULL')
    op.create_index('ix_questions_wake', 'questions', ['wake_at'], sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    op.drop_table('questions')
