"""Of what the goal of a campaign is: leads so far, or one of the others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Goals that there are were meant in leads."""
    column = sa.Column("goal_of", sa.String(16), nullable=False, server_default="leads")
    op.add_column("campaigns", column)


def downgrade() -> None:
    """The number stays, of whatever it was."""
    op.drop_column("campaigns", "goal_of")
