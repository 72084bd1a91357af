"""Every JSON shape on the wire, in the chapters of web/api."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import EXCLUDE, INCLUDE, Schema, ValidationError, fields, post_load, validate

from engine.vocabulary import Classification, DeliveryStatus, Outcome, Tier
from lib.clock import day_range

LONGEST_ID = 255
LONGEST_ANSWER = 5000
LONGEST_YEAR = 366 * 24 * 3600
LONGEST_ACTIVITY = 7 * 24 * 3600
MOST_PARTS = 100

# --- Kinds of fields ---------------------------------------------------------------------------


class Plain(Schema):
    """A shape that ignores keys it does not know."""

    class Meta:
        """Extra keys of a client do no harm."""

        unknown = EXCLUDE


class Reply(Schema):
    """A shape that may hold more than it promises, as every reply may."""

    class Meta:
        """Clients ignore what they do not know."""

        unknown = INCLUDE


class StrictNumber(fields.Float):
    """A JSON number; a text that looks like one is not."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.make_error("invalid", input=value)
        return float(value)


class QuestionId(fields.Field[Any]):
    """A question's number, its number as a text, or its slug."""

    default_error_messages = {"invalid": "A question is named by its number or slug."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int | str:
        if isinstance(value, bool):
            raise self.make_error("invalid")
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, int) or (isinstance(value, str) and 1 <= len(value) <= 64):
            return value
        raise self.make_error("invalid")


