"""ExperimentBook: an experiment from draft to decision: written down, checked, edited, ended."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

import outbox
from engine.experiment_arms import Kind
from engine.experiment_edits import judge_edit, keep_moved
from engine.experiments import AFTER, STEPS, Arm, Definition, Status, stored_definition
from engine.vocabulary import FactKind
from engine.workflow import Test
from engine.workflow_reader import WorkflowInvalid
from errors import Conflict, NotFound, invalid_field
from experiment_draws import API, HOLDOUT, WORKFLOW
from lib.clock import iso
from models import Event, Experiment, WorkspaceSetting
from services.experiment_checks import OF_TESTS, ExperimentChecks
from services.experiment_rows import THE_PROGRAM, ExperimentRows
from services.resources import Resources
from services.workflow_service import WorkflowService
from services.workspace_settings import keep_setting

log = structlog.get_logger(__name__)

MOST_EXPERIMENTS = 500
FACTS = {
    "start": FactKind.EXPERIMENT_STARTED,
    "pause": FactKind.EXPERIMENT_PAUSED,
    "stop": FactKind.EXPERIMENT_STOPPED,
    "decide": FactKind.EXPERIMENT_DECIDED,
}
_DATES = ("created_at", "updated_at", "started_at", "stopped_at", "decided_at")


class ExperimentBook:
    """Experiments as marketers keep them; every change is a fact and is audited."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.workflows = WorkflowService(session, resources)
        self.checks = ExperimentChecks(session, resources)
        self.rows = ExperimentRows(session, resources)

    # Reading

    def list_all(self) -> dict[str, Any]:
        """Every experiment, the newest first; those of the workflow in force too."""
        rows = {
            row.name: row
            for row in self.session.scalars(
                select(Experiment).order_by(Experiment.created_at.desc(), Experiment.name)
            )
        }
        tests = {test.name: test for test in self.workflows.in_force().workflow.tests}
        unseen = [_unseen(test) for name, test in tests.items() if name not in rows]
        return {"experiments": [*unseen, *(self._view(row, tests) for row in rows.values())]}

    def get(self, name: str) -> dict[str, Any]:
        """One experiment with its epochs and its history."""
        tests = {test.name: test for test in self.workflows.in_force().workflow.tests}
        row = self.session.get(Experiment, name)
        if row is None:
            if name not in tests:
                raise unknown_experiment()
            return {**_unseen(tests[name]), "epochs": [], "history": []}
        return {
            **self._view(row, tests),
            "epochs": [
                {
                    "epoch": epoch.epoch,
                    "weights": epoch.weights,
                    "reason": epoch.reason,
                    "opened_at": iso(epoch.opened_at),
                }
                for epoch in self.rows.epochs(name)
            ],
            "history": self.rows.history(name),
        }

    def definition_of(self, name: str) -> tuple[Definition, Experiment | None]:
        """What an experiment is, whether it was written by API or stands in the workflow."""
        row = self.session.get(Experiment, name)
        if row is not None and row.source == API:
            return stored_definition(row.definition or {}), row
        test = self.workflows.in_force().workflow.find_test(name)
        if test is not None:
            return of_test(test), row
        if row is None:
            raise unknown_experiment()
        weights = (row.definition or {}).get("weights") or {"A": 1.0}
        arms = tuple(Arm(arm, weight, {}) for arm, weight in weights.items())
        return Definition(name, Kind.TEXT, arms, arms[0].name, "sql"), row

    # Writing down

    def create(self, data: Mapping[str, Any], *, who: str) -> dict[str, Any]:
        """A new draft; Invalid says in a sentence each what would go wrong."""
        definition = self.checks.checked(data)
        name, now = definition.name, self.resources.clock.now()
        taken = self.workflows.in_force().workflow.find_test(name) is not None
        if taken or self.session.get(Experiment, name) is not None:
            raise Conflict("There is an experiment of this name already.", code="name_taken")
        if len(self.session.scalars(select(Experiment.name)).all()) >= MOST_EXPERIMENTS:
            raise Conflict(f"There are {MOST_EXPERIMENTS} experiments; no more can be kept.")
        self.session.add(
            Experiment(
                name=name,
                seed=secrets.token_hex(8),
                epoch=1,
                source=API,
                status=str(Status.DRAFT),
                definition=definition.to_plain(),
                revision=1,
                created_at=now,
                updated_at=now,
            )
        )
        self.session.flush()
        self.rows.note(FactKind.EXPERIMENT_CREATED, name, {"kind": str(definition.kind)}, who)
        return self.get(name)

    def change(self, name: str, data: Mapping[str, Any], *, who: str) -> dict[str, Any]:
        """An edit: free in a draft; while it runs safe, or an epoch of its own, or refused."""
        row = self._locked(name)
        if row.source == WORKFLOW:
            raise Conflict("This one stands in the workflow; edit it there.", code="edit_refused")
        before = stored_definition(row.definition or {})
        if data.get("name", name) != name:
            raise Conflict("An experiment keeps its name.", code="edit_refused")
        rerandomise = bool(data.get("rerandomise"))
        fields = {key: value for key, value in data.items() if key != "rerandomise"}
        after = self.checks.checked({**before.to_plain(), **fields})
        opens: list[str] = ["Its visitors are drawn anew."] if rerandomise else []
        if row.status in (Status.STOPPED, Status.DECIDED):
            _refuse_after_the_end(before, after)
        elif row.status != Status.DRAFT:
            if before.bandit:
                after = keep_moved(before, after)
            edit = judge_edit(before, after)
            if edit.refused:
                raise Conflict(" ".join(edit.refused), code="edit_refused")
            opens += edit.opens_epoch
            self.checks.refuse_collisions(after)
        if rerandomise:
            row.seed = secrets.token_hex(8)
        if after == before and not rerandomise:
            return self.get(name)
        now = self.resources.clock.now()
        row.definition, row.updated_at = after.to_plain(), now
        row.revision += 1
        if opens and row.status != Status.DRAFT:
            row.epoch += 1
            self.rows.open_epoch(row, after.weights, " ".join(opens), now)
        self.session.flush()
        detail = {"fields": sorted(fields), "epoch": row.epoch, "revision": row.revision}
        self.rows.note(FactKind.EXPERIMENT_EDITED, name, detail, who)
        return self.get(name)

    # Its life

    def start(self, name: str, *, who: str) -> dict[str, Any]:
        """Let visitors in, for the first time or again after a pause."""
        row = self._locked(name)
        self._may(row, "start")
        now = self.resources.clock.now()
        if row.source == API:
            definition = self.checks.checked(row.definition or {})
            self.checks.refuse_collisions(definition)
            if row.started_at is None:
                self.rows.open_epoch(row, definition.weights, "It began.", now)
        row.started_at = row.started_at or now
        return self._step(row, "start", {}, who)

    def pause(self, name: str, *, who: str) -> dict[str, Any]:
        """Let nobody new in; those inside keep what they saw."""
        row = self._locked(name)
        self._may(row, "pause")
        return self._step(row, "pause", {}, who)

    def stop(self, name: str, *, who: str) -> dict[str, Any]:
        """End it: new conversations get the control, late conversions still count."""
        row = self._locked(name)
        self._may(row, "stop")
        row.stopped_at = self.resources.clock.now()
        return self._step(row, "stop", {}, who)

    def decide(self, name: str, arm: str, *, who: str, reason: str | None = None) -> dict[str, Any]:
        """Name the winner; who hears of it publishes what its visitors saw as a version."""
        row = self._locked(name)
        self._may(row, "decide")
        definition, _ = self.definition_of(name)
        if arm not in definition.weights:
            known = ", ".join(definition.weights)
            raise invalid_field("arm", f"This experiment has no such arm; it has {known}.")
        try:
            self.checks.winner(row, definition, arm)
        except WorkflowInvalid as error:
            why = f"{arm} does not fit the workflow in force any more: {error}"
            raise Conflict(why, code="workflow_changed") from None
        row.winner, row.decided_at = arm, self.resources.clock.now()
        detail = {"arm": arm, "reason": reason} if reason else {"arm": arm}
        return self._step(row, "decide", detail, who)

    def publish_winner(self, fact: Event) -> None:
        """Publish what the winning arm showed, once; nothing if that is what everybody sees."""
        row = self._locked(fact.measured["experiment"])
        if row.published_version is not None or row.winner is None:
            return
        definition, _ = self.definition_of(row.name)
        try:
            found = self.checks.winner(row, definition, row.winner)
        except WorkflowInvalid as error:
            log.warning("a winner cannot be published", experiment=row.name, why=str(error))
            self.rows.audit(THE_PROGRAM, "experiment.not_published", row.name, {"why": str(error)})
            return
        if found is None:
            return
        note = f"The winner of the experiment {row.name}: {row.winner}."
        row.published_version = self.workflows.publish(
            *found, by=THE_PROGRAM, note=note, source="experiment"
        )
        self.session.flush()
        detail = {"version": row.published_version, "arm": row.winner}
        self.rows.audit(THE_PROGRAM, "experiment.published", row.name, detail)

    # The holdout

    def holdout(self) -> dict[str, Any]:
        """The share of visitors that no experiment gets."""
        stored = self.session.get(WorkspaceSetting, HOLDOUT)
        return {"share": stored.value["share"] if stored else 0.0}

    def keep_holdout(self, share: float, *, who: str) -> dict[str, Any]:
        """Change the share; its seed stays, so a larger one only adds visitors."""
        stored, now = self.session.get(WorkspaceSetting, HOLDOUT), self.resources.clock.now()
        seed = stored.value["seed"] if stored else secrets.token_hex(8)
        if share != self.holdout()["share"]:
            keep_setting(self.session, HOLDOUT, {"share": share, "seed": seed}, by=who, now=now)
            measured = {"setting": HOLDOUT, "changed": {"share": share}}
            outbox.record(
                self.session, outbox.NewFact(FactKind.SETTINGS_CHANGED, now, measured=measured)
            )
            self.rows.audit(who, "experiments.holdout", HOLDOUT, {"share": share})
        return {"share": share}

    # Rows

    def _locked(self, name: str) -> Experiment:
        """The experiment's row, this unit's alone; that of a workflow's test is made if need be."""
        row = self.rows.find_locked(name)
        if row is not None:
            return row
        test = self.workflows.in_force().workflow.find_test(name)
        if test is None:
            raise unknown_experiment()
        now = self.resources.clock.now()
        row = Experiment(
            name=name,
            seed=secrets.token_hex(8),
            epoch=1,
            source=WORKFLOW,
            status=str(Status.RUNNING),
            revision=1,
            created_at=now,
            started_at=now,
        )
        self.session.add(row)
        self.session.flush()
        return row

    def _may(self, row: Experiment, step: str) -> None:
        allowed = STEPS[step]
        if row.status not in allowed:
            states = " or ".join(allowed)
            why = f"This experiment is {row.status}; only one that is {states} can {step}."
            raise Conflict(_said(why, step), code="wrong_state")

    def _step(
        self, row: Experiment, step: str, detail: Mapping[str, Any], who: str
    ) -> dict[str, Any]:
        row.status = str(AFTER[step])
        row.updated_at = self.resources.clock.now()
        self.session.flush()
        self.rows.note(FACTS[step], row.name, {**detail, "epoch": row.epoch}, who)
        return self.get(row.name)

    def _view(self, row: Experiment, tests: Mapping[str, Test]) -> dict[str, Any]:
        definition, _ = self.definition_of(row.name)
        status = row.status
        if row.source == WORKFLOW and row.name not in tests and status == Status.RUNNING:
            # Somebody took it out of the workflow.
            status = str(Status.STOPPED)
        return {
            **definition.to_plain(),
            "source": row.source,
            "status": status,
            "epoch": row.epoch,
            "revision": row.revision,
            "winner": row.winner,
            "published_version": row.published_version,
            **{name: _iso(getattr(row, name)) for name in _DATES},
        }


