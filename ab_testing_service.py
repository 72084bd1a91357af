"""ABTestingService: an experiment from draft to verdict; sticky variants, exposures, conversions.

So far it assigns, exposes and counts; the verdict comes with the statistics.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

import outbox
from engine.bucketing import ArmWeight, choose_arm
from engine.vocabulary import Action, Classification, FactKind, Outcome
from engine.workflow import Test
from engine.workflow_reader import read_workflow
from errors import NotFound, unknown_session
from lib.on_class import on_class
from models import (
    Assignment,
    Conversation,
    Conversion,
    Event,
    Experiment,
    Exposure,
    Lead,
)
from models import WorkflowVersion

# Outcomes that the server sees for itself; a client's word for them is not taken.
SERVER_OUTCOMES = frozenset({"completed", "mql", "sql", "deal_won"})


class ABTestingService:
    """Which arm a visitor sees, when they saw it, and what came of it."""

    def __init__(self, session: Session, resources: Any) -> None:
        # `Resources` stands above this module in the house: settings, clock and workflows are used.
        self.session = session
        self.resources = resources

    def assign(
        self, unit: str, tests: Sequence[Test], version: int, now: datetime
    ) -> dict[str, str]:
        """The unit's arm in each experiment; a stored one wins for ever, a new one is stored."""
        if not tests or not self.resources.settings.AB_TESTING_ENABLED:
            return {}
        names = [test.name for test in tests]
        arms = self._stored(unit, names)
        missing = [test for test in tests if test.name not in arms]
        if missing:
            seeds = self._seeds([test.name for test in missing], now)
            rows = [
                self._assignment(unit, test, seeds[test.name], version, now)
                for test in missing
            ]
            self.session.execute(self._insert(Assignment, rows))
            arms = self._stored(unit, names)
        return arms

    def expose(
        self, unit: str, session_id: str, arms: Mapping[str, str], now: datetime
    ) -> None:
        """Log that the unit was sent its arms' content, once each."""
        if not arms:
            return
        epochs = {
            name: epoch for name, (_, epoch) in self._seeds(list(arms), now).items()
        }
        rows = [
            {
                "experiment": name,
                "unit": unit,
                "session_id": session_id,
                "arm": arm,
                "epoch": epochs[name],
                "exposed_at": now,
            }
            for name, arm in arms.items()
        ]
        statement = self._insert(Exposure, rows).returning(
            Exposure.experiment, Exposure.arm
        )
        new = self.session.execute(statement).all()
        facts = [
            outbox.NewFact(
                FactKind.EXPERIMENT_EXPOSED,
                now,
                measured={"experiment": name, "arm": arm, "epoch": epochs[name]},
                personal={"unit": unit},
                session_id=session_id,
            )
            for name, arm in new
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
        test = self._test(row, test_name)
        now = self.resources.clock.now()
        unit = row.visitor_id or row.id
        counted = (
            row.suspicion != "crawler" and self.resources.settings.AB_TESTING_ENABLED
        )
        pinned = row.arms.get(test_name) if counted else None
        if counted and pinned is None:
            pinned = self.assign(unit, [test], row.workflow_version, now)[test_name]
        arm = test.arm(pinned)
        if counted:
            self.expose(unit, session_id, {test_name: arm.name}, now)
        return {"test_name": test_name, "variant": arm.name, "config": dict(arm.config)}

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
    ) -> dict[str, Any]:
        """Count a goal once per unit and type, under the arm that the unit was exposed to."""
        row = self._session_row(session_id)
        self._test(row, test_name)
        reply = {
            "session_id": session_id,
            "test_name": test_name,
            "conversion_type": conversion_type,
        }
        if conversion_type.lower() in SERVER_OUTCOMES:
            return {
                **reply,
                "logged": False,
                "reason": "The server counts this outcome itself.",
            }
        unit = row.visitor_id or row.id
        exposure = self.session.execute(
            select(Exposure.arm).where(
                Exposure.experiment == test_name, Exposure.unit == unit
            )
        ).one_or_none()
        if exposure is None:
            return {
                **reply,
                "logged": False,
                "reason": "This visitor has not seen the test.",
            }
        reply["variant"] = exposure.arm
        if not self._convert(
            row, unit, test_name, conversion_type, exposure.arm, value
        ):
            return {**reply, "logged": False, "reason": "This was counted before."}
        return {**reply, "logged": True}

    def on_fact(self, fact: Event) -> None:
        """Convert what a lead's visitor was exposed to, when the server itself saw an outcome."""
        reached = dict(_outcomes(fact))
        if not reached:
            return
        sessions = select(
            Conversation.id, Conversation.lead_id, Conversation.visitor_id
        )
        sessions = sessions.where(Conversation.lead_id == fact.lead_id)
        for row in self.session.execute(sessions).all():
            unit = row.visitor_id or row.id
            exposures = select(Exposure.experiment, Exposure.arm).where(
                Exposure.unit == unit, Exposure.exposed_at <= fact.occurred_at
            )
            for name, arm in self.session.execute(exposures).all():
                for metric, value in reached.items():
                    self._convert(row, unit, name, metric, arm, value)

    def _convert(
        self,
        row: Any,
        unit: str,
        test_name: str,
        metric: str,
        arm: str,
        value: float | None,
    ) -> bool:
        now = self.resources.clock.now()
        conversion = {
            "experiment": test_name,
            "unit": unit,
            "session_id": row.id,
            "metric": metric,
            "arm": arm,
            "value": value,
            "converted_at": now,
        }
        statement = self._insert(Conversion, [conversion]).returning(Conversion.id)
        if self.session.execute(statement).one_or_none() is None:
            return False
        fact = outbox.NewFact(
            FactKind.EXPERIMENT_CONVERTED,
            now,
            measured={
                "experiment": test_name,
                "metric": metric,
                "arm": arm,
                "value": value,
            },
            personal={"unit": unit},
            lead_id=row.lead_id,
            session_id=row.id,
        )
        outbox.record(self.session, fact)
        return True

    def _session_row(self, session_id: str) -> Any:
        row = self.session.execute(
            select(
                Conversation.id,
                Conversation.lead_id,
                Conversation.visitor_id,
                Conversation.workflow_version,
                Conversation.arms,
                Conversation.suspicion,
            )
            .join(Lead, Lead.id == Conversation.lead_id)
            .where(Conversation.id == session_id, Lead.deleted_at.is_(None))
        ).one_or_none()
        if row is None:
            raise unknown_session()
        return row

    def _test(self, row: Any, test_name: str) -> Test:
        """The test in the version the session is pinned to."""
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
        if test is None:
            raise NotFound("There is no test of this name.", code="unknown_test")
        return test

    def _stored(self, unit: str, names: Sequence[str]) -> dict[str, str]:
        rows = self.session.execute(
            select(Assignment.experiment, Assignment.arm).where(
                Assignment.unit == unit, Assignment.experiment.in_(names)
            )
        )
        found = {name: arm for name, arm in rows}
        return {name: found[name] for name in names if name in found}

    def _seeds(self, names: Sequence[str], now: datetime) -> dict[str, tuple[str, int]]:
        """Seed and epoch of each experiment; a new one gets a random seed that stays for ever."""
        statement = select(Experiment.name, Experiment.seed, Experiment.epoch).where(
            Experiment.name.in_(names)
        )
        found = {
            name: (seed, epoch) for name, seed, epoch in self.session.execute(statement)
        }
        missing = [name for name in names if name not in found]
        if missing:
            rows = [
                {
                    "name": name,
                    "seed": secrets.token_hex(8),
                    "epoch": 1,
                    "created_at": now,
                }
                for name in missing
            ]
            self.session.execute(self._insert(Experiment, rows))
            found = {
                name: (seed, epoch)
                for name, seed, epoch in self.session.execute(statement)
            }
        return found

    def _assignment(
        self, unit: str, test: Test, seed: tuple[str, int], version: int, now: datetime
    ) -> dict[str, Any]:
        weights = [ArmWeight(arm.name, arm.weight) for arm in test.arms]
        chosen = choose_arm(seed[0], unit, weights)
        assert chosen is not None, "with full coverage everybody takes part"
        return {
            "experiment": test.name,
            "unit": unit,
            "arm": chosen.arm,
            "propensity": chosen.propensity,
            "epoch": seed[1],
            "workflow_version": version,
            "assigned_at": now,
        }

    def _insert(self, table: type[Any], rows: list[dict[str, Any]]) -> Any:
        """An insert that leaves rows alone which are there: the first one wins."""
        dialect = (
            sqlite if self.session.get_bind().dialect.name == "sqlite" else postgresql
        )
        statement: Insert = dialect.insert(table).values(rows).on_conflict_do_nothing()
        return statement


def _outcomes(fact: Event) -> Iterator[tuple[str, float | None]]:
    """The goals that a fact means were reached, each with its value if it has one."""
    said = fact.measured
    if fact.kind == FactKind.JOURNEY_COMPLETED:
        yield "completed", None
    elif fact.kind == FactKind.LEAD_CLASSIFIED:
        if said["to"] in (Classification.MQL, Classification.SQL):
            yield "mql", None
        if said["to"] == Classification.SQL:
            yield "sql", None
    elif fact.kind == FactKind.OUTCOME_RECORDED and said["outcome"] == Outcome.WON:
        yield "deal_won", said.get("value")
    elif (
        fact.kind == FactKind.BEHAVIOR_REPORTED
        and said["action"] == Action.DEMO_REQUESTED
    ):
        yield "demo_request", None
    elif fact.kind in (FactKind.PROFILE_UPDATED, FactKind.ANSWER_RECORDED) and said.get(
        "contact"
    ):
        yield "contact_shared", None
