"""Scores under points that nobody was given."""

from __future__ import annotations

from engine.experiment_arms import shown
from engine.journey import Fact
from engine.shadow import Shadow, shadow_of
from engine.vocabulary import Classification, FactKind
from engine.workflow_reader import read_workflow
from workflow_config import WORKFLOW_CONFIG

SHIPPED = read_workflow(WORKFLOW_CONFIG, {})
FACTS = [
    Fact(2, FactKind.BEHAVIOR_REPORTED, {"action": "demo_requested", "subject": ""}),
    Fact(1, FactKind.SESSION_STARTED, {"conditions": {}}),
    Fact(3, FactKind.SESSION_RESCORED, {"version": 7}),
]


def test_the_same_facts_are_worth_what_the_other_table_says() -> None:
    change = {"scoring": {"demo_requested": 70}, "classification_thresholds": {"sql": 65}}
    other = shown(WORKFLOW_CONFIG, {}, SHIPPED, change)

    mine, theirs = shadow_of(FACTS, SHIPPED, SHIPPED), shadow_of(FACTS, SHIPPED, other)

    worth = SHIPPED.points_for("demo_requested")
    assert theirs == Shadow(mine.score - worth + 70, Classification.SQL)
    assert mine.classification == SHIPPED.classify(mine.score) != Classification.SQL


def test_nothing_that_happened_is_worth_nothing() -> None:
    assert shadow_of([], SHIPPED, SHIPPED) == Shadow(0, Classification.UNQUALIFIED)
