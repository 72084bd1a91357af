"""Tests of lib.clock: moments, days in zones, and what is no date."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from lib.clock import SettableClock, SystemClock, day_range, iso


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_the_system_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_a_settable_clock_moves_only_when_told() -> None:
    clock = SettableClock(datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == utc(2026, 1, 1) and clock.now().tzinfo is UTC

    clock.advance(90.5)
    assert clock.now() == utc(2026, 1, 1, 0, 1, 30, 500000)

    clock.set(utc(2025, 1, 1))
    assert clock.now() == utc(2025, 1, 1)


def test_a_settable_clock_loses_no_advance_between_threads() -> None:
    clock = SettableClock(utc(2026, 1, 1))
    threads = [
        threading.Thread(target=lambda: [clock.advance(1) for _ in range(1000)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert clock.now() == utc(2026, 1, 1) + timedelta(seconds=8000)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError):
        iso(datetime(2026, 1, 1))
    with pytest.raises(ValueError):
        SettableClock(datetime(2026, 1, 1))


def test_iso_is_in_utc_with_milliseconds_and_z() -> None:
    moment = datetime(2026, 11, 21, 15, 12, 58, 123999, timezone(timedelta(hours=5, minutes=30)))

    assert iso(moment) == "2026-11-21T09:42:58.123Z"
    assert iso(moment, "seconds") == "2026-11-21T09:42:58Z"
    assert iso(utc(2026, 1, 1)) == "2026-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("from_", "to", "zone", "start", "end"),
    [
        (None, None, None, None, None),
        ("", "", "", None, None),
        ("2026-11-21", None, None, utc(2026, 11, 21), None),
        (None, "2026-11-21", None, None, utc(2026, 11, 22)),
        ("2026-12-31", "2026-12-31", "UTC", utc(2026, 12, 31), utc(2027, 1, 1)),
        ("2026-01-05", None, "Asia/Kolkata", utc(2026, 1, 4, 18, 30), None),
        # Days of 23 and of 25 hours.
        ("2026-03-29", "2026-03-29", "Europe/Berlin", utc(2026, 3, 28, 23), utc(2026, 3, 29, 22)),
        ("2026-10-25", "2026-10-25", "Europe/Berlin", utc(2026, 10, 24, 22), utc(2026, 10, 25, 23)),
        # A midnight that never was, and a day that never was.
        ("2018-11-04", None, "America/Sao_Paulo", utc(2018, 11, 4, 3), None),
        ("2011-12-30", "2011-12-30", "Pacific/Apia", utc(2011, 12, 30, 10), utc(2011, 12, 30, 10)),
        ("2026-11-21T10:00:00Z", "2026-11-21T12:00:00+02:00", "Asia/Tokyo")
        + (utc(2026, 11, 21, 10), utc(2026, 11, 21, 10)),
        ("2026-11-21T09:00", None, "Asia/Tokyo", utc(2026, 11, 21), None),
        (None, "2026-11-21 09:00:00.123456789", None, None, utc(2026, 11, 21, 9, 0, 0, 123456)),
        ("1900-01-01", "9998-12-31", "Pacific/Kiritimati")
        + (utc(1900, 1, 1, 10, 29, 20), utc(9998, 12, 31, 10)),
    ],
)
def test_a_filter_means_whole_days_in_its_zone(
    from_: str | None,
    to: str | None,
    zone: str | None,
    start: datetime | None,
    end: datetime | None,
) -> None:
    assert day_range(from_, to, zone) == (start, end)


@pytest.mark.parametrize(
    "text",
    ["2026-02-30", "2026-13-01", "21.11.2026", "20261121", "2026-W47-6", "2026-1-1", "tomorrow"]
    + ["2026-11-21Z", "2026-11-21T25:00", "2026-11-21T10:00+99:00", "2026-11-21T10:00 05:30"]
    + ["0000-01-01", "0001-01-01", "1899-12-31", "9999-12-31", "10000-01-01", "-2026-01-01"]
    + ["٢٠٢٦-١١-٢١", "2026-11-21\n", " 2026-11-21", "2026-11-21\x00", "\ud800", "9" * 5000],
)
def test_what_is_no_date_is_refused_with_one_sentence(text: str) -> None:
    for bounds in ((text, None), (None, text)):
        with pytest.raises(ValueError, match=r"^`(from|to)` must be a date .*\.$"):
            day_range(*bounds, "Europe/Berlin")


@pytest.mark.parametrize(
    "name",
    ["Mars/Olympus", "Etc/../x", "../../etc/passwd", "/etc/localtime", "America", "tzdata.zi"]
    + ["UTC\x00", "\ud800", "europe/nowhere", "Z" * 10000, " UTC", "."],
)
def test_what_is_no_zone_is_refused_with_one_sentence(name: str) -> None:
    with pytest.raises(ValueError, match=r"^There is no such time zone"):
        day_range("2026-11-21", None, name)


def test_an_end_before_its_start_is_refused() -> None:
    with pytest.raises(ValueError, match="later"):
        day_range("2026-11-22", "2026-11-20", None)
