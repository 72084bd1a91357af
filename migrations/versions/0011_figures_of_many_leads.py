"""Indexes that dashboards read instead of wide rows; an answer of a visitor changes none."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_OF_LEADS = ["deleted_at", "import_id", "assigned_to"]


def upgrade() -> None:
    """Make them; SQLite has no columns beside the key, so that two stay as they are there."""
    op.create_index(
        "ix_activities_occurred_at",
        "activities",
        ["occurred_at"],
        postgresql_include=["lead_id", "kind", "actor"],
    )
    if op.get_bind().dialect.name != "postgresql":
        return
    ended = ["outcome", "outcome_at", "outcome_value"]
    _replace("leads", "ix_leads_created_at_id", ["created_at", "id"], [*_OF_LEADS, *ended])
    beside = ["lead_id", "workflow_version", "suspicion"]
    _replace("sessions", "ix_sessions_started_at", ["started_at"], beside)


def downgrade() -> None:
    """Take them away again."""
    if op.get_bind().dialect.name == "postgresql":
        _replace("sessions", "ix_sessions_started_at", ["started_at"], [])
        _replace("leads", "ix_leads_created_at_id", ["created_at", "id"], _OF_LEADS)
    op.drop_index("ix_activities_occurred_at", "activities")


def _replace(table: str, name: str, columns: list[str], beside: list[str]) -> None:
    op.drop_index(name, table_name=table)
    op.create_index(name, table, columns, postgresql_include=beside)
