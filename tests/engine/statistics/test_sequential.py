"""Tests of engine.statistics.sequential: published bounds, published formulas, and the guard."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.statistics.sequential import (
    HIGHEST_BOUND,
    confidence_sequence,
    log_evidence_of_mean,
    look_bounds,
    mixing_variance,
    planned_looks,
    repeated_interval,
    spent,
)


def test_the_bounds_of_five_looks_are_the_published_ones() -> None:
    bounds = look_bounds((0.2, 0.4, 0.6, 0.8, 1.0))

    assert [round(bound, 3) for bound in bounds] == [4.877, 3.357, 2.680, 2.290, 2.031]


def test_one_look_at_the_end_is_the_plain_test() -> None:
    assert look_bounds((1.0,))[0] == pytest.approx(1.959964, abs=1e-6)


def test_all_looks_together_use_up_alpha() -> None:
    # Random walks over four looks at unequal distances cross somewhere in one of twenty.
    fractions = (0.3, 0.45, 0.8, 1.0)
    rng = np.random.default_rng(1)
    steps = rng.standard_normal((400_000, 4)) * np.sqrt(np.diff(fractions, prepend=0.0))
    z = np.abs(steps.cumsum(axis=1)) / np.sqrt(fractions)

    crossed = (z >= np.array(look_bounds(fractions))).any(axis=1).mean()

    assert crossed == pytest.approx(0.05, abs=0.0012)


def test_a_look_that_comes_far_too_early_is_never_crossed() -> None:
    assert look_bounds((0.001, 1.0))[0] == HIGHEST_BOUND


def test_looks_must_grow() -> None:
    with pytest.raises(ValueError):
        look_bounds((0.5, 0.5))


def test_spending_begins_with_nothing_and_ends_with_alpha() -> None:
    assert spent(0.05) < 1e-20
    assert spent(1.0) == pytest.approx(0.05)
    assert spent(3.0) == spent(1.0)


def test_planned_looks_end_at_the_planned_size() -> None:
    looks = planned_looks([(2_000, 1.0), (4_000, 3.1), (9_000, 2.2), (9_500, 9.9)], 8_000)

    assert [look.fraction for look in looks] == [0.25, 0.5, 1.0]
    assert [look.crossed for look in looks] == [False, True, True]


def test_a_repeated_interval_excludes_zero_when_the_look_crossed() -> None:
    (look,) = planned_looks([(8_000, -2.5)], 8_000)

    low, high = repeated_interval(-0.025, 0.01, look.bound)

    assert look.crossed and low < high < 0


def test_the_sequence_is_the_one_of_the_paper() -> None:
    # Worked out by hand from equations 9, 155 and 161 of arXiv 2103.06476.
    gap, variance, units, rho2 = 0.01, 2e-5, 20_000, mixing_variance(5_000)
    assert rho2 == pytest.approx((-2 * math.log(0.05) + math.log(1 - 2 * math.log(0.05))) / 5_000)
    t = units * rho2
    by_hand = math.sqrt(1 + t) / math.exp(t * gap**2 / variance / (2 * (1 + t)))

    found = confidence_sequence(gap, variance, units, values=900, horizon=5_000)

    assert found.p == pytest.approx(min(1, by_hand))
    half = math.sqrt(variance * 2 * (t + 1) / t * math.log(math.sqrt(t + 1) / 0.05))
    assert found.interval == pytest.approx((gap - half, gap + half))


@pytest.mark.parametrize("level", [0.05, 0.0125])
def test_the_sequence_excludes_zero_just_when_p_is_at_its_level(level: float) -> None:
    for gap in np.linspace(0, 0.03, 200):
        found = confidence_sequence(float(gap), 2e-5, 20_000, values=900, alpha=level)
        assert (found.interval[0] > 0) == (found.p < level)


def test_below_the_guard_nothing_counts() -> None:
    few = confidence_sequence(0.5, 1e-6, 20_000, values=19)
    same = confidence_sequence(0.0, 0.0, 20_000, values=500)

    assert (few.p, few.ready, few.interval) == (1.0, False, (-math.inf, math.inf))
    assert not same.ready and confidence_sequence(0.5, 1e-6, 20_000, values=20).ready


def test_a_mixture_of_effects_is_the_same_formula() -> None:
    # mSPRT with tau² = rho² V N (arXiv 1512.04922).
    variance, units, rho2, gap = 2e-5, 20_000, mixing_variance(10_000), 0.012
    t2 = rho2 * variance * units
    by_msprt = 0.5 * math.log(variance / (variance + t2)) + gap**2 * t2 / (
        2 * variance * (variance + t2)
    )

    assert float(log_evidence_of_mean(gap, variance, units, rho2)) == pytest.approx(by_msprt)
