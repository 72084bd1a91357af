"""From the counts of an experiment to its effects: one for each goal and each arm but the control.

Everything is read by allocation epoch, and only exposures old enough are handed in: whoever
still may convert neither counts as a visitor nor as a failure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from engine.statistics import bandit, power, proportions, sequential, variance
from engine.statistics.multiplicity import benjamini_hochberg, holm

Interval = tuple[float, float]
NOTHING = variance.Moments(0, 0.0, 0.0)


@dataclass(frozen=True)
class ArmCounts:
    """One arm in one epoch: its allotted share, and its exposures that are old enough.

    `converted` of them did so within the window. For a goal with values, `values` holds the sums
    over all those exposures (zero for whoever brought nothing), capped where one caps.
    """

    arm: str
    share: float
    exposed: int
    converted: int
    values: variance.Moments = NOTHING

    @property
    def counts(self) -> proportions.Arm:
        """Visitors and conversions alone."""
        return proportions.Arm(self.exposed, self.converted)


Epoch = tuple[ArmCounts, ...]


@dataclass(frozen=True)
class Goal:
    """What an experiment is judged by.

    `noun` is the plural a marketer would use; `hoped` the smallest relative effect worth having
    (0.2 is +20 %); `base` the rate expected before there are conversions. `planned` is the size
    in visitors for a group sequential test, None for the rule that is always valid.
    """

    metric: str
    noun: str
    hoped: float = 0.2
    alpha: float = 0.05
    higher_is_better: bool = True
    is_value: bool = False
    uses_covariate: bool = False
    base: float | None = None
    planned: int | None = None


@dataclass(frozen=True)
class Effect:
    """An arm against the control on one goal.

    `lift` is relative, `difference` in conversions (or value) per visitor. `p_fixed` is the
    textbook's p for one reading, for reference. `level` is the alpha of the intervals after
    Holm; `decided` says that the effect is certain, and its interval excludes zero.
    """

    metric: str
    arm: str
    lift: float
    lift_interval: Interval
    difference: float
    difference_interval: Interval
    p_always_valid: float
    p_adjusted: float
    p_fixed: float
    level: float
    decided: bool
    exposed: int
    more_visitors: int | None

    def harms(self, higher_is_better: bool = True) -> bool:
        """Whether the whole interval lies on the bad side."""
        low, high = self.difference_interval
        return high < 0 if higher_is_better else low > 0


@dataclass(frozen=True)
class Logged:
    """The batches of a bandit, and the names of their arms."""

    arms: tuple[str, ...]
    batches: tuple[bandit.Batch, ...]


@dataclass(frozen=True)
class Measured:
    """A goal and its counts; `readings` are earlier looks at a planned test, (units, z) by arm.

    `logged` are the same counts under weights that follow the results.
    """

    goal: Goal
    epochs: tuple[Epoch, ...]
    readings: Mapping[str, Sequence[tuple[int, float]]] | None = None
    logged: Logged | None = None


def mature_until(now: datetime, window: timedelta) -> datetime:
    """The latest exposure that is old enough to enter a decision.

    Conversions count within the window after the exposure only: comparing those "so far" calls
    whatever makes people answer sooner a winner.
    """
    return now - window


def measure(goals: Sequence[Measured], control: str) -> dict[str, tuple[Effect, ...]]:
    """Every arm's effect on every goal, by metric; Holm over all of them."""
    alpha = min((one.goal.alpha for one in goals), default=0.05)
    asked = [(one, arm) for one in goals for arm in treatments(one.epochs, control)]
    family = holm([_p(one, control, arm) for one, arm in asked], alpha)
    found: dict[str, tuple[Effect, ...]] = {one.goal.metric: () for one in goals}
    for (one, arm), adjusted, level in zip(asked, family.adjusted, family.levels, strict=True):
        effect = measure_one(one, control, arm, level)
        decided = adjusted <= alpha
        if one.goal.planned:
            # The looks of a planned test share alpha out by themselves: Bonferroni around them.
            effect = planned_effect(one, control, effect, alpha / len(asked))
            decided = effect.decided
        found[one.goal.metric] += (replace(effect, p_adjusted=adjusted, decided=decided),)
    return found


