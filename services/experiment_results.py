"""ExperimentResults: what came of an experiment: counts, effects, a verdict; raw rows to check it.

The statistics are imported where they are called: a worker that serves chats needs none of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from engine.experiments import (
    METRICS,
    Definition,
    Status,
    is_metric,
    noun_of,
    stored_metric,
    unknown_metric,
)
from errors import invalid_field
from lib.clock import iso
from lib.csv_stream import csv_chunks
from services.experiment_book import ExperimentBook
from services.experiment_counts import SEGMENTS, ExperimentCounts, Reached, Seen
from services.resources import Resources

if TYPE_CHECKING:
    from engine.statistics.effects import Effect, Epoch, Goal, Measured
    from engine.statistics.srm import SRM, Bend, Split

# Above this share of people who saw two arms the page warns.
MULTIPLE_WARNING = 0.01
PATIENCE_DAYS = 56.0
WEIGHTS_LEFT_OUT = 1e-12
_EXPOSURE_COLUMNS: tuple[str, ...] = (
    *("id", "unit", "arm", "epoch", "propensity", "revision", "workflow_version"),
    *("assigned_at", "exposed_at", "excluded"),
)
_CONVERSION_COLUMNS: tuple[str, ...] = (
    *("id", "unit", "arm", "epoch", "metric", "value", "exposed_at", "converted_at", "excluded"),
)


@dataclass(frozen=True)
class Page:
    """Raw rows as CSV, and where the next page begins."""

    text: str
    next_cursor: int | None


class ExperimentResults:
    """Reads everything, writes nothing."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.book = ExperimentBook(session, resources)

    def results(
        self, name: str, *, metric: str | None = None, segment: str | None = None
    ) -> dict[str, Any]:
        """Counts, effects and a verdict on one goal: that which decides unless another is asked."""
        definition, row = self.book.definition_of(name)
        chosen = metric or definition.metric
        if not is_metric(chosen):
            raise invalid_field("metric", unknown_metric(chosen))
        if segment is not None and segment not in SEGMENTS:
            raise invalid_field("segment", f"Segments are {', '.join(SEGMENTS)}.")
        now = self.resources.clock.now()
        weights = {epoch.epoch: dict(epoch.weights) for epoch in self.book.epochs(name)}
        counts = ExperimentCounts(self.session, name, now)
        reading = _Reading(definition, chosen, counts, weights or {1: definition.weights}, now)
        return {
            "name": name,
            "status": row.status if row else str(Status.RUNNING),
            **reading.report(),
            **({"segments": reading.segments(segment)} if segment else {}),
        }

    def rows(self, name: str, *, what: str, limit: int, cursor: int) -> Page:
        """Exposures or conversions one by one, as CSV for programs."""
        self.book.definition_of(name)
        counts = ExperimentCounts(self.session, name, self.resources.clock.now())
        read, columns = counts.exposure_rows, _EXPOSURE_COLUMNS
        if what == "conversions":
            read, columns = counts.conversion_rows, _CONVERSION_COLUMNS
        rows = read(cursor, limit)
        listed = [dict(row._mapping) for row in rows]
        text = "".join(csv_chunks(listed, columns))
        return Page(text, rows[-1].id if len(rows) == limit else None)


