"""The enums that tables, wire and rules share."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class QuestionType(StrEnum):
    """What kind of answer a question takes."""

    CHOICE = "choice"
    MULTI_CHOICE = "multi_choice"
    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    NUMBER = "number"
    DATE = "date"
    RATING = "rating"
    CONSENT = "consent"

    @property
    def is_closed(self) -> bool:
        """Whether every accepted answer is one of a few known values, so nothing personal."""
        return self in (self.CHOICE, self.MULTI_CHOICE, self.RATING, self.CONSENT)


class Action(StrEnum):
    """What a visitor did, in the word we store."""

    SESSION_OPENED = "session_opened"
    REPLIED_TO_GREETING = "replied_to_greeting"
    ANSWERED_QUESTION = "answered_question"
    ANSWERED_ALL_QUESTIONS = "answered_all_questions"
    SHARED_CONTACT = "shared_contact"
    CLICKED_PRODUCT = "clicked_product"
    DEMO_REQUESTED = "demo_requested"
    CTA_CLICKED = "cta_clicked"
    QUICK_REPLY = "quick_reply"
    DETAILED_ANSWER = "detailed_answer"
    CONSENT_GIVEN = "consent_given"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    CONFIRMED_SUMMARY = "confirmed_summary"
    EMAIL_OPEN = "email_open"
    EMAIL_CLICK = "email_click"
    EMAIL_REPLY = "email_reply"
    WEBSITE_VISIT = "website_visit"
    PRICING_REQUEST = "pricing_request"


# Three older systems each had a word of their own for one thing.
ACTION_ALIASES = {
    "clicked_demo": Action.DEMO_REQUESTED,
    "demo_request": Action.DEMO_REQUESTED,
}

# What the server sees for itself; a client that says it again earns nothing.
SERVER_ACTIONS = frozenset(
    {
        Action.SESSION_OPENED,
        Action.ANSWERED_QUESTION,
        Action.ANSWERED_ALL_QUESTIONS,
        Action.SHARED_CONTACT,
        Action.QUICK_REPLY,
        Action.DETAILED_ANSWER,
    }
)

ENGAGEMENT_ACTIONS = frozenset(
    {
        Action.EMAIL_OPEN,
        Action.EMAIL_CLICK,
        Action.EMAIL_REPLY,
        Action.WEBSITE_VISIT,
        Action.PRICING_REQUEST,
    }
)

DEFAULT_POINTS: dict[Action, int] = {
    Action.SESSION_OPENED: 5,
    Action.REPLIED_TO_GREETING: 5,
    Action.ANSWERED_QUESTION: 5,
    Action.ANSWERED_ALL_QUESTIONS: 10,
    Action.SHARED_CONTACT: 10,
    Action.CLICKED_PRODUCT: 5,
    Action.DEMO_REQUESTED: 15,
    Action.CTA_CLICKED: 15,
    Action.QUICK_REPLY: 5,
    Action.DETAILED_ANSWER: 5,
}


def find_action(word: str) -> Action | None:
    """The action that a caller's word or alias names, if any."""
    if word in ACTION_ALIASES:
        return ACTION_ALIASES[word]
    return Action(word) if word in Action._value2member_map_ else None


class Classification(StrEnum):
    """What the points make of a lead."""

    SQL = "SQL"
    MQL = "MQL"
    UNQUALIFIED = "Unqualified"


class Tier(StrEnum):
    """How soon somebody should call."""

    HOT = "hot"
    WARM = "warm"
    COLD = "cold"


