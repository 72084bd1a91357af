"""Shares, their intervals, and whether one stands out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.rates import (
    Share,
    Standing,
    by_chance,
    compare,
    difference_p,
    wilson,
)
from engine.source_advice import advise, percent

counts = st.integers(1, 5000).flatmap(
    lambda whole: st.tuples(st.integers(0, whole), st.just(whole))
)


@given(counts)
def test_the_interval_is_wilsons(count: tuple[int, int]) -> None:
    part, whole = count

    low, high = wilson(part, whole)

    known = stats.binomtest(part, whole).proportion_ci(method="wilson")
    assert math.isclose(low, known.low, abs_tol=1e-9)
    assert math.isclose(high, known.high, abs_tol=1e-9)
    assert low <= part / whole <= high


def test_nothing_counted_may_be_anything() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert Share(0, 0).rate is None
    assert Share(0, 0).is_small and not Share(3, 30).is_small
    assert Share(1, 4).interval == wilson(1, 4)


@pytest.mark.parametrize(("part", "whole"), [(-1, 3), (4, 3)])
def test_a_part_that_is_no_part_is_refused(part: int, whole: int) -> None:
    with pytest.raises(ValueError, match="between nothing and the whole"):
        wilson(part, whole)


def test_the_p_is_that_of_the_pooled_test() -> None:
    p = difference_p(Share(30, 100), Share(60, 300))

    chi = stats.chi2_contingency([[30, 70], [60, 240]], correction=False)
    assert math.isclose(p, float(chi.pvalue), rel_tol=1e-9)


def test_what_nothing_can_tell_apart_has_the_p_of_one() -> None:
    assert difference_p(Share(0, 0), Share(1, 2)) == 1.0
    assert difference_p(Share(1, 2), Share(0, 0)) == 1.0
    assert difference_p(Share(0, 5), Share(0, 9)) == 1.0


def test_a_share_stands_out_only_with_enough_and_after_correction() -> None:
    found = compare(
        {"a": Share(90, 200), "b": Share(20, 200), "c": Share(60, 200), "tiny": Share(9, 10)}
    )

    assert found["a"].standing is Standing.ABOVE
    assert found["b"].standing is Standing.BELOW
    assert found["c"].standing is Standing.AVERAGE
    assert found["tiny"].standing is Standing.TOO_FEW
    assert found["a"].others == Share(89, 410)
    assert found["a"].p >= difference_p(Share(90, 200), found["a"].others)


def test_one_share_alone_has_nothing_to_be_compared_with() -> None:
    assert compare({"all": Share(5, 500)})["all"].standing is Standing.TOO_FEW
    assert compare({}) == {}


def test_twenty_looks_find_one_by_chance() -> None:
    assert by_chance(20) == pytest.approx(1.0)


def test_advice_carries_its_numbers() -> None:
    found = advise({"google": Share(82, 180), "direct": Share(118, 820)})

    assert {one.source for one in found} == {"direct", "google"}
    google = next(one for one in found if one.source == "google")
    assert google.action == "Put more here"
    assert google.reason == (
        "google brings 41 % of SQLs from 18 % of sessions: 82 of 180 qualified, 46 %"
        " (95 % interval 38 % to 53 %), elsewhere 118 of 820, 14 %."
    )
    assert next(one for one in found if one.source == "direct").action == "Look into this one"


def test_below_the_smallest_number_there_is_no_advice() -> None:
    assert advise({"google": Share(40, 49), "direct": Share(10, 500)}) == []
    assert [one.source for one in advise({"google": Share(41, 50), "direct": Share(10, 500)})]


def test_nothing_qualified_is_nothing_to_advise() -> None:
    assert advise({"google": Share(0, 500), "direct": Share(0, 500)}) == []


@pytest.mark.parametrize(
    ("rate", "text"), [(0.0, "0 %"), (0.034, "3.4 %"), (0.03, "3 %"), (0.41, "41 %"), (1, "100 %")]
)
def test_small_rates_keep_a_decimal(rate: float, text: str) -> None:
    assert percent(rate) == text
