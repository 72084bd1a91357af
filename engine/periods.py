"""Stretches of whole days in somebody's time zone, and the stretch before to compare with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LONGEST = 3660
DAY = 86400
EARLIEST, LATEST = date(2000, 1, 1), date(2999, 12, 31)
PRESETS = {
    "7d": "Last 7 days",
    "28d": "Last 28 days",
    "30d": "Last 30 days",
    "90d": "Last 90 days",
    "month": "This month",
    "last_month": "Last month",
    "year": "This year",
    "custom": "From … to …",
}
DEFAULT = "30d"
_BACK = {"7d": 7, "28d": 28, "30d": 30, "90d": 90}


@dataclass(frozen=True)
class Period:
    """The days from the first to the last, both whole, as a clock in this zone counts them."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def days(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1

    @property
    def start(self) -> datetime:
        """The moment at which the first day begins."""
        return _midnight(self.first, self.zone)

    @property
    def end(self) -> datetime:
        """The moment at which the last day is over."""
        return _midnight(self.last + timedelta(days=1), self.zone)

    @property
    def before(self) -> Period:
        """As many days, right before."""
        length = timedelta(days=self.days)
        return Period(self.first - length, self.last - length, self.zone)

    def dates(self) -> Iterator[date]:
        """Each day."""
        return (self.first + timedelta(days=number) for number in range(self.days))

    def offsets(self) -> list[tuple[datetime, int]]:
        """The zone's offsets from UTC in seconds, each with the moment until which it holds.

        With these a database without time zones finds the day of a moment by adding.
        """
        found: list[tuple[datetime, int]] = []
        for day in self.dates():
            start, end = (_midnight(day + timedelta(days=n), self.zone) for n in (0, 1))
            if _offset(start, self.zone) != _offset(end, self.zone):
                found.append((_changed(start, end, self.zone), _offset(start, self.zone)))
        last = self.end - timedelta(seconds=1)
        return [*found, (self.end, _offset(last, self.zone))]


def read_period(
    name: str, first: str | None, last: str | None, *, today: date, zone: ZoneInfo
) -> Period:
    """The period of a preset, or of two dates; ValueError says what is wrong with them."""
    if name == "custom":
        return _custom(first, last, zone)
    if name in _BACK:
        return Period(today - timedelta(days=_BACK[name] - 1), today, zone)
    start = today.replace(day=1)
    if name == "month":
        return Period(start, today, zone)
    if name == "last_month":
        end = start - timedelta(days=1)
        return Period(end.replace(day=1), end, zone)
    if name == "year":
        return Period(today.replace(month=1, day=1), today, zone)
    raise ValueError("There is no such range of days.")


def day_number(day: date) -> int:
    """The days since 1970 began."""
    return (day - date(1970, 1, 1)).days


def bucket_days(period: Period) -> int:
    """How many days a point of a curve stands for, so that it stays readable."""
    return 1 if period.days <= 120 else 7


def _custom(first: str | None, last: str | None, zone: ZoneInfo) -> Period:
    try:
        start, end = date.fromisoformat(first or ""), date.fromisoformat(last or "")
    except ValueError:
        raise ValueError("Give both days, such as 2026-11-21.") from None
    if end < start:
        raise ValueError("The last day must not lie before the first.")
    if (end - start).days >= LONGEST or not EARLIEST <= start <= end <= LATEST:
        raise ValueError("Choose at most ten years.")
    return Period(start, end, zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def _offset(moment: datetime, zone: ZoneInfo) -> int:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None, "a moment in a zone has an offset"
    return int(offset.total_seconds())


def _changed(start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """The second at which the clocks changed between two moments (once, as clocks do in a day)."""
    low, high, before = int(start.timestamp()), int(end.timestamp()), _offset(start, zone)
    while high - low > 1:
        middle = (low + high) // 2
        at = datetime.fromtimestamp(middle, UTC)
        low, high = (middle, high) if _offset(at, zone) == before else (low, middle)
    return datetime.fromtimestamp(high, UTC)
