"""SalesStep: one lead under its lock while sales does one thing with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

import outbox
from engine.vocabulary import FactKind
from errors import invalid_field, unknown_lead
from lib.clock import iso
from models import Lead
from services.account_service import AccountService
from services.lead_list import lead_row
from services.lead_scores import LeadScores
from services.lead_visibility import is_visible
from services.resources import Resources

# Clocks differ a little; what lies further ahead has not happened.
LARGEST_LEAD_OF_A_CLOCK = timedelta(minutes=5)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LONGEST_PLAN = timedelta(days=3660)
_SCORE = ("score", "lead_score", "score_category", "classification")


class SalesStep:
    """What somebody does with a lead: its columns, its facts, the audit, the score after it."""

    def __init__(self, session: Session, resources: Resources, lead_id: int, actor: str) -> None:
        self.session = session
        self.resources = resources
        self.actor = actor
        self.now = resources.clock.now()
        self.lead = _locked(session, lead_id)

    def record(
        self,
        kind: FactKind,
        measured: Mapping[str, Any],
        *,
        personal: Mapping[str, Any] | None = None,
        occurred_at: datetime | None = None,
    ) -> None:
        """One more fact of this lead, outside of any conversation and so without a number in one.

        Names of staff are measured: who is to be told depends on them, and erasing a lead does
        not erase who worked it. What somebody wrote about the lead is personal.
        """
        fact = outbox.NewFact(
            kind,
            occurred_at or self.now,
            measured={**measured, "actor": self.actor},
            personal=personal,
            lead_id=self.lead.id,
            recorded_at=self.now,
        )
        outbox.record(self.session, fact)

    def set(self, **columns: Any) -> None:
        """Write columns of the lead."""
        statement = update(Lead).where(Lead.id == self.lead.id)
        self.session.execute(statement.values(updated_at=self.now, **columns))
        self.session.refresh(self.lead)

    def audit(self, action: str, detail: dict[str, Any]) -> None:
        """Keep who did it."""
        accounts = AccountService(self.session, self.resources)
        accounts.audit(self.actor, action, f"lead {self.lead.id}", detail)

    def score(self) -> dict[str, Any]:
        """The lead's score as it stands now."""
        self.session.flush()
        scores = LeadScores(self.session, self.resources)
        score = scores.in_queue(self.lead)
        row = lead_row(self.lead, {}, score=score, tier=scores.queue().tier(score))
        return {name: row[name] for name in _SCORE}

    def happened(self, moment: datetime | None) -> datetime:
        """When something happened that somebody tells us of now; Invalid if that cannot be."""
        if moment is None:
            return self.now
        if not EARLIEST <= moment <= self.now + LARGEST_LEAD_OF_A_CLOCK:
            last = iso(self.now, "seconds")
            sentence = f"It must have happened between {EARLIEST.year} and now ({last})."
            raise invalid_field("occurred_at", sentence)
        return min(moment, self.now)

    def planned(self, name: str, moment: datetime) -> datetime:
        """When something is to happen; Invalid where nobody can mean that."""
        if not EARLIEST <= moment <= self.now + LONGEST_PLAN:
            sentence = f"It must lie between {EARLIEST.year} and ten years from now."
            raise invalid_field(name, sentence)
        return moment


def _locked(session: Session, lead_id: int) -> Lead:
    lead = session.scalar(
        select(Lead)
        .where(Lead.id == lead_id, *is_visible())
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if lead is None:
        raise unknown_lead()
    return lead
