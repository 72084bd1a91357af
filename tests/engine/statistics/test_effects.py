"""Tests of engine.statistics.effects: counts by epoch in, one effect for each goal and arm out."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from engine.statistics.bandit import Batch, arm_difference
from engine.statistics.effects import (
    ArmCounts,
    Goal,
    Logged,
    Measured,
    bandit_effect,
    difference_of,
    mature_until,
    measure,
    measure_one,
    segment_effects,
    treatments,
)
from engine.statistics.proportions import Arm, Pair, z_test
from engine.statistics.sequential import confidence_sequence
from engine.statistics.variance import moments_of

LEADS = Goal("mql", "qualified leads")
DEALS = Goal("deal_value", "deal value", is_value=True)


def counted(*arms: tuple[str, float, int, int]) -> tuple[ArmCounts, ...]:
    return tuple(ArmCounts(*arm) for arm in arms)


BETTER = counted(("A", 0.5, 10_000, 300), ("B", 0.5, 10_000, 420))
ALIKE = counted(("A", 0.5, 10_000, 300), ("B", 0.5, 10_000, 305))


def valued(factor: float, seed: int = 5, units: int = 4_000) -> tuple[ArmCounts, ...]:
    rng = np.random.default_rng(seed)
    arms = []
    for arm, scale in (("A", 1.0), ("B", factor)):
        before = rng.gamma(2, 50, units)
        values = (rng.random(units) < 0.3) * (before + rng.gamma(2, 20, units)) * scale
        arms.append(ArmCounts(arm, 0.5, units, int((values > 0).sum()), moments_of(values, before)))
    return tuple(arms)


def test_only_exposures_old_enough_count() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)

    assert mature_until(now, timedelta(days=14)) == datetime(2026, 11, 7, tzinfo=UTC)


def test_an_effect_tells_its_numbers() -> None:
    (effect,) = measure([Measured(LEADS, (BETTER,))], "A")["mql"]

    assert (effect.arm, effect.exposed, effect.decided) == ("B", 20_000, True)
    assert effect.lift == pytest.approx(0.4)
    assert effect.difference == pytest.approx(0.012)
    assert 0 < effect.lift_interval[0] < 0.4 < effect.lift_interval[1]
    assert 0 < effect.difference_interval[0] < 0.012 < effect.difference_interval[1]
    assert effect.p_fixed == pytest.approx(
        z_test(Pair(Arm(10_000, 300), Arm(10_000, 420))).p, rel=0.1
    )
    assert effect.p_fixed < effect.p_always_valid < 0.05


def test_several_questions_make_each_answer_harder() -> None:
    alone = measure([Measured(LEADS, (BETTER,))], "A")["mql"][0]
    others = [Measured(replace(LEADS, metric=f"m{number}"), (ALIKE,)) for number in range(9)]

    among = measure([Measured(LEADS, (BETTER,)), *others], "A")["mql"][0]

    assert among.p_always_valid == alone.p_always_valid
    assert among.p_adjusted == pytest.approx(alone.p_adjusted * 10)
    assert among.level == pytest.approx(0.005)
    assert among.lift_interval[0] < alone.lift_interval[0]


def test_what_is_certain_alone_is_not_among_many_questions() -> None:
    faint = counted(("A", 0.5, 10_000, 300), ("B", 0.5, 10_000, 385))
    alone = measure([Measured(LEADS, (faint,))], "A")["mql"][0]
    others = [Measured(replace(LEADS, metric=f"m{number}"), (ALIKE,)) for number in range(9)]

    among = measure([Measured(LEADS, (faint,)), *others], "A")["mql"][0]

    assert alone.decided and not among.decided
    assert among.p_always_valid <= 0.05 < among.p_adjusted
    assert among.lift_interval[0] < 0


def test_a_value_is_decided_exactly_when_its_interval_excludes_zero() -> None:
    # At another alpha than the usual one, and with a level that Holm has made smaller still.
    found, deals, leads = set(), replace(DEALS, alpha=0.001), replace(LEADS, alpha=0.001)
    for factor in np.linspace(1.1, 1.6, 120):
        goals = [Measured(deals, (valued(float(factor)),))]
        goals += [Measured(replace(leads, metric=f"m{n}"), (ALIKE,)) for n in range(9)]

        (effect,) = measure(goals, "A")["deal_value"]

        assert (effect.difference_interval[0] > 0) == effect.decided
        found.add(effect.decided)
    assert found == {True, False}


@pytest.mark.parametrize("converted", range(300, 460, 10))
def test_a_decided_effect_has_an_interval_without_zero(converted: int) -> None:
    epoch = counted(("A", 0.4, 10_000, 300), ("B", 0.3, 7_500, converted), ("C", 0.3, 7_500, 225))

    for effect in measure([Measured(LEADS, (epoch,))], "A")["mql"]:
        low, high = effect.lift_interval
        assert (low > 0 or high < 0) == effect.decided
        assert (effect.difference_interval[0] > 0) == (low > 0)


def test_a_change_of_weights_is_no_effect() -> None:
    epochs = (
        counted(("A", 0.5, 5_000, 600), ("B", 0.5, 5_000, 600)),
        counted(("A", 0.1, 1_000, 60), ("B", 0.9, 9_000, 540)),
    )

    (effect,) = measure([Measured(LEADS, epochs)], "A")["mql"]

    assert abs(effect.lift) < 1e-9 and effect.difference == pytest.approx(0, abs=1e-9)
    assert effect.p_fixed > 0.9 and not effect.decided


def test_an_arm_is_compared_where_it_could_be_had() -> None:
    epochs = (
        counted(("A", 0.5, 5_000, 600), ("B", 0.5, 5_000, 600), ("C", 0.0, 0, 0)),
        counted(("A", 0.5, 4_000, 100), ("C", 0.5, 4_000, 180)),
    )

    effects = {one.arm: one for one in measure([Measured(LEADS, epochs)], "A")["mql"]}

    assert treatments(epochs, "A") == ("B", "C")
    assert (effects["B"].exposed, effects["C"].exposed) == (10_000, 8_000)
    assert effects["C"].lift == pytest.approx(0.8)


def test_without_visitors_or_goals_nothing_is_known() -> None:
    nobody = counted(("A", 0.5, 0, 0), ("B", 0.5, 0, 0))
    never_met = (counted(("A", 1.0, 10, 1)), counted(("B", 1.0, 10, 1)))

    for epochs in ((nobody,), never_met):
        (effect,) = measure([Measured(LEADS, epochs)], "A")["mql"]
        assert (effect.exposed, effect.p_always_valid, effect.decided) == (0, 1.0, False)
        assert effect.difference_interval == (-1.0, 1.0)
        assert effect.lift_interval == (-1.0, math.inf)
    assert measure([], "A") == {}


def test_values_are_read_by_a_confidence_sequence() -> None:
    (effect,) = measure([Measured(DEALS, (valued(1.5),))], "A")["deal_value"]

    low, high = effect.difference_interval
    assert effect.decided and 0 < low < effect.difference < high
    assert effect.lift_interval[0] == pytest.approx(low / (effect.difference / effect.lift))
    assert effect.p_fixed < effect.p_always_valid


def test_a_covariate_narrows_the_interval() -> None:
    plain = measure_one(Measured(DEALS, (valued(1.0),)), "A", "B")
    adjusted = measure_one(Measured(replace(DEALS, uses_covariate=True), (valued(1.0),)), "A", "B")

    def width(interval: tuple[float, float]) -> float:
        return interval[1] - interval[0]

    assert width(adjusted.difference_interval) < width(plain.difference_interval)


def test_the_sequence_is_tuned_for_the_goals_own_alpha() -> None:
    measured = Measured(replace(DEALS, alpha=0.001), (valued(1.2),))
    found = difference_of(measured, "A", "B")

    effect = measure_one(measured, "A", "B", 0.001)

    tuned, usual = (
        confidence_sequence(
            found.estimate, found.variance, found.units, values=999, alpha=0.001, tuned_for=alpha
        ).interval
        for alpha in (0.001, 0.05)
    )
    assert effect.difference_interval == tuned
    assert tuned[1] - tuned[0] < usual[1] - usual[0]


def test_values_of_too_few_say_nothing_yet() -> None:
    effect = measure_one(Measured(DEALS, (valued(3.0, units=40),)), "A", "B")
    nobody = measure_one(Measured(DEALS, (counted(("A", 0.5, 0, 0), ("B", 0.5, 0, 0)),)), "A", "B")

    assert effect.p_always_valid == 1 and math.isinf(effect.difference_interval[1])
    assert nobody.lift == 0 and math.isinf(nobody.lift_interval[0])


def test_a_planned_test_finds_with_fewer_visitors_what_was_planned() -> None:
    epoch = counted(("A", 0.5, 4_200, 420), ("B", 0.5, 4_200, 500))
    planned = replace(LEADS, planned=8_400)

    (always,) = measure([Measured(LEADS, (epoch,))], "A")["mql"]
    (once,) = measure([Measured(planned, (epoch,), {"B": [(4_200, 1.9)]})], "A")["mql"]

    assert once.decided and not always.decided
    assert once.difference_interval[0] > 0 and once.more_visitors == 0


def test_a_planned_test_waits_for_its_size() -> None:
    epoch = counted(("A", 0.5, 1_000, 100), ("B", 0.5, 1_000, 125))

    (effect,) = measure([Measured(replace(LEADS, planned=8_400), (epoch,))], "A")["mql"]

    assert not effect.decided and effect.more_visitors == 6_400
    assert effect.difference_interval[0] < 0 < effect.difference_interval[1]


def test_a_planned_test_of_nobody_has_not_begun() -> None:
    nobody = counted(("A", 0.5, 10, 0), ("B", 0.5, 10, 0))
    only_b = counted(("A", 0.5, 1_000, 0), ("B", 0.5, 1_000, 25))
    planned = replace(LEADS, planned=8_400)

    (effect,) = measure([Measured(planned, (nobody,))], "A")["mql"]
    (one_sided,) = measure([Measured(planned, (only_b,))], "A")["mql"]

    assert not effect.decided
    assert one_sided.difference == pytest.approx(0.025) and math.isinf(one_sided.lift)


def test_harm_is_an_interval_on_the_bad_side() -> None:
    worse = measure_one(Measured(LEADS, (BETTER,)), "B", "A")

    assert worse.harms() and not worse.harms(higher_is_better=False)
    assert measure_one(Measured(LEADS, (BETTER,)), "A", "B").harms(higher_is_better=False)


BATCHES = (
    Batch((0.5, 0.5, 0.0), (1_000, 1_000, 0), (50, 90, 0)),
    Batch((0.2, 0.7, 0.1), (400, 1_400, 200), (20, 126, 10)),
)


def test_a_bandit_is_read_by_its_logged_propensities() -> None:
    effect = bandit_effect(LEADS, Logged(("A", "B", "C"), BATCHES), "A", "B")

    assert effect.lift == pytest.approx(0.8, abs=0.05)
    assert effect.difference == arm_difference(BATCHES, 0, 1).value
    assert (effect.p_always_valid <= 0.05) == effect.decided == (effect.lift_interval[0] > 0)
    assert effect.difference_interval[0] <= effect.difference <= effect.difference_interval[1]
    assert effect.exposed == 3_800 and effect.p_fixed < 0.01


def test_the_arms_of_a_bandit_share_alpha_out_as_those_of_a_test_do() -> None:
    epochs = tuple(
        tuple(
            ArmCounts(arm, share, units, wins)
            for arm, share, units, wins in zip(
                "ABC", one.propensities, one.units, one.successes, strict=True
            )
        )
        for one in BATCHES
    )
    measured = Measured(LEADS, epochs, logged=Logged(("A", "B", "C"), BATCHES))

    b, c = measure([measured], "A")[LEADS.metric]

    assert b.p_always_valid <= b.p_adjusted == pytest.approx(2 * b.p_always_valid)
    assert b.decided and not c.decided and b.level == pytest.approx(0.025)


def test_a_bandit_without_batches_knows_nothing() -> None:
    effect = bandit_effect(LEADS, Logged(("A", "B"), ()), "A", "B")

    assert (effect.p_always_valid, effect.p_fixed, effect.exposed) == (1.0, 1.0, 0)
    assert effect.difference_interval == (-1.0, 1.0)


def test_segments_are_for_asking_not_for_deciding() -> None:
    segments = {
        "mobile": Measured(LEADS, (BETTER,)),
        "desktop": Measured(LEADS, (ALIKE,)),
    }

    found = segment_effects(segments, "A", "B")

    assert not any(one.decided for one in found.values())
    assert found["mobile"].p_adjusted == pytest.approx(found["mobile"].p_always_valid * 2)
    assert found["mobile"].lift_interval[0] > 0
