"""Indexes by which the console's pages read many leads; an answer of a visitor changes none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_OPEN = sa.text("outcome IS NULL AND deleted_at IS NULL")
_WAITING = sa.text("done_at IS NULL")


def upgrade() -> None:
    """Make them; SQLite has no columns beside the key, so that two stay as they are there."""
    op.create_index(
        "ix_leads_open",
        "leads",
        ["id"],
        postgresql_where=_OPEN,
        sqlite_where=_OPEN,
        postgresql_include=[
            *("assigned_to", "import_id", "snoozed_until"),
            *("stage", "staged_at", "created_at"),
        ],
    )
    op.create_index(
        "ix_follow_ups_waiting",
        "follow_ups",
        ["lead_id"],
        postgresql_where=_WAITING,
        sqlite_where=_WAITING,
        postgresql_include=["due_at", "created_at"],
    )
    if op.get_bind().dialect.name != "postgresql":
        return
    _replace("activities", "ix_activities_lead_id", ["lead_id", "occurred_at"], _OF_ACTIVITIES)
    _replace("leads", "ix_leads_created_at_id", ["created_at", "id"], _OF_LEADS)
    op.execute("CREATE INDEX ix_leads_stage ON leads (stage, coalesce(staged_at, created_at), id)")
    # What an experiment that has just begun brought is found among all conversations.
    op.execute("CREATE INDEX ix_sessions_arms ON sessions USING gin (arms jsonb_path_ops)")


def downgrade() -> None:
    """Take them away again."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX ix_sessions_arms")
        op.execute("DROP INDEX ix_leads_stage")
        _replace("leads", "ix_leads_created_at_id", ["created_at", "id"], [])
        _replace("activities", "ix_activities_lead_id", ["lead_id", "occurred_at"], [])
    op.drop_index("ix_follow_ups_waiting", "follow_ups")
    op.drop_index("ix_leads_open", "leads")


_OF_ACTIVITIES = ["kind", "outcome", "status", "actor"]
_OF_LEADS = ["deleted_at", "import_id", "assigned_to"]


def _replace(table: str, name: str, columns: list[str], beside: list[str]) -> None:
    op.drop_index(name, table_name=table)
    op.create_index(name, table, columns, postgresql_include=beside)
