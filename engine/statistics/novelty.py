"""Does an effect wear off? The effect by days since a visitor first saw it, and its trend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.statistics.distributions import normal_quantile

Interval = tuple[float, float]


@dataclass(frozen=True)
class DayEffect:
    """The difference of rates on one day since the first exposure (the first day is 1)."""

    day: int
    difference: float
    variance: float


@dataclass(frozen=True)
class Novelty:
    """How the effect changes when the days since exposure grow e-fold; a warning, no correction."""

    slope: float
    interval: Interval

    @property
    def fades(self) -> bool:
        """Whether the trend is certain enough to warn of it, either way."""
        return self.interval[0] > 0 or self.interval[1] < 0


def novelty_curve(days: Sequence[DayEffect], alpha: float = 0.05) -> Novelty | None:
    """The regression of the daily effect on log(day), each day weighed by what is known of it.

    None with fewer than three days that can be read. (Kohavi, Tang, Xu 2020: warn, never
    "correct" an effect by its trend.)
    """
    read = [day for day in days if day.day >= 1 and day.variance > 0]
    if len({day.day for day in read}) < 3:
        return None
    x = np.log([day.day for day in read])
    y = np.array([day.difference for day in read])
    weights = 1 / np.array([day.variance for day in read])
    centre = float(weights @ x / weights.sum())
    spread = float(weights @ (x - centre) ** 2)
    slope = float((weights * (x - centre)) @ y) / spread
    half = normal_quantile(alpha / 2) / math.sqrt(spread)
    return Novelty(slope, (slope - half, slope + half))
