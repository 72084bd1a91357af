"""Means compared from sums alone: values, ratios, covariates, strata, and what tames outliers.

Every function takes sums over units (`Moments`), which a database can make, so that a report over
a million exposures moves a handful of numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.statistics.distributions import normal_quantile, student_quantile, student_tail

Interval = tuple[float, float]


@dataclass(frozen=True)
class Moments:
    """Sums over one arm's units: y is what is compared, x a covariate or a denominator."""

    units: int
    y: float
    yy: float
    x: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    def __add__(self, other: Moments) -> Moments:
        """The sums over the units of both."""
        return Moments(
            self.units + other.units,
            self.y + other.y,
            self.yy + other.yy,
            self.x + other.x,
            self.xx + other.xx,
            self.xy + other.xy,
        )

    @property
    def mean(self) -> float:
        """The mean of y."""
        return self.y / self.units if self.units else 0.0

    @property
    def mean_x(self) -> float:
        """The mean of x."""
        return self.x / self.units if self.units else 0.0

    @property
    def variance(self) -> float:
        """The sample variance of y."""
        return self._centred(self.yy, self.y, self.y)

    @property
    def variance_x(self) -> float:
        """The sample variance of x."""
        return self._centred(self.xx, self.x, self.x)

    @property
    def covariance(self) -> float:
        """The sample covariance of x and y."""
        return self._centred(self.xy, self.x, self.y)

    def _centred(self, products: float, first: float, second: float) -> float:
        if self.units < 2:
            return 0.0
        return (products - first * second / self.units) / (self.units - 1)


@dataclass(frozen=True)
class Difference:
    """Two arms' means, the variance of each mean, and the units behind them."""

    control: float
    treatment: float
    control_variance: float
    treatment_variance: float
    control_units: int
    treatment_units: int

    @property
    def estimate(self) -> float:
        """Treatment minus control, in the units of the metric."""
        return self.treatment - self.control

    @property
    def variance(self) -> float:
        """The variance of the estimate."""
        return self.control_variance + self.treatment_variance

    @property
    def units(self) -> int:
        """The units of both arms."""
        return self.control_units + self.treatment_units


@dataclass(frozen=True)
class Reading:
    """An estimate read once, with its two-sided p-value and its interval."""

    estimate: float
    p: float
    interval: Interval


def moments_of(
    values: npt.ArrayLike, covariate: npt.ArrayLike | None = None, cap: float | None = None
) -> Moments:
    """The sums over raw values, one a unit; values above the cap count as the cap."""
    y = np.asarray(values, dtype=np.float64)
    y = y if cap is None else np.minimum(y, cap)
    x = np.zeros_like(y) if covariate is None else np.asarray(covariate, dtype=np.float64)
    return Moments(y.size, *(float(one) for one in (y.sum(), y @ y, x.sum(), x @ x, x @ y)))


def cap_of(values: npt.ArrayLike, share: float = 0.99) -> float:
    """The percentile of all arms' values pooled, above which a value is an outlier.

    Where so few units have a value that the percentile is zero, it is taken of those that have
    one: a cap of zero would leave nothing to compare. (Kohavi, Tang, Xu 2020.)
    """
    pooled = np.asarray(values, dtype=np.float64)
    if not pooled.size:
        return 0.0
    cap = float(np.quantile(pooled, share))
    some = pooled[pooled > 0]
    return float(np.quantile(some, share)) if cap <= 0 and some.size else cap


def plain_difference(control: Moments, treatment: Moments) -> Difference:
    """The difference of two means."""
    return Difference(
        control.mean,
        treatment.mean,
        control.variance / max(control.units, 1),
        treatment.variance / max(treatment.units, 1),
        control.units,
        treatment.units,
    )


