"""clips are searched and sorted by their titles

Clips of before get their folded titles here: no database folds «Ё» as Python does.
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = '0023'
down_revision = '0022'
branch_labels = None
depends_on = None

AT_ONCE = 1000


def upgrade() -> None:
    op.add_column('clips', sa.Column('search_text', sa.Text(), nullable=False, server_default=''))
    fill(op.get_bind())
    op.create_index('ix_clips_user_title', 'clips', ['user_id', 'search_text', 'id'])
    op.drop_index('ix_clips_user_newest', table_name='clips')
    op.create_index('ix_clips_user_newest', 'clips', ['user_id', 'id', 'search_text'])


def fill(connection: sa.Connection) -> None:
    clips = sa.table('clips', sa.column('id'), sa.column('title'), sa.column('search_text'))
    some = sa.select(clips.c.id, clips.c.title).order_by(clips.c.id).limit(AT_ONCE)
    store = clips.update().where(clips.c.id == sa.bindparam('clip')).values(search_text=sa.bindparam('folded'))
    last = 0
    while rows := connection.execute(some.where(clips.c.id > last)).all():
        connection.execute(store, [{'clip': number, 'folded': fold(title)} for number, title in rows])
        last = rows[-1].id


def fold(title: str) -> str:
    return unicodedata.normalize('NFC', title).casefold().replace('ё', 'е')


def downgrade() -> None:
    op.drop_index('ix_clips_user_newest', table_name='clips')
    op.create_index('ix_clips_user_newest', 'clips', ['user_id', 'id'])
    op.drop_index('ix_clips_user_title', table_name='clips')
    op.drop_column('clips', 'search_text')
