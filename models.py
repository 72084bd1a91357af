"""Every table, in chapters; columns and constraints, no queries, no rules.

The DDL that guards an append-only table hangs on the table, so `Base.metadata.create_all` of an
older script makes the same database as the migrations do.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Mapped, mapped_column, synonym

from database import Base, BigId, Json, JsonOrNull, UtcDateTime

# The words by which leads and answers are searched on PostgreSQL: addresses and numbers in parts.
# A number is found by its beginning, with its country or without, and, read backwards, by its end.
WORD_BREAKS = "@._-+/()"
BACKWARDS = "zqz"
_APART = f"'{WORD_BREAKS}', '{' ' * len(WORD_BREAKS)}'"
# The country codes of E.164: of one, of two, of three digits.
_COUNTRY = (
    r"'^\+(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|"
    r"(2[1-689]|3[578]|42|5[09]|6[7-9]|8[035-9]|9[679])\d)'"
)
_NUMBER = (
    f"coalesce(phone_e164 || ' ' || regexp_replace(phone_e164, {_COUNTRY}, '')"
    f" || ' {BACKWARDS}' || reverse(phone_e164), '')"
)
LEAD_WORDS = (
    "to_tsvector('simple'::regconfig, translate(coalesce(name, '') || ' ' ||"
    " coalesce(email, '') || ' ' || coalesce(company, '') || ' ' || coalesce(phone, '')"
    f" || ' ' || {_NUMBER}, {_APART}))"
)
ANSWER_WORDS = f"to_tsvector('simple'::regconfig, translate(answer_text, {_APART}))"

# --- Facts -------------------------------------------------------------------------------------


class Event(Base):
    """A fact: something that happened. Append-only; only `personal` may be blanked."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("session_id", "seq"),
        Index("ix_events_lead_id", "lead_id"),
        Index(
            "ix_events_woken",
            "recorded_at",
            postgresql_where=text("kind = 'lead.woken'"),
            sqlite_where=text("kind = 'lead.woken'"),
        ),
        Index(
            "uq_events_idempotency_key",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
            sqlite_where=text("idempotency_key IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(64))
    lead_id: Mapped[int | None] = mapped_column(BigId)
    session_id: Mapped[str | None] = mapped_column(String(255))
    seq: Mapped[int | None] = mapped_column(Integer)
    measured: Mapped[dict[str, Any]] = mapped_column(Json)
    personal: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    workflow_version: Mapped[int | None] = mapped_column(Integer)
    arms: Mapped[dict[str, str] | None] = mapped_column(JsonOrNull)


class PendingFact(Base):
    """A fact that somebody must still hear of; gone once everybody has."""

    __tablename__ = "pending_facts"

    event_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str | None] = mapped_column(Text)


# --- Conversations -----------------------------------------------------------------------------


class WorkflowVersion(Base):
    """What the bot asked and what an answer was worth, from one moment on."""

    __tablename__ = "workflow_versions"

    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(String(16))
    content_hash: Mapped[str] = mapped_column(String(64))
    # Not JSONB, which would forget the order of variants; the first is the control.
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    published_by: Mapped[str | None] = mapped_column(String(255))
    note: Mapped[str | None] = mapped_column(Text)


class WorkflowDraft(Base):
    """A workflow that somebody is changing; visitors see nothing of it."""

    __tablename__ = "workflow_drafts"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    based_on: Mapped[int] = mapped_column(Integer)
    # As in a version: not JSONB, for the order of variants.
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    # Counts the changes, so that of two people who change it at once the second is told.
    revision: Mapped[int] = mapped_column(Integer, default=1)
    created_by: Mapped[str] = mapped_column(String(255))
    updated_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # The version that it became.
    published_as: Mapped[int | None] = mapped_column(Integer)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


# What dashboards count leads by, without the wide rows; no answer changes any of it.
_OF_LEADS = ["deleted_at", "import_id", "assigned_to", "outcome", "outcome_at", "outcome_value"]
# What says whether an open lead rests, where it stands and whose it is; no answer changes them.
_OF_OPEN_LEADS = ["assigned_to", "import_id", "snoozed_until", "stage", "staged_at", "created_at"]


class Lead(Base):
    """A person who may become a customer, and what is known of them."""

    __tablename__ = "leads"
    __table_args__ = (
        # None on score or last activity: every answer changes both, and PostgreSQL would then
        # write all indexes of the row anew. A list sorted by them reads the table instead.
        Index(
            "ix_leads_created_at_id",
            "created_at",
            "id",
            postgresql_include=_OF_LEADS,
        ),
        # All that the queue asks of most open leads, without the wide row beside it.
        Index(
            "ix_leads_open",
            "id",
            postgresql_where=text("outcome IS NULL AND deleted_at IS NULL"),
            sqlite_where=text("outcome IS NULL AND deleted_at IS NULL"),
            postgresql_include=_OF_OPEN_LEADS,
        ),
        # Who wakes when; most leads never rest.
        Index(
            "ix_leads_snoozed_until",
            "snoozed_until",
            postgresql_where=text("snoozed_until IS NOT NULL"),
            sqlite_where=text("snoozed_until IS NOT NULL"),
        ),
        Index(
            "ix_leads_import_id",
            "import_id",
            postgresql_where=text("import_id IS NOT NULL"),
            sqlite_where=text("import_id IS NOT NULL"),
        ),
        {"postgresql_with": {"fillfactor": 70}},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    # No foreign key: `sessions.lead_id` already points here, and a circle cannot be loaded.
    session_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    name: Mapped[str | None] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    company: Mapped[str | None] = mapped_column(Text)
    business_type: Mapped[str | None] = mapped_column(Text)
    location: Mapped[str | None] = mapped_column(Text)
    staff_size: Mapped[str | None] = mapped_column(Text)
    monthly_sales: Mapped[str | None] = mapped_column(Text)
    features_interested: Mapped[list[str]] = mapped_column(Json, default=list)
    attributes: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    # The same address or number however it was typed; marks possible duplicates, merges nobody.
    email_key: Mapped[str | None] = mapped_column(String(320), index=True)
    phone_e164: Mapped[str | None] = mapped_column(String(20), index=True)
    lead_score: Mapped[int] = mapped_column(Integer, default=0)
    lead_classification: Mapped[str] = mapped_column(String(16), default="Unqualified")
    probability: Mapped[float | None] = mapped_column(Float)
    source: Mapped[str] = mapped_column(Text)
    utm_source: Mapped[str | None] = mapped_column(Text)
    stage: Mapped[str | None] = mapped_column(String(64))
    assigned_to: Mapped[str | None] = mapped_column(String(255))
    campaign: Mapped[str | None] = mapped_column(String(255))
    outcome: Mapped[str | None] = mapped_column(String(16))
    outcome_value: Mapped[float | None] = mapped_column(Float)
    outcome_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    staged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    snoozed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_activity_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The import that brought it; nobody sees it before that import is published.
    import_id: Mapped[str | None] = mapped_column(String(32))
    # The lead that it became one with; it is deleted as well, until they are parted again.
    merged_into: Mapped[int | None] = mapped_column(BigId)

    lead_type = synonym("lead_classification")


class Conversation(Base):
    """One visitor's conversation: what it is pinned to, and where it stands."""

    __tablename__ = "sessions"
    # Room in each page, so that the next answer's version of a row stands beside the last one.
    __table_args__ = (
        Index(
            "ix_sessions_started_at",
            "started_at",
            postgresql_include=["lead_id", "workflow_version", "suspicion"],
        ),
        # Rows are wide: whose conversation it is, and of which campaign, is read from the index.
        Index("ix_sessions_lead_id", "lead_id", postgresql_include=["id", "utm_campaign"]),
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    public_ref: Mapped[str] = mapped_column(String(32), unique=True)
    lead_id: Mapped[int] = mapped_column(ForeignKey("leads.id"))
    visitor_id: Mapped[str | None] = mapped_column(String(255), index=True)
    workflow_version: Mapped[int] = mapped_column(ForeignKey("workflow_versions.version"))
    # The version whose points count; another than the pinned one after `session.rescored`.
    points_version: Mapped[int] = mapped_column(ForeignKey("workflow_versions.version"))
    arms: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    locale: Mapped[str | None] = mapped_column(String(35))
    surface: Mapped[str] = mapped_column(String(16))
    utm_source: Mapped[str | None] = mapped_column(Text)
    utm_medium: Mapped[str | None] = mapped_column(Text)
    utm_campaign: Mapped[str | None] = mapped_column(Text)
    utm_term: Mapped[str | None] = mapped_column(Text)
    utm_content: Mapped[str | None] = mapped_column(Text)
    referrer: Mapped[str | None] = mapped_column(Text)
    landing_page: Mapped[str | None] = mapped_column(Text)
    # Why this may be no person ("crawler", "honeypot", "too_quick"); kept, left out of analytics.
    suspicion: Mapped[str | None] = mapped_column(String(32))
    # The folded facts, as `engine.points.Journey` reads them; derived, proven by `flask replay`.
    journey: Mapped[dict[str, Any]] = mapped_column(Json)
    facts: Mapped[int] = mapped_column(Integer)
    score: Mapped[int] = mapped_column(Integer, default=0)
    classification: Mapped[str] = mapped_column(String(16), default="Unqualified")
    next_question_id: Mapped[int | None] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_activity_at: Mapped[datetime] = mapped_column(UtcDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Answer(Base):
    """What a visitor last answered to a question; the answers before it stand in the facts."""

    __tablename__ = "answers"
    __table_args__ = (UniqueConstraint("session_id", "question_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"))
    question_id: Mapped[int] = mapped_column(Integer)
    question_text: Mapped[str] = mapped_column(Text)
    answer_text: Mapped[str | None] = mapped_column(Text)
    options: Mapped[list[str]] = mapped_column(Json, default=list)
    typed: Mapped[bool] = mapped_column(Boolean, default=False)
    skipped: Mapped[bool] = mapped_column(Boolean, default=False)
    revision: Mapped[int] = mapped_column(Integer, default=1)
    time_taken: Mapped[float] = mapped_column(Float)
    score_earned: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class UserBehavior(Base):
    """The ledger: one row an award, or its reversal. Append-only; the score is its sum."""

    __tablename__ = "user_behaviors"
    __table_args__ = (UniqueConstraint("session_id", "behavior_type", "subject", "generation"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"))
    behavior_type: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(64), default="")
    generation: Mapped[int] = mapped_column(Integer, default=0)
    behavior_metadata: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    score_impact: Mapped[int] = mapped_column(Integer)
    event_seq: Mapped[int] = mapped_column(Integer)
    workflow_version: Mapped[int] = mapped_column(Integer)
    timestamp: Mapped[datetime] = mapped_column(UtcDateTime)

    action = synonym("behavior_type")
    score_change = synonym("score_impact")


class Consent(Base):
    """What a visitor agreed to or took back, in which words. Append-only."""

    __tablename__ = "consents"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(64))
    given: Mapped[bool] = mapped_column(Boolean)
    text_version: Mapped[str] = mapped_column(String(64))
    text_sha256: Mapped[str | None] = mapped_column(String(64))
    locale: Mapped[str | None] = mapped_column(String(35))
    surface: Mapped[str] = mapped_column(String(16))
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)


# --- Scores beside the points ------------------------------------------------------------------


class LeadScore(Base):
    """What a scoring profile makes of a lead, as last computed; recency fades, so it is renewed."""

    __tablename__ = "lead_scores"
    __table_args__ = (Index("ix_lead_scores_profile_score", "profile", "score", "lead_id"),)

    lead_id: Mapped[int] = mapped_column(ForeignKey("leads.id"), primary_key=True)
    profile: Mapped[str] = mapped_column(String(32), primary_key=True)
    score: Mapped[float] = mapped_column(Float)
    tier: Mapped[str] = mapped_column(String(8))
    coverage: Mapped[float] = mapped_column(Float)
    # Whether the next upward crossing of the hot threshold is news, and how many there were.
    armed: Mapped[bool] = mapped_column(Boolean, default=True)
    crossings: Mapped[int] = mapped_column(Integer, default=0)
    computed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ScorePoint(Base):
    """A score of a lead as it was at a moment; one row each time it changed."""

    __tablename__ = "score_history"
    __table_args__ = (Index("ix_score_history_lead_id", "lead_id", "kind", "recorded_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    lead_id: Mapped[int] = mapped_column(BigId)
    kind: Mapped[str] = mapped_column(String(32))
    score: Mapped[float] = mapped_column(Float)
    tier: Mapped[str | None] = mapped_column(String(8))
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)


# --- Sales -------------------------------------------------------------------------------------


class Activity(Base):
    """What sales did: a call, an e-mail, a meeting, a note, or a signal told by hand."""

    __tablename__ = "activities"
    __table_args__ = (
        # Who was contacted when, of many leads at once, is read from the index alone.
        Index(
            "ix_activities_lead_id",
            "lead_id",
            "occurred_at",
            postgresql_include=["kind", "outcome", "status", "actor"],
        ),
        # What was done in some days, by whom.
        Index(
            "ix_activities_occurred_at",
            "occurred_at",
            postgresql_include=["lead_id", "kind", "actor"],
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    lead_id: Mapped[int] = mapped_column(ForeignKey("leads.id"))
    kind: Mapped[str] = mapped_column(String(32))
    # Seconds.
    duration: Mapped[float | None] = mapped_column(Float)
    method: Mapped[str | None] = mapped_column(String(64))
    status: Mapped[str | None] = mapped_column(String(64))
    outcome: Mapped[str | None] = mapped_column(String(64))
    note: Mapped[str | None] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(255))
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)


class FollowUp(Base):
    """When somebody means to turn to a lead again."""

    __tablename__ = "follow_ups"
    __table_args__ = (
        Index("ix_follow_ups_lead_id", "lead_id"),
        Index(
            "ix_follow_ups_waiting",
            "lead_id",
            postgresql_where=text("done_at IS NULL"),
            sqlite_where=text("done_at IS NULL"),
            postgresql_include=["due_at", "created_at"],
        ),
        Index(
            "ix_follow_ups_due_at",
            "due_at",
            postgresql_where=text("done_at IS NULL"),
            sqlite_where=text("done_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    lead_id: Mapped[int] = mapped_column(ForeignKey("leads.id"))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    note: Mapped[str | None] = mapped_column(Text)
    assigned_to: Mapped[str | None] = mapped_column(String(255))
    actor: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reminded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # How often it was moved: the SEQUENCE of its calendar entry.
    sequence: Mapped[int] = mapped_column(Integer, default=0, server_default="0")


class Campaign(Base):
    """An effort that leads belong to (`leads.campaign` is its name), and what is meant by it."""

    __tablename__ = "campaigns"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    description: Mapped[str | None] = mapped_column(Text)
    starts_on: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ends_on: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # How much it is to bring, and of what: leads, qualified, won or value.
    goal: Mapped[int | None] = mapped_column(Integer)
    goal_of: Mapped[str] = mapped_column(String(16), default="leads", server_default="leads")
    # New leads of the campaign go to its agents in turn.
    routes: Mapped[bool] = mapped_column(Boolean, default=False)
    created_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class CampaignAgent(Base):
    """Somebody who works a campaign, and how many of its leads go to them."""

    __tablename__ = "campaign_agents"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    weight: Mapped[int] = mapped_column(Integer, default=1)
    assigned_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LeadMerge(Base):
    """Two leads that became one, and all that parting them again takes."""

    __tablename__ = "lead_merges"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kept_id: Mapped[int] = mapped_column(ForeignKey("leads.id"), index=True)
    merged_id: Mapped[int] = mapped_column(ForeignKey("leads.id"), index=True)
    # What the kept lead had before, and which rows came to it: ids only where that is enough.
    undo: Mapped[dict[str, Any]] = mapped_column(Json)
    merged_by: Mapped[str] = mapped_column(String(255))
    merged_at: Mapped[datetime] = mapped_column(UtcDateTime)
    parted_by: Mapped[str | None] = mapped_column(String(255))
    parted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


# --- Deliveries --------------------------------------------------------------------------------


class Destination(Base):
    """A place that hears of leads, and whether it can be reached."""

    __tablename__ = "destinations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    channel: Mapped[str] = mapped_column(String(16))
    name: Mapped[str | None] = mapped_column(String(255))
    # A secret for most channels. Empty where the environment holds it (`source`).
    address: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(16))
    # Signing secrets of a webhook, the newest first; an older one has a last moment.
    secrets: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    # None: everything.
    triggers: Mapped[list[str] | None] = mapped_column(JsonOrNull)
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    quiet_hours: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    digest: Mapped[str | None] = mapped_column(String(16))
    # working, or stopped until a person mends it.
    state: Mapped[str] = mapped_column(String(16), default="working")
    reason: Mapped[str | None] = mapped_column(Text)
    paused_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Delivery(Base):
    """One alert on its way to one destination."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("event_id", "destination_id"),
        Index("ix_deliveries_lead_id", "lead_id"),
        Index("ix_deliveries_created_at", "created_at", "id"),
        Index("ix_deliveries_digest_id", "digest_id"),
        Index(
            "ix_deliveries_due",
            "destination_id",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
            sqlite_where=text("due_at IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    event_id: Mapped[int] = mapped_column(BigId)
    destination_id: Mapped[str] = mapped_column(ForeignKey("destinations.id"))
    lead_id: Mapped[int | None] = mapped_column(BigId)
    trigger: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    # When it is tried next; while it is being sent, when its lease runs out. None: not by itself.
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease: Mapped[str | None] = mapped_column(String(32))
    # What a next attempt must know, such as which recipients have it already.
    progress: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    reason: Mapped[str | None] = mapped_column(Text)
    reply_status: Mapped[int | None] = mapped_column(Integer)
    reply: Mapped[str | None] = mapped_column(Text)
    # The digest that carries it, itself a delivery.
    digest_id: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DeliveryAttempt(Base):
    """One try of a delivery and what came of it."""

    __tablename__ = "delivery_attempts"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    delivery_id: Mapped[str] = mapped_column(ForeignKey("deliveries.id"), index=True)
    number: Mapped[int] = mapped_column(Integer)
    outcome: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    reply_status: Mapped[int | None] = mapped_column(Integer)
    reply: Mapped[str | None] = mapped_column(Text)
    seconds: Mapped[float] = mapped_column(Float)
    finished_at: Mapped[datetime] = mapped_column(UtcDateTime)


class WorkspaceSetting(Base):
    """A part of the configuration that people change while it runs."""

    __tablename__ = "workspace_settings"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(Json)
    updated_by: Mapped[str] = mapped_column(String(255))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


# --- Jobs --------------------------------------------------------------------------------------


class Job(Base):
    """Work that somebody asked for and that goes on in the background."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index(
            "ix_jobs_due_at",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
            sqlite_where=text("due_at IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16))
    payload: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    done: Mapped[int] = mapped_column(Integer, default=0)
    total: Mapped[int | None] = mapped_column(Integer)
    result: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    error: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    # As for a delivery: when it is run, or when the lease of who runs it is over.
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease: Mapped[str | None] = mapped_column(String(32))
    requested_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class JobRun(Base):
    """One slot of a scheduled job, taken by one runner; its key is why no slot runs twice."""

    __tablename__ = "job_runs"

    job: Mapped[str] = mapped_column(String(64), primary_key=True)
    slot: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    owner: Mapped[str] = mapped_column(String(64))
    fence: Mapped[int] = mapped_column(BigId)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    result: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)


class Lease(Base):
    """Who leads, until when; the fence tells an old leader's last words from a new one's."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    fence: Mapped[int] = mapped_column(BigId)


# --- Experiments -------------------------------------------------------------------------------


class Experiment(Base):
    """An experiment: its stored random seed and epoch, what was written down, how far it has come.

    Those of a workflow's ACTIVE_TESTS have the source "workflow" and their weights alone.
    """

    __tablename__ = "experiments"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    seed: Mapped[str] = mapped_column(String(32))
    epoch: Mapped[int] = mapped_column(Integer, default=1)
    source: Mapped[str] = mapped_column(
        String(16), default="workflow", server_default=text("'workflow'")
    )
    status: Mapped[str] = mapped_column(
        String(16), default="running", server_default=text("'running'")
    )
    definition: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    # Counts the edits, so that each assignment tells under which of them it was made.
    revision: Mapped[int] = mapped_column(Integer, default=1, server_default=text("1"))
    winner: Mapped[str | None] = mapped_column(String(64))
    published_version: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stopped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ExperimentEpoch(Base):
    """A stretch of an experiment in which its arms had the same shares; analysis is by these."""

    __tablename__ = "experiment_epochs"

    experiment: Mapped[str] = mapped_column(ForeignKey("experiments.name"), primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    weights: Mapped[dict[str, float]] = mapped_column(Json)
    reason: Mapped[str | None] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Assignment(Base):
    """Which arm a unit got; the first row wins for ever."""

    __tablename__ = "assignments"
    __table_args__ = (UniqueConstraint("experiment", "unit"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    experiment: Mapped[str] = mapped_column(ForeignKey("experiments.name"))
    unit: Mapped[str] = mapped_column(String(255))
    arm: Mapped[str] = mapped_column(String(64))
    propensity: Mapped[float] = mapped_column(Float)
    epoch: Mapped[int] = mapped_column(Integer)
    revision: Mapped[int | None] = mapped_column(Integer)
    workflow_version: Mapped[int] = mapped_column(Integer)
    assigned_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Exposure(Base):
    """The moment a unit was first sent its arm's content."""

    __tablename__ = "exposures"
    __table_args__ = (UniqueConstraint("experiment", "unit"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    experiment: Mapped[str] = mapped_column(ForeignKey("experiments.name"))
    unit: Mapped[str] = mapped_column(String(255))
    session_id: Mapped[str] = mapped_column(String(255))
    arm: Mapped[str] = mapped_column(String(64))
    # The epoch of the assignment: that in which the arm was drawn.
    epoch: Mapped[int] = mapped_column(Integer)
    exposed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Why it is not counted: "alias" (the same person again), "multiple" (they saw two arms).
    excluded: Mapped[str | None] = mapped_column(String(16))


class Conversion(Base):
    """A goal that a unit reached after its exposure, once; its arm is the exposure's."""

    __tablename__ = "conversions"
    __table_args__ = (UniqueConstraint("experiment", "unit", "metric"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    experiment: Mapped[str] = mapped_column(ForeignKey("experiments.name"))
    unit: Mapped[str] = mapped_column(String(255))
    session_id: Mapped[str] = mapped_column(String(255))
    metric: Mapped[str] = mapped_column(String(64))
    arm: Mapped[str] = mapped_column(String(64))
    value: Mapped[float | None] = mapped_column(Float)
    converted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Of the exposure, so that a report over a million of them needs no join.
    epoch: Mapped[int | None] = mapped_column(Integer)
    exposed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    excluded: Mapped[str | None] = mapped_column(String(16))


class UnitAlias(Base):
    """Another visitor id of a person, and the one under which experiments count them."""

    __tablename__ = "unit_aliases"

    unit: Mapped[str] = mapped_column(String(255), primary_key=True)
    canonical: Mapped[str] = mapped_column(String(255), index=True)
    joined_at: Mapped[datetime] = mapped_column(UtcDateTime)


# --- Access ------------------------------------------------------------------------------------


class Person(Base):
    """Somebody who works here: signs in to the console and may do what the role allows."""

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    # In lower case; a lead's owner (`leads.assigned_to`) is this address.
    email: Mapped[str] = mapped_column(String(255), unique=True)
    name: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    # Argon2id; none before the invitation is accepted.
    password_hash: Mapped[str | None] = mapped_column(Text)
    time_zone: Mapped[str | None] = mapped_column(String(64))
    # Of new leads: the share compared with the others, and how many open ones are enough.
    weight: Mapped[int] = mapped_column(Integer, default=1)
    capacity: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ConsoleSession(Base):
    """A browser in which somebody is signed in; only the hash of its secret."""

    __tablename__ = "console_sessions"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    # What the person sees of it to know it again.
    browser: Mapped[str] = mapped_column(String(255))
    address: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OneTimeLink(Base):
    """A link that opens one door once: the first admin, an invitation, a new password."""

    __tablename__ = "one_time_links"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    # set_up, invitation, reset.
    purpose: Mapped[str] = mapped_column(String(16))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    created_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LoginAttempt(Base):
    """A login that failed, so that all processes together can slow the next one down."""

    __tablename__ = "login_attempts"
    __table_args__ = (
        Index("ix_login_attempts_account", "account_sha256", "tried_at"),
        Index("ix_login_attempts_address", "address", "tried_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account_sha256: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    tried_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class CalendarFeed(Base):
    """A secret address at which a calendar reads somebody's follow-ups."""

    __tablename__ = "calendar_feeds"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SavedView(Base):
    """A filter of leads that somebody gave a name."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("person_id", "name"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    name: Mapped[str] = mapped_column(String(255))
    # The query of the list's address.
    query: Mapped[dict[str, Any]] = mapped_column(Json)
    shared: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Suppression(Base):
    """Somebody who must not come back by an import, known by a keyed hash alone."""

    __tablename__ = "suppressions"

    # HMAC-SHA256 of the address or number as compared.
    mark: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ApiKey(Base):
    """A key of another program: what it may do; only the hash of its secret."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    prefix: Mapped[str] = mapped_column(String(16), unique=True)
    secret_sha256: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Written once an hour at most.
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AuditEntry(Base):
    """Who changed what that visitors do not change. Append-only."""

    __tablename__ = "audit_entries"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    actor: Mapped[str] = mapped_column(String(255))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(255))
    detail: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class StoredReply(Base):
    """The reply of an idempotency key, written in the transaction of its effect."""

    __tablename__ = "stored_replies"

    scope: Mapped[str] = mapped_column(String(255), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(Integer)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    headers: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


# --- Imports -----------------------------------------------------------------------------------


class Import(Base):
    """A table of leads that somebody sent: how it is read, how far it is, what came of it."""

    __tablename__ = "imports"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    job_id: Mapped[str] = mapped_column(String(32), index=True)
    # Encoding, delimiter, and what each column is.
    plan: Mapped[dict[str, Any]] = mapped_column(Json)
    size: Mapped[int] = mapped_column(Integer)
    imported: Mapped[int] = mapped_column(Integer, default=0)
    updated: Mapped[int] = mapped_column(Integer, default=0)
    rejected: Mapped[int] = mapped_column(Integer, default=0)
    requested_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # From this moment on everybody sees its leads, all of them at once.
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    file_name: Mapped[str | None] = mapped_column(String(255))
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ImportBlock(Base):
    """A packed part of the file that is imported; gone once it is."""

    __tablename__ = "import_blocks"

    import_id: Mapped[str] = mapped_column(ForeignKey("imports.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class ImportUpdate(Base):
    """What a row says of a lead that is known already; gone once it is written there."""

    __tablename__ = "import_updates"
    __table_args__ = (UniqueConstraint("import_id", "email_key"),)

    import_id: Mapped[str] = mapped_column(ForeignKey("imports.id"), primary_key=True)
    row: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    lead_id: Mapped[int] = mapped_column(BigId)
    email_key: Mapped[str] = mapped_column(String(320))
    change: Mapped[dict[str, Any]] = mapped_column(Json)


class ImportRejection(Base):
    """Why a row of a file was left out; it names the place and never what stood there."""

    __tablename__ = "import_rejections"
    __table_args__ = (Index("ix_import_rejections_import_id", "import_id", "row", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    import_id: Mapped[str] = mapped_column(ForeignKey("imports.id"))
    row: Mapped[int] = mapped_column(Integer)
    field: Mapped[str] = mapped_column(String(64))
    sentence: Mapped[str] = mapped_column(Text)


class ImportMap(Base):
    """What the columns of a kind of table meant the last time, so that nobody maps them twice."""

    __tablename__ = "import_maps"

    # SHA-256 of the column names.
    signature: Mapped[str] = mapped_column(String(64), primary_key=True)
    columns: Mapped[dict[str, Any]] = mapped_column(Json)
    used_by: Mapped[str] = mapped_column(String(255))
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)


# --- Models ------------------------------------------------------------------------------------


class ModelVersion(Base):
    """A trained model: its bytes, so that every machine has it, its card, and whether it serves."""

    __tablename__ = "model_versions"
    __table_args__ = (
        # One model serves a stage, whoever promotes at once.
        Index(
            "uq_model_versions_promoted",
            "stage",
            unique=True,
            postgresql_where=text("status = 'promoted'"),
            sqlite_where=text("status = 'promoted'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    # Before or after somebody spoke with the lead.
    stage: Mapped[str] = mapped_column(String(16))
    # normal, early, or rules: the points where there is too little to learn from.
    label: Mapped[str] = mapped_column(String(16))
    # candidate, promoted, retired, refused.
    status: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64))
    artifact: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    card: Mapped[dict[str, Any]] = mapped_column(Json)
    reasons: Mapped[list[str]] = mapped_column(Json, default=list)
    drift: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    # The first and the last outcome that it learned from.
    data_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    data_to: Mapped[datetime | None] = mapped_column(UtcDateTime)
    requested_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    promoted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LeadPrediction(Base):
    """A lead's probability with its reasons, by the model that said it last."""

    __tablename__ = "lead_predictions"

    lead_id: Mapped[int] = mapped_column(ForeignKey("leads.id"), primary_key=True)
    model_id: Mapped[str | None] = mapped_column(String(32))
    probability: Mapped[float] = mapped_column(Float)
    explanation: Mapped[dict[str, Any]] = mapped_column(Json)
    computed_at: Mapped[datetime] = mapped_column(UtcDateTime)


# --- Guards of the append-only tables ----------------------------------------------------------

APPEND_ONLY = ("user_behaviors", "consents", "audit_entries")
_EVENT_COLUMNS = tuple(name for name in Event.__table__.columns.keys() if name != "personal")


def guards(table: str, dialect: str) -> list[str]:
    """The DDL by which the database itself refuses to rewrite a table's history; [] for others."""
    if table not in (*APPEND_ONLY, "events"):
        return []
    return _postgres_guards(table) if dialect == "postgresql" else _sqlite_guards(table)


def _postgres_guards(table: str) -> list[str]:
    refuse = "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    statements = [
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
        f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    ]
    if table in APPEND_ONLY:
        verbs = "UPDATE OR DELETE"
        return [*statements, f"CREATE TRIGGER append_only BEFORE {verbs} ON {table} {refuse}"]
    changed = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in _EVENT_COLUMNS)
    unless_blanked = f"FOR EACH ROW WHEN (NEW.personal IS NOT NULL OR {changed})"
    return [
        *statements,
        f"CREATE TRIGGER append_only BEFORE DELETE ON events {refuse}",
        f"CREATE TRIGGER blank_only BEFORE UPDATE ON events {unless_blanked}"
        " EXECUTE FUNCTION refuse_change()",
    ]


def _sqlite_guards(table: str) -> list[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    statements = [f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}"]
    if table in APPEND_ONLY:
        return [*statements, f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}"]
    changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in _EVENT_COLUMNS)
    condition = f"WHEN NEW.personal IS NOT NULL OR {changed}"
    update = f"CREATE TRIGGER events_blank_only BEFORE UPDATE ON events {condition} {refuse}"
    return [*statements, update]


def _create_guards(table: Table, connection: Connection, **_: Any) -> None:
    for statement in guards(table.name, connection.dialect.name):
        connection.execute(DDL(statement.replace("%", "%%")))


for _table in Base.metadata.tables.values():
    event.listen(_table, "after_create", _create_guards)


# --- What only PostgreSQL has ------------------------------------------------------------------

# Not among the tables' indexes: SQLite has no such expressions.
POSTGRESQL_INDEXES = {
    "ix_leads_words": ("leads", f"gin ({LEAD_WORDS})"),
    "ix_answers_words": ("answers", f"gin ({ANSWER_WORDS})"),
    # Who came into a stage last: most leads stand where sales end.
    "ix_leads_stage": ("leads", "btree (stage, coalesce(staged_at, created_at), id)"),
    # What an experiment that has just begun brought, among all conversations.
    "ix_sessions_arms": ("sessions", "gin (arms jsonb_path_ops)"),
}


def _index_more(table: Table, connection: Connection, **_: Any) -> None:
    if connection.dialect.name != "postgresql":
        return
    for name, (where, what) in POSTGRESQL_INDEXES.items():
        if where == table.name:
            connection.execute(DDL(f"CREATE INDEX {name} ON {table.name} USING {what}"))


for _name in sorted({_where for _where, _ in POSTGRESQL_INDEXES.values()}):
    event.listen(Base.metadata.tables[_name], "after_create", _index_more)
