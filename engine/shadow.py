"""A conversation's score under points that nobody was given: what another table would have made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.journey import Fact, Journey
from engine.points import step
from engine.vocabulary import Classification
from engine.workflow import Workflow


@dataclass(frozen=True)
class Shadow:
    """The score and the class that a table of points would have given."""

    score: int
    classification: Classification


def shadow_of(facts: Iterable[Fact], workflow: Workflow, points: Workflow) -> Shadow:
    """The facts of a session, scored as if these points had been there from its start.

    An answer to a question that branching by score would not have asked then earns nothing.
    """
    journey = Journey()
    for fact in sorted(facts, key=lambda one: one.seq):
        journey, _ = step(journey, fact, workflow, points)
    return Shadow(journey.score, points.classify(journey.score))