def treatments(epochs: Sequence[Epoch], control: str) -> tuple[str, ...]:
    """The names of all arms but the control, in the order in which they came."""
    names = dict.fromkeys(one.arm for epoch in epochs for one in epoch)
    return tuple(name for name in names if name != control)


def measure_one(measured: Measured, control: str, arm: str, level: float = 0.05) -> Effect:
    """One arm's effect on one goal at this level, as if nothing else had been asked."""
    if measured.logged:
        goal = replace(measured.goal, alpha=level)
        return bandit_effect(goal, measured.logged, control, arm)
    if measured.goal.is_value:
        return _value_effect(measured, control, arm, level)
    return _conversion_effect(measured, control, arm, level)


def pairs_of(epochs: Sequence[Epoch], control: str, arm: str) -> tuple[proportions.Pair, ...]:
    """The two arms side by side in each epoch in which both could be had."""
    return tuple(
        proportions.Pair(a.counts, b.counts, b.share / (a.share + b.share))
        for a, b in _both(epochs, control, arm)
    )


def _both(epochs: Sequence[Epoch], control: str, arm: str) -> list[tuple[ArmCounts, ArmCounts]]:
    named = [{one.arm: one for one in epoch if one.share > 0} for epoch in epochs]
    return [(one[control], one[arm]) for one in named if control in one and arm in one]


def difference_of(measured: Measured, control: str, arm: str) -> variance.Difference:
    """The stratified difference of two arms, of values or of rates."""
    goal = measured.goal
    compare = variance.cuped_difference if goal.uses_covariate else variance.plain_difference
    return variance.stratified(
        [
            compare(_moments(a, goal), _moments(b, goal))
            for a, b in _both(measured.epochs, control, arm)
        ]
    )


def _moments(counts: ArmCounts, goal: Goal) -> variance.Moments:
    if goal.is_value:
        return counts.values
    return variance.Moments(counts.exposed, counts.converted, counts.converted)


def _p(measured: Measured, control: str, arm: str) -> float:
    if measured.logged:
        counts = _logged(measured.logged, control, arm)
        return proportions.always_valid_p(bandit.propensity_evidence(counts))
    if measured.goal.is_value:
        return _sequence(measured, control, arm, measured.goal.alpha).p
    pairs = pairs_of(measured.epochs, control, arm)
    prior = proportions.prior_strength(measured.goal.hoped)
    return proportions.always_valid_p(proportions.evidence_at(1.0, pairs, prior))


def _conversion_effect(measured: Measured, control: str, arm: str, level: float) -> Effect:
    goal, pairs = measured.goal, pairs_of(measured.epochs, control, arm)
    prior = proportions.prior_strength(goal.hoped)
    p = _p(measured, control, arm)
    low, high = proportions.ratio_interval(pairs, prior, level) if pairs else (0.0, math.inf)
    lift = proportions.lift_of(pairs)
    return Effect(
        metric=goal.metric,
        arm=arm,
        lift=lift,
        lift_interval=(low - 1, high - 1),
        difference=proportions.difference_at(lift + 1, pairs),
        difference_interval=_rates_apart(pairs, (low, high)),
        p_always_valid=p,
        p_adjusted=p,
        p_fixed=variance.welch(difference_of(measured, control, arm)).p,
        level=level,
        decided=p <= level,
        exposed=sum(pair.exposed for pair in pairs),
        more_visitors=power.more_visitors(pairs, goal.hoped, goal.base, level) if pairs else None,
    )


def _rates_apart(pairs: Sequence[proportions.Pair], ratios: Interval) -> Interval:
    """The interval of the difference that belongs to one of the ratio."""
    if not any(pair.converted for pair in pairs):
        return -1.0, 1.0
    low, high = (proportions.difference_at(ratio, pairs) for ratio in ratios)
    return low, high


def _sequence(measured: Measured, control: str, arm: str, level: float) -> sequential.AnyTime:
    found = difference_of(measured, control, arm)
    both = _both(measured.epochs, control, arm)
    return sequential.confidence_sequence(
        found.estimate,
        found.variance,
        found.units,
        values=min((sum(pair[side].converted for pair in both) for side in (0, 1)), default=0),
        alpha=level,
        tuned_for=measured.goal.alpha,
    )


