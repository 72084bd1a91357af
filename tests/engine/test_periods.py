"""Whole days in somebody's zone, also where the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.periods import Period, bucket_days, day_number, read_period

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
TODAY = date(2026, 11, 21)
UTC_ZONE = ZoneInfo("UTC")


def _read(name: str, first: str | None = None, last: str | None = None) -> Period:
    return read_period(name, first, last, today=TODAY, zone=UTC_ZONE)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("7d", date(2026, 11, 15), TODAY),
        ("30d", date(2026, 10, 23), TODAY),
        ("month", date(2026, 11, 1), TODAY),
        ("last_month", date(2026, 10, 1), date(2026, 10, 31)),
        ("year", date(2026, 1, 1), TODAY),
    ],
)
def test_a_preset_names_its_days(name: str, first: date, last: date) -> None:
    found = _read(name)

    assert (found.first, found.last) == (first, last)


def test_two_days_of_ones_own_and_as_many_before() -> None:
    found = _read("custom", "2026-11-10", "2026-11-12")

    assert found.days == 3
    assert (found.before.first, found.before.last) == (date(2026, 11, 7), date(2026, 11, 9))
    assert list(found.dates())[1] == date(2026, 11, 11)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("custom", None, "2026-11-12"),
        ("custom", "2026-11-12", "soon"),
        ("custom", "2026-11-12", "2026-11-11"),
        ("custom", "2000-01-01", "2026-11-11"),
        ("custom", "0001-01-01", "0001-01-02"),
        ("custom", "9999-12-30", "9999-12-31"),
        ("ever", None, None),
    ],
)
def test_what_is_no_range_is_refused(name: str, first: str | None, last: str | None) -> None:
    with pytest.raises(ValueError, match=r"[.]$"):
        _read(name, first, last)


def test_a_day_on_which_clocks_change_has_23_or_25_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")

    spring = Period(date(2026, 3, 29), date(2026, 3, 29), berlin)
    autumn = Period(date(2026, 10, 25), date(2026, 10, 25), berlin)

    assert spring.end - spring.start == timedelta(hours=23)
    assert autumn.end - autumn.start == timedelta(hours=25)
    assert spring.offsets() == [
        (datetime(2026, 3, 29, 1, tzinfo=UTC), 3600),
        (spring.end, 7200),
    ]


@given(
    st.sampled_from(ZONES),
    st.dates(date(2024, 1, 1), date(2027, 1, 1)),
    st.integers(1, 200),
    st.floats(0, 0.999999),
)
def test_adding_the_offset_finds_the_day(zone: str, first: date, days: int, place: float) -> None:
    period = Period(first, first + timedelta(days=days - 1), ZoneInfo(zone))
    seconds = int((period.end - period.start).total_seconds() * place)
    moment = period.start + timedelta(seconds=seconds)

    offset = next(offset for until, offset in period.offsets() if moment < until)

    found = (int(moment.timestamp()) + offset) // 86400
    assert found == day_number(moment.astimezone(period.zone).date())


def test_long_curves_are_drawn_by_the_week() -> None:
    assert bucket_days(Period(date(2026, 1, 1), date(2026, 4, 30), UTC_ZONE)) == 1
    assert bucket_days(Period(date(2026, 1, 1), date(2026, 5, 1), UTC_ZONE)) == 7
