"""ExperimentPeople: a person with several devices counts once; who saw two arms, not at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from ab_testing_service import UNCOUNTED
from experiment_draws import Arrival, ExperimentDraws
from many_rows import insert_new
from models import (
    Assignment,
    Conversation,
    Conversion,
    Event,
    Experiment,
    Exposure,
    Lead,
    UnitAlias,
)
from services.resources import Resources


class ExperimentPeople:
    """Joins visitor ids that turned out to be one person."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def on_merge(self, fact: Event) -> None:
        """Two leads turned out to be one person: all their browsers are."""
        merged = [fact.lead_id, *(int(one) for one in fact.measured["merged"])]
        self.join(self._units(Conversation.lead_id.in_(merged)), self.resources.clock.now())

    def recognise(self, session_id: str, visitor_id: str | None) -> None:
        """A visitor came with the token of a session: its browser and this one are one person's."""
        if visitor_id is None:
            return
        before = self._units(Conversation.id == session_id)
        if before and before != [visitor_id]:
            self.join([*before, visitor_id], self.resources.clock.now())

    def _units(self, whose: ColumnElement[bool]) -> list[str]:
        """What some sessions are counted as: the visitor id of each, or else its own id."""
        rows = self.session.execute(
            select(Conversation.id, Conversation.visitor_id)
            .join(Lead, Lead.id == Conversation.lead_id)
            .where(whose, or_(Lead.deleted_at.is_(None), Lead.merged_into.is_not(None)))
            .where(or_(Conversation.suspicion.is_(None), Conversation.suspicion.not_in(UNCOUNTED)))
            .order_by(Conversation.started_at, Conversation.id)
        )
        return list(dict.fromkeys(visitor_id or name for name, visitor_id in rows))

    def join(self, units: Sequence[str], now: datetime) -> str | None:
        """Count several visitor ids as one person from now on: under the one that came first.

        Where they saw two arms of an experiment, neither is counted, and the share of such
        people is shown.
        """
        draws = ExperimentDraws(self.session)
        known = list(dict.fromkeys(draws.unit_of(Arrival(unit, unit)) for unit in units))
        if len(known) < 2:
            return known[0] if known else None
        earliest = self.session.execute(
            select(Assignment.unit)
            .where(Assignment.unit.in_(known), Assignment.experiment.in_(self._names()))
            .order_by(Assignment.assigned_at, Assignment.id)
            .limit(1)
        ).scalar()
        # Where nothing was drawn for any of them yet, the one that came first.
        canonical = earliest or known[0]
        others = [unit for unit in known if unit != canonical]
        rows = [{"unit": one, "canonical": canonical, "joined_at": now} for one in others]
        insert_new(self.session, UnitAlias, rows)
        for alias in self.session.scalars(select(UnitAlias).where(UnitAlias.canonical.in_(others))):
            alias.canonical = canonical
        self.session.flush()
        self._exclude_doubles([canonical, *others])
        return canonical

    def _names(self) -> Sequence[str]:
        return self.session.scalars(select(Experiment.name)).all()

    def _exclude_doubles(self, units: Sequence[str]) -> None:
        """Of each experiment's exposures of one person the earliest counts, if all show one arm."""
        exposures = self.session.scalars(
            select(Exposure)
            .where(Exposure.experiment.in_(self._names()), Exposure.unit.in_(units))
            .order_by(Exposure.exposed_at, Exposure.id)
        ).all()
        conversions = self.session.scalars(
            select(Conversion)
            .where(Conversion.experiment.in_(self._names()), Conversion.unit.in_(units))
            .order_by(Conversion.converted_at, Conversion.id)
        ).all()
        for name in {one.experiment for one in exposures}:
            seen = [one for one in exposures if one.experiment == name]
            mine = [one for one in conversions if one.experiment == name]
            if len({one.arm for one in seen}) > 1:
                for exposure in seen:
                    exposure.excluded = "multiple"
                for conversion in mine:
                    conversion.excluded = "multiple"
                continue
            for later in seen[1:]:
                later.excluded = "alias"
            _keep_earliest(mine, seen[0])
        self.session.flush()


def _keep_earliest(conversions: Sequence[Conversion], exposure: Exposure) -> None:
    """Of one person's conversions to a goal the earliest counts, as of their one exposure."""
    seen: set[str] = set()
    for row in conversions:
        row.excluded = "alias" if row.metric in seen else None
        row.epoch, row.exposed_at = exposure.epoch, exposure.exposed_at
        seen.add(row.metric)
