"""Who takes part in an experiment and in which arm, what an edit of a running one costs, goals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.bucketing import choose_arm
from engine.experiment_arms import Kind
from engine.experiment_edits import judge_edit
from engine.experiment_entry import Holdout, chosen_arm, read_forced
from engine.experiments import Arm, Definition, Group
from engine.goals import reached

ARMS = (Arm("A", 0.5, {}), Arm("B", 0.5, {"greeting": "Hello!"}))
DEFINITION = Definition("greeting", Kind.GREETING, ARMS, "A", "sql")
UNITS = [f"v{number}" for number in range(400)]


def inside(definition: Definition, holdout: Holdout = Holdout()) -> set[str]:
    """Who of 400 phones takes part."""
    known = {"device": "mobile"}
    return {unit for unit in UNITS if chosen_arm(definition, "seed", unit, known, holdout)}


# Who takes part


def test_everybody_takes_part_where_nothing_says_otherwise() -> None:
    assert inside(DEFINITION) == set(UNITS)
    chosen = chosen_arm(DEFINITION, "seed", "v1", {}, Holdout())
    assert chosen is not None and chosen.arm in {"A", "B"}


def test_who_is_not_meant_stays_outside() -> None:
    assert inside(replace(DEFINITION, targeting={"device": "desktop"})) == set()
    assert inside(replace(DEFINITION, targeting={"device": "mobile"})) == set(UNITS)


def test_two_experiments_of_a_group_share_nobody() -> None:
    one = inside(replace(DEFINITION, group=Group("shop", 0.0, 0.5)))
    other = inside(replace(DEFINITION, group=Group("shop", 0.5, 1.0)))

    assert one and other and not one & other and one | other == set(UNITS)


def test_the_holdout_is_kept_out_of_every_experiment() -> None:
    holdout = Holdout(0.25, "kept")
    held = {unit for unit in UNITS if holdout.holds(unit)}

    assert 60 < len(held) < 140
    for name in ("greeting", "order"):
        assert inside(replace(DEFINITION, name=name), holdout) == set(UNITS) - held


def test_coverage_lets_in_its_share() -> None:
    assert 140 < len(inside(replace(DEFINITION, coverage=0.5))) < 260


def test_a_preview_names_arms_by_their_experiments() -> None:
    asked = read_forced(" greeting : B ,order:A,empty:,:B,nonsense,")

    assert asked == {"greeting": "B", "order": "A"}
    assert read_forced(None) == {}
    assert "late" not in read_forced("x:y," * 300 + "late:A")


# Edits


def with_weights(*weights: float) -> Definition:
    """The experiment with its arms in these shares."""
    arms = tuple(replace(arm, weight=weight) for arm, weight in zip(ARMS, weights, strict=True))
    return replace(DEFINITION, arms=arms)


def test_what_moves_nobody_is_safe() -> None:
    half = replace(DEFINITION, coverage=0.5, targeting={"device": "mobile"}, description="Old")
    after = replace(DEFINITION, coverage=1.0, targeting={}, description="New")

    assert judge_edit(half, after) == judge_edit(DEFINITION, DEFINITION)
    assert not judge_edit(half, after).refused and not judge_edit(half, after).opens_epoch


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (with_weights(0.9, 0.1), "weights changed"),
        (replace(DEFINITION, arms=(*ARMS, Arm("C", 0.0, {}))), "arm was added"),
        (replace(DEFINITION, targeting={"device": "mobile"}), "targeting changed"),
    ],
)
def test_what_changes_who_is_compared_opens_an_epoch(after: Definition, words: str) -> None:
    edit = judge_edit(DEFINITION, after)

    assert [words in sentence for sentence in edit.opens_epoch] == [True]
    assert edit.refused == ()


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (replace(DEFINITION, arms=ARMS[:1]), "were shown B, so it stays"),
        (replace(DEFINITION, arms=(ARMS[0], replace(ARMS[1], config={}))), "shown what B says"),
        (replace(DEFINITION, coverage=0.5), "only be raised"),
        (replace(DEFINITION, metric="mql"), "goal was chosen"),
        (replace(DEFINITION, control="B"), "control cannot be changed"),
        (replace(DEFINITION, group=Group("shop", 0.0, 0.5)), "exclusion group"),
    ],
)
def test_what_would_change_the_meaning_of_the_numbers_is_refused(
    after: Definition, words: str
) -> None:
    assert any(words in sentence for sentence in judge_edit(DEFINITION, after).refused)


# Arms and goals


def test_who_was_shown_an_arm_that_is_gone_is_shown_the_control() -> None:
    assert DEFINITION.arm("B").config == {"greeting": "Hello!"}
    assert DEFINITION.arm("gone") == DEFINITION.arm(None) == ARMS[0]


def test_an_arm_without_a_share_is_not_chosen() -> None:
    assert choose_arm("seed", "v1", [], 1.0) is None


@pytest.mark.parametrize(
    ("kind", "said", "goals"),
    [
        ("journey.completed", {}, [("completed", None)]),
        ("lead.classified", {"to": "MQL"}, [("mql", None)]),
        ("lead.classified", {"to": "SQL"}, [("mql", None), ("sql", None)]),
        ("lead.classified", {"to": "Unqualified"}, []),
        ("outcome.recorded", {"outcome": "won", "value": 900}, [("deal_won", 900)]),
        ("outcome.recorded", {"outcome": "lost"}, []),
        ("behavior.reported", {"action": "demo_requested"}, [("demo_request", None)]),
        ("behavior.reported", {"action": "website_visit"}, []),
        ("profile.updated", {"contact": True}, [("contact_shared", None)]),
        ("answer.recorded", {"contact": True}, [("contact_shared", None)]),
        ("answer.recorded", {}, []),
        ("session.started", {}, []),
    ],
)
def test_a_fact_reaches_its_goals(
    kind: str, said: dict[str, Any], goals: list[tuple[str, float | None]]
) -> None:
    assert list(reached(kind, said)) == goals
