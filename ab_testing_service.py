"""ABTestingService: sticky variants, exposures, conversions; the hot path of an experiment.

What an experiment is and how it lives stands in services/experiment_book.py, what came of it in
services/experiment_results.py. Both kinds take part here: those of a workflow's ACTIVE_TESTS, and
those that were written down by API ("api").
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import structlog
from sqlalchemy import Insert, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

import outbox
from engine.bucketing import ArmWeight, Chosen, choose_arm
from engine.experiments import (
    Definition,
    Holdout,
    Status,
    chosen_arm,
    device_of,
    names_of,
    stored_definition,
)
from engine.vocabulary import UTM_FIELDS, Action, Classification, FactKind, Outcome
from engine.workflow import Arm, Test
from engine.workflow_reader import read_workflow
from errors import NotFound, unknown_session
from lib.on_class import on_class
from models import (
    Assignment,
    Conversation,
    Conversion,
    Event,
    Experiment,
    ExperimentEpoch,
    Exposure,
    Lead,
    UnitAlias,
    WorkflowVersion,
    WorkspaceSetting,
)

log = structlog.get_logger(__name__)

# Outcomes that the server sees for itself; a client's word for them is not taken.
SERVER_OUTCOMES = frozenset({"completed", "mql", "sql", "deal_won"})
# Visits that take part in nothing: programs, and people who only look at a variant.
UNCOUNTED = frozenset({"crawler", "preview"})
HOLDOUT = "experiments.holdout"
WORKFLOW, API = "workflow", "api"


@dataclass(frozen=True)
class Seat:
    """A unit's arm in an experiment, and the epoch in which it was drawn."""

    arm: str
    epoch: int


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
class Arrival:
    """Who comes: their visitor id if any, else their session, and what is known of them."""

    session_id: str
    visitor_id: str | None = None
    known: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class _Open:
    """An experiment that a visitor may be in: one of the workflow, or one with a definition."""

    name: str
    seed: str
    epoch: int
    revision: int
    takes_new: bool
    test: Test | None = None
    definition: Definition | None = None

    def choose(self, unit: str, known: Mapping[str, object], holdout: Holdout) -> Chosen | None:
        """The arm of a unit that is new to it."""
        if self.definition:
            return chosen_arm(self.definition, self.seed, unit, known, holdout)
        if self.test is None or holdout.holds(unit):
            return None
        return choose_arm(self.seed, unit, [ArmWeight(a.name, a.weight) for a in self.test.arms])

    @property
    def asks_if_returning(self) -> bool:
        """Whether it is only for some who were here before, or were not."""
        return self.definition is not None and "returning" in names_of(self.definition.targeting)


