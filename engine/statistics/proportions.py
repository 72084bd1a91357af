"""Conversions of two arms compared: a test that may be read after every visitor, and the usual z.

The test is exact. If an arm changes nothing, each conversion falls to the treatment with the
probability with which visitors do, whatever the base rate and however it drifts. How far the
conversions are from that is told by an e-process, which exceeds 1/alpha with probability alpha at
most, at any time and at all times together (Lindon and Malek, arXiv 2011.03567). It needs no
visitor counts, so bots that never convert cannot hurt it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.statistics.distributions import (
    Floats,
    Numbers,
    log_beta,
    normal_quantile,
    normal_tail,
    root,
)

Interval = tuple[float, float]
# Ratios of rates beyond e^±12 are no question that visitors could answer.
FARTHEST = 12.0


@dataclass(frozen=True)
class Arm:
    """One arm's visitors who count, and how many of them converted."""

    exposed: int
    converted: int

    @property
    def rate(self) -> float:
        """Conversions per visitor; zero while there is nobody."""
        return self.converted / self.exposed if self.exposed else 0.0


@dataclass(frozen=True)
class Pair:
    """A control and a treatment in one allocation epoch.

    `share` is the treatment's part of the visitors of these two arms, as it was allotted.
    """

    control: Arm
    treatment: Arm
    share: float = 0.5

    @property
    def exposed(self) -> int:
        """The visitors of both."""
        return self.control.exposed + self.treatment.exposed

    @property
    def converted(self) -> int:
        """The conversions of both."""
        return self.control.converted + self.treatment.converted


@dataclass(frozen=True)
class ZTest:
    """A difference of rates, read once at a size that was fixed before; p is two-sided."""

    z: float
    p: float
    difference: float
    interval: Interval


def prior_strength(hoped: float) -> float:
    """How many conversions the e-process' prior weighs, for a relative effect that is hoped for.

    c = 1/(4 delta²) - 1 with delta = m / (2 (2 + m)): the spread of the prior is the shift of
    the treatment's share of conversions that the effect m (0.2 for +20 %) would bring.
    """
    if hoped <= 0:
        raise ValueError("The effect hoped for must be above zero.")
    return max(0.25 / (hoped / (2 * (2 + hoped))) ** 2 - 1, 1.0)


def log_evidence(control: Numbers, treatment: Numbers, share: float, prior: float) -> Floats:
    """The logarithm of the e-process after so many conversions of each arm.

    log E = B(c p + xb, c (1-p) + xa) - B(c p, c (1-p)) - xb log p - xa log(1-p), B the log of the
    beta function, p the treatment's share of visitors, c the prior's strength.
    """
    first, second = prior * share, prior * (1 - share)
    mixed = log_beta(first + treatment, second + control) - log_beta(first, second)
    return mixed - treatment * math.log(share) - control * math.log1p(-share)


def evidence_at(ratio: float, pairs: Sequence[Pair], prior: float) -> float:
    """The log evidence against "the treatment's rate is `ratio` times the control's".

    Epochs are independent, so their e-processes multiply; each keeps its own prior.
    """
    return sum(_evidence_of_one(ratio, pair, prior) for pair in pairs)


def _evidence_of_one(ratio: float, pair: Pair, prior: float) -> float:
    against_no_change = float(
        log_evidence(pair.control.converted, pair.treatment.converted, pair.share, prior)
    )
    shifted = share_at(math.log(ratio), pair.share)
    return (
        against_no_change
        - pair.treatment.converted * (math.log(shifted) - math.log(pair.share))
        - pair.control.converted * (math.log1p(-shifted) - math.log1p(-pair.share))
    )


def share_at(log_ratio: float, share: float) -> float:
    """The treatment's share of conversions when its rate is that many times the control's."""
    return 1 / (1 + math.exp(-log_ratio) * (1 - share) / share)


def always_valid_p(log_e: float) -> float:
    """The p-value that stays honest however often it is looked at: min(1, 1/E)."""
    return min(1.0, math.exp(-log_e)) if log_e > 0 else 1.0


