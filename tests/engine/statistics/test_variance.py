"""Tests of engine.statistics.variance: the same figures as tea-tasting and SciPy, from sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import tea_tasting as tt

from engine.statistics.variance import (
    Difference,
    Moments,
    cap_of,
    cuped_difference,
    moments_of,
    plain_difference,
    ratio_difference,
    relative_lift,
    stratified,
    welch,
)


@pytest.fixture(scope="module")
def visitors() -> pd.DataFrame:
    """Two arms of visitors with a value, what they spent before, and their messages."""
    rng = np.random.default_rng(12)
    count = 3_000
    before = rng.gamma(2, 10, count)
    arm = (rng.random(count) < 0.4).astype(int)
    messages = rng.poisson(4, count) + 1
    value = 0.5 * before + rng.gamma(2, 8, count) * (1 + 0.1 * arm)
    orders = rng.binomial(messages, 0.3 + 0.02 * arm)
    return pd.DataFrame(
        {"variant": arm, "value": value, "before": before, "messages": messages, "orders": orders}
    )


@pytest.fixture(scope="module")
def theirs(visitors: pd.DataFrame) -> Any:
    experiment = tt.Experiment(
        plain=tt.Mean("value"),
        cuped=tt.Mean("value", "before"),
        ratio=tt.RatioOfMeans("orders", "messages"),
    )
    return experiment.analyze(visitors)


def sums(visitors: pd.DataFrame, y: str, x: str) -> tuple[Moments, Moments]:
    arms = [visitors[visitors.variant == arm] for arm in (0, 1)]
    control, treatment = (moments_of(arm[y], arm[x]) for arm in arms)
    return control, treatment


@pytest.mark.parametrize(
    ("name", "compare", "columns"),
    [
        ("plain", plain_difference, ("value", "before")),
        ("cuped", cuped_difference, ("value", "before")),
        ("ratio", ratio_difference, ("orders", "messages")),
    ],
)
def test_differences_are_those_of_tea_tasting(
    visitors: pd.DataFrame, theirs: Any, name: str, compare: Any, columns: tuple[str, str]
) -> None:
    difference = compare(*sums(visitors, *columns))
    read = welch(difference)

    expected = theirs[name]
    assert difference.control == pytest.approx(expected.control, abs=1e-9)
    assert difference.treatment == pytest.approx(expected.treatment, abs=1e-9)
    assert read.estimate == pytest.approx(expected.effect_size, abs=1e-9)
    assert read.p == pytest.approx(expected.pvalue, abs=1e-9)
    assert read.interval[0] == pytest.approx(expected.effect_size_ci_lower, abs=1e-9)
    assert read.interval[1] == pytest.approx(expected.effect_size_ci_upper, abs=1e-9)
    lift = relative_lift(difference)
    assert lift.estimate == pytest.approx(expected.rel_effect_size, abs=1e-9)


def test_the_plain_test_is_welchs(visitors: pd.DataFrame) -> None:
    a, b = (visitors[visitors.variant == arm].value for arm in (0, 1))

    read = welch(plain_difference(*sums(visitors, "value", "before")))

    expected = scipy.stats.ttest_ind(b, a, equal_var=False)
    assert read.p == pytest.approx(expected.pvalue, abs=1e-12)
    assert read.interval == pytest.approx(tuple(expected.confidence_interval()), abs=1e-9)


def test_sums_can_be_added_up(visitors: pd.DataFrame) -> None:
    parts = sums(visitors, "value", "before")
    whole = moments_of(visitors.value, visitors.before)
    both = parts[0] + parts[1]

    assert both.mean == pytest.approx(visitors.value.mean())
    assert both.variance == pytest.approx(visitors.value.var())
    assert both.variance_x == pytest.approx(visitors.before.var())
    assert both.covariance == pytest.approx(visitors.value.cov(visitors.before))
    assert both.xy == pytest.approx(whole.xy)


def test_the_lift_of_the_textbook_case_has_its_own_p_value() -> None:
    a, b = Moments(10_000, 1_000, 1_000), Moments(10_000, 1_100, 1_100)
    difference = plain_difference(a, b)

    lift = relative_lift(difference)

    assert lift.estimate == pytest.approx(0.1)
    assert f"{lift.p:.4f}" == "0.0279"
    assert lift.interval[0] > 0


def test_strata_keep_a_change_of_weights_from_passing_for_an_effect() -> None:
    early = plain_difference(Moments(5_000, 600, 600), Moments(5_000, 600, 600))
    late = plain_difference(Moments(9_000, 540, 540), Moments(1_000, 60, 60))
    pooled = plain_difference(Moments(14_000, 1_140, 1_140), Moments(6_000, 660, 660))

    assert welch(pooled).p < 1e-6
    assert stratified([early, late]).estimate == pytest.approx(0)
    assert stratified([early]).variance == pytest.approx(early.variance)
    assert stratified([early, late]).units == 20_000


def test_the_variance_over_strata_weighs_each_by_its_squared_part() -> None:
    small, large = Difference(1.0, 2.0, 0.4, 0.4, 50, 50), Difference(1.0, 1.5, 0.1, 0.3, 150, 150)

    both = stratified([small, large])

    assert both.estimate == pytest.approx(0.25 * 1.0 + 0.75 * 0.5)
    assert both.control_variance == pytest.approx(0.25**2 * 0.4 + 0.75**2 * 0.1)
    assert both.treatment_variance == pytest.approx(0.25**2 * 0.4 + 0.75**2 * 0.3)


def test_of_nothing_nothing_is_said() -> None:
    empty = Moments(0, 0.0, 0.0)
    nothing = plain_difference(empty, empty)

    assert welch(nothing).p == 1 and welch(stratified([])).interval == (-math.inf, math.inf)
    assert relative_lift(nothing).interval == (-math.inf, math.inf)
    assert relative_lift(Difference(1.0, 1.0, 0.0, 0.0, 1, 1)).p == 1
    assert ratio_difference(empty, empty).estimate == 0
    assert cuped_difference(empty, empty).estimate == 0
    assert (empty.mean, empty.mean_x, empty.variance) == (0, 0, 0)
    assert cap_of([]) == 0


def test_a_cap_is_taken_over_all_units_or_over_those_with_a_value() -> None:
    many = np.concatenate([np.zeros(50), np.arange(1.0, 51)])
    few = np.concatenate([np.zeros(1_000), np.arange(1.0, 5)])

    assert cap_of(many, 0.99) == pytest.approx(np.quantile(many, 0.99))
    assert cap_of(few, 0.99) == pytest.approx(np.quantile([1, 2, 3, 4], 0.99))
    assert cap_of(np.zeros(9)) == 0
    assert moments_of([1.0, 900.0], cap=10.0).y == 11
