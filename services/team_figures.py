"""TeamFigures: who works which leads, how soon, and with what success."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from engine.periods import Period
from engine.policy import Role
from engine.rates import Share
from engine.vocabulary import Outcome
from models import Activity, Lead, Person
from services.agent_figures import AgentFigures
from services.figure_scope import count_if, lies_in, span_of
from services.first_touch import NO_TOUCH, FirstTouches, Speed, Waits
from services.lead_visibility import is_visible, of_visible_lead
from services.resources import Resources


@dataclass(frozen=True)
class AgentRow:
    """One owner of leads in a period."""

    email: str
    name: str
    # Somebody who sells and may sign in.
    is_active: bool
    weight: int
    capacity: int | None
    # None for an owner who is nobody here.
    id: int | None = None
    open_leads: int = 0
    # Leads of the period, those of them that were touched, and those that are won by now.
    leads: int = 0
    touched: int = 0
    won_of_leads: int = 0
    # Sales of theirs that ended in the period.
    won: int = 0
    lost: int = 0
    won_value: float = 0.0
    activities: int = 0
    speed: Speed = Speed()

    @property
    def is_at_work(self) -> bool:
        """Whether there is anything to tell of them."""
        return any((self.open_leads, self.leads, self.won, self.lost, self.activities))

    @property
    def contact(self) -> Share:
        """Leads of the period that somebody spoke with or wrote to."""
        return Share(self.touched, self.leads)

    @property
    def conversion(self) -> Share:
        """Leads of the period that are won by now."""
        return Share(self.won_of_leads, self.leads)

    @property
    def wins(self) -> Share:
        """Sales won, of all that ended in the period."""
        return Share(self.won, self.won + self.lost)


@dataclass(frozen=True)
class Team:
    """Everybody's figures, and how long the leads of the period waited."""

    agents: Sequence[AgentRow]
    speed: Speed
    waits: Sequence[tuple[str, int]]
    leads: int


@dataclass(frozen=True)
class CountedRow:
    """What of an owner's work everybody may see."""

    name: str
    leads: int
    open: int
    won: int
    lost: int
    activities: int
    overdue: int


@dataclass(frozen=True)
class Counted:
    """The whole team's counts, as of a moment; None before they were first made."""

    counted_at: str | None
    rows: Sequence[CountedRow]


class TeamFigures:
    """Reads leads, activities and people; writes nothing.

    Under the row filter of a salesperson it finds their own leads and those of nobody.
    """

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def find(self, period: Period) -> Team:
        """Everybody who owns leads or may get them, by name; and how long leads waited."""
        (found,) = self.find_each(period)
        return found

    def find_each(self, *periods: Period) -> list[Team]:
        """The figures of each of some periods, read in the same few walks."""
        standing, done = self._standing(periods), self._done(periods)
        touches = FirstTouches(self.session)
        return [
            self._team(touches.find(period), *parts)
            for period, *parts in zip(periods, standing, done, strict=True)
        ]

    def _team(self, waits: Waits, *parts: Mapping[str, dict[str, Any]]) -> Team:
        found = {email: dict(one) for email, one in self._people.items()}
        for part in (_made(waits), *parts):
            for owner, numbers in part.items():
                found.setdefault(owner, _stranger(owner)).update(numbers)
        rows = [AgentRow(**one) for one in found.values()]
        shown = [row for row in rows if row.is_active or row.is_at_work]
        shown.sort(key=lambda row: (row.name.casefold(), row.email))
        return Team(shown, waits.speed, waits.spread, waits.leads)

    def counted(self) -> Counted:
        """Everybody's leads as the clock last counted them, whoever looks: names and counts."""
        kept = AgentFigures(self.session, self.resources).find()
        names: dict[str, str] = {
            email: name for email, name in self.session.execute(select(Person.email, Person.name))
        }
        rows = [
            CountedRow(
                names.get(owner, owner),
                one["leads"],
                one["open"],
                one["won"],
                one["lost"],
                sum(one["activities"].values()),
                one["overdue_follow_ups"],
            )
            for owner, one in kept["agents"].items()
        ]
        rows.sort(key=lambda row: row.name.casefold())
        return Counted(kept["counted_at"], rows)

    @cached_property
    def _people(self) -> dict[str, dict[str, Any]]:
        return {
            one.email: {
                "id": one.id,
                "email": one.email,
                "name": one.name,
                "is_active": one.disabled_at is None and one.role == str(Role.SALES),
                "weight": one.weight,
                "capacity": one.capacity,
            }
            for one in self.session.scalars(select(Person).order_by(Person.id))
        }

    def _standing(self, periods: Sequence[Period]) -> list[dict[str, dict[str, Any]]]:
        """What owners have in hand now, and what of theirs ended in each of the periods."""
        ended = [column for period in periods for column in _ended_in(period)]
        rows = self.session.execute(
            select(Lead.assigned_to, count_if(Lead.outcome.is_(None)), *ended)
            .where(Lead.assigned_to.is_not(None), *is_visible())
            .group_by(Lead.assigned_to)
        ).all()
        return [
            {
                str(row[0]): {
                    "open_leads": row[1],
                    "won": row[place],
                    "lost": row[place + 1],
                    "won_value": float(row[place + 2] or 0),
                }
                for row in rows
            }
            for place in range(2, 2 + len(ended), 3)
        ]

    def _done(self, periods: Sequence[Period]) -> list[dict[str, dict[str, Any]]]:
        """Activities by who did them: owners change, deeds do not."""
        at, span = Activity.occurred_at, span_of(periods)
        inside = [lies_in(period, at) for period in periods]
        rows = self.session.execute(
            select(Activity.actor, *map(count_if, inside))
            .where(
                lies_in(span, at),
                Activity.kind.not_in(NO_TOUCH),
                of_visible_lead(self.session, Activity.lead_id),
            )
            .group_by(Activity.actor)
        ).all()
        return [
            {row[0]: {"activities": row[place]} for row in rows if row[0] in self._people}
            for place in range(1, 1 + len(periods))
        ]


def _ended_in(period: Period) -> tuple[Any, Any, Any]:
    """How many sales were won and lost in a period, and what they were worth."""
    ended = lies_in(period, Lead.outcome_at)
    won = ended & (Lead.outcome == str(Outcome.WON))
    lost = ended & (Lead.outcome == str(Outcome.LOST))
    return count_if(won), count_if(lost), func.sum(case((won, Lead.outcome_value), else_=0))


def _made(waits: Waits) -> dict[str, dict[str, Any]]:
    return {
        one.owner: {
            "leads": one.leads,
            "touched": one.touched,
            "won_of_leads": one.won,
            "speed": one.speed,
        }
        for one in waits.owners
        if one.owner is not None
    }


def _stranger(owner: str) -> dict[str, Any]:
    """An owner who is nobody here: a team's name, or somebody of another system."""
    return {"email": owner, "name": owner, "is_active": False, "weight": 0, "capacity": None}
