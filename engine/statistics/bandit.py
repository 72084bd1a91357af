"""Earning while testing: weights that follow the results, and what may still be concluded.

Weights move between batches only, on matured rewards, above a floor. Each visitor's propensity is
logged, for everything that is concluded rests on it: pooled rates are worthless once the weights
have moved while the base rate did too. A bandit is for earning, not for proving: an effect that
an even split finds in six experiments of ten, it finds in one or two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
import numpy.typing as npt

from engine.statistics.distributions import Floats, log_beta, log_sum_exp, normal_quantile
from engine.statistics.proportions import Arm, Interval, Pair, interval_around, likeliest

# The alternatives that the test bets on: odds ratios, log-normal around 1.
ODDS_SPREAD = 0.25
_STEPS = np.linspace(-3.0, 3.0, 49)
ODDS: Floats = np.exp(ODDS_SPREAD * _STEPS)
LOG_PRIOR: Floats = -(_STEPS**2) / 2 - np.log(np.exp(-(_STEPS**2) / 2).sum())
# How far around its mean an arm's posterior is looked at, and how finely.
WIDTH, POINTS = 9.0, 121


@dataclass(frozen=True)
class Rewards:
    """One arm's matured exposures and its successes; pending exposures are not failures.

    Both may be fractions when older ones are discounted.
    """

    units: float
    successes: float


@dataclass(frozen=True)
class Guard:
    """When the weights may move at all, and how low one may fall."""

    floor: float = 0.05
    min_units: float = 100
    min_successes: float = 40
    min_minutes: float = 60


# Among the arms that are not ahead this share of the visitors is divided.
SPARED = 0.04
# Enough to know that an arm works at all, in the usual and in the careful form (GrowthBook's).
FEW, MANY, CAREFUL_SUCCESSES = 50, 100, 40
# Visitors are told apart to a ten-thousandth.
STEPS_OF_WEIGHTS = 10_000


@dataclass(frozen=True)
class Batch:
    """The units assigned under one set of weights: per arm its propensity, units, successes.

    Units are matured ones; batches stand in the order of exposure.
    """

    propensities: tuple[float, ...]
    units: tuple[int, ...]
    successes: tuple[int, ...]


@dataclass(frozen=True)
class Estimate:
    """A mean, or a difference of means, with its standard error and its interval."""

    value: float
    error: float
    interval: Interval


@dataclass(frozen=True)
class Conversions:
    """Conversions of units that were given the treatment with this propensity.

    The propensity is that among the two arms compared: w_b / (w_a + w_b) as logged.
    """

    propensity: float
    control: int
    treatment: int


def best_probabilities(arms: Sequence[Rewards], *, lower_is_better: bool = False) -> Floats:
    """The probability of each arm that it is the best, under independent Beta(1 + s, 1 + f).

    The integral of one arm's density times the others' distributions, on a grid that is fine
    where any density is: what Thompson's draws estimate, without drawing. An order turned round
    is successes and failures exchanged, so that it mirrors exactly.
    """
    wins = np.array([one.successes for one in arms], dtype=np.float64)
    losses = np.array([one.units for one in arms], dtype=np.float64) - wins
    if lower_is_better:
        wins, losses = losses, wins
    a, b = (1 + wins)[:, None], (1 + losses)[:, None]
    grid = _grid(a, b)
    density = np.exp((a - 1) * np.log(grid) + (b - 1) * np.log1p(-grid) - log_beta(a, b))
    steps = np.diff(grid)
    areas = (density[:, 1:] + density[:, :-1]) / 2 * steps
    below = np.concatenate([np.zeros((len(arms), 1)), areas.cumsum(axis=1)], axis=1)
    below /= below[:, -1:]
    heights = density * _product_of_others(below)
    chances = (heights[:, 1:] + heights[:, :-1]) / 2 @ steps
    probabilities: Floats = chances / chances.sum()
    return probabilities


def _grid(a: Floats, b: Floats) -> Floats:
    """Places between 0 and 1, dense around the mean of every arm."""
    means = a / (a + b)
    spreads = np.sqrt(means * (1 - means) / (a + b + 1))
    places = means + spreads * np.linspace(-WIDTH, WIDTH, POINTS)
    return np.unique(np.clip(places, 1e-12, 1 - 1e-12))


def _product_of_others(below: Floats) -> Floats:
    """For each row the product of all other rows: of those before it and those behind."""
    ones = np.ones((1, below.shape[1]))
    before = np.concatenate([ones, below[:-1]]).cumprod(axis=0)
    behind = np.concatenate([ones, below[:0:-1]]).cumprod(axis=0)[::-1]
    product: Floats = before * behind
    return product


def thompson_weights(
    arms: Sequence[Rewards], floor: float = 0.05, *, lower_is_better: bool = False
) -> tuple[float, ...]:
    """Weights for the next batch: each arm's chance to be the best, raised above a floor.

    w = f + (1 - K f) p keeps the order of the chances (Chapelle, Li 2011).
    """
    chances = best_probabilities(arms, lower_is_better=lower_is_better)
    return _above_floor(chances, floor)


def top_two_weights(
    arms: Sequence[Rewards], floor: float = 0.05, *, lower_is_better: bool = False
) -> tuple[float, ...]:
    """Weights that find the winner sooner and earn less: half to the best, half to its rival.

    p/2 + ½ sum over the others of p_j p / (1 - p_j): Russo's top-two sampling (arXiv 1602.08448)
    without drawing.
    """
    # A hopeless arm's chance may be too small a number to divide by.
    p = np.maximum(best_probabilities(arms, lower_is_better=lower_is_better), 1e-150)
    # Summed up, not 1 - p: beside a clear winner that difference is all rounding.
    left = [np.delete(p, arm).sum() for arm in range(p.size)]
    rivals = np.array([sum(p[j] / left[j] * p[k] for j in _others(p, k)) for k in range(p.size)])
    return _above_floor((p + rivals) / (p + rivals).sum(), floor)


def _others(p: Floats, arm: int) -> Iterable[int]:
    return (other for other in range(p.size) if other != arm)


def _above_floor(chances: Floats, floor: float) -> tuple[float, ...]:
    lowest = min(floor, 1 / chances.size)
    return tuple(float(lowest + (1 - chances.size * lowest) * chance) for chance in chances)


def next_weights(
    arms: Sequence[Rewards],
    weights: Sequence[float],
    guard: Guard = Guard(),
    *,
    minutes_since_change: float | None = None,
    stopped: frozenset[int] = frozenset(),
    lower_is_better: bool = False,
    top_two: bool = False,
) -> tuple[float, ...]:
    """The weights from now on: those in force while a guard holds, else new ones.

    Before the first change (`minutes_since_change` None) each arm must have its units and
    successes; later changes must be the guard's minutes apart. Arms that were stopped get nothing,
    at once.
    """
    running = [arm not in stopped for arm in range(len(arms))]
    kept = list(compress(arms, running))
    if not kept:
        raise ValueError("One arm at least must go on.")
    if _must_wait(kept, guard, minutes_since_change):
        shares = tuple(compress(weights, running))
    else:
        rule = top_two_weights if top_two else thompson_weights
        shares = rule(kept, guard.floor, lower_is_better=lower_is_better)
    found = iter(shares)
    total = sum(shares)
    return tuple(next(found) / total if goes_on else 0.0 for goes_on in running)


def guard_for(arms: int, *, floor: float | None = None, careful: bool = False) -> Guard:
    """The guard of an experiment: usually one that lets it earn, or one that waits for proof.

    Forty conversions in each arm before the first move cost more conversions than the moves ever
    bring back where arms are rare to convert: 178 against 91 of an even split's 400.
    """
    usual = SPARED / max(arms - 1, 1)
    return Guard(
        floor=usual if floor is None else floor,
        min_units=MANY if careful else FEW,
        min_successes=CAREFUL_SUCCESSES if careful else 0,
    )


def in_whole_steps(weights: Sequence[float]) -> tuple[float, ...]:
    """The weights in ten-thousandths, so that what is logged is what visitors are told apart by."""
    steps = [round(weight * STEPS_OF_WEIGHTS) for weight in weights]
    largest = max(range(len(steps)), key=lambda arm: steps[arm])
    steps[largest] += STEPS_OF_WEIGHTS - sum(steps)
    return tuple(step / STEPS_OF_WEIGHTS for step in steps)


def _must_wait(arms: Sequence[Rewards], guard: Guard, minutes: float | None) -> bool:
    if minutes is not None:
        return minutes < guard.min_minutes
    return any(one.units < guard.min_units or one.successes < guard.min_successes for one in arms)


def discounted(batches: Sequence[Batch], gamma: float = 1.0) -> tuple[Rewards, ...]:
    """Each arm's rewards over all batches, older ones counting less: gamma a unit since then.

    1 forgets nothing. 0.9998 remembers about 5,000 units: for seasonal sites, at the price of
    more regret while nothing changes (Raj, Kalyani, arXiv 1707.09727).
    """
    if not batches:
        return ()
    units = np.array([batch.units for batch in batches], dtype=np.float64)
    wins = np.array([batch.successes for batch in batches], dtype=np.float64)
    sizes = units.sum(axis=1)
    weights = gamma ** (sizes.sum() - sizes.cumsum())
    return tuple(
        Rewards(float(n), float(x)) for n, x in zip(weights @ units, weights @ wins, strict=True)
    )


def _bets(propensities: Floats) -> tuple[Floats, Floats]:
    """What a conversion of the treatment, and of the control, adds for each odds ratio.

    q = theta w / (1 - w + theta w); log(q / w) and log((1 - q) / (1 - w)). Shape (n, 49).
    """
    w = propensities[:, None]
    norm = np.log1p(w * (ODDS - 1))
    return np.log(ODDS) - norm, -norm


def propensity_evidence(counts: Sequence[Conversions]) -> float:
    """The log evidence against "the treatment converts no better or worse", under moving weights.

    Each conversion is held against the propensity its unit was assigned with, so neither moving
    weights nor a drifting base rate can fool it; a mixture over odds ratios makes it an e-process
    (the idea of Lindon and Malek with a predictable propensity). Matured units only.
    """
    if not counts:
        return 0.0
    treated, controls = _bets(np.array([one.propensity for one in counts], dtype=np.float64))
    bets = np.array([one.treatment for one in counts]) @ treated
    bets = bets + np.array([one.control for one in counts]) @ controls
    return float(log_sum_exp(bets + LOG_PRIOR))


def logged_lift(counts: Sequence[Conversions], alpha: float = 0.05) -> tuple[float, Interval]:
    """The relative lift and the interval of all lifts that the same evidence has not refused.

    It holds at all times together and excludes zero exactly when the evidence has decided.
    """
    pairs = [Pair(Arm(0, one.control), Arm(0, one.treatment), one.propensity) for one in counts]
    evidence, limit, best = propensity_evidence(counts), -math.log(alpha), likeliest(pairs)

    def excess(log_ratio: float) -> float:
        return evidence - _against_no_change(log_ratio, counts) - limit

    low, high = interval_around(excess, best)
    return math.exp(best) - 1, (low - 1, high - 1)


def _against_no_change(log_ratio: float, counts: Sequence[Conversions]) -> float:
    """The log likelihood of a ratio of rates over that of no change."""
    gained = 0.0
    for one in counts:
        norm = math.log1p(one.propensity * math.expm1(log_ratio))
        gained += one.treatment * log_ratio - (one.treatment + one.control) * norm
    return gained


def running_evidence(is_treatment: npt.ArrayLike, propensities: npt.ArrayLike) -> Floats:
    """The same evidence after every conversion, in the order of exposure; both have shape (n,)."""
    known, which = np.unique(np.asarray(propensities, dtype=np.float64), return_inverse=True)
    treated, controls = _bets(known)
    chosen = np.asarray(is_treatment, dtype=bool)[:, None]
    bets = np.where(chosen, treated[which], controls[which]).cumsum(axis=0)
    return log_sum_exp(bets + LOG_PRIOR)


def arm_means(batches: Sequence[Batch], alpha: float = 0.05) -> tuple[Estimate, ...]:
    """Each arm's rate, freed of the bias of moving weights: unweighted AIPW."""
    count = len(batches[0].units) if batches else 0
    return tuple(_aipw(batches, {arm: 1.0}, alpha) for arm in range(count))


