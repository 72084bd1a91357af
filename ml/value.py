"""Whom to contact, given what a contact costs and a win brings, or how many contacts fit a day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from errors import Invalid

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Threshold:
    """From which probability on to contact a lead, and what that brings."""

    probability: float
    contacted: int
    share_contacted: float
    share_of_wins: float
    profit: float | None = None


def by_value(probabilities: Floats, *, cost: float, value: float) -> Threshold:
    """Contact who brings more than the contact costs: p ≥ cost / value (Elkan 2001)."""
    if not (np.isfinite(cost) and np.isfinite(value) and 0 <= cost and 0 < value):
        raise Invalid("A contact costs 0 or more and a deal brings more than 0.")
    limit = cost / value
    chosen = probabilities >= limit
    profit = float(np.sum(probabilities[chosen] * value - cost))
    return _threshold(probabilities, chosen, limit, profit)


def by_capacity(probabilities: Floats, *, contacts: int) -> Threshold:
    """The likeliest, as many as can be contacted: "40 calls reach 61 % of future customers"."""
    if contacts < 0:
        raise Invalid("One cannot make fewer than 0 contacts.")
    chosen = np.zeros(len(probabilities), dtype=bool)
    best = np.argsort(-probabilities, kind="stable")[:contacts]
    chosen[best] = True
    limit = float(probabilities[best].min()) if len(best) else 1.0
    return _threshold(probabilities, chosen, limit, None)


def by_f1(won: npt.NDArray[np.int64], probabilities: Floats) -> float:
    """The threshold of the best F1 on these outcomes; only for comparison with others' claims."""
    order = np.argsort(-probabilities, kind="stable")
    hits = np.cumsum(won[order])
    f1 = 2 * hits / (np.arange(1, len(won) + 1) + won.sum())
    return float(probabilities[order][int(np.argmax(f1))])


def _threshold(
    probabilities: Floats, chosen: npt.NDArray[np.bool_], limit: float, profit: float | None
) -> Threshold:
    expected = float(probabilities.sum())
    return Threshold(
        probability=limit,
        contacted=int(chosen.sum()),
        share_contacted=float(chosen.mean()) if len(chosen) else 0.0,
        share_of_wins=float(probabilities[chosen].sum() / expected) if expected else 0.0,
        profit=profit,
    )
