"""CalendarDays: what lies on which day: the first entries of each, and how many there are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Subquery,
    func,
    literal_column,
    not_,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from engine.periods import Period
from models import FollowUp, Lead
from services.calendar_service import FOLLOW_UP, WAKE, CalendarEntry, whose
from services.figure_scope import day_of
from services.lead_visibility import is_visible
from services.resources import Resources

# An entry for which there is no follow-up: a lead that wakes.
_NO_FOLLOW_UP: ColumnElement[int] = literal_column("0", Integer)
_FIRST = date(1970, 1, 1)
_OF_FOLLOW_UPS = (FollowUp.id, FollowUp.note, FollowUp.done_at, FollowUp.assigned_to)
_OF_LEADS = (Lead.id, Lead.name, Lead.company, Lead.assigned_to, Lead.outcome)


@dataclass(frozen=True)
class Day:
    """A day of the reader's own calendar: the earliest of its entries, and how many it has."""

    date: date
    entries: Sequence[CalendarEntry]
    count: int

    @property
    def more(self) -> int:
        """How many are not among the entries."""
        return self.count - len(self.entries)


class CalendarDays:
    """Reads follow-ups and the leads that wake; a busy month is counted, not sent whole."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.now = resources.clock.now()

    def find(
        self, period: Period, *, most: int, of: str | None = None, is_waiting: bool = False
    ) -> list[Day]:
        """The days on which something lies, with at most so many entries each.

        `of` one person alone; `is_waiting` leaves out what is done or overdue.
        """
        found = self._ranked(period, of, is_waiting=is_waiting)
        rows = self.session.execute(
            select(found)
            .where(found.c.place <= most)
            .order_by(found.c.at, found.c.id, found.c.lead_id)
        ).all()
        return [
            Day(_FIRST + timedelta(days=day), [entry for _, entry in those], count)
            for (day, count), those in groupby(self._entries(rows), lambda one: _day_of(one[0]))
        ]

    def overdue(self, *, most: int, of: str | None = None) -> tuple[list[CalendarEntry], int]:
        """The first follow-ups whose moment has passed and that nobody has finished; how many."""
        late = (FollowUp.done_at.is_(None), self._is_overdue())
        rows = self.session.execute(
            self._planned(of, *late)
            .add_columns(func.count().over().label("total"))
            .order_by(FollowUp.due_at, FollowUp.id)
            .limit(most)
        ).all()
        return [entry for _, entry in self._entries(rows)], rows[0].total if rows else 0

    def _ranked(self, period: Period, of: str | None, *, is_waiting: bool) -> Subquery:
        """What lies in the period, each entry with its place among those of its day."""
        inside = (FollowUp.due_at >= period.start, FollowUp.due_at < period.end)
        waits = (FollowUp.done_at.is_(None), not_(self._is_overdue())) if is_waiting else ()
        both = union_all(self._planned(of, *inside, *waits), _wakes(period, of)).subquery()
        day = day_of(self.session, both.c.at, period)
        order = (both.c.at, both.c.id, both.c.lead_id)
        return select(
            *both.c,
            day.label("day"),
            func.row_number().over(partition_by=day, order_by=order).label("place"),
            func.count().over(partition_by=day).label("number"),
        ).subquery()

    def _planned(
        self, of: str | None, *conditions: ColumnElement[bool]
    ) -> Select[int, int, datetime]:
        columns = (FollowUp.id.label("id"), FollowUp.lead_id.label("lead_id"))
        mine = () if of is None else (whose(of),)
        return (
            select(*columns, FollowUp.due_at.label("at"))
            .join(Lead, Lead.id == FollowUp.lead_id)
            .where(*is_visible(), *conditions, *mine)
        )

    def _is_overdue(self) -> ColumnElement[bool]:
        """What was planned for a lead that is won or lost by now waits for nobody."""
        return (FollowUp.due_at <= self.now) & Lead.outcome.is_(None)

    def _entries(self, rows: Sequence[Any]) -> list[tuple[Any, CalendarEntry]]:
        """What is shown of them, read for these alone: those that are counted are many.

        What somebody took away between the two readings is not shown.
        """
        plans = self._known(_OF_FOLLOW_UPS, FollowUp.id, {row.id for row in rows})
        leads = self._known(_OF_LEADS, Lead.id, {row.lead_id for row in rows})
        return [
            (row, self._entry(row, plans.get(row.id), leads[row.lead_id]))
            for row in rows
            if row.lead_id in leads and (not row.id or row.id in plans)
        ]

    def _known(self, columns: Sequence[Any], key: Any, ids: Collection[int]) -> dict[int, Any]:
        rows = self.session.execute(select(*columns).where(key.in_(sorted(ids))))
        return {row.id: row for row in rows}

    def _entry(self, row: Any, plan: Any, lead: Any) -> CalendarEntry:
        who = (row.lead_id, row.at, lead.name, lead.company)
        if plan is None:
            return CalendarEntry(WAKE, 0, *who, None, None)
        is_done = plan.done_at is not None
        is_overdue = not is_done and row.at <= self.now and lead.outcome is None
        owner = lead.assigned_to or plan.assigned_to
        return CalendarEntry(FOLLOW_UP, row.id, *who, plan.note, owner, is_done, is_overdue)


def _day_of(row: Any) -> tuple[int, int]:
    return int(row.day), row.number


def _wakes(period: Period, of: str | None) -> Select[Any, Any, Any]:
    mine = () if of is None else (Lead.assigned_to == of,)
    inside = (Lead.snoozed_until >= period.start, Lead.snoozed_until < period.end)
    at = Lead.snoozed_until.label("at")
    return select(_NO_FOLLOW_UP.label("id"), Lead.id.label("lead_id"), at).where(
        *inside, *is_visible(), *mine
    )
