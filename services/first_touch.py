"""FirstTouches: how long the leads of a period waited until somebody turned to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, Subquery, case, func, literal, literal_column, select
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
        """The database ranks the waits, so that only what is shown is sent."""
        leads = self._leads(period)
        waits = select(*leads.c, self._minutes(leads).label("minutes")).subquery()
        is_small = self.session.get_bind().dialect.name == "sqlite"
        rows = self._by_place(waits) if is_small else self._by_percentile(waits)
        owners = [
            Owned(row.owner, row.leads, row.touched, row.won, _speed(row))
            for row in rows
            if not row.is_all
        ]
        (every,) = [row for row in rows if row.is_all]
        return Waits(owners, _speed(every), _spread(every), every.new)

    def _by_percentile(self, waits: Subquery) -> Sequence[Any]:
        """Each owner's row and that of all, in one walk."""
        owner = waits.c.owner
        half, ninety = (
            func.percentile_disc(share).within_group(waits.c.minutes) for share in (0.5, 0.9)
        )
        return self.session.execute(
            select(
                (func.grouping(owner) == 1).label("is_all"),
                owner,
                *_counts(waits),
                half.label("median"),
                ninety.label("p90"),
            ).group_by(func.rollup(owner))
        ).all()

    def _by_place(self, waits: Subquery) -> Sequence[Any]:
        """The same where no percentiles are known: by the wait's place among those of its group."""
        rows: list[Any] = []
        for is_all, group in ((False, [waits.c.owner]), (True, [])):
            order = waits.c.minutes.nulls_last()
            place = func.row_number().over(partition_by=group, order_by=order)
            told = func.count(waits.c.minutes).over(partition_by=group)
            ranked = select(*waits.c, place.label("place"), told.label("told")).subquery()
            half = ranked.c.place == (ranked.c.told + 1) // 2
            ninety = ranked.c.place == (ranked.c.told * 9 + 9) // 10
            found = select(
                literal(is_all).label("is_all"),
                *([ranked.c.owner] if group else []),
                *_counts(ranked),
                func.max(ranked.c.minutes).filter(half).label("median"),
                func.max(ranked.c.minutes).filter(ninety).label("p90"),
            )
            rows += self.session.execute(found.group_by(ranked.c.owner) if group else found)
        return rows

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


def _counts(waits: Subquery) -> list[ColumnElement[int]]:
    minutes = waits.c.minutes
    return [
        func.count().label("leads"),
        func.count(waits.c.touched_at).label("touched"),
        count_if(waits.c.is_won).label("won"),
        count_if(waits.c.is_new).label("new"),
        func.count(minutes).label("known"),
        *(count_if(minutes <= limit).label(f"within_{limit}") for limit, _ in WAITS),
    ]


def _speed(row: Any) -> Speed:
    """Nearest rank: the wait of the lead in the middle, never a value between two."""
    return Speed(row.known, row.median, row.p90)


def _spread(row: Any) -> list[tuple[str, int]]:
    """New leads by how long they waited."""
    found, before = [], 0
    for limit, label in WAITS:
        within = getattr(row, f"within_{limit}")
        found.append((f"Within {label}", within - before))
        before = within
    return [*found, ("Later", row.known - before), ("Not yet", row.new - row.known)]
