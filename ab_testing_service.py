"""ABTestingService: sticky variants, exposures, conversions; the hot path of an experiment.

What an experiment is and how it lives stands in services/experiment_book.py, what came of it in
services/experiment_results.py. Both kinds take part here: those of a workflow's ACTIVE_TESTS, and
those that were written down by API ("api").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

import outbox
from engine.experiments import Status, stored_definition
from engine.goals import SERVER_OUTCOMES, reached
from engine.visitors import visitor_attributes
from engine.vocabulary import UTM_FIELDS, FactKind
from engine.workflow import Test
from engine.workflow_reader import read_workflow
from errors import NotFound, unknown_session
from experiment_draws import (
    API,
    Arrival,
    ExperimentDraws,
    Found,
    Seat,
    as_test,
    shown_version,
)
from lib.on_class import on_class
from many_rows import insert_new
from models import (
    Conversation,
    Conversion,
    Event,
    Experiment,
    Exposure,
    Lead,
    WorkflowVersion,
)

log = structlog.get_logger(__name__)

# Visits that take part in nothing: programs, and people who only look at a variant.
UNCOUNTED = frozenset({"crawler", "preview"})


@dataclass(frozen=True)
class Seated:
    """The unit that a visitor is counted as, and its seats by experiment."""

    unit: str
    seats: Mapping[str, Seat] = field(default_factory=dict)
    # The version that one of the arms shows, where the whole flow is tried.
    shows_version: int | None = None

    @property
    def arms(self) -> dict[str, str]:
        """The arm in each experiment."""
        return {name: seat.arm for name, seat in self.seats.items()}


@dataclass(frozen=True)
class _Reached:
    """A goal that a session reached, and the exposure that it counts for."""

    session: Any
    exposure: Any
    metric: str
    value: float | None
    at: datetime

    @property
    def key(self) -> tuple[str, str, str]:
        """What it counts once for."""
        return self.exposure.experiment, self.exposure.unit, self.metric

    def row(self) -> dict[str, Any]:
        """The conversion as it is stored."""
        exposure = self.exposure
        return {
            "experiment": exposure.experiment,
            "unit": exposure.unit,
            "session_id": self.session.id,
            "metric": self.metric,
            "arm": exposure.arm,
            "value": self.value,
            "converted_at": self.at,
            "epoch": exposure.epoch,
            "exposed_at": exposure.exposed_at,
            "excluded": exposure.excluded,
        }

    def fact(self) -> outbox.NewFact:
        """That it was counted."""
        measured = {
            "experiment": self.exposure.experiment,
            "metric": self.metric,
            "arm": self.exposure.arm,
            "value": self.value,
        }
        return outbox.NewFact(
            FactKind.EXPERIMENT_CONVERTED,
            self.at,
            measured=measured,
            personal={"unit": self.exposure.unit},
            lead_id=self.session.lead_id,
            session_id=self.session.id,
        )


class ABTestingService:
    """Which arm a visitor sees, when they saw it, and what came of it."""

    def __init__(self, session: Session, resources: Any) -> None:
        # `Resources` stands above this module in the house: settings, clock and workflows are used.
        self.session = session
        self.resources = resources
        self.draws = ExperimentDraws(session)

    # Who sees what

    def find(self, arrival: Arrival) -> Found | None:
        """What the database knows of who comes; None where nobody takes part in anything."""
        return self.draws.find(arrival) if self.resources.settings.AB_TESTING_ENABLED else None

    def assign(
        self,
        arrival: Arrival,
        tests: Sequence[Test],
        version: int,
        now: datetime,
        *,
        found: Found | None = None,
        only: str | None = None,
    ) -> Seated:
        """The visitor's seat in each experiment; a stored one wins for ever, a new one is stored.

        `tests` are those of the workflow; `only` restricts to one experiment of any kind.
        """
        found = found or self.find(arrival)
        if found is None:
            return Seated(arrival.visitor_id or arrival.session_id)
        open_ones = self.draws.open_to(found, tests, now)
        open_ones = [one for one in open_ones if only in (None, one.name)]
        stored = found.seats
        new = [one for one in open_ones if one.takes_new and one.name not in stored]
        rows = self.draws.draw(found, arrival, new, version, now) if new else []
        known = {**stored, **(self.draws.keep(rows) if rows else {})}
        seats = {one.name: known[one.name] for one in open_ones if one.name in known}
        shown = (
            shown_version(one.definition, seats[one.name].arm)
            for one in open_ones
            if one.definition and one.name in seats
        )
        return Seated(found.unit, seats, next(filter(None, shown), None))

    def expose(self, seated: Seated, session_id: str, now: datetime) -> None:
        """Log that the unit was sent its arms' content, once each."""
        unseen = {name: seat for name, seat in seated.seats.items() if not seat.is_exposed}
        if not unseen:
            return
        rows = [
            {
                "experiment": name,
                "unit": seated.unit,
                "session_id": session_id,
                "arm": seat.arm,
                "epoch": seat.epoch,
                "exposed_at": now,
            }
            for name, seat in unseen.items()
        ]
        new = insert_new(
            *(self.session, Exposure, rows), Exposure.experiment, Exposure.arm, Exposure.epoch
        )
        facts = [
            outbox.NewFact(
                FactKind.EXPERIMENT_EXPOSED,
                now,
                measured={"experiment": name, "arm": arm, "epoch": epoch},
                personal={"unit": seated.unit},
                session_id=session_id,
            )
            for name, arm, epoch in new
        ]
        outbox.record(self.session, *facts)

    @on_class
    def get_variant(self, test_name: str, session_id: str) -> dict[str, Any] | None:
        """The session's variant of a test; None when either is unknown."""
        try:
            return self.find_variant(test_name, session_id)
        except NotFound:
            return None

    def find_variant(self, test_name: str, session_id: str) -> dict[str, Any]:
        """The session's arm and its content, the same for ever; seeing it is an exposure."""
        row = self._session_row(session_id)
        test, is_of_workflow = self._test(row, test_name)
        name = row.arms.get(test_name, "").partition("~")[0] or None
        if row.suspicion not in UNCOUNTED and self.resources.settings.AB_TESTING_ENABLED:
            now = self.resources.clock.now()
            arrival = Arrival(row.id, row.visitor_id, visitor_attributes(row._mapping))
            tests = [test] if is_of_workflow else []
            seated = self.assign(arrival, tests, row.workflow_version, now, only=test_name)
            seat = seated.seats.get(test_name)
            name = name or (seat.arm if seat else None)
            if seat and seat.arm == name:
                self.expose(seated, session_id, now)
        arm = test.arm(name)
        return {"test_name": test_name, "variant": arm.name, "config": dict(arm.config)}

    # What came of it

    @on_class
    def log_conversion(
        self, session_id: str, test_name: str, conversion_type: str
    ) -> dict[str, Any] | None:
        """Count a conversion; None when the session or the test is unknown."""
        try:
            return self.record_conversion(session_id, test_name, conversion_type)
        except NotFound:
            return None

    def record_conversion(
        self,
        session_id: str,
        test_name: str,
        conversion_type: str,
        value: float | None = None,
        *,
        claimed: str | None = None,
    ) -> dict[str, Any]:
        """Count a goal once per unit and type, under the arm that the unit was exposed to.

        An arm that a client claims is compared and logged, never believed.
        """
        row = self._session_row(session_id)
        self._test(row, test_name)
        reply: dict[str, Any] = {
            "session_id": session_id,
            "test_name": test_name,
            "conversion_type": conversion_type,
        }
        if conversion_type.lower() in SERVER_OUTCOMES:
            return {**reply, "logged": False, "reason": "The server counts this outcome itself."}
        if row.suspicion in UNCOUNTED:
            return {**reply, "logged": False, "reason": "A preview is not counted."}
        now = self.resources.clock.now()
        unit = self.draws.unit_of(Arrival(row.id, row.visitor_id))
        exposure = next(iter(self._exposures(unit, [test_name], now)), None)
        if exposure is None:
            reason = "This visitor has not seen the test."
            return {**reply, "logged": False, "reason": reason}
        if claimed is not None and claimed != exposure.arm:
            log.warning("a client claims another arm", experiment=test_name, claimed=claimed[:64])
        reply["variant"] = exposure.arm
        if not self._convert([_Reached(row, exposure, conversion_type, value, now)]):
            return {**reply, "logged": False, "reason": "This was counted before."}
        return {**reply, "logged": True}

    def on_facts(self, lead_id: int | None, facts: Sequence[Event]) -> None:
        """Convert what a lead's visitor was exposed to, where the server itself saw an outcome.

        The facts of a lead are looked at together: the relay brings many of them at once.
        """
        seen = [(fact, dict(reached(fact.kind, fact.measured))) for fact in facts]
        seen = [(fact, goals) for fact, goals in seen if goals]
        if not seen:
            return
        sessions = select(
            Conversation.id, Conversation.lead_id, Conversation.visitor_id, Conversation.suspicion
        ).where(Conversation.lead_id == lead_id)
        names = self.session.scalars(select(Experiment.name)).all()
        last = max(fact.occurred_at for fact, _ in seen)
        found = []
        for row in self.session.execute(sessions).all():
            if row.suspicion in UNCOUNTED:
                continue
            unit = self.draws.unit_of(Arrival(row.id, row.visitor_id))
            exposures = self._exposures(unit, names, last)
            found += [
                _Reached(row, exposure, metric, value, fact.occurred_at)
                for fact, goals in seen
                for exposure in exposures
                if exposure.exposed_at <= fact.occurred_at
                for metric, value in goals.items()
            ]
        self._convert(found)

    def _exposures(self, unit: str, names: Sequence[str], until: datetime) -> Sequence[Any]:
        """The unit's exposures until then; by name, for by the unit alone there is no index."""
        statement = select(
            *(Exposure.experiment, Exposure.unit, Exposure.arm, Exposure.epoch),
            *(Exposure.exposed_at, Exposure.excluded),
        )
        return self.session.execute(
            statement.where(
                Exposure.experiment.in_(names),
                Exposure.unit == unit,
                Exposure.exposed_at <= until,
            )
        ).all()

    def _convert(self, found: Sequence[_Reached]) -> int:
        """Write conversions down, each once, of several the first; how many were new."""
        first: dict[tuple[str, str, str], _Reached] = {}
        for one in found:
            first.setdefault(one.key, one)
        if not first:
            return 0
        rows = [one.row() for one in first.values()]
        kept = insert_new(
            *(self.session, Conversion, rows),
            *(Conversion.experiment, Conversion.unit, Conversion.metric),
        )
        new = [first[one.experiment, one.unit, one.metric] for one in kept]
        outbox.record(self.session, *(one.fact() for one in new))
        return len(new)

    # Rows

    def _session_row(self, session_id: str) -> Any:
        row = self.session.execute(
            select(
                *(Conversation.id, Conversation.lead_id, Conversation.visitor_id),
                *(Conversation.workflow_version, Conversation.arms, Conversation.suspicion),
                *(getattr(Conversation, name) for name in UTM_FIELDS),
                *(Conversation.landing_page, Conversation.referrer, Conversation.locale),
            )
            .join(Lead, Lead.id == Conversation.lead_id)
            .where(Conversation.id == session_id, Lead.deleted_at.is_(None))
        ).one_or_none()
        if row is None:
            raise unknown_session()
        return row

    def _test(self, row: Any, test_name: str) -> tuple[Test, bool]:
        """The test as the session has it, and whether it is one of its pinned workflow."""
        library, key = self.resources.workflows, (row.workflow_version, ())
        workflow = library.get(key)
        if workflow is None:
            config: Any = self.session.scalar(
                select(WorkflowVersion.config).where(
                    WorkflowVersion.version == row.workflow_version
                )
            )
            workflow = library[key] = read_workflow(config["workflow"], config["tests"])
        test: Test | None = workflow.find_test(test_name)
        if test is not None:
            return test, True
        raw = self.session.scalar(
            select(Experiment.definition).where(
                Experiment.name == test_name,
                Experiment.source == API,
                *(() if test_name in row.arms else (Experiment.status != Status.DRAFT,)),
            )
        )
        if raw is None:
            raise NotFound("There is no test of this name.", code="unknown_test")
        return as_test(stored_definition(raw)), False
