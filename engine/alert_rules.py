"""Does this fact deserve an alert, which destination wants it, and which reasons it names.

Nothing here sends or stores: a fact and what is known about its lead come in, the alerts to raise
go out, each with the key under which it is raised once. What a workspace wants to hear of is
`engine.alert_settings`, when nobody wants to be woken `engine.quiet_hours`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from engine.alert_settings import AlertSettings
from engine.vocabulary import (
    IMPORT_ACTOR,
    Action,
    Classification,
    FactKind,
    Outcome,
    Trigger,
    find_action,
)

# How far below the hot threshold a score must fall before crossing it is news again.
REARMED_BELOW = 5.0


# --- What is news ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LeadState:
    """What the rules must know about a lead, as it stands when the fact is heard."""

    lead_id: int
    classification: str
    contactable: bool
    # In the profile that drives the queue, with what `crossing` said last.
    score: float = 0.0
    armed: bool = True
    crossings: int = 0
    # The triggers that were raised for this lead before.
    raised: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert to raise; whoever has raised this key before keeps silent."""

    trigger: Trigger
    once_key: str


class Crossing(NamedTuple):
    """What a new score does to the watch on the hot threshold."""

    armed: bool
    crossings: int
    became_hot: bool


@dataclass(frozen=True, slots=True)
class _Heard:
    """A fact, and all that a rule may look at beside it."""

    kind: str
    measured: Mapping[str, Any]
    fact_id: int
    state: LeadState
    settings: AlertSettings


def crossing(state: LeadState, score: float, hot: float) -> Crossing:
    """Whether this score crosses the threshold upward, for a lead that was not hot just now.

    A score that trembles around the threshold crosses it once; it must fall 5 points below, or to
    0 where there are no 5 points, before it can cross again.
    """
    if score >= hot:
        return Crossing(False, state.crossings + state.armed, state.armed)
    is_rearmed = score <= max(hot - REARMED_BELOW, 0.0)
    return Crossing(state.armed or is_rearmed, state.crossings, False)


def triggers_for(
    kind: str,
    measured: Mapping[str, Any],
    state: LeadState,
    settings: AlertSettings,
    *,
    fact_id: int,
) -> tuple[Raised, ...]:
    """The alerts that a fact deserves, the state being the lead's after it.

    Facts may be heard late, twice, and in any order: what is news once per lead is judged by the
    fact and the state together, and the key keeps it from being raised twice.
    """
    heard = _Heard(kind, measured, fact_id, state, settings)
    return tuple(
        Raised(trigger, f"alert:{trigger}:{state.lead_id}{about}")
        for trigger, rule in _RULES
        if settings.triggers.get(trigger, True)
        and (about := rule(heard)) is not None
        and (about or trigger not in state.raised)
    )


# Each rule says what an alert is about beside its lead: "" where that is news once for all, None
# where there is no news.


def _became_sql(heard: _Heard) -> str | None:
    """Held until there is a contact: then it is the contact's fact that raises it."""
    if heard.settings.sql_requires_contact and not heard.state.contactable:
        return None
    if heard.kind == FactKind.LEAD_CLASSIFIED:
        return "" if heard.measured.get("to") == Classification.SQL else None
    is_sql = heard.state.classification == Classification.SQL
    return "" if is_sql and heard.measured.get("contact") else None


def _became_hot(heard: _Heard) -> str | None:
    """`crossing` numbers the crossings of a profile; the fact carries the number of this one."""
    if heard.kind != FactKind.TIER_CHANGED or not heard.measured.get("crossing"):
        return None
    profile = heard.measured.get("profile")
    if profile != heard.settings.queue_profile:
        return None
    return f":{profile}:{heard.measured['crossing']}"


def _demo_requested(heard: _Heard) -> str | None:
    if heard.kind == FactKind.BEHAVIOR_REPORTED:
        word = heard.measured.get("action")
    elif heard.kind == FactKind.ACTIVITY_LOGGED:
        word = heard.measured.get("kind")
    else:
        return None
    return "" if find_action(str(word)) == Action.DEMO_REQUESTED else None


def _contact_shared(heard: _Heard) -> str | None:
    """By the visitor: a contact that staff found out was not shared."""
    if heard.kind not in (FactKind.ANSWER_RECORDED, FactKind.PROFILE_UPDATED):
        return None
    is_shared = heard.measured.get("contact") and heard.measured.get("by") != "staff"
    return "" if is_shared else None


def _journey_completed(heard: _Heard) -> str | None:
    return "" if heard.kind == FactKind.JOURNEY_COMPLETED else None