def arm_difference(
    batches: Sequence[Batch], control: int, treatment: int, alpha: float = 0.05
) -> Estimate:
    """The difference of two arms' rates by unweighted AIPW.

    A unit's score is m_k + 1{arm = k} (y - m_k) / p_k for each arm, m the arm's rate in earlier
    batches, p the logged propensity. Weighting the scores by sqrt(p) (Hadad et al., arXiv
    1911.02768) is left out: it is biased when the base rate has a trend.
    """
    return _aipw(batches, {control: -1.0, treatment: 1.0}, alpha)


def _aipw(batches: Sequence[Batch], contrast: dict[int, float], alpha: float) -> Estimate:
    """The mean score and its error; batches in which one of the arms was stopped say nothing."""
    units, total, squares = 0, 0.0, 0.0
    seen = {arm: (0, 0) for arm in contrast}
    for batch in batches:
        if any(batch.propensities[arm] <= 0 for arm in contrast):
            continue
        rates = {arm: wins / max(count, 1) for arm, (count, wins) in seen.items()}
        for count, score in _scores(batch, contrast, rates):
            units, total, squares = units + count, total + count * score, squares + count * score**2
        seen = {
            arm: (count + batch.units[arm], wins + batch.successes[arm])
            for arm, (count, wins) in seen.items()
        }
    mean = total / max(units, 1)
    error = math.sqrt(max(squares / max(units, 1) - mean**2, 0.0) / max(units, 1))
    half = normal_quantile(alpha / 2) * error
    return Estimate(mean, error, (mean - half, mean + half))


def _scores(
    batch: Batch, contrast: dict[int, float], rates: dict[int, float]
) -> list[tuple[int, float]]:
    """How many units of the batch have which score: the arms compared, and all others alike."""
    base = sum(sign * rates[arm] for arm, sign in contrast.items())
    found = [(sum(batch.units) - sum(batch.units[arm] for arm in contrast), base)]
    for arm, sign in contrast.items():
        for count, reward in (
            (batch.successes[arm], 1.0),
            (batch.units[arm] - batch.successes[arm], 0.0),
        ):
            pull = (reward - rates[arm]) / batch.propensities[arm]
            found.append((count, base + sign * pull))
    return found


def earned(batches: Sequence[Batch]) -> float:
    """How many conversions the moving weights have brought beyond an even split, about.

    The arms' AIPW rates times the units they had beyond an even share. It can be negative.
    """
    rates = [one.value for one in arm_means(batches)]
    total = sum(sum(batch.units) for batch in batches)
    had = [sum(batch.units[arm] for batch in batches) for arm in range(len(rates))]
    return sum(rate * (units - total / len(rates)) for rate, units in zip(rates, had, strict=True))