class _Reading:
    """One reading of one experiment: every number with what it was made of."""

    def __init__(
        self,
        definition: Definition,
        metric: str,
        counts: ExperimentCounts,
        weights: Mapping[int, Mapping[str, float]],
        now: datetime,
    ) -> None:
        self.definition = definition
        self.metric = metric
        self.counts = counts
        self.weights = weights
        self.now = now
        declared = (definition.metric, *definition.metrics)
        # A goal that was not named before the start is looked at by itself, for exploring.
        self.family = declared if metric in declared else (metric,)
        windows = {definition.window_of(one) for one in (*self.family, *definition.guardrails)}
        all_seen = counts.seen(windows)
        self.seen = [one for one in all_seen if one.excluded is None]
        self.left_out = [one for one in all_seen if one.excluded is not None]

    def report(self) -> dict[str, Any]:
        """The whole, ready to be sent."""
        from engine.statistics import effects as statistics
        from engine.statistics import verdict as words

        control = self.definition.control
        measured = [self._measured(metric) for metric in self.family]
        effects = statistics.measure(measured, control)[self.metric]
        goal = next(one.goal for one in measured if one.goal.metric == self.metric)
        guardrails = self._guardrails()
        window = self.definition.window_of(self.metric)
        srm = self.srm
        bends = self._bends() if srm.flagged or srm.alarmed else ()
        setting = words.Setting(
            control=control,
            srm=srm,
            waiting=self._exposed() - self._mature(window),
            window_days=window,
            bends=bends,
            guardrails=guardrails,
        )
        verdict = words.decide(goal, effects, setting)
        return {
            "metric": self.metric,
            "noun": goal.noun,
            "control": control,
            "exploratory": self.metric not in (self.definition.metric, *self.definition.metrics),
            "rule": "group_sequential" if goal.planned else "always_valid",
            "arms": [self._arm(arm, window) for arm in self.arms],
            "effects": [_effect_view(one) for one in effects],
            "guardrails": [
                {"metric": guarded.metric, **_effect_view(one)} for guarded, one in guardrails
            ],
            "srm": self._srm_view(bends),
            "verdict": {
                "decision": str(verdict.decision),
                "sentence": verdict.sentence,
                "arm": verdict.arm,
                "more_visitors": verdict.more_visitors,
            },
            "window": self._window(window),
            "multiple": self._multiple(),
            "novelty": [self._novelty(effect.arm) for effect in effects],
            "plan": self._plan(goal.hoped, verdict.more_visitors),
            "epochs": [
                {"epoch": epoch, "weights": dict(weights)}
                for epoch, weights in sorted(self.weights.items())
            ],
        }

    @cached_property
    def arms(self) -> list[str]:
        """Every arm that anybody could have, in the order of the definition."""
        names = dict.fromkeys(self.definition.weights)
        for weights in self.weights.values():
            names |= dict.fromkeys(weights)
        return list(names)

    # Counts

    def _exposed(self, arm: str | None = None) -> int:
        return sum(one.exposed for one in self.seen if arm in (None, one.arm))

    def _mature(self, window: float, arm: str | None = None) -> int:
        return sum(one.mature[window] for one in self.seen if arm in (None, one.arm))

    def _reached(self, metric: str) -> list[Reached]:
        stored, _ = stored_metric(metric)
        return [one for one in self._all_reached if one.metric == stored]

    @cached_property
    def _all_reached(self) -> list[Reached]:
        metrics = {self.metric, *self.family, *self.definition.guardrails}
        return self.counts.reached(
            {stored_metric(one)[0]: self.definition.window_of(one) for one in metrics}
        )

    def _arm(self, arm: str, window: float) -> dict[str, Any]:
        exposed = self._mature(window, arm)
        converted = sum(one.converted for one in self._reached(self.metric) if one.arm == arm)
        view = {
            "arm": arm,
            "exposed": exposed,
            "waiting": self._exposed(arm) - exposed,
            "converted": converted,
            "rate": converted / exposed if exposed else None,
            "weight": self.definition.weights.get(arm, 0.0),
        }
        stored, is_value = stored_metric(self.metric)
        if is_value:
            values = [v for a, _, v in self.counts.values(stored, window) if a == arm]
            view |= {"value": sum(values), "mean": sum(values) / exposed if exposed else None}
        return view

    def _window(self, window: float) -> dict[str, Any]:
        until = self.now - timedelta(days=window)
        return {
            "days": window,
            "exposed_until": iso(until),
            "first_day": min((one.part for one in self.seen), default=None),
            "last_day": max((one.part for one in self.seen), default=None),
            "waiting": self._exposed() - self._mature(window),
        }

    def _multiple(self) -> dict[str, Any]:
        units = sum(one.exposed for one in self.left_out if one.excluded == "multiple")
        aliases = sum(one.exposed for one in self.left_out if one.excluded == "alias")
        share = units / max(units + self._exposed(), 1)
        return {
            "units": units,
            "share": share,
            "aliases": aliases,
            "warning": share >= MULTIPLE_WARNING,
        }

    # Effects

    def _goal(self, metric: str) -> Goal:
        from engine.statistics.effects import Goal

        return Goal(
            metric,
            noun_of(metric),
            hoped=self.definition.hoped_lift,
            is_value=stored_metric(metric)[1],
            planned=self.definition.planned_visitors,
        )

    def _measured(self, metric: str) -> Measured:
        from engine.statistics.effects import Measured

        goal, window = self._goal(metric), self.definition.window_of(metric)
        if goal.is_value:
            return Measured(goal, self._value_epochs(metric, window))
        seen = [(one.arm, one.epoch, one.part, one.mature[window]) for one in self.seen]
        reached = [(r.arm, r.epoch, r.part, r.converted) for r in self._reached(metric)]
        if not goal.planned:
            return Measured(goal, self._epochs(seen, reached))
        # A planned test is read once a day, on whole days: however often one looks, these are
        # the only looks that count.
        last = (self.now - timedelta(days=window)).date().isoformat()
        days = sorted({day for _, _, day, _ in seen if day < last})
        by_day = [self._epochs(_until(seen, day), _until(reached, day)) for day in days]
        if not by_day:
            return Measured(goal, self._epochs([], []))
        return Measured(goal, by_day[-1], self._readings(goal, by_day[:-1]))

    def _readings(
        self, goal: Goal, looks: Sequence[tuple[Epoch, ...]]
    ) -> dict[str, list[tuple[int, float]]]:
        """What each earlier day's look at a planned test saw: (units, z) by arm."""
        from engine.statistics.effects import Measured, difference_of, treatments

        control = self.definition.control
        found: dict[str, list[tuple[int, float]]] = {}
        for epochs in looks:
            for arm in treatments(epochs, control):
                gap = difference_of(Measured(goal, epochs), control, arm)
                if gap.variance > 0:
                    z = gap.estimate / math.sqrt(gap.variance)
                    found.setdefault(arm, []).append((gap.units, z))
        return found

    def _epochs(
        self,
        seen: Iterable[tuple[str, int, str, int]],
        reached: Iterable[tuple[str, int, str, int]],
    ) -> tuple[Epoch, ...]:
        from engine.statistics.effects import ArmCounts

        units, wins = _summed(seen), _summed(reached)
        return tuple(
            tuple(
                ArmCounts(arm, share, units.get((arm, epoch), 0), wins.get((arm, epoch), 0))
                for arm, share in weights.items()
                if share > WEIGHTS_LEFT_OUT
            )
            for epoch, weights in sorted(self.weights.items())
        )

    def _value_epochs(self, metric: str, window: float) -> tuple[Epoch, ...]:
        """Values capped at the 99th percentile of all arms together, as sums."""
        import numpy as np

        from engine.statistics.effects import ArmCounts
        from engine.statistics.variance import Moments, cap_of

        stored, _ = stored_metric(metric)
        units = _summed((o.arm, o.epoch, o.part, o.mature[window]) for o in self.seen)
        values = self.counts.values(stored, window)
        padding = max(sum(units.values()) - len(values), 0)
        cap = cap_of(np.concatenate([[value for _, _, value in values], np.zeros(padding)]))

        def moments(arm: str, epoch: int) -> Moments:
            mine = [min(value, cap) for a, e, value in values if (a, e) == (arm, epoch)]
            return Moments(
                units.get((arm, epoch), 0), math.fsum(mine), math.fsum(v * v for v in mine)
            )

        def counted(arm: str, share: float, epoch: int) -> ArmCounts:
            found = moments(arm, epoch)
            brought = sum((a, e) == (arm, epoch) and v != 0 for a, e, v in values)
            return ArmCounts(arm, share, found.units, brought, found)

        return tuple(
            tuple(counted(arm, share, epoch) for arm, share in weights.items() if share > 0)
            for epoch, weights in sorted(self.weights.items())
        )

    def _guardrails(self) -> list[tuple[Goal, Effect]]:
        """The guardrails, each read by itself: a missed harm is worse than a false alarm."""
        from engine.statistics.effects import measure_one, treatments

        found = []
        for metric in self.definition.guardrails:
            measured = self._measured(metric)
            for arm in treatments(measured.epochs, self.definition.control):
                found.append((measured.goal, measure_one(measured, self.definition.control, arm)))
        return found

    # The split

    @cached_property
    def srm(self) -> SRM:
        """Whether visitors are split as set, over all that were exposed."""
        from engine.statistics.srm import check_split

        return check_split(self._splits(self.seen))

    def _splits(self, seen: Sequence[Seen]) -> list[Split]:
        from engine.statistics.srm import Split

        units = _summed((one.arm, one.epoch, one.part, one.exposed) for one in seen)
        return [
            Split(
                tuple(units.get((arm, epoch), 0) for arm in self.arms),
                tuple(weights.get(arm, 0.0) for arm in self.arms),
            )
            for epoch, weights in sorted(self.weights.items())
        ]

    def _bends(self) -> Sequence[Bend]:
        """Where the split is off: by the segments that a session tells."""
        from engine.statistics.srm import bends

        segments: dict[str, list[Split]] = {}
        for segment in SEGMENTS:
            seen = [one for one in self.counts.seen([0.0], segment) if one.excluded is None]
            for part in {one.part for one in seen}:
                mine = [one for one in seen if one.part == part]
                segments[f"{segment} {part}"] = self._splits(mine)
        return bends(segments)

    def _srm_view(self, bends: Sequence[Bend]) -> dict[str, Any]:
        return {
            "p": self.srm.p,
            "flagged": self.srm.flagged,
            "alarmed": self.srm.alarmed,
            "arms": [
                {"arm": arm, "observed": self._exposed(arm), "expected": self._expected(arm)}
                for arm in self.arms
            ],
            "bends": [
                {
                    "segment": bend.segment,
                    "arm": self.arms[bend.arm],
                    "expected": bend.expected,
                    "observed": bend.observed,
                }
                for bend in bends
            ],
        }

    def _expected(self, arm: str) -> float:
        totals: dict[int, int] = {}
        for one in self.seen:
            totals[one.epoch] = totals.get(one.epoch, 0) + one.exposed
        return sum(
            count * self.weights.get(epoch, {}).get(arm, 0.0) for epoch, count in totals.items()
        )

    # Segments, trend, what is still to come

    def segments(self, segment: str) -> dict[str, Any]:
        """Each arm's effect in each segment, for exploring only."""
        from engine.statistics.effects import Measured, segment_effects
        from engine.statistics.verdict import fishing_warning

        window = self.definition.window_of(self.metric)
        stored, _ = stored_metric(self.metric)
        seen = [one for one in self.counts.seen([window], segment) if one.excluded is None]
        reached = [
            one for one in self.counts.reached({stored: window}, segment) if one.metric == stored
        ]
        goal = self._goal(stored)
        parts = {
            part: Measured(
                goal,
                self._epochs(
                    [(o.arm, o.epoch, part, o.mature[window]) for o in seen if o.part == part],
                    [(r.arm, r.epoch, part, r.converted) for r in reached if r.part == part],
                ),
            )
            for part in sorted({one.part for one in seen})
        }
        control, rows, warning = self.definition.control, [], None
        for arm in self.arms:
            if arm != control:
                effects = segment_effects(parts, control, arm)
                warning = fishing_warning(effects)
                rows += [{"segment": n, **_effect_view(one)} for n, one in effects.items()]
        return {"by": segment, "effects": rows, "warning": warning}

    def _novelty(self, arm: str) -> dict[str, Any]:
        """Whether the effect changes with the days since the experiment began."""
        from engine.statistics.novelty import DayEffect, novelty_curve

        window, control = self.definition.window_of(self.metric), self.definition.control
        units: dict[tuple[str, str], int] = {}
        wins: dict[tuple[str, str], int] = {}
        for seen in self.seen:
            key = (seen.arm, seen.part)
            units[key] = units.get(key, 0) + seen.mature[window]
        for one in self._reached(self.metric):
            wins[one.arm, one.part] = wins.get((one.arm, one.part), 0) + one.converted
        days = []
        for number, day in enumerate(sorted({one.part for one in self.seen}), start=1):
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

    def _plan(self, hoped: float, more: int | None) -> dict[str, Any]:
        """How long it will take at the present traffic, and which earlier goals would do."""
        from engine.statistics import power

        days = {one.part for one in self.seen}
        per_day = self._exposed() / len(days) if days else 0.0
        control = self.definition.control
        seen, reached = self._exposed(control), dict.fromkeys(METRICS, 0)
        for one in self._all_reached:
            if one.arm == control and one.metric in reached:
                reached[one.metric] += one.total
        goals = [
            power.Goal(metric, count / seen, self.definition.window_of(metric))
            for metric, count in reached.items()
            if 0 < count < seen
        ]
        traffic = power.Traffic(per_day, max(len(self.definition.arms), 2))
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


def _summed(rows: Iterable[tuple[str, int, str, int]]) -> dict[tuple[str, int], int]:
    """Counts by arm and epoch."""
    found: dict[tuple[str, int], int] = {}
    for arm, epoch, _, count in rows:
        found[arm, epoch] = found.get((arm, epoch), 0) + count
    return found


def _until(rows: Sequence[tuple[str, int, str, int]], day: str) -> list[tuple[str, int, str, int]]:
    return [row for row in rows if row[2] <= day]


def _effect_view(effect: Effect) -> dict[str, Any]:
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
