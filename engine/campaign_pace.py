"""How a campaign does against its goal and its dates, in words."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Standing:
    """The word for it, what was due by now, and one sentence."""

    pace: Pace
    due: float | None
    sentence: str


def standing(
    done: int, goal: int | None, starts: datetime | None, ends: datetime | None, now: datetime
) -> Standing:
    """How `done` leads do against the goal; without both dates nothing is due by now."""
    if not goal:
        return Standing(Pace.NO_GOAL, None, f"{_leads(done)} so far; no goal is set.")
    if done >= goal:
        return Standing(Pace.REACHED, None, f"{done} of {_leads(goal)}: the goal is reached.")
    if starts is not None and now < starts:
        return Standing(Pace.NOT_STARTED, 0.0, f"It has not begun; the goal is {_leads(goal)}.")
    if ends is not None and now >= ends:
        return Standing(Pace.MISSED, float(goal), f"It ended with {done} of {_leads(goal)}.")
    if starts is None or ends is None or ends <= starts:
        return Standing(Pace.ON_TRACK, None, f"{done} of {_leads(goal)}; without dates no pace.")
    due = goal * ((now - starts) / (ends - starts))
    sentence = f"{done} of {_leads(goal)}; {due:.0f} were due by now at an even pace."
    return Standing(_pace(done, due), due, sentence)


def _pace(done: int, due: float) -> Pace:
    if done > due * (1 + TOLERANCE):
        return Pace.AHEAD
    return Pace.ON_TRACK if done >= due * (1 - TOLERANCE) else Pace.BEHIND


def _leads(count: int) -> str:
    return f"{count} lead" if count == 1 else f"{count} leads"
