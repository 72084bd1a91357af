"""The first tables: facts, conversations, ledger, experiments, access."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)

APPEND_ONLY = ("user_behaviors", "consents", "audit_entries")
EVENT_COLUMNS = (
    *("id", "kind", "lead_id", "session_id", "seq", "measured", "occurred_at", "recorded_at"),
    *("idempotency_key", "workflow_version", "arms"),
)


def upgrade() -> None:
    """Make every table and the guards of the append-only ones."""
    op.create_table(
        "api_keys",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("prefix", name="uq_api_keys_prefix"),
    )
    op.create_table(
        "audit_entries",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("detail", JSON, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
    )
    op.create_index("ix_audit_entries_recorded_at", "audit_entries", ["recorded_at"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("lead_id", BIG_ID, nullable=True),
        sa.Column("session_id", sa.String(length=255), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("measured", JSON, nullable=False),
        sa.Column("personal", JSON, nullable=True),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("workflow_version", sa.Integer(), nullable=True),
        sa.Column("arms", JSON, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("session_id", "seq", name="uq_events_session_id_seq"),
    )
    op.create_index("ix_events_lead_id", "events", ["lead_id"], unique=False)
    op.create_table(
        "experiments",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("seed", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_experiments"),
    )
    op.create_table(
        "leads",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("session_id", sa.String(length=255), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("company", sa.Text(), nullable=True),
        sa.Column("business_type", sa.Text(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("staff_size", sa.Text(), nullable=True),
        sa.Column("monthly_sales", sa.Text(), nullable=True),
        sa.Column("features_interested", JSON, nullable=False),
        sa.Column("attributes", JSON, nullable=False),
        sa.Column("email_key", sa.String(length=320), nullable=True),
        sa.Column("phone_e164", sa.String(length=20), nullable=True),
        sa.Column("lead_score", sa.Integer(), nullable=False),
        sa.Column("lead_classification", sa.String(length=16), nullable=False),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("utm_source", sa.Text(), nullable=True),
        sa.Column("stage", sa.String(length=64), nullable=True),
        sa.Column("assigned_to", sa.String(length=255), nullable=True),
        sa.Column("campaign", sa.String(length=255), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("last_activity_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_leads"),
        sa.UniqueConstraint("session_id", name="uq_leads_session_id"),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("ix_leads_created_at_id", "leads", ["created_at", "id"], unique=False)
    op.create_index("ix_leads_email_key", "leads", ["email_key"], unique=False)
    op.create_index("ix_leads_phone_e164", "leads", ["phone_e164"], unique=False)
    op.create_table(
        "stored_replies",
        sa.Column("scope", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("headers", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name="pk_stored_replies"),
    )
    op.create_index("ix_stored_replies_created_at", "stored_replies", ["created_at"], unique=False)
    op.create_table(
        "workflow_versions",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("published_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("version", name="pk_workflow_versions"),
    )
    op.create_table(
        "assignments",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("experiment", sa.String(length=64), nullable=False),
        sa.Column("unit", sa.String(length=255), nullable=False),
        sa.Column("arm", sa.String(length=64), nullable=False),
        sa.Column("propensity", sa.Float(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("workflow_version", sa.Integer(), nullable=False),
        sa.Column("assigned_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.name"], name="fk_assignments_experiment_experiments"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_assignments"),
        sa.UniqueConstraint("experiment", "unit", name="uq_assignments_experiment_unit"),
    )
    op.create_table(
        "conversions",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("experiment", sa.String(length=64), nullable=False),
        sa.Column("unit", sa.String(length=255), nullable=False),
        sa.Column("session_id", sa.String(length=255), nullable=False),
        sa.Column("metric", sa.String(length=64), nullable=False),
        sa.Column("arm", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("converted_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.name"], name="fk_conversions_experiment_experiments"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_conversions"),
        sa.UniqueConstraint(
            "experiment", "unit", "metric", name="uq_conversions_experiment_unit_metric"
        ),
    )
    op.create_table(
        "exposures",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("experiment", sa.String(length=64), nullable=False),
        sa.Column("unit", sa.String(length=255), nullable=False),
        sa.Column("session_id", sa.String(length=255), nullable=False),
        sa.Column("arm", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("exposed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.name"], name="fk_exposures_experiment_experiments"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_exposures"),
        sa.UniqueConstraint("experiment", "unit", name="uq_exposures_experiment_unit"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("public_ref", sa.String(length=32), nullable=False),
        sa.Column("lead_id", BIG_ID, nullable=False),
        sa.Column("visitor_id", sa.String(length=255), nullable=True),
        sa.Column("workflow_version", sa.Integer(), nullable=False),
        sa.Column("points_version", sa.Integer(), nullable=False),
        sa.Column("arms", JSON, nullable=False),
        sa.Column("locale", sa.String(length=35), nullable=True),
        sa.Column("surface", sa.String(length=16), nullable=False),
        sa.Column("utm_source", sa.Text(), nullable=True),
        sa.Column("utm_medium", sa.Text(), nullable=True),
        sa.Column("utm_campaign", sa.Text(), nullable=True),
        sa.Column("utm_term", sa.Text(), nullable=True),
        sa.Column("utm_content", sa.Text(), nullable=True),
        sa.Column("referrer", sa.Text(), nullable=True),
        sa.Column("landing_page", sa.Text(), nullable=True),
        sa.Column("suspicion", sa.String(length=32), nullable=True),
        sa.Column("journey", JSON, nullable=False),
        sa.Column("facts", sa.Integer(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("classification", sa.String(length=16), nullable=False),
        sa.Column("next_question_id", sa.Integer(), nullable=True),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("last_activity_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT, nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name="fk_sessions_lead_id_leads"),
        sa.ForeignKeyConstraint(
            ["points_version"],
            ["workflow_versions.version"],
            name="fk_sessions_points_version_workflow_versions",
        ),
        sa.ForeignKeyConstraint(
            ["workflow_version"],
            ["workflow_versions.version"],
            name="fk_sessions_workflow_version_workflow_versions",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("public_ref", name="uq_sessions_public_ref"),
        postgresql_with={"fillfactor": 50},
    )
    op.create_index("ix_sessions_lead_id", "sessions", ["lead_id"], unique=False)
    op.create_index("ix_sessions_started_at", "sessions", ["started_at"], unique=False)
    op.create_index("ix_sessions_visitor_id", "sessions", ["visitor_id"], unique=False)
    op.create_table(
        "answers",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("session_id", sa.String(length=255), nullable=False),
        sa.Column("question_id", sa.Integer(), nullable=False),
        sa.Column("question_text", sa.Text(), nullable=False),
        sa.Column("answer_text", sa.Text(), nullable=True),
        sa.Column("options", JSON, nullable=False),
        sa.Column("typed", sa.Boolean(), nullable=False),
        sa.Column("skipped", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("time_taken", sa.Float(), nullable=False),
        sa.Column("score_earned", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_answers_session_id_sessions"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_answers"),
        sa.UniqueConstraint("session_id", "question_id", name="uq_answers_session_id_question_id"),
    )
    op.create_table(
        "consents",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("session_id", sa.String(length=255), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("text_version", sa.String(length=64), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=True),
        sa.Column("locale", sa.String(length=35), nullable=True),
        sa.Column("surface", sa.String(length=16), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_consents_session_id_sessions"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_consents"),
    )
    op.create_index("ix_consents_session_id", "consents", ["session_id"], unique=False)
    op.create_table(
        "user_behaviors",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("session_id", sa.String(length=255), nullable=False),
        sa.Column("behavior_type", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("behavior_metadata", JSON, nullable=False),
        sa.Column("score_impact", sa.Integer(), nullable=False),
        sa.Column("event_seq", sa.Integer(), nullable=False),
        sa.Column("workflow_version", sa.Integer(), nullable=False),
        sa.Column("timestamp", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_user_behaviors_session_id_sessions"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_user_behaviors"),
        sa.UniqueConstraint(
            "session_id",
            "behavior_type",
            "subject",
            "generation",
            name="uq_user_behaviors_session_id_behavior_type_subject_generation",
        ),
    )
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgres()
    else:
        _guard_sqlite()


def _guard_postgres() -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in (*APPEND_ONLY, "events"):
        op.execute(
            f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    refuse = "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    for table in APPEND_ONLY:
        op.execute(f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} {refuse}")
    op.execute(f"CREATE TRIGGER append_only BEFORE DELETE ON events {refuse}")
    changed = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in EVENT_COLUMNS)
    op.execute(
        "CREATE TRIGGER blank_only BEFORE UPDATE ON events FOR EACH ROW"
        f" WHEN (NEW.personal IS NOT NULL OR {changed}) EXECUTE FUNCTION refuse_change()"
    )


def _guard_sqlite() -> None:
    for table in (*APPEND_ONLY, "events"):
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
        if table != "events":
            op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}")
    changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in EVENT_COLUMNS)
    op.execute(
        "CREATE TRIGGER events_blank_only BEFORE UPDATE ON events"
        f" WHEN NEW.personal IS NOT NULL OR {changed}"
        " BEGIN SELECT RAISE(ABORT, 'events is append-only'); END"
    )


def downgrade() -> None:
    """Refused: the log of facts is what everything else is made from."""
    raise RuntimeError("The first migration is not taken back; restore a backup instead.")
