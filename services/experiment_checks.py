"""ExperimentChecks: each arm tried on the workflow, before a visitor could trip over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.experiment_arms import UNSHOWN, changed, shown
from engine.experiment_reader import ExperimentInvalid, read_definition
from engine.experiments import Definition, Status, stored_definition
from engine.workflow_reader import WorkflowInvalid
from errors import Conflict, Invalid, NotFound
from experiment_draws import API
from models import Experiment
from services.resources import Resources
from services.workflow_service import WorkflowService

MOST_LIVE = 20
# What an arm of ACTIVE_TESTS may change.
OF_TESTS = ("greeting", "greeting_translations", "order")


class ExperimentChecks:
    """Tries definitions, alone and beside what runs already."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.workflows = WorkflowService(session, resources)

    def checked(self, data: Mapping[str, Any]) -> Definition:
        """A definition that could be run now; Invalid with every reason why it could not."""
        try:
            definition = read_definition(data)
            fields = self._broken_arms(definition)
            if fields:
                raise ExperimentInvalid(fields)
        except ExperimentInvalid as error:
            raise Invalid("This experiment cannot be run.", fields=error.fields) from None
        return definition

    def _broken_arms(self, definition: Definition) -> dict[str, list[str]]:
        """Every arm tried on the workflow in force: what a visitor would trip over."""
        pinned = self.workflows.in_force()
        config = self.workflows.config(pinned.version)
        found: dict[str, list[str]] = {}
        for place, arm in enumerate(definition.arms):
            try:
                version = arm.config.get("workflow_version")
                if version is not None:
                    self._require_version(version)
                elif arm.config:
                    shown(config["workflow"], config["tests"], pinned.workflow, arm.config)
            except WorkflowInvalid as error:
                found[f"arms[{place}]"] = [
                    f"{arm.name} would break the workflow: {one}" for one in error.problems
                ]
            except NotFound as missing:
                found[f"arms[{place}]"] = [missing.message]
        return found

    def _require_version(self, version: Any) -> None:
        if isinstance(version, bool) or not isinstance(version, int) or abs(version) >= 2**31:
            raise NotFound("A workflow version is a whole number.")
        self.workflows.config(version)

    def refuse_collisions(self, definition: Definition) -> None:
        """Two experiments at once must not break together what each leaves whole."""
        others = [
            stored_definition(row.definition or {})
            for row in self.session.scalars(
                select(Experiment).where(
                    Experiment.source == API,
                    Experiment.status.in_([str(Status.RUNNING), str(Status.PAUSED)]),
                    Experiment.name != definition.name,
                )
            )
        ]
        if len(others) >= MOST_LIVE:
            raise Conflict(f"{MOST_LIVE} experiments run already; stop one first.")
        if definition.kind in UNSHOWN:
            return
        for other in others:
            if other.kind not in UNSHOWN:
                self._refuse_collision(definition, other)

    def _refuse_collision(self, one: Definition, other: Definition) -> None:
        pinned = self.workflows.in_force()
        config = self.workflows.config(pinned.version)
        for theirs in other.arms:
            try:
                base = changed(config["workflow"], pinned.workflow, theirs.config)
                workflow = shown(
                    config["workflow"], config["tests"], pinned.workflow, theirs.config
                )
            except WorkflowInvalid:
                # It was whole when it began, and is shown to nobody since.
                continue
            for mine in one.arms:
                try:
                    shown(base, config["tests"], workflow, mine.config)
                except WorkflowInvalid as error:
                    why = f"{mine.name} together with {theirs.name} of {other.name} breaks it: "
                    raise Conflict(f"{why}{error}", code="experiments_collide") from None

    def winner(
        self, row: Experiment, definition: Definition, arm: str
    ) -> tuple[Mapping[str, Any], Any] | None:
        """The configuration and tests to publish for a winner; None if nothing would change."""
        pinned = self.workflows.in_force()
        config = self.workflows.config(pinned.version)
        change = definition.arm(arm).config
        if change.get("workflow_version") is not None:
            if change["workflow_version"] == pinned.version:
                return None
            chosen = self.workflows.config(change["workflow_version"])
            return chosen["workflow"], chosen["tests"]
        if row.source == API:
            if not change:
                return None
            shown(config["workflow"], config["tests"], pinned.workflow, change)
            return changed(config["workflow"], pinned.workflow, change), config["tests"]
        bare = _without_test(config, row.name)
        mine = {part: change[part] for part in OF_TESTS if part in change}
        shown(bare["workflow"], bare["tests"], pinned.workflow, mine)
        return changed(bare["workflow"], pinned.workflow, mine), bare["tests"]


def _without_test(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A version's data without one of its tests, wherever it stands."""
    workflow = dict(config["workflow"])
    for place in ("ACTIVE_TESTS", "active_tests"):
        if isinstance(workflow.get(place), Mapping):
            workflow[place] = {k: one for k, one in workflow[place].items() if k != name}
    tests = config["tests"]
    if isinstance(tests, Mapping):
        tests = {key: one for key, one in tests.items() if key != name}
    return {"workflow": workflow, "tests": tests}