def _value_effect(measured: Measured, control: str, arm: str, level: float) -> Effect:
    goal, found = measured.goal, difference_of(measured, control, arm)
    read = _sequence(measured, control, arm, level)
    p, interval = read.p, read.interval
    base = found.control
    return Effect(
        metric=goal.metric,
        arm=arm,
        lift=found.estimate / base if base > 0 else 0.0,
        lift_interval=(
            (interval[0] / base, interval[1] / base) if base > 0 else (-math.inf, math.inf)
        ),
        difference=found.estimate,
        difference_interval=interval,
        p_always_valid=p,
        p_adjusted=p,
        p_fixed=variance.welch(found).p,
        level=level,
        decided=p <= level,
        exposed=found.units,
        more_visitors=power.more_visitors_for_values(found, goal.hoped, alpha=level),
    )


def planned_effect(measured: Measured, control: str, effect: Effect, alpha: float) -> Effect:
    """The same effect read by the group sequential rule: its intervals, and whether it crossed.

    After the planned size nothing is left to wait for.
    """
    goal, found = measured.goal, difference_of(measured, control, effect.arm)
    if not goal.planned or found.variance <= 0:
        return replace(effect, decided=False)
    error = math.sqrt(found.variance)
    earlier = list((measured.readings or {}).get(effect.arm, ()))
    now = (found.units, found.estimate / error)
    looks = sequential.planned_looks([*earlier, now], goal.planned, alpha)
    last = looks[-1]
    low, high = sequential.repeated_interval(found.estimate, error, last.bound)
    base = found.control
    return replace(
        effect,
        lift=found.estimate / base if base > 0 else effect.lift,
        lift_interval=(low / base, high / base) if base > 0 else effect.lift_interval,
        difference=found.estimate,
        difference_interval=(low, high),
        level=alpha,
        decided=last.crossed,
        more_visitors=max(goal.planned - found.units, 0),
    )


def bandit_effect(goal: Goal, logged: Logged, control: str, arm: str) -> Effect:
    """One arm's effect under moving weights, from the logged propensities alone."""
    first, second = logged.arms.index(control), logged.arms.index(arm)
    batches, counts = logged.batches, _logged(logged, control, arm)
    lift, (low, high) = bandit.logged_lift(counts, goal.alpha)
    gap = bandit.arm_difference(batches, first, second)
    base = bandit.arm_means(batches)[first].value if batches else 0.0
    p = proportions.always_valid_p(bandit.propensity_evidence(counts))
    return Effect(
        metric=goal.metric,
        arm=arm,
        lift=lift,
        lift_interval=(low, high),
        difference=gap.value,
        # Without conversions of the control there is nothing a lift could be taken of.
        difference_interval=(base * low, min(base * high, 1.0)) if base else (-1.0, 1.0),
        p_always_valid=p,
        p_adjusted=p,
        p_fixed=math.erfc(abs(gap.value / gap.error) / math.sqrt(2)) if gap.error else 1.0,
        level=goal.alpha,
        decided=p <= goal.alpha,
        exposed=sum(one.units[first] + one.units[second] for one in batches),
        more_visitors=None,
    )


def _logged(logged: Logged, first: str, second: str) -> list[bandit.Conversions]:
    """The conversions of two arms under each set of weights in which both could be had."""
    control, treatment = logged.arms.index(first), logged.arms.index(second)
    return [
        bandit.Conversions(
            one.propensities[treatment] / (one.propensities[control] + one.propensities[treatment]),
            one.successes[control],
            one.successes[treatment],
        )
        for one in logged.batches
        if one.propensities[control] > 0 and one.propensities[treatment] > 0
    ]


def segment_effects(segments: Mapping[str, Measured], control: str, arm: str) -> dict[str, Effect]:
    """One arm's effect in each segment, for exploring: intervals each for itself.

    The adjusted p-values are false discovery rates over the segments; nothing here is decided.
    """
    names = list(segments)
    effects = [measure_one(segments[name], control, arm) for name in names]
    rates = benjamini_hochberg([one.p_always_valid for one in effects])
    return {
        name: replace(effect, p_adjusted=rate, decided=False)
        for name, effect, rate in zip(names, effects, rates, strict=True)
    }
