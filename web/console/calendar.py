"""The calendar: follow-ups by month, week and day, and as a list for who has no script."""

from __future__ import annotations

import secrets
from datetime import date, datetime, timedelta
from typing import Any

import marshmallow
from flask import Response, jsonify, make_response, url_for
from marshmallow import fields, validate

import errors
from engine.periods import Period
from engine.policy import Permission
from services.calendar_days import CalendarDays, Day
from services.calendar_service import WAKE, CalendarEntry
from web.console import masking
from web.console.frame import POLICY, Pages, me, read_query, show
from web.console.wording import local_input, time_zone
from web.unit_of_work import resources, services

EVERYBODY, MINE = "everybody", "mine"
DAYS_LISTED, MOST_DAYS_LISTED = 14, 31
LONGEST_RANGE = timedelta(days=100)
# Of each day so many entries are listed where several days are, and where it is one alone.
LISTED_OF_A_DAY, WHOLE_DAY = 15, 1000
# Of the overdue ones so many are seen at first, with each further click, and at most.
LATE_FIRST, LATE_MORE, MOST_LATE = 8, 100, 1000
# Of each day so many are drawn: in a day, in a week, in whatever is longer.
MOST_OF_A_DAY = ((1, WHOLE_DAY), (7, 30), (1000, 4))

pages = Pages("calendar", __name__)


class CalendarQuery(marshmallow.Schema):
    """From which day on the list goes, and whose follow-ups are shown."""

    class Meta:
        """What else is in an address is not ours."""

        unknown = marshmallow.EXCLUDE

    since = fields.Date(data_key="from", load_default=None)
    whose = fields.String(load_default=None, validate=validate.OneOf([EVERYBODY, MINE]))


class AgendaQuery(CalendarQuery):
    """How many days are listed, and how many of what is overdue."""

    days = fields.Integer(load_default=DAYS_LISTED, validate=validate.Range(1, MOST_DAYS_LISTED))
    late = fields.Integer(load_default=LATE_FIRST, validate=validate.Range(1, MOST_LATE))


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
    start, end = _wall(said["start"]), _wall(said["end"])
    if not timedelta(0) < end - start <= LONGEST_RANGE:
        raise errors.invalid_field("end", "The calendar shows up to a hundred days at once.")
    period = Period(start.date(), (end - timedelta(microseconds=1)).date(), time_zone())
    days = period.days
    most = next(most for longest, most in MOST_OF_A_DAY if days <= longest)
    found = services().make(CalendarDays).find(period, most=most, of=_of(said["whose"]))
    return jsonify([one for day in found for one in _events(day, said["whose"])])


def calendar_context() -> dict[str, Any]:
    """What the page shows below the calendar."""
    said = read_query(AgendaQuery)
    here = resources().clock.now().astimezone(time_zone())
    first, length = _day(said["since"]) or here.date(), said["days"]
    ours, of = services().make(CalendarDays), _of(said["whose"])
    most = WHOLE_DAY if length == 1 else LISTED_OF_A_DAY
    period = Period(first, first + timedelta(days=length - 1), time_zone())
    overdue, late = ours.overdue(most=said["late"], of=of)
    return {
        "overdue": overdue,
        "late": late,
        "more_late": min(said["late"] + LATE_MORE, MOST_LATE) if len(overdue) < late else None,
        "days": ours.find(period, most=most, of=of, is_waiting=True),
        "first": first,
        "last": period.last,
        "length": length,
        "earlier": first - timedelta(days=length),
        "later": first + timedelta(days=length),
        "whose": said["whose"] or EVERYBODY,
        "now": f"{here:%Y-%m-%dT%H:%M:%S}",
        "zone": str(time_zone()),
        "masking": masking,
        "writes": me().may(Permission.LEADS_WRITE),
        "feeds": services().calendar_feeds.list_all(me().person_id),
    }


def _of(whose: str | None) -> str | None:
    """Whose entries alone; sales sees its own and those of nobody in any case."""
    return me().email if whose == MINE else None


def _day(wanted: date | None) -> date | None:
    return wanted if wanted and 1900 < wanted.year < 9000 else None


def _wall(said: datetime) -> datetime:
    """A wall clock of the reader's, whatever zone was written beside it."""
    if not 1900 < said.year < 9000:
        raise errors.invalid_field("start", "The calendar does not go that far.")
    return said.replace(tzinfo=None)


def _events(day: Day, whose: str | None) -> list[dict[str, Any]]:
    """The entries of a day, and behind the last of them how many more there are."""
    shown = [_event(one) for one in day.entries]
    if day.more:
        query: dict[str, Any] = {"whose": whose, "days": 1, "from": day.date}
        path = url_for("console_calendar.calendar", **query)
        more = {
            "id": f"more-{day.date}",
            "title": f"+{day.more:,} more",
            "start": shown[-1]["start"],
            "url": f"{path}#agenda",
            "editable": False,
            "classNames": ["is-more"],
            "extendedProps": {"note": "", "rank": 1},
        }
        shown.append(more)
    return shown


def _event(entry: CalendarEntry) -> dict[str, Any]:
    is_wake = entry.kind == WAKE
    name = masking.label(entry.name, entry.lead_id, entry.company)
    about = masking.typed(entry.company) if entry.name else None
    who = f"{name}, {about}" if about else name
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
        "extendedProps": {"note": masking.typed(entry.note) or "", "rank": 0},
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
