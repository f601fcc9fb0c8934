"""the names of tables and columns that the code uses

A point of no return is a commit in doubt, its response a receipt; what a user gets is a notification, what is written
down of an account an audit event. Rows are kept as they are.
"""

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None

COLUMNS = {
    'armed': 'commit_in_doubt',
    'armed_until': 'in_doubt_until',
    'committed': 'has_receipt',
    'not_there': 'not_found_count',
}
EVENTS = {
    'armed': 'commit_started',
    'evidence': 'receipt_found',
    'hastened': 'published_now',
    'not_there': 'not_found',
}
NOTIFICATION = ('id', 'user_id', 'kind', 'dedup_key', 'facts', 'publication_id', 'connection_id', 'created_at', 'read_at',
                'wake_at', 'tries', 'mailed_at')
AUDIT_EVENT = ('id', 'user_id', 'at', 'kind', 'detail', 'address')


def upgrade() -> None:
    _rename(COLUMNS, EVENTS)
    _rename_in_choices('formerly', 'previous_id')
    _notifications('notifications', 'dedup_key')
    _copy('notices', 'notifications', NOTIFICATION, {'dedup_key': 'matter'})
    _audit_events('audit_events')
    _copy('security_events', 'audit_events', AUDIT_EVENT, {})


def downgrade() -> None:
    _audit_events('security_events')
    _copy('audit_events', 'security_events', AUDIT_EVENT, {})
    _notifications('notices', 'matter')
    columns = tuple('matter' if name == 'dedup_key' else name for name in NOTIFICATION)
    _copy('notifications', 'notices', columns, {'matter': 'dedup_key'})
    _rename({new: old for old, new in COLUMNS.items()}, {new: old for old, new in EVENTS.items()})
    _rename_in_choices('previous_id', 'formerly')


def _rename(columns: dict[str, str], kinds: dict[str, str]) -> None:
    for old, new in columns.items():
        # Both databases know it. Alembic would copy SQLite's largest table for it.
        op.execute(f'ALTER TABLE publications RENAME COLUMN {old} TO {new}')
    events = sa.table('publication_events', sa.column('kind', sa.String))
    op.execute(
        events.update().where(events.c.kind.in_(kinds)).values(kind=sa.case(kinds, value=events.c.kind))
    )


def _rename_in_choices(old: str, new: str) -> None:
    """A field of the accounts that a connection waits for a choice of."""
    connections = sa.table('platform_connections', sa.column('id', sa.BigInteger), sa.column('choices', sa.JSON))
    bind = op.get_bind()
    for row in bind.execute(sa.select(connections)).all():
        if isinstance(row.choices, list):
            choices = [{new if name == old else name: value for name, value in one.items()} for one in row.choices]
            bind.execute(connections.update().where(connections.c.id == row.id).values(choices=choices))


def _copy(old: str, new: str, columns: tuple[str, ...], renamed: dict[str, str]) -> None:
    """All rows of `old`, which goes; the next row of `new` gets the number after the last one."""
    sources = ', '.join(renamed.get(name, name) for name in columns)
    op.execute(f'INSERT INTO {new} ({", ".join(columns)}) SELECT {sources} FROM {old}')
    op.drop_table(old)
    if op.get_bind().dialect.name == 'postgresql':
        op.execute(f"SELECT setval(pg_get_serial_sequence('{new}', 'id'), coalesce(max(id), 0) + 1, false) FROM {new}")


def _notifications(table: str, key: str) -> None:
    op.create_table(table,
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column(key, sa.String(length=100), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('publication_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('connection_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('read_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('wake_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('mailed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['connection_id'], ['platform_connections.id'], name=f'fk_{table}_connection_id', ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['publication_id'], ['publications.id'], name=f'fk_{table}_publication_id', ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=f'fk_{table}_user_id', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=f'pk_{table}'),
    sa.UniqueConstraint('user_id', key, name=f'uq_{table}_user_id_{key}')
    )
    op.create_index(f'ix_{table}_user_newest', table, ['user_id', 'id'])
    for name, column, where in (('wake', 'wake_at', 'wake_at IS NOT NULL'), ('unread', 'user_id', 'read_at IS NULL')):
        condition = sa.text(where)
        op.create_index(f'ix_{table}_{name}', table, [column], sqlite_where=condition, postgresql_where=condition)


def _audit_events(table: str) -> None:
    op.create_table(table,
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('detail', sa.String(length=300), nullable=False),
    sa.Column('address', sa.String(length=45), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=f'fk_{table}_user_id', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=f'pk_{table}')
    )
    op.create_index(f'ix_{table}_at', table, ['at'])
    op.create_index(f'ix_{table}_user_newest', table, ['user_id', 'id'])
