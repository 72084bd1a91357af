"""Reading: the counts of one experiment and one goal, in the form that the statistics read.

The statistics are imported where they are called: a worker that serves chats needs none of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from engine.experiments import Definition
from engine.goals import noun_of, stored_metric
from services.experiment_counts import ExperimentCounts, Reached, Seen

if TYPE_CHECKING:
    from engine.statistics.bandit import Batch
    from engine.statistics.effects import Effect, Epoch, Goal, Measured
    from engine.statistics.srm import SRM, Split

WEIGHTS_LEFT_OUT = 1e-12


class Reading:
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
        self.window = definition.window_of(metric)
        self.weights = weights
        self.now = now
        declared = (definition.metric, *definition.metrics)
        # A goal that was not named before the start is looked at by itself, for exploring.
        self.family = declared if metric in declared else (metric,)
        windows = {definition.window_of(one) for one in (*self.family, *definition.guardrails)}
        all_seen = counts.seen(windows)
        self.seen = [one for one in all_seen if one.excluded is None]
        self.left_out = [one for one in all_seen if one.excluded is not None]

    @cached_property
    def arms(self) -> list[str]:
        """Every arm that anybody could have, in the order of the definition."""
        names = dict.fromkeys(self.definition.weights)
        for weights in self.weights.values():
            names |= dict.fromkeys(weights)
        return list(names)

    def exposed(self, arm: str | None = None) -> int:
        return sum(one.exposed for one in self.seen if arm in (None, one.arm))

    def mature(self, window: float, arm: str | None = None) -> int:
        return sum(one.mature[window] for one in self.seen if arm in (None, one.arm))

    def reached(self, metric: str) -> list[Reached]:
        stored, _ = stored_metric(metric)
        return [one for one in self.all_reached if one.metric == stored]

    @cached_property
    def all_reached(self) -> list[Reached]:
        metrics = {self.metric, *self.family, *self.definition.guardrails}
        return self.counts.reached(
            {stored_metric(one)[0]: self.definition.window_of(one) for one in metrics}
        )

    def goal(self, metric: str) -> Goal:
        from engine.statistics.effects import Goal

        return Goal(
            metric,
            noun_of(metric),
            hoped=self.definition.hoped_lift,
            is_value=stored_metric(metric)[1],
            planned=self.definition.planned_visitors,
        )

    def measured(self, metric: str) -> Measured:
        from engine.statistics.effects import Logged, Measured

        goal, window = self.goal(metric), self.definition.window_of(metric)
        if goal.is_value:
            return Measured(goal, self.value_epochs(metric, self.value_cap(metric)))
        seen = [(one.arm, one.epoch, one.part, one.mature[window]) for one in self.seen]
        reached = [(r.arm, r.epoch, r.part, r.converted) for r in self.reached(metric)]
        if self.definition.bandit:
            logged = Logged(tuple(self.arms), self.batches(metric))
            return Measured(goal, self.epochs(seen, reached), logged=logged)
        if not goal.planned:
            return Measured(goal, self.epochs(seen, reached))
        # A planned test is read once a day, on whole days: however often one looks, these are
        # the only looks that count.
        last = (self.now - timedelta(days=window)).date().isoformat()
        days = sorted({day for _, _, day, _ in seen if day < last})
        by_day = [self.epochs(_until(seen, day), _until(reached, day)) for day in days]
        if not by_day:
            return Measured(goal, self.epochs([], []))
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

    def batches(self, metric: str) -> tuple[Batch, ...]:
        """The units under each set of weights, and their conversions, arm by arm."""
        from engine.statistics.bandit import Batch

        window = self.definition.window_of(metric)
        units = _summed((o.arm, o.epoch, o.part, o.mature[window]) for o in self.seen)
        wins = _summed((r.arm, r.epoch, r.part, r.converted) for r in self.reached(metric))
        return tuple(
            Batch(
                tuple(weights.get(arm, 0.0) for arm in self.arms),
                tuple(units.get((arm, epoch), 0) for arm in self.arms),
                tuple(wins.get((arm, epoch), 0) for arm in self.arms),
            )
            for epoch, weights in sorted(self.weights.items())
        )

    def epochs(
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

    def value_cap(self, metric: str) -> float:
        """The 99th percentile of all arms' values together: what is above counts as that."""
        import numpy as np

        from engine.statistics.variance import cap_of

        window = self.definition.window_of(metric)
        values = self.counts.values(stored_metric(metric)[0], window)
        padding = max(self.mature(window) - len(values), 0)
        return cap_of(np.concatenate([[value for _, _, value in values], np.zeros(padding)]))

    def value_epochs(self, metric: str, cap: float) -> tuple[Epoch, ...]:
        """Values, none above the cap, as sums over all units."""
        from engine.statistics.effects import ArmCounts
        from engine.statistics.variance import Moments

        window = self.definition.window_of(metric)
        units = _summed((o.arm, o.epoch, o.part, o.mature[window]) for o in self.seen)
        values = self.counts.values(stored_metric(metric)[0], window)

        def counted(arm: str, share: float, epoch: int) -> ArmCounts:
            mine = [min(value, cap) for a, e, value in values if (a, e) == (arm, epoch)]
            count = units.get((arm, epoch), 0)
            found = Moments(count, math.fsum(mine), math.fsum(v * v for v in mine))
            return ArmCounts(arm, share, count, sum(v != 0 for v in mine), found)

        return tuple(
            tuple(counted(arm, share, epoch) for arm, share in weights.items() if share > 0)
            for epoch, weights in sorted(self.weights.items())
        )

    def guardrails(self) -> list[tuple[Goal, Effect]]:
        """The guardrails, each read by itself: a missed harm is worse than a false alarm."""
        from engine.statistics.effects import measure_one, treatments

        found = []
        for metric in self.definition.guardrails:
            measured = self.measured(metric)
            for arm in treatments(measured.epochs, self.definition.control):
                found.append((measured.goal, measure_one(measured, self.definition.control, arm)))
        return found

    @cached_property
    def srm(self) -> SRM:
        """Whether visitors are split as set, over all that were exposed."""
        from engine.statistics.srm import check_split

        return check_split(self.splits(self.seen))

    def splits(self, seen: Sequence[Seen]) -> list[Split]:
        from engine.statistics.srm import Split

        units = _summed((one.arm, one.epoch, one.part, one.exposed) for one in seen)
        return [
            Split(
                tuple(units.get((arm, epoch), 0) for arm in self.arms),
                tuple(weights.get(arm, 0.0) for arm in self.arms),
            )
            for epoch, weights in sorted(self.weights.items())
        ]


def _summed(rows: Iterable[tuple[str, int, str, int]]) -> dict[tuple[str, int], int]:
    """Counts by arm and epoch."""
    found: dict[tuple[str, int], int] = {}
    for arm, epoch, _, count in rows:
        found[arm, epoch] = found.get((arm, epoch), 0) + count
    return found


def _until(rows: Sequence[tuple[str, int, str, int]], day: str) -> list[tuple[str, int, str, int]]:
    return [row for row in rows if row[2] <= day]
