"""AgentFigures: what each owner of leads has in hand and has done, counted by the hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from engine.vocabulary import Outcome
from lib.clock import iso
from models import Activity, FollowUp, Lead, WorkspaceSetting
from services.lead_visibility import is_visible
from services.resources import Resources
from services.workspace_settings import keep_setting

FIGURES = "agent_figures"
# Activities count while they are this young.
RECENT = timedelta(days=30)


class AgentFigures:
    """Counts by owner; they are shown as of the hour in which they were made."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def find(self) -> dict[str, Any]:
        """The figures as last counted, and when."""
        stored = self.session.get(WorkspaceSetting, FIGURES)
        return dict(stored.value) if stored else {"counted_at": None, "agents": {}}

    def renew(self) -> int:
        """Count again; how many owners there are."""
        now = self.resources.clock.now()
        agents = self._leads()
        for owner, kind, count in self._activities(now - RECENT):
            agents[owner]["activities"][kind] = count
        for owner, count in self._overdue(now):
            agents[owner]["overdue_follow_ups"] = count
        value = {"counted_at": iso(now), "agents": agents}
        keep_setting(self.session, FIGURES, value, by="clock", now=now)
        return len(agents)

    def _leads(self) -> dict[str, dict[str, Any]]:
        """How many leads are whose, and how they ended."""
        won = case((Lead.outcome == Outcome.WON, 1), else_=0)
        lost = case((Lead.outcome == Outcome.LOST, 1), else_=0)
        value = case((Lead.outcome == Outcome.WON, Lead.outcome_value), else_=0)
        rows = self.session.execute(
            select(Lead.assigned_to, func.count(), func.sum(won), func.sum(lost), func.sum(value))
            .where(Lead.assigned_to.is_not(None), *is_visible())
            .group_by(Lead.assigned_to)
            .order_by(Lead.assigned_to)
        )
        return {
            owner: {
                "leads": leads,
                "open": leads - int(won) - int(lost),
                "won": int(won),
                "lost": int(lost),
                "won_value": float(value or 0),
                "activities": {},
                "overdue_follow_ups": 0,
            }
            for owner, leads, won, lost, value in rows
        }

    def _activities(self, since: datetime) -> Sequence[Any]:
        return self.session.execute(
            select(Lead.assigned_to, Activity.kind, func.count())
            .join_from(Activity, Lead, Lead.id == Activity.lead_id)
            .where(Lead.assigned_to.is_not(None), *is_visible(), Activity.occurred_at >= since)
            .group_by(Lead.assigned_to, Activity.kind)
            .order_by(Lead.assigned_to, Activity.kind)
        ).all()

    def _overdue(self, now: datetime) -> Sequence[Any]:
        return self.session.execute(
            select(Lead.assigned_to, func.count())
            .join_from(FollowUp, Lead, Lead.id == FollowUp.lead_id)
            .where(
                Lead.assigned_to.is_not(None),
                *is_visible(),
                FollowUp.done_at.is_(None),
                FollowUp.due_at < now,
            )
            .group_by(Lead.assigned_to)
        ).all()
