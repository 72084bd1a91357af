"""Models: their bytes and cards, and each lead's probability with its reasons."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "model_versions",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("label", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("artifact", sa.LargeBinary(), nullable=False),
        sa.Column("card", JSON, nullable=False),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("drift", JSON, nullable=True),
        sa.Column("data_from", MOMENT, nullable=True),
        sa.Column("data_to", MOMENT, nullable=True),
        sa.Column("requested_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("promoted_at", MOMENT, nullable=True),
        sa.Column("retired_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_model_versions"),
    )
    op.create_index(
        "uq_model_versions_promoted",
        "model_versions",
        ["stage"],
        unique=True,
        postgresql_where=sa.text("status = 'promoted'"),
        sqlite_where=sa.text("status = 'promoted'"),
    )
    op.create_table(
        "lead_predictions",
        sa.Column("lead_id", BIG_ID, nullable=False),
        sa.Column("model_id", sa.String(length=32), nullable=True),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("explanation", JSON, nullable=False),
        sa.Column("computed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["lead_id"], ["leads.id"], name="fk_lead_predictions_lead_id_leads"
        ),
        sa.PrimaryKeyConstraint("lead_id", name="pk_lead_predictions"),
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("lead_predictions")
    op.drop_table("model_versions")