def ratio_interval(pairs: Sequence[Pair], prior: float, alpha: float = 0.05) -> Interval:
    """The treatment's rate over the control's: all ratios that the e-process has not refused.

    At all times together it misses the truth with probability alpha at most. It excludes 1
    exactly when the always-valid p is at or below alpha.
    """
    limit = -math.log(alpha)

    def excess(log_ratio: float) -> float:
        return evidence_at(math.exp(log_ratio), pairs, prior) - limit

    best = likeliest(pairs)
    if excess(best) >= 0:
        # No single ratio fits all epochs: the effect itself has changed. Show the whole range.
        ranges = [ratio_interval([pair], prior, alpha) for pair in pairs]
        return min(low for low, _ in ranges), max(high for _, high in ranges)
    return interval_around(excess, best)


def interval_around(excess: Callable[[float], float], best: float) -> Interval:
    """The ratios around e^best that are not refused, where `excess` of a log ratio is below zero.

    It must grow with the distance from `best`.
    """
    low = math.exp(root(excess, -FARTHEST, best)) if excess(-FARTHEST) > 0 else 0.0
    high = math.exp(root(excess, best, FARTHEST)) if excess(FARTHEST) > 0 else math.inf
    return low, high


def likeliest(pairs: Sequence[Pair]) -> float:
    """The log of the ratio of rates under which the conversions are likeliest."""

    def slope(log_ratio: float) -> float:
        return sum(
            pair.treatment.converted - pair.converted * share_at(log_ratio, pair.share)
            for pair in pairs
        )

    if not any(pair.converted for pair in pairs):
        return 0.0
    if slope(FARTHEST) >= 0:
        return FARTHEST
    return root(slope, -FARTHEST, FARTHEST) if slope(-FARTHEST) > 0 else -FARTHEST


def lift_of(pairs: Sequence[Pair]) -> float:
    """The relative lift under which the conversions are likeliest: 0.2 is +20 %."""
    best = likeliest(pairs)
    return math.inf if best >= FARTHEST else math.exp(best) - 1


def difference_at(ratio: float, pairs: Sequence[Pair]) -> float:
    """The difference of rates if the treatment's is `ratio` times the control's.

    The base rate is the likeliest one under that ratio, epoch by epoch, weighed by visitors:
    X / (na + ratio nb). So the difference has the sign of the lift, always.
    """
    total = sum(pair.exposed for pair in pairs)
    return sum(_difference_of_one(ratio, pair) * pair.exposed for pair in pairs) / max(total, 1)


def _difference_of_one(ratio: float, pair: Pair) -> float:
    if math.isinf(ratio):
        return pair.treatment.rate
    weighed = pair.control.exposed + ratio * pair.treatment.exposed
    return pair.converted / weighed * (ratio - 1) if weighed else 0.0


def z_score(control: Numbers, exposed_a: Numbers, treatment: Numbers, exposed_b: Numbers) -> Floats:
    """The pooled two-proportion z of xa of na against xb of nb, zero where nothing varies."""
    total = np.asarray(exposed_a, dtype=np.float64) + exposed_b
    pooled = np.asarray(control + treatment, dtype=np.float64) / total
    spread = np.sqrt(
        pooled * (1 - pooled) * (1 / np.asarray(exposed_a) + 1 / np.asarray(exposed_b))
    )
    gap = np.asarray(treatment / exposed_b - control / exposed_a, dtype=np.float64)
    z: Floats = np.divide(gap, spread, out=np.zeros_like(gap), where=spread > 0)
    return z


def z_test(pair: Pair, alpha: float = 0.05) -> ZTest:
    """The textbook test for one reading at a fixed size; its interval uses unpooled variances."""
    a, b = pair.control, pair.treatment
    if not a.exposed or not b.exposed:
        return ZTest(0.0, 1.0, 0.0, (-1.0, 1.0))
    z = float(z_score(a.converted, a.exposed, b.converted, b.exposed))
    variance = a.rate * (1 - a.rate) / a.exposed + b.rate * (1 - b.rate) / b.exposed
    half = normal_quantile(alpha / 2) * math.sqrt(variance)
    gap = b.rate - a.rate
    return ZTest(z, 2 * normal_tail(abs(z)), gap, (gap - half, gap + half))