def of_test(test: Test) -> Definition:
    """A test of the workflow as an experiment; it is judged by qualified leads."""
    parts = {part for arm in test.arms for part in arm.config}
    kind = Kind.TEXT
    if parts & set(OF_TESTS):
        kind = Kind.QUESTION_ORDER if "order" in parts else Kind.GREETING
    arms = tuple(Arm(arm.name, arm.weight, arm.config) for arm in test.arms)
    return Definition(test.name, kind, arms, test.control.name, "sql")


def unknown_experiment() -> NotFound:
    """The error for a name that no experiment has."""
    return NotFound("There is no experiment of this name.", code="unknown_experiment")


def _unseen(test: Test) -> dict[str, Any]:
    """A test of the workflow that no visitor has come to yet."""
    return {
        **of_test(test).to_plain(),
        "source": WORKFLOW,
        "status": str(Status.RUNNING),
        "epoch": 1,
        "revision": 1,
        "winner": None,
        "published_version": None,
        **dict.fromkeys(_DATES),
    }


def _refuse_after_the_end(before: Definition, after: Definition) -> None:
    same = {**after.to_plain(), "description": before.description}
    if same != before.to_plain():
        raise Conflict(
            "This experiment is over; only its description changes.", code="edit_refused"
        )


def _said(why: str, step: str) -> str:
    words = {"start": "be started", "pause": "be paused", "stop": "be stopped"}
    return why.replace(f"can {step}.", f"can {words.get(step, 'be decided')}.")


def _iso(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None
