"""Tests of engine.quiet_hours: over midnight, by weekday, and when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.quiet_hours import WEEK, QuietHours
from lib.clock import zone

NIGHT = QuietHours("22:00", "07:00")
LUNCH = QuietHours("12:00", "13:30")
# 2026-11-20 was a Friday.
WEEKEND = QuietHours("00:00", "24:00", days=("sat", "sun"))


def at(text: str, tz: str = "UTC") -> datetime:
    """A moment by the clock on the wall of a place."""
    return datetime.fromisoformat(text).replace(tzinfo=zone(tz))


@pytest.mark.parametrize(
    ("quiet", "moment", "end"),
    [
        (NIGHT, "2026-11-20 21:59:59", None),
        (NIGHT, "2026-11-20 22:00", "2026-11-21 07:00"),
        (NIGHT, "2026-11-20 23:59:59", "2026-11-21 07:00"),
        (NIGHT, "2026-11-21 00:00", "2026-11-21 07:00"),
        (NIGHT, "2026-11-21 06:59:59", "2026-11-21 07:00"),
        (NIGHT, "2026-11-21 07:00", None),
        (LUNCH, "2026-11-20 11:59", None),
        (LUNCH, "2026-11-20 12:00", "2026-11-20 13:30"),
        (LUNCH, "2026-11-20 13:30", None),
        (WEEKEND, "2026-11-20 23:59", None),
        (WEEKEND, "2026-11-21 00:00", "2026-11-23 00:00"),
        (WEEKEND, "2026-11-22 18:00", "2026-11-23 00:00"),
        (WEEKEND, "2026-11-23 00:00", None),
        (QuietHours("22:00", "07:00", days=("fri",)), "2026-11-21 06:00", "2026-11-21 07:00"),
        (QuietHours("22:00", "07:00", days=("fri",)), "2026-11-20 06:00", None),
        (QuietHours("22:00", "07:00", days=("sat",)), "2026-11-20 23:00", None),
        (QuietHours("18:00", "18:00", days=("fri",)), "2026-11-21 17:00", "2026-11-21 18:00"),
    ],
)
def test_it_is_quiet_from_the_start_until_before_the_end(
    quiet: QuietHours, moment: str, end: str | None
):
    asked = at(moment)

    assert quiet.is_quiet(asked) is (end is not None)
    assert quiet.ends_after(asked) == (at(end) if end else asked)


def test_the_clock_on_the_wall_of_its_zone_counts():
    quiet = QuietHours("22:00", "07:00", "Asia/Kolkata")

    assert quiet.is_quiet(at("2026-11-20 17:00"))
    assert not quiet.is_quiet(at("2026-11-20 16:00"))
    assert quiet.ends_after(at("2026-11-20 17:00")) == at("2026-11-21 01:30")
    assert quiet.ends_after(at("2026-11-20 17:00")).tzinfo is UTC
    assert quiet.ends_after(at("2026-11-20 12:00", "Asia/Kolkata")).tzinfo is UTC
    assert quiet.ends_after(at("2026-11-20 22:30", "Asia/Kolkata")) == at("2026-11-21 01:30")


# New York: 02:00 to 03:00 does not exist on 2026-03-08, 01:00 to 02:00 comes twice on 2026-11-01.


@pytest.mark.parametrize(
    ("start", "end", "moment", "ends"),
    [
        # An hour shorter, an hour longer, always until seven on the wall.
        ("22:00", "07:00", "2026-03-08 03:30", "2026-03-08 11:00"),
        ("22:00", "07:00", "2026-11-01 03:30", "2026-11-01 12:00"),
        ("22:00", "07:00", "2026-03-08 11:00", None),
        # 02:30 is skipped: by the offset before the gap it is 03:30.
        ("22:00", "02:30", "2026-03-08 07:15", "2026-03-08 07:30"),
        ("22:00", "02:30", "2026-03-08 07:30", None),
        ("02:30", "05:00", "2026-03-08 07:15", None),
        ("02:30", "05:00", "2026-03-08 07:30", "2026-03-08 09:00"),
        # A span that the gap swallows whole.
        ("02:15", "03:00", "2026-03-08 07:10", None),
        # 01:30 comes twice: the first of the two.
        ("22:00", "01:30", "2026-11-01 05:29", "2026-11-01 05:30"),
        ("22:00", "01:30", "2026-11-01 06:10", None),
        ("01:30", "05:00", "2026-11-01 06:10", "2026-11-01 10:00"),
    ],
)
def test_the_night_on_which_the_clocks_change(start: str, end: str, moment: str, ends: str | None):
    quiet, asked = QuietHours(start, end, "America/New_York"), at(moment)

    assert quiet.is_quiet(asked) is (ends is not None)
    assert quiet.ends_after(asked) == (at(ends) if ends else asked)


# Reading


@pytest.mark.parametrize(
    ("raw", "quiet"),
    [
        ({"start": "22:00", "end": "07:00"}, NIGHT),
        ({"start": "22:00", "end": "07:00", "tz": None, "days": None}, NIGHT),
        (
            {"start": "00:00", "end": "24:00", "days": ["sun", "sat", "sun"]},
            WEEKEND,
        ),
        (
            {"start": "09:05", "end": "23:59", "tz": "Europe/Berlin"},
            QuietHours("09:05", "23:59", "Europe/Berlin"),
        ),
    ],
)
def test_what_people_write_is_read(raw: Any, quiet: QuietHours):
    assert QuietHours.parse(raw) == quiet
    assert QuietHours.parse(quiet.to_plain()) == quiet


def test_the_zone_of_the_workspace_counts_where_none_is_named():
    quiet = QuietHours.parse({"start": "01:00", "end": "07:00"}, tz="Asia/Tokyo")

    assert quiet.tz == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (None, "Write quiet hours like"),
        ("22:00-07:00", "Write quiet hours like"),
        ({}, "start"),
        ({"start": "22:00"}, "end"),
        ({"start": 22, "end": "07:00"}, "start"),
        ({"start": "24:00", "end": "07:00"}, "start"),
        ({"start": "7:00", "end": "08:00"}, "start"),
        ({"start": "22:60", "end": "07:00"}, "start"),
        ({"start": "22:00\n", "end": "07:00"}, "start"),
        ({"start": "22:00", "end": "24:01"}, "end"),
        ({"start": "٢٢:00", "end": "07:00"}, "start"),
        ({"start": "22:00", "end": "22:00"}, "another time"),
        ({"start": "00:00", "end": "24:00"}, "leave some time"),
        ({"start": "22:00", "end": "07:00", "tz": "Mars/Base"}, "time zone"),
        ({"start": "22:00", "end": "07:00", "tz": "../../etc/passwd"}, "time zone"),
        ({"start": "22:00", "end": "07:00", "tz": ""}, "time zone"),
        ({"start": "22:00", "end": "07:00", "tz": 5}, "time zone"),
        ({"start": "22:00", "end": "07:00", "days": []}, "days"),
        ({"start": "22:00", "end": "07:00", "days": "sat"}, "days"),
        ({"start": "22:00", "end": "07:00", "days": ["Saturday"]}, "days"),
        ({"start": "22:00", "end": "07:00", "days": [["sat"]]}, "days"),
        ({"start": "22:00", "end": "07:00", "until": "08:00"}, "no until"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(raw: Any, word: str):
    with pytest.raises(ValueError, match=word) as caught:
        QuietHours.parse(raw)

    assert str(caught.value).endswith((".", "}."))


def test_a_long_name_is_not_repeated_in_full():
    with pytest.raises(ValueError, match="Quiet hours have no") as caught:
        QuietHours.parse({"x" * 10_000: 1})

    assert len(str(caught.value)) < 200


# At any moment, in any zone

TIMES = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
ZONES = st.sampled_from(
    ["UTC", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]
)
HOURS = st.builds(
    QuietHours,
    TIMES,
    TIMES,
    ZONES,
    st.lists(st.sampled_from(WEEK), min_size=1, max_size=6, unique=True).map(tuple),
)
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))


@given(HOURS, MOMENTS)
def test_the_end_is_the_first_moment_that_is_not_quiet(quiet: QuietHours, moment: datetime):
    end = quiet.ends_after(moment)

    assert not quiet.is_quiet(end)
    assert quiet.is_quiet(moment) is (end > moment)
    assert end - moment <= timedelta(days=8)
    if end > moment:
        assert quiet.is_quiet(end - timedelta(microseconds=1))
        assert quiet.is_quiet(moment + (end - moment) / 2)


@given(TIMES, TIMES, MOMENTS)
def test_without_clock_changes_the_wall_decides(start: str, end: str, moment: datetime):
    wall = moment.strftime("%H:%M")

    expected = start <= wall < end if start < end else wall >= start or wall < end

    assert QuietHours(start, end).is_quiet(moment) is expected
