"""Tests of engine.statistics.power: known tables, honest answers."""

from __future__ import annotations

import pytest
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_effectsize

from engine.statistics.power import (
    Goal,
    Traffic,
    earlier_goals,
    more_visitors,
    more_visitors_for_values,
    plan,
    sample_size,
    smallest_lift,
    typical_stop,
)
from engine.statistics.proportions import (
    Arm,
    Pair,
    always_valid_p,
    evidence_at,
    prior_strength,
)
from engine.statistics.variance import Difference

TABLE = {
    0.01: (163_095, 42_693, 19_827, 7_750, 2_319),
    0.03: (53_211, 13_914, 6_455, 2_518, 749),
    0.05: (31_234, 8_158, 3_780, 1_471, 435),
    0.10: (14_751, 3_841, 1_774, 686, 199),
}


@pytest.mark.parametrize(("base", "row"), TABLE.items())
def test_the_table_of_sizes_is_the_published_one(base: float, row: tuple[int, ...]) -> None:
    assert tuple(sample_size(base, lift) for lift in (0.1, 0.2, 0.3, 0.5, 1.0)) == row


def test_the_size_is_near_that_of_statsmodels() -> None:
    effect = proportion_effectsize(0.12, 0.10)
    theirs = NormalIndPower().solve_power(effect, alpha=0.05, power=0.8)

    assert sample_size(0.1, 0.2) == pytest.approx(theirs, rel=0.003)


@pytest.mark.parametrize(("base", "lift"), [(0.0, 0.2), (0.6, 0.9), (0.1, 0.0), (0.1, -1.0)])
def test_impossible_rates_are_refused(base: float, lift: float) -> None:
    with pytest.raises(ValueError):
        sample_size(base, lift)


def test_the_smallest_lift_needs_just_the_visitors_that_are_there() -> None:
    lift = smallest_lift(0.05, 8_158)

    assert lift == pytest.approx(0.2, abs=1e-4)
    assert smallest_lift(0.05, 0) is None and smallest_lift(0.05, 1) is None


def test_a_small_site_is_told_that_two_years_are_not_enough() -> None:
    thousand_a_month = Traffic(1_000 / 30)

    deals = plan(Goal("deal_won", 0.03, days=30), 0.2, thousand_a_month, patience=730)

    assert (deals.per_arm, deals.visitors) == (13_914, 27_828)
    assert deals.days > 730 and not deals.fits
    assert deals.smallest_lift is not None and 0.2 < deals.smallest_lift < 0.25


def test_more_arms_need_more_visitors_in_each() -> None:
    two, four = (plan(Goal("mql", 0.1), 0.2, Traffic(100, arms)) for arms in (2, 4))

    assert four.per_arm > two.per_arm
    assert four.visitors == four.per_arm * 4
    assert four.days == pytest.approx(four.visitors / 100)


def test_without_patience_nothing_can_be_found() -> None:
    found = plan(Goal("deal_won", 0.03, days=60), 0.2, Traffic(0.0), patience=30)

    assert found.smallest_lift is None and not found.fits


def test_earlier_goals_are_those_that_fit_the_rarest_first() -> None:
    goals = [
        Goal("completed", 0.5),
        Goal("deal_won", 0.01, days=30),
        Goal("contact_shared", 0.2),
        Goal("opened", 0.95),
    ]

    found = earlier_goals(goals, 0.2, Traffic(100), patience=56)

    assert [one.metric for one in found] == ["contact_shared", "completed"]


def test_the_typical_stop_is_where_the_simulations_stop() -> None:
    assert 9_000 < typical_stop(0.1, 0.2) < 10_500


def test_about_so_many_more_visitors_end_the_wait() -> None:
    # Those to come convert as the effect hoped for has it: then the test has just decided.
    now = Pair(Arm(2_000, 200), Arm(2_000, 230))
    more = more_visitors([now], 0.2)
    assert more is not None
    rate, half = 430.5 / 4_001, more / 2

    later = Pair(
        Arm(2_000 + int(half), round(200 + half * rate)),
        Arm(2_000 + int(half), round(230 + half * rate * 1.2)),
    )

    assert always_valid_p(evidence_at(1.0, [later], prior_strength(0.2))) == pytest.approx(
        0.05, rel=0.1
    )


def test_a_loser_is_waited_for_downwards() -> None:
    up = more_visitors([Pair(Arm(2_000, 200), Arm(2_000, 230))], 0.2)
    down = more_visitors([Pair(Arm(2_000, 230), Arm(2_000, 200))], 0.2)

    assert up is not None and down is not None and down == pytest.approx(up, rel=0.3)


def test_what_is_proved_in_an_earlier_epoch_counts() -> None:
    now = Pair(Arm(500, 50), Arm(500, 52))
    earlier = Pair(Arm(4_000, 400), Arm(4_000, 480))

    alone, together = more_visitors([now], 0.2), more_visitors([earlier, now], 0.2)

    assert alone is not None and together is not None and together < alone


def test_before_conversions_the_planned_rate_is_reckoned_with() -> None:
    nobody = [Pair(Arm(10, 0), Arm(10, 0))]
    seen = [Pair(Arm(1_000, 100), Arm(1_000, 100))]

    planned = more_visitors(nobody, 0.2, base=0.1)
    assert planned is not None and planned == pytest.approx(typical_stop(0.1, 0.2), abs=2)
    assert more_visitors(seen, 0.2, base=0.001) == more_visitors(seen, 0.2)


def test_what_takes_forever_is_not_promised() -> None:
    assert more_visitors([Pair(Arm(10, 0), Arm(10, 0))], 0.01, base=1e-5) is None


def test_values_are_waited_for_too() -> None:
    def spent(units: int) -> Difference:
        return Difference(10.0, 10.5, 4_000 / units, 4_000 / units, units // 2, units // 2)

    some, more = (more_visitors_for_values(spent(units), 0.2) for units in (2_000, 4_000))

    assert some is not None and more is not None and some - more == 2_000
    assert more_visitors_for_values(spent(10_000_000), 0.2) == 0
    assert more_visitors_for_values(Difference(0, 0, 1.0, 1.0, 5, 5), 0.2) is None
    assert more_visitors_for_values(Difference(1, 1, 0.0, 0.0, 5, 5), 0.2) is None
    assert more_visitors_for_values(Difference(1e-9, 0, 1.0, 1.0, 5, 5), 0.2) is None
