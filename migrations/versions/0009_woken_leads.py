"""An index of the facts that tell whose snooze is over: each look at the queue asks for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    woken = sa.text("kind = 'lead.woken'")
    op.create_index(
        "ix_events_woken",
        "events",
        ["recorded_at"],
        postgresql_where=woken,
        sqlite_where=woken,
    )


def downgrade() -> None:
    """Take the index away."""
    op.drop_index("ix_events_woken", "events")
