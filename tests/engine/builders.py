"""Small workflows and facts that the tests of the engine share."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from engine.journey import Fact, Journey
from engine.points import LedgerRow, step
from engine.workflow import Workflow
from engine.workflow_reader import WorkflowInvalid, read_workflow
from workflow_config import ACTIVE_TESTS, WORKFLOW_CONFIG


def shipped(**changes: Any) -> Workflow:
    """The shipped workflow without its experiments, with some top-level parts changed."""
    return read_workflow({**copy.deepcopy(WORKFLOW_CONFIG), **changes}, {})


def shipped_config() -> tuple[dict[str, Any], dict[str, Any]]:
    """The shipped configuration as data, free to be spoiled."""
    return copy.deepcopy(WORKFLOW_CONFIG), copy.deepcopy(ACTIVE_TESTS)


def asking(*questions: dict[str, Any], **parts: Any) -> Workflow:
    """A workflow of these questions; ids and texts are given where they are left out."""
    return read_workflow(config_of(*questions, **parts))


def config_of(*questions: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """The configuration of `asking`."""
    full = [
        {"id": number, "text": "What?", **({} if "slug" in one else {"slug": f"q{number}"}), **one}
        for number, one in enumerate(questions, 1)
    ]
    return {"questions": full, **parts}


def problems_of(config: Any, tests: Any = None) -> dict[str, str]:
    """What is wrong with a configuration: place to sentence."""
    with pytest.raises(WorkflowInvalid) as caught:
        read_workflow(config, tests)
    return {problem.place: problem.sentence for problem in caught.value.problems}


def started(seq: int = 1, **conditions: bool) -> Fact:
    """The fact that a session began."""
    return Fact(seq, "session.started", {"conditions": conditions})


def answered(seq: int, question_id: int, *options: str, **measured: Any) -> Fact:
    """The fact of an answer, by default a slow click."""
    facts = {"question_id": question_id, "options": list(options), "seconds": 300.0, **measured}
    return Fact(seq, "answer.recorded", facts)


def skipped(seq: int, question_id: int) -> Fact:
    """The fact that a question was passed over."""
    return answered(seq, question_id, skipped=True)


def did(seq: int, action: str, subject: str = "") -> Fact:
    """The fact of a behaviour."""
    return Fact(seq, "behavior.reported", {"action": action, "subject": subject})


def gave_contact(seq: int) -> Fact:
    """The fact that a profile with a valid contact came in."""
    return Fact(seq, "profile.updated", {"contact": True})


def walk(workflow: Workflow, *facts: Fact) -> tuple[Journey, list[LedgerRow]]:
    """The journey after these facts, and the ledger."""
    journey, ledger = Journey(), []
    for fact in facts:
        journey, rows = step(journey, fact, workflow, workflow)
        ledger.extend(rows)
    return journey, ledger


def lines(ledger: list[LedgerRow]) -> list[tuple[str, str, int, int]]:
    """The ledger without the numbers of its facts."""
    return [(row.action, row.subject, row.generation, row.points) for row in ledger]
