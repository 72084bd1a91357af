"""How a campaign does, in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.campaign_pace import Pace, standing

NOW = datetime(2026, 11, 21, tzinfo=UTC)
BEGAN, ENDS = NOW - timedelta(days=10), NOW + timedelta(days=10)


@pytest.mark.parametrize(
    ("done", "pace"),
    [(40, Pace.BEHIND), (45, Pace.ON_TRACK), (55, Pace.ON_TRACK), (56, Pace.AHEAD)],
)
def test_half_way_half_of_the_goal_is_due(done: int, pace: Pace) -> None:
    found = standing(done, 100, BEGAN, ENDS, NOW)

    assert (found.pace, found.due) == (pace, 50)
    assert f"{done} of 100 leads; 50 were due" in found.sentence


@pytest.mark.parametrize(
    ("done", "goal", "starts", "ends", "pace"),
    [
        (3, None, BEGAN, ENDS, Pace.NO_GOAL),
        (1, None, None, None, Pace.NO_GOAL),
        (5, 5, BEGAN, ENDS, Pace.REACHED),
        (0, 1, ENDS, None, Pace.NOT_STARTED),
        (4, 5, None, NOW, Pace.MISSED),
        (4, 5, None, None, Pace.ON_TRACK),
        (4, 5, BEGAN, None, Pace.ON_TRACK),
        (4, 5, None, ENDS, Pace.ON_TRACK),
    ],
)
def test_what_else_can_be(
    done: int, goal: int | None, starts: datetime | None, ends: datetime | None, pace: Pace
) -> None:
    found = standing(done, goal, starts, ends, NOW)

    assert found.pace == pace
    assert found.sentence.endswith(".")
