"""PipelineHealth: how the open leads stand, and whether unusually many or few come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from engine.vocabulary import Classification
from engine.volume import Volume, volume
from models import FollowUp, Lead
from services.action_queue import has_a_way_to
from services.lead_scores import LeadScores
from services.lead_visibility import is_visible
from services.resources import Resources

WEEKS = 8


@dataclass(frozen=True)
class Health:
    """What whoever leads a team looks at first."""

    open_leads: int
    hot_of_nobody: int
    qualified_of_nobody: int
    overdue: int
    today: Volume | None
    week: Volume | None


class PipelineHealth:
    """Counts over all leads that the person may see."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.now = resources.clock.now()

    def find(self, zone: ZoneInfo) -> Health:
        """The state at this moment; days are those of the reader's zone."""
        queue = LeadScores(self.session, self.resources).queue()
        free = and_(Lead.assigned_to.is_(None), has_a_way_to())
        qualified = Lead.lead_classification == Classification.SQL
        row = self.session.execute(
            select(
                func.count(),
                func.count().filter(free, queue.column() >= queue.hot),
                func.count().filter(free, qualified),
            )
            .select_from(Lead)
            .where(*is_visible(), Lead.outcome.is_(None))
        ).one()
        today, week = self._volumes(zone)
        return Health(row[0], row[1], row[2], self._overdue(), today, week)

    def _overdue(self) -> int:
        found = self.session.scalar(
            select(func.count())
            .select_from(FollowUp)
            .join(Lead, Lead.id == FollowUp.lead_id)
            .where(
                FollowUp.done_at.is_(None),
                FollowUp.due_at < self.now,
                Lead.outcome.is_(None),
                *is_visible(),
            )
        )
        return found or 0

    def _volumes(self, zone: ZoneInfo) -> tuple[Volume | None, Volume | None]:
        """Today so far and this week so far beside the same time of the weeks before."""
        days = _windows(self.now, zone, since_monday=False)
        weeks = _windows(self.now, zone, since_monday=True)
        inside = [_within(start, end) for start, end in (*days, *weeks)]
        first = min(start for start, _ in weeks)
        there = (*is_visible(), Lead.import_id.is_(None), Lead.created_at >= first)
        row = self.session.execute(
            select(*(func.count().filter(one) for one in inside)).select_from(Lead).where(*there)
        ).one()
        counts, begun = [int(one) for one in row], self._begun()
        return (
            self._beside(days, counts[: len(days)], begun),
            self._beside(weeks, counts[len(days) :], begun),
        )

    def _begun(self) -> datetime | None:
        """When the first lead came: before that nothing was usual."""
        return self.session.scalar(select(func.min(Lead.created_at)).where(*is_visible()))

    def _beside(
        self,
        windows: Sequence[tuple[datetime, datetime]],
        counts: Sequence[int],
        begun: datetime | None,
    ) -> Volume | None:
        if begun is None:
            return None
        past = [
            count
            for (start, _), count in zip(windows[1:], counts[1:], strict=True)
            if start >= begun - timedelta(days=1)
        ]
        return volume(counts[0], past)


def _windows(
    now: datetime, zone: ZoneInfo, *, since_monday: bool
) -> list[tuple[datetime, datetime]]:
    """This day or week until now, and the same of the weeks before, by the clock on the wall."""
    local = now.astimezone(zone).replace(tzinfo=None)
    start = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if since_monday:
        start -= timedelta(days=local.weekday())
    return [
        (
            (start - timedelta(weeks=back)).replace(tzinfo=zone),
            (local - timedelta(weeks=back)).replace(tzinfo=zone),
        )
        for back in range(WEEKS + 1)
    ]


def _within(start: datetime, end: datetime) -> ColumnElement[bool]:
    return and_(Lead.created_at >= start, Lead.created_at <= end)
