"""How a campaign does, in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.campaign_pace import GoalOf, Pace, standing

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


@pytest.mark.parametrize(
    ("of", "sentence"),
    [
        (GoalOf.LEADS, "1 of 4 leads; 2 were due by now at an even pace."),
        (GoalOf.QUALIFIED, "1 of 4 qualified leads; 2 were due by now at an even pace."),
        (GoalOf.WON, "1 of 4 won deals; 2 were due by now at an even pace."),
        (GoalOf.VALUE, "€1 of €4 won; €2 was due by now at an even pace."),
    ],
)
def test_a_goal_is_of_what_it_says(of: GoalOf, sentence: str) -> None:
    found = standing(1, 4, BEGAN, ENDS, NOW, of=of, money="€{:.0f}".format)

    assert found.sentence == sentence
    assert "1 won deal so far" in standing(1, None, None, None, NOW, of=GoalOf.WON).sentence
