"""ExperimentCounts: exposures and conversions of one experiment, summed up by the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Float, and_, case, cast, extract, func, select
from sqlalchemy.orm import Session

from models import Assignment, Conversation, Conversion, Exposure, UserBehavior

# By which of its columns a session's exposures may be told apart.
SEGMENTS = ("utm_source", "utm_medium", "utm_campaign", "locale", "surface")
UNNAMED = "(none)"
DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Seen:
    """Exposures of one arm in one epoch on one day (or in one segment): all, and old enough ones.

    `mature` has the count for each window that was asked for, in days.
    """

    arm: str
    epoch: int
    part: str
    exposed: int
    mature: Mapping[float, int]
    excluded: str | None = None


@dataclass(frozen=True)
class Reached:
    """Conversions to a goal in the same parts: all, and those that count.

    What counts came within the window after an exposure that is old enough.
    """

    metric: str
    arm: str
    epoch: int
    part: str
    total: int
    converted: int


@dataclass(frozen=True)
class Returning:
    """A visitor who was here before: the score of then, and what came after the exposure."""

    arm: str
    epoch: int
    score: float
    converted: bool
    value: float


class ExperimentCounts:
    """Counts of one experiment; a report over a million exposures moves a few hundred rows."""

    def __init__(self, session: Session, experiment: str, now: datetime) -> None:
        self.session = session
        self.experiment = experiment
        self.now = now

    def seen(self, windows: Iterable[float], segment: str | None = None) -> list[Seen]:
        """Exposures by arm, epoch and day, or segment instead of the day; excluded ones apart."""
        asked = sorted(set(windows))
        part = self._part(Exposure.exposed_at, segment)
        # Counted by ends of windows: one reading of the table for all of them.
        sums = [
            func.sum(case((Exposure.exposed_at <= self.now - timedelta(days=window), 1), else_=0))
            for window in asked
        ]
        by = (Exposure.arm, Exposure.epoch, part, Exposure.excluded)
        statement = select(*by, func.count(), *sums)
        if segment:
            statement = statement.outerjoin(Conversation, Conversation.id == Exposure.session_id)
        rows = self.session.execute(
            statement.where(Exposure.experiment == self.experiment).group_by(*by)
        )
        return [
            Seen(
                arm,
                epoch,
                _named(what),
                count,
                {w: int(n or 0) for w, n in zip(asked, counts, strict=True)},
                why,
            )
            for arm, epoch, what, why, count, *counts in rows
        ]

    def reached(self, windows: Mapping[str, float], segment: str | None = None) -> list[Reached]:
        """The conversions of several goals that count, in the same parts: one reading for all.

        `windows` are the days of each goal, by the name under which it is stored; of goals that
        are not named the total alone is told.
        """
        asked = sorted(set(windows.values()))
        part = self._part(Conversion.exposed_at, segment)
        sums = [func.sum(case((and_(*self._in_window(one)), 1), else_=0)) for one in asked]
        statement = select(
            *(Conversion.metric, Conversion.arm, Conversion.epoch, part, func.count()), *sums
        )
        if segment:
            statement = statement.outerjoin(Exposure, _same_unit()).outerjoin(
                Conversation, Conversation.id == Exposure.session_id
            )
        rows = self.session.execute(
            statement.where(
                Conversion.experiment == self.experiment, Conversion.excluded.is_(None)
            ).group_by(Conversion.metric, Conversion.arm, Conversion.epoch, part)
        )
        return [
            Reached(
                metric,
                arm,
                int(epoch or 0),
                _named(what),
                total,
                dict(zip(asked, map(int, counts), strict=True)).get(windows.get(metric, -1.0), 0),
            )
            for metric, arm, epoch, what, total, *counts in rows
        ]

    def values(self, metric: str, window: float) -> list[tuple[str, int, float]]:
        """The value of each conversion of a goal: arm, epoch, value."""
        rows = self.session.execute(
            select(Conversion.arm, Conversion.epoch, Conversion.value).where(
                *self._counted(metric, window), Conversion.value.is_not(None)
            )
        )
        return [(arm, int(epoch or 0), float(value or 0)) for arm, epoch, value in rows]

    def returning(self, metric: str, window: float) -> list[Returning]:
        """Visitors who were here before, with the score that they had earned by the exposure.

        Only what the ledger held before it: what an arm may have moved would swallow its effect.
        """
        earlier = (
            select(Exposure.id, func.sum(UserBehavior.score_impact).label("score"))
            .join(
                Conversation,
                and_(
                    Conversation.visitor_id == Exposure.unit,
                    Conversation.started_at < Exposure.exposed_at,
                ),
            )
            .join(
                UserBehavior,
                and_(
                    UserBehavior.session_id == Conversation.id,
                    UserBehavior.timestamp < Exposure.exposed_at,
                ),
            )
            .where(
                Exposure.experiment == self.experiment,
                Exposure.excluded.is_(None),
                Exposure.exposed_at <= self.now - timedelta(days=window),
            )
            .group_by(Exposure.id)
            .subquery()
        )
        counted = and_(_same_unit(), *self._counted(metric, window))
        rows = self.session.execute(
            select(Exposure.arm, Exposure.epoch, earlier.c.score, Conversion.id, Conversion.value)
            .join(earlier, earlier.c.id == Exposure.id)
            .outerjoin(Conversion, counted)
        )
        return [
            Returning(arm, epoch, float(score), found is not None, float(value or 0))
            for arm, epoch, score, found, value in rows
        ]

    def exposure_rows(self, after: int, limit: int) -> Sequence[Any]:
        """Exposures one by one with what was drawn for them, after a row's number."""
        return self.session.execute(
            select(
                *(Exposure.id, Exposure.unit, Exposure.arm, Exposure.epoch),
                *(Assignment.propensity, Assignment.revision, Assignment.workflow_version),
                *(Assignment.assigned_at, Exposure.exposed_at, Exposure.excluded),
            )
            .outerjoin(
                Assignment,
                and_(
                    Assignment.experiment == Exposure.experiment, Assignment.unit == Exposure.unit
                ),
            )
            .where(Exposure.experiment == self.experiment, Exposure.id > after)
            .order_by(Exposure.id)
            .limit(limit)
        ).all()

    def conversion_rows(self, after: int, limit: int) -> Sequence[Any]:
        """Conversions one by one, after a row's number."""
        return self.session.execute(
            select(
                *(Conversion.id, Conversion.unit, Conversion.arm, Conversion.epoch),
                *(Conversion.metric, Conversion.value, Conversion.exposed_at),
                *(Conversion.converted_at, Conversion.excluded),
            )
            .where(Conversion.experiment == self.experiment, Conversion.id > after)
            .order_by(Conversion.id)
            .limit(limit)
        ).all()

    def _part(self, moment: Any, segment: str | None) -> Any:
        if segment:
            return getattr(Conversation, segment)
        return func.date(moment)

    def _counted(self, metric: str, window: float) -> list[ColumnElement[bool]]:
        """A conversion to a goal that counts."""
        return [
            Conversion.experiment == self.experiment,
            Conversion.metric == metric,
            Conversion.excluded.is_(None),
            *self._in_window(window),
        ]

    def _in_window(self, window: float) -> list[ColumnElement[bool]]:
        """After its exposure, within the window, the exposure itself old enough."""
        return [
            Conversion.exposed_at <= self.now - timedelta(days=window),
            Conversion.converted_at >= Conversion.exposed_at,
            self._seconds_between() <= window * DAY_SECONDS,
        ]

    def _seconds_between(self) -> ColumnElement[float]:
        start, end = Conversion.exposed_at, Conversion.converted_at
        if self.session.get_bind().dialect.name == "sqlite":
            return cast((func.julianday(end) - func.julianday(start)) * DAY_SECONDS, Float)
        return cast(extract("epoch", end - start), Float)


def _same_unit() -> ColumnElement[bool]:
    return and_(Exposure.experiment == Conversion.experiment, Exposure.unit == Conversion.unit)


def _named(part: Any) -> str:
    """A day as a text on both databases, a segment by its name."""
    if isinstance(part, date):
        return part.isoformat()
    return str(part) if part not in (None, "") else UNNAMED
