"""From effects to a decision, and to the one sentence that says it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.goals import noun_of
from engine.statistics.effects import Effect, Goal
from engine.statistics.power import Plan
from engine.statistics.ranking import Ranked
from engine.statistics.sequential import FEWEST_VALUES
from engine.statistics.srm import SRM, Bend

# Numbers of people are told per so many visitors: the first of these that shows whole ones.
SCALES = (1_000, 10_000, 100_000, 1_000_000)
FOLLOWING = "No difference is certain yet; meanwhile the traffic follows the results."
FISHING = (
    "You are looking at {count} segments: by chance alone one in twenty shows an effect that is "
    "none. Take what you see as a question for the next experiment, not as an answer."
)


class Decision(StrEnum):
    """What the numbers allow."""

    LOCKED = "locked"
    WAITING = "waiting"
    HARM = "harm"
    WINNER = "winner"
    LOSER = "loser"
    NO_DIFFERENCE = "no_difference"
    TOO_EARLY = "too_early"


@dataclass(frozen=True)
class Verdict:
    """A decision, the arm it speaks of (if any) and the sentence for the page.

    `more_visitors` is an estimate of how many are still needed, None where none can be given.
    """

    decision: Decision
    sentence: str
    arm: str | None = None
    more_visitors: int | None = None


@dataclass(frozen=True)
class Setting:
    """What a verdict must know beside the effects.

    `waiting` are exposures that are not old enough, `window_days` how old they must be; `bends`
    says where the split is off. Guardrails are read uncorrected, each with its goal.
    """

    control: str
    srm: SRM
    waiting: int = 0
    window_days: float = 0.0
    bends: Sequence[Bend] = ()
    guardrails: Sequence[tuple[Goal, Effect]] = ()
    # The weights follow the results, so that no number of visitors can be promised.
    is_moving: bool = False


def decide(goal: Goal, effects: Sequence[Effect], setting: Setting) -> Verdict:
    """The verdict on the goal that decides, over all arms.

    In this order: a broken split locks everything, then come harm, certainty, and time.
    """
    if setting.srm.flagged or setting.srm.alarmed:
        return Verdict(Decision.LOCKED, locked_sentence(setting.bends))
    if not any(effect.exposed for effect in effects):
        return Verdict(Decision.WAITING, waiting_sentence(setting))
    for guarded, effect in setting.guardrails:
        if effect.harms(guarded.higher_is_better):
            sentence = _change_sentence(guarded, effect) + "; stop this arm."
            return Verdict(Decision.HARM, sentence, effect.arm)
    return _on_effects(goal, effects, setting)


def _on_effects(goal: Goal, effects: Sequence[Effect], setting: Setting) -> Verdict:
    ranked = sorted(effects, key=lambda one: _gain(goal, one), reverse=True)
    winners = [one for one in ranked if one.decided and _gain(goal, one) > 0]
    if winners:
        sentence = _change_sentence(goal, winners[0]) + "; you may stop now."
        return Verdict(Decision.WINNER, sentence, winners[0].arm, 0)
    open_ones = [one for one in ranked if not one.decided and not is_no_difference(goal, one)]
    if open_ones and setting.is_moving:
        return Verdict(Decision.TOO_EARLY, FOLLOWING)
    if open_ones:
        return _too_early(open_ones)
    alike = [one for one in ranked if not one.decided]
    if alike:
        widest = max(alike, key=lambda one: max(map(abs, one.difference_interval)))
        sentence = no_difference_sentence(goal, widest)
        return Verdict(Decision.NO_DIFFERENCE, sentence, None, 0)
    sentence = _change_sentence(goal, ranked[0]) + "; you may stop now."
    return Verdict(Decision.LOSER, sentence, ranked[0].arm, 0)


def _gain(goal: Goal, effect: Effect) -> float:
    return effect.difference if goal.higher_is_better else -effect.difference


def is_no_difference(goal: Goal, effect: Effect) -> bool:
    """Whether any effect worth having is ruled out, or a planned test has run its course."""
    if goal.planned and effect.more_visitors == 0:
        return True
    low, high = effect.lift_interval
    return -goal.hoped < low and high < goal.hoped


def _too_early(effects: Sequence[Effect]) -> Verdict:
    needed = [one.more_visitors for one in effects if one.more_visitors is not None]
    if not needed:
        sentence = "Too early, and too rare a goal to decide it: choose an earlier one."
        return Verdict(Decision.TOO_EARLY, sentence)
    more = min(needed)
    sentence = f"Too early: about {rounded(more)} more visitors."
    return Verdict(Decision.TOO_EARLY, sentence, None, more)


def rounded(count: float) -> str:
    """A number of people as one says it: two digits that matter, at least one person."""
    if count < 10:
        return str(max(math.ceil(count), 1))
    step = 10 ** (math.floor(math.log10(count)) - 1)
    return f"{math.ceil(count / step) * step:,}"


def _change_sentence(goal: Goal, effect: Effect) -> str:
    """What an arm brings, from the interval, which lies on one side of zero."""
    low, high = sorted(abs(end) for end in effect.difference_interval)
    more = effect.difference > 0
    if goal.is_value:
        ends = [f"{end:,.2f}" for end in (low, high)]
        place = "per visitor"
    else:
        scale = _scale(low)
        ends = [f"{max(round(end * scale), 1):,}" for end in (low, high)]
        place = f"per {scale:,} visitors"
    if more:
        return f"{effect.arm} brings between +{ends[0]} and +{ends[1]} more {goal.noun} {place}"
    word = "less" if goal.is_value else "fewer"
    return f"{effect.arm} brings between {ends[0]} and {ends[1]} {word} {goal.noun} {place}"


def _scale(smallest: float) -> int:
    return next((scale for scale in SCALES if smallest * scale >= 0.5), SCALES[-1])


def no_difference_sentence(goal: Goal, effect: Effect) -> str:
    """How large a difference may still be there, in the units of the goal."""
    largest = max(abs(end) for end in effect.difference_interval)
    if goal.is_value:
        return f"No difference larger than ±{largest:,.2f} {goal.noun} per visitor."
    scale = _scale(largest)
    count = math.ceil(largest * scale)
    return f"No difference larger than ±{count:,} {goal.noun} per {scale:,} visitors."


def plan_sentence(
    metric: str, lift: float, chosen: Plan | None, better: Plan | None, patience: float
) -> str:
    """What an experiment would take, and which goal would do when this one does not."""
    noun = noun_of(metric)
    if chosen is None:
        said = f"Nobody knows how long this takes: there were no {noun} to reckon from"
    else:
        takes = f"about {rounded(chosen.visitors)} visitors, {_long(chosen.days)}"
        said = f"To find {lift:+.0%} {noun} takes {takes} at the present traffic"
        if chosen.fits:
            return f"{said}."
    if better:
        instead = f"{noun_of(better.metric)} would do in {_long(better.days)}"
        return f"{said}; {instead}, if the same effect shows there."
    if chosen and chosen.smallest_lift:
        found = f"{chosen.smallest_lift:+.0%} is what {_long(patience)} can find"
        return f"{said}; {found}, and no earlier goal would do."
    return f"{said}, and no earlier goal would do. In mode bandit it earns meanwhile."


def _long(days: float) -> str:
    """A time as one says it."""
    for unit, length in (("year", 365.0), ("week", 7.0)):
        if days >= 2 * length:
            return f"about {days / length:.0f} {unit}s"
    return f"about {max(math.ceil(days), 1)} day{'s' if days > 1 else ''}"


def ranking_verdict(noun: str, scored: int, came: int, ranked: Mapping[str, Ranked]) -> Verdict:
    """Which arm's points put those who came to the goal before the others."""
    decided = {arm: one for arm, one in ranked.items() if one.decided and one.interval}
    if decided:
        arm, best = max(decided.items(), key=lambda pair: pair[1].difference)
        low, high = sorted(abs(end) * 100 for end in best.interval or (0.0, 0.0))
        more = "more" if best.difference > 0 else "fewer"
        sentence = (
            f"Of 100 pairs of a visitor who came to {noun} and one who did not, {arm} puts "
            f"between {low:.1f} and {high:.1f} {more} in the right order; you may stop now."
        )
        return Verdict(Decision.WINNER if best.difference > 0 else Decision.LOSER, sentence, arm, 0)
    if not scored:
        return Verdict(Decision.WAITING, "No visitor's time has come yet.")
    fewer = min(came, scored - came)
    if fewer < FEWEST_VALUES:
        sentence = f"Too early: {came:,} {noun} of {scored:,} visitors; a comparison needs "
        return Verdict(Decision.TOO_EARLY, f"{sentence}{FEWEST_VALUES} of either kind.")
    widest = max(abs(end) for one in ranked.values() for end in one.interval or (1.0,)) * 100
    sentence = f"No difference is certain; it is at most {widest:.1f} of 100 pairs either way."
    return Verdict(Decision.TOO_EARLY, sentence)


