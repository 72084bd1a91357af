"""What a simulation gives back: figures with their limits, and the control that must fail."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """Where a figure must lie, both ends included."""

    low: float = -math.inf
    high: float = math.inf

    def holds(self, figure: float) -> bool:
        """Whether the figure lies inside."""
        return self.low <= figure <= self.high

    def __str__(self) -> str:
        """The limit as one writes it."""
        if math.isinf(self.low):
            return f"<= {self.high:g}"
        return f">= {self.low:g}" if math.isinf(self.high) else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Check:
    """One promise: what was measured and must be, and the same figure got the wrong way.

    The control shows that the check can fail: it must lie in its own limit, where the promise is
    broken.
    """

    name: str
    measured: float
    limit: Limit
    control: float
    control_limit: Limit

    @property
    def passed(self) -> bool:
        """Whether the promise was kept, and the wrong way seen to break it."""
        return self.limit.holds(self.measured) and self.control_limit.holds(self.control)


@dataclass(frozen=True)
class Profile:
    """How long to simulate: the number of runs of the full profile is divided by this."""

    divisor: int = 1

    def runs(self, full: int) -> int:
        """So many runs, of a full number."""
        return max(full // self.divisor, 1)


FULL = Profile()
QUICK = Profile(divisor=10)


def at_most(figure: float) -> Limit:
    """A figure that must not lie above."""
    return Limit(high=figure)


def at_least(figure: float) -> Limit:
    """A figure that must not lie below."""
    return Limit(low=figure)
