"""Tests of engine.statistics.multiplicity: as in statsmodels, and levels that fit decisions."""

from __future__ import annotations

import random

import pytest
from statsmodels.stats.multitest import multipletests

from engine.statistics.multiplicity import benjamini_hochberg, holm


@pytest.mark.parametrize("seed", range(8))
def test_corrected_p_values_are_those_of_statsmodels(seed: int) -> None:
    chance = random.Random(seed)
    p_values = [chance.random() ** 3 for _ in range(chance.randint(1, 20))]

    assert holm(p_values).adjusted == pytest.approx(multipletests(p_values, method="holm")[1])
    assert benjamini_hochberg(p_values) == pytest.approx(
        multipletests(p_values, method="fdr_bh")[1]
    )


@pytest.mark.parametrize("seed", range(50))
def test_an_interval_at_its_level_says_what_the_corrected_p_says(seed: int) -> None:
    chance = random.Random(seed)
    p_values = [chance.random() ** 4 for _ in range(8)]

    family = holm(p_values)

    for p, adjusted, level in zip(p_values, family.adjusted, family.levels, strict=True):
        assert (p <= level) == (adjusted <= 0.05)


def test_no_questions_have_no_answers() -> None:
    assert holm([]).adjusted == () and holm([]).levels == () and benjamini_hochberg([]) == ()
