"""What the database notes by itself, for tables that are made without the migrations (`create_all()`).

Whoever publishes, writes a sample or takes a publication's clip away: it is noted what must be counted (again). As
migration 0006 has it; `tests/test_migrations.py` compares the two.
"""

from sqlalchemy import DDL, MetaData, event

_SQLITE = (
    """CREATE TRIGGER IF NOT EXISTS tg_stats_samples_uncounted AFTER INSERT ON stats_samples BEGIN
    INSERT INTO uncounted SELECT id, user_id FROM publications
    WHERE id = NEW.publication_id AND status = 'published' ON CONFLICT DO NOTHING;
    END""",
    """CREATE TRIGGER IF NOT EXISTS tg_publications_uncounted AFTER INSERT ON publications
    WHEN NEW.status = 'published' BEGIN
    INSERT INTO uncounted VALUES (NEW.id, NEW.user_id) ON CONFLICT DO NOTHING;
    END""",
    """CREATE TRIGGER IF NOT EXISTS tg_publications_uncounted_again AFTER UPDATE OF status, clip_id ON publications
    WHEN NEW.status = 'published' BEGIN
    INSERT INTO uncounted VALUES (NEW.id, NEW.user_id) ON CONFLICT DO NOTHING;
    END""",
)
# DO UPDATE: a row that is there already is locked, so that nobody counts before what is told of is there.
_NOTE = "ON CONFLICT (publication_id) DO UPDATE SET user_id = excluded.user_id"
_POSTGRESQL = (
    f"""CREATE OR REPLACE FUNCTION note_sampled() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO uncounted SELECT id, user_id FROM publications
    WHERE id IN (SELECT publication_id FROM fresh) AND status = 'published' ORDER BY id {_NOTE};
    RETURN NULL; END $$""",
    f"""CREATE OR REPLACE FUNCTION note_published() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO uncounted SELECT id, user_id FROM fresh WHERE status = 'published' ORDER BY id {_NOTE};
    RETURN NULL; END $$""",
    f"""CREATE OR REPLACE FUNCTION note_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO uncounted VALUES (NEW.id, NEW.user_id) {_NOTE};
    RETURN NULL; END $$""",
    """CREATE OR REPLACE TRIGGER tg_stats_samples_uncounted AFTER INSERT ON stats_samples REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION note_sampled()""",
    """CREATE OR REPLACE TRIGGER tg_publications_uncounted AFTER INSERT ON publications REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION note_published()""",
    """CREATE OR REPLACE TRIGGER tg_publications_uncounted_again AFTER UPDATE OF status, clip_id ON publications
    FOR EACH ROW WHEN (NEW.status = 'published') EXECUTE FUNCTION note_changed()""",
)


def add_to(metadata: MetaData) -> None:
    for dialect, statements in (("sqlite", _SQLITE), ("postgresql", _POSTGRESQL)):
        for statement in statements:
            event.listen(metadata, "after_create", DDL(statement).execute_if(dialect=dialect))
