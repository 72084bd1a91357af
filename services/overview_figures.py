"""OverviewFigures: how many came, how good they were, how sales ended; beside the time before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from engine.periods import Period, bucket_days, day_number
from engine.points import advice_for
from engine.rates import Share
from engine.vocabulary import Classification, Outcome, Profile, Tier
from models import Conversation, Lead
from services.figure_scope import (
    HAS_CONTACT,
    IS_COMPLETED,
    count_if,
    day_of,
    leads_of,
    lone_sessions_of,
    tier_of,
)
from services.lead_scores import LeadScores
from services.lead_visibility import is_visible
from services.resources import Resources


@dataclass(frozen=True)
class Totals:
    """The counts of one period."""

    sessions: int = 0
    completed: int = 0
    contacts: int = 0
    sql: int = 0
    mql: int = 0
    points: int = 0
    won: int = 0
    lost: int = 0
    won_value: float = 0.0

    @property
    def completion(self) -> Share:
        """Conversations that came to their end, of all that began."""
        return Share(self.completed, self.sessions)

    @property
    def contact(self) -> Share:
        """Conversations in which a contact was shared, of all that began."""
        return Share(self.contacts, self.sessions)

    @property
    def qualification(self) -> Share:
        """Conversations classed SQL, of all that began."""
        return Share(self.sql, self.sessions)

    @property
    def wins(self) -> Share:
        """Sales won, of all that ended."""
        return Share(self.won, self.won + self.lost)

    @property
    def average_score(self) -> float | None:
        """Points a conversation."""
        return self.points / self.sessions if self.sessions else None


@dataclass(frozen=True)
class DayCounts:
    """The sessions of a day, or of a week that begins on it, by class and by tier."""

    day: date
    classes: Mapping[str, int] = field(default_factory=dict)
    tiers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PriorityRow:
    """Open leads of one tier, now."""

    tier: str
    leads: int
    without_owner: int
    action: str


@dataclass(frozen=True)
class Group:
    """The sessions of one day, class and tier."""

    day: int
    name: str
    tier: str
    sessions: int
    completed: int
    contacts: int
    points: int


@dataclass(frozen=True)
class Overview:
    """A period, the one before it, and the period's curve."""

    now: Totals
    before: Totals
    days: Sequence[DayCounts]


class OverviewFigures:
    """Reads sessions and leads; writes nothing."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def find(self, period: Period) -> Overview:
        """A period and the one before it, both in one walk over the sessions of the two."""
        both = Period(period.before.first, period.last, period.zone)
        groups = self._groups(both)
        first = day_number(period.first)
        now, before = self._outcomes(both, period)
        return Overview(
            _totals([one for one in groups if one.day >= first], now),
            _totals([one for one in groups if one.day < first], before),
            _curve(period, [one for one in groups if one.day >= first]),
        )

    def _groups(self, period: Period) -> list[Group]:
        hot, warm = LeadScores(self.session, self.resources).tiers(Profile.CORE_POINTS)
        tier = tier_of(Conversation.score, hot=hot, warm=warm)
        day = day_of(self.session, Conversation.started_at, period)
        narrow = (
            lone_sessions_of(
                self.session,
                period,
                day.label("day"),
                Conversation.classification.label("name"),
                tier.label("tier"),
                IS_COMPLETED.label("is_completed"),
                HAS_CONTACT.label("has_contact"),
                Conversation.score.label("score"),
            )
            # Keeps PostgreSQL from sorting whole rows by an expression that it cannot estimate.
            .offset(0)
        ).subquery()
        key = (narrow.c.day, narrow.c.name, narrow.c.tier)
        rows = self.session.execute(
            select(
                *key,
                func.count(),
                count_if(narrow.c.is_completed),
                count_if(narrow.c.has_contact),
                func.sum(narrow.c.score),
            ).group_by(*key)
        )
        return [
            Group(int(number), name, tier, *map(int, rest)) for number, name, tier, *rest in rows
        ]

    def priorities(self) -> list[PriorityRow]:
        """Open leads by how soon somebody should call, as the queue has it now."""
        queue = LeadScores(self.session, self.resources).queue()
        tier = tier_of(queue.column(), hot=queue.hot, warm=queue.warm)
        leads = (
            select(tier.label("tier"), Lead.assigned_to.is_(None).label("is_free"))
            .where(Lead.outcome.is_(None), *is_visible())
            .subquery()
        )
        rows = self.session.execute(
            select(leads.c.tier, func.count(), count_if(leads.c.is_free)).group_by(leads.c.tier)
        )
        found = {name: (count, free) for name, count, free in rows}
        return [
            PriorityRow(str(one), *found.get(str(one), (0, 0)), action=advice_for(one).action)
            for one in Tier
        ]

    def _outcomes(self, both: Period, now: Period) -> tuple[dict[str, Any], dict[str, Any]]:
        """How the sales of this period and of the one before it ended, in one walk."""
        is_won, is_lost = Lead.outcome == str(Outcome.WON), Lead.outcome == str(Outcome.LOST)
        columns = [
            column
            for part in (Lead.outcome_at >= now.start, Lead.outcome_at < now.start)
            for column in (
                count_if(and_(is_won, part)),
                count_if(and_(is_lost, part)),
                func.sum(case((and_(is_won, part), Lead.outcome_value), else_=0)),
            )
        ]
        row = self.session.execute(leads_of(Lead.outcome_at, both, *columns)).one()
        return _ended(*row[:3]), _ended(*row[3:])


def _ended(won: int, lost: int, value: float | None) -> dict[str, Any]:
    return {"won": won, "lost": lost, "won_value": float(value or 0)}


def _totals(groups: Sequence[Group], outcomes: Mapping[str, Any]) -> Totals:
    return Totals(
        sessions=sum(one.sessions for one in groups),
        completed=sum(one.completed for one in groups),
        contacts=sum(one.contacts for one in groups),
        sql=sum(one.sessions for one in groups if one.name == Classification.SQL),
        mql=sum(one.sessions for one in groups if one.name == Classification.MQL),
        points=sum(one.points for one in groups),
        **outcomes,
    )


def _curve(period: Period, groups: Sequence[Group]) -> list[DayCounts]:
    width = bucket_days(period)
    first = day_number(period.first)
    starts = range(0, period.days, width)
    classes = {start: dict.fromkeys(map(str, Classification), 0) for start in starts}
    tiers = {start: dict.fromkeys(map(str, Tier), 0) for start in starts}
    for one in groups:
        start = (one.day - first) // width * width
        classes[start][one.name] += one.sessions
        tiers[start][one.tier] += one.sessions
    return [
        DayCounts(period.first + timedelta(days=start), classes[start], tiers[start])
        for start in starts
    ]
