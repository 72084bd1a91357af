"""Facts out of a transaction, deliveries into the world: record.

A fact is written in the transaction that made it true. Whoever must react reads the facts later, so
that no Slack, CRM or alert rule can slow or spoil a visitor's answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from models import Event


@dataclass(frozen=True)
class NewFact:
    """Something that has just happened, in its two halves.

    `measured` holds what rules and counts read (ids, lengths, seconds), `personal` what was typed;
    erasure blanks the second and leaves the first.
    """

    kind: str
    occurred_at: datetime
    measured: Mapping[str, Any] = field(default_factory=dict)
    personal: Mapping[str, Any] | None = None
    lead_id: int | None = None
    session_id: str | None = None
    seq: int | None = None
    workflow_version: int | None = None
    arms: Mapping[str, str] | None = None
    idempotency_key: str | None = None


def record(session: Session, *facts: NewFact) -> None:
    """Write facts into the log, in this transaction."""
    if facts:
        session.execute(insert(Event), [_row(fact) for fact in facts])


def _row(fact: NewFact) -> dict[str, Any]:
    return {
        "kind": str(fact.kind),
        "lead_id": fact.lead_id,
        "session_id": fact.session_id,
        "seq": fact.seq,
        "measured": dict(fact.measured),
        "personal": dict(fact.personal) if fact.personal else None,
        "occurred_at": fact.occurred_at,
        "recorded_at": fact.occurred_at,
        "workflow_version": fact.workflow_version,
        "arms": dict(fact.arms) if fact.arms else None,
        "idempotency_key": fact.idempotency_key,
    }


def facts_of(sessions: Sequence[str]) -> Any:
    """The statement that reads the numbered facts of sessions, without what was typed."""
    return (
        select(Event.session_id, Event.seq, Event.kind, Event.measured)
        .where(Event.session_id.in_(sessions), Event.seq.is_not(None))
        .order_by(Event.session_id, Event.seq)
    )
