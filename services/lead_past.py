"""What was known of a lead at a moment: its facts as one row of named values.

A row depends on the facts before its moment and on nothing else: no column of the lead, no clock.
Its moment is that of the last fact that tells of the lead, so a lead reads the same today and in a
month, and whoever only moves, gives or snoozes it has taught nobody anything about it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from engine.matching import split_choices
from engine.vocabulary import (
    DEFAULT_POINTS,
    ENGAGEMENT_ACTIONS,
    PROFILE_FIELDS,
    UTM_FIELDS,
    Action,
    ActivityKind,
    FactKind,
    find_action,
)
from engine.workflow import Question
from lib.crypto import sha256_hex

MOMENT = "as_of"
# The columns of the marketer's points; all of them in every row, so that a model knows them.
POINTS = tuple(f"points.{action}" for action in DEFAULT_POINTS)
SECONDS_AN_HOUR = 3600.0
_COUNTED = {
    Action.EMAIL_OPEN: "email_opens",
    Action.EMAIL_CLICK: "email_clicks",
    Action.EMAIL_REPLY: "email_replies",
    Action.WEBSITE_VISIT: "website_visits",
}
_BIRTHS = (FactKind.SESSION_STARTED, FactKind.LEAD_CREATED)
_PROFILES = (FactKind.LEAD_CREATED, FactKind.LEAD_EDITED, FactKind.PROFILE_UPDATED)
_TELLING = (
    *_BIRTHS,
    FactKind.ANSWER_RECORDED,
    FactKind.BEHAVIOR_REPORTED,
    FactKind.ACTIVITY_LOGGED,
)
_CATEGORIES = ("business_type", "location", "staff_size", "monthly_sales")
_FREE_MAIL = re.compile(
    r"(gmail|googlemail|yahoo|ymail|hotmail|outlook|live|msn|icloud|me|aol|gmx|web|proton|"
    r"protonmail|zoho|rediffmail|mail|yandex|qq|163|126)\.[a-z.]+"
)
_PHONES = re.compile(r"iphone|android.*mobile|windows phone|mobile", re.IGNORECASE)
_TABLETS = re.compile(r"ipad|tablet|android(?!.*mobile)", re.IGNORECASE)

FindQuestion = Callable[[int | None, int], Question | None]


@dataclass(frozen=True, slots=True)
class PastFact:
    """One fact of a lead with both its halves, and its place in the log."""

    id: int
    kind: str
    measured: Mapping[str, Any]
    personal: Mapping[str, Any]
    occurred_at: datetime
    recorded_at: datetime
    session_id: str | None = None
    seq: int | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class PastAward:
    """Points that a session's fact earned."""

    session_id: str
    seq: int
    action: str
    points: int


@dataclass(frozen=True)
class LeadPast:
    """All that ever happened to a lead, in the order of the log."""

    lead_id: int
    facts: Sequence[PastFact]
    awards: Sequence[PastAward] = ()

    def before(self, end: PastFact, at: datetime) -> LeadPast:
        """The same lead before a fact was written down and before its moment.

        How it came in is always known: a list may tell of a lead and of its end in one row.
        """
        known = [
            fact
            for fact in self.facts
            if fact.id < end.id and (fact.occurred_at <= at or fact.kind in _BIRTHS)
        ]
        return LeadPast(self.lead_id, known, self.awards)

    def outcome(self) -> tuple[PastFact, bool, datetime] | None:
        """How the sale ended by the last word on it: that fact, whether won, and when."""
        last = None
        for fact in self.facts:
            if fact.kind == FactKind.OUTCOME_RECORDED and fact.measured.get("outcome"):
                last = fact
            elif fact.kind == FactKind.LEAD_STAGED and fact.measured.get("reopened"):
                last = None
        if last is None:
            return None
        said = last.measured.get("occurred_at")
        at = datetime.fromisoformat(said) if isinstance(said, str) else last.occurred_at
        return last, last.measured["outcome"] == "won", at

    def contacts(self) -> list[PastFact]:
        """The calls, meetings and mails by which sales turned to the lead."""
        return [fact for fact in self.facts if _contact_kind(fact) is not None]

    def drawn_after_contact(self) -> LeadPast | None:
        """The same lead at one moment since the first contact, by a lot that never changes.

        A model is asked at any moment of a lead's life. Who learned only from the ends of these
        lives would learn how long they last: the early word of a lead that takes its time would
        look like the last word of one that was given up.
        """
        contacts = self.contacts()
        if not contacts:
            return None
        begin = contacts[0].id
        moments = [fact.id for fact in self.facts if fact.id >= begin and _tells(fact)]
        lot = int(sha256_hex(f"moment of lead {self.lead_id}")[:12], 16)
        end = moments[lot % len(moments)]
        known = [fact for fact in self.facts if fact.id <= end]
        return LeadPast(self.lead_id, known, self.awards)


