"""one table of daily increments instead of the standings

The increments of what was read before are counted from the samples, with the days of each user's zone of today.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date
from types import ModuleType
from zoneinfo import ZoneInfo, available_timezones

import sqlalchemy as sa
from alembic import context, op

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
COUNTS = ('views', 'likes', 'shares')
SUBJECTS = ('clip_id', 'title', 'platform')
DEFAULT_ZONE = 'Europe/Moscow'

SAMPLES = sa.text("""
SELECT p.id, p.clip_id, p.title, p.platform, s.at, s.views, s.likes, s.shares
FROM publications p JOIN stats_samples s ON s.publication_id = p.id
WHERE p.user_id = :user_id AND p.status = 'published' ORDER BY p.id, s.id
""").columns(at=sa.DateTime(timezone=True))


def upgrade() -> None:
    increments = op.create_table(
        'daily_increments',
        sa.Column('id', ID, nullable=False),
        sa.Column('user_id', ID, nullable=False),
        sa.Column('day', sa.Date(), nullable=False),
        sa.Column('clip_id', ID, nullable=True),
        sa.Column('title', sa.String(length=200), nullable=True),
        sa.Column('platform', sa.String(length=16), nullable=True),
        *(sa.Column(count, ID, nullable=False) for count in COUNTS),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_daily_increments_user_id'), ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['clip_id'], ['clips.id'], name=op.f('fk_daily_increments_clip_id'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_daily_increments')),
    )
    bind = op.get_bind()
    for user_id, zone_name in bind.execute(sa.text('SELECT id, timezone FROM users ORDER BY id')).all():
        zone = ZoneInfo(zone_name if zone_name in available_timezones() else DEFAULT_ZONE)
        if rows := list(_rows(bind, user_id, zone)):
            bind.execute(increments.insert(), rows)
    for subject in SUBJECTS:
        _partial(f'uq_daily_increments_{subject}', ['user_id', subject, 'day'], f'{subject} IS NOT NULL', unique=True)
    _partial(
        'ix_daily_increments_clips', ['user_id', 'day', 'clip_id', 'title', 'views'], 'platform IS NULL', unique=False
    )
    op.create_index(
        'ix_publications_user_clip_views', 'publications', ['user_id', 'status', 'clip_id', 'views', 'id']
    )
    op.create_index('ix_publications_user_counts', 'publications', ['user_id', 'platform', 'status', *COUNTS])
    _standings().drop_standings()


def downgrade() -> None:
    _standings().create_standings()
    op.drop_index('ix_publications_user_counts', 'publications')
    op.drop_index('ix_publications_user_clip_views', 'publications')
    op.drop_table('daily_increments')


def _rows(bind: sa.Connection, user_id: int, zone: ZoneInfo) -> Iterator[dict]:
    """Each gain twice: for its clip, or the title of a deleted one, and for its platform."""
    gains: dict[tuple[str, int | str, date], Counter] = defaultdict(Counter)
    publication, peaks = None, Counter()
    for one in bind.execute(SAMPLES, {'user_id': user_id}, execution_options={'yield_per': 10_000}):
        if one.id != publication:
            publication, peaks = one.id, Counter()
        counts = Counter({count: getattr(one, count) or 0 for count in COUNTS})
        gained = counts - peaks
        if gained:
            peaks |= counts
            at = one.at if one.at.tzinfo else one.at.replace(tzinfo=UTC)
            day = at.astimezone(zone).date()
            own = ('title', one.title) if one.clip_id is None else ('clip_id', one.clip_id)
            for subject in (own, ('platform', one.platform)):
                gains[*subject, day].update(gained)
    for (column, value, day), gained in gains.items():
        row = dict.fromkeys(SUBJECTS) | {column: value}
        yield row | {'user_id': user_id, 'day': day} | {count: gained[count] for count in COUNTS}


def _partial(name: str, columns: list[str], where: str, *, unique: bool) -> None:
    condition = sa.text(where)
    op.create_index(
        name, 'daily_increments', columns, unique=unique, sqlite_where=condition, postgresql_where=condition
    )


def _standings() -> ModuleType:
    """The migration that made what goes here."""
    return context.script.get_revision('0006').module
