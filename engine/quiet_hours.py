"""When nobody wants to be woken: a span of the day, on some days of the week, in a time zone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from lib.clock import zone

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_A_DAY = 1440
MIDNIGHT, END_OF_DAY = "00:00", "24:00"
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_KNOWN = ("start", "end", "tz", "days")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` to `end` by the clock on the wall; over midnight where the end comes first.

    A span belongs to the day on which it starts, so one of Friday lasts into Saturday's morning.
    A time that the clock skips in spring, or shows twice in autumn, is read as calendars do
    (RFC 5545, 3.3.5): by the offset before the gap, and as the first of the two.
    """

    start: str
    end: str
    tz: str = "UTC"
    days: tuple[str, ...] = WEEK

    @classmethod
    def parse(cls, raw: Any, *, tz: str = "UTC") -> QuietHours:
        """The quiet hours that somebody wrote, in `tz` unless they name one.

        ValueError is one sentence that says what to change.
        """
        if not isinstance(raw, Mapping):
            raise ValueError('Write quiet hours like {"start": "22:00", "end": "07:00"}.')
        if unknown := [name for name in raw if name not in _KNOWN]:
            raise ValueError(f"Quiet hours have no {unknown[0]!s:.40}, only {', '.join(_KNOWN)}.")
        quiet = cls(
            _read_time(raw.get("start"), "start"),
            _read_time(raw.get("end"), "end"),
            _read_zone(raw.get("tz"), tz),
            _read_days(raw.get("days")),
        )
        if quiet.start == quiet.end:
            raise ValueError(
                "Quiet hours must end at another time than they start; "
                "a whole day is 00:00 to 24:00."
            )
        if (quiet.start, quiet.end, quiet.days) == (MIDNIGHT, END_OF_DAY, WEEK):
            raise ValueError(
                "Quiet hours must leave some time to speak; switch alerts off instead."
            )
        return quiet

    def to_plain(self) -> dict[str, Any]:
        """What `parse` reads again."""
        return {"start": self.start, "end": self.end, "tz": self.tz, "days": list(self.days)}

    def is_quiet(self, at: datetime) -> bool:
        """Whether it is quiet at this moment, which must be aware."""
        return self._end(at) is not None

    def ends_after(self, at: datetime) -> datetime:
        """The first moment from `at` on that is not quiet, in UTC: `at` itself if it is not."""
        while end := self._end(at):
            at = end
        return at.astimezone(UTC)

    def _end(self, at: datetime) -> datetime | None:
        """When the span ends in which this moment lies, if it lies in one."""
        return max((end for start, end in self._spans(at) if start <= at < end), default=None)

    def _spans(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Every span that this moment could lie in."""
        today = at.astimezone(zone(self.tz)).date()
        first, last = _minutes(self.start), _minutes(self.end)
        if last <= first:
            last += MINUTES_A_DAY
        for back in (0, 1):
            day = today - timedelta(days=back)
            if WEEK[day.weekday()] in self.days:
                yield self._moment(day, first), self._moment(day, last)

    def _moment(self, day: date, minutes: int) -> datetime:
        days, rest = divmod(minutes, MINUTES_A_DAY)
        wall = datetime.combine(day + timedelta(days=days), time(*divmod(rest, 60)))
        return wall.replace(tzinfo=zone(self.tz)).astimezone(UTC)


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _read_time(raw: Any, name: str) -> str:
    if isinstance(raw, str) and (_TIME.fullmatch(raw) or (raw == END_OF_DAY and name == "end")):
        return raw
    raise ValueError(f"The {name} of quiet hours must be a time such as 22:00.")


def _read_zone(raw: Any, default: str) -> str:
    name = default if raw is None else raw
    if not isinstance(name, str) or not name:
        raise ValueError("The tz of quiet hours must be a time zone such as Europe/Berlin.")
    return zone(name).key


def _read_days(raw: Any) -> tuple[str, ...]:
    if raw is None:
        return WEEK
    if not isinstance(raw, list) or not raw or not all(day in WEEK for day in raw):
        raise ValueError(f"The days of quiet hours must be a list out of {', '.join(WEEK)}.")
    return tuple(day for day in WEEK if day in raw)
