"""Facts to awards; awards to a score, a class, a tier; the named scoring profiles.

The profiles stand here because they answer the ledger's own question, what a lead is worth, on the
other scale; how facts become the signals that they weigh is `engine.signals`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from engine.flow import answered_all, open_questions, settled
from engine.journey import AwardKey, Fact, Journey, Standing, fold
from engine.signals import ACTIVITIES, EMAIL, WEBSITE, Signals
from engine.vocabulary import SERVER_ACTIONS, Action, Profile, Tier
from engine.workflow import Workflow

_ALL = str(Action.ANSWERED_ALL_QUESTIONS)
_SINGLE = frozenset(map(str, Action)) - {_ALL}

# --- The ledger of points ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One line of the ledger: an award, its reversal, or the difference of a changed worth."""

    action: str
    subject: str
    generation: int
    points: int
    event_seq: int


def step(
    journey: Journey, fact: Fact, workflow: Workflow, points: Workflow
) -> tuple[Journey, tuple[LedgerRow, ...]]:
    """The journey after a fact, and what the ledger gains by it.

    `workflow` is what the session is pinned to (already arranged for its arms), `points` the
    version whose points count; the two differ only after the session was re-scored.
    """
    after = settled(workflow, fold(journey, fact))
    after, rows = _credited(after, _worth(_earned(after, workflow), points), _SINGLE, fact.seq)
    # Only now is the score known by which branching may open one more question.
    whole = [(_ALL, "")] if answered_all(workflow, after) else []
    after, last = _credited(after, _worth(whole, points), frozenset({_ALL}), fact.seq)
    return after, tuple(sorted((*rows, *last), key=lambda row: (row.action, row.subject)))


def _credited(
    journey: Journey, due: Mapping[AwardKey, int], among: frozenset[str], seq: int
) -> tuple[Journey, list[LedgerRow]]:
    """The journey with its awards of these actions brought to what is due, and the rows of it."""
    held = {key: standing for key, standing in journey.awards.items() if key[0] in among}
    rows = list(_differences(held, due, seq))
    changed = {
        (row.action, row.subject): Standing(
            (held[row.action, row.subject].points if row.generation else 0) + row.points,
            row.generation,
        )
        for row in rows
    }
    return replace(journey, awards={**journey.awards, **changed}) if rows else journey, rows


def _worth(earned: Iterable[AwardKey], points: Workflow) -> Mapping[AwardKey, int]:
    """Every award that is earned, with its worth, by the table of points."""
    worths = {(str(action), subject): points.points_for(action) for action, subject in earned}
    return {key: worth for key, worth in worths.items() if worth}


def _earned(journey: Journey, workflow: Workflow) -> Iterator[AwardKey]:
    """All but the award for everything answered."""
    if journey.opened:
        yield Action.SESSION_OPENED, ""
    for question in open_questions(workflow, journey):
        given = journey.answers.get(question.id)
        if given is None or given.skipped:
            continue
        subject = str(question.id)
        yield Action.ANSWERED_QUESTION, subject
        if given.first_seconds is not None and given.first_seconds < workflow.quick_reply_seconds:
            yield Action.QUICK_REPLY, subject
        if given.typed and given.length > workflow.detailed_answer_characters:
            yield Action.DETAILED_ANSWER, subject
    if journey.contact_known:
        yield Action.SHARED_CONTACT, ""
    for action, subject in journey.clicks:
        if action not in SERVER_ACTIONS:
            yield _clicked(action, subject, workflow)


def _clicked(action: str, subject: str, workflow: Workflow) -> AwardKey:
    """What a click counts as here: a name that this workflow does not know is no name."""
    if action == Action.CLICKED_PRODUCT:
        known = any(product.id == subject for product in workflow.products)
        return action, subject if known else ""
    if action == Action.CTA_CLICKED:
        call = next((call for call in workflow.calls_to_action if call.id == subject), None)
        if call and call.action == action:
            return action, subject
        return (call.action if call else action), ""
    return action, ""


def _differences(
    held: Mapping[AwardKey, Standing], due: Mapping[AwardKey, int], seq: int
) -> Iterator[LedgerRow]:
    """The rows that bring the ledger from what it holds to what is due."""
    for key in sorted(due.keys() | held.keys()):
        standing = held.get(key)
        difference = due.get(key, 0) - (standing.points if standing else 0)
        if difference:
            generation = standing.generation + 1 if standing else 0
            yield LedgerRow(key[0], key[1], generation, difference, seq)


