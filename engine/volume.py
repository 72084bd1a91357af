"""Whether far more or fewer leads come in than on such days before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

# How far from the usual something is news, and how many leads that must be at least.
NOTABLE = 3.0
LEAST_DIFFERENCE = 5
LEAST_PAST = 4
# By this the median distance is, for a normal spread, its standard deviation.
NORMAL = 1.4826


@dataclass(frozen=True)
class Volume:
    """How many came, how many usually do, and how many spreads lie between the two."""

    count: int
    usual: float
    z: float
    is_unusual: bool

    @property
    def is_more(self) -> bool:
        """Whether more came than usual."""
        return self.count > self.usual


def volume(count: int, past: Sequence[int]) -> Volume | None:
    """A count beside those of the same time before; None where too little is known.

    Median and median distance, so that one campaign day of the past does not blur the rest. Counts
    scatter by their root at least: a spread below that is an accident of few numbers.
    """
    if len(past) < LEAST_PAST:
        return None
    usual = float(median(past))
    spread = NORMAL * median(abs(one - usual) for one in past)
    z = (count - usual) / max(spread, math.sqrt(max(usual, 1.0)))
    far = abs(z) >= NOTABLE and abs(count - usual) >= LEAST_DIFFERENCE
    return Volume(count, usual, z, far)
