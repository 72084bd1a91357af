"""ExperimentDraws: the experiments that are open to a visitor, and the arms drawn for them.

A stored arm wins for ever; rows are inserted so that of several processes the first one wins.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from database import prepare
from engine.bucketing import ArmWeight, Chosen, choose_arm
from engine.experiment_entry import Holdout, chosen_arm
from engine.experiments import Definition, Status, stored_definition
from engine.visitors import names_of
from engine.workflow import Arm, Test
from many_rows import insert_new
from models import (
    Assignment,
    Conversation,
    Experiment,
    ExperimentEpoch,
    UnitAlias,
)

HOLDOUT = "experiments.holdout"
WORKFLOW, API = "workflow", "api"
_LIVE = (str(Status.RUNNING), str(Status.PAUSED))
# A row for each experiment that may be open, or one row without any. The workflow's own are few and
# come whatever their status, for a version that is not in force yet may ask for one that has ended.
_FIND = f"""
SELECT v.version, v.holdout, u.canonical, e.name, e.seed, e.epoch, e.revision, e.source, e.status,
  CAST(e.definition AS text) AS definition, a.arm, a.epoch AS seat_epoch, x.id AS exposure
FROM (SELECT
    (SELECT version FROM workflow_versions WHERE published_at IS NOT NULL
     ORDER BY published_at DESC, version DESC LIMIT 1) AS version,
    (SELECT CAST(value AS text) FROM workspace_settings WHERE name = '{HOLDOUT}') AS holdout) v
LEFT JOIN unit_aliases u ON u.unit = {{alias}}
LEFT JOIN experiments e ON e.source = '{WORKFLOW}' OR e.status IN {_LIVE}
LEFT JOIN assignments a ON a.experiment = e.name AND a.unit = coalesce(u.canonical, {{own}})
LEFT JOIN exposures x ON x.experiment = e.name AND x.unit = a.unit
ORDER BY e.name
"""
_FIND_SQLITE = _FIND.format(alias=":alias", own=":own")
_PREPARE_FIND = "PREPARE leadline_find (text, text) AS " + _FIND.format(alias="$1", own="$2")
_EXECUTE_FIND = "EXECUTE leadline_find(%(alias)s, %(own)s)"


@dataclass(frozen=True)
class Seat:
    """A unit's arm in an experiment, and the epoch in which it was drawn."""

    arm: str
    epoch: int
    # Whether it was logged that the unit saw its arm.
    is_exposed: bool = False


@dataclass(frozen=True)
class Arrival:
    """Who comes: their visitor id if any, else their session, and what is known of them."""

    session_id: str
    visitor_id: str | None = None
    known: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Open:
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


@dataclass(frozen=True)
class Found:
    """What the database knows when somebody comes: all that an arm depends on, read at once."""

    # The workflow version in force; None before there is one.
    version: int | None
    # The unit that the visitor is counted as.
    unit: str
    holdout: Holdout
    rows: Mapping[str, Any]

    @property
    def seats(self) -> dict[str, Seat]:
        """The arms that the unit has, by experiment."""
        return {
            name: Seat(row.arm, row.seat_epoch, row.exposure is not None)
            for name, row in self.rows.items()
            if row.arm is not None
        }


@dataclass(frozen=True)
class _Row:
    """What `_Open` needs of an experiment's row."""

    seed: str
    epoch: int
    revision: int
    status: str
    source: str = WORKFLOW


