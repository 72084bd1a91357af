"""The calendar: follow-ups by month, week and day, and as a list for who has no script."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any

import marshmallow
from flask import Response, jsonify, make_response, url_for
from marshmallow import fields, validate

import errors
from engine.policy import Permission
from services.calendar_service import WAKE, CalendarEntry
from web.console import masking
from web.console.frame import POLICY, Pages, me, read_query, show
from web.console.wording import local_input, time_zone
from web.unit_of_work import resources, services

EVERYBODY, MINE = "everybody", "mine"
DAYS_LISTED = 14
LONGEST_RANGE = timedelta(days=100)

pages = Pages("calendar", __name__)


class CalendarQuery(marshmallow.Schema):
    """From which day on the list goes, and whose follow-ups are shown."""

    class Meta:
        """What else is in an address is not ours."""

        unknown = marshmallow.EXCLUDE

    since = fields.Date(data_key="from", load_default=None)
    whose = fields.String(load_default=None, validate=validate.OneOf([EVERYBODY, MINE]))


class RangeQuery(CalendarQuery):
    """The days that are in view; the calendar writes the reader's own time and calls it UTC."""

    start = fields.DateTime(required=True)
    end = fields.DateTime(required=True)


@pages.page("/calendar", needs=Permission.LEADS_READ)
def calendar() -> Response:
    """The calendar, and below it the days to come."""
    nonce = secrets.token_urlsafe(18)
    text = show("calendar/calendar.html", nonce=nonce, **calendar_context())
    reply = make_response(text)
    # The calendar component writes its own style element, by this word alone, and in it a font.
    styles = POLICY.replace("style-src 'self'", f"style-src 'self' 'nonce-{nonce}'")
    policy = styles.replace("font-src 'self'", "font-src 'self' data:")
    reply.headers["Content-Security-Policy"] = policy
    return reply


@pages.page("/calendar/events", needs=Permission.LEADS_READ)
def events() -> Response:
    """What lies between two moments, for the calendar component."""
    said = read_query(RangeQuery)
    start, end = _moment(said["start"]), _moment(said["end"])
    if not timedelta(0) < end - start <= LONGEST_RANGE:
        raise errors.invalid_field("end", "The calendar shows up to a hundred days at once.")
    found = services().calendar.entries(start, end, of=_of(said["whose"]))
    return jsonify([_event(one) for one in found])


def calendar_context() -> dict[str, Any]:
    """What the page shows below the calendar."""
    said = read_query(CalendarQuery)
    here = resources().clock.now().astimezone(time_zone())
    first = _day(said["since"]) or here.date()
    start, end = _midnight(first), _midnight(first + timedelta(days=DAYS_LISTED))
    ours, of = services().calendar, _of(said["whose"])
    listed = [one for one in ours.entries(start, end, of=of) if not one.is_done]
    overdue = ours.overdue(of=of)
    late = {one.id for one in overdue}
    return {
        "overdue": overdue,
        "days": by_day([one for one in listed if one.kind == WAKE or one.id not in late]),
        "first": first,
        "earlier": first - timedelta(days=DAYS_LISTED),
        "later": first + timedelta(days=DAYS_LISTED),
        "whose": said["whose"] or EVERYBODY,
        "now": f"{here:%Y-%m-%dT%H:%M:%S}",
        "zone": str(time_zone()),
        "masking": masking,
        "writes": me().may(Permission.LEADS_WRITE),
        "feeds": services().calendar_feeds.list_all(me().person_id),
    }


def by_day(entries: Sequence[CalendarEntry]) -> list[tuple[date, list[CalendarEntry]]]:
    """The entries under the days of the reader's own calendar."""

    def its_day(entry: CalendarEntry) -> date:
        return entry.at.astimezone(time_zone()).date()

    return [(one, list(found)) for one, found in groupby(entries, its_day)]


def _of(whose: str | None) -> str | None:
    """Whose entries alone; sales sees its own and those of nobody in any case."""
    return me().email if whose == MINE else None


def _day(wanted: date | None) -> date | None:
    return wanted if wanted and 1900 < wanted.year < 9000 else None


def _midnight(wanted: date) -> datetime:
    return datetime.combine(wanted, time(), tzinfo=time_zone()).astimezone(UTC)


def _moment(said: datetime) -> datetime:
    """The moment of a wall clock in the reader's zone, whatever zone was written beside it."""
    if not 1900 < said.year < 9000:
        raise errors.invalid_field("start", "The calendar does not go that far.")
    return said.replace(tzinfo=time_zone()).astimezone(UTC)


def _event(entry: CalendarEntry) -> dict[str, Any]:
    is_wake = entry.kind == WAKE
    words = (masking.name(entry.name), masking.typed(entry.company))
    who = ", ".join(word for word in words if word) or f"Lead {entry.lead_id}"
    path = f"/console/leads/{entry.lead_id}"
    if not is_wake:
        path = url_for("console_follow_up.entry", lead_id=entry.lead_id, number=entry.id)
    return {
        "id": f"{entry.kind}-{entry.lead_id}-{entry.id}",
        "title": f"Wakes: {who}" if is_wake else who,
        # The reader's wall clock: the component knows no time zones, and need not.
        "start": local_input(entry.at),
        "url": path,
        "editable": not is_wake and not entry.is_done and me().may(Permission.LEADS_WRITE),
        "classNames": [_look(entry)],
        "extendedProps": {"note": masking.typed(entry.note) or ""},
    }


def _look(entry: CalendarEntry) -> str:
    if entry.kind == WAKE:
        return "is-wake"
    if entry.is_done:
        return "is-done"
    if entry.is_overdue:
        return "is-overdue"
    # Its lead is won or lost by now: nobody waits for it any more.
    return "is-over" if entry.at <= resources().clock.now() else "is-waiting"
