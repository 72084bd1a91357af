"""One follow-up: set it, move it, finish it, rest, and take it along in one's own calendar."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import marshmallow
from flask import Response, request, url_for
from marshmallow import fields, validate

import errors
from engine.policy import Permission
from lib.ids import is_ascii_id
from services.lead_list import Filter
from web.console import masking
from web.console.frame import Pages, go_to, is_htmx, me, read, read_query, show, trouble
from web.console.notes import say
from web.console.wording import from_local, local_input, moment, time_zone
from web.unit_of_work import resources, services

LONGEST_NOTE = 2000
FOUND_AT_ONCE = 20
NO_MOMENT = "A day and a time, please, such as 2026-11-21 15:30."
ONE = "/calendar/<lead_id>/<number>"

pages = Pages("follow_up", __name__)


class LocalMoment(fields.Field[datetime]):
    """A moment as a `datetime-local` field of the reader names it."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        try:
            found = from_local(str(value))
        except (ValueError, OverflowError):
            raise marshmallow.ValidationError(NO_MOMENT) from None
        return found


class NewQuery(marshmallow.Schema):
    """For when, and for whom: words of a name, an address or a company."""

    class Meta:
        """What else is in an address is not ours."""

        unknown = marshmallow.EXCLUDE

    at = fields.String(load_default="", validate=validate.Length(max=32))
    q = fields.String(load_default=None, validate=validate.Length(max=200))
    lead = fields.Integer(load_default=None, validate=validate.Range(1, 2**63 - 1))


class FollowUpIn(marshmallow.Schema):
    """A new follow-up of a lead."""

    lead = fields.Integer(
        required=True,
        validate=validate.Range(1, 2**63 - 1),
        error_messages={"required": "Choose the lead."},
    )
    due_at = LocalMoment(required=True, error_messages={"required": NO_MOMENT})
    note = fields.String(load_default=None, validate=validate.Length(max=LONGEST_NOTE))


class MoveIn(marshmallow.Schema):
    """Another moment; `shown` is the one that the form showed."""

    due_at = LocalMoment(required=True, error_messages={"required": NO_MOMENT})
    shown = fields.AwareDateTime(load_default=None)


class SnoozeIn(marshmallow.Schema):
    """Until when the lead rests: a choice, else the moment that was typed."""

    rest = fields.String(load_default=None, validate=validate.OneOf(["hour", "day", "week"]))
    until = LocalMoment(load_default=None)


@pages.page("/calendar/new", needs=Permission.LEADS_WRITE)
def new() -> str:
    """The form of a new follow-up: first the lead is looked for, then the moment is set."""
    said = read_query(NewQuery)
    found = services().lead_list.list_leads(
        Filter(q=said["q"], limit=FOUND_AT_ONCE, sort="-last_activity")
    )
    chosen = trouble().typed.get("lead", [str(said["lead"] or "")])[-1]
    return show(
        "calendar/new.html",
        found=found["leads"],
        is_more=found["next_cursor"] is not None,
        q=said["q"] or "",
        at=_typed_moment(said["at"]) or local_input(_tomorrow()),
        chosen=chosen,
        zone=str(time_zone()),
    )


@pages.page("/calendar/new", methods=("POST",), needs=Permission.LEADS_WRITE, again=new)
def set_follow_up() -> Response:
    """A new follow-up."""
    data = read(FollowUpIn)
    found = services().diary.set_follow_up(
        data["lead"], data["due_at"], note=data["note"], actor=me().email
    )
    say(f"Set for {_words(data['due_at'])}.")
    return go_to(".entry", lead_id=data["lead"], number=found["id"])


@pages.page(ONE, needs=Permission.LEADS_READ)
def entry(lead_id: str, number: str) -> str:
    """One follow-up with all that can be done about it."""
    lead, follow_up = _numbers(lead_id, number)
    ours = services().calendar
    found = ours.find_entry(lead, follow_up)
    return show(
        "calendar/entry.html",
        entry=found,
        masking=masking,
        writes=me().may(Permission.LEADS_WRITE),
        reads=me().may(Permission.LEADS_PERSONAL),
        is_invited=ours.is_invited(follow_up, lead, me().person_id),
        can_mail=ours.mail.is_possible(),
        shown=found.at.isoformat(),
        soon=local_input(_tomorrow()),
        zone=str(time_zone()),
    )


