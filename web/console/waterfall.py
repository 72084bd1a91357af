"""The bars of a sum: where each step begins and ends, for a drawing that is 100 wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.lead_story import Award

WIDTH = 100.0
# So that a step of nothing still shows where it stands.
THINNEST = 0.6


@dataclass(frozen=True)
class Bar:
    """One step: in words, how much, the sum after it, and its place in the drawing."""

    text: str
    cause: str
    amount: float
    after: float
    x: float
    width: float
    zero: float
    at: datetime | None = None
    detail: str = ""

    @property
    def is_gain(self) -> bool:
        """Whether it raises the sum."""
        return self.amount >= 0


def point_bars(awards: Sequence[Award]) -> list[Bar]:
    """The ledger, award by award."""
    steps = [(one.before, one.after) for one in awards]
    return [
        Bar(one.text, one.cause, one.points, one.after, x, width, zero, one.at)
        for one, (x, width, zero) in zip(awards, _placed(steps), strict=True)
    ]


def evidence_bars(
    explanation: Mapping[str, Any], *, full: bool, most: int | None = None
) -> list[Bar]:
    """A model's reasons, from the base rate to the lead; unless `full`, without the values.

    Of more than `most` the weakest are one bar together, so that the sum stays whole.
    """
    reasons = sorted(explanation["contributions"], key=lambda one: -abs(float(one["evidence"])))
    parts = [
        (
            str(one["text"] if full else one["label"]),
            float(one["evidence"]),
            f"odds ×{one['odds_ratio']:.2g}",
        )
        for one in reasons
    ]
    if most is not None and len(parts) > most + 1:
        rest = sum(amount for _, amount, _ in parts[most:])
        parts[most:] = [(f"{len(parts) - most} weaker reasons together", rest, "")]
    total = float(explanation["base"]["evidence"])
    steps = [(0.0, total)]
    told = [("Where every lead starts", total, total, "")]
    for text, amount, detail in parts:
        before, total = total, total + amount
        steps.append((before, total))
        told.append((text, amount, total, detail))
    return [
        Bar(text, "", amount, after, x, width, zero, detail=detail)
        for (text, amount, after, detail), (x, width, zero) in zip(
            told, _placed(steps), strict=True
        )
    ]


def _placed(steps: Sequence[tuple[float, float]]) -> list[tuple[float, float, float]]:
    """Left edge, width and the place of zero for each step, all on one scale."""
    ends = [0.0, *(value for step in steps for value in step)]
    low, span = min(ends), (max(ends) - min(ends)) or 1.0
    scale = WIDTH / span
    return [
        (
            round((min(step) - low) * scale, 2),
            round(max(abs(step[1] - step[0]) * scale, THINNEST), 2),
            round(-low * scale, 2),
        )
        for step in steps
    ]
