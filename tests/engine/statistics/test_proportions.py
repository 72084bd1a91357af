"""Tests of engine.statistics.proportions: exact, always valid, and like the textbook's."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from engine.statistics.proportions import (
    Arm,
    Pair,
    always_valid_p,
    difference_at,
    evidence_at,
    lift_of,
    log_evidence,
    prior_strength,
    ratio_interval,
    z_score,
    z_test,
)

HUNDREDS = Pair(Arm(10_000, 1_000), Arm(10_000, 1_100))
PRIOR = prior_strength(0.2)


def test_the_prior_follows_the_effect_hoped_for() -> None:
    assert round(PRIOR) == 120
    assert prior_strength(0.5) < prior_strength(0.1)
    assert prior_strength(1_000) == 1


def test_nothing_cannot_be_hoped_for() -> None:
    with pytest.raises(ValueError):
        prior_strength(0)


def test_the_e_process_expects_one_when_nothing_differs() -> None:
    # Over all ways in which 60 conversions may fall, E is 1 on average: that is what makes it fair.
    count, share = 60, 0.3
    treatment = np.arange(count + 1.0)
    log_e = log_evidence(count - treatment, treatment, share, PRIOR)
    ways = np.array([math.comb(count, k) * 0.3**k * 0.7 ** (count - k) for k in range(count + 1)])

    assert float(ways @ np.exp(log_e)) == pytest.approx(1, abs=1e-9)


def test_the_interval_excludes_one_exactly_when_the_p_value_decides() -> None:
    chance = random.Random(3)
    sides = set()
    for _ in range(300):
        share = chance.choice([0.1, 0.5, 0.8])
        pairs = [
            Pair(Arm(5_000, chance.randint(0, 200)), Arm(5_000, chance.randint(0, 200)), share)
            for _ in range(chance.randint(1, 2))
        ]
        low, high = ratio_interval(pairs, PRIOR)
        decided = always_valid_p(evidence_at(1.0, pairs, PRIOR)) <= 0.05
        if len(pairs) == 1:
            assert (not low <= 1 <= high) == decided
            sides.add(decided)
        assert low <= 1 + lift_of(pairs) <= high

    assert sides == {True, False}


def test_a_mirrored_experiment_has_the_mirrored_interval() -> None:
    low, high = ratio_interval([HUNDREDS], PRIOR)
    mirrored = ratio_interval([Pair(HUNDREDS.treatment, HUNDREDS.control)], PRIOR)

    assert mirrored == pytest.approx((1 / high, 1 / low))


def test_without_conversions_nothing_is_known() -> None:
    nobody = [Pair(Arm(100, 0), Arm(100, 0))]

    assert ratio_interval(nobody, PRIOR) == (0.0, math.inf)
    assert lift_of(nobody) == 0
    assert always_valid_p(evidence_at(1.0, nobody, PRIOR)) == 1
    assert difference_at(3.0, [Pair(Arm(0, 0), Arm(0, 0))]) == 0
    assert difference_at(3.0, []) == 0


def test_conversions_of_one_arm_alone_leave_one_end_open() -> None:
    only_b = [Pair(Arm(1_000, 0), Arm(1_000, 40))]
    only_a = [Pair(Arm(1_000, 40), Arm(1_000, 0))]

    low, high = ratio_interval(only_b, PRIOR)
    assert 1 < low and math.isinf(high) and math.isinf(lift_of(only_b))
    assert difference_at(high, only_b) == 0.04
    low, high = ratio_interval(only_a, PRIOR)
    assert low == 0 and high < 1 and lift_of(only_a) == pytest.approx(-1, abs=1e-4)
    assert difference_at(low, only_a) == -0.04


def test_the_difference_has_the_sign_of_the_lift_in_every_epoch() -> None:
    pairs = [Pair(Arm(5_000, 600), Arm(5_000, 600)), Pair(Arm(9_000, 540), Arm(1_000, 60), 0.1)]

    assert abs(lift_of(pairs)) < 1e-9
    assert difference_at(1.1, pairs) > 0 > difference_at(0.9, pairs)
    assert difference_at(1.0, pairs) == 0


def test_epochs_that_contradict_each_other_are_shown_as_a_range() -> None:
    up = Pair(Arm(10_000, 500), Arm(10_000, 1_000))
    down = Pair(Arm(10_000, 1_000), Arm(10_000, 500))

    low, high = ratio_interval([up, down], PRIOR)

    assert low < 0.6 and high > 1.7


def test_a_pair_counts_both_arms() -> None:
    assert (HUNDREDS.exposed, HUNDREDS.converted) == (20_000, 2_100)
    assert (HUNDREDS.control.rate, Arm(0, 0).rate) == (0.1, 0.0)


def test_the_z_test_is_that_of_statsmodels() -> None:
    chance = random.Random(8)
    for _ in range(200):
        na, nb = chance.randint(5, 5_000), chance.randint(5, 5_000)
        xa, xb = chance.randint(1, na - 1), chance.randint(1, nb - 1)

        ours = z_test(Pair(Arm(na, xa), Arm(nb, xb)))

        z, p = proportions_ztest([xb, xa], [nb, na])
        assert (ours.z, ours.p) == (pytest.approx(z, abs=1e-9), pytest.approx(p, abs=1e-9))
        interval = confint_proportions_2indep(xb, nb, xa, na, method="wald")
        assert ours.interval == pytest.approx(tuple(interval), abs=1e-9)


def test_the_z_test_of_the_textbook_case() -> None:
    assert f"{z_test(HUNDREDS).p:.4f}" == "0.0211"
    assert z_test(HUNDREDS).difference == pytest.approx(0.01)


def test_where_nothing_varies_or_nobody_is_there_z_says_nothing() -> None:
    assert float(z_score(0.0, 10.0, 0.0, 10.0)) == 0
    assert z_test(Pair(Arm(0, 0), Arm(10, 1))).p == 1
    assert z_test(Pair(Arm(10, 1), Arm(0, 0))).interval == (-1, 1)


def test_a_difference_of_nothing_seen_is_zero() -> None:
    assert difference_at(2.0, [Pair(Arm(0, 0), Arm(0, 0)), HUNDREDS]) > 0