class ExperimentDraws:
    """Reads what is open, finds the arms that a unit has, draws those it has not."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def unit_of(self, arrival: Arrival) -> str:
        """The unit a visitor is counted as; a session without a visitor id is its own."""
        if arrival.visitor_id is None:
            return arrival.session_id
        alias = select(UnitAlias.canonical).where(UnitAlias.unit == arrival.visitor_id)
        return self.session.scalar(alias) or arrival.visitor_id

    def find(self, arrival: Arrival) -> Found:
        """Everything about who comes, in one statement that is written by hand.

        Most of what a stored assignment costs is asking for it, so it is asked with the version
        in force, which every conversation needs.
        """
        own = arrival.visitor_id or arrival.session_id
        connection = self.session.connection()
        statement = _FIND_SQLITE
        if connection.dialect.name != "sqlite":
            prepare(connection, _PREPARE_FIND)
            statement = _EXECUTE_FIND
        values = {"alias": arrival.visitor_id, "own": own}
        rows = connection.exec_driver_sql(statement, values).all()
        first = rows[0]
        return Found(
            version=first.version,
            unit=first.canonical or own,
            holdout=Holdout(**_read(first.holdout)) if first.holdout else Holdout(),
            rows={row.name: row for row in rows if row.name is not None},
        )

    def open_to(self, found: Found, tests: Sequence[Test], now: datetime) -> list[Open]:
        """What a visitor may be in: running, or paused for those who are in already."""
        mine = [self._of_workflow(test, found.rows.get(test.name), now) for test in tests]
        theirs = [_of_api(row) for row in found.rows.values() if row.source == API]
        return [one for one in (*mine, *theirs) if one]

    def stored(self, unit: str, names: Sequence[str]) -> dict[str, Seat]:
        """The arms that a unit has in these experiments."""
        rows = self.session.execute(
            select(Assignment.experiment, Assignment.arm, Assignment.epoch).where(
                Assignment.unit == unit, Assignment.experiment.in_(names)
            )
        )
        return {name: Seat(arm, epoch) for name, arm, epoch in rows}

    def keep(self, rows: list[dict[str, Any]]) -> dict[str, Seat]:
        """Store new assignments; the seats they come to, for another process may be first."""
        new = insert_new(self.session, Assignment, rows, Assignment.experiment)
        kept = {row.experiment for row in new}
        late = [row["experiment"] for row in rows if row["experiment"] not in kept]
        seats = {row["experiment"]: Seat(row["arm"], row["epoch"]) for row in rows}
        return {**seats, **(self.stored(rows[0]["unit"], late) if late else {})}

    def _of_workflow(self, test: Test, row: Any, now: datetime) -> Open | None:
        """A test of the workflow; the epoch is that of its weights."""
        weights = {arm.name: arm.weight for arm in test.arms}
        if row is None or (row.source == WORKFLOW and _weights(row) != weights):
            row = self._keep_epoch(test.name, weights, now)
        if row.source == API or row.status not in _LIVE:
            return None
        return Open(
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
        insert_new(self.session, Experiment, [row])
        kept = self.session.scalars(
            select(Experiment).where(Experiment.name == name).with_for_update(key_share=True)
        ).one()
        if kept.source == API or kept.status not in _LIVE:
            return kept
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
            insert_new(self.session, ExperimentEpoch, [{**values, "opened_at": now}])
            kept.epoch, kept.definition = found, {"weights": weights}
            self.session.flush()
        return _Row(kept.seed, found, kept.revision, kept.status)

    def draw(
        self, found: Found, arrival: Arrival, new: Sequence[Open], version: int, now: datetime
    ) -> list[dict[str, Any]]:
        """An assignment for each experiment that the unit gets into."""
        known = dict(arrival.known)
        if any(one.asks_if_returning for one in new):
            known["returning"] = self._was_here(arrival)
        drawn = [(one, one.choose(found.unit, known, found.holdout)) for one in new]
        return [
            {
                "experiment": one.name,
                "unit": found.unit,
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


def _of_api(row: Any) -> Open:
    running = row.status == Status.RUNNING
    definition = _definition(row.definition)
    return Open(row.name, row.seed, row.epoch, row.revision, running, definition=definition)


def _weights(row: Any) -> Any:
    return _read(row.definition).get("weights") if row.definition else None


@lru_cache(maxsize=256)
def _read(text: str) -> dict[str, Any]:
    """Stored JSON, read once a process; nobody writes into it."""
    found: dict[str, Any] = json.loads(text)
    return found


@lru_cache(maxsize=256)
def _definition(text: str) -> Definition:
    return stored_definition(_read(text))


def as_test(definition: Definition) -> Test:
    """An experiment as the workflow's tests are: the control first."""
    control = definition.arm(None)
    arms = (control, *(arm for arm in definition.arms if arm.name != control.name))
    return Test(definition.name, tuple(Arm(one.name, one.weight, one.config) for one in arms))


def shown_version(definition: Definition, arm: str) -> int | None:
    """The workflow version that an arm shows, if it shows one."""
    version = definition.arm(arm).config.get("workflow_version")
    return int(version) if version is not None else None
