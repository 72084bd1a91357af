"""Tests of engine.stages: what a pipeline may be, and how far along a lead is."""

from __future__ import annotations

from typing import Any

import pytest

from engine.stages import SHIPPED, plain_stages, read_pipeline
from engine.vocabulary import StageKind

NAMES = ["Uncontacted", "Contacted", "Meeting", "Negotiation", "Deal", "Reject"]


def stage(name: Any, kind: Any = "open") -> dict[str, Any]:
    """A stage as data."""
    return {"name": name, "kind": kind}


ENDS = [stage("Won", "won"), stage("Lost", "lost")]


def test_the_shipped_pipeline_goes_from_uncontacted_to_deal_or_reject() -> None:
    assert [one.name for one in SHIPPED.stages] == NAMES
    assert SHIPPED.first.name == "Uncontacted"
    assert SHIPPED.first_of(StageKind.WON).name == "Deal"
    assert SHIPPED.first_of(StageKind.LOST).name == "Reject"
    assert read_pipeline(plain_stages(SHIPPED)) == SHIPPED


def test_a_lead_is_further_along_from_stage_to_stage() -> None:
    places = [SHIPPED.place(name) for name in NAMES]

    assert places == [0, 0.25, 0.5, 0.75, 1, 0]
    assert SHIPPED.place(None) == 0
    assert SHIPPED.place("Nowhere") is None


def test_a_stage_is_found_in_any_case_and_nobody_moved_stands_in_the_first() -> None:
    found = SHIPPED.find("  mEETING ")

    assert found is not None and found.name == "Meeting"
    assert SHIPPED.find(None) == SHIPPED.first
    assert SHIPPED.find("") is None


def test_names_are_kept_without_the_blanks_around_them() -> None:
    pipeline = read_pipeline([stage("  Neu "), *ENDS])

    assert pipeline.first.name == "Neu"


@pytest.mark.parametrize(
    ("stages", "sentence"),
    [
        (None, "3 to 30"),
        ({}, "3 to 30"),
        (ENDS, "3 to 30"),
        ([stage(str(number)) for number in range(31)], "3 to 30"),
        (["New", *ENDS], "name of 1 to 64"),
        ([stage(""), *ENDS], "name of 1 to 64"),
        ([stage(" "), *ENDS], "name of 1 to 64"),
        ([stage("x" * 65), *ENDS], "name of 1 to 64"),
        ([stage(7), *ENDS], "name of 1 to 64"),
        ([stage("New", "half"), *ENDS], "New: a stage is open, won, lost"),
        ([stage("New", None), *ENDS], "New: a stage is open, won, lost"),
        ([stage("New"), stage("NEW"), *ENDS], "same name"),
        ([stage("New"), stage("Then"), stage("Won", "won")], "of the kind lost"),
        ([stage("New"), stage("Then"), stage("Still")], "of the kind won and one of lost"),
        ([*ENDS, stage("New")], "first stage must be open"),
    ],
)
def test_what_is_no_pipeline_is_refused_with_a_sentence(stages: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_pipeline(stages)


def test_a_lead_is_stagnant_once_it_stands_in_an_open_stage_beyond_the_limit() -> None:
    pipeline = read_pipeline([{**stage("New"), "limit_days": 7}, stage("Later"), *ENDS])
    new, later, won, _ = pipeline.stages

    assert not new.is_stagnant(7)
    assert new.is_stagnant(7.01)
    assert not later.is_stagnant(5000)
    assert (
        not read_pipeline([stage("A"), {**ENDS[0], "limit_days": 1}, ENDS[1]])
        .stages[1]
        .is_stagnant(9)
    )
    assert not won.is_stagnant(9)


def test_a_limit_is_kept_and_is_no_part_of_what_a_stage_is() -> None:
    limited = read_pipeline([{**stage("New"), "limit_days": 7}, *ENDS])

    assert read_pipeline(plain_stages(limited)).first.limit_days == 7
    assert limited.first == read_pipeline([stage("New"), *ENDS]).first


@pytest.mark.parametrize("days", [0, -1, 3651, 1.5, "7", True])
def test_a_limit_is_a_number_of_days(days: Any) -> None:
    with pytest.raises(ValueError, match="New: the limit is a whole number of days"):
        read_pipeline([{**stage("New"), "limit_days": days}, *ENDS])
