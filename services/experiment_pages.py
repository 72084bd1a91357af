"""What a page about an experiment shows beside its verdict: arms, split, segments, trend, plan.

The statistics are imported where they are called: a worker that serves chats needs none of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engine.goals import METRICS, stored_metric
from lib.clock import iso
from services.experiment_counts import SEGMENTS
from services.experiment_reading import Reading

if TYPE_CHECKING:
    from engine.statistics.effects import Effect, Goal
    from engine.statistics.srm import Bend, Split
    from engine.statistics.verdict import Verdict

# Above this share of people who saw two arms the page warns.
MULTIPLE_WARNING = 0.01
PATIENCE_DAYS = 56.0


def arm_view(reading: Reading, arm: str) -> dict[str, Any]:
    """An arm's visitors and conversions, and the rate that they are."""
    exposed = reading.mature(reading.window, arm)
    converted = sum(one.converted for one in reading.reached(reading.metric) if one.arm == arm)
    view = {
        "arm": arm,
        "exposed": exposed,
        "waiting": reading.exposed(arm) - exposed,
        "converted": converted,
        "rate": converted / exposed if exposed else None,
        "weight": reading.definition.weights.get(arm, 0.0),
    }
    stored, is_value = stored_metric(reading.metric)
    if is_value:
        values = [v for a, _, v in reading.counts.values(stored, reading.window) if a == arm]
        view |= {"value": sum(values), "mean": sum(values) / exposed if exposed else None}
    return view


def window_view(reading: Reading) -> dict[str, Any]:
    """Which exposures are counted, and how many still wait."""
    window = reading.window
    until = reading.now - timedelta(days=window)
    return {
        "days": window,
        "exposed_until": iso(until),
        "first_day": min((one.part for one in reading.seen), default=None),
        "last_day": max((one.part for one in reading.seen), default=None),
        "waiting": reading.exposed() - reading.mature(window),
    }


def multiple_view(reading: Reading) -> dict[str, Any]:
    """How many people saw two arms, or one arm twice."""
    units = sum(one.exposed for one in reading.left_out if one.excluded == "multiple")
    aliases = sum(one.exposed for one in reading.left_out if one.excluded == "alias")
    share = units / max(units + reading.exposed(), 1)
    return {
        "units": units,
        "share": share,
        "aliases": aliases,
        "warning": share >= MULTIPLE_WARNING,
    }


def bends_of(reading: Reading) -> Sequence[Bend]:
    """Where the split is off: by the segments that a session tells."""
    from engine.statistics.srm import bends

    segments: dict[str, list[Split]] = {}
    for segment in SEGMENTS:
        seen = [one for one in reading.counts.seen([0.0], segment) if one.excluded is None]
        for part in {one.part for one in seen}:
            mine = [one for one in seen if one.part == part]
            segments[f"{segment} {part}"] = reading.splits(mine)
    return bends(segments)


def srm_view(reading: Reading, bends: Sequence[Bend]) -> dict[str, Any]:
    """Whether visitors are split as set."""
    return {
        "p": reading.srm.p,
        "flagged": reading.srm.flagged,
        "alarmed": reading.srm.alarmed,
        "arms": [
            {"arm": arm, "observed": reading.exposed(arm), "expected": _expected(reading, arm)}
            for arm in reading.arms
        ],
        "bends": [
            {
                "segment": bend.segment,
                "arm": reading.arms[bend.arm],
                "expected": bend.expected,
                "observed": bend.observed,
            }
            for bend in bends
        ],
    }


def _expected(reading: Reading, arm: str) -> float:
    totals: dict[int, int] = {}
    for one in reading.seen:
        totals[one.epoch] = totals.get(one.epoch, 0) + one.exposed
    return sum(
        count * reading.weights.get(epoch, {}).get(arm, 0.0) for epoch, count in totals.items()
    )


def segments_view(reading: Reading, segment: str) -> dict[str, Any]:
    """Each arm's effect in each segment, for exploring only."""
    from engine.statistics.effects import Measured, segment_effects
    from engine.statistics.verdict import fishing_warning

    window = reading.window
    stored, _ = stored_metric(reading.metric)
    seen = [one for one in reading.counts.seen([window], segment) if one.excluded is None]
    reached = [
        one for one in reading.counts.reached({stored: window}, segment) if one.metric == stored
    ]
    goal = reading.goal(stored)
    parts = {
        part: Measured(
            goal,
            reading.epochs(
                [(o.arm, o.epoch, part, o.mature[window]) for o in seen if o.part == part],
                [(r.arm, r.epoch, part, r.converted) for r in reached if r.part == part],
            ),
        )
        for part in sorted({one.part for one in seen})
    }
    control, rows, warning = reading.definition.control, [], None
    for arm in reading.arms:
        if arm != control:
            effects = segment_effects(parts, control, arm)
            warning = fishing_warning(effects)
            rows += [{"segment": n, **effect_view(one)} for n, one in effects.items()]
    return {"by": segment, "effects": rows, "warning": warning}


