"""ExperimentSeats: where a visitor sits when a conversation begins: the workflow and the arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ab_testing_service import ABTestingService, Seated
from engine.experiment_entry import read_forced
from engine.experiments import Status, stored_definition
from engine.visitors import visitor_attributes
from engine.workflow import Test
from experiment_draws import API, Arrival, shown_version
from models import Experiment
from services.resources import Resources
from services.workflow_service import WorkflowService


@dataclass(frozen=True)
class Seating:
    """A visitor's workflow version and seats; for a preview, the arms that were asked for."""

    version: int
    seated: Seated
    forced: Mapping[str, str] = field(default_factory=dict)

    @property
    def arms(self) -> dict[str, str]:
        """The arms that are shown."""
        return dict(self.forced) or self.seated.arms


class ExperimentSeats:
    """Takes a visitor through every experiment that is open to them."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.workflows = WorkflowService(session, resources)
        self.experiments = ABTestingService(session, resources)

    def take(
        self, session_id: str, visit: Mapping[str, Any], now: datetime, *, takes_part: bool
    ) -> Seating:
        """The seats of a new session; whoever takes part in nothing gets the controls."""
        outside = Seated(visit.get("visitor_id") or session_id)
        wanted = read_forced(visit.get("leadline_force")) if takes_part else {}
        if wanted or not takes_part:
            pinned = self.workflows.in_force()
            forced, shown = self._preview(wanted, pinned.workflow.tests)
            if forced or not takes_part:
                return Seating(shown or pinned.version, outside, forced)
        known = visitor_attributes(visit, visit.get("user_agent") or "")
        arrival = Arrival(session_id, visit.get("visitor_id"), known)
        found = self.experiments.find(arrival)
        pinned = self.workflows.in_force(found.version if found else None)
        tests = pinned.workflow.tests
        seated = self.experiments.assign(arrival, tests, pinned.version, now, found=found)
        version = seated.shows_version
        if version in (None, pinned.version):
            return Seating(pinned.version, seated)
        # The whole flow is tried: what is tested inside it is that version's own.
        assert version is not None
        own = self.workflows.get(version).tests
        return Seating(version, self.experiments.assign(arrival, own, version, now))

    def expose(self, seating: Seating, session_id: str, now: datetime) -> None:
        """Log that the visitor was sent what their arms say."""
        self.experiments.expose(seating.seated, session_id, now)

    def _preview(
        self, wanted: Mapping[str, str], tests: Sequence[Test]
    ) -> tuple[dict[str, str], int | None]:
        """The arms that a preview asked for, where there are such, and the version they show."""
        arms = {
            test.name: wanted[test.name]
            for test in tests
            if any(arm.name == wanted.get(test.name) for arm in test.arms)
        }
        beside = [name for name in wanted if name not in arms]
        if not beside:
            return arms, None
        version = None
        statement = select(Experiment).where(Experiment.name.in_(beside), Experiment.source == API)
        for row in self.session.scalars(statement):
            definition = stored_definition(row.definition or {})
            arm = wanted[row.name]
            if arm in definition.weights:
                # What a draft says may still change, and must not be taken for what was shown.
                arms[row.name] = arm + (f"~{row.revision}" if row.status == Status.DRAFT else "")
                version = shown_version(definition, arm) or version
        return arms, version