@pages.page(f"{ONE}/move", methods=("POST",), needs=Permission.LEADS_WRITE, again=entry)
def move(lead_id: str, number: str) -> Response:
    """A follow-up at another moment."""
    data, (lead, follow_up) = read(MoveIn), _numbers(lead_id, number)
    before = services().calendar.find_entry(lead, follow_up).at
    after = data["due_at"]
    if data["shown"] is not None and local_input(data["shown"]) == local_input(after):
        # Of an hour that comes twice the form names the first; who changed nothing moves nothing.
        after = data["shown"]
    services().diary.move_follow_up(lead, follow_up, after, actor=me().email)
    undo = url_for(".move_back", lead_id=lead_id, number=number, to=before.isoformat())
    say(f"Moved to {_words(after)}.", undo=undo)
    return _done(lead_id, number)


@pages.page(f"{ONE}/back", methods=("POST",), needs=Permission.LEADS_WRITE)
def move_back(lead_id: str, number: str) -> Response:
    """A move undone."""
    lead, follow_up = _numbers(lead_id, number)
    try:
        to = datetime.fromisoformat(request.args.get("to", ""))
    except ValueError:
        raise errors.Malformed("This request cannot be read.") from None
    if to.tzinfo is None:
        raise errors.Malformed("This request cannot be read.")
    services().diary.move_follow_up(lead, follow_up, to, actor=me().email)
    say(f"Back at {_words(to)}.")
    return _done(lead_id, number)


@pages.page(f"{ONE}/done", methods=("POST",), needs=Permission.LEADS_WRITE)
def finish(lead_id: str, number: str) -> Response:
    """A follow-up that is done."""
    lead, follow_up = _numbers(lead_id, number)
    services().diary.finish_follow_up(lead, follow_up, actor=me().email)
    say("Done.")
    return go_to("console_calendar.calendar")


@pages.page(f"{ONE}/snooze", methods=("POST",), needs=Permission.LEADS_WRITE, again=entry)
def snooze(lead_id: str, number: str) -> Response:
    """The lead rests until a moment of one's choice."""
    data, (lead, _) = read(SnoozeIn), _numbers(lead_id, number)
    until = _rest(data["rest"]) if data["rest"] else data["until"]
    if until is None:
        raise errors.invalid_field("until", NO_MOMENT)
    services().pipeline.snooze(lead, until, actor=me().email)
    say(f"The lead rests until {_words(until)}.")
    return _done(lead_id, number)


@pages.page(f"{ONE}/invite", methods=("POST",), needs=Permission.LEADS_WRITE, again=entry)
def invite(lead_id: str, number: str) -> Response:
    """An invitation to one's own address; moved or done, the calendar hears of it."""
    lead, follow_up = _numbers(lead_id, number)
    services().calendar.invite(lead, follow_up, me().person_id)
    say(f"An invitation is on its way to {me().email}.")
    return _done(lead_id, number)


@pages.page(f"{ONE}/follow-up.ics", needs=Permission.LEADS_PERSONAL)
def file(lead_id: str, number: str) -> Response:
    """The follow-up as a file for any calendar."""
    written = services().calendar.file_of(*_numbers(lead_id, number))
    reply = Response(written, mimetype="text/calendar")
    reply.headers["Content-Disposition"] = 'attachment; filename="follow-up.ics"'
    return reply


def _numbers(lead_id: str, number: str) -> tuple[int, int]:
    lead, follow_up = is_ascii_id(lead_id), is_ascii_id(number)
    if lead is None or follow_up is None:
        raise errors.NotFound("This lead has no such follow-up.", code="unknown_follow_up")
    return lead, follow_up


def _done(lead_id: str, number: str) -> Response:
    return Response(status=204) if is_htmx() else go_to(".entry", lead_id=lead_id, number=number)


def _words(at: datetime) -> str:
    return moment(at).striptags()


def _typed_moment(text: str) -> str:
    """What a click on the calendar named, as the form's field holds it; a day begins at nine."""
    try:
        found = datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return ""
    return f"{found.replace(hour=9) if len(text) == 10 else found:%Y-%m-%dT%H:%M}"


def _tomorrow() -> datetime:
    """Nine o'clock of the reader's next day, whatever the clocks do in between."""
    return _rest("day")


def _rest(choice: str) -> datetime:
    now = resources().clock.now()
    if choice == "hour":
        return now + timedelta(hours=1)
    later = now.astimezone(time_zone()) + timedelta(days=1 if choice == "day" else 7)
    # On the wall clock: a day on which the clocks change is one day all the same.
    return from_local(f"{later:%Y-%m-%d}T09:00")
