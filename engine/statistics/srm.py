"""Sample ratio mismatch: are the arms' visitors as many as their weights say, and if not, where?

A split that is off means that visitors were lost in one arm, so that what is compared is no
longer alike: no number of such an experiment may be believed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.statistics.distributions import Floats, chi_square_tail, log_gamma
from engine.statistics.multiplicity import holm

# For the page (Fabijan et al., KDD 2019) and for the alarm, which looks after every visitor.
FLAG = 0.001
ALARM = 0.001
# How many visitors the alarm's prior weighs: it bets on splits a few points off.
PRIOR = 1000.0


@dataclass(frozen=True)
class Split:
    """The visitors of each arm in one allocation epoch, and the weights they were allotted by.

    Arms without weight say nothing and are left out.
    """

    observed: tuple[int, ...]
    weights: tuple[float, ...]

    @property
    def counts(self) -> list[tuple[int, float]]:
        """Visitors and share of each arm with a weight; the shares add up to one."""
        pairs = [one for one in zip(self.observed, self.weights, strict=True) if one[1] > 0]
        total = sum(weight for _, weight in pairs)
        return [(count, weight / total) for count, weight in pairs]


@dataclass(frozen=True)
class SRM:
    """Whether the split is as it was set: `flagged` for the page, `alarmed` at any time."""

    p: float
    log_evidence: float

    @property
    def flagged(self) -> bool:
        """Whether a reader of the page must be warned."""
        return self.p < FLAG

    @property
    def alarmed(self) -> bool:
        """Whether the split is off for certain, however often one has looked."""
        return self.log_evidence >= -math.log(ALARM)


@dataclass(frozen=True)
class Bend:
    """A segment in which the split is off, its arm that is farthest off, and by how much."""

    segment: str
    arm: int
    expected: float
    observed: float
    p: float


def check_split(splits: Sequence[Split]) -> SRM:
    """The split over all epochs: chi-squares and their degrees add up, evidence too."""
    parts = [_chi_square(split) for split in splits]
    statistic = sum(part for part, _ in parts)
    degrees = sum(freedom for _, freedom in parts)
    p = chi_square_tail(statistic, degrees) if degrees else 1.0
    return SRM(p, sum(_log_evidence(split) for split in splits))


def _chi_square(split: Split) -> tuple[float, int]:
    counts = split.counts
    total = sum(count for count, _ in counts)
    if not total:
        return 0.0, 0
    statistic = sum((count - total * share) ** 2 / (total * share) for count, share in counts)
    return statistic, len(counts) - 1


def _log_evidence(split: Split) -> float:
    counts = split.counts
    observed = np.array([count for count, _ in counts], dtype=np.float64)
    shares = np.array([share for _, share in counts], dtype=np.float64)
    return float(split_evidence(observed, shares)) if counts else 0.0


def split_evidence(observed: Floats, shares: Floats, prior: float = PRIOR) -> Floats:
    """The log of the e-process against "visitors fall to the arms by these shares".

    The Dirichlet-multinomial of Lindon and Malek (arXiv 2011.03567), prior sum S:
    log G(S) - log G(S + N) + sum log G(S w + n) - log G(S w) - n log w. The arms are the last
    axis, so that a whole history can be read at once.
    """
    alphas = prior * shares
    per_arm = log_gamma(alphas + observed) - log_gamma(alphas) - observed * np.log(shares)
    total = observed.sum(axis=-1)
    evidence: Floats = per_arm.sum(axis=-1) + log_gamma(prior) - log_gamma(prior + total)
    return evidence


def bends(segments: Mapping[str, Sequence[Split]]) -> tuple[Bend, ...]:
    """The segments in which the split is off, the worst one first; Holm over all of them."""
    names = [name for name, splits in segments.items() if splits]
    checked = [check_split(segments[name]).p for name in names]
    found = [
        _bend(name, segments[name], adjusted)
        for name, adjusted in zip(names, holm(checked).adjusted, strict=True)
        if adjusted < FLAG
    ]
    return tuple(sorted(found, key=lambda bend: bend.p))


def _bend(name: str, splits: Sequence[Split], p: float) -> Bend:
    """The arm that has least or most beyond what was expected, over all epochs."""
    arms = range(len(splits[0].observed))
    observed = [sum(split.observed[arm] for split in splits) for arm in arms]
    expected = [sum(_expected(split, arm) for split in splits) for arm in arms]
    total = max(sum(observed), 1)
    worst = max(arms, key=lambda arm: abs(observed[arm] - expected[arm]))
    return Bend(name, worst, expected[worst] / total, observed[worst] / total, p)


def _expected(split: Split, arm: int) -> float:
    return sum(split.observed) * split.weights[arm] / sum(split.weights)
