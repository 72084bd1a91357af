"""When to knock again, when to stop.

The steps, the limit on Retry-After and the rule of five days are those that receivers know from
Svix; see https://docs.svix.com/retries.
"""

from __future__ import annotations

from datetime import datetime, timedelta

# The wait after the first, the second … attempt that failed; after the last of them we give up.
STEPS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=10),
)
# By how much of a step its wait may be shorter or longer, so that what failed together does not
# knock together.
SPREAD = 0.1
LONGEST_RETRY_AFTER = timedelta(hours=24)
ONCE_MORE = timedelta(minutes=5)

# The clock starts only when failures lie this far apart, within a day: one bad hour is no pattern.
APART = timedelta(hours=12)
WITHIN = timedelta(hours=24)
PATIENCE = timedelta(days=5)


def next_try(attempts: int, *, jitter: float, after: timedelta | None = None) -> timedelta | None:
    """How long to wait after so many attempts that failed; None: give up.

    `jitter` is any number from 0 up to, not including, 1. What the receiver asked for by `after`
    (its Retry-After) lengthens the wait, up to a day, and never shortens it.
    """
    if attempts < 1:
        raise ValueError("There is nothing to try again before the first attempt.")
    if attempts > len(STEPS):
        return None
    asked = min(after or timedelta(0), LONGEST_RETRY_AFTER)
    return max(_spread(STEPS[attempts - 1], jitter), asked)


def next_try_of_unknown(
    attempts: int, unknowns: int, *, is_idempotent: bool, jitter: float
) -> timedelta | None:
    """How long to wait when nobody knows whether the message arrived; None: leave it at that.

    A receiver that knows a repeat by its id is simply tried again. Any other is tried once more,
    since a message twice is better than none and five times is not; `unknowns` counts the
    attempts that ended like this, the last one included.
    """
    if is_idempotent:
        return next_try(attempts, jitter=jitter)
    return _spread(ONCE_MORE, jitter) if unknowns <= 1 else None


def failing_since(since: datetime | None, last_failure: datetime | None, now: datetime) -> datetime:
    """Since when a destination fails, now that it has failed once more; a success forgets it.

    `since` is what this said at the failure before, which was at `last_failure`. Failures that
    are too few and too far apart to be a pattern begin anew.
    """
    if since is None or last_failure is None:
        return now
    if last_failure - since >= APART or now - since <= WITHIN:
        return since
    return last_failure if now - last_failure <= WITHIN else now


def five_days_of_failure(since: datetime | None, now: datetime, *, last_failure: datetime) -> bool:
    """Whether a destination has done nothing but fail for so long that it is switched off.

    `since` comes from `failing_since`; it counts once two failures lie half a day apart.
    """
    if since is None or last_failure - since < APART:
        return False
    return now - since >= PATIENCE


def _spread(step: timedelta, jitter: float) -> timedelta:
    if not 0 <= jitter < 1:
        raise ValueError("Jitter must be a number from 0 up to 1, 1 excluded.")
    return step * (1 - SPREAD + 2 * SPREAD * jitter)
