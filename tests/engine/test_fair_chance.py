"""Tests of engine.fair_chance: lots that are fair, lasting and independent."""

from __future__ import annotations

import pytest

from engine.fair_chance import Choice, is_drawn, lot, propensity, why_chosen


def test_lots_are_even_and_those_of_two_seeds_know_nothing_of_each_other() -> None:
    one, other = ([lot(seed, lead) for lead in range(20_000)] for seed in ("a", "b"))

    for share in (0.01, 0.05, 0.5):
        drawn = sum(number < share for number in one) / len(one)
        assert drawn == pytest.approx(share, abs=4 * (share * (1 - share) / len(one)) ** 0.5)
    both = sum(a < 0.5 and b < 0.5 for a, b in zip(one, other)) / len(one)
    assert both == pytest.approx(0.25, abs=0.015)
    assert all(0 <= number < 1 for number in one)


def test_who_is_drawn_for_a_share_is_drawn_for_every_larger_one() -> None:
    drawn = [
        {lead for lead in range(3000) if is_drawn("seed", lead, share)} for share in (0, 2, 5, 20)
    ]

    assert drawn[0] == set() and drawn[0] < drawn[1] < drawn[2] < drawn[3]


@pytest.mark.parametrize(
    ("by_score", "drawn", "choice", "likely"),
    [
        (True, True, Choice.SCORE, 1.0),
        (True, False, Choice.SCORE, 1.0),
        (False, True, Choice.CHANCE, 0.03),
        (False, False, Choice.JUDGEMENT, None),
    ],
)
def test_a_choice_is_as_likely_as_its_rule(
    by_score: bool, drawn: bool, choice: Choice, likely: float | None
) -> None:
    assert why_chosen(by_score=by_score, drawn=drawn) is choice
    assert propensity(choice, 3.0) == likely
