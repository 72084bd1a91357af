"""Tests of engine.statistics.ranking: areas as the textbook has them, and comparisons that hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from engine.statistics.ranking import area, compare

CAME = [True, True, False, False, False]


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    assert area([5, 2, 4, 2, 1], CAME) == pytest.approx((3 + 1.5) / 6)
    assert area([1, 2, 3], [False] * 3) is None and area([], []) is None


def test_it_is_what_the_library_says() -> None:
    rng = np.random.default_rng(11)
    came = rng.random(500) < 0.2
    scores = np.round(rng.normal(size=500) + came, 1)

    assert area(scores, came) == pytest.approx(roc_auc_score(came, scores), abs=1e-12)


def test_a_better_score_is_found_and_the_other_way_round_mirrors() -> None:
    rng = np.random.default_rng(12)
    came = rng.random(2_000) < 0.3
    good, poor = rng.normal(size=2_000) + 2 * came, rng.normal(size=2_000) + 0.5 * came

    better, worse = compare(poor, good, came), compare(good, poor, came)

    assert better.decided and better.interval and 0 < better.interval[0] < better.difference
    assert worse.difference == -better.difference and worse.p == better.p


def test_the_error_is_that_of_many_samples() -> None:
    rng = np.random.default_rng(13)
    gaps, said = [], []
    for _ in range(300):
        came = rng.random(400) < 0.25
        base = rng.normal(size=400)
        first, second = base + came, base + came + rng.normal(size=400)
        found = compare(first, second, came)
        gaps.append(found.difference)
        said.append(found.variance)

    assert math.sqrt(np.mean(said)) == pytest.approx(np.std(gaps), rel=0.1)


def test_too_few_say_nothing() -> None:
    assert compare([1, 2], [2, 1], [True, False]).interval is None
    few = compare([5, 2, 4, 2, 1], [1, 2, 3, 4, 5], CAME)
    assert (few.interval, few.decided, few.p) == (None, False, 1.0)
    same = compare(range(100), range(100), [n % 2 == 0 for n in range(100)])
    assert (same.difference, same.interval, same.decided) == (0, (0, 0), False)
