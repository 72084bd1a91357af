"""Moving weights: what they earn, and what may be concluded while the base rate moves too."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.statistics.bandit import (
    Batch,
    Guard,
    Rewards,
    arm_difference,
    discounted,
    guard_for,
    next_weights,
    running_evidence,
)
from engine.statistics.distributions import Floats
from engine.statistics.proportions import z_score
from engine.statistics.simulations.checks import Check, Limit, Profile, at_least, at_most

RATES = np.array([0.03, 0.04, 0.05, 0.06, 0.07])
BATCHES, SIZE = 40, 500
# Feedback of a batch is there when the next but one begins: a delay of 500 visitors.
DELAY = 1
# Where honesty is tried: weights that go as far and as early as they can.
OPEN = Guard(floor=0.01, min_units=0, min_successes=0)
Trend = Callable[[float], float]


@dataclass(frozen=True)
class Run:
    """One bandit over 20,000 visitors, and its conversions in order of exposure.

    Of each: was it the treatment's (1 or 0), and the propensity its unit was assigned with.
    """

    batches: tuple[Batch, ...]
    treated: Floats
    propensities: Floats


def constant(_time: float) -> float:
    """A base rate that stays."""
    return 1.0


def rising(time: float) -> float:
    """From a fifth of the mean to nine fifths: 1 to 9 % around 5 %."""
    return 0.2 + 1.6 * time


def falling(time: float) -> float:
    """The same the other way: 9 to 1 %."""
    return 1.8 - 1.6 * time


def fading(time: float) -> float:
    """A common linear trend from 1.5 times to half."""
    return 1.5 - time


def run_bandit(
    rng: np.random.Generator, rates: Floats, trend: Trend, guard: Guard | None
) -> tuple[Batch, ...]:
    """A bandit in batches of 500, an hour or more apart; without a guard, an even split."""
    batches: list[Batch] = []
    moved, weights = False, np.full(len(rates), 1 / len(rates))
    for number in range(BATCHES):
        matured = batches[: max(number - DELAY, 0)]
        if guard is not None and matured:
            since = guard.min_minutes if moved else None
            found = next_weights(
                discounted(matured), tuple(weights), guard, minutes_since_change=since
            )
            moved = moved or found != tuple(weights)
            weights = np.array(found)
        units = rng.multinomial(SIZE, weights / weights.sum())
        now = rates * trend((number + 0.5) / BATCHES)
        batches.append(
            Batch(
                tuple(weights.tolist()),
                tuple(units.tolist()),
                tuple(rng.binomial(units, now).tolist()),
            )
        )
    return tuple(batches)


def regret(batches: Sequence[Batch], rates: Floats) -> float:
    """The conversions missed against having sent everybody to the best arm."""
    units = np.array([one.units for one in batches]).sum(axis=0)
    return float(units @ (rates.max() - rates))


def earning(profile: Profile) -> list[Check]:
    """Five arms of 3 to 7 %: the regret of batches with a floor of 1 %, against an even split."""
    runs = profile.runs(3_000)
    rng = np.random.default_rng(777)
    usual, wary = guard_for(RATES.size), guard_for(RATES.size, careful=True)
    moved = [run_bandit(rng, RATES, constant, usual) for _ in range(runs)]
    even = [run_bandit(rng, RATES, constant, None) for _ in range(runs)]
    careful = [run_bandit(rng, RATES, constant, wary) for _ in range(max(runs // 10, 1))]
    uniform = _mean_regret(even)
    return [
        Check(
            "Thompson, batches of 500, as shipped (floor 1 %): regret (control: even split)",
            _mean_regret(moved),
            at_most(100),
            uniform,
            Limit(397, 403),
        ),
        Check(
            "Thompson, careful (40 conversions an arm first): regret (control: even split)",
            _mean_regret(careful),
            at_most(235),
            uniform,
            at_least(397),
        ),
        Check(
            "Thompson: the best arm looks best at the end (control: after 1,000 visitors)",
            _share_right(moved, BATCHES),
            at_least(0.95),
            _share_right(moved, 2),
            at_most(0.8),
        ),
    ]


def _mean_regret(runs: Sequence[Sequence[Batch]]) -> float:
    return float(np.mean([regret(batches, RATES) for batches in runs]))


def _share_right(runs: Sequence[Sequence[Batch]], count: int) -> float:
    """How often the arm that is best has the best rate after so many batches."""
    best = [int(np.argmax(_plain_rates(discounted(batches[:count])))) for batches in runs]
    return float(np.mean(np.array(best) == int(np.argmax(RATES))))


def visitor_by_visitor(profile: Profile) -> list[Check]:
    """Thompson drawing for each visitor, with feedback after 500 more: the yardstick of batches."""
    runs, visitors, delay = profile.runs(1_000), 20_000, 500
    rng = np.random.default_rng(778)
    wins, losses = np.ones((runs, 5)), np.ones((runs, 5))
    rows = np.arange(runs)
    pending: list[tuple[Floats, Floats]] = []
    missed = np.zeros(runs)
    for visitor in range(visitors):
        if visitor >= delay:
            arms, rewarded = pending[visitor - delay]
            wins[rows, arms.astype(int)] += rewarded
            losses[rows, arms.astype(int)] += 1 - rewarded
        arm = rng.beta(wins, losses).argmax(axis=1)
        pending.append((arm.astype(np.float64), (rng.random(runs) < RATES[arm]) * 1.0))
        missed += RATES.max() - RATES[arm]
    return [
        Check(
            "Thompson, visitor by visitor, delay 500: regret (control: even split)",
            float(missed.mean()),
            at_most(80),
            float(visitors * (RATES.max() - RATES.mean())),
            Limit(397, 403),
        )
    ]


def inference(profile: Profile) -> list[Check]:
    """A/A under a two-arm bandit, base 5 %: the test on logged propensities, every conversion."""
    runs = profile.runs(1_500)
    found = []
    for name, (trend, rule, wrong) in SCENES.items():
        rng = np.random.default_rng(4242)
        right, fooled = 0, 0
        for _ in range(runs):
            run = _ordered(rng, run_bandit(rng, np.array([0.05, 0.05]), trend, OPEN))
            evidence = running_evidence(run.treated, run.propensities)
            right += bool((evidence >= -math.log(0.05)).any())
            fooled += rule(run.batches)
        title = f"A/A under a bandit, {name} base, peeking (control: pooled z, {rule.__doc__})"
        found.append(Check(title, right / runs, at_most(0.040), fooled / runs, at_least(wrong)))
    return found


def _pooled_at_end(batches: Sequence[Batch]) -> bool:
    """at the end"""
    return bool(abs(_pooled_z(batches)[-1]) > 1.96)


def _pooled_by_batch(batches: Sequence[Batch]) -> bool:
    """each batch"""
    return bool((np.abs(_pooled_z(batches)) > 1.96).any())


def _pooled_z(batches: Sequence[Batch]) -> Floats:
    """The plain z after each batch, all batches in one pot: the wrong way."""
    units = np.array([one.units for one in batches], dtype=np.float64).cumsum(axis=0)
    wins = np.array([one.successes for one in batches], dtype=np.float64).cumsum(axis=0)
    return z_score(wins[:, 0], units[:, 0], wins[:, 1], units[:, 1])


# Each base rate with the wrong way that it fools, and how often at least.
SCENES: dict[str, tuple[Trend, Callable[[Sequence[Batch]], bool], float]] = {
    "constant": (constant, _pooled_by_batch, 0.1),
    "rising": (rising, _pooled_at_end, 0.9),
    "falling": (falling, _pooled_by_batch, 0.08),
}


def _ordered(rng: np.random.Generator, batches: tuple[Batch, ...]) -> Run:
    """The conversions in the order of exposure: within a batch any order is as likely."""
    treated, propensities = [], []
    for batch in batches:
        control, treatment = batch.successes
        mixed = rng.permutation(np.repeat([0.0, 1.0], [control, treatment]))
        treated.append(mixed)
        propensities.append(np.full(mixed.size, batch.propensities[1]))
    return Run(batches, np.concatenate(treated), np.concatenate(propensities))


def estimates(profile: Profile) -> list[Check]:
    """Differences to the best arm under a common trend: AIPW against the arms' plain rates."""
    runs = profile.runs(2_000)
    rng = np.random.default_rng(779)
    adjusted, naive = np.empty((runs, 4)), np.empty((runs, 4))
    for run in range(runs):
        batches = run_bandit(rng, RATES, fading, OPEN)
        adjusted[run] = [arm_difference(batches, arm, 4).value for arm in range(4)]
        rates = _plain_rates(discounted(batches))
        naive[run] = rates[4] - rates[:4]
    truth = RATES[4] - RATES[:4]
    return [
        Check(
            "AIPW under a trend: largest bias of a difference, points (control: plain rates)",
            float(np.abs(adjusted.mean(axis=0) - truth).max() * 100),
            at_most(0.2),
            float(np.abs(naive.mean(axis=0) - truth).max() * 100),
            at_least(0.5),
        )
    ]


def _plain_rates(rewards: Sequence[Rewards]) -> Floats:
    rates: Floats = np.array([one.successes / max(one.units, 1) for one in rewards])
    return rates
