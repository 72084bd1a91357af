"""What time it is, and how moments and days are written and read."""

from __future__ import annotations

import re
import threading
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo, available_timezones

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?"
)
LONGEST_MOMENT = 40
# Wide enough for anybody's "everything", far enough from the ends of datetime that no zone's
# offset and no "day after" can overflow.
FIRST_YEAR, LAST_YEAR = 1900, 9998


class Clock(Protocol):
    """Anything that can say what time it is."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return datetime.now(UTC)


class SettableClock:
    """A clock that stands still until it is told to move; safe to share between threads."""

    def __init__(self, start: datetime) -> None:
        self._lock = threading.Lock()
        self._moment = _in_utc(start)

    def now(self) -> datetime:
        """The moment it was last set to, aware, in UTC."""
        with self._lock:
            return self._moment

    def set(self, moment: datetime) -> None:
        """Makes it this moment, be it earlier or later."""
        with self._lock:
            self._moment = _in_utc(moment)

    def advance(self, seconds: float) -> None:
        """Moves it on by so many seconds."""
        with self._lock:
            self._moment += timedelta(seconds=seconds)


def iso(moment: datetime, timespec: str = "milliseconds") -> str:
    """An aware moment as ISO 8601 in UTC: `2026-11-21T09:42:58.123Z`."""
    return _in_utc(moment).isoformat(timespec=timespec).removesuffix("+00:00") + "Z"


def zone(name: str | None) -> ZoneInfo:
    """The time zone of this IANA name, UTC for none; ValueError if there is no such zone."""
    # Only names of the catalogue: ZoneInfo itself would try to open whatever path it is given.
    if not name:
        return ZoneInfo("UTC")
    if name not in _zone_names():
        raise ValueError("There is no such time zone; use a name such as Europe/Berlin.")
    return ZoneInfo(name)


def zone_places() -> list[tuple[str, str]]:
    """Time zones by the names people know; old names and pure offsets are left out."""
    places = sorted(name for name in _zone_names() if _is_place(name))
    return [(name, name.replace("_", " ")) for name in places]


def day_range(
    from_: str | None, to: str | None, zone_name: str | None = None
) -> tuple[datetime | None, datetime | None]:
    """A filter's `from` and `to` as UTC bounds, the end exclusive; ValueError says what is wrong.

    Each is a date, which means that whole day in the zone, or a date-time, which means that
    moment (read in the zone if it carries no offset; as `to` it is itself left out).
    """
    local = zone(zone_name)
    start = _bound("from", from_, local, days=0)
    end = _bound("to", to, local, days=1)
    if start and end and start > end:
        raise ValueError("`from` must not be later than `to`.")
    return start, end


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def _is_place(name: str) -> bool:
    area = name.partition("/")[0]
    return "/" in name and area not in ("Etc", "SystemV", "US", "posix", "right")


def _bound(name: str, text: str | None, local: ZoneInfo, *, days: int) -> datetime | None:
    """The moment a bound means; a date counts from its midnight, `days` later."""
    if not text:
        return None
    try:
        if len(text) <= LONGEST_MOMENT and DATE.fullmatch(text):
            midnight = datetime.combine(date.fromisoformat(text), time(), tzinfo=local)
            return _in_range(midnight, days=days)
        if len(text) <= LONGEST_MOMENT and MOMENT.fullmatch(text):
            moment = datetime.fromisoformat(text)
            return _in_range(moment if moment.tzinfo else moment.replace(tzinfo=local), days=0)
    except (ValueError, OverflowError):
        pass
    raise ValueError(
        f"`{name}` must be a date such as 2026-11-21 or an ISO 8601 date-time"
        f" in the years {FIRST_YEAR} to {LAST_YEAR}."
    )


def _in_range(moment: datetime, *, days: int) -> datetime:
    """The moment in UTC, so many calendar days later in its own zone."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError("year out of range")
    # Adding to an aware datetime moves the wall clock, so a day of 23 or 25 hours is one day.
    return (moment + timedelta(days=days)).astimezone(UTC)


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError("A moment needs a time zone.")
    return moment.astimezone(UTC)