def cuped_difference(control: Moments, treatment: Moments) -> Difference:
    """The difference of means, freed of what a covariate from before the exposure foretold.

    theta = cov(y, x) / var(x) over all arms; the variance of an adjusted mean is
    (Vy + theta² Vx - 2 theta Cxy) / n. x must be known strictly before the exposure: a covariate
    that the variant moves swallows the effect. (Deng, Xu, Kohavi, Walker 2013.)
    """
    both = control + treatment
    theta = both.covariance / both.variance_x if both.variance_x > 0 else 0.0
    (mean_a, variance_a), (mean_b, variance_b) = (
        (
            arm.mean - theta * (arm.mean_x - both.mean_x),
            (arm.variance + theta**2 * arm.variance_x - 2 * theta * arm.covariance)
            / max(arm.units, 1),
        )
        for arm in (control, treatment)
    )
    return Difference(mean_a, mean_b, variance_a, variance_b, control.units, treatment.units)


def ratio_difference(control: Moments, treatment: Moments) -> Difference:
    """The difference of two ratios sum(y) / sum(x), when units bring several of each.

    The delta method: var = (Vy - 2 R Cxy + R² Vx) / mean(x)² / n. (Deng, Knoblich, Lu,
    arXiv 1803.06336.) Taking the x for independent units calls noise significant.
    """
    (ratio_a, variance_a), (ratio_b, variance_b) = _ratio(control), _ratio(treatment)
    return Difference(ratio_a, ratio_b, variance_a, variance_b, control.units, treatment.units)


def _ratio(arm: Moments) -> tuple[float, float]:
    if not arm.x:
        return 0.0, 0.0
    ratio = arm.y / arm.x
    spread = arm.variance - 2 * ratio * arm.covariance + ratio**2 * arm.variance_x
    return ratio, spread / arm.mean_x**2 / arm.units


def stratified(differences: Sequence[Difference]) -> Difference:
    """One difference out of those of the strata, weighed by their units.

    d = sum W d_s, V = sum W² V_s, W the stratum's part of the units. The strata are always the
    allocation epochs: pooled over a change of weights, a drifting base rate passes for an effect.
    (Miratrix, Sekhon, Yu 2013.)
    """
    total = max(sum(one.units for one in differences), 1)
    weights = [one.units / total for one in differences]
    pairs = list(zip(weights, differences, strict=True))
    return Difference(
        sum(w * one.control for w, one in pairs),
        sum(w * one.treatment for w, one in pairs),
        sum(w * w * one.control_variance for w, one in pairs),
        sum(w * w * one.treatment_variance for w, one in pairs),
        sum(one.control_units for one in differences),
        sum(one.treatment_units for one in differences),
    )


def welch(difference: Difference, alpha: float = 0.05) -> Reading:
    """Welch's t-test of a difference of means, for one reading at a fixed size (Welch 1947)."""
    if difference.variance <= 0:
        return Reading(difference.estimate, 1.0, (-math.inf, math.inf))
    degrees = _degrees(difference)
    error = math.sqrt(difference.variance)
    half = student_quantile(alpha / 2, degrees) * error
    p = 2 * student_tail(abs(difference.estimate) / error, degrees)
    gap = difference.estimate
    return Reading(gap, p, (gap - half, gap + half))


def _degrees(difference: Difference) -> float:
    parts = (
        difference.control_variance**2 / max(difference.control_units - 1, 1),
        difference.treatment_variance**2 / max(difference.treatment_units - 1, 1),
    )
    return difference.variance**2 / sum(parts)


def relative_lift(difference: Difference, alpha: float = 0.05) -> Reading:
    """The treatment's mean over the control's, less one, with an interval by the delta method.

    var = Vb / ma² + Va mb² / ma⁴, V the variances of the means. Show the interval, but test the
    difference: the p-values differ. Without a control mean above zero there is no lift.
    """
    base = difference.control
    if base <= 0:
        return Reading(0.0, 1.0, (-math.inf, math.inf))
    lift = difference.treatment / base - 1
    variance = (
        difference.treatment_variance / base**2
        + difference.control_variance * difference.treatment**2 / base**4
    )
    half = normal_quantile(alpha / 2) * math.sqrt(variance)
    return Reading(lift, _two_sided(lift, variance), (lift - half, lift + half))


def _two_sided(estimate: float, variance: float) -> float:
    return math.erfc(abs(estimate) / math.sqrt(2 * variance)) if variance > 0 else 1.0
