"""FirstTouches: how long the leads of a period waited until somebody turned to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, Subquery, case, func, literal_column, select
from sqlalchemy.orm import Session

from engine.periods import Period
from engine.vocabulary import ActivityKind, Outcome
from models import Activity, Lead
from services.figure_scope import count_if, epoch, leads_of
from services.lead_list import LOGGED_SIGNALS

# What is no touch: a note speaks to nobody, a signal came from the lead.
NO_TOUCH = (str(ActivityKind.NOTE), *LOGGED_SIGNALS)
# Minutes, and the words for "touched within".
WAITS = ((5, "5 minutes"), (60, "1 hour"), (240, "4 hours"), (1440, "1 day"))


@dataclass(frozen=True)
class Speed:
    """How long leads waited for the first touch: of how many; minutes of half and of 90 %."""

    touched: int = 0
    median: int | None = None
    p90: int | None = None


@dataclass(frozen=True)
class Owned:
    """The leads of the period that are one owner's: how many of them were touched, and are won."""

    owner: str | None
    leads: int
    touched: int
    won: int
    speed: Speed


@dataclass(frozen=True)
class Waits:
    """How the leads of a period waited, by owner and together; imported ones waited elsewhere."""

    owners: Sequence[Owned]
    speed: Speed
    # Words for a stretch of time, and the leads that waited so long.
    spread: Sequence[tuple[str, int]]
    leads: int


class FirstTouches:
    """Reads leads and activities; writes nothing."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def find(self, period: Period) -> Waits:
        """One walk: the database ranks the waits, so that only what is shown is sent."""
        ranked = self._ranked(period)
        mine = _speed_of(ranked, ranked.c.place, ranked.c.known)
        everybody = _speed_of(ranked, ranked.c.place_of_all, ranked.c.known_of_all)
        within = [count_if(ranked.c.minutes <= limit) for limit, _ in WAITS]
        rows = self.session.execute(
            select(
                ranked.c.owner,
                func.count(),
                func.count(ranked.c.touched_at),
                count_if(ranked.c.is_won),
                *mine,
                *everybody,
                count_if(ranked.c.is_new),
                func.count(ranked.c.minutes),
                *within,
            ).group_by(ranked.c.owner)
        ).all()
        owners = [
            Owned(owner, leads, touched, won, Speed(*row[4:7]))
            for row in rows
            for owner, leads, touched, won in [row[:4]]
        ]
        spread, total = _spread([row[10:] for row in rows])
        return Waits(owners, _together([row[7:10] for row in rows]), spread, total)

    def _ranked(self, period: Period) -> Subquery:
        """Each lead with its wait, and the wait's place among its owner's and among all."""
        leads = self._leads(period)
        waits = select(*leads.c, self._minutes(leads).label("minutes")).subquery()
        order = waits.c.minutes.nulls_last()
        return select(
            *waits.c,
            func.row_number().over(partition_by=waits.c.owner, order_by=order).label("place"),
            func.count(waits.c.minutes).over(partition_by=waits.c.owner).label("known"),
            func.row_number().over(order_by=order).label("place_of_all"),
            func.count(waits.c.minutes).over().label("known_of_all"),
        ).subquery()

    def _leads(self, period: Period) -> Subquery:
        # Asked lead by lead, for each is one look into an index; adding up all activities is not.
        first = (
            select(Activity.occurred_at)
            .where(
                Activity.lead_id == Lead.id,
                Activity.occurred_at >= period.start,
                Activity.kind.not_in(NO_TOUCH),
            )
            .order_by(Activity.occurred_at)
            .limit(1)
            .scalar_subquery()
        )
        found = leads_of(
            Lead.created_at,
            period,
            Lead.assigned_to.label("owner"),
            Lead.import_id.is_(None).label("is_new"),
            Lead.created_at.label("created_at"),
            first.label("touched_at"),
            (Lead.outcome == str(Outcome.WON)).label("is_won"),
        )
        # Without an offset PostgreSQL would look for the first touch at each mention of it.
        return found.offset(0).subquery()

    def _minutes(self, leads: Subquery) -> ColumnElement[int]:
        """The wait in whole minutes, rounded up; nothing where nobody can say."""
        seconds = epoch(self.session, leads.c.touched_at) - epoch(self.session, leads.c.created_at)
        minutes: ColumnElement[int] = case(
            (~leads.c.is_new, None),
            (seconds < 0, 0),
            else_=(seconds + literal_column("59", Integer)) // literal_column("60", Integer),
        )
        return minutes


def _speed_of(ranked: Subquery, place: Any, known: Any) -> tuple[Any, Any, Any]:
    """Nearest rank: the wait of the lead in the middle, never a value between two."""
    median, p90 = place == (known + 1) // 2, place == (known * 9 + 9) // 10
    minutes = ranked.c.minutes
    return func.max(known), func.max(minutes).filter(median), func.max(minutes).filter(p90)


def _together(rows: Sequence[Sequence[Any]]) -> Speed:
    """The lead of a rank among all is some owner's."""
    known = max((row[0] for row in rows), default=0)
    told = ([row[column] for row in rows if row[column] is not None] for column in (1, 2))
    return Speed(known, *(max(one, default=None) for one in told))


def _spread(rows: Sequence[Sequence[int]]) -> tuple[list[tuple[str, int]], int]:
    """New leads by how long they waited, and how many there are."""
    total, touched, *within = [sum(column) for column in zip(*rows, strict=True)] or [0] * 6
    steps = zip(within, [0, *within], strict=False)
    found = [(f"Within {label}", now - before) for (_, label), (now, before) in zip(WAITS, steps)]
    later = touched - (within[-1] if within else 0)
    return [*found, ("Later", later), ("Not yet", total - touched)], total
