"""Several questions to one experiment: p-values as they count when all of them were asked.

Holm over goal metrics × arms guards the decision (it holds for always-valid p-values too).
Benjamini and Hochberg is for exploring only. Guardrails are not corrected: a missed harm is worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """What p-values become among each other, in the order they came in.

    `levels` is the alpha at which each question's interval agrees with its decision: an interval
    at that level excludes "no effect" exactly for those that are rejected.
    """

    adjusted: tuple[float, ...]
    levels: tuple[float, ...]


def holm(p_values: Sequence[float], alpha: float = 0.05) -> Family:
    """The p-values after Holm's correction: at most alpha of all families err anywhere (1979)."""
    count = len(p_values)
    order = sorted(range(count), key=lambda index: p_values[index])
    adjusted, levels = [1.0] * count, [alpha] * count
    worst = 0.0
    for rank, index in enumerate(order):
        worst = max(worst, min(p_values[index] * (count - rank), 1.0))
        adjusted[index] = worst
    kept = sum(p <= alpha for p in adjusted)
    for rank, index in enumerate(order):
        levels[index] = alpha / (count - min(rank, kept))
    return Family(tuple(adjusted), tuple(levels))


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """The p-values as false discovery rates, for exploring (Benjamini, Hochberg 1995)."""
    count = len(p_values)
    order = sorted(range(count), key=lambda index: p_values[index], reverse=True)
    adjusted = [1.0] * count
    best = 1.0
    for place, index in enumerate(order):
        best = min(best, p_values[index] * count / (count - place))
        adjusted[index] = best
    return tuple(adjusted)
