"""A lead's facts as the signals that scoring profiles read: counts, and ages in days.

Facts come in here and `engine.points` makes scores of what goes out, so the seam lies between what
was seen and what it is worth.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from engine.vocabulary import ENGAGEMENT_ACTIONS, Action, ActivityKind, FactKind, find_action

SECONDS_A_DAY = 86_400
MOST_EMPLOYEES = 10**9

# What a workspace may have connected. "activities" stands for sales at work: logged or staged.
EMAIL, WEBSITE, ACTIVITIES = "email", "website", "activities"
SOURCES = frozenset({EMAIL, WEBSITE, ACTIVITIES})

_SOURCE_OF: dict[str, str] = {
    **dict.fromkeys((Action.EMAIL_OPEN, Action.EMAIL_CLICK, Action.EMAIL_REPLY), EMAIL),
    **dict.fromkeys((Action.WEBSITE_VISIT, Action.PRICING_REQUEST), WEBSITE),
    **dict.fromkeys(ActivityKind, ACTIVITIES),
    FactKind.LEAD_STAGED: ACTIVITIES,
}
# Opened, clicked, replied, visited; a request has a rule of its own in every profile.
_ENGAGED = ENGAGEMENT_ACTIONS - {Action.PRICING_REQUEST}
_REQUESTS = frozenset({Action.PRICING_REQUEST, Action.DEMO_REQUESTED})
_WORKED = (ActivityKind.CALL, ActivityKind.MEETING, ActivityKind.NOTE)
# What the lead did, or what sales did with it; staff who correct a profile do neither.
_INTERACTIONS = frozenset(
    {
        FactKind.SESSION_STARTED,
        FactKind.ANSWER_RECORDED,
        FactKind.ANSWER_REASKED,
        FactKind.BEHAVIOR_REPORTED,
        FactKind.PROFILE_UPDATED,
        FactKind.ACTIVITY_LOGGED,
    }
)

_RANGE = re.compile(r"([0-9]{1,9})\s*(?:–|—|-|to)\s*([0-9]{1,9})", re.IGNORECASE)
_AT_LEAST = re.compile(r"([0-9]{1,9})\s*\+")
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_ALONE = "just me"
# The names that imports and CRMs give to a head count, in the order in which they are believed.
_HEADCOUNTS = ("employees", "company_size", "staff")


@dataclass(frozen=True, slots=True)
class Timed:
    """One fact about a lead and when it happened, without the personal half."""

    kind: str
    measured: Mapping[str, Any]
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Signals:
    """What a lead's facts come to at a moment; None is a value that nobody knows."""

    email_opens_7d: int = 0
    email_opens_90d: int = 0
    email_clicks_90d: int = 0
    website_visits_30d: int = 0
    days_since_visit: float | None = None
    # Calls, meetings and notes.
    activities_90d: int = 0
    # The stage's place in the pipeline, from 0 to 1; won is 1, lost is 0.
    stage_place: float | None = None
    employees: float | None = None
    days_since_interaction: float | None = None
    pricing_requested: bool = False
    demo_requested: bool = False
    # Opens, clicks, replies, visits, questions answered and activities, from the first day on.
    engagements: int = 0
    # The sources that the workspace has ever heard from, not only about this lead.
    connected: frozenset[str] = frozenset()


