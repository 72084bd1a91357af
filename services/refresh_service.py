"""RefreshService: brings the scores of all leads up to date, page by page."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from engine.vocabulary import FactKind
from models import Conversation, Lead
from services.lead_scores import LeadScores
from services.resources import Resources
from services.session_store import Held, SessionStore
from services.workflow_service import Pinned, WorkflowService


class RefreshService:
    """What time has done to scores, and what a new version of the workflow makes of old talks."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def count(self) -> int:
        """How many leads there are."""
        there = select(func.count()).select_from(Lead).where(Lead.deleted_at.is_(None))
        return self.session.scalar(there) or 0

    def page(self, after: int, limit: int) -> Sequence[int]:
        """The next leads after one, by number."""
        statement = select(Lead.id).where(Lead.id > after, Lead.deleted_at.is_(None))
        return self.session.scalars(statement.order_by(Lead.id).limit(limit)).all()

    def renew(self, lead_ids: Sequence[int]) -> int:
        """Recency, tiers and probabilities of leads; how many changed notably.

        The points stay those of the version that each session has, whichever is in force.
        """
        return LeadScores(self.session, self.resources).renew_many(lead_ids)

    def rescore(self, lead_ids: Sequence[int]) -> int:
        """Every session of these leads under the version in force; how many leads have new points.

        That is a fact of each session, and the ledger gains the differences; questions and class
        borders of nobody else move. The scores of all profiles are renewed with them.
        """
        pinned = WorkflowService(self.session, self.resources).in_force()
        changed = {held.lead_id for held in self._held(lead_ids, pinned) if held.score_change}
        SessionStore(self.session, self.resources).flush()
        self.renew(lead_ids)
        return len(changed)

    def _held(self, lead_ids: Sequence[int], pinned: Pinned) -> list[Held]:
        others = self.session.scalars(
            select(Conversation.id).where(
                Conversation.lead_id.in_(lead_ids), Conversation.points_version != pinned.version
            )
            # In one order, so that no two wait for each other; the best last, for its class counts.
            .order_by(Conversation.lead_id, Conversation.score, Conversation.id)
        ).all()
        return [self._rescore(session_id, pinned) for session_id in others]

    def _rescore(self, session_id: str, pinned: Pinned) -> Held:
        store, now = SessionStore(self.session, self.resources), self.resources.clock.now()
        held = store.lock(session_id)
        seen = self.session.execute(
            select(Conversation.last_activity_at, Lead.last_activity_at)
            .join(Lead, Lead.id == Conversation.lead_id)
            .where(Conversation.id == session_id)
        ).one()
        measured = {"version": pinned.version, "before": held.points_version}
        held.points, held.points_version = pinned.workflow, pinned.version
        held.record(FactKind.SESSION_RESCORED, now, measured)
        store.save(held)
        store.flush()
        # The visitor did nothing: recency must not take this for a visit.
        conversation = {"points_version": pinned.version, "last_activity_at": seen[0]}
        self.session.execute(
            update(Conversation).where(Conversation.id == session_id).values(conversation)
        )
        self.session.execute(
            update(Lead).where(Lead.id == held.lead_id).values(last_activity_at=seen[1])
        )
        return held
