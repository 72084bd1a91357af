"""What the figures of sources advise, in sentences that carry their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.rates import Compared, Share, Standing, compare

# With fewer sessions a source gets no advice, whatever its rate.
SMALLEST = 50


@dataclass(frozen=True)
class Advice:
    """What to do about a source, and why."""

    source: str
    standing: Standing
    action: str
    reason: str


def advise(sources: Mapping[str, Share], *, smallest: int = SMALLEST) -> list[Advice]:
    """Advice for each source whose qualified sessions stand out, the surest first."""
    compared = compare(sources, smallest=smallest)
    found = [
        (one.p, name, _advice(name, one))
        for name, one in compared.items()
        if one.standing in (Standing.ABOVE, Standing.BELOW)
    ]
    return [advice for _, _, advice in sorted(found, key=lambda one: one[:2])]


def percent(rate: float) -> str:
    """A rate as people read it: whole per cents, below ten with one decimal."""
    shown = rate * 100
    digits = 1 if 0 < shown < 10 and round(shown, 1) != round(shown) else 0
    return f"{shown:.{digits}f} %"


def _advice(name: str, one: Compared) -> Advice:
    qualified, sessions = one.share.part, one.share.whole
    of_qualified = Share(qualified, qualified + one.others.part).rate or 0.0
    of_sessions = sessions / (sessions + one.others.whole)
    low, high = one.share.interval
    is_above = one.standing is Standing.ABOVE
    action = "Put more here" if is_above else "Look into this one"
    reason = (
        f"{name} brings {percent(of_qualified)} of SQLs from {percent(of_sessions)} of sessions:"
        f" {qualified} of {sessions} qualified, {percent(one.share.rate or 0.0)}"
        f" (95 % interval {percent(low)} to {percent(high)}),"
        f" elsewhere {one.others.part} of {one.others.whole}, {percent(one.others.rate or 0.0)}."
    )
    return Advice(name, one.standing, action, reason)