class FactKind(StrEnum):
    """What can have happened; past tense, as it stands in the log."""

    SESSION_STARTED = "session.started"
    SESSION_RESCORED = "session.rescored"
    ANSWER_RECORDED = "answer.recorded"
    ANSWER_REASKED = "answer.reasked"
    BEHAVIOR_REPORTED = "behavior.reported"
    PROFILE_UPDATED = "profile.updated"
    JOURNEY_COMPLETED = "journey.completed"
    LEAD_CREATED = "lead.created"
    LEAD_CLASSIFIED = "lead.classified"
    LEAD_EDITED = "lead.edited"
    LEAD_DELETED = "lead.deleted"
    LEAD_ERASED = "lead.erased"
    ERASURE_REQUESTED = "erasure.requested"
    # Into the fact's lead, from those that `merged` names.
    LEAD_MERGED = "lead.merged"
    # Out of the fact's lead again, that which `parted` names.
    LEAD_PARTED = "lead.parted"
    LEAD_RESTORED = "lead.restored"
    # A whole table of leads, all of them at once; its leads have their own facts, told to nobody.
    LEAD_IMPORTED = "lead.imported"
    IMPORT_UNDONE = "import.undone"
    IMPORT_REDONE = "import.redone"
    EXPERIMENT_EXPOSED = "experiment.exposed"
    EXPERIMENT_CONVERTED = "experiment.converted"
    EXPERIMENT_CREATED = "experiment.created"
    EXPERIMENT_EDITED = "experiment.edited"
    # By a bandit, for the visitors to come.
    EXPERIMENT_REWEIGHTED = "experiment.reweighted"
    EXPERIMENT_STARTED = "experiment.started"
    EXPERIMENT_PAUSED = "experiment.paused"
    EXPERIMENT_STOPPED = "experiment.stopped"
    EXPERIMENT_DECIDED = "experiment.decided"
    WORKFLOW_PUBLISHED = "workflow.published"
    ALERT_REQUESTED = "alert.requested"
    ACTIVITY_LOGGED = "activity.logged"
    FOLLOW_UP_SET = "follow_up.set"
    FOLLOW_UP_DONE = "follow_up.done"
    FOLLOW_UP_DUE = "follow_up.due"
    FOLLOW_UP_MOVED = "follow_up.moved"
    # Somebody wants it in their own calendar, or there no more.
    FOLLOW_UP_INVITED = "follow_up.invited"
    LEAD_ASSIGNED = "lead.assigned"
    LEAD_STAGED = "lead.staged"
    LEAD_SNOOZED = "lead.snoozed"
    LEAD_WOKEN = "lead.woken"
    # An ended sale that starts anew, in another campaign.
    LEAD_RECYCLED = "lead.recycled"
    OUTCOME_RECORDED = "outcome.recorded"
    ALERT_RAISED = "alert.raised"
    DIGEST_MADE = "digest.made"
    DESTINATION_STOPPED = "destination.stopped"
    TIER_CHANGED = "lead.tier_changed"
    SETTINGS_CHANGED = "settings.changed"
    MODEL_TRAINED = "model.trained"
    MODEL_PROMOTED = "model.promoted"
    MODEL_RETURNED = "model.returned"
    # For work, by its score or by chance; with the propensity that it had.
    LEAD_CHOSEN = "lead.chosen"


# What somebody must hear of: each of these facts is handed to the relay when it is recorded.
RELAYED = frozenset(
    {
        FactKind.SESSION_STARTED,
        FactKind.SESSION_RESCORED,
        FactKind.ANSWER_RECORDED,
        FactKind.BEHAVIOR_REPORTED,
        FactKind.PROFILE_UPDATED,
        FactKind.JOURNEY_COMPLETED,
        FactKind.LEAD_CREATED,
        FactKind.LEAD_CLASSIFIED,
        FactKind.LEAD_EDITED,
        FactKind.LEAD_IMPORTED,
        FactKind.LEAD_MERGED,
        FactKind.LEAD_PARTED,
        FactKind.LEAD_ASSIGNED,
        FactKind.LEAD_STAGED,
        FactKind.ACTIVITY_LOGGED,
        FactKind.FOLLOW_UP_DUE,
        FactKind.FOLLOW_UP_MOVED,
        FactKind.FOLLOW_UP_DONE,
        FactKind.OUTCOME_RECORDED,
        FactKind.EXPERIMENT_DECIDED,
        FactKind.TIER_CHANGED,
        FactKind.DESTINATION_STOPPED,
        FactKind.MODEL_PROMOTED,
        FactKind.MODEL_RETURNED,
    }
)


# What an import does is done in its name, "import imp_…", by which rules tell history from news.
IMPORT_ACTOR = "import "


class Profile(StrEnum):
    """A named rule set that makes a score of what is known about a lead."""

    CORE_POINTS = "core_points"
    CRM_RULES = "crm_rules"
    ENGAGEMENT_WEIGHTED = "engagement_weighted"
    ML_PROBABILITY = "ml_probability"


class ModelKind(StrEnum):
    """Which estimator learns from the outcomes."""

    BLEND = "blend"
    BOOSTING = "boosting"
    LIGHTGBM = "lightgbm"
    # What an older portal used; here to be compared with.
    RANDOM_FOREST_SMOTE = "random_forest_smote"

    @property
    def serves(self) -> bool:
        """Whether a workspace may let it answer: it must be calibrated."""
        return self is not ModelKind.RANDOM_FOREST_SMOTE

    @property
    def needs(self) -> tuple[str, str] | None:
        """The module, and the package it comes in, that must be there besides; None for none."""
        if self is ModelKind.LIGHTGBM:
            return "lightgbm", "lightgbm"
        return ("imblearn", "imbalanced-learn") if not self.serves else None

    @property
    def advice(self) -> str:
        """What to do where that package is not there."""
        package = self.needs[1] if self.needs else "scikit-learn"
        return (
            f"{self} needs the package {package}, which is not installed here: run"
            f" `pip install {package}`, or choose {ModelKind.BLEND}."
        )


