"""The action queue: nothing is lost, the order is total, and what is pressing comes first."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.queue import SOON, Band, Cause, Standing, reasons_of, tasks
from engine.vocabulary import Tier
from engine.volume import volume

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
moments = st.integers(-40 * 24 * 60, 0).map(lambda minutes: NOW + timedelta(minutes=minutes))
plans = st.integers(-10_000, 10_000).map(lambda minutes: NOW + timedelta(minutes=minutes))
standings = st.builds(
    Standing,
    lead_id=st.integers(1, 10_000),
    tier=st.sampled_from(Tier),
    score=st.integers(0, 120),
    is_sql=st.booleans(),
    reached_at=moments,
    seen_at=st.none() | moments,
    touched_at=st.none() | moments,
    was_reached=st.booleans(),
    follow_up_at=st.none() | plans,
    planned_at=st.none() | moments,
    woke_at=st.none() | moments,
    staged_at=st.none() | moments,
    stage=st.just("Meeting"),
    limit_days=st.none() | st.integers(1, 30),
    is_drawn=st.booleans(),
)
many = st.lists(standings, max_size=30, unique_by=lambda one: one.lead_id)


def lead(number: int = 1, tier: Tier = Tier.HOT, **more: object) -> Standing:
    told = {"score": 80, "is_sql": False, "reached_at": NOW - HOUR / 2, **more}
    return Standing(number, tier, **told)  # type: ignore[arg-type]


def causes(one: Standing) -> list[Cause]:
    return [reason.cause for reason in reasons_of(one, NOW)]


@given(many)
def test_every_lead_with_a_reason_stands_in_the_queue_once(leads: list[Standing]) -> None:
    with_reason = {one.lead_id for one in leads if reasons_of(one, NOW)}

    queue = tasks(leads, NOW)

    assert sorted(one.lead_id for one in queue) == sorted(with_reason)
    assert all(one.reasons for one in queue)


@given(many, st.integers(0, 9))
def test_the_order_does_not_depend_on_the_order_of_reading(leads: list[Standing], by: int) -> None:
    mixed = list(leads)
    random.Random(by).shuffle(mixed)

    assert tasks(mixed, NOW) == tasks(leads, NOW)


@given(many)
def test_no_lead_passes_another_by_leaving(leads: list[Standing]) -> None:
    """Working the first line leaves the others in their order."""
    queue = tasks(leads, NOW)
    rest = [one for one in leads if not queue or one.lead_id != queue[0].lead_id]

    assert tasks(rest, NOW) == queue[1:]


@given(standings, st.integers(0, 59))
def test_a_promise_that_is_due_is_never_hidden(one: Standing, minutes: int) -> None:
    due = NOW + timedelta(minutes=minutes) - SOON
    told = {**vars(one), "follow_up_at": due}

    assert Cause.FOLLOW_UP in causes(Standing(**told))


@given(standings)
def test_a_hot_lead_that_nobody_called_is_there_unless_it_is_planned(one: Standing) -> None:
    told = {**vars(one), "tier": Tier.HOT, "touched_at": None, "follow_up_at": None}

    assert Cause.FIRST_TOUCH in causes(Standing(**told))


def test_what_can_be_done_in_time_comes_first_and_of_the_late_the_freshest() -> None:
    fresh = lead(1, reached_at=NOW - HOUR / 2)
    fresher = lead(2, reached_at=NOW)
    late = lead(3, reached_at=NOW - 3 * HOUR)
    later = lead(4, reached_at=NOW - 9 * HOUR)
    promised = lead(5, Tier.COLD, follow_up_at=NOW - DAY)
    stale = lead(6, reached_at=NOW - 3 * DAY)
    warm = lead(7, Tier.WARM, reached_at=NOW)

    order = [
        one.lead_id for one in tasks([stale, warm, promised, later, late, fresher, fresh], NOW)
    ]

    assert order == [1, 2, 3, 4, 5, 7, 6]


def test_follow_ups_keep_the_order_in_which_they_were_promised() -> None:
    moments = [NOW - 2 * DAY, NOW - HOUR, NOW + HOUR / 2]
    leads = [lead(n, Tier.COLD, follow_up_at=at) for n, at in enumerate(moments)]

    assert [one.lead_id for one in tasks(reversed(leads), NOW)] == [0, 1, 2]


def test_among_equals_the_higher_score_comes_first_then_the_older_lead() -> None:
    low, high, same = lead(1, score=75), lead(2, score=90), lead(3, score=90)

    assert [one.lead_id for one in tasks([same, low, high], NOW)] == [2, 3, 1]


def test_the_deadline_is_that_of_the_tier() -> None:
    hot, warm = lead(1), lead(2, Tier.WARM)

    assert tasks([hot], NOW)[0].due == hot.reached_at + HOUR
    assert tasks([warm], NOW)[0].due == warm.reached_at + DAY
    assert tasks([lead(3, Tier.COLD, is_sql=True)], NOW)[0].due == NOW - HOUR / 2 + DAY


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, [Cause.FIRST_TOUCH]),
        ({"touched_at": NOW - HOUR}, []),
        ({"touched_at": NOW - HOUR, "seen_at": NOW - HOUR / 2}, [Cause.NEWS]),
        ({"touched_at": NOW - HOUR, "was_reached": False}, []),
        ({"touched_at": NOW - 3 * HOUR, "was_reached": False}, [Cause.NO_ANSWER]),
        ({"tier": Tier.COLD}, []),
        ({"tier": Tier.COLD, "is_sql": True}, [Cause.FIRST_TOUCH]),
        ({"tier": Tier.COLD, "is_drawn": True}, [Cause.FAIR_CHANCE]),
        ({"tier": Tier.COLD, "is_drawn": True, "touched_at": NOW - HOUR}, []),
        ({"follow_up_at": NOW + DAY}, []),
        (
            {"follow_up_at": NOW + DAY, "planned_at": NOW - HOUR, "seen_at": NOW},
            [Cause.FIRST_TOUCH],
        ),
        ({"touched_at": NOW - 2 * HOUR, "woke_at": NOW - HOUR}, [Cause.WOKE]),
        ({"touched_at": NOW - HOUR / 2, "woke_at": NOW - HOUR}, []),
        (
            {"touched_at": NOW - 2 * DAY, "staged_at": NOW - 9 * DAY, "limit_days": 7},
            [Cause.STAGNANT],
        ),
        ({"touched_at": NOW - HOUR, "staged_at": NOW - 9 * DAY, "limit_days": 7}, []),
        ({"touched_at": NOW - 2 * DAY, "staged_at": NOW - 7 * DAY, "limit_days": 7}, []),
    ],
)
def test_what_brings_a_lead_in(more: dict[str, object], wanted: list[Cause]) -> None:
    assert causes(lead(**{"tier": Tier.HOT, **more})) == wanted  # type: ignore[arg-type]


def test_a_lead_with_several_reasons_is_told_of_all_of_them_the_weightiest_first() -> None:
    one = lead(follow_up_at=NOW - HOUR, staged_at=NOW - 9 * DAY, limit_days=7, stage="Meeting")

    found = reasons_of(one, NOW)

    assert [reason.cause for reason in found] == [
        Cause.FIRST_TOUCH,
        Cause.FOLLOW_UP,
        Cause.STAGNANT,
    ]
    assert [reason.band for reason in found] == [Band.HOT, Band.PROMISED, Band.STUCK]
    assert found[2].text == "In Meeting for longer than 7 days"


@given(st.lists(st.integers(0, 500), min_size=4, max_size=9), st.integers(0, 1000))
def test_what_is_usual_is_never_a_warning(past: list[int], count: int) -> None:
    found = volume(count, past)

    assert found is not None
    if min(past) <= count <= max(past) and min(past) == max(past):
        assert not found.is_unusual
    assert found.is_unusual <= (abs(count - found.usual) >= 5)


@pytest.mark.parametrize(
    ("count", "past", "unusual"),
    [
        (0, [0] * 8, False),
        (4, [0] * 8, False),
        (40, [10, 12, 9, 11, 10, 8, 12, 10], True),
        (0, [10, 12, 9, 11, 10, 8, 12, 10], True),
        (14, [10, 12, 9, 11, 10, 8, 12, 10], False),
        (100, [10, 300, 90, 5, 110, 60, 200, 10], False),
    ],
)
def test_a_volume_far_from_the_usual_is_noticed(count: int, past: list[int], unusual: bool) -> None:
    found = volume(count, past)

    assert found is not None and found.is_unusual is unusual
    assert found.is_more is (count > found.usual)


def test_a_young_workspace_has_no_usual_volume() -> None:
    assert volume(50, [1, 2, 3]) is None
