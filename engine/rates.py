"""Shares with their uncertainty: how many of how many, and whether one stands out from the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.statistics.multiplicity import benjamini_hochberg

# The normal value that 95 % lie within.
Z = 1.959963984540054
ALPHA = 0.05
# Below so many a share is shown with a warning and compared with nothing.
SMALL = 30


class Standing(StrEnum):
    """How a share compares with that of all the others."""

    ABOVE = "above"
    AVERAGE = "average"
    BELOW = "below"
    TOO_FEW = "too_few"


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    part: int
    whole: int

    @property
    def rate(self) -> float | None:
        """The part of the whole; None where there is no whole."""
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true rate lies in 95 of 100 such cases (Wilson's score interval)."""
        return wilson(self.part, self.whole)

    @property
    def is_small(self) -> bool:
        """Whether this is too little to conclude anything from."""
        return self.whole < SMALL


@dataclass(frozen=True)
class Compared:
    """A share beside that of all others; `p` is what is left after all comparisons together."""

    share: Share
    others: Share
    p: float
    standing: Standing


def wilson(part: int, whole: int, z: float = Z) -> tuple[float, float]:
    """Wilson's score interval of a share; (0, 1) where there is nothing to count."""
    if not 0 <= part <= whole:
        raise ValueError("A part lies between nothing and the whole.")
    if whole == 0:
        return 0.0, 1.0
    rate, square = part / whole, z * z
    middle = (rate + square / (2 * whole)) / (1 + square / whole)
    spread = math.sqrt(rate * (1 - rate) / whole + square / (4 * whole * whole))
    half = z * spread / (1 + square / whole)
    low = 0.0 if part == 0 else max(0.0, middle - half)
    return low, 1.0 if part == whole else min(1.0, middle + half)


def difference_p(one: Share, other: Share) -> float:
    """The two-sided p of "both have one rate" (pooled z); 1 where nothing can tell them apart."""
    if not one.whole or not other.whole:
        return 1.0
    pooled = (one.part + other.part) / (one.whole + other.whole)
    variance = pooled * (1 - pooled) * (1 / one.whole + 1 / other.whole)
    if variance == 0:
        return 1.0
    gap = one.part / one.whole - other.part / other.whole
    return math.erfc(abs(gap) / math.sqrt(2 * variance))


def compare(shares: Mapping[str, Share], *, smallest: int = SMALL) -> dict[str, Compared]:
    """Each share against all the others together.

    Who looks at twenty shares finds one that stands out by chance: the p-values are corrected for
    that (Benjamini and Hochberg), and a share stands out only below 5 % after it.
    """
    part = sum(share.part for share in shares.values())
    whole = sum(share.whole for share in shares.values())
    others = {name: Share(part - share.part, whole - share.whole) for name, share in shares.items()}
    judged = [
        name
        for name, share in shares.items()
        if share.whole >= smallest and others[name].whole >= smallest
    ]
    raw = [difference_p(shares[name], others[name]) for name in judged]
    corrected = dict(zip(judged, benjamini_hochberg(raw), strict=True))
    return {
        name: Compared(
            share,
            others[name],
            corrected.get(name, 1.0),
            _standing(share, others[name], corrected.get(name)),
        )
        for name, share in shares.items()
    }


def by_chance(count: int, alpha: float = ALPHA) -> float:
    """How many of so many intervals miss the truth by chance alone."""
    return count * alpha


def _standing(share: Share, others: Share, p: float | None) -> Standing:
    if p is None:
        return Standing.TOO_FEW
    if p >= ALPHA:
        return Standing.AVERAGE
    return Standing.ABOVE if (share.rate or 0) > (others.rate or 0) else Standing.BELOW
