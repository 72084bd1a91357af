"""Conversions that were counted before know the moment and the epoch of their exposure."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OF_EXPOSURE = (
    "(SELECT e.{column} FROM exposures e"
    " WHERE e.experiment = conversions.experiment AND e.unit = conversions.unit)"
)


def upgrade() -> None:
    """Copy both from the exposures."""
    columns = ", ".join(
        f"{column} = {OF_EXPOSURE.format(column=column)}" for column in ("epoch", "exposed_at")
    )
    op.execute(f"UPDATE conversions SET {columns} WHERE exposed_at IS NULL")


def downgrade() -> None:
    """The release before does not read them."""
