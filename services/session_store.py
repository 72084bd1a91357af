"""SessionStore: a session under its lock, and all that one request changed in it, written at once.

What a step changed waits until the unit of work ends (or somebody reads), so that the stored reply
of an idempotency key goes out in the same statement; `services.hot_path` holds the statements.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

import outbox
from engine.flow import next_question, progress
from engine.journey import Fact, Journey, from_plain, to_plain
from engine.points import LedgerRow, row_metadata, step
from engine.vocabulary import FactKind
from engine.workflow import Workflow
from errors import unknown_session
from services import hot_path
from services.hot_path import ReplyKey, Step
from services.resources import Resources
from services.workflow_service import WorkflowService

# Where a unit of work keeps the row it has locked, and what it will write at its end.
_LOCKED, _WAITING = "leadline.locked", "leadline.waiting"


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
    new_facts: list[dict[str, Any]] = field(default_factory=list)
    new_rows: list[LedgerRow] = field(default_factory=list)
    score_before: int = 0
    changed_at: datetime | None = None
    # Whether who asks may be told who the visitor is.
    named: bool = True

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
        fact = {"kind": str(kind), "seq": self.facts, "measured": dict(measured)}
        if personal:
            fact["personal"] = dict(personal)
        self.new_facts.append(fact)
        self.changed_at = now


class SessionStore:
    """Loads sessions and writes what changed in them."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def lock(self, session_id: str) -> Held:
        """The session, with its row and its lead's row locked until the end of this unit."""
        row = self.session.info.pop(_LOCKED, None)
        if row is None or row["id"] != session_id:
            row = self._read(session_id)
        return self._held(row)

    def lock_with_reply(self, session_id: str, key: ReplyKey) -> Any:
        """The same row for a later `lock`, with the reply stored under a key; None if unknown."""
        self.flush()
        row = hot_path.read_locked(self._connection(), session_id, key)
        self.session.info[_LOCKED] = row
        return row

    def read(self, session_id: str) -> Held:
        """The session as it stands, for a reply that changes nothing."""
        self.flush()
        return self._held(hot_path.read(self._connection(), session_id))

    def save(
        self,
        held: Held,
        *,
        lead: Mapping[str, Any] | None = None,
        answer: Mapping[str, Any] | None = None,
    ) -> None:
        """Take what changed in a session, its lead and one answer; written when the unit ends."""
        if not held.new_facts and not lead:
            return
        self.flush()
        self.session.info[_WAITING] = _step(held, self.resources.clock.now(), lead, answer)
        for fact in held.new_facts:
            if fact["kind"] == FactKind.LEAD_CLASSIFIED:
                self.resources.metrics.lead_classified(fact["measured"]["to"])
        held.new_facts, held.new_rows = [], []

    def keep_reply(self, reply: hot_path.Reply) -> bool:
        """Whether a reply goes out together with the step that waits."""
        step = self.session.info.get(_WAITING)
        if step is None:
            return False
        step.reply = reply
        return True

    def flush(self) -> None:
        """Write what waits, so that whoever reads next in this unit finds it."""
        step = self.session.info.pop(_WAITING, None)
        if step is not None:
            hot_path.write(self._connection(), step)
            outbox.ring(self.session)

    def _connection(self) -> Connection:
        """The connection of this unit; what the ORM holds back is written first."""
        if self.session.in_transaction():
            self.session.flush()
        bind = self.session.get_bind()
        assert isinstance(bind, Connection)
        return bind

    def _read(self, session_id: str) -> Any:
        self.flush()
        return hot_path.read_locked(self._connection(), session_id, None)

    def _held(self, row: Mapping[str, Any] | None) -> Held:
        if row is None:
            raise unknown_session()
        workflows = WorkflowService(self.session, self.resources)
        arms, journey = plain(row["arms"]), plain(row["journey"])
        version, points_version = row["workflow_version"], row["points_version"]
        workflow = workflows.get(version, arms)
        return Held(
            id=row["id"],
            lead_id=row["lead_id"],
            visitor_id=row["visitor_id"],
            version=version,
            points_version=points_version,
            arms=arms,
            locale=row["locale"],
            surface=row["surface"],
            started_at=moment(row["started_at"]),
            workflow=workflow,
            points=workflow if points_version == version else workflows.get(points_version),
            journey=from_plain(journey),
            facts=row["facts"],
            score=row["score"],
            score_before=row["score"],
            classification=row["classification"],
            suspicion=row["suspicion"],
            completed_at=row["completed_at"] and moment(row["completed_at"]),
            closed_at=row["closed_at"] and moment(row["closed_at"]),
            shown=dict(journey["shown"]),
            answered_at=journey["answered_at"],
        )


def _step(
    held: Held,
    now: datetime,
    lead: Mapping[str, Any] | None,
    answer: Mapping[str, Any] | None,
) -> Step:
    at = held.changed_at or now
    return Step(
        now=at,
        session_id=held.id,
        lead_id=held.lead_id,
        version=held.version,
        points_version=held.points_version,
        arms=held.arms,
        session=session_values(held, at),
        facts=held.new_facts,
        ledger=[_ledger_row(row) for row in held.new_rows],
        lead=dict(lead or {}),
        answer=answer,
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


def _ledger_row(row: LedgerRow) -> dict[str, Any]:
    return {
        "behavior_type": row.action,
        "subject": row.subject,
        "generation": row.generation,
        "behavior_metadata": row_metadata(row),
        "score_impact": row.points,
        "event_seq": row.event_seq,
    }


def plain(value: Any) -> Any:
    """A JSON column as the driver gave it: PostgreSQL's reads it, SQLite's does not."""
    return json.loads(value) if isinstance(value, str) else value


def moment(value: Any) -> datetime:
    """A moment as the driver gave it: aware, or SQLite's text in UTC."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value.astimezone(UTC) if isinstance(value, datetime) else value