def waiting_sentence(setting: Setting) -> str:
    """Why there is nothing to compare yet."""
    if not setting.waiting:
        return "Nobody has seen this experiment yet."
    days = f"{setting.window_days:g} day{'' if setting.window_days == 1 else 's'}"
    count = rounded_exactly(setting.waiting, "visitor")
    return f"Too early: {count} still within the {days} that a conversion may take."


def rounded_exactly(count: int, noun: str) -> str:
    """A count of people with the verb that goes with it."""
    return f"1 {noun} is" if count == 1 else f"{count:,} {noun}s are"


def locked_sentence(bends: Sequence[Bend]) -> str:
    """Why no number may be believed, and where to look."""
    if not bends:
        return "Visitors are not split as set: find out why before you believe any number."
    worst = bends[0]
    return (
        f"Visitors are not split as set, worst in {worst.segment} ({worst.observed:.1%} instead of "
        f"{worst.expected:.1%}): find out why before you believe any number."
    )


def fishing_warning(segments: Mapping[str, Effect]) -> str | None:
    """What to say beside the effects by segment; None where there is but one."""
    return FISHING.format(count=len(segments)) if len(segments) > 1 else None


def bandit_sentence(goal: Goal, earned: float) -> str:
    """What a bandit has earned, and what it cannot prove."""
    count = rounded(abs(earned))
    gained = f"{count} {goal.noun} {'more' if earned >= 0 else 'fewer'}"
    if abs(earned) < 1:
        gained = f"no more {goal.noun}"
    return (
        f"Moving the traffic has brought about {gained} than an even split would have. It proves "
        "less: an effect that an even split finds in six of ten experiments, this one finds in "
        "one or two."
    )
