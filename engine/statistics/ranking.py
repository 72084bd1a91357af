"""How well scores put those who came to something before those who did not, and which does better.

The area under the curve is the share of pairs (one who did, one who did not) that a score puts
in the right order. Two scores of the same people are compared pair by pair: DeLong, DeLong and
Clarke-Pearson (1988).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.statistics.distributions import Floats
from engine.statistics.sequential import confidence_sequence

Interval = tuple[float, float]
# Outcomes are rare and few are scored: the sequence is at its sharpest about here.
SHARPEST_AT = 1_000


@dataclass(frozen=True)
class Ranked:
    """How far two scores differ: in the share of pairs in the right order, at any time.

    `interval` is None while too few came to anything.
    """

    difference: float
    variance: float
    p: float
    interval: Interval | None
    decided: bool


def area(scores: npt.ArrayLike, came: npt.ArrayLike) -> float | None:
    """The share of pairs in the right order, ties counting half; None without a pair."""
    winners, _ = _placements(scores, came)
    return float(winners.mean()) if winners.size else None


def compare(
    first: npt.ArrayLike, second: npt.ArrayLike, came: npt.ArrayLike, alpha: float = 0.05
) -> Ranked:
    """The second score against the first, over the same people; it may be read at any time."""
    (won_a, lost_a), (won_b, lost_b) = _placements(first, came), _placements(second, came)
    fewer = min(won_a.size, lost_a.size)
    if fewer < 2:
        return Ranked(0.0, 0.0, 1.0, None, False)
    gap = float(won_b.mean() - won_a.mean())
    spread = float(np.var(won_b - won_a, ddof=1) / won_a.size)
    spread += float(np.var(lost_b - lost_a, ddof=1) / lost_a.size)
    if not gap and not spread:
        # Two scores that put every pair in the same order differ in nothing, and that is certain.
        return Ranked(0.0, 0.0, 1.0, (0.0, 0.0), False)
    units = won_a.size + lost_a.size
    read = confidence_sequence(gap, spread, units, values=fewer, horizon=SHARPEST_AT, alpha=alpha)
    interval = read.interval if np.isfinite(read.interval).all() else None
    return Ranked(gap, spread, read.p, interval, read.p <= alpha)


def _placements(scores: npt.ArrayLike, came: npt.ArrayLike) -> tuple[Floats, Floats]:
    """For each who did, the share of the others below; for each other, that of those above."""
    score, did = np.asarray(scores, dtype=np.float64), np.asarray(came, dtype=bool)
    winners, others = score[did], score[~did]
    if not winners.size or not others.size:
        return np.empty(0), np.empty(0)
    return _below(winners, others), 1 - _below(others, winners)


def _below(values: Floats, among: Floats) -> Floats:
    """For each value the share of the others that are smaller; ties count half."""
    ordered = np.sort(among)
    smaller = np.searchsorted(ordered, values, side="left")
    not_larger = np.searchsorted(ordered, values, side="right")
    share: Floats = (smaller + not_larger) / (2 * among.size)
    return share
