"""What runs when: the whole table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.resources import Resources

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Row:
    """A job that runs by the clock: what, how often, and how long after a period's beginning."""

    name: str
    kind: str
    period: timedelta
    at: timedelta = timedelta(0)
    payload: Mapping[str, Any] = field(default_factory=dict)

    def slot(self, now: datetime) -> int:
        """The slot of a moment, named by the second at which it begins.

        A number of periods would not do: after a change of SCORE_REFRESH_INTERVAL the new slots
        would have numbers that the old ones have taken.
        """
        period = int(self.period.total_seconds())
        offset = int(self.at.total_seconds())
        return (int(now.timestamp()) - offset) // period * period + offset


# Of slots that were missed only the newest is made up, by every row: each of them looks at what
# there is to do, not at what a slot would have had to do. Hours are in UTC.
def schedule(resources: Resources) -> tuple[Row, ...]:
    """Every job that runs by the clock."""
    refresh = timedelta(seconds=resources.settings.SCORE_REFRESH_INTERVAL)
    return (
        # A reminder for ten o'clock is for ten o'clock: hourly it could come at 10:59.
        Row("follow-up reminders", "follow_ups.remind", MINUTE),
        Row("snoozes that end", "leads.wake", 30 * MINUTE),
        Row("score refresh", "scores.renew", refresh),
        Row("agent figures", "agents.count", HOUR, at=10 * MINUTE),
        Row("hourly digests", "digests.make", HOUR, payload={"digest": "hourly"}),
        Row("daily digests", "digests.make", DAY, at=7 * HOUR, payload={"digest": "daily"}),
        Row("tidying", "tidy", HOUR, at=20 * MINUTE),
        Row("imports that failed", "imports.tidy", HOUR, at=40 * MINUTE),
        # Each of them moves once an hour at most; what has matured is looked at more often.
        Row("bandits", "experiments.move", 10 * MINUTE),
        Row("retention", "retention", DAY, at=2 * HOUR),
        Row("replay check", "replay.check", DAY, at=3 * HOUR),
        Row("model training", "models.train", DAY, at=1 * HOUR),
    )