@dataclass
class _Row:
    """What a lead's facts come to while they are read one after the other."""

    find_question: FindQuestion
    profile: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    visit: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    answered: set[Any] = field(default_factory=set)
    behaviors: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    activities: list[PastFact] = field(default_factory=list)

    def read(self, fact: PastFact) -> None:
        """Take one more fact in."""
        if fact.kind in _BIRTHS:
            self._born(fact)
        if fact.kind in _PROFILES:
            self._described(fact.personal.get("profile") or {})
        elif fact.kind == FactKind.ANSWER_RECORDED:
            self._answered(fact)
        elif fact.kind == FactKind.BEHAVIOR_REPORTED:
            self._behaved(str(fact.measured.get("action", "")), fact.occurred_at)
        elif fact.kind == FactKind.ACTIVITY_LOGGED:
            self._worked(fact)

    def _born(self, fact: PastFact) -> None:
        said = fact.personal
        channel = fact.measured.get("source_kind") or "chat"
        if fact.kind == FactKind.LEAD_CREATED:
            self.visit.setdefault("channel", str(channel))
            # The campaign that it came by; what sales makes of it later is no news about it.
            if campaign := (said.get("profile") or {}).get("campaign"):
                self.attributes["campaign"] = campaign
            return
        self.visit = {
            "channel": "chat",
            **{name: said.get(name) for name in UTM_FIELDS if name != "utm_source"},
            "source": said.get("utm_source") or "direct",
            "referrer_host": _host(said.get("referrer")),
            "landing_page": _path(said.get("landing_page")),
            "locale": said.get("locale"),
            "device": _device(said.get("user_agent")),
        }

    def _described(self, said: Mapping[str, Any]) -> None:
        inner = said.get("attributes")
        # There a file may have any column, one that is called as a field of sales, too.
        self.attributes |= _filled(inner) if isinstance(inner, Mapping) else {}
        filled = _filled(said)
        if source := filled.pop("source", None) or filled.get("utm_source"):
            self.visit["source"] = source
        filled.pop("utm_source", None)
        for name, value in filled.items():
            if name in PROFILE_FIELDS:
                self.profile[name] = value
            elif name not in ("attributes", *_SALES):
                self.attributes[name] = value

    def _answered(self, fact: PastFact) -> None:
        measured = fact.measured
        self.answered.discard(measured.get("question_id"))
        question = self.find_question(fact.version, int(measured.get("question_id", 0)))
        if question is None or measured.get("skipped"):
            return
        self.answered.add(question.id)
        name = f"answer.{question.slug}"
        self.answers.setdefault(f"{name}.seconds", measured.get("seconds"))
        options = list(measured.get("options") or ())
        typed = bool(measured.get("typed"))
        if typed:
            self.answers[f"{name}.length"] = measured.get("length")
        value: Any = options if len(options) != 1 else options[0]
        if typed or not options:
            value = fact.personal.get("text")
        if question.field:
            self.profile[question.field] = value
        elif question.type.is_closed:
            self.answers[name] = value

    def _behaved(self, word: str, at: datetime) -> None:
        self.behaviors[str(find_action(word) or word)].append(at)

    def _worked(self, fact: PastFact) -> None:
        if _contact_kind(fact) is None:
            self._behaved(str(fact.measured.get("kind", "")), fact.occurred_at)
        else:
            self.activities.append(fact)


def _tells(fact: PastFact) -> bool:
    """Whether a fact says something of the lead itself, and not only of what was done with it."""
    if fact.kind in (FactKind.LEAD_EDITED, FactKind.PROFILE_UPDATED):
        # Once what was said is erased, its fields still tell that something was.
        said = {*(fact.personal.get("profile") or ()), *(fact.measured.get("fields") or ())}
        return bool(said - set(_SALES))
    return fact.kind in _TELLING


def _filled(said: Mapping[str, Any]) -> dict[str, Any]:
    """Without empty texts, which say nothing; null says that a value was taken away."""
    return {
        name: value
        for name, value in said.items()
        if not (isinstance(value, str) and not value.strip())
    }


_SALES = ("assigned_to", "stage", "campaign", "snoozed_until", "created_at", "occurred_at")


def row_of(
    past: LeadPast, find_question: FindQuestion, is_ours: Callable[[str], bool]
) -> dict[str, Any]:
    """What a lead's facts come to; `is_ours` tells names that a custom attribute must not take."""
    row = _Row(find_question)
    facts = sorted(past.facts, key=lambda fact: (fact.occurred_at, fact.id))
    for fact in facts:
        row.read(fact)
    told = [fact.occurred_at for fact in facts if _tells(fact)]
    moment = told[-1] if told else None
    born = facts[0].occurred_at if facts else None
    known: dict[str, Any] = {MOMENT: moment}
    if moment is not None and born is not None:
        known["days_since_created"] = round((moment - born).total_seconds() / 86400, 4)
    known |= {name: value for name, value in row.visit.items() if value}
    known |= _profile_columns(row.profile)
    if row.answered:
        known["answers"] = len(row.answered)
    known |= {name: value for name, value in row.answers.items() if value is not None}
    known |= _behavior_columns(row.behaviors, moment)
    known |= _activity_columns(row.activities)
    known |= _points(past, facts)
    return {**attribute_columns(row.attributes, is_ours), **known}


