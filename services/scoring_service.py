"""ScoringService: behaviours, the ledger of points, the class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from engine.points import tier_for
from engine.vocabulary import (
    ENGAGEMENT_ACTIONS,
    SERVER_ACTIONS,
    Action,
    FactKind,
    Profile,
    every_name,
    find_action,
)
from engine.workflow import Workflow
from errors import NotFound, invalid_field
from lib.clock import iso
from lib.crypto import sha256_hex
from lib.on_class import on_class
from models import Consent, Event, Lead, UserBehavior
from services.lead_scores import LeadScores
from services.prediction_service import PredictionService
from services.resources import Resources
from services.session_store import Held, SessionStore
from services.workflow_service import WorkflowService

_CONSENTS = (Action.CONSENT_GIVEN, Action.CONSENT_WITHDRAWN)


class ScoringService:
    """What a visitor did and what it earned."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.store = SessionStore(session, resources)

    @on_class
    def calculate_score(self, session_id: str) -> int | None:
        """The score of a session, summed from its ledger; None for an unknown session."""
        try:
            self.store.read(session_id)
        except NotFound:
            return None
        return sum(row.score_impact for row in self.find_ledger(session_id))

    @on_class
    def classify_lead(self, score: float) -> str:
        """The class of a score under the workflow in force."""
        return str(self._in_force().classify(score))

    @on_class
    def log_behavior(
        self, session_id: str, behavior: str, metadata: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """Keep a behaviour and give its points; None for an unknown session."""
        try:
            kept = self.record_behavior(session_id, behavior, metadata)
        except NotFound:
            return None
        return every_name({**kept, "score": kept["score_change"]})

    def record_behavior(
        self, session_id: str, word: str, metadata: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Keep what a visitor did; it earns its points once, however often it is said."""
        action = find_action(word)
        if action is None:
            raise invalid_field("action", "There is no action of this name.", code="unknown_action")
        held = self.store.lock(session_id)
        now = self.resources.clock.now()
        action, subject = subject_of(held.workflow, action, metadata or {})
        if self._is_new(held, action, subject):
            measured = {"action": str(action), "subject": subject}
            personal = {"metadata": dict(metadata)} if metadata else None
            held.record(FactKind.BEHAVIOR_REPORTED, now, measured, personal)
            self._keep_consent(held, action, metadata or {}, now)
            self.store.save(held)
            self.resources.metrics.behaviors.inc()
        return {
            "session_id": held.id,
            "action": word,
            "score_change": held.score_change,
            "lead_score": held.score,
            "classification": held.classification,
        }

    def find_ledger(self, session_id: str) -> Sequence[UserBehavior]:
        """Every award and reversal of a session, in order."""
        return self.session.scalars(
            select(UserBehavior)
            .where(UserBehavior.session_id == session_id)
            .order_by(UserBehavior.id)
        ).all()

    def find_score(self, session_id: str, *, full: bool) -> dict[str, Any]:
        """A session's score as a readable sum."""
        held = self.store.read(session_id)
        scores = LeadScores(self.session, self.resources)
        hot, warm = scores.tiers(Profile.CORE_POINTS)
        predictions = PredictionService(self.session, self.resources)
        reply: dict[str, Any] = {
            "session_id": session_id,
            "lead_score": held.score,
            "classification": held.classification,
            "breakdown": summed(self.find_ledger(session_id)),
            "thresholds": {
                "sql": held.points.sql_threshold,
                "mql": held.points.mql_threshold,
                "hot": hot,
                "warm": warm,
            },
            "tier": str(tier_for(held.score, hot=hot, warm=warm)),
            **predictions.shown(held.lead_id, full=full),
            "profiles": scores.find(self.session.get_one(Lead, held.lead_id)),
            "workflow_version": held.points_version,
        }
        if not full:
            reply["profiles"].pop(Profile.ML_PROBABILITY, None)
        return reply if full else {**reply, "masked": True}

    def find_behaviors(self, session_id: str) -> list[dict[str, Any]]:
        """The points summed by action, then what earned none, with how often each happened."""
        rows = summed(self.find_ledger(session_id))
        known = {row["action"] for row in rows}
        reported: dict[str, int] = {}
        for measured in self.session.scalars(
            select(Event.measured).where(
                Event.session_id == session_id, Event.kind == FactKind.BEHAVIOR_REPORTED
            )
        ):
            action = str(measured["action"])
            if action not in known:
                reported[action] = reported.get(action, 0) + 1
        return rows + [_summed_row(action, count, 0) for action, count in reported.items()]

    def _in_force(self) -> Workflow:
        return WorkflowService(self.session, self.resources).in_force().workflow

    def _is_new(self, held: Held, action: Action, subject: str) -> bool:
        """Said again, a click changes nothing; a signal or a consent is a fact each time."""
        if action in SERVER_ACTIONS:
            return False
        if action in ENGAGEMENT_ACTIONS or action in _CONSENTS:
            return True
        return (str(action), subject) not in held.journey.clicks

    def _keep_consent(
        self, held: Held, action: Action, metadata: Mapping[str, Any], now: datetime
    ) -> None:
        """The proof of what was agreed to: which text, in which words, when and where."""
        if action not in _CONSENTS:
            return
        shown = held.workflow.consent
        version = str(metadata.get("text_version") or (shown.version if shown else ""))[:64]
        known = shown is not None and shown.version == version
        text = held.workflow.text("consent", held.locale) if known else None
        row = {
            "session_id": held.id,
            "purpose": "contact",
            "given": action == Action.CONSENT_GIVEN,
            "text_version": version,
            "text_sha256": sha256_hex(text) if text else None,
            "locale": held.locale,
            "surface": held.surface,
            "recorded_at": now,
        }
        self.session.execute(insert(Consent).values(row))


def subject_of(
    workflow: Workflow, action: Action, metadata: Mapping[str, Any]
) -> tuple[Action, str]:
    """What an action is about: a product's or call's id, or "" for one that has no known name.

    A call to action that is really a demo counts as the demo.
    """
    if action == Action.CLICKED_PRODUCT:
        product = workflow.find_product(_name(metadata, "product"))
        return action, product.id if product else ""
    if action == Action.CTA_CLICKED:
        call = workflow.find_call_to_action(_name(metadata, "cta"))
        if call and call.action != Action.CTA_CLICKED:
            return call.action, ""
        return action, call.id if call else ""
    return action, ""


def summed(ledger: Sequence[UserBehavior]) -> list[dict[str, Any]]:
    """The ledger by action: how many awards stand, and their points."""
    by_action: dict[str, dict[str, int]] = {}
    for row in ledger:
        subjects = by_action.setdefault(row.behavior_type, {})
        subjects[row.subject] = subjects.get(row.subject, 0) + row.score_impact
    return [
        _summed_row(
            action, sum(1 for points in subjects.values() if points), sum(subjects.values())
        )
        for action, subjects in by_action.items()
    ]


def ledger_view(row: UserBehavior) -> dict[str, Any]:
    """One award as the wire shows it, in every older name."""
    return {
        "action": row.behavior_type,
        "behavior_type": row.behavior_type,
        "metadata": row.behavior_metadata,
        "score": row.score_impact,
        "score_change": row.score_impact,
        "score_impact": row.score_impact,
        "workflow_version": row.workflow_version,
        "timestamp": iso(row.timestamp),
    }


def _summed_row(action: str, count: int, score: int) -> dict[str, Any]:
    return {
        "action": action,
        "behavior_type": action,
        "count": count,
        "score": score,
        "score_change": score,
        "score_impact": score,
    }


def _name(metadata: Mapping[str, Any], key: str) -> str:
    value = metadata.get(key)
    return value if isinstance(value, str) and len(value) <= 200 else ""
