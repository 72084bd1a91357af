"""Tests of engine.statistics.srm: the split, the alarm, and where it bends."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import scipy.stats

from engine.statistics.srm import Split, bends, check_split, split_evidence


def test_the_p_value_is_that_of_scipy() -> None:
    chance = random.Random(4)
    for _ in range(100):
        weights = tuple(chance.choice([1.0, 2.0, 5.0]) for _ in range(chance.randint(2, 5)))
        observed = tuple(chance.randint(50, 2_000) for _ in weights)
        expected = [sum(observed) * weight / sum(weights) for weight in weights]

        theirs = scipy.stats.chisquare(observed, expected).pvalue

        assert check_split([Split(observed, weights)]).p == pytest.approx(theirs, abs=1e-12)


def test_an_arm_without_weight_changes_nothing() -> None:
    plain = check_split([Split((10_150, 9_850), (1, 1))])

    assert check_split([Split((10_150, 12, 9_850), (1, 0, 1))]) == plain


def test_epochs_are_each_held_against_their_own_weights() -> None:
    even, skewed = Split((5_000, 5_010), (1, 1)), Split((9_010, 990), (9, 1))

    assert not check_split([even, skewed]).flagged
    assert check_split([Split((14_010, 6_000), (1, 1))]).flagged


def test_a_broken_split_is_flagged_and_alarmed() -> None:
    found = check_split([Split((10_400, 9_600), (1, 1))])

    assert found.flagged and found.alarmed
    assert not check_split([Split((10_050, 9_950), (1, 1))]).alarmed


def test_without_visitors_or_weights_nothing_is_wrong() -> None:
    for splits in ([], [Split((0, 0), (1, 1))], [Split((3, 4), (0, 0))]):
        found = check_split(splits)
        assert (found.p, found.flagged, found.alarmed) == (1.0, False, False)


def test_the_alarm_expects_one_on_a_sound_split() -> None:
    count, shares = 40, np.array([0.3, 0.7])
    first = np.arange(count + 1.0)
    log_e = split_evidence(np.stack([first, count - first], axis=-1), shares)
    ways = [math.comb(count, k) * 0.3**k * 0.7 ** (count - k) for k in range(count + 1)]

    assert float(np.array(ways) @ np.exp(log_e)) == pytest.approx(1, abs=1e-9)


def test_the_segment_that_bends_is_named_with_its_arm() -> None:
    segments = {
        "desktop": [Split((5_000, 5_020), (1, 1))],
        "mobile": [Split((3_000, 2_500), (1, 1)), Split((900, 100), (9, 1))],
        "tablet": [Split((400, 300), (1, 1))],
        "nobody": [],
    }

    worst, second = bends(segments)

    assert (worst.segment, worst.arm) == ("mobile", 0)
    assert worst.expected == pytest.approx((2_750 + 900) / 6_500)
    assert worst.observed == pytest.approx(3_900 / 6_500)
    assert second.segment == "tablet" and worst.p < second.p < 0.001


def test_a_sound_split_bends_nowhere() -> None:
    assert bends({"desktop": [Split((500, 510), (1, 1))]}) == ()
