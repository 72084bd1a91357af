"""Imports: the file, how far it is, what it says of known leads, and which rows were left out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables, and the column that a program of the release before does not miss."""
    op.create_table(
        "imports",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("plan", JSON, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("imported", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("requested_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("published_at", MOMENT, nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_imports"),
    )
    op.create_index("ix_imports_job_id", "imports", ["job_id"], unique=False)
    op.create_table(
        "import_blocks",
        sa.Column("import_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name="fk_import_blocks_import_id_imports"
        ),
        sa.PrimaryKeyConstraint("import_id", "number", name="pk_import_blocks"),
    )
    op.create_table(
        "import_rejections",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("import_id", sa.String(length=32), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name="fk_import_rejections_import_id_imports"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_import_rejections"),
    )
    op.create_index(
        "ix_import_rejections_import_id",
        "import_rejections",
        ["import_id", "row", "id"],
        unique=False,
    )
    op.create_table(
        "import_updates",
        sa.Column("import_id", sa.String(length=32), nullable=False),
        sa.Column("row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("lead_id", BIG_ID, nullable=False),
        sa.Column("email_key", sa.String(length=320), nullable=False),
        sa.Column("change", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name="fk_import_updates_import_id_imports"
        ),
        sa.PrimaryKeyConstraint("import_id", "row", name="pk_import_updates"),
        sa.UniqueConstraint("import_id", "email_key", name="uq_import_updates_import_id_email_key"),
    )
    op.add_column("leads", sa.Column("import_id", sa.String(length=32), nullable=True))
    op.create_index(
        "ix_leads_import_id",
        "leads",
        ["import_id"],
        unique=False,
        postgresql_where=sa.text("import_id IS NOT NULL"),
        sqlite_where=sa.text("import_id IS NOT NULL"),
    )


def downgrade() -> None:
    """Take them away again; leads of imports that were not published go with them."""
    hidden = "import_id IN (SELECT id FROM imports WHERE published_at IS NULL)"
    mine = f"lead_id IN (SELECT id FROM leads WHERE {hidden})"
    for table in ("lead_scores", "score_history"):
        op.execute(f"DELETE FROM {table} WHERE {mine}")
    op.execute(f"DELETE FROM leads WHERE {hidden}")
    op.drop_index("ix_leads_import_id", table_name="leads")
    op.drop_column("leads", "import_id")
    op.drop_table("import_updates")
    op.drop_table("import_rejections")
    op.drop_table("import_blocks")
    op.drop_table("imports")