def signals_of(
    facts: Iterable[Timed],
    now: datetime,
    *,
    stage_place: float | None = None,
    employees: float | None = None,
    connected: frozenset[str] = frozenset(),
) -> Signals:
    """What all facts of one lead come to at `now`, in whatever order they are given.

    A fact of the future changes nothing. A source that this very lead was heard of by is
    connected, whatever `connected` says. A window of 7 days holds what is 7 days old exactly.
    """
    aged = [(fact, days) for fact in facts if (days := _days(fact.occurred_at, now)) >= 0]
    ages: dict[str, list[float]] = defaultdict(list)
    for fact, days in aged:
        ages[_word(fact)].append(days)
    opens, visits = ages[Action.EMAIL_OPEN], ages[Action.WEBSITE_VISIT]
    return Signals(
        email_opens_7d=_within(opens, 7),
        email_opens_90d=_within(opens, 90),
        email_clicks_90d=_within(ages[Action.EMAIL_CLICK], 90),
        website_visits_30d=_within(visits, 30),
        days_since_visit=min(visits, default=None),
        activities_90d=sum(_within(ages[kind], 90) for kind in _WORKED),
        stage_place=stage_place,
        employees=employees,
        days_since_interaction=min(
            (days for fact, days in aged if _is_interaction(fact)), default=None
        ),
        pricing_requested=bool(ages[Action.PRICING_REQUEST]),
        demo_requested=bool(ages[Action.DEMO_REQUESTED]),
        engagements=_engagements(fact for fact, _ in aged),
        connected=connected | _sources(word for word, seen in ages.items() if seen),
    )


def source_of(word: str) -> str | None:
    """The source that an action, a kind of activity or a kind of fact comes from, if any.

    What the chat itself sees comes from no source: it is always there.
    """
    return _SOURCE_OF.get(word)


def _sources(words: Iterable[str]) -> frozenset[str]:
    return frozenset(source for word in words if (source := source_of(word)))


def employees_of(staff_size: str | None, attributes: Mapping[str, Any]) -> float | None:
    """How many people work at a lead's company: a number it was given, else its answer's middle.

    "Just me" is 1, "2–5" is 3.5, "50+" is 51.
    """
    given = (_headcount(attributes.get(name)) for name in _HEADCOUNTS)
    known = next((number for number in given if number is not None), None)
    return _headcount(staff_size) if known is None else known


def _headcount(value: Any) -> float | None:
    if isinstance(value, str):
        return _spoken(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Compared before it is converted: a whole number of 400 digits is no float, and NaN is nothing.
    return float(value) if 0 <= value <= MOST_EMPLOYEES else None


@lru_cache(maxsize=4096)
def _spoken(text: str) -> float | None:
    plain = _THOUSANDS.sub("", text.strip())
    if plain.casefold() == _ALONE:
        return 1.0
    if found := _RANGE.fullmatch(plain):
        return (int(found[1]) + int(found[2])) / 2
    if found := _AT_LEAST.fullmatch(plain):
        return float(int(found[1]) + 1)
    return float(plain) if _NUMBER.fullmatch(plain) else None


def _days(moment: datetime, now: datetime) -> float:
    return (now - moment).total_seconds() / SECONDS_A_DAY


def _within(ages: Iterable[float], days: int) -> int:
    return sum(1 for age in ages if age <= days)


def _word(fact: Timed) -> str:
    """What happened in one word: the action, the kind of activity, else the kind of fact."""
    if fact.kind == FactKind.BEHAVIOR_REPORTED:
        word = str(fact.measured.get("action", ""))
    elif fact.kind == FactKind.ACTIVITY_LOGGED:
        word = str(fact.measured.get("kind", ""))
    else:
        return fact.kind
    return find_action(word) or word


def _is_interaction(fact: Timed) -> bool:
    if fact.kind == FactKind.PROFILE_UPDATED and fact.measured.get("by") == "staff":
        return False
    return fact.kind in _INTERACTIONS


def _engagements(facts: Iterable[Timed]) -> int:
    """How often the lead engaged; a question counts once, however often its answer changed."""
    answered: set[Any] = set()
    times = 0
    for fact in facts:
        if fact.kind == FactKind.ANSWER_RECORDED:
            if not fact.measured.get("skipped"):
                answered.add(fact.measured.get("question_id"))
        elif fact.kind == FactKind.ACTIVITY_LOGGED:
            times += _word(fact) not in _REQUESTS
        else:
            times += _word(fact) in _ENGAGED
    return times + len(answered)
