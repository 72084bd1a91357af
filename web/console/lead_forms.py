"""What the forms of a lead's page hold, and the words that they offer."""

from __future__ import annotations

from datetime import datetime, timedelta

import marshmallow
from marshmallow import fields, validate

from engine.vocabulary import ActivityKind
from errors import invalid_field
from services.diary_service import NewActivity
from web.console import wording
from web.unit_of_work import resources

LONGEST_NOTE = 4000
LONGEST_WORD = 64
MOST_MINUTES = 24 * 60
KINDS = (
    (ActivityKind.CALL, "Call"),
    (ActivityKind.EMAIL, "E-mail"),
    (ActivityKind.MEETING, "Meeting"),
    (ActivityKind.NOTE, "Note only"),
)
# What came of it; the words of `engine.queue.UNANSWERED` bring a lead back for another try.
OUTCOMES = (
    ("reached", "Reached"),
    ("interested", "Reached, interested"),
    ("call_back", "Reached, wants to be called back"),
    ("not_interested", "Reached, not interested"),
    ("no_answer", "No answer"),
    ("voicemail", "Left a message"),
    ("wrong_number", "Wrong number or address"),
)
METHODS = (
    ("phone", "Phone"),
    ("video", "Video"),
    ("whatsapp", "WhatsApp"),
    ("in_person", "In person"),
)
STATUSES = (("done", "Done"), ("planned", "Planned"), ("cancelled", "Cancelled"))
SNOOZES = (("1h", "1 hour"), ("1d", "1 day"), ("7d", "1 week"))
SPANS = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7)}
# When "tomorrow" begins for whoever calls people.
MORNING = 9


class LocalMoment(fields.Field[datetime]):
    """A `datetime-local` of the reader, as the moment that it names."""

    def _deserialize(self, value: str, attr: object, data: object, **more: object) -> datetime:
        try:
            return wording.from_local(value)
        except ValueError:
            raise marshmallow.ValidationError("This is no date and time.") from None


class ActivityForm(marshmallow.Schema):
    """What somebody did."""

    kind = fields.String(required=True, validate=validate.OneOf([str(one) for one, _ in KINDS]))
    minutes = fields.Float(load_default=None, validate=validate.Range(0, MOST_MINUTES))
    method = fields.String(load_default=None, validate=validate.Length(max=LONGEST_WORD))
    status = fields.String(load_default=None, validate=validate.Length(max=LONGEST_WORD))
    result = fields.String(load_default=None, validate=validate.Length(max=LONGEST_WORD))
    note = fields.String(load_default=None, validate=validate.Length(max=LONGEST_NOTE))
    occurred_at = LocalMoment(load_default=None)


class FollowUpForm(marshmallow.Schema):
    """When somebody means to turn to the lead again."""

    due_at = LocalMoment(required=True)
    reminder = fields.String(load_default=None, validate=validate.Length(max=LONGEST_NOTE))


class MoveForm(marshmallow.Schema):
    """Another moment of a follow-up."""

    due_at = LocalMoment(required=True)


class SnoozeForm(marshmallow.Schema):
    """How long a lead rests: a span of the list, or until a moment."""

    span = fields.String(load_default=None, validate=validate.OneOf(list(SPANS)))
    until = LocalMoment(load_default=None)


class OutcomeForm(marshmallow.Schema):
    """How the sale ended."""

    outcome = fields.String(required=True, validate=validate.OneOf(["won", "lost"]))
    value = fields.Float(load_default=None, validate=validate.Range(0, 1e12))


class RecycleForm(marshmallow.Schema):
    """The campaign in which an ended sale starts anew."""

    campaign = fields.String(required=True, validate=validate.Length(max=255))


class OwnerForm(marshmallow.Schema):
    """Whose lead it is; empty: nobody's."""

    owner = fields.String(load_default=None, validate=validate.Length(max=255))


class StageForm(marshmallow.Schema):
    """The stage that a lead goes to."""

    stage = fields.String(required=True, validate=validate.Length(max=64))


def new_activity(said: dict[str, object]) -> NewActivity:
    """What the diary takes of a form; a note without words is refused."""
    kind, note = str(said["kind"]), said["note"]
    if kind == ActivityKind.NOTE and not note:
        raise invalid_field("note", "A note needs some words.")
    minutes = said["minutes"]
    return NewActivity(
        kind=kind,
        duration=round(minutes * 60) if isinstance(minutes, float) else None,
        method=_text(said["method"]),
        status=_text(said["status"]),
        outcome=_text(said["result"]),
        note=_text(note),
        occurred_at=_moment(said["occurred_at"]),
    )


def rest_until(said: dict[str, object]) -> datetime:
    """The moment until which a form lets a lead rest."""
    until, span = said["until"], said["span"]
    if isinstance(until, datetime):
        return until
    if not isinstance(span, str):
        raise invalid_field("until", "Say until when it is to rest.")
    return resources().clock.now() + SPANS[span]


def tomorrow_morning() -> datetime:
    """Nine o'clock of the reader's next day."""
    today = resources().clock.now().astimezone(wording.time_zone())
    morning = today.replace(tzinfo=None, hour=MORNING, minute=0, second=0, microsecond=0)
    return (morning + timedelta(days=1)).replace(tzinfo=wording.time_zone())


def day_begin() -> datetime:
    """When the reader's day began."""
    today = resources().clock.now().astimezone(wording.time_zone())
    return today.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _moment(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None
