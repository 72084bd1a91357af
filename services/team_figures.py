"""TeamFigures: who works which leads, how soon, and with what success."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from engine.periods import Period
from engine.policy import Role
from engine.rates import Share
from engine.vocabulary import Outcome
from models import Activity, Lead, Person
from services.agent_figures import AgentFigures
from services.figure_scope import count_if, leads_of
from services.first_touch import NO_TOUCH, FirstTouches, Speed, Waits
from services.lead_visibility import is_visible
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
        waits = FirstTouches(self.session).find(period)
        found = self._people()
        parts = (self._standing(period), _made(waits), self._done(period))
        for part in parts:
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

    def _standing(self, period: Period) -> dict[str, dict[str, Any]]:
        """What owners have in hand now, and what of theirs ended in the period."""
        ended = (Lead.outcome_at >= period.start) & (Lead.outcome_at < period.end)
        won = ended & (Lead.outcome == str(Outcome.WON))
        rows = self.session.execute(
            select(
                Lead.assigned_to,
                count_if(Lead.outcome.is_(None)).label("open_leads"),
                count_if(won).label("won"),
                count_if(ended & (Lead.outcome == str(Outcome.LOST))).label("lost"),
                func.sum(case((won, Lead.outcome_value), else_=0)).label("won_value"),
            )
            .where(Lead.assigned_to.is_not(None), *is_visible())
            .group_by(Lead.assigned_to)
        )
        return {
            str(owner): {
                "open_leads": in_hand,
                "won": won,
                "lost": lost,
                "won_value": float(value or 0),
            }
            for owner, in_hand, won, lost, value in rows
        }

    def _done(self, period: Period) -> dict[str, dict[str, Any]]:
        """Activities by who did them: owners change, deeds do not."""
        people = select(Person.email)
        rows = self.session.execute(
            leads_of(Activity.occurred_at, period, Activity.actor, func.count())
            .join_from(Activity, Lead, Lead.id == Activity.lead_id)
            .where(Activity.kind.not_in(NO_TOUCH), Activity.actor.in_(people))
            .group_by(Activity.actor)
        )
        return {actor: {"activities": count} for actor, count in rows}


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