def row_metadata(row: LedgerRow) -> dict[str, int | str]:
    """What a ledger row is about, in workflow ids only."""
    if not row.subject:
        return {}
    if row.action in (Action.ANSWERED_QUESTION, Action.QUICK_REPLY, Action.DETAILED_ANSWER):
        return {"question_id": int(row.subject)}
    name = "product" if row.action == Action.CLICKED_PRODUCT else "cta"
    return {name: row.subject}


def tier_for(score: float, *, hot: float, warm: float) -> Tier:
    """How soon somebody should call, by a profile's two thresholds."""
    if score >= hot:
        return Tier.HOT
    return Tier.WARM if score >= warm else Tier.COLD


# --- The named scoring profiles ----------------------------------------------------------------

# From which score on a lead is hot and warm, unless the workspace says otherwise.
_TIERS = {
    Profile.CORE_POINTS: (75.0, 50.0),
    Profile.CRM_RULES: (70.0, 40.0),
    Profile.ENGAGEMENT_WEIGHTED: (75.0, 50.0),
    Profile.ML_PROBABILITY: (75.0, 50.0),
}

# What each signal of `engagement_weighted` may bring, as a share of the whole.
WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "email_opens_recent": 0.25,
        "email_click_rate": 0.20,
        "website_visits": 0.20,
        "crm_activities": 0.15,
        "deal_stage": 0.10,
        "company_size": 0.05,
        "recency": 0.05,
    }
)
# The source without which a signal cannot be seen; the others are always there.
_NEEDS = {
    "email_opens_recent": EMAIL,
    "email_click_rate": EMAIL,
    "website_visits": WEBSITE,
    "crm_activities": ACTIVITIES,
    "deal_stage": ACTIVITIES,
}
_LABELS = {
    "pricing_request": "Asked for a price",
    "recency": "Was in touch recently",
    "demo_request": "Asked for a demo",
    "company_size": "Size of the company",
    "engagement": "Opens, clicks, replies, visits, answers and activities",
    "email_opens_recent": "Opened e-mails in the last 7 days",
    "email_click_rate": "Clicks in the e-mails that were opened",
    "website_visits": "Visited the website in the last 30 days",
    "crm_activities": "Calls, meetings and notes of the last 90 days",
    "deal_stage": "Place in the pipeline",
}
# What the rules of `crm_rules` bring at most; together 100.
_RULES = {
    "pricing_request": 30.0,
    "recency": 20.0,
    "demo_request": 15.0,
    "company_size": 10.0,
    "engagement": 25.0,
}
LARGE_COMPANY = 50
POINTS_AN_ENGAGEMENT = 5
WHOLE = 100.0


@dataclass(frozen=True, slots=True)
class Part:
    """What one signal brings to a score."""

    signal: str
    label: str
    # How strong the signal is, from 0 to 1; None where nobody knows, which brings nothing.
    value: float | None
    # The most that it could bring to this score, in points; those of all parts together are 100.
    weight: float
    points: float


