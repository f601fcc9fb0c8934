"""clips that come by themselves: from an address, by an incoming webhook, from a folder or a bucket"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "clip_imports",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("render_id", NUMBER, nullable=True),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("source_name", sa.String(length=64), nullable=True),
        sa.Column("key", sa.String(length=43), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("validator", sa.String(length=202), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.String(length=200), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clip_id", NUMBER, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *_owned("clip_imports"),
        *_refers("clip_imports", render_id="renders", clip_id="clips"),
        sa.UniqueConstraint("key", name="uq_clip_imports_key"),
    )
    op.create_index("ix_clip_imports_user", "clip_imports", ["user_id", "id"])
    op.create_index("ix_clip_imports_render_id", "clip_imports", ["render_id"])
    op.create_index("ix_clip_imports_clip_id", "clip_imports", ["clip_id"])
    _index_of_due("clip_imports")

    op.create_table(
        "incoming_hooks",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("key_hint", sa.String(length=8), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("encrypted_secret", sa.LargeBinary(), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *_owned("incoming_hooks"),
        sa.UniqueConstraint("key_hash", name="uq_incoming_hooks_key_hash"),
    )
    op.create_index("ix_incoming_hooks_user_id", "incoming_hooks", ["user_id"])

    op.create_table(
        "hook_deliveries",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("hook_id", NUMBER, nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.String(length=400), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("import_id", NUMBER, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hook_deliveries"),
        sa.ForeignKeyConstraint(
            ["hook_id"],
            ["incoming_hooks.id"],
            name="fk_hook_deliveries_hook_id_incoming_hooks",
            ondelete="CASCADE",
        ),
        *_refers("hook_deliveries", import_id="clip_imports"),
    )
    op.create_index("ix_hook_deliveries_hook_id", "hook_deliveries", ["hook_id"])
    op.create_index("ix_hook_deliveries_import_id", "hook_deliveries", ["import_id"])

    op.create_table(
        "inbox_files",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("path", sa.String(length=1024), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=43), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.String(length=400), nullable=True),
        sa.Column("notes", sa.String(length=200), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clip_id", NUMBER, nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        *_owned("inbox_files"),
        *_refers("inbox_files", clip_id="clips"),
        sa.UniqueConstraint("key", name="uq_inbox_files_key"),
        sa.UniqueConstraint("path", "version", name="uq_inbox_files_path_version"),
    )
    op.create_index("ix_inbox_files_user_id", "inbox_files", ["user_id"])
    op.create_index("ix_inbox_files_clip_id", "inbox_files", ["clip_id"])
    _index_of_due("inbox_files")


def downgrade() -> None:
    for table in ("inbox_files", "hook_deliveries", "incoming_hooks", "clip_imports"):
        op.drop_table(table)


def _owned(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    user = sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=f"fk_{table}_user_id_users", ondelete="CASCADE")
    return sa.PrimaryKeyConstraint("id", name=f"pk_{table}"), user


def _refers(table: str, **columns: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.ForeignKeyConstraint([name], [f"{to}.id"], name=f"fk_{table}_{name}_{to}", ondelete="SET NULL")
        for name, to in columns.items()
    ]


def _index_of_due(table: str) -> None:
    due = sa.text("wake_at IS NOT NULL")
    op.create_index(f"ix_{table}_wake", table, ["wake_at"], sqlite_where=due, postgresql_where=due)