def attribute_columns(
    attributes: Mapping[str, Any], is_ours: Callable[[str], bool]
) -> dict[str, Any]:
    """Custom attributes as columns; one that has the name of a column of ours is set apart."""
    return {
        f"attribute.{name}" if is_ours(name) else name: value
        for name, value in attributes.items()
        if value is not None and not isinstance(value, Mapping)
    }


def contact_columns(profile: Mapping[str, Any]) -> dict[str, Any]:
    """What of a contact may be learned from: whether there is one, and of which kind."""
    known = {}
    for name in ("email", "phone", "company"):
        if name in profile:
            known[f"has_{name}"] = "yes" if profile[name] else "no"
    domain = str(profile.get("email") or "").rpartition("@")[2].strip().lower()
    if domain:
        known["email_domain_kind"] = "free" if _FREE_MAIL.fullmatch(domain) else "company"
    return known


def _profile_columns(profile: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: profile[name] for name in _CATEGORIES if profile.get(name)}
    wanted = profile.get("features_interested")
    features = split_choices(wanted) if isinstance(wanted, str) else wanted
    if isinstance(features, list) and features:
        known["features_interested"] = [str(one) for one in features]
    missing = dict.fromkeys(("email", "phone", "company"))
    return {**known, **contact_columns({**missing, **profile})}


def _behavior_columns(
    behaviors: Mapping[str, Sequence[datetime]], moment: datetime | None
) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for word, times in behaviors.items():
        name = _COUNTED.get(word)  # type: ignore[call-overload]
        known[name or f"behavior.{word}.count"] = len(times)
        if moment is not None:
            hours = (moment - max(times)).total_seconds() / SECONDS_AN_HOUR
            known[f"behavior.{word}.hours_since"] = round(hours, 4)
    return known


def _activity_columns(activities: Sequence[PastFact]) -> dict[str, Any]:
    if not activities:
        return {}
    counts = Counter(str(_contact_kind(fact)) for fact in activities)
    calls = [fact for fact in activities if _contact_kind(fact) == ActivityKind.CALL]
    known: dict[str, Any] = {
        "calls": counts.pop(ActivityKind.CALL, 0),
        "meetings": counts.pop(ActivityKind.MEETING, 0),
        **{f"activity.{kind}": count for kind, count in counts.items()},
    }
    seconds = [float(fact.measured.get("duration") or 0.0) for fact in calls]
    if seconds:
        known |= {"call_seconds": sum(seconds), "last_call_seconds": seconds[-1]}
    for name in ("status", "outcome", "method"):
        known[f"activity.last_{name}"] = activities[-1].measured.get(name)
    return {name: value for name, value in known.items() if value is not None}


def _points(past: LeadPast, facts: Iterable[PastFact]) -> dict[str, Any]:
    """The points by action, of the session that has most; none for who never had one."""
    last: dict[str, int] = {}
    for fact in facts:
        if fact.session_id is not None and fact.seq is not None:
            last[fact.session_id] = max(fact.seq, last.get(fact.session_id, 0))
    if not last:
        return {}
    sums = {session: dict.fromkeys(POINTS, 0.0) for session in last}
    for award in past.awards:
        name = f"points.{award.action}"
        if award.seq <= last.get(award.session_id, 0) and name in POINTS:
            sums[award.session_id][name] += award.points
    return max(sums.values(), key=lambda one: sum(one.values()))


def contact_kind(fact_kind: str, measured: Mapping[str, Any]) -> str | None:
    """The kind of contact that a fact is; signals told by hand and notes are none."""
    if fact_kind != FactKind.ACTIVITY_LOGGED:
        return None
    kind = str(measured.get("kind", ""))
    if kind == ActivityKind.NOTE or find_action(kind) in (
        *ENGAGEMENT_ACTIONS,
        Action.DEMO_REQUESTED,
    ):
        return None
    return kind


def _contact_kind(fact: PastFact) -> str | None:
    return contact_kind(fact.kind, fact.measured)


def _host(address: Any) -> str | None:
    try:
        return urlsplit(str(address)).hostname if address else None
    except ValueError:
        return None


def _path(address: Any) -> str | None:
    try:
        return (urlsplit(str(address)).path or "/")[:200] if address else None
    except ValueError:
        return None


def _device(user_agent: Any) -> str | None:
    if not user_agent:
        return None
    text = str(user_agent)
    if _TABLETS.search(text):
        return "tablet"
    return "phone" if _PHONES.search(text) else "computer"