class Trigger(StrEnum):
    """What is worth an alert: something about a lead, or about what judges all of them."""

    BECAME_SQL = "became_sql"
    BECAME_HOT = "became_hot"
    DEMO_REQUESTED = "demo_requested"
    CONTACT_SHARED = "contact_shared"
    JOURNEY_COMPLETED = "journey_completed"
    LEAD_ASSIGNED = "lead_assigned"
    FOLLOW_UP_DUE = "follow_up_due"
    DEAL_WON = "deal_won"
    MODEL_PROMOTED = "model_promoted"
    MODEL_RETURNED = "model_returned"


class ChannelName(StrEnum):
    """The ways by which an alert reaches people."""

    EMAIL = "email"
    SLACK = "slack"
    DISCORD = "discord"
    TEAMS = "teams"
    WEBHOOK = "webhook"
    OTHER = "other"


class DeliveryStatus(StrEnum):
    """How far a message to one destination has come."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    RETRY = "retry"
    UNKNOWN = "unknown"
    DEAD = "dead"
    HELD = "held"


class JobStatus(StrEnum):
    """How far a piece of background work has come."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class ActivityKind(StrEnum):
    """What a salesperson did with a lead."""

    CALL = "call"
    EMAIL = "email"
    MEETING = "meeting"
    NOTE = "note"


class StageKind(StrEnum):
    """What a stage of the pipeline means, whatever it is called."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class Outcome(StrEnum):
    """How the sale ended."""

    WON = "won"
    LOST = "lost"


class Scope(StrEnum):
    """What an API key may do; `write` includes `read` of its kind, `admin` includes all."""

    LEADS_READ = "leads:read"
    LEADS_WRITE = "leads:write"
    LEADS_EXPORT = "leads:export"
    ANALYTICS_READ = "analytics:read"
    ALERTS_READ = "alerts:read"
    ALERTS_WRITE = "alerts:write"
    PREDICTIONS_READ = "predictions:read"
    PREDICTIONS_WRITE = "predictions:write"
    MODELS_READ = "models:read"
    MODELS_WRITE = "models:write"
    EXPERIMENTS_READ = "experiments:read"
    EXPERIMENTS_WRITE = "experiments:write"
    IMPORTS_WRITE = "imports:write"
    ADMIN = "admin"


def grants(held: frozenset[str], needed: Scope) -> bool:
    """Whether the scopes that a key holds allow what is needed."""
    if Scope.ADMIN in held or needed in held:
        return True
    kind, _, verb = needed.partition(":")
    return verb == "read" and f"{kind}:write" in held


# The profile fields with a column of their own; every other key is a custom attribute.
PROFILE_FIELDS = (
    "name",
    "email",
    "phone",
    "company",
    "business_type",
    "location",
    "staff_size",
    "monthly_sales",
    "features_interested",
)

# What only the server, sales or a model decides; refused from visitors with 422 `unknown_field`.
PROTECTED_FIELDS = frozenset(
    {
        "id",
        "lead_id",
        "session_id",
        "public_ref",
        "lead_score",
        "score",
        "score_category",
        "score_change",
        "score_impact",
        "classification",
        "lead_classification",
        "lead_type",
        "tier",
        "probability",
        "explanation",
        "stage",
        "status",
        "outcome",
        "assigned_to",
        "campaign",
        "source",
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "utm_term",
        "utm_content",
        "contact_info",
        "email_key",
        "phone_e164",
        "attributes",
        "suspicion",
        "created_at",
        "updated_at",
        "deleted_at",
        "last_activity",
        "last_activity_at",
        "session_start_time",
    }
)

UTM_FIELDS = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")

# One value under every name that an older system gave it.
TWINS = (
    ("classification", ("lead_type", "lead_classification")),
    ("action", ("behavior_type",)),
    ("score_change", ("score_impact",)),
)


def every_name(said: Mapping[str, Any]) -> dict[str, Any]:
    """A reply under every name that one of the older systems gave its parts.

    Only the reply's own parts are looked at, never a visitor's attributes inside it.
    """
    reply = _named(said)
    if isinstance(reply.get("lead_data"), Mapping):
        reply["lead_data"] = _named(reply["lead_data"])
    if isinstance(reply.get("leads"), list):
        reply["leads"] = [_named(lead) for lead in reply["leads"]]
    return reply


def _named(part: Mapping[str, Any]) -> dict[str, Any]:
    named = dict(part)
    for name, others in TWINS:
        if name in named:
            for other in others:
                named.setdefault(other, named[name])
    return named
