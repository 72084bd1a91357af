"""SessionStore: a session under its lock, and all that one request changed in it, written at once.

This is the one named place of the hot path: one statement reads a session and its lead under lock,
one each writes the new facts, the new ledger rows, the session and the lead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

import outbox
from engine.flow import next_question, progress
from engine.journey import Fact, Journey, from_plain, to_plain
from engine.points import LedgerRow, row_metadata, step
from engine.vocabulary import FactKind
from engine.workflow import Workflow
from errors import unknown_session
from models import Conversation, Lead, UserBehavior
from outbox import NewFact
from services.resources import Resources
from services.workflow_service import WorkflowService

_COLUMNS = (
    Conversation.id,
    Conversation.lead_id,
    Conversation.visitor_id,
    Conversation.workflow_version,
    Conversation.points_version,
    Conversation.arms,
    Conversation.locale,
    Conversation.surface,
    Conversation.suspicion,
    Conversation.journey,
    Conversation.facts,
    Conversation.score,
    Conversation.classification,
    Conversation.started_at,
    Conversation.completed_at,
    Conversation.closed_at,
)


@dataclass
class Held:
    """One session while a request works on it: where it stands, and what is new."""

    id: str
    lead_id: int
    visitor_id: str | None
    version: int
    points_version: int
    arms: Mapping[str, str]
    locale: str | None
    surface: str
    started_at: datetime
    workflow: Workflow
    points: Workflow
    journey: Journey = field(default_factory=Journey)
    facts: int = 0
    score: int = 0
    classification: str = "Unqualified"
    suspicion: str | None = None
    completed_at: datetime | None = None
    closed_at: datetime | None = None
    # When each question was last put before the visitor, and when the last answer came (seconds).
    shown: dict[str, float] = field(default_factory=dict)
    answered_at: float | None = None
    new_facts: list[NewFact] = field(default_factory=list)
    new_rows: list[LedgerRow] = field(default_factory=list)
    score_before: int = 0

    @property
    def score_change(self) -> int:
        """By how much this request changed the score."""
        return self.score - self.score_before

    def record(
        self,
        kind: FactKind,
        now: datetime,
        measured: Mapping[str, Any],
        personal: Mapping[str, Any] | None = None,
    ) -> None:
        """One more fact: the journey, the ledger, the score and the class follow from it."""
        self._keep(kind, now, measured, personal)
        fact = Fact(self.facts, kind, measured)
        self.journey, rows = step(self.journey, fact, self.workflow, self.points)
        self.new_rows.extend(rows)
        self.score = self.journey.score
        self._classify(now)
        self._complete(now)
        if self.journey.closed and self.closed_at is None:
            self.closed_at = now

    def next_question_id(self) -> int | None:
        """The question that stands open, if any."""
        question = next_question(self.workflow, self.journey)
        return question.id if question else None

    def seconds_since_shown(self, question_id: int, now: datetime) -> float:
        """How long the visitor had: since the question was shown, the last answer, or the start."""
        since = self.shown.get(str(question_id), self.answered_at)
        return max(0.0, now.timestamp() - (self.started_at.timestamp() if since is None else since))

    def _classify(self, now: datetime) -> None:
        classification = str(self.points.classify(self.score))
        if classification == self.classification:
            return
        measured = {"from": self.classification, "to": classification, "score": self.score}
        self.classification = classification
        self._keep(FactKind.LEAD_CLASSIFIED, now, measured)

    def _complete(self, now: datetime) -> None:
        far = progress(self.workflow, self.journey)
        if self.completed_at is None and far.total and far.completed:
            self.completed_at = now
            measured = {"answered": far.answered, "skipped": far.skipped}
            self._keep(FactKind.JOURNEY_COMPLETED, now, measured)

    def _keep(
        self,
        kind: FactKind,
        now: datetime,
        measured: Mapping[str, Any],
        personal: Mapping[str, Any] | None = None,
    ) -> None:
        self.facts += 1
        fact = NewFact(
            kind=kind,
            occurred_at=now,
            measured=measured,
            personal=personal,
            lead_id=self.lead_id,
            session_id=self.id,
            seq=self.facts,
            workflow_version=self.version,
            arms=self.arms,
        )
        self.new_facts.append(fact)


class SessionStore:
    """Loads sessions and writes what changed in them."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def lock(self, session_id: str) -> Held:
        """The session, with its row and its lead's row locked until the end of this unit."""
        return self._load(_select().with_for_update(), session_id)

    def read(self, session_id: str) -> Held:
        """The session as it stands, for a reply that changes nothing."""
        return self._load(_select(), session_id)

    def save(
        self, held: Held, *, lead: Mapping[str, Any] | None = None, is_new: bool = False
    ) -> None:
        """Write the new facts and ledger rows of a session, its row, and its lead's row.

        `lead` holds further columns of the lead; the row of a session that `is_new` is just made.
        """
        if not held.new_facts and not lead:
            return
        now = held.new_facts[-1].occurred_at if held.new_facts else self.resources.clock.now()
        outbox.record(self.session, *held.new_facts)
        if held.new_rows:
            self.session.execute(insert(UserBehavior), ledger_rows(held, now))
        if not is_new:
            row = update(Conversation).where(Conversation.id == held.id)
            self.session.execute(row.values(session_values(held, now)))
        self._save_lead(held, now, lead or {})
        self._count(held)
        held.new_facts, held.new_rows = [], []

    def _save_lead(self, held: Held, now: datetime, changed: Mapping[str, Any]) -> None:
        """A lead's score is that of its best session; nearly always it has one."""
        others = (
            select(func.max(Conversation.score))
            .where(Conversation.lead_id == held.lead_id)
            .scalar_subquery()
        )
        values: dict[str, Any] = {"updated_at": now, "last_activity_at": now, **changed}
        if held.score_change:
            values["lead_score"] = others
            values["lead_classification"] = held.classification
        self.session.execute(update(Lead).where(Lead.id == held.lead_id).values(values))

    def _count(self, held: Held) -> None:
        for fact in held.new_facts:
            if fact.kind == FactKind.LEAD_CLASSIFIED:
                self.resources.metrics.lead_classified(str(fact.measured["to"]))

    def _load(self, statement: Select[Any], session_id: str) -> Held:
        row = self.session.execute(statement, {"session_id": session_id}).one_or_none()
        if row is None:
            raise unknown_session()
        return self._held(row)

    def _held(self, row: Row[Any]) -> Held:
        workflows = WorkflowService(self.session, self.resources)
        workflow = workflows.get(row.workflow_version, row.arms)
        points = workflow
        if row.points_version != row.workflow_version:
            points = workflows.get(row.points_version)
        return Held(
            id=row.id,
            lead_id=row.lead_id,
            visitor_id=row.visitor_id,
            version=row.workflow_version,
            points_version=row.points_version,
            arms=row.arms,
            locale=row.locale,
            surface=row.surface,
            started_at=row.started_at,
            workflow=workflow,
            points=points,
            journey=from_plain(row.journey),
            facts=row.facts,
            score=row.score,
            score_before=row.score,
            classification=row.classification,
            suspicion=row.suspicion,
            completed_at=row.completed_at,
            closed_at=row.closed_at,
            shown=dict(row.journey["shown"]),
            answered_at=row.journey["answered_at"],
        )


