"""The console: people and their sessions, campaigns, drafts, saved views, merges, suppressions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables and columns."""
    op.create_table(
        "campaigns",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("starts_on", MOMENT, nullable=True),
        sa.Column("ends_on", MOMENT, nullable=True),
        sa.Column("goal", sa.Integer(), nullable=True),
        sa.Column("routes", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("archived_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
        sa.UniqueConstraint("name", name="uq_campaigns_name"),
    )
    op.create_table(
        "import_maps",
        sa.Column("signature", sa.String(length=64), nullable=False),
        sa.Column("columns", JSON, nullable=False),
        sa.Column("used_by", sa.String(length=255), nullable=False),
        sa.Column("used_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("signature", name="pk_import_maps"),
    )
    op.create_table(
        "login_attempts",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("account_sha256", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("tried_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_login_attempts"),
    )
    op.create_index("ix_login_attempts_account", "login_attempts", ["account_sha256", "tried_at"])
    op.create_index("ix_login_attempts_address", "login_attempts", ["address", "tried_at"])
    op.create_index("ix_login_attempts_tried_at", "login_attempts", ["tried_at"])
    op.create_table(
        "people",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=True),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=True),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.UniqueConstraint("email", name="uq_people_email"),
    )
    op.create_table(
        "suppressions",
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("mark", name="pk_suppressions"),
    )
    op.create_table(
        "workflow_drafts",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("based_on", sa.Integer(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("updated_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("published_as", sa.Integer(), nullable=True),
        sa.Column("deleted_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_drafts"),
    )
    op.create_table(
        "calendar_feeds",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("person_id", BIG_ID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("read_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_calendar_feeds_person_id_people"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_calendar_feeds"),
        sa.UniqueConstraint("token_sha256", name="uq_calendar_feeds_token_sha256"),
    )
    op.create_index("ix_calendar_feeds_person_id", "calendar_feeds", ["person_id"])
    op.create_table(
        "campaign_agents",
        sa.Column("campaign_id", BIG_ID, nullable=False),
        sa.Column("person_id", BIG_ID, nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("assigned_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name="fk_campaign_agents_campaign_id_campaigns"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_campaign_agents_person_id_people"
        ),
        sa.PrimaryKeyConstraint("campaign_id", "person_id", name="pk_campaign_agents"),
    )
    op.create_table(
        "console_sessions",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("person_id", BIG_ID, nullable=False),
        sa.Column("browser", sa.String(length=255), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_console_sessions_person_id_people"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_console_sessions"),
        sa.UniqueConstraint("token_sha256", name="uq_console_sessions_token_sha256"),
    )
    op.create_index("ix_console_sessions_expires_at", "console_sessions", ["expires_at"])
    op.create_index("ix_console_sessions_person_id", "console_sessions", ["person_id"])
    op.create_table(
        "lead_merges",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("kept_id", BIG_ID, nullable=False),
        sa.Column("merged_id", BIG_ID, nullable=False),
        sa.Column("undo", JSON, nullable=False),
        sa.Column("merged_by", sa.String(length=255), nullable=False),
        sa.Column("merged_at", MOMENT, nullable=False),
        sa.Column("parted_by", sa.String(length=255), nullable=True),
        sa.Column("parted_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["kept_id"], ["leads.id"], name="fk_lead_merges_kept_id_leads"),
        sa.ForeignKeyConstraint(["merged_id"], ["leads.id"], name="fk_lead_merges_merged_id_leads"),
        sa.PrimaryKeyConstraint("id", name="pk_lead_merges"),
    )
    op.create_index("ix_lead_merges_kept_id", "lead_merges", ["kept_id"])
    op.create_index("ix_lead_merges_merged_id", "lead_merges", ["merged_id"])
    op.create_table(
        "one_time_links",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("person_id", BIG_ID, nullable=True),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_one_time_links_person_id_people"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_one_time_links"),
        sa.UniqueConstraint("token_sha256", name="uq_one_time_links_token_sha256"),
    )
    op.create_index("ix_one_time_links_person_id", "one_time_links", ["person_id"])
    op.create_table(
        "saved_views",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("person_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("query", JSON, nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_saved_views_person_id_people"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_saved_views"),
        sa.UniqueConstraint("person_id", "name", name="uq_saved_views_person_id_name"),
    )
    op.add_column(
        "follow_ups", sa.Column("sequence", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column("imports", sa.Column("file_name", sa.String(length=255), nullable=True))
    op.add_column("imports", sa.Column("undone_at", MOMENT, nullable=True))
    op.add_column("leads", sa.Column("merged_into", BIG_ID, nullable=True))
    op.add_column(
        "workflow_versions", sa.Column("published_by", sa.String(length=255), nullable=True)
    )
    op.add_column("workflow_versions", sa.Column("note", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take them away again."""
    op.drop_column("workflow_versions", "note")
    op.drop_column("workflow_versions", "published_by")
    op.drop_column("leads", "merged_into")
    op.drop_column("imports", "undone_at")
    op.drop_column("imports", "file_name")
    op.drop_column("follow_ups", "sequence")
    op.drop_table("saved_views")
    op.drop_index("ix_one_time_links_person_id", table_name="one_time_links")
    op.drop_table("one_time_links")
    op.drop_index("ix_lead_merges_merged_id", table_name="lead_merges")
    op.drop_index("ix_lead_merges_kept_id", table_name="lead_merges")
    op.drop_table("lead_merges")
    op.drop_index("ix_console_sessions_person_id", table_name="console_sessions")
    op.drop_index("ix_console_sessions_expires_at", table_name="console_sessions")
    op.drop_table("console_sessions")
    op.drop_table("campaign_agents")
    op.drop_index("ix_calendar_feeds_person_id", table_name="calendar_feeds")
    op.drop_table("calendar_feeds")
    op.drop_table("workflow_drafts")
    op.drop_table("suppressions")
    op.drop_table("people")
    op.drop_index("ix_login_attempts_tried_at", table_name="login_attempts")
    op.drop_index("ix_login_attempts_address", table_name="login_attempts")
    op.drop_index("ix_login_attempts_account", table_name="login_attempts")
    op.drop_table("login_attempts")
    op.drop_table("import_maps")
    op.drop_table("campaigns")
