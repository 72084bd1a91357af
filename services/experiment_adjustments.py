"""An effect with and without what steadies it: outliers capped, what was known before taken out.

The statistics are imported where they are called: a worker that serves chats needs none of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.goals import stored_metric
from services.experiment_counts import Returning
from services.experiment_reading import Reading

if TYPE_CHECKING:
    from engine.statistics.effects import Effect, Epoch, Goal

COVARIATE = "The score that visitors who were here before had earned until then."


def adjustments_view(reading: Reading) -> dict[str, Any]:
    """Each arm's difference as it is, with capped values, and with the earlier score taken out.

    All by the same sequence that may be read at any time, so that they compare; the verdict is
    by none of them. `cuped` is null where nobody was here before.
    """
    goal = reading.goal(reading.metric)
    found = reading.counts.returning(stored_metric(reading.metric)[0], reading.window)
    cap = reading.value_cap(reading.metric) if goal.is_value else math.inf
    raw = _epochs(reading, goal, math.inf)
    capped = _epochs(reading, goal, cap) if goal.is_value else None
    adjusted = _with_scores(reading, capped or raw, found, cap) if _tells(found) else None
    return {
        "covariate": COVARIATE if adjusted else None,
        "returning": len(found),
        "cap": cap if goal.is_value else None,
        "effects": [
            _compared(reading, goal, arm, raw, capped, adjusted)
            for arm in reading.arms
            if arm != reading.definition.control
        ],
    }


def _tells(found: Sequence[Returning]) -> bool:
    """Whether anything was known before that could foretell anything."""
    return any(one.score for one in found)


def _compared(
    reading: Reading,
    goal: Goal,
    arm: str,
    raw: tuple[Epoch, ...],
    capped: tuple[Epoch, ...] | None,
    adjusted: tuple[Epoch, ...] | None,
) -> dict[str, Any]:
    from engine.statistics.effects import Measured, difference_of

    control = reading.definition.control
    values = replace(goal, is_value=True, planned=None)
    plain = Measured(values, capped or raw)
    view: dict[str, Any] = {
        "arm": arm,
        "raw": _view(Measured(values, raw), control, arm),
        "winsorised": _view(plain, control, arm) if capped else None,
        "cuped": None,
        "variance_left": None,
    }
    if adjusted:
        taken_out = Measured(replace(values, uses_covariate=True), adjusted)
        before = difference_of(plain, control, arm).variance
        after = difference_of(taken_out, control, arm).variance
        view["cuped"] = _view(taken_out, control, arm)
        view["variance_left"] = after / before if before > 0 else None
    return view


def _view(measured: Any, control: str, arm: str) -> dict[str, Any]:
    from engine.statistics.effects import measure_one

    effect: Effect = measure_one(measured, control, arm)
    low, high = effect.difference_interval
    is_open = math.isinf(low)
    return {
        "difference": effect.difference,
        "interval": None if is_open else [low, high],
        "p_always_valid": effect.p_always_valid,
    }


def _epochs(reading: Reading, goal: Goal, cap: float) -> tuple[Epoch, ...]:
    """The sums over all units; a conversion is the value 1."""
    if goal.is_value:
        return reading.value_epochs(reading.metric, cap)
    from engine.statistics.variance import Moments

    window = reading.window
    seen = [(one.arm, one.epoch, one.part, one.mature[window]) for one in reading.seen]
    reached = [(r.arm, r.epoch, r.part, r.converted) for r in reading.reached(reading.metric)]
    return tuple(
        tuple(
            replace(one, values=Moments(one.exposed, one.converted, one.converted)) for one in epoch
        )
        for epoch in reading.epochs(seen, reached)
    )


def _with_scores(
    reading: Reading, epochs: Sequence[Epoch], found: Sequence[Returning], cap: float
) -> tuple[Epoch, ...]:
    """The same sums with those of the earlier score; who is new had earned none."""
    from engine.statistics.variance import cap_of, moments_of

    limit = cap_of([one.score for one in found])
    is_value = stored_metric(reading.metric)[1]
    sums = {
        (arm, number): moments_of(
            [_worth(one, is_value, cap) for one in found if (one.arm, one.epoch) == (arm, number)],
            [min(one.score, limit) for one in found if (one.arm, one.epoch) == (arm, number)],
        )
        for arm in {one.arm for one in found}
        for number in {one.epoch for one in found}
    }
    return tuple(
        tuple(
            (
                replace(
                    one,
                    values=replace(one.values, x=known.x, xx=known.xx, xy=known.xy),
                )
                if (known := sums.get((one.arm, number)))
                else one
            )
            for one in epoch
        )
        for number, epoch in zip(sorted(reading.weights), epochs, strict=True)
    )


def _worth(one: Returning, is_value: bool, cap: float) -> float:
    return min(one.value, cap) if is_value else float(one.converted)
