"""An index of the moments at which leads wake; an answer of a visitor does not change one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_RESTS = sa.text("snoozed_until IS NOT NULL")


def upgrade() -> None:
    """Make it."""
    op.create_index(
        "ix_leads_snoozed_until",
        "leads",
        ["snoozed_until"],
        postgresql_where=_RESTS,
        sqlite_where=_RESTS,
    )


def downgrade() -> None:
    """Take it away again."""
    op.drop_index("ix_leads_snoozed_until", "leads")
