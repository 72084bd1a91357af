"""Conversions that take their time, and weights that change: A/A tests that look like effects."""

from __future__ import annotations

import numpy as np

from engine.statistics.effects import ArmCounts, Effect, Goal, Measured, measure_one
from engine.statistics.proportions import Arm, Pair, z_test
from engine.statistics.simulations.checks import Check, Profile, at_least, at_most

GOAL = Goal("mql", "qualified leads")


def maturity(profile: Profile) -> list[Check]:
    """Day 7: the same final rate, but one arm's visitors answer after two days, not after six."""
    runs, units, window = profile.runs(20_000), 5_000, 28.0
    rng = np.random.default_rng(2024)
    right, wrong = 0, 0
    for _ in range(runs):
        arms = [_exposures(rng, units, delay) for delay in (6.0, 2.0)]
        right += _differ([int((delay <= window).sum()) for _, delay in arms], units)
        wrong += _differ([int((delay <= age).sum()) for age, delay in arms], units)
    return [
        Check(
            "A/A, an arm that is faster, day 7: mature exposures (control: so far)",
            right / runs,
            at_most(0.065),
            wrong / runs,
            at_least(0.95),
        )
    ]


def _exposures(
    rng: np.random.Generator, units: int, mean_delay: float
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """The age of each exposure on day 7 and its days until the conversion; 10 % convert."""
    age = rng.uniform(0, 7, units)
    delay = rng.exponential(mean_delay, units)
    return age, np.where(rng.random(units) < 0.1, delay, np.inf)


def _differ(converted: list[int], units: int) -> bool:
    first, second = (Arm(units, count) for count in converted)
    return z_test(Pair(first, second)).p < 0.05


def epochs(profile: Profile) -> list[Check]:
    """Weights go from 50/50 to 90/10 while the base rate falls from 12 to 6 %: A/A."""
    runs = profile.runs(20_000)
    rng = np.random.default_rng(2025)
    planned, valid, pooled = 0, 0, 0
    for _ in range(runs):
        effect, together = _two_epochs(rng)
        planned += effect.p_fixed < 0.05
        valid += effect.p_always_valid <= 0.05
        pooled += z_test(together).p < 0.05
    return [
        Check(
            f"A/A, a weight change while the base falls, {rule} (control: pooled)",
            count / runs,
            at_most(0.065),
            pooled / runs,
            at_least(0.95),
        )
        for rule, count in (("stratified by epoch", planned), ("default rule", valid))
    ]


def _two_epochs(rng: np.random.Generator) -> tuple[Effect, Pair]:
    """The product's effect over both epochs, and the wrong way: all in one pot."""
    parts = []
    for share, rate in ((0.5, 0.12), (0.1, 0.06)):
        treated = int(rng.binomial(10_000, share))
        exposed = 10_000 - treated, treated
        converted = tuple(int(rng.binomial(count, rate)) for count in exposed)
        parts.append(
            (
                ArmCounts("A", 1 - share, exposed[0], converted[0]),
                ArmCounts("B", share, exposed[1], converted[1]),
            )
        )
    return measure_one(Measured(GOAL, tuple(parts)), "A", "B"), Pair(*_pooled(parts))


def _pooled(parts: list[tuple[ArmCounts, ArmCounts]]) -> tuple[Arm, Arm]:
    control, treatment = (
        Arm(sum(one[side].exposed for one in parts), sum(one[side].converted for one in parts))
        for side in (0, 1)
    )
    return control, treatment
