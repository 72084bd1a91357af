"""Before the start: how many visitors, how many days, and what could be found at all.

A small site cannot find +20 % on deals in two years. It is told so here, with the earlier goal
that would do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.statistics.distributions import normal_quantile, root
from engine.statistics.proportions import Pair, evidence_at, log_evidence, prior_strength
from engine.statistics.sequential import log_evidence_of_mean, mixing_variance
from engine.statistics.variance import Difference

# Beyond this many visitors the answer is "never", in effect.
ENDLESS = 100_000_000


@dataclass(frozen=True)
class Goal:
    """A conversion and the share of visitors who reach it today; `days` until it is ripe."""

    metric: str
    rate: float
    days: float = 0.0


@dataclass(frozen=True)
class Traffic:
    """What the site brings: visitors a day who would take part, and over how many arms."""

    visitors_per_day: float
    arms: int = 2


@dataclass(frozen=True)
class Plan:
    """What one goal needs for a lift: visitors in an arm, in all, days; and what `days` can find.

    `smallest_lift` is the lift that is found in the time one is ready to wait, None if none is.
    """

    metric: str
    rate: float
    per_arm: int
    visitors: int
    days: float
    smallest_lift: float | None
    fits: bool


def sample_size(base: float, lift: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """The visitors needed in each of two arms to find a relative lift of a base rate.

    n = (za sqrt(2 pm (1-pm)) + zb sqrt(pa (1-pa) + pb (1-pb)))² / (pb-pa)², pm = (pa+pb)/2: the
    textbook's, for one two-sided reading at the end.
    """
    return math.ceil(round(_sample_size(base, lift, alpha, power), 6))


def _sample_size(base: float, lift: float, alpha: float, power: float) -> float:
    better = base * (1 + lift)
    if not (0 < base < 1 and 0 < better < 1) or lift == 0:
        raise ValueError("The base rate and the lifted one must lie between 0 and 1, and differ.")
    middle = (base + better) / 2
    spread = normal_quantile(alpha / 2) * math.sqrt(2 * middle * (1 - middle))
    spread += normal_quantile(1 - power) * math.sqrt(base * (1 - base) + better * (1 - better))
    return (spread / (better - base)) ** 2


def smallest_lift(
    base: float, per_arm: float, alpha: float = 0.05, power: float = 0.8
) -> float | None:
    """The smallest relative lift that so many visitors in each arm find; None if not even all."""
    highest = (1 - base) / base * 0.999

    def missing(lift: float) -> float:
        return _sample_size(base, lift, alpha, power) - per_arm

    if per_arm <= 0 or missing(highest) > 0:
        return None
    return root(missing, highest * 1e-9, highest)


def plan(
    goal: Goal,
    lift: float,
    traffic: Traffic,
    *,
    patience: float = 56.0,
    alpha: float = 0.05,
    power: float = 0.8,
) -> Plan:
    """What finding a lift of one goal takes at the present traffic, and whether one has the time.

    `patience` is in days. With more than two arms each one is compared with the control, so
    alpha is divided among them. The last visitors' conversions are waited for, too.
    """
    level = alpha / max(traffic.arms - 1, 1)
    per_arm = sample_size(goal.rate, lift, level, power)
    visitors = per_arm * traffic.arms
    daily = max(traffic.visitors_per_day, 1e-9)
    days = visitors / daily + goal.days
    affordable = max(patience - goal.days, 0.0) * daily / traffic.arms
    found = smallest_lift(goal.rate, affordable, level, power)
    return Plan(goal.metric, goal.rate, per_arm, visitors, days, found, days <= patience)


def earlier_goals(
    goals: Sequence[Goal], lift: float, traffic: Traffic, *, patience: float = 56.0
) -> tuple[Plan, ...]:
    """Which goals would do in the time one is ready to wait, the rarest (the truest) one first.

    It takes for granted that the same relative lift would show there; one must say so.
    """
    plans = [
        plan(goal, lift, traffic, patience=patience) for goal in goals if goal.rate * (1 + lift) < 1
    ]
    return tuple(sorted((one for one in plans if one.fits), key=lambda one: one.rate))


def typical_stop(base: float, lift: float, share: float = 0.5, alpha: float = 0.05) -> int:
    """The visitors in all after which the always-valid test stops, when it goes as expected."""
    prior = prior_strength(abs(lift))
    return _until(lambda more: _expected(base, lift, share, prior, more), alpha)


def more_visitors(
    pairs: Sequence[Pair], hoped: float, base: float | None = None, alpha: float = 0.05
) -> int | None:
    """About how many more visitors it takes until the always-valid test can decide.

    The conversions so far stay; those to come are taken to fall as the effect hoped for would
    make them, in the direction in which the arm now points. None if it would take forever.
    """
    prior = prior_strength(hoped)
    seen = evidence_at(1.0, pairs, prior)
    now = pairs[-1]
    rate = _base_rate(pairs, base)
    up = sum(pair.treatment.converted - pair.converted * pair.share for pair in pairs) >= 0
    lift = hoped if up else 1 / (1 + hoped) - 1
    # The present epoch goes on; what earlier ones have proved stays.
    earlier = seen - evidence_at(1.0, [now], prior)
    counts = (now.control.converted, now.treatment.converted)
    needed = _until(
        lambda more: earlier + _expected(rate, lift, now.share, prior, more, counts), alpha
    )
    return None if needed >= ENDLESS else needed


def more_visitors_for_values(
    difference: Difference, hoped: float, horizon: float = 10_000, alpha: float = 0.05
) -> int | None:
    """About how many more visitors until a confidence sequence can tell such a relative effect.

    The variance per visitor is taken to stay what it is. None if it would take forever.
    """
    gap = abs(hoped * difference.control)
    if not gap or difference.variance <= 0:
        return None
    rho2, spread = mixing_variance(horizon, alpha), difference.variance * difference.units

    def evidence(units: float) -> float:
        return float(log_evidence_of_mean(gap, spread / units, units, rho2))

    needed = _until(evidence, alpha)
    return None if needed >= ENDLESS else max(needed - difference.units, 0)


def _expected(
    base: float,
    lift: float,
    share: float,
    prior: float,
    more: float,
    counts: tuple[int, int] = (0, 0),
) -> float:
    control = counts[0] + more * (1 - share) * base
    treatment = counts[1] + more * share * min(base * (1 + lift), 1.0)
    return float(log_evidence(control, treatment, share, prior))


def _until(evidence: Callable[[float], float], alpha: float) -> int:
    """The visitors after which the evidence reaches its limit, `ENDLESS` if it does not.

    Against the present trend evidence falls before it rises, so the far end is sought first.
    """
    limit = -math.log(alpha)
    far = 1.0
    while evidence(far) < limit:
        far *= 2
        if far >= ENDLESS:
            return ENDLESS
    near = far / 2
    while far - near > 0.5:
        middle = (near + far) / 2
        near, far = (near, middle) if evidence(middle) >= limit else (middle, far)
    return math.ceil(far)


def _base_rate(pairs: Sequence[Pair], base: float | None) -> float:
    """The rate to reckon with: the planned one until ten conversions say better."""
    converted = sum(pair.converted for pair in pairs)
    exposed = sum(pair.exposed for pair in pairs)
    if base is not None and converted < 10:
        return base
    return (converted + 0.5) / (exposed + 1)