def _lead_assigned(heard: _Heard) -> str | None:
    """Each time anew, but not when the lead is taken from somebody and given to nobody.

    Of hundreds that are given away together nobody wants hundreds of messages.
    """
    if heard.measured.get("among_many"):
        return None
    is_given = heard.kind == FactKind.LEAD_ASSIGNED and heard.measured.get("to", True)
    return f":{heard.fact_id}" if is_given else None


def _follow_up_due(heard: _Heard) -> str | None:
    if heard.kind != FactKind.FOLLOW_UP_DUE:
        return None
    return f":{heard.measured.get('follow_up_id') or heard.fact_id}"


def _deal_won(heard: _Heard) -> str | None:
    """Not where a deal that was won is only told better, nor where an import tells of old ones."""
    if str(heard.measured.get("actor", "")).startswith(IMPORT_ACTOR):
        return None
    if heard.kind != FactKind.OUTCOME_RECORDED or heard.measured.get("outcome") != Outcome.WON:
        return None
    return None if heard.measured.get("from") == Outcome.WON else f":{heard.fact_id}"


_RULES: tuple[tuple[Trigger, Callable[[_Heard], str | None]], ...] = (
    (Trigger.BECAME_SQL, _became_sql),
    (Trigger.BECAME_HOT, _became_hot),
    (Trigger.DEMO_REQUESTED, _demo_requested),
    (Trigger.CONTACT_SHARED, _contact_shared),
    (Trigger.JOURNEY_COMPLETED, _journey_completed),
    (Trigger.LEAD_ASSIGNED, _lead_assigned),
    (Trigger.FOLLOW_UP_DUE, _follow_up_due),
    (Trigger.DEAL_WON, _deal_won),
)


# What concerns no lead: the fact is the news, each time anew.
_OF_NO_LEAD = {
    str(FactKind.MODEL_PROMOTED): Trigger.MODEL_PROMOTED,
    str(FactKind.MODEL_RETURNED): Trigger.MODEL_RETURNED,
}


def trigger_of(kind: str) -> Trigger | None:
    """The alert that a fact about no lead deserves, if any."""
    return _OF_NO_LEAD.get(kind)


def wanted_by(
    triggers: Collection[str] | None, settings: AlertSettings, trigger: str, channel: str
) -> bool:
    """Whether a destination with these triggers is told; one without any hears all."""
    if not settings.triggers.get(trigger, True):
        return False
    # The channels without a switch are those that somebody added one by one.
    if not getattr(settings, f"enable_{channel}", True):
        return False
    return not triggers or trigger in triggers


# --- In words ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Strength:
    """One thing that speaks for a lead: in words, and its points."""

    text: str
    points: float


_WORDS = {
    Action.DEMO_REQUESTED: "Asked for a demo",
    Action.CTA_CLICKED: "Clicked a call to action",
    Action.SHARED_CONTACT: "Shared contact details",
    Action.PRICING_REQUEST: "Asked for a price",
    Action.ANSWERED_ALL_QUESTIONS: "Answered every question",
    Action.CLICKED_PRODUCT: "Looked at products",
    Action.DETAILED_ANSWER: "Answered in detail",
    Action.QUICK_REPLY: "Answered quickly",
    Action.ANSWERED_QUESTION: "Answered questions",
    Action.REPLIED_TO_GREETING: "Replied to the greeting",
    Action.SESSION_OPENED: "Opened the chat",
    Action.EMAIL_REPLY: "Replied to an e-mail",
    Action.EMAIL_CLICK: "Clicked in an e-mail",
    Action.EMAIL_OPEN: "Opened an e-mail",
    Action.WEBSITE_VISIT: "Visited the website",
    Action.CONFIRMED_SUMMARY: "Confirmed the summary",
    Action.CONSENT_GIVEN: "Gave consent",
    Action.CONSENT_WITHDRAWN: "Withdrew consent",
}
# Of two things with the same points the one that says more about a wish to buy comes first.
_RANK = {str(action): rank for rank, action in enumerate(_WORDS)}


def strongest_reasons(sums: Iterable[tuple[str, float]], n: int = 3) -> tuple[Strength, ...]:
    """What speaks most for a lead, out of the ledger's sums by action; only what adds points."""
    totals: dict[str, float] = {}
    for action, points in sums:
        totals[action] = totals.get(action, 0) + points
    ranked = sorted(totals, key=lambda name: (-totals[name], _RANK.get(name, len(_RANK)), name))
    return tuple(Strength(_said(name), totals[name]) for name in ranked if totals[name] > 0)[:n]


def _said(name: str) -> str:
    action = find_action(name)
    return _WORDS[action] if action else name.replace("_", " ").capitalize()