def novelty_view(reading: Reading, arm: str) -> dict[str, Any]:
    """Whether the effect changes with the days since the experiment began."""
    from engine.statistics.novelty import DayEffect, novelty_curve

    window, control = reading.window, reading.definition.control
    units: dict[tuple[str, str], int] = {}
    wins: dict[tuple[str, str], int] = {}
    for seen in reading.seen:
        key = (seen.arm, seen.part)
        units[key] = units.get(key, 0) + seen.mature[window]
    for one in reading.reached(reading.metric):
        wins[one.arm, one.part] = wins.get((one.arm, one.part), 0) + one.converted
    days = []
    for number, day in enumerate(sorted({one.part for one in reading.seen}), start=1):
        pair = [(units.get((a, day), 0), wins.get((a, day), 0)) for a in (control, arm)]
        if all(count for count, _ in pair):
            (na, xa), (nb, xb) = pair
            spread = _variance(na, xa) + _variance(nb, xb)
            days.append(DayEffect(number, xb / nb - xa / na, spread))
    curve = novelty_curve(days)
    return {
        "arm": arm,
        "days": [{"day": one.day, "difference": one.difference} for one in days],
        "slope": curve and curve.slope,
        "interval": curve and list(curve.interval),
        "fades": bool(curve and curve.fades),
    }


def bandit_view(reading: Reading, goal: Goal) -> dict[str, Any] | None:
    """What moving the traffic has earned, each arm's rate freed of it; None for a plain test."""
    from engine.statistics import bandit
    from engine.statistics.verdict import bandit_sentence

    rules = reading.definition.bandit
    if rules is None or goal.is_value:
        return None
    batches = reading.batches(reading.metric)
    guard = bandit.guard_for(len(reading.definition.arms), floor=rules.floor, careful=rules.careful)
    earned = bandit.earned(batches)
    means = bandit.arm_means(batches)
    return {
        "earned": earned,
        "sentence": bandit_sentence(goal, earned),
        "weights": reading.definition.weights,
        "floor": guard.floor,
        "careful": rules.careful,
        "first_move_at": {"visitors": guard.min_units, "conversions": guard.min_successes},
        "estimates": [
            {"arm": arm, "rate": one.value, "error": one.error, "interval": list(one.interval)}
            for arm, one in zip(reading.arms, means, strict=False)
        ],
    }


def plan_view(reading: Reading, hoped: float, more: int | None) -> dict[str, Any]:
    """How long it will take at the present traffic, and which earlier goals would do."""
    from engine.statistics import power

    days = {one.part for one in reading.seen}
    per_day = reading.exposed() / len(days) if days else 0.0
    control = reading.definition.control
    seen, reached = reading.exposed(control), dict.fromkeys(METRICS, 0)
    for one in reading.all_reached:
        if one.arm == control and one.metric in reached:
            reached[one.metric] += one.total
    goals = [
        power.Goal(metric, count / seen, reading.definition.window_of(metric))
        for metric, count in reached.items()
        if 0 < count < seen
    ]
    traffic = power.Traffic(per_day, max(len(reading.definition.arms), 2))
    plans = power.earlier_goals(goals, hoped, traffic, patience=PATIENCE_DAYS)
    return {
        "visitors_per_day": per_day,
        "more_visitors": more,
        "days": more / per_day if more is not None and per_day else None,
        "hoped_lift": hoped,
        "goals_within_8_weeks": [
            {"metric": one.metric, "rate": one.rate, "visitors": one.visitors, "days": one.days}
            for one in plans
        ],
    }


def _variance(units: int, wins: int) -> float:
    """The variance of a day's rate; half a conversion keeps an empty day from being certain."""
    rate = (wins + 0.5) / (units + 1)
    return rate * (1 - rate) / units


def verdict_view(verdict: Verdict) -> dict[str, Any]:
    """A verdict as it is sent."""
    return {
        "decision": str(verdict.decision),
        "sentence": verdict.sentence,
        "arm": verdict.arm,
        "more_visitors": verdict.more_visitors,
    }


def effect_view(effect: Effect) -> dict[str, Any]:
    """An effect as it is sent; what has no bound is null."""
    return {
        "arm": effect.arm,
        "lift": _finite(effect.lift),
        "interval": [_finite(end) for end in effect.lift_interval],
        "difference": _finite(effect.difference),
        "difference_interval": [_finite(end) for end in effect.difference_interval],
        "p_always_valid": effect.p_always_valid,
        "p_adjusted": effect.p_adjusted,
        "p_fixed_horizon": _finite(effect.p_fixed),
        "decided": effect.decided,
        "exposed": effect.exposed,
        "more_visitors": effect.more_visitors,
    }


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
