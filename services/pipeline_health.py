"""PipelineHealth: how the open leads stand, and whether unusually many or few come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Integer, and_, case, cast, func, literal_column, null, select
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
        part = _part_of(days, weeks)
        there = (*is_visible(), Lead.import_id.is_(None), Lead.created_at >= weeks[-1][0])
        rows = self.session.execute(
            select(part, func.count()).select_from(Lead).where(*there).group_by(part)
        )
        found, begun = {number: count for number, count in rows}, self._begun()
        of_days = [found.get(2 * back, 0) for back in range(len(days))]
        before = [found.get(2 * back + 1, 0) for back in range(len(weeks))]
        of_weeks = [sum(both) for both in zip(of_days, before, strict=True)]
        return self._beside(days, of_days, begun), self._beside(weeks, of_weeks, begun)

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


def _part_of(
    days: Sequence[tuple[datetime, datetime]], weeks: Sequence[tuple[datetime, datetime]]
) -> ColumnElement[int | None]:
    """Of a lead that came so many weeks back twice that number, and one more for an earlier day.

    Nothing for what came later in its week than it is now. Each day is the last of its week, so
    that one look says both; asking for every stretch by itself took twice as long.
    """
    parts: list[tuple[ColumnElement[bool], ColumnElement[int | None]]] = []
    for back, ((day, now), (monday, _)) in enumerate(zip(days, weeks, strict=True)):
        came = Lead.created_at.expression
        parts += [
            (came > now, cast(null(), Integer)),
            (came >= day, literal_column(str(2 * back), Integer)),
            (came >= monday, literal_column(str(2 * back + 1), Integer)),
        ]
    part: ColumnElement[int | None] = case(*parts)
    return part
