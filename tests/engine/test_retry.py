"""Tests of engine.retry: the steps, Retry-After, outcomes nobody knows, and five days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.retry import STEPS, failing_since, five_days_of_failure, next_try, next_try_of_unknown

DAY, HOUR, MINUTE, SECOND = (
    timedelta(**{unit: 1}) for unit in ("days", "hours", "minutes", "seconds")
)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MIDDLE = 0.5


@pytest.mark.parametrize(
    ("attempts", "wait"),
    [
        (1, 5 * SECOND),
        (2, 5 * MINUTE),
        (3, 30 * MINUTE),
        (4, 2 * HOUR),
        (5, 5 * HOUR),
        (6, 10 * HOUR),
        (7, 10 * HOUR),
        (8, None),
        (100, None),
    ],
)
def test_each_failure_waits_longer_and_the_eighth_gives_up(attempts: int, wait: timedelta | None):
    assert next_try(attempts, jitter=MIDDLE) == wait


def test_without_any_delay_of_its_own_a_message_is_tried_for_a_good_day():
    assert sum(STEPS, timedelta()) == timedelta(hours=27, minutes=35, seconds=5)


def test_jitter_moves_a_step_by_a_tenth_either_way():
    assert next_try(2, jitter=0) == 270 * SECOND
    assert next_try(2, jitter=0.25) == 285 * SECOND
    assert next_try(2, jitter=0.999_999) == pytest.approx(330 * SECOND, abs=SECOND)


@pytest.mark.parametrize(
    ("attempts", "after", "wait"),
    [
        (1, 60 * SECOND, 60 * SECOND),
        (1, 1 * SECOND, 5 * SECOND),
        (1, -60 * SECOND, 5 * SECOND),
        (1, 24 * HOUR, 24 * HOUR),
        (1, 25 * HOUR, 24 * HOUR),
        (1, 4000 * DAY, 24 * HOUR),
        (7, 1 * HOUR, 10 * HOUR),
        (8, 1 * HOUR, None),
    ],
)
def test_retry_after_lengthens_the_wait_up_to_a_day(
    attempts: int, after: timedelta, wait: timedelta | None
):
    assert next_try(attempts, jitter=MIDDLE, after=after) == wait


@pytest.mark.parametrize("attempts", [0, -1])
def test_what_was_never_tried_is_not_tried_again(attempts: int):
    with pytest.raises(ValueError, match="first attempt"):
        next_try(attempts, jitter=MIDDLE)


@pytest.mark.parametrize("jitter", [-0.01, 1.0, 7.0, float("nan")])
def test_a_jitter_out_of_bounds_is_refused(jitter: float):
    with pytest.raises(ValueError, match="Jitter"):
        next_try(1, jitter=jitter)


@given(
    st.integers(1, 7),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.timedeltas(min_value=-DAY, max_value=30 * DAY),
)
def test_a_wait_is_never_earlier_than_what_was_asked_for(
    attempts: int, jitter: float, after: timedelta | None
):
    wait = next_try(attempts, jitter=jitter, after=after)

    assert wait is not None
    step = STEPS[attempts - 1]
    assert step * 0.9 <= wait <= max(step * 1.1, min(after or step, DAY))
    if after is not None:
        assert wait >= min(after, DAY)


# Nobody knows whether it arrived


@pytest.mark.parametrize("attempts", range(1, 10))
def test_a_receiver_that_knows_repeats_is_simply_tried_again(attempts: int):
    wait = next_try_of_unknown(attempts, attempts, is_idempotent=True, jitter=MIDDLE)

    assert wait == next_try(attempts, jitter=MIDDLE)


@pytest.mark.parametrize(
    ("attempts", "unknowns", "wait"),
    [(1, 1, 5 * MINUTE), (2, 2, None), (6, 1, 5 * MINUTE), (9, 1, 5 * MINUTE), (9, 3, None)],
)
def test_any_other_receiver_is_tried_once_more(
    attempts: int, unknowns: int, wait: timedelta | None
):
    assert next_try_of_unknown(attempts, unknowns, is_idempotent=False, jitter=MIDDLE) == wait


def test_trying_once_more_is_spread_too():
    assert next_try_of_unknown(1, 1, is_idempotent=False, jitter=0) == 270 * SECOND


# Five days


def failing(*hours: float) -> datetime | None:
    """Since when it fails, after failures at these hours."""
    since, last = None, None
    for hour in hours:
        moment = NOW + hour * HOUR
        since, last = failing_since(since, last, moment), moment
    return since


def stopped(*hours: float) -> bool:
    """Whether it is switched off at the last of these failures."""
    last = NOW + hours[-1] * HOUR
    return five_days_of_failure(failing(*hours), last, last_failure=last)


def test_the_first_failure_is_where_it_begins():
    assert failing(0) == failing(0, 1, 12, 23) == NOW


@pytest.mark.parametrize(
    ("hours", "since"),
    [
        ((0, 24), 0),
        ((0, 1, 24), 0),
        ((0, 24.5), 24.5),
        ((0, 1, 24.5), 1),
        ((0, 1, 25), 1),
        ((0, 1, 25.5), 25.5),
        ((0, 11.9, 30), 11.9),
        ((0, 12, 30), 0),
        ((0, 12, 500), 0),
        ((0, 500, 1000), 1000),
    ],
)
def test_failures_too_far_apart_begin_anew(hours: tuple[float, ...], since: float):
    assert failing(*hours) == NOW + since * HOUR


@pytest.mark.parametrize(
    ("hours", "off"),
    [
        ((0,), False),
        ((0, 119), False),
        ((0, 12, 119.9), False),
        ((0, 12, 120), True),
        ((0, 24, 120), True),
        ((0, 12, 24, 36, 48, 60, 72, 84, 96, 108), False),
        ((0, 12, 24, 36, 48, 60, 72, 84, 96, 108, 120), True),
        ((0, 12, 900), True),
        # Two bad minutes, a week apart.
        ((0, 0.1, 168, 168.1), False),
        # A failure a week is no five days of failure.
        ((0, 168, 336, 504), False),
    ],
)
def test_five_days_of_nothing_but_failure_switch_a_destination_off(
    hours: tuple[float, ...], off: bool
):
    assert stopped(*hours) is off


def test_what_does_not_fail_is_not_switched_off():
    assert not five_days_of_failure(None, NOW, last_failure=NOW - 30 * DAY)


def test_five_days_that_pass_after_one_bad_hour_switch_nothing_off():
    assert not five_days_of_failure(NOW, NOW + 30 * DAY, last_failure=NOW + HOUR)


@given(st.lists(st.floats(0.01, 400), min_size=1, max_size=12))
def test_who_is_switched_off_failed_for_five_days_and_half_a_day_apart(gaps: list[float]):
    hours = [sum(gaps[: number + 1]) for number in range(len(gaps))]

    since = failing(*hours)

    assert since is not None and NOW <= since <= NOW + hours[-1] * HOUR
    if stopped(*hours):
        assert hours[-1] - hours[0] >= 120 - 1e-6
        assert any(12 - 1e-6 <= b - a <= 24 + 1e-6 for a in hours for b in hours)