def _select() -> Select[Any]:
    """A deleted lead takes its sessions with it: to everybody outside they are unknown."""
    return (
        select(*_COLUMNS)
        .join(Lead, Lead.id == Conversation.lead_id)
        .where(Conversation.id == bindparam("session_id"), Lead.deleted_at.is_(None))
    )


def session_values(held: Held, now: datetime) -> dict[str, Any]:
    """The columns of a session's row that its facts decide."""
    following = held.next_question_id()
    if following is not None and str(following) not in held.shown:
        held.shown[str(following)] = now.timestamp()
    return {
        "journey": {
            **to_plain(held.journey),
            "shown": held.shown,
            "answered_at": held.answered_at,
        },
        "facts": held.facts,
        "score": held.score,
        "classification": held.classification,
        "suspicion": held.suspicion,
        "next_question_id": following,
        "last_activity_at": now,
        "completed_at": held.completed_at,
        "closed_at": held.closed_at,
    }


def ledger_rows(held: Held, now: datetime) -> list[dict[str, Any]]:
    """The new ledger rows as the table takes them."""
    return [
        {
            "session_id": held.id,
            "behavior_type": row.action,
            "subject": row.subject,
            "generation": row.generation,
            "behavior_metadata": row_metadata(row),
            "score_impact": row.points,
            "event_seq": row.event_seq,
            "workflow_version": held.points_version,
            "timestamp": now.astimezone(UTC),
        }
        for row in held.new_rows
    ]
