"""The facts of a session under any configuration: the same awards, or the differences."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from engine.flow import next_question, progress
from engine.journey import Fact, Journey
from engine.points import LedgerRow, step
from engine.vocabulary import Classification, FactKind
from engine.workflow import Workflow


@dataclass(frozen=True)
class Outcome:
    """What the facts of one session come to."""

    rows: tuple[LedgerRow, ...]
    journey: Journey
    score: int
    classification: Classification
    next_question_id: int | None
    completed: bool


def replay(
    facts: Iterable[Fact],
    workflow: Workflow,
    version: Callable[[int], Workflow],
) -> Outcome:
    """The ledger that the facts give, whatever order they come in and however often.

    `workflow` is the one the session is pinned to, arranged for its arms; `version` gives the
    workflow of a version number, for sessions that were re-scored under a later one.
    """
    journey, points = Journey(), workflow
    rows: list[LedgerRow] = []
    by_number = {fact.seq: fact for fact in facts}
    for number in sorted(by_number):
        fact = by_number[number]
        if fact.kind == FactKind.SESSION_RESCORED:
            points = version(int(fact.measured["version"]))
        journey, gained = step(journey, fact, workflow, points)
        rows.extend(gained)
    following = next_question(workflow, journey)
    return Outcome(
        rows=tuple(rows),
        journey=journey,
        score=journey.score,
        classification=points.classify(journey.score),
        next_question_id=following.id if following else None,
        completed=progress(workflow, journey).completed,
    )


def state_hash(outcomes: Mapping[str, Outcome]) -> str:
    """One hash of every ledger and score, the same for the same facts on any database."""
    digest = hashlib.sha256()
    for session_id in sorted(outcomes):
        outcome = outcomes[session_id]
        lines = [
            [row.event_seq, row.action, row.subject, row.generation, row.points]
            for row in outcome.rows
        ]
        state = [session_id, lines, outcome.score, outcome.classification]
        digest.update(json.dumps(state, ensure_ascii=True).encode("ascii"))
    return digest.hexdigest()
