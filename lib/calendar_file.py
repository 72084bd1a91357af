"""Calendar files (RFC 5545): entries for a download, an invitation by mail, or a feed.

Every moment is written in UTC. An entry here is one moment and never repeats, so no calendar needs
to know the rules of the writer's time zone, and no change of clocks can move it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from icalendar import Alarm, Calendar, Event, vCalAddress

from lib.text import shorten, strip_controls

MAKER = "-//Leadline//Leadline//EN"
REQUEST, CANCEL, PUBLISH = "REQUEST", "CANCEL", "PUBLISH"
# How long before its beginning a calendar says that something is near.
NOTICE = timedelta(minutes=10)
LONGEST_SUMMARY, LONGEST_TEXT = 200, 2000


@dataclass(frozen=True)
class Entry:
    """One thing that somebody means to do at a moment."""

    # The same for ever; by it and the sequence a calendar knows a moved entry again.
    uid: str
    starts_at: datetime
    ends_at: datetime
    summary: str
    stamped_at: datetime
    sequence: int = 0
    description: str = ""
    url: str = ""
    is_cancelled: bool = False


def write_calendar(
    entries: Iterable[Entry],
    *,
    method: str | None = None,
    name: str = "",
    organizer: str = "",
    attendee: str = "",
) -> bytes:
    """The file of these entries; addresses are those of an invitation."""
    calendar = Calendar()
    calendar.add("prodid", MAKER)
    calendar.add("version", "2.0")
    if method:
        calendar.add("method", method)
    if name:
        calendar.add("x-wr-calname", _line(name))
    for entry in entries:
        event = _event(entry)
        if organizer:
            event.add("organizer", vCalAddress(f"mailto:{organizer}"))
        if attendee:
            event.add("attendee", _attendee(attendee))
        calendar.add_component(event)
    written: bytes = calendar.to_ical()
    return written


def _event(entry: Entry) -> Event:
    event = Event()
    event.add("uid", entry.uid)
    event.add("dtstamp", entry.stamped_at.astimezone(UTC))
    event.add("dtstart", entry.starts_at.astimezone(UTC))
    event.add("dtend", entry.ends_at.astimezone(UTC))
    event.add("summary", _line(entry.summary))
    event.add("sequence", entry.sequence)
    event.add("status", "CANCELLED" if entry.is_cancelled else "CONFIRMED")
    if entry.description:
        text = strip_controls(entry.description, keep_lines=True)
        event.add("description", shorten(text, LONGEST_TEXT))
    if entry.url:
        event.add("url", entry.url)
    if not entry.is_cancelled:
        event.add_component(_alarm())
    return event


def _alarm() -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("trigger", -NOTICE)
    alarm.add("description", "Follow-up")
    return alarm


def _attendee(address: str) -> vCalAddress:
    found = vCalAddress(f"mailto:{address}")
    found.params["ROLE"] = "REQ-PARTICIPANT"
    found.params["PARTSTAT"] = "NEEDS-ACTION"
    found.params["RSVP"] = "FALSE"
    return found


def _line(text: str) -> str:
    return shorten(" ".join(strip_controls(text).split()), LONGEST_SUMMARY)
