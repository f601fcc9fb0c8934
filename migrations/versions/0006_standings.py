"""what the statistics keep ready, and the lists' indexes

What is published is noted as not counted yet; a tick, a worker or the first page that wants it counts it.
"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
PERIODS = (7, 30, 90)

# Whoever publishes, writes a sample or takes a publication's clip away: the database notes what must be counted (again).
SQLITE = (
    """CREATE TRIGGER tg_stats_samples_uncounted AFTER INSERT ON stats_samples BEGIN
    INSERT INTO uncounted SELECT id, user_id FROM publications
    WHERE id = NEW.publication_id AND status = 'published' ON CONFLICT DO NOTHING;
    END""",
    """CREATE TRIGGER tg_publications_uncounted AFTER INSERT ON publications WHEN NEW.status = 'published' BEGIN
    INSERT INTO uncounted VALUES (NEW.id, NEW.user_id) ON CONFLICT DO NOTHING;
    END""",
    """CREATE TRIGGER tg_publications_uncounted_again AFTER UPDATE OF status, clip_id ON publications
    WHEN NEW.status = 'published' BEGIN
    INSERT INTO uncounted VALUES (NEW.id, NEW.user_id) ON CONFLICT DO NOTHING;
    END""",
)
# DO UPDATE: a row that is there already is locked, so that nobody counts before what is told of is there.
NOTE = 'ON CONFLICT (publication_id) DO UPDATE SET user_id = excluded.user_id'
POSTGRESQL = (
    f"""CREATE FUNCTION note_sampled() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO uncounted SELECT id, user_id FROM publications
    WHERE id IN (SELECT publication_id FROM fresh) AND status = 'published' ORDER BY id {NOTE};
    RETURN NULL; END $$""",
    f"""CREATE FUNCTION note_published() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO uncounted SELECT id, user_id FROM fresh WHERE status = 'published' ORDER BY id {NOTE};
    RETURN NULL; END $$""",
    f"""CREATE FUNCTION note_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO uncounted VALUES (NEW.id, NEW.user_id) {NOTE};
    RETURN NULL; END $$""",
    """CREATE TRIGGER tg_stats_samples_uncounted AFTER INSERT ON stats_samples REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION note_sampled()""",
    """CREATE TRIGGER tg_publications_uncounted AFTER INSERT ON publications REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION note_published()""",
    """CREATE TRIGGER tg_publications_uncounted_again AFTER UPDATE OF status, clip_id ON publications
    FOR EACH ROW WHEN (NEW.status = 'published') EXECUTE FUNCTION note_changed()""",
)
TRIGGERS = (
    ('tg_stats_samples_uncounted', 'stats_samples', 'note_sampled'),
    ('tg_publications_uncounted', 'publications', 'note_published'),
    ('tg_publications_uncounted_again', 'publications', 'note_changed'),
)


def upgrade() -> None:
    create_standings()
    _partial('ix_publications_clipless', 'publications', ['user_id', 'title'], 'clip_id IS NULL')
    op.drop_index('ix_publications_user_status', 'publications')
    op.create_index('ix_publications_user_status', 'publications', ['user_id', 'status', 'id'])
    op.create_index('ix_publications_user_platform', 'publications', ['user_id', 'platform', 'id'])
    op.create_index('ix_publications_user_platform_status', 'publications', ['user_id', 'platform', 'status', 'id'])
    op.drop_index('ix_publications_clip', 'publications')
    op.create_index('ix_publications_clip', 'publications', ['clip_id', 'platform', 'account_id', 'id'])
    _partial('ix_notices_unread', 'notices', ['user_id'], 'read_at IS NULL')


def downgrade() -> None:
    op.drop_index('ix_notices_unread', 'notices')
    op.drop_index('ix_publications_clip', 'publications')
    op.create_index('ix_publications_clip', 'publications', ['clip_id'])
    op.drop_index('ix_publications_user_platform_status', 'publications')
    op.drop_index('ix_publications_user_platform', 'publications')
    op.drop_index('ix_publications_user_status', 'publications')
    op.create_index('ix_publications_user_status', 'publications', ['user_id', 'status'])
    op.drop_index('ix_publications_clipless', 'publications')
    drop_standings()


def create_standings() -> None:
    """Also for the downgrade of 0015."""
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
    op.create_table(
        'uncounted',
        sa.Column('publication_id', ID, autoincrement=False, nullable=False),
        sa.Column('user_id', ID, nullable=False),
        sa.ForeignKeyConstraint(
            ['publication_id'], ['publications.id'], name=op.f('fk_uncounted_publication_id'), ondelete='CASCADE'
        ),
        sa.PrimaryKeyConstraint('publication_id', name=op.f('pk_uncounted')),
    )
    op.execute("INSERT INTO uncounted SELECT id, user_id FROM publications WHERE status = 'published'")
    op.create_index('ix_uncounted_user', 'uncounted', ['user_id', 'publication_id'])
    for statement in SQLITE if _sqlite() else POSTGRESQL:
        op.execute(statement)


def drop_standings() -> None:
    """Also for the upgrade of 0015."""
    for trigger, table, function in TRIGGERS:
        op.execute(f'DROP TRIGGER {trigger}' + ('' if _sqlite() else f' ON {table}'))
        if not _sqlite():
            op.execute(f'DROP FUNCTION {function}')
    for table in ('uncounted', 'standing_days', 'standing_platforms', 'standings', 'tallies'):
        op.drop_table(table)


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _sqlite() -> bool:
    return op.get_bind().dialect.name == 'sqlite'