class AnswerText(fields.Field[Any]):
    """What was answered: a text, a number, or a list of them."""

    default_error_messages = {
        "invalid": "An answer is a text or a list of texts.",
        "long": f"An answer has at most {LONGEST_ANSWER} characters.",
    }

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> str | list[str]:
        if isinstance(value, list):
            if len(value) > MOST_PARTS:
                raise self.make_error("long")
            return [self._one(part) for part in value]
        return self._one(value)

    def _one(self, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise self.make_error("invalid")
        text = str(value)
        if len(text) > LONGEST_ANSWER:
            raise self.make_error("long")
        return text


class Features(fields.Field[Any]):
    """A list of texts, or one text that holds them (JSON, or between commas)."""

    default_error_messages = {"invalid": "This must be a list of texts."}

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> str | list[str]:
        listed = isinstance(value, list) and len(value) <= 50
        if listed and all(isinstance(one, str) for one in value):
            return list(value)
        if isinstance(value, str) and len(value) <= LONGEST_ANSWER:
            return value
        raise self.make_error("invalid")


class Shortened(fields.String):
    """A text from outside that nobody types, such as a referrer: cut rather than refused."""

    def __init__(self, longest: int, **kwargs: Any) -> None:
        super().__init__(allow_none=True, **kwargs)
        self.longest = longest

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        return text[: self.longest] or None


class Moment(fields.Field[Any]):
    """A moment in ISO 8601; without an offset in UTC, a date alone is its first moment there."""

    default_error_messages = {
        "invalid": "This must be a moment such as 2026-11-21T09:30:00Z, in the years 1900 to 9998."
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            moment, _ = day_range(value if isinstance(value, str) else "?", None)
        except ValueError:
            raise self.make_error("invalid") from None
        if moment is None:
            raise self.make_error("invalid")
        return moment


class ConsentGiven(fields.Field[Any]):
    """Whether the visitor agreed, and to which version of the text."""

    default_error_messages = {"invalid": "Consent is true, false, or an object with text_version."}

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> dict[str, Any] | None:
        if isinstance(value, bool):
            return {"given": value}
        if isinstance(value, str):
            return {"given": True, "text_version": value[:64]}
        if isinstance(value, Mapping):
            version = value.get("text_version")
            given = value.get("given", True)
            if isinstance(given, bool) and (version is None or isinstance(version, str)):
                return {"given": given, "text_version": version}
        raise self.make_error("invalid")


def session_id_field() -> fields.String:
    """A session's id, the caller's to know."""
    return fields.String(
        required=True,
        validate=validate.Length(1, LONGEST_ID),
        metadata={"description": "The session's id, from /api/session/start."},
    )


def moment_field(description: str, **kwargs: Any) -> Moment:
    """A moment, with what it means."""
    notes = {"type": "string", "format": "date-time", "description": description}
    return Moment(metadata=notes, **kwargs)


def honeypot_field() -> fields.String:
    """A field no person sees; what fills it is a program."""
    return fields.String(
        allow_none=True, metadata={"description": "Hidden in forms; a person leaves it empty."}
    )


# --- Conversation ------------------------------------------------------------------------------


class StartIn(Plain):
    """How a visitor came."""

    utm_source = Shortened(255)
    utm_medium = Shortened(255)
    utm_campaign = Shortened(255)
    utm_term = Shortened(255)
    utm_content = Shortened(255)
    referrer = Shortened(2000)
    landing_page = Shortened(2000)
    locale = Shortened(35)
    visitor_id = Shortened(LONGEST_ID)
    consent = ConsentGiven(
        allow_none=True,
        metadata={
            "type": ["boolean", "string", "object"],
            "properties": {
                "given": {"type": "boolean"},
                "text_version": {"type": ["string", "null"]},
            },
        },
    )
    surface = fields.String(validate=validate.OneOf(("api", "widget")), load_default="api")
    honeypot = honeypot_field()
    leadline_force = Shortened(1000)
    # Of the same person, on this device or another; heeded with its token in X-Visitor-Token.
    previous_session = Shortened(LONGEST_ID)


class QuestionOut(Reply):
    """A question as a visitor sees it."""

    id = fields.Integer(required=True)
    slug = fields.String(required=True)
    text = fields.String(required=True)
    options = fields.List(fields.String(), required=True)
    choices = fields.List(fields.Dict())
    step = fields.Integer(required=True)
    type = fields.String(required=True)
    required = fields.Boolean(required=True)
    locale = fields.String()
    dir = fields.String()


class StartOut(Reply):
    """A new conversation."""

    session_id = fields.String(required=True)
    visitor_token = fields.String(required=True)
    message = fields.String(required=True)
    timestamp = fields.String(required=True)
    greeting = fields.String(required=True)
    greeting_replies = fields.List(fields.String())
    first_question = fields.Nested(QuestionOut, required=True, allow_none=True)
    variants = fields.Dict(required=True)


class SessionQuery(Plain):
    """Optionally, whose."""

    session_id = fields.String(validate=validate.Length(1, LONGEST_ID))


class QuestionsOut(Reply):
    """The questions, in order."""

    questions = fields.List(fields.Nested(QuestionOut), required=True)


class AnswerIn(Plain):
    """An answer to a question, or a skip."""

    session_id = session_id_field()
    question_id = QuestionId(
        required=True,
        metadata={"oneOf": [{"type": "integer"}, {"type": "string", "minLength": 1}]},
    )
    answer_text = AnswerText(
        allow_none=True,
        metadata={
            "oneOf": [
                {"type": "string", "maxLength": LONGEST_ANSWER},
                {"type": "number"},
                {"type": "null"},
                {
                    "type": "array",
                    "maxItems": MOST_PARTS,
                    "items": {
                        "oneOf": [
                            {"type": "string", "maxLength": LONGEST_ANSWER},
                            {"type": "number"},
                        ]
                    },
                },
            ]
        },
    )
    time_taken = StrictNumber(validate=validate.Range(0, LONGEST_YEAR), allow_none=True)
    skip = fields.Boolean(load_default=False, truthy={True}, falsy={False})

    @post_load
    def _answered_or_skipped(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        if not data["skip"] and data.get("answer_text") is None:
            raise ValidationError('Send an answer, or "skip": true.', "answer_text")
        return data


class ProgressOut(Reply):
    """How far a visitor is."""

    answered = fields.Integer(required=True)
    skipped = fields.Integer(required=True)
    total = fields.Integer(required=True)


class Classified(Reply):
    """A score and its class, under every name that clients know."""

    session_id = fields.String(required=True)
    lead_score = fields.Integer(required=True)
    classification = fields.String(required=True)
    lead_type = fields.String(required=True)
    lead_classification = fields.String(required=True)


class AnswerOut(Classified):
    """What an answer earned and what comes next."""

    question_id = fields.Integer(required=True)
    accepted = fields.Boolean(required=True)
    score_earned = fields.Integer(required=True)
    next_question = fields.Nested(QuestionOut, required=True, allow_none=True)
    progress = fields.Nested(ProgressOut, required=True)
    completed = fields.Boolean(required=True)
    reask = fields.Dict()


# What is one thing under the names of several older systems.
BEHAVIOR_NAMES = (("action", "behavior_type"), ("score_change", "score_impact", "score"))


class BehaviorIn(Plain):
    """What a visitor did."""

    session_id = session_id_field()
    action = fields.String(validate=validate.Length(1, 64))
    behavior_type = fields.String(
        validate=validate.Length(1, 64), metadata={"description": "Another name for action."}
    )
    metadata = fields.Dict(keys=fields.String(), allow_none=True)
    score_change = StrictNumber(allow_none=True, metadata={"description": "Never believed."})
    score_impact = StrictNumber(allow_none=True, metadata={"description": "Never believed."})
    score = StrictNumber(allow_none=True, metadata={"description": "Never believed."})

    @post_load
    def _one_name(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        for name, *others in BEHAVIOR_NAMES:
            said = {key: data[key] for key in (name, *others) if key in data}
            if any(value != said[key] for key in said for value in said.values()):
                raise ValidationError(f"{' and '.join(said)} say different things.", name)
        data.setdefault("action", data.get("behavior_type"))
        if data["action"] is None:
            raise ValidationError("Missing data for required field.", "action")
        return data


class BehaviorOut(Classified):
    """What a behaviour earned."""

    action = fields.String(required=True)
    behavior_type = fields.String(required=True)
    score_change = fields.Integer(required=True)
    score_impact = fields.Integer(required=True)


class ProfileIn(Plain):
    """What a visitor says of themselves."""

    session_id = session_id_field()
    profile_data = fields.Dict(
        keys=fields.String(),
        required=True,
        metadata={
            "description": "name, email, phone, company, business_type, location, staff_size,"
            " monthly_sales, features_interested, and attributes of your own."
        },
    )
    honeypot = honeypot_field()


class ProfileOut(Classified):
    """The profile as it now stands."""

    profile = fields.Dict(required=True)
    score_change = fields.Integer(required=True)
    score_impact = fields.Integer(required=True)


class SummaryOut(Reply):
    """All about a session's lead; masked for who may not read it."""

    session_id = fields.String(required=True)
    lead_data = fields.Dict(required=True)
    behaviors = fields.List(fields.Dict(), required=True)
    ledger = fields.List(fields.Dict(), required=True)
    answers = fields.List(fields.Dict(), required=True)
    masked = fields.Boolean()


class ScoreOut(Classified):
    """A score as a readable sum."""

    breakdown = fields.List(fields.Dict(), required=True)
    thresholds = fields.Dict(required=True)
    tier = fields.String(required=True)
    probability = fields.Float(required=True, allow_none=True)
    explanation = fields.Dict(required=True, allow_none=True)
    masked = fields.Boolean()


# --- Catalogue ---------------------------------------------------------------------------------


class ProductsOut(Reply):
    """The product menu."""

    products = fields.List(fields.Dict(), required=True)
    text = fields.String()


class CallsOut(Reply):
    """The calls to action."""

    options = fields.List(fields.Dict(), required=True)
    text = fields.String()


class WidgetQuery(SessionQuery):
    """Whose conversation, or else in which language."""

    locale = Shortened(35)


class WidgetOut(Reply):
    """How the widget presents itself; with a session, all that it shows of it."""

    widget = fields.Dict(required=True)
    words = fields.Dict(required=True)
    proactive = fields.Dict(required=True, allow_none=True)
    locale = fields.String(required=True)
    dir = fields.String(required=True)
    greeting = fields.String(required=True)
    greeting_replies = fields.List(fields.String(), required=True)
    consent = fields.Dict(required=True, allow_none=True)
    contact = fields.Dict(required=True, allow_none=True)
    country = fields.Dict(required=True)
    questions = fields.List(fields.Nested(QuestionOut))
    menu = fields.Dict()
    calls = fields.Dict()
    closing = fields.String()


# --- Leads -------------------------------------------------------------------------------------


class ExportQuery(Plain):
    """In which shape."""

    format = fields.String(validate=validate.OneOf(("json", "csv", "vcard")), load_default="json")


FILTER_NAMES = (("classification", "lead_type", "lead_classification"), ("tier", "score_category"))


class LeadsQuery(Plain):
    """Which leads, in which order."""

    q = fields.String(validate=validate.Length(max=200))
    classification = fields.String(validate=validate.OneOf([str(one) for one in Classification]))
    tier = fields.String(validate=validate.OneOf([str(one) for one in Tier]))
    stage = fields.String(validate=validate.Length(max=64))
    source = fields.String(validate=validate.Length(max=255))
    assigned_to = fields.String(validate=validate.Length(max=255))
    campaign = fields.String(validate=validate.Length(max=255))
    min_score = fields.Float(validate=validate.Range(-1_000_000, 1_000_000))
    from_ = fields.String(data_key="from", validate=validate.Length(max=64))
    to = fields.String(validate=validate.Length(max=64))
    tz = fields.String(validate=validate.Length(max=64))
    sort = fields.String(validate=validate.Length(max=32), load_default="-score")
    limit = fields.Integer(validate=validate.Range(1, 200), load_default=50)
    cursor = fields.String(validate=validate.Length(max=2000))
    # A filter under the name that the replies give it, too, must not be passed over in silence.
    lead_type = fields.String(validate=validate.OneOf([str(one) for one in Classification]))
    lead_classification = fields.String(
        validate=validate.OneOf([str(one) for one in Classification])
    )
    score_category = fields.String(validate=validate.OneOf([str(one) for one in Tier]))

    @post_load
    def _one_filter(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        for name, *others in FILTER_NAMES:
            said = {key: data.pop(key) for key in (name, *others) if key in data}
            if len(set(said.values())) > 1:
                raise ValidationError(f"{' and '.join(said)} say different things.", name)
            if said:
                data[name] = next(iter(said.values()))
        return data


class LeadRowOut(Reply):
    """A lead in a list."""

    id = fields.String(required=True)
    email = fields.String(required=True, allow_none=True)
    name = fields.String(required=True, allow_none=True)
    company = fields.String(required=True, allow_none=True)
    score = fields.Integer(required=True)
    score_category = fields.String(required=True)
    classification = fields.String(required=True)
    last_activity = fields.String(required=True)
    engagement_summary = fields.Dict(required=True)


class LeadsOut(Reply):
    """A page of leads."""

    leads = fields.List(fields.Nested(LeadRowOut), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class LeadOut(LeadRowOut):
    """One lead, whole."""

    explanation = fields.Dict(required=True, allow_none=True)
    history = fields.List(fields.Dict(), required=True)
    engagement_level = fields.String(required=True)
    follow_up_date = fields.String(required=True, allow_none=True)
    is_snoozed = fields.Boolean(required=True, allow_none=True)
    interaction_count = fields.Integer(required=True, allow_none=True)
    last_interaction_type = fields.String(required=True, allow_none=True)
    activities = fields.List(fields.Dict(), required=True)
    follow_ups = fields.List(fields.Dict(), required=True)
    outcome = fields.String(required=True, allow_none=True)


def _short(longest: int = 255) -> fields.String:
    return fields.String(allow_none=True, validate=validate.Length(max=longest))


class LeadIn(Plain):
    """What somebody enters about a lead; what the server decides is not among it."""

    name = _short(1000)
    email = _short(1000)
    phone = _short(1000)
    company = _short(1000)
    business_type = _short(1000)
    location = _short(1000)
    staff_size = _short(1000)
    monthly_sales = _short(1000)
    features_interested = Features(
        allow_none=True,
        metadata={
            "oneOf": [
                {"type": "array", "items": {"type": "string"}, "maxItems": 50},
                {"type": "string", "maxLength": LONGEST_ANSWER},
                {"type": "null"},
            ]
        },
    )
    attributes = fields.Dict(keys=fields.String())
    stage = _short(64)
    assigned_to = _short()
    campaign = _short()
    source = fields.String(validate=validate.Length(1, 255))
    utm_source = _short()


class LeadEditIn(LeadIn):
    """What somebody changes about a lead."""

    snoozed_until = moment_field("Until when the lead rests; null wakes it.", allow_none=True)


class ActivityIn(Plain):
    """What somebody did with a lead, or heard of it."""

    kind = fields.String(
        required=True,
        validate=validate.Length(1, 32),
        metadata={
            "description": "call, email, meeting, note; email_open, email_click, email_reply,"
            " website_visit, pricing_request, demo_requested; or a lower-case word of your own."
        },
    )
    duration = StrictNumber(
        allow_none=True,
        validate=validate.Range(0, LONGEST_ACTIVITY),
        metadata={"description": "Seconds."},
    )
    method = _short(64)
    status = _short(64)
    outcome = _short(64)
    note = _short(LONGEST_ANSWER)
    occurred_at = moment_field("When it was; now, if left out.", allow_none=True)


class FollowUpIn(Plain):
    """When somebody means to turn to a lead again."""

    due_at = moment_field("When it is due.", required=True)
    note = _short(LONGEST_ANSWER)


class OutcomeIn(Plain):
    """How the sale ended."""

    outcome = fields.String(required=True, validate=validate.OneOf([str(one) for one in Outcome]))
    value = StrictNumber(
        allow_none=True,
        validate=validate.Range(0, 1e15),
        metadata={"description": "What it is worth, in the workspace's currency."},
    )
    occurred_at = moment_field("When it was; now, if left out.", allow_none=True)


class WorkedOut(Reply):
    """A lead's score after somebody did something with it."""

    lead_id = fields.String(required=True)
    score = fields.Float(required=True)
    lead_score = fields.Integer(required=True)
    score_category = fields.String(required=True)
    classification = fields.String(required=True)


class ActivityOut(WorkedOut):
    """An activity as it was kept, and the lead's score."""

    id = fields.String(required=True)
    kind = fields.String(required=True)
    duration = fields.Float(required=True, allow_none=True)
    method = fields.String(required=True, allow_none=True)
    status = fields.String(required=True, allow_none=True)
    outcome = fields.String(required=True, allow_none=True)
    note = fields.String(required=True, allow_none=True)
    actor = fields.String(required=True)
    occurred_at = fields.String(required=True)
    recorded_at = fields.String(required=True)


class FollowUpOut(WorkedOut):
    """A follow-up as it was kept, and the lead's score."""

    id = fields.String(required=True)
    due_at = fields.String(required=True)
    note = fields.String(required=True, allow_none=True)
    assigned_to = fields.String(required=True, allow_none=True)
    reminded_at = fields.String(required=True, allow_none=True)
    done_at = fields.String(required=True, allow_none=True)


class OutcomeOut(WorkedOut):
    """How the sale ended, and the lead's score."""

    outcome = fields.String(required=True)
    value = fields.Float(required=True, allow_none=True)
    occurred_at = fields.String(required=True)
    stage = fields.String(required=True, allow_none=True)


class DeletedOut(Reply):
    """A lead that is gone."""

    id = fields.String(required=True)
    deleted = fields.Boolean(required=True)


# --- Analytics ---------------------------------------------------------------------------------


class AnalyticsQuery(Plain):
    """Which conversations are counted."""

    from_ = fields.String(data_key="from", validate=validate.Length(max=64))
    to = fields.String(validate=validate.Length(max=64))
    tz = fields.String(validate=validate.Length(max=64))
    utm_source = fields.String(validate=validate.Length(max=255))


class AnalyticsOut(Reply):
    """Counts and rates; a rate is a fraction, null when there is no session."""

    total_leads = fields.Integer(required=True)
    sql_leads = fields.Integer(required=True)
    mql_leads = fields.Integer(required=True)
    unqualified_leads = fields.Integer(required=True)
    conversion_rate = fields.Float(required=True, allow_none=True)
    average_score = fields.Float(required=True, allow_none=True)
    completion_rate = fields.Float(required=True, allow_none=True)
    average_response_time = fields.Float(required=True, allow_none=True)
    by_class = fields.Dict(required=True)
    by_tier = fields.Dict(required=True)
    by_source = fields.Dict(required=True)
    by_day = fields.Dict(required=True)
    drop_off = fields.List(fields.Dict(), required=True)


# --- A/B tests ---------------------------------------------------------------------------------


class VariantIn(Plain):
    """Whose variant."""

    session_id = session_id_field()


class VariantOut(Reply):
    """The arm of a session, for ever."""

    test_name = fields.String(required=True)
    variant = fields.String(required=True)
    config = fields.Dict(required=True)


class ConversionIn(Plain):
    """A goal that was reached."""

    session_id = session_id_field()
    test_name = fields.String(required=True, validate=validate.Length(1, 64))
    conversion_type = fields.String(required=True, validate=validate.Length(1, 64))
    value = StrictNumber(allow_none=True, validate=validate.Range(-1e15, 1e15))
    variant = Shortened(64)


class ConversionOut(Reply):
    """Whether it was counted, and if not, why."""

    logged = fields.Boolean(required=True)
    reason = fields.String()


# --- Alerts ------------------------------------------------------------------------------------


def _flag() -> fields.Boolean:
    """A JSON true or false; a text that looks like one is not."""
    return fields.Boolean(truthy={True}, falsy={False})


class QuietHoursField(fields.Dict):
    """When nobody is to be woken: {"start": "22:00", "end": "07:00", "tz": "Asia/Kolkata"}."""


class AlertsConfigIn(Plain):
    """What is to change in the configuration of alerts; everything else stays."""

    queue_profile = fields.String(validate=validate.Length(max=64))
    hot_threshold = StrictNumber(allow_none=True)
    warm_threshold = StrictNumber(allow_none=True)
    sql_requires_contact = _flag()
    enable_slack = _flag()
    enable_discord = _flag()
    enable_teams = _flag()
    enable_email = _flag()
    triggers = fields.Dict(
        keys=fields.String(), metadata={"additionalProperties": {"type": "boolean"}}
    )
    quiet_hours = QuietHoursField(allow_none=True)


class AlertsConfigOut(Reply):
    """The configuration of alerts as stored, whole."""

    queue_profile = fields.String(required=True)
    hot_threshold = fields.Float(required=True, allow_none=True)
    warm_threshold = fields.Float(required=True, allow_none=True)
    sql_requires_contact = fields.Boolean(required=True)
    enable_slack = fields.Boolean(required=True)
    enable_discord = fields.Boolean(required=True)
    enable_teams = fields.Boolean(required=True)
    enable_email = fields.Boolean(required=True)
    triggers = fields.Dict(required=True)
    quiet_hours = fields.Dict(required=True, allow_none=True)


class _DestinationChoices(Plain):
    name = fields.String(allow_none=True, validate=validate.Length(max=255))
    triggers = fields.List(
        fields.String(validate=validate.Length(max=64)),
        allow_none=True,
        validate=validate.Length(max=20),
    )
    enabled = _flag()
    quiet_hours = QuietHoursField(allow_none=True)
    digest = fields.String(allow_none=True, validate=validate.Length(max=16))


class DestinationIn(_DestinationChoices):
    """A place that is to hear of leads."""

    channel = fields.String(required=True, validate=validate.Length(max=16))
    address = fields.String(required=True, validate=validate.Length(1, LONGEST_ANSWER))


class DestinationChangeIn(_DestinationChoices):
    """What is to change in a destination."""

    channel = fields.String(validate=validate.Length(max=16))
    address = fields.String(validate=validate.Length(1, LONGEST_ANSWER))
    rotate_secret = _flag()


class DestinationOut(Reply):
    """A destination; its address is masked."""

    id = fields.String(required=True)
    channel = fields.String(required=True)
    address = fields.String(required=True, allow_none=True)
    triggers = fields.List(fields.String(), required=True, allow_none=True)
    enabled = fields.Boolean(required=True)
    quiet_hours = fields.Dict(required=True, allow_none=True)
    state = fields.String(required=True)
    reason = fields.String(required=True, allow_none=True)


class DestinationsOut(Reply):
    """Every destination."""

    destinations = fields.List(fields.Nested(DestinationOut), required=True)


class TestOut(Reply):
    """A test message on its way."""

    __test__ = False

    delivery_id = fields.String(required=True)
    status = fields.String(required=True)


class DeliveriesQuery(Plain):
    """Which deliveries, and which page of them."""

    lead = fields.String(validate=validate.Length(max=32))
    destination = fields.String(validate=validate.Length(max=32))
    status = fields.String(validate=validate.OneOf([str(one) for one in DeliveryStatus]))
    limit = fields.Integer(validate=validate.Range(1, 200))
    cursor = fields.String(validate=validate.Length(max=500))


class DeliveryOut(Reply):
    """One alert on its way to one destination."""

    id = fields.String(required=True)
    lead_id = fields.String(required=True, allow_none=True)
    trigger = fields.String(required=True)
    destination = fields.Dict(required=True)
    channel = fields.String(required=True)
    status = fields.String(required=True)
    attempts = fields.Integer(required=True)
    next_try_at = fields.String(required=True, allow_none=True)
    reply = fields.String(required=True, allow_none=True)


class DeliveriesOut(Reply):
    """A page of deliveries, the newest first."""

    deliveries = fields.List(fields.Nested(DeliveryOut), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


# --- Jobs --------------------------------------------------------------------------------------


class JobAcceptedOut(Reply):
    """Work that was taken on; watch it under `Location`."""

    job_id = fields.String(required=True)
    status = fields.String(required=True)


class JobOut(JobAcceptedOut):
    """How far a piece of work is."""

    kind = fields.String(required=True)
    done = fields.Integer(required=True)
    total = fields.Integer(required=True, allow_none=True)
    result = fields.Dict(allow_none=True)
    error = fields.String(allow_none=True)


# --- Imports -----------------------------------------------------------------------------------


class ColumnMapping(fields.Field[Any]):
    """A JSON object of texts, itself a text: forms know nothing else."""

    default_error_messages = {
        "invalid": "This must be a JSON object: the names of columns, and what each of them is."
    }

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> dict[str, str]:
        try:
            pairs = json.loads(value, object_pairs_hook=list)
            mapping = dict(pairs)
        except (ValueError, TypeError, RecursionError):
            raise self.make_error("invalid") from None
        if len(mapping) < len(pairs) or not value.lstrip().startswith("{"):
            raise self.make_error("invalid")
        if not all(isinstance(target, str) for target in mapping.values()):
            raise self.make_error("invalid")
        return mapping


class ImportIn(Plain):
    """A file of leads and what its columns are, as multipart/form-data."""

    file = fields.Raw(
        required=True,
        metadata={"type": "string", "format": "binary", "description": "CSV; row 1 has names."},
    )
    mapping = ColumnMapping(
        metadata={
            "type": "string",
            "description": "JSON: for each column a lead field, outcome, attribute or ignore.",
        }
    )
    won_values = fields.String(
        validate=validate.Length(1, 10_000),
        metadata={"description": "The words of the outcome that mean won, by comma."},
    )
    limit = fields.Integer(
        validate=validate.Range(1, 1_000_000), metadata={"description": "Read only so many rows."}
    )


# --- Experiments -------------------------------------------------------------------------------


class ExperimentChangeIn(Plain):
    """What an experiment varies, for whom, and what it is judged by; every rule is the engine's."""

    name = fields.String()
    kind = fields.String()
    arms = fields.List(fields.Dict(keys=fields.String()))
    control = fields.String()
    metric = fields.String()
    metrics = fields.List(fields.String())
    guardrails = fields.List(fields.String())
    targeting = fields.Dict(keys=fields.String())
    coverage = StrictNumber()
    exclusion_group = fields.Dict(keys=fields.String(), allow_none=True)
    window_days = StrictNumber(allow_none=True)
    hoped_lift = StrictNumber()
    planned_visitors = fields.Integer(strict=True, allow_none=True)
    mode = fields.String(metadata={"description": "test or bandit"})
    bandit = fields.Dict(keys=fields.String(), allow_none=True)
    description = fields.String(validate=validate.Length(max=2000))
    rerandomise = fields.Boolean()


class ExperimentIn(ExperimentChangeIn):
    """A new experiment."""

    name = fields.String(required=True)
    kind = fields.String(required=True)
    arms = fields.List(fields.Dict(keys=fields.String()), required=True)
    metric = fields.String(required=True)


class ExperimentOut(Reply):
    """An experiment and how far it has come."""

    name = fields.String(required=True)
    kind = fields.String(required=True)
    arms = fields.List(fields.Dict(), required=True)
    control = fields.String(required=True)
    metric = fields.String(required=True)
    status = fields.String(required=True)
    source = fields.String(required=True)
    epoch = fields.Integer(required=True)
    winner = fields.String(required=True, allow_none=True)


class ExperimentsOut(Reply):
    """Every experiment."""

    experiments = fields.List(fields.Nested(ExperimentOut), required=True)


class DecisionIn(Plain):
    """The winner, and why."""

    arm = fields.String(required=True, validate=validate.Length(1, 64))
    reason = fields.String(allow_none=True, validate=validate.Length(max=2000))


class HoldoutIn(Plain):
    """The share of visitors that no experiment gets."""

    share = StrictNumber(required=True, validate=validate.Range(0, 0.5))


class HoldoutOut(Reply):
    """The share of visitors that no experiment gets."""

    share = fields.Float(required=True)


class PowerQuery(Plain):
    """Which relative effect is to be found, unless the experiment says."""

    lift = fields.Float(validate=validate.Range(0, 10, min_inclusive=False))


class PowerOut(Reply):
    """What finding an effect takes at the present traffic, goal by goal."""

    metric = fields.String(required=True)
    hoped_lift = fields.Float(required=True)
    visitors_per_day = fields.Float(required=True)
    goals = fields.List(fields.Dict(), required=True)
    earlier = fields.String(required=True, allow_none=True)
    sentence = fields.String(required=True)


class ResultsQuery(Plain):
    """Which goal, and by which segment if any."""

    metric = fields.String()
    segment = fields.String()
    adjustments = fields.Boolean(load_default=False)


class ResultsOut(Reply):
    """The counts of an experiment, its effects, and what may be concluded."""

    arms = fields.List(fields.Dict(), required=True)
    effects = fields.List(fields.Dict(), required=True)
    srm = fields.Dict(required=True)
    verdict = fields.Dict(required=True)


class RowsQuery(Plain):
    """Which raw rows, and from where on."""

    what = fields.String(
        validate=validate.OneOf(("exposures", "conversions")), load_default="exposures"
    )
    limit = fields.Integer(validate=validate.Range(1, 50_000), load_default=10_000)
    cursor = fields.Integer(validate=validate.Range(0, 2**63 - 1), load_default=0)


# --- Predictions -------------------------------------------------------------------------------


class ExplanationOut(Reply):
    """A probability with its reasons: the base and the contributions add up to its evidence."""

    method = fields.String(required=True, metadata={"description": "exact or rules"})
    base = fields.Dict(required=True)
    contributions = fields.List(fields.Dict(), required=True)
    evidence = fields.Float(required=True, metadata={"description": "20 * log2(odds)"})
    probability = fields.Float(required=True)
    interval = fields.List(fields.Float(), required=True)
    model = fields.String(required=True, allow_none=True)
    label = fields.String(required=True, metadata={"description": "normal, early or rules"})


class PredictIn(Plain):
    """Leads as attributes; at most 10,000."""

    rows = fields.List(
        fields.Dict(keys=fields.String()), required=True, validate=validate.Length(1, 10_000)
    )


class PredictOut(Reply):
    """What the models say of each row, in order."""

    model = fields.String(required=True, allow_none=True)
    predictions = fields.List(fields.Nested(ExplanationOut), required=True)


class ModelQuery(Plain):
    """What a call costs and a deal brings, or how many calls there are; for thresholds."""

    call_cost = fields.Float(validate=validate.Range(0, 1e12))
    deal_value = fields.Float(validate=validate.Range(0, 1e12, min_inclusive=False))
    capacity = fields.Integer(validate=validate.Range(0, 10_000_000))


class TrainIn(Plain):
    """Which estimator is to learn this once, and whether only to compare."""

    kind = fields.String()
    compare = fields.Boolean(truthy={True}, falsy={False}, load_default=False)


class ComparisonOut(Reply):
    """Estimators side by side, on leads that they have not seen."""

    comparison = fields.Dict(required=True, allow_none=True)


class ModelsConfigIn(Plain):
    """What a workspace may decide about its models."""

    model_kind = fields.String()
    fair_chance_percent = fields.Float()


class ModelsConfigOut(Reply):
    """What a workspace has decided about its models."""

    model_kind = fields.String(required=True)
    fair_chance_percent = fields.Float(required=True)


class ModelRowOut(Reply):
    """A version of a model in a list."""

    id = fields.String(required=True)
    stage = fields.String(required=True)
    label = fields.String(required=True)
    status = fields.String(required=True)
    data_window = fields.Dict(required=True)
    metrics = fields.Dict(required=True)
    features = fields.List(fields.Dict(), required=True)
    left_out = fields.List(fields.Dict(), required=True)
    reasons = fields.List(fields.String(), required=True)


class ModelsOut(Reply):
    """Every version, the newest first."""

    models = fields.List(fields.Nested(ModelRowOut), required=True)


class ModelOut(ModelRowOut):
    """One version with all of its card."""

    reports = fields.Dict(required=True)
    thresholds = fields.Dict(allow_none=True)
