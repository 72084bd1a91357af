"""Tests of engine.statistics.novelty: a warning when an effect wears off, none when it stays."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.statistics.novelty import DayEffect, novelty_curve


def test_the_slope_is_that_of_weighted_least_squares() -> None:
    rng = np.random.default_rng(3)
    days = [
        DayEffect(day, 0.05 - 0.01 * math.log(day) + rng.normal(0, 1e-3), 1e-6 * day)
        for day in range(1, 15)
    ]

    found = novelty_curve(days)

    weights = [day.variance**-0.5 for day in days]
    slope, _ = np.polyfit(np.log([d.day for d in days]), [d.difference for d in days], 1, w=weights)
    assert found is not None and found.slope == pytest.approx(slope)
    assert found.fades and found.interval[0] < slope < found.interval[1] < 0


def test_an_effect_that_stays_is_no_warning() -> None:
    found = novelty_curve([DayEffect(day, 0.05, 1e-5) for day in range(1, 15)])

    assert found is not None and not found.fades


def test_one_that_grows_is_a_warning_too() -> None:
    found = novelty_curve([DayEffect(day, 0.02 * day, 1e-6) for day in range(1, 9)])

    assert found is not None and found.fades


def test_two_days_are_no_curve() -> None:
    days = [DayEffect(1, 0.1, 1e-6), DayEffect(2, 0.1, 1e-6), DayEffect(3, 0.1, 0.0)]

    assert novelty_curve(days) is None