@dataclass(frozen=True, slots=True)
class ProfileScore:
    """What a profile makes of a lead: a score from 0 to 100 that is the sum of its parts."""

    profile: Profile
    # Not rounded to what people are shown, which is one decimal.
    score: float
    tier: Tier
    # Which share of the profile's weight could be seen at all in this workspace.
    coverage: float
    parts: tuple[Part, ...]
    # The signals whose source is not connected.
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about a lead of a tier, and within how many hours; None: there is no hurry."""

    action: str
    hours: int | None


_ADVICE = {
    Tier.HOT: Advice("Call within an hour", 1),
    Tier.WARM: Advice("Get in touch within 24 hours", 24),
    Tier.COLD: Advice("Nurture", None),
}


def advice_for(tier: Tier) -> Advice:
    """What to do about a lead of this tier, and by when."""
    return _ADVICE[tier]


def profile_tiers(profile: Profile) -> tuple[float, float]:
    """From which score on a lead is hot and warm, as the profile ships."""
    return _TIERS[profile]


def profile_score(
    profile: Profile,
    signals: Signals,
    *,
    weights: Mapping[str, float] = WEIGHTS,
    tiers: tuple[float, float] | None = None,
) -> ProfileScore:
    """The score of a lead in one of the two profiles that read signals.

    `weights` are those of `engagement_weighted`, in any unit; `tiers` are the hot and the warm
    threshold of the workspace. ValueError for another profile or weights that cannot be used.
    """
    hot, warm = tiers or profile_tiers(profile)
    if profile == Profile.CRM_RULES:
        # All that these rules read comes to the chat or to the API: no source can be missing.
        return _scored(profile, _rule_values(signals), _RULES, (), hot, warm)
    if profile == Profile.ENGAGEMENT_WEIGHTED:
        _check_weights(weights)
        out = tuple(name for name in WEIGHTS if _NEEDS.get(name) not in {None, *signals.connected})
        return _scored(profile, _engagement_values(signals), weights, out, hot, warm)
    raise ValueError(f"{profile} is not made of signals.")


def _check_weights(weights: Mapping[str, float]) -> None:
    unknown = ", ".join(sorted(weights.keys() - WEIGHTS.keys()))
    if unknown:
        raise ValueError(f"There is no signal {unknown}; known are {', '.join(WEIGHTS)}.")
    if not all(0 <= weight < math.inf for weight in weights.values()):
        raise ValueError("Each weight must be a number, not below 0.")
    if not 0 < sum(weights.values()) < math.inf:
        raise ValueError("At least one weight must be above 0.")


def _scored(
    profile: Profile,
    values: Mapping[str, float | None],
    weights: Mapping[str, float],
    left_out: tuple[str, ...],
    hot: float,
    warm: float,
) -> ProfileScore:
    """The score over the signals that are there, so that a missing source pulls nobody down."""
    there = {name: weights.get(name, 0.0) for name in values if name not in left_out}
    seen = math.fsum(there.values())
    parts = tuple(
        _part(name, values[name], WHOLE * (weight / seen) if seen else 0.0)
        for name, weight in there.items()
    )
    # Sums of such shares miss whole numbers by 1e-14, and a threshold is a whole number.
    score = min(WHOLE, round(math.fsum(part.points for part in parts), 9))
    coverage = min(1.0, round(seen / math.fsum(weights.values()), 9))
    return ProfileScore(
        profile, score, tier_for(score, hot=hot, warm=warm), coverage, parts, left_out
    )


def _part(name: str, value: float | None, weight: float) -> Part:
    return Part(name, _LABELS[name], value, weight, weight * (value or 0.0))


def _rule_values(signals: Signals) -> dict[str, float | None]:
    """How far each rule of `crm_rules` is met, from 0 to 1."""
    size = signals.employees
    return {
        "pricing_request": float(signals.pricing_requested),
        "recency": _faded(signals.days_since_interaction, half_life=7),
        "demo_request": float(signals.demo_requested),
        "company_size": None if size is None else float(size > LARGE_COMPANY),
        "engagement": min(1.0, signals.engagements * POINTS_AN_ENGAGEMENT / _RULES["engagement"]),
    }


def _engagement_values(signals: Signals) -> dict[str, float | None]:
    """How strong each signal of `engagement_weighted` is, from 0 to 1."""
    size, opens, place = signals.employees, signals.email_opens_90d, signals.stage_place
    visited = _faded(signals.days_since_visit, half_life=14) or 0.0
    # Who clicked has opened, even where the picture that tells of it was blocked.
    rate = signals.email_clicks_90d / max(opens, signals.email_clicks_90d, 1)
    return {
        "email_opens_recent": min(1.0, signals.email_opens_7d / 5),
        "email_click_rate": rate,
        "website_visits": min(1.0, signals.website_visits_30d / 10 * visited),
        "crm_activities": min(1.0, signals.activities_90d / 10),
        "deal_stage": None if place is None else min(1.0, max(0.0, place)),
        "company_size": None if size is None else min(1.0, math.log10(size + 1) / 3),
        "recency": _faded(signals.days_since_interaction, half_life=14),
    }


def _faded(days: float | None, *, half_life: float) -> float | None:
    """What is left of 1 after so many days; None where there was no such day."""
    return None if days is None else 0.5 ** (days / half_life)
