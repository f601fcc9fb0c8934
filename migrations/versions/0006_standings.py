"""what the statistics keep ready, and the lists' indexes

Nothing is filled here: a publication without `tallied_at` is counted when somebody looks, by the first page or worker.
"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
PERIODS = (7, 30, 90)

# Whoever writes a sample or takes a publication's clip away, the database notes that it must be counted again.
SQLITE = (
    """CREATE TRIGGER tg_stats_samples_tally AFTER INSERT ON stats_samples BEGIN
    UPDATE publications SET tallied_at = NULL WHERE id = NEW.publication_id AND tallied_at IS NOT NULL;
    END""",
    """CREATE TRIGGER tg_publications_tally AFTER UPDATE OF clip_id ON publications BEGIN
    UPDATE publications SET tallied_at = NULL WHERE id = NEW.id AND tallied_at IS NOT NULL;
    END""",
)
POSTGRESQL = (
    """CREATE FUNCTION untally_sampled() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE publications SET tallied_at = NULL WHERE tallied_at IS NOT NULL
    AND id IN (SELECT publication_id FROM fresh);
    RETURN NULL; END $$""",
    """CREATE TRIGGER tg_stats_samples_tally AFTER INSERT ON stats_samples REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION untally_sampled()""",
    """CREATE FUNCTION untally() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    NEW.tallied_at := NULL; RETURN NEW; END $$""",
    """CREATE TRIGGER tg_publications_tally BEFORE UPDATE OF clip_id ON publications
    FOR EACH ROW EXECUTE FUNCTION untally()""",
)


def upgrade() -> None:
    op.create_table(
        'tallies',
        sa.Column('user_id', ID, nullable=False),
        sa.Column('zone', sa.String(length=64), nullable=False),
        sa.Column('total_id', ID, nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_tallies_user_id'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('user_id', name=op.f('pk_tallies')),
    )
    op.create_table(
        'standings',
        sa.Column('id', ID, nullable=False),
        sa.Column('user_id', ID, nullable=False),
        sa.Column('clip_id', ID, nullable=True),
        sa.Column('title', sa.String(length=200), nullable=True),
        sa.Column('newest', ID, nullable=False),
        sa.Column('views', ID, nullable=False),
        *(sa.Column(f'views_{days}', ID, nullable=False) for days in PERIODS),
        sa.Column('rolls_on', sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_standings_user_id'), ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['clip_id'], ['clips.id'], name=op.f('fk_standings_clip_id'), ondelete='SET NULL'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_standings')),
        sa.UniqueConstraint('clip_id', name=op.f('uq_standings_clip_id')),
        sa.UniqueConstraint('user_id', 'title', name=op.f('uq_standings_user_id_title')),
    )
    for days in PERIODS:
        op.create_index(f'ix_standings_{days}', 'standings', ['user_id', f'views_{days}', 'views', 'newest', 'id'])
    _partial('ix_standings_rolls', 'standings', ['user_id', 'rolls_on'], 'rolls_on IS NOT NULL')
    _partial('ix_standings_nobodys', 'standings', ['user_id', 'clip_id', 'title'], 'clip_id IS NULL AND title IS NULL')
    op.create_table(
        'standing_platforms',
        sa.Column('standing_id', ID, nullable=False),
        sa.Column('platform', sa.String(length=16), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ('publications', 'with_views', 'with_likes')),
        sa.Column('with_shares', sa.Integer(), nullable=False),
        sa.Column('newest', ID, nullable=False),
        sa.Column('views', ID, nullable=False),
        sa.ForeignKeyConstraint(
            ['standing_id'], ['standings.id'], name=op.f('fk_standing_platforms_standing_id'), ondelete='CASCADE'
        ),
        sa.PrimaryKeyConstraint('standing_id', 'platform', name=op.f('pk_standing_platforms')),
    )
    op.create_table(
        'standing_days',
        sa.Column('standing_id', ID, nullable=False),
        sa.Column('day', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('platform', sa.String(length=16), nullable=False),
        *(sa.Column(name, ID, nullable=False) for name in ('views', 'likes', 'shares')),
        sa.ForeignKeyConstraint(
            ['standing_id'], ['standings.id'], name=op.f('fk_standing_days_standing_id'), ondelete='CASCADE'
        ),
        sa.PrimaryKeyConstraint('standing_id', 'day', 'platform', name=op.f('pk_standing_days')),
    )
    op.add_column('publications', sa.Column('tallied_at', sa.DateTime(timezone=True), nullable=True))
    uncounted = "status = 'published' AND tallied_at IS NULL"
    _partial('ix_publications_uncounted', 'publications', ['user_id', 'status'], uncounted)
    _partial('ix_publications_clipless', 'publications', ['user_id', 'title'], 'clip_id IS NULL')
    op.drop_index('ix_publications_user_status', 'publications')
    op.create_index('ix_publications_user_status', 'publications', ['user_id', 'status', 'id'])
    op.create_index('ix_publications_user_platform', 'publications', ['user_id', 'platform', 'id'])
    op.create_index('ix_publications_user_platform_status', 'publications', ['user_id', 'platform', 'status', 'id'])
    op.drop_index('ix_publications_clip', 'publications')
    op.create_index('ix_publications_clip', 'publications', ['clip_id', 'platform', 'account_id', 'id'])
    _partial('ix_notices_unread', 'notices', ['user_id'], 'read_at IS NULL')
    for statement in SQLITE if _sqlite() else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    op.execute('DROP TRIGGER tg_stats_samples_tally' + ('' if _sqlite() else ' ON stats_samples'))
    op.execute('DROP TRIGGER tg_publications_tally' + ('' if _sqlite() else ' ON publications'))
    if not _sqlite():
        op.execute('DROP FUNCTION untally_sampled')
        op.execute('DROP FUNCTION untally')
    op.drop_index('ix_notices_unread', 'notices')
    op.drop_index('ix_publications_clip', 'publications')
    op.create_index('ix_publications_clip', 'publications', ['clip_id'])
    op.drop_index('ix_publications_user_platform_status', 'publications')
    op.drop_index('ix_publications_user_platform', 'publications')
    op.drop_index('ix_publications_user_status', 'publications')
    op.create_index('ix_publications_user_status', 'publications', ['user_id', 'status'])
    op.drop_index('ix_publications_clipless', 'publications')
    op.drop_index('ix_publications_uncounted', 'publications')
    op.drop_column('publications', 'tallied_at')
    for table in ('standing_days', 'standing_platforms', 'standings', 'tallies'):
        op.drop_table(table)


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _sqlite() -> bool:
    return op.get_bind().dialect.name == 'sqlite'
