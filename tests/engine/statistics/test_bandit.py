"""Tests of engine.statistics.bandit: fair weights, guards that hold, and honest conclusions."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

from engine.statistics.bandit import (
    Batch,
    Conversions,
    Guard,
    Rewards,
    arm_difference,
    arm_means,
    best_probabilities,
    discounted,
    earned,
    guard_for,
    in_whole_steps,
    logged_lift,
    next_weights,
    propensity_evidence,
    running_evidence,
    thompson_weights,
    top_two_weights,
)

ARMS = (Rewards(400, 12), Rewards(500, 25), Rewards(300, 18))
READY = Guard(floor=0.05, min_units=100, min_successes=10, min_minutes=60)


def test_chances_are_what_draws_estimate() -> None:
    rng = np.random.default_rng(7)
    draws = np.stack([rng.beta(1 + a.successes, 1 + a.units - a.successes, 400_000) for a in ARMS])
    by_draws = np.bincount(draws.argmax(axis=0), minlength=3) / 400_000

    assert best_probabilities(ARMS) == pytest.approx(by_draws, abs=0.003)


def test_an_arm_nobody_saw_beside_one_that_millions_saw() -> None:
    assert best_probabilities([Rewards(0, 0), Rewards(1e6, 5e5)]) == pytest.approx([0.5, 0.5])
    assert best_probabilities([Rewards(0, 0), Rewards(1e6, 2e5)]) == pytest.approx(
        [0.8, 0.2], abs=1e-3
    )


@pytest.mark.parametrize("rule", [thompson_weights, top_two_weights])
def test_weights_add_up_keep_the_floor_and_follow_the_arms(rule: type[object]) -> None:
    plain = dict(zip(ARMS, rule(ARMS, 0.05), strict=True))  # type: ignore[call-overload]

    assert sum(plain.values()) == pytest.approx(1)
    assert min(plain.values()) >= 0.05
    for order in permutations(ARMS):
        again = rule(order, 0.05)  # type: ignore[call-overload]
        assert again == pytest.approx([plain[arm] for arm in order], abs=1e-12)


def test_where_lower_is_better_everything_mirrors_exactly() -> None:
    mirrored = [Rewards(one.units, one.units - one.successes) for one in ARMS]

    assert thompson_weights(ARMS, lower_is_better=True) == thompson_weights(mirrored)
    assert top_two_weights(ARMS, lower_is_better=True) == top_two_weights(mirrored)
    assert thompson_weights(ARMS)[2] > thompson_weights(ARMS, lower_is_better=True)[2]


def test_top_two_gives_the_runner_up_its_share() -> None:
    clear = (Rewards(5_000, 100), Rewards(5_000, 200), Rewards(5_000, 400))

    assert top_two_weights(clear, 0.0)[1:] == pytest.approx((0.5, 0.5), abs=0.01)
    assert thompson_weights(clear, 0.0)[2] > 0.99
    hopeless = (Rewards(1e6, 1e3), Rewards(1e6, 1e4), Rewards(1e6, 9e5))
    assert sum(top_two_weights(hopeless, 0.0)) == pytest.approx(1)


def test_a_floor_too_high_for_so_many_arms_is_an_even_split() -> None:
    assert thompson_weights(ARMS, 0.9) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_weights_stay_until_every_arm_has_its_units_and_successes() -> None:
    weights = (0.2, 0.3, 0.5)

    assert next_weights(ARMS, weights) == pytest.approx(weights)
    assert next_weights(ARMS, weights, Guard(min_units=350, min_successes=0)) == weights
    assert next_weights(ARMS, weights, READY) == pytest.approx(thompson_weights(ARMS, 0.05))
    assert next_weights(ARMS, weights, READY, top_two=True) == pytest.approx(
        top_two_weights(ARMS, 0.05)
    )


def test_weights_change_once_an_hour_at_most() -> None:
    weights = (0.2, 0.3, 0.5)

    assert next_weights(ARMS, weights, READY, minutes_since_change=59) == weights
    assert next_weights(ARMS, weights, READY, minutes_since_change=60) != weights


def test_an_arm_that_was_stopped_gets_nothing_at_once() -> None:
    waiting = next_weights(ARMS, (0.2, 0.3, 0.5), stopped=frozenset({1}))
    moving = next_weights(ARMS, (0.2, 0.3, 0.5), READY, stopped=frozenset({1}))

    assert waiting == pytest.approx((0.2 / 0.7, 0.0, 0.5 / 0.7))
    assert moving[1] == 0 and sum(moving) == pytest.approx(1)
    with pytest.raises(ValueError):
        next_weights(ARMS, (0.2, 0.3, 0.5), stopped=frozenset({0, 1, 2}))


def test_older_rewards_fade_by_the_units_since() -> None:
    batches = [Batch((0.5, 0.5), (50, 50), (5, 6)), Batch((0.5, 0.5), (60, 40), (9, 4))]

    assert discounted(batches) == (Rewards(110, 14), Rewards(90, 10))
    faded = 0.999**100
    assert discounted(batches, 0.999)[0].units == pytest.approx(50 * faded + 60)
    assert discounted([]) == ()


def test_the_test_on_propensities_expects_one_when_nothing_differs() -> None:
    # Three conversions with three propensities: over all eight ways E is 1 on average.
    propensities = [0.1, 0.5, 0.9]
    expected = 0.0
    for ways in np.ndindex(2, 2, 2):
        chance = math.prod(
            w if treated else 1 - w for w, treated in zip(propensities, ways, strict=True)
        )
        counts = [
            Conversions(w, 1 - treated, treated)
            for w, treated in zip(propensities, ways, strict=True)
        ]
        expected += chance * math.exp(propensity_evidence(counts))

    assert expected == pytest.approx(1, abs=1e-12)


def test_reading_on_the_way_ends_where_the_counts_do() -> None:
    rng = np.random.default_rng(2)
    propensities = rng.choice([0.2, 0.5, 0.8], 300)
    treated = rng.random(300) < propensities
    counts = [
        Conversions(
            w,
            int((~treated & (propensities == w)).sum()),
            int((treated & (propensities == w)).sum()),
        )
        for w in (0.2, 0.5, 0.8)
    ]

    assert running_evidence(treated, propensities)[-1] == pytest.approx(propensity_evidence(counts))
    assert propensity_evidence([]) == 0


def test_the_logged_lift_excludes_zero_just_when_the_test_decides() -> None:
    decisions = set()
    for treated in range(100, 400, 10):
        counts = [Conversions(0.5, 150, treated // 2), Conversions(0.8, 40, treated // 2)]
        lift, (low, high) = logged_lift(counts)
        decided = propensity_evidence(counts) >= -math.log(0.05)
        assert (low > 0 or high < 0) == decided
        assert low < lift < high
        decisions.add(decided)
    assert decisions == {True, False}
    assert logged_lift([]) == (0.0, (-1.0, math.inf))


def test_a_large_lift_is_found_and_told() -> None:
    lift, (low, high) = logged_lift([Conversions(0.5, 200, 400)])

    assert lift == pytest.approx(1.0) and 0.3 < low < 1 < high < 2


BATCHES = (
    Batch((0.5, 0.5), (1_000, 1_000), (100, 120)),
    Batch((0.2, 0.8), (400, 1_600), (20, 96)),
    Batch((0.0, 1.0), (0, 500), (0, 30)),
)


def test_at_even_weights_aipw_is_the_plain_difference() -> None:
    even = BATCHES[:1]

    found = arm_difference(even, 0, 1)

    assert found.value == pytest.approx(0.02)
    assert found.interval[0] < 0.02 < found.interval[1]
    assert [one.value for one in arm_means(even)] == pytest.approx([0.1, 0.12])


def test_a_base_rate_that_falls_while_weights_move_biases_nothing() -> None:
    # The control's rate halves; the pooled rates would say 8.6 against 8.3 per cent.
    found = arm_difference(BATCHES[:2], 0, 1)

    assert found.value == pytest.approx((0.02 + 0.01) / 2, abs=1e-12)


def test_batches_in_which_an_arm_was_stopped_say_nothing_of_it() -> None:
    assert arm_difference(BATCHES, 0, 1) == arm_difference(BATCHES[:2], 0, 1)
    assert arm_difference([], 0, 1).value == 0 and arm_means([]) == ()


def test_scores_are_those_of_every_single_unit() -> None:
    # The same sums unit by unit, with three arms so that some units belong to neither.
    batches = [
        Batch((0.2, 0.3, 0.5), (20, 30, 50), (4, 9, 10)),
        Batch((0.1, 0.6, 0.3), (10, 60, 30), (1, 15, 6)),
    ]
    scores: list[float] = []
    means = [0.0, 0.0]
    for batch, means in zip(batches, ([0.0, 0.0], [4 / 20, 9 / 30]), strict=True):
        for arm in range(3):
            for unit in range(batch.units[arm]):
                reward = float(unit < batch.successes[arm])
                score = means[1] - means[0]
                if arm < 2:
                    pull = (reward - means[arm]) / batch.propensities[arm]
                    score += pull if arm == 1 else -pull
                scores.append(score)

    found = arm_difference(batches, 0, 1)

    assert found.value == pytest.approx(np.mean(scores))
    assert found.error == pytest.approx(np.std(scores) / math.sqrt(len(scores)))


def test_what_was_earned_is_what_the_better_arm_brought_beyond_its_even_share() -> None:
    moved = [Batch((0.1, 0.9), (100, 900), (5, 90))]

    assert earned(moved) == pytest.approx(0.05 * (100 - 500) + 0.1 * (900 - 500))
    assert earned([Batch((0.5, 0.5), (500, 500), (25, 50))]) == pytest.approx(0)
    assert earned([]) == 0


def test_the_usual_guard_lets_arms_earn_and_the_careful_one_waits_for_proof() -> None:
    assert guard_for(2) == Guard(floor=0.04, min_units=50, min_successes=0)
    assert guard_for(5).floor == 0.01 and guard_for(1).floor == 0.04
    assert guard_for(3, floor=0.1, careful=True) == Guard(0.1, 100, 40)


@pytest.mark.parametrize("weights", [(1 / 3, 1 / 3, 1 / 3), (0.04001, 0.95999), (0.0, 1.0)])
def test_weights_in_whole_steps_are_what_visitors_are_told_apart_by(
    weights: tuple[float, ...],
) -> None:
    found = in_whole_steps(weights)

    assert sum(round(one * 10_000) for one in found) == 10_000
    assert found == pytest.approx(weights, abs=2e-4)
    assert [round(one, 4) for one in found] == list(found)
