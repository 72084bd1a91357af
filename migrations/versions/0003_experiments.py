"""Experiments with a life of their own: definitions, epochs, and who is another device of whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)

# A program of the release before writes none of these: they may be empty, or say what was so.
COLUMNS = {
    "experiments": (
        sa.Column(
            "source", sa.String(length=16), server_default=sa.text("'workflow'"), nullable=False
        ),
        sa.Column(
            "status", sa.String(length=16), server_default=sa.text("'running'"), nullable=False
        ),
        sa.Column("definition", JSON, nullable=True),
        sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("winner", sa.String(length=64), nullable=True),
        sa.Column("published_version", sa.Integer(), nullable=True),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("stopped_at", MOMENT, nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
    ),
    "assignments": (sa.Column("revision", sa.Integer(), nullable=True),),
    "exposures": (sa.Column("excluded", sa.String(length=16), nullable=True),),
    "conversions": (
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.Column("exposed_at", MOMENT, nullable=True),
        sa.Column("excluded", sa.String(length=16), nullable=True),
    ),
}


def upgrade() -> None:
    """Make the tables and columns."""
    for table, columns in COLUMNS.items():
        for column in columns:
            op.add_column(table, column)
    op.create_table(
        "experiment_epochs",
        sa.Column("experiment", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("weights", JSON, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment"],
            ["experiments.name"],
            name="fk_experiment_epochs_experiment_experiments",
        ),
        sa.PrimaryKeyConstraint("experiment", "epoch", name="pk_experiment_epochs"),
    )
    op.create_table(
        "unit_aliases",
        sa.Column("unit", sa.String(length=255), nullable=False),
        sa.Column("canonical", sa.String(length=255), nullable=False),
        sa.Column("joined_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("unit", name="pk_unit_aliases"),
    )
    op.create_index("ix_unit_aliases_canonical", "unit_aliases", ["canonical"], unique=False)


def downgrade() -> None:
    """Take them away again."""
    op.drop_index("ix_unit_aliases_canonical", table_name="unit_aliases")
    op.drop_table("unit_aliases")
    op.drop_table("experiment_epochs")
    for table, columns in reversed(COLUMNS.items()):
        for column in reversed(columns):
            op.drop_column(table, column.name)