class ABTestingService:
    """Which arm a visitor sees, when they saw it, and what came of it."""

    def __init__(self, session: Session, resources: Any) -> None:
        # `Resources` stands above this module in the house: settings, clock and workflows are used.
        self.session = session
        self.resources = resources
        self._holdout = Holdout()

    # Who sees what

    def assign(
        self,
        arrival: Arrival,
        tests: Sequence[Test],
        version: int,
        now: datetime,
        *,
        only: str | None = None,
    ) -> Seated:
        """The visitor's seat in each experiment; a stored one wins for ever, a new one is stored.

        `tests` are those of the workflow; `only` restricts to one experiment of any kind.
        """
        unit = self.unit_of(arrival)
        if not self.resources.settings.AB_TESTING_ENABLED:
            return Seated(unit)
        open_ones = self._open(tests, now, only)
        names = [one.name for one in open_ones]
        seats = self._stored(unit, names)
        new = [one for one in open_ones if one.takes_new and one.name not in seats]
        rows = self._draw(unit, arrival, new, version, now) if new else []
        if rows:
            self.session.execute(self._insert(Assignment, rows))
            seats = self._stored(unit, names)
        shown = (
            shown_version(one.definition, seats[one.name].arm)
            for one in open_ones
            if one.definition and one.name in seats
        )
        return Seated(unit, seats, next(filter(None, shown), None))

    def expose(self, seated: Seated, session_id: str, now: datetime) -> None:
        """Log that the unit was sent its arms' content, once each."""
        if not seated.seats:
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
            for name, seat in seated.seats.items()
        ]
        statement = self._insert(Exposure, rows).returning(
            Exposure.experiment, Exposure.arm, Exposure.epoch
        )
        facts = [
            outbox.NewFact(
                FactKind.EXPERIMENT_EXPOSED,
                now,
                measured={"experiment": name, "arm": arm, "epoch": epoch},
                personal={"unit": seated.unit},
                session_id=session_id,
            )
            for name, arm, epoch in self.session.execute(statement).all()
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
        if row.suspicion in UNCOUNTED:
            return {**reply, "logged": False, "reason": "A preview is not counted."}
        unit = self.unit_of(Arrival(row.id, row.visitor_id))
        exposure = self._exposures(unit, [test_name], self.resources.clock.now())
        if not exposure:
            return {
                **reply,
                "logged": False,
                "reason": "This visitor has not seen the test.",
            }
        reply["variant"] = exposure[0].arm
        if claimed is not None and claimed != exposure[0].arm:
            log.warning("a client claims another arm", experiment=test_name, claimed=claimed[:64])
        now = self.resources.clock.now()
        if not self._convert(row, exposure[0], conversion_type, value, now):
            return {**reply, "logged": False, "reason": "This was counted before."}
        return {**reply, "logged": True}

    def on_fact(self, fact: Event) -> None:
        """Convert what a lead's visitor was exposed to, when the server itself saw an outcome."""
        reached = dict(_outcomes(fact))
        if not reached:
            return
        sessions = select(
            Conversation.id, Conversation.lead_id, Conversation.visitor_id, Conversation.suspicion
        ).where(Conversation.lead_id == fact.lead_id)
        names = self.session.scalars(select(Experiment.name)).all()
        for row in self.session.execute(sessions).all():
            if row.suspicion in UNCOUNTED:
                continue
            unit = self.unit_of(Arrival(row.id, row.visitor_id))
            for exposure in self._exposures(unit, names, fact.occurred_at):
                for metric, value in reached.items():
                    self._convert(row, exposure, metric, value, fact.occurred_at)

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

    def _convert(
        self, row: Any, exposure: Any, metric: str, value: float | None, now: datetime
    ) -> bool:
        conversion = {
            "experiment": exposure.experiment,
            "unit": exposure.unit,
            "session_id": row.id,
            "metric": metric,
            "arm": exposure.arm,
            "value": value,
            "converted_at": now,
            "epoch": exposure.epoch,
            "exposed_at": exposure.exposed_at,
            "excluded": exposure.excluded,
        }
        statement = self._insert(Conversion, [conversion]).returning(Conversion.id)
        if self.session.execute(statement).one_or_none() is None:
            return False
        measured = {
            "experiment": exposure.experiment,
            "metric": metric,
            "arm": exposure.arm,
            "value": value,
        }
        fact = outbox.NewFact(
            FactKind.EXPERIMENT_CONVERTED,
            now,
            measured=measured,
            personal={"unit": exposure.unit},
            lead_id=row.lead_id,
            session_id=row.id,
        )
        outbox.record(self.session, fact)
        return True

    # Rows

    def unit_of(self, arrival: Arrival) -> str:
        """The unit a visitor is counted as; a session without a visitor id is its own."""
        if arrival.visitor_id is None:
            return arrival.session_id
        alias = select(UnitAlias.canonical).where(UnitAlias.unit == arrival.visitor_id)
        return self.session.scalar(alias) or arrival.visitor_id

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

    def _stored(self, unit: str, names: Sequence[str]) -> dict[str, Seat]:
        if not names:
            return {}
        rows = self.session.execute(
            select(Assignment.experiment, Assignment.arm, Assignment.epoch).where(
                Assignment.unit == unit, Assignment.experiment.in_(names)
            )
        )
        found = {name: Seat(arm, epoch) for name, arm, epoch in rows}
        return {name: found[name] for name in names if name in found}

    def _open(self, tests: Sequence[Test], now: datetime, only: str | None) -> list[_Open]:
        """What a visitor may be in: running, or paused for those who are in already."""
        holdout = (
            select(WorkspaceSetting.value).where(WorkspaceSetting.name == HOLDOUT).scalar_subquery()
        )
        statement = select(
            *(Experiment.name, Experiment.seed, Experiment.epoch, Experiment.revision),
            *(Experiment.source, Experiment.status, Experiment.definition),
            holdout.label("holdout"),
        ).where(
            or_(
                Experiment.name.in_([test.name for test in tests]),
                (Experiment.source == API) & Experiment.status.in_(_LIVE),
            )
        )
        rows = {row.name: row for row in self.session.execute(statement)}
        for row in rows.values():
            self._holdout = Holdout(**(row.holdout or {}))
        mine = [self._of_workflow(test, rows.get(test.name), now) for test in tests]
        theirs = [_of_api(row) for row in rows.values() if row.source == API]
        found = [one for one in (*mine, *theirs) if one]
        return [one for one in found if only in (None, one.name)]

    def _of_workflow(self, test: Test, row: Any, now: datetime) -> _Open | None:
        """A test of the workflow; the epoch is that of its weights."""
        if row is not None and (row.source == API or row.status not in _LIVE):
            return None
        weights = {arm.name: arm.weight for arm in test.arms}
        if row is None or (row.definition or {}).get("weights") != weights:
            row = self._keep_epoch(test.name, weights, now)
        return _Open(
            test.name, row.seed, row.epoch, row.revision, row.status == Status.RUNNING, test
        )

    def _keep_epoch(self, name: str, weights: dict[str, float], now: datetime) -> Any:
        """The row of a test whose weights are new, with the epoch that these weights have.

        Two versions of a workflow may be shown side by side, so an epoch is found again.
        """
        row = {
            "name": name,
            "seed": secrets.token_hex(8),
            "epoch": 1,
            "source": WORKFLOW,
            "status": str(Status.RUNNING),
            "created_at": now,
            "started_at": now,
        }
        self.session.execute(self._insert(Experiment, [row]))
        kept = self.session.scalars(
            select(Experiment).where(Experiment.name == name).with_for_update(key_share=True)
        ).one()
        epochs = self.session.execute(
            select(ExperimentEpoch.epoch, ExperimentEpoch.weights).where(
                ExperimentEpoch.experiment == name
            )
        ).all()
        found = next((epoch for epoch, stored in epochs if stored == weights), None)
        if found is None:
            found = max((one.epoch for one in epochs), default=kept.epoch - 1) + 1
            reason = "Its weights in the workflow changed." if epochs else "It began."
            values = {"experiment": name, "epoch": found, "weights": weights, "reason": reason}
            self.session.execute(self._insert(ExperimentEpoch, [{**values, "opened_at": now}]))
            kept.epoch, kept.definition = found, {"weights": weights}
            self.session.flush()
        return _Row(kept.seed, found, kept.revision, kept.status)

    def _draw(
        self, unit: str, arrival: Arrival, new: Sequence[_Open], version: int, now: datetime
    ) -> list[dict[str, Any]]:
        """An assignment for each experiment that the unit gets into."""
        known = dict(arrival.known)
        if any(one.asks_if_returning for one in new):
            known["returning"] = self._was_here(arrival)
        drawn = [(one, one.choose(unit, known, self._holdout)) for one in new]
        return [
            {
                "experiment": one.name,
                "unit": unit,
                "arm": chosen.arm,
                "propensity": chosen.propensity,
                "epoch": one.epoch,
                "revision": one.revision,
                "workflow_version": version,
                "assigned_at": now,
            }
            for one, chosen in drawn
            if chosen
        ]

    def _was_here(self, arrival: Arrival) -> bool:
        """Whether a conversation of this visitor came before this one."""
        if arrival.visitor_id is None:
            return False
        earlier = select(func.count()).where(
            Conversation.visitor_id == arrival.visitor_id, Conversation.id != arrival.session_id
        )
        return bool(self.session.scalar(earlier))

    def _insert(self, table: type[Any], rows: list[dict[str, Any]]) -> Any:
        """An insert that leaves rows alone which are there: the first one wins."""
        dialect = sqlite if self.session.get_bind().dialect.name == "sqlite" else postgresql
        statement: Insert = dialect.insert(table).values(rows).on_conflict_do_nothing()
        return statement


@dataclass(frozen=True)
class _Row:
    """What `_Open` needs of an experiment's row."""

    seed: str
    epoch: int
    revision: int
    status: str


_LIVE = (str(Status.RUNNING), str(Status.PAUSED))


def _of_api(row: Any) -> _Open:
    definition = stored_definition(row.definition)
    running = row.status == Status.RUNNING
    return _Open(row.name, row.seed, row.epoch, row.revision, running, definition=definition)


def as_test(definition: Definition) -> Test:
    """An experiment as the workflow's tests are: the control first."""
    control = definition.arm(None)
    arms = (control, *(arm for arm in definition.arms if arm.name != control.name))
    return Test(definition.name, tuple(Arm(one.name, one.weight, one.config) for one in arms))


def shown_version(definition: Definition, arm: str) -> int | None:
    """The workflow version that an arm shows, if it shows one."""
    version = definition.arm(arm).config.get("workflow_version")
    return int(version) if version is not None else None


def visitor_attributes(
    visit: Mapping[str, Any], user_agent: str | None = None
) -> dict[str, object]:
    """What a targeting condition may ask about a visit."""
    url = str(visit.get("landing_page") or "")
    locale = str(visit.get("locale") or "")
    known: dict[str, object] = {name: visit.get(name) for name in UTM_FIELDS}
    return {
        **known,
        "url": url,
        "path": _path(url),
        "referrer": visit.get("referrer"),
        "locale": locale or None,
        "language": locale.replace("_", "-").partition("-")[0].lower() or None,
        "device": None if user_agent is None else device_of(user_agent),
        "returning": False,
    }


def _path(url: str) -> str | None:
    try:
        return urlsplit(url).path or None
    except ValueError:
        return None


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
    elif fact.kind == FactKind.BEHAVIOR_REPORTED and said["action"] == Action.DEMO_REQUESTED:
        yield "demo_request", None
    elif fact.kind in (FactKind.PROFILE_UPDATED, FactKind.ANSWER_RECORDED) and said.get("contact"):
        yield "contact_shared", None
