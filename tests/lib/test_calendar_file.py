"""Calendar files: UTC moments, one line each, read back by the same rules that others read by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from lib.calendar_file import CANCEL, REQUEST, Entry, write_calendar

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def entry(starts_at: datetime = NOW, **more: Any) -> Entry:
    """An entry of half an hour."""
    said = {"uid": "one@example.com", "summary": "Follow-up: Lena", "stamped_at": NOW, **more}
    ends_at = starts_at.astimezone(UTC) + timedelta(minutes=30)
    return Entry(starts_at=starts_at, ends_at=ends_at, **said)


def read(written: bytes) -> Any:
    """The one event of a file."""
    (event,) = Calendar.from_ical(written).walk("VEVENT")
    return event


@pytest.mark.parametrize(
    ("zone", "wall", "utc"),
    [
        # The hour that is skipped, and the ones around it.
        ("Europe/Berlin", "2026-03-29T01:59", "20260329T005900Z"),
        ("Europe/Berlin", "2026-03-29T02:30", "20260329T013000Z"),
        ("Europe/Berlin", "2026-03-29T03:00", "20260329T010000Z"),
        # The hour that comes twice: the first of both.
        ("Europe/Berlin", "2026-10-25T02:30", "20261025T003000Z"),
        ("Europe/Berlin", "2026-10-25T03:00", "20261025T020000Z"),
        ("America/New_York", "2026-03-08T02:30", "20260308T073000Z"),
        ("America/New_York", "2026-11-01T01:30", "20261101T053000Z"),
        ("America/New_York", "2026-11-01T02:00", "20261101T070000Z"),
    ],
)
def test_a_moment_is_written_in_utc_whatever_the_clocks_do(zone: str, wall: str, utc: str) -> None:
    at = datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone))

    written = write_calendar([entry(at)])

    assert f"DTSTART:{utc}\r\n".encode() in written
    assert read(written)["dtend"].dt - read(written)["dtstart"].dt == timedelta(minutes=30)


def test_both_hours_of_a_night_in_autumn_are_told_apart() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    twice = [datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold) for fold in (0, 1)]

    starts = [read(write_calendar([entry(at)]))["dtstart"].dt for at in twice]

    assert starts[1] - starts[0] == timedelta(hours=1)


@pytest.mark.parametrize(
    "text",
    ["Lena\r\nATTENDEE:mailto:evil@example.com", "a;b,c\\n:d", "\x00\x07x", "😀" * 300, "\u2028y"],
)
def test_hostile_words_are_one_property_and_nothing_else(text: str) -> None:
    written = write_calendar([entry(summary=text, description=text)], method=REQUEST)

    event = read(written)
    assert "attendee" not in event and "\n" not in event["summary"]
    assert b"\x00" not in written and len(event["summary"]) <= 200
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))


def test_an_invitation_and_its_end_name_both_sides_and_the_sequence() -> None:
    sides = {"organizer": "us@example.com", "attendee": "sam@example.com"}

    asked = write_calendar([entry(sequence=2)], method=REQUEST, **sides)
    ended = write_calendar([entry(sequence=3, is_cancelled=True)], method=CANCEL, **sides)

    assert b"METHOD:REQUEST" in asked and b"METHOD:CANCEL" in ended
    assert read(asked)["uid"] == read(ended)["uid"]
    assert (read(asked)["sequence"], read(ended)["sequence"]) == (2, 3)
    assert read(asked)["status"] == "CONFIRMED" and read(ended)["status"] == "CANCELLED"
    assert read(asked)["organizer"] == "mailto:us@example.com"
    assert read(asked)["attendee"] == "mailto:sam@example.com"
    assert b"BEGIN:VALARM" in asked and b"BEGIN:VALARM" not in ended
