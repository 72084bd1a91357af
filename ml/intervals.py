"""How sure a probability is: the wider of a Venn–Abers interval and a band of refits.

The first says how well leads of such a score are calibrated, the second how far the model itself
would move if it had been trained on other leads. Both are kept as a function of the score.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy.special import expit  # type: ignore[import-untyped]
from scipy.stats import norm, t  # type: ignore[import-untyped]
from sklearn.isotonic import isotonic_regression  # type: ignore[import-untyped]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CONFIDENCE = 0.9
MOST_BINS = 200
BAND_BINS = 10


@dataclass(frozen=True, eq=False)
class Bands:
    """For ranges of the logit: the Venn–Abers interval and the half width of the refits' band."""

    edges: Floats
    low: Floats
    high: Floats
    band_edges: Floats
    half_width: Floats

    def around(self, logits: Floats) -> Floats:
        """Low and high of each probability; the probability itself is always inside."""
        there = np.searchsorted(self.edges, logits)
        low, high = self.low[there], self.high[there]
        half = self.half_width[np.searchsorted(self.band_edges, logits)]
        below, above = expit(logits - half), expit(logits + half)
        wider = (above - below) > (high - low)
        probability = expit(logits)
        low = np.minimum(np.where(wider, below, low), probability)
        high = np.maximum(np.where(wider, above, high), probability)
        return np.column_stack([low, high])

    def around_one(self, logit: float) -> tuple[float, float]:
        """Low and high of one probability, without the overhead of arrays."""
        edges, lows, highs, band_edges, halves = self._lists
        there = bisect_left(edges, logit)
        low, high = lows[there], highs[there]
        half = halves[bisect_left(band_edges, logit)]
        below, above = _probability(logit - half), _probability(logit + half)
        if above - below > high - low:
            low, high = below, above
        probability = _probability(logit)
        return min(low, probability), max(high, probability)

    @cached_property
    def _lists(self) -> tuple[list[float], ...]:
        arrays = (self.edges, self.low, self.high, self.band_edges, self.half_width)
        return tuple(array.tolist() for array in arrays)

    def plain(self) -> dict[str, Any]:
        """The bands as plain arrays, for an artifact."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Bands:
        """The bands from what `plain` gave."""
        return cls(**{name: data[name] for name in cls.__dataclass_fields__})


def _probability(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit)) if logit > -700 else 0.0


def learn_bands(
    out_of_fold: Floats, won: Ints, probes: Floats, refits: Floats | None, covariance: Floats | None
) -> Bands:
    """The bands of a model from its out-of-fold logits, and from how far refits move the probes.

    `refits` are the probes' logits in each of the models that left a fold out (a grouped
    jackknife); where there are none, `covariance` gives each probe's standard error.
    """
    edges, low, high = venn_abers(out_of_fold, won)
    if refits is not None:
        count = refits.shape[1]
        apart = refits - refits.mean(axis=1, keepdims=True)
        squares = (count - 1) / count * (apart**2).sum(axis=1)
        factor = float(t.ppf((1 + CONFIDENCE) / 2, count - 1))
    else:
        squares = cast(Floats, covariance)
        factor = float(norm.ppf((1 + CONFIDENCE) / 2))
    band_edges = np.unique(np.quantile(probes, np.linspace(0, 1, BAND_BINS + 1)[1:-1]))
    bins = np.searchsorted(band_edges, probes)
    count_in = np.bincount(bins, minlength=len(band_edges) + 1)
    total = np.bincount(bins, weights=squares, minlength=len(band_edges) + 1)
    mean = np.where(count_in > 0, total / np.maximum(count_in, 1), squares.mean())
    return Bands(edges, low, high, band_edges, factor * np.sqrt(mean))


def venn_abers(logits: Floats, won: Ints) -> tuple[Floats, Floats, Floats]:
    """Edges of the logit's ranges, and for each the two calibrated probabilities.

    A new lead is put among the known ones once as lost and once as won, and isotonic regression
    is run each time (Vovk and Petej 2014); equal or near scores stand together.
    """
    if not len(logits):
        return np.empty(0), np.zeros(1), np.ones(1)
    bins = min(MOST_BINS, max(1, len(logits) // 5))
    edges = np.unique(np.quantile(logits, np.linspace(0, 1, bins + 1)[1:-1]))
    where = np.searchsorted(edges, logits)
    count = np.bincount(where, minlength=len(edges) + 1).astype(np.float64)
    wins = np.bincount(where, weights=won, minlength=len(edges) + 1)
    low, high = np.empty(len(count)), np.empty(len(count))
    for index in range(len(count)):
        for extra, into in ((0.0, low), (1.0, high)):
            more, all_wins = count.copy(), wins.copy()
            more[index] += 1
            all_wins[index] += extra
            weight = np.maximum(more, 1e-9)
            into[index] = isotonic_regression(all_wins / weight, sample_weight=weight)[index]
    return edges, low, high
