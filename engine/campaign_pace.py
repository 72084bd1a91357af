"""How a campaign does against its goal and its dates, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# Within so much of what was due by now a campaign is on track.
TOLERANCE = 0.1


class Pace(StrEnum):
    """Where a campaign stands."""

    NO_GOAL = "no goal"
    NOT_STARTED = "not started"
    REACHED = "goal reached"
    AHEAD = "ahead"
    ON_TRACK = "on track"
    BEHIND = "behind"
    MISSED = "goal missed"


class GoalOf(StrEnum):
    """What a campaign is to bring."""

    LEADS = "leads"
    QUALIFIED = "qualified"
    WON = "won"
    VALUE = "value"


_NOUNS = {
    GoalOf.LEADS: ("lead", "leads"),
    GoalOf.QUALIFIED: ("qualified lead", "qualified leads"),
    GoalOf.WON: ("won deal", "won deals"),
}
Amount = Callable[[float], str]


@dataclass(frozen=True)
class Standing:
    """The word for it, what was due by now, and one sentence."""

    pace: Pace
    due: float | None
    sentence: str


def standing(
    done: float,
    goal: int | None,
    starts: datetime | None,
    ends: datetime | None,
    now: datetime,
    *,
    of: GoalOf = GoalOf.LEADS,
    money: Amount = "{:,.0f}".format,
) -> Standing:
    """How far `done` is from the goal; without both dates nothing is due by now."""

    def amount(number: float) -> str:
        return money(number) if of is GoalOf.VALUE else f"{number:.0f}"

    def things(number: float) -> str:
        if of is GoalOf.VALUE:
            return f"{money(number)} won"
        return f"{number:.0f} {_NOUNS[of][0 if number == 1 else 1]}"

    if not goal:
        return Standing(Pace.NO_GOAL, None, f"{things(done)} so far; no goal is set.")
    so_far = f"{amount(done)} of {things(goal)}"
    if done >= goal:
        return Standing(Pace.REACHED, None, f"{so_far}: the goal is reached.")
    if starts is not None and now < starts:
        return Standing(Pace.NOT_STARTED, 0.0, f"It has not begun; the goal is {things(goal)}.")
    if ends is not None and now >= ends:
        return Standing(Pace.MISSED, float(goal), f"It ended with {so_far}.")
    if starts is None or ends is None or ends <= starts:
        return Standing(Pace.ON_TRACK, None, f"{so_far}; without dates no pace.")
    due = goal * ((now - starts) / (ends - starts))
    were = "was" if of is GoalOf.VALUE else "were"
    sentence = f"{so_far}; {amount(due)} {were} due by now at an even pace."
    return Standing(_pace(done, due), due, sentence)


def _pace(done: float, due: float) -> Pace:
    if done > due * (1 + TOLERANCE):
        return Pace.AHEAD
    return Pace.ON_TRACK if done >= due * (1 - TOLERANCE) else Pace.BEHIND
