"""Looking more than once without being fooled: confidence sequences, and looks that were planned.

The confidence sequence may be read at any time, whatever the size will be. The group sequential
test needs its size before the start and finds effects with fewer visitors for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engine.statistics.distributions import (
    Floats,
    Numbers,
    normal_quantile,
    normal_tail,
    normal_tails,
    root,
)

Interval = tuple[float, float]
# The sequence is asymptotic: with fewer values than that in an arm it promises too much.
FEWEST_VALUES = 20
# A bound beyond this many standard errors is never crossed; the tail there is 1e-33.
HIGHEST_BOUND = 12.0
GRID = 1201


@dataclass(frozen=True)
class AnyTime:
    """An always-valid p-value and interval; `ready` once the guard lets them count."""

    p: float
    interval: Interval
    ready: bool


@dataclass(frozen=True)
class Look:
    """A planned look: how much of the planned size is there, the bound for |z|, and z itself."""

    fraction: float
    bound: float
    z: float

    @property
    def crossed(self) -> bool:
        """Whether the test may stop here."""
        return abs(self.z) >= self.bound


def mixing_variance(horizon: float, alpha: float = 0.05) -> float:
    """The sequence's one parameter, which makes it tightest after `horizon` units.

    rho² = (l + log(l + 1)) / N*, l = -2 log(alpha) (arXiv 2103.06476, eq. 161).
    """
    twice = -2 * math.log(alpha)
    return (twice + math.log(twice + 1)) / horizon


def log_evidence_of_mean(gap: Numbers, variance: Numbers, units: Numbers, rho2: float) -> Floats:
    """The log evidence against "no difference" after so many units (arXiv 2103.06476, eq. 155).

    -½ log(1 + N rho²) + rho² N d² / V / (2 (N rho² + 1)); `variance` is that of the estimate d.
    """
    spread = np.asarray(units * rho2 + 1, dtype=np.float64)
    strength: Floats = rho2 * units * gap * gap / variance / (2 * spread)
    return strength - 0.5 * np.log(spread)


def confidence_sequence(
    gap: float,
    variance: float,
    units: int,
    *,
    values: int,
    horizon: float = 10_000,
    alpha: float = 0.05,
    tuned_for: float = 0.05,
) -> AnyTime:
    """An interval around an estimate that holds at all times together.

    `variance` is that of the estimate, `units` are those of both arms, `values` the non-zero
    values (conversions) of the poorer arm: below the guard nothing counts. The sequence is tuned
    for one alpha; at any other the interval still excludes zero just when p is below that alpha.
    The half width is
    se sqrt(N) sqrt(2 (N rho² + 1) / (N² rho²) log(sqrt(N rho² + 1) / alpha))
    (Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, arXiv 2103.06476, eq. 9).
    """
    if values < FEWEST_VALUES or variance <= 0:
        return AnyTime(1.0, (-math.inf, math.inf), False)
    rho2 = mixing_variance(horizon, tuned_for)
    log_e = float(log_evidence_of_mean(gap, variance, units, rho2))
    spread = units * rho2 + 1
    width = 2 * spread / (units**2 * rho2) * math.log(math.sqrt(spread) / alpha)
    half = math.sqrt(variance * units) * math.sqrt(width)
    return AnyTime(min(1.0, math.exp(-log_e)), (gap - half, gap + half), True)


def spent(fraction: float, alpha: float = 0.05) -> float:
    """How much of alpha may be used up by then: Lan and DeMets' O'Brien–Fleming spending (1983).

    4 P(Z > z(alpha/4) / sqrt(t)): next to nothing early, all of it at the planned size.
    """
    return 4 * normal_tail(normal_quantile(alpha / 4) / math.sqrt(min(fraction, 1.0)))


@lru_cache(maxsize=64)
def look_bounds(fractions: tuple[float, ...], alpha: float = 0.05) -> tuple[float, ...]:
    """The bound for |z| at each look, given the parts of the planned size at which one looked.

    Each bound uses up just what the spending function allows between two looks; the density of
    paths that crossed no earlier bound is carried on by numerical integration (Armitage,
    McPherson, Rowe 1969). The looks need not be planned: their size must be.
    """
    bounds: list[float] = []
    paths: tuple[Floats, Floats] | None = None
    earlier = 0.0
    for fraction in fractions:
        if not earlier < fraction:
            raise ValueError("The looks must grow.")
        allowed = spent(fraction, alpha) - (spent(earlier, alpha) if earlier else 0.0)
        bounds.append(_bound(paths, fraction - earlier, fraction, allowed))
        paths = _carried_on(paths, fraction - earlier, bounds[-1] * math.sqrt(fraction))
        earlier = fraction
    return tuple(bounds)


def _bound(
    paths: tuple[Floats, Floats] | None, step: float, fraction: float, allowed: float
) -> float:
    """The |z| that paths exceed at this look with the probability allowed."""

    def too_much(bound: float) -> float:
        return _crossing(paths, step, bound * math.sqrt(fraction)) - allowed

    if too_much(HIGHEST_BOUND) >= 0:
        return HIGHEST_BOUND
    return root(too_much, 0.0, HIGHEST_BOUND)


def _crossing(paths: tuple[Floats, Floats] | None, step: float, edge: float) -> float:
    """The probability that a path lies beyond ±edge after a step of so much information."""
    if paths is None:
        return 2 * normal_tail(edge / math.sqrt(step))
    places, masses = paths
    beyond = normal_tails((edge - places) / math.sqrt(step))
    below = normal_tails((edge + places) / math.sqrt(step))
    return float(masses @ (beyond + below))


def _carried_on(
    paths: tuple[Floats, Floats] | None, step: float, edge: float
) -> tuple[Floats, Floats]:
    """The paths that stayed inside ±edge: places, and the probability mass at each."""
    width = min(edge, 8.0)
    places = np.linspace(-width, width, GRID)
    if paths is None:
        density = np.exp(-(places**2) / (2 * step))
    else:
        steps = places[:, None] - paths[0][None, :]
        density = np.exp(-(steps**2) / (2 * step)) @ paths[1]
    masses = density / math.sqrt(2 * math.pi * step) * (places[1] - places[0])
    # The trapezoid rule: the two ends count half.
    masses[[0, -1]] /= 2
    return places, masses


def planned_looks(
    readings: Sequence[tuple[int, float]], planned: int, alpha: float = 0.05
) -> tuple[Look, ...]:
    """Each look at a test of planned size: (units so far, z) in, its bound beside it out.

    The first look at or beyond the planned size is the last: nothing is left to spend.
    """
    kept: list[tuple[float, float]] = []
    for units, z in readings:
        if kept and kept[-1][0] >= 1:
            break
        kept.append((min(units / planned, 1.0), z))
    bounds = look_bounds(tuple(fraction for fraction, _ in kept), alpha)
    pairs = zip(kept, bounds, strict=True)
    return tuple(Look(fraction, bound, z) for (fraction, z), bound in pairs)


def repeated_interval(gap: float, error: float, bound: float) -> Interval:
    """The interval that holds at all planned looks together: the estimate ± bound × its error."""
    return gap - bound * error, gap + bound * error
