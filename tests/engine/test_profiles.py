"""Tests of the scoring profiles in engine.points: each rule, weight, formula, missing source."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.points import (
    WEIGHTS,
    Part,
    ProfileScore,
    advice_for,
    profile_score,
    profile_tiers,
    tier_for,
)
from engine.signals import SOURCES, Signals
from engine.vocabulary import Profile, Tier

CRM, WEIGHTED = Profile.CRM_RULES, Profile.ENGAGEMENT_WEIGHTED


def crm(**seen: Any) -> ProfileScore:
    """The score by the rules of `crm_rules`."""
    return profile_score(CRM, Signals(**seen))


def weighted(connected: Any = SOURCES, **seen: Any) -> ProfileScore:
    """The score by `engagement_weighted`, everything being connected."""
    return profile_score(WEIGHTED, Signals(connected=frozenset(connected), **seen))


def part(score: ProfileScore, signal: str) -> Part:
    """One part of a score."""
    (found,) = [one for one in score.parts if one.signal == signal]
    return found


# crm_rules


@pytest.mark.parametrize(
    ("seen", "points"),
    [
        ({}, 0),
        ({"pricing_requested": True}, 30),
        ({"demo_requested": True}, 15),
        ({"days_since_interaction": 0.0}, 20),
        ({"days_since_interaction": 7.0}, 10),
        ({"days_since_interaction": 14.0}, 5),
        ({"days_since_interaction": 3.0}, 20 * 0.5 ** (3 / 7)),
        ({"employees": 50.0}, 0),
        ({"employees": 50.5}, 10),
        ({"employees": 51.0}, 10),
        ({"engagements": 1}, 5),
        ({"engagements": 4}, 20),
        ({"engagements": 5}, 25),
        ({"engagements": 6}, 25),
        ({"engagements": 10**6}, 25),
    ],
)
def test_a_rule_gives_its_points(seen: dict[str, Any], points: float):
    assert crm(**seen).score == pytest.approx(points, abs=1e-9)


def test_all_rules_together_give_100():
    score = crm(
        pricing_requested=True,
        demo_requested=True,
        days_since_interaction=0.0,
        employees=200.0,
        engagements=9,
    )

    assert (score.score, score.tier, score.coverage, score.left_out) == (100, Tier.HOT, 1, ())
    assert [one.points for one in score.parts] == [30, 20, 15, 10, 25]


def test_the_rules_need_no_source():
    assert profile_score(CRM, Signals(pricing_requested=True, connected=frozenset())).score == 30
    assert crm().coverage == 1


def test_an_unknown_size_brings_nothing_and_says_that_it_is_unknown():
    assert part(crm(), "company_size").value is None
    assert part(crm(), "company_size").points == 0
    assert part(crm(employees=3.0), "company_size").value == 0
    assert part(crm(), "recency").value is None


# engagement_weighted


def test_the_weights_are_those_that_were_agreed():
    assert dict(WEIGHTS) == {
        "email_opens_recent": 0.25,
        "email_click_rate": 0.20,
        "website_visits": 0.20,
        "crm_activities": 0.15,
        "deal_stage": 0.10,
        "company_size": 0.05,
        "recency": 0.05,
    }
    assert math.fsum(WEIGHTS.values()) == 1


@pytest.mark.parametrize(
    ("signal", "seen", "value"),
    [
        ("email_opens_recent", {"email_opens_7d": 2}, 0.4),
        ("email_opens_recent", {"email_opens_7d": 5}, 1),
        ("email_opens_recent", {"email_opens_7d": 50}, 1),
        ("email_click_rate", {"email_opens_90d": 8, "email_clicks_90d": 2}, 0.25),
        ("email_click_rate", {"email_opens_90d": 2, "email_clicks_90d": 8}, 1),
        ("email_click_rate", {"email_opens_90d": 8}, 0),
        ("email_click_rate", {}, 0),
        ("email_click_rate", {"email_clicks_90d": 1}, 1),
        ("website_visits", {"website_visits_30d": 4, "days_since_visit": 0.0}, 0.4),
        ("website_visits", {"website_visits_30d": 4, "days_since_visit": 14.0}, 0.2),
        ("website_visits", {"website_visits_30d": 20, "days_since_visit": 14.0}, 1),
        ("website_visits", {"website_visits_30d": 0, "days_since_visit": 40.0}, 0),
        ("website_visits", {}, 0),
        ("crm_activities", {"activities_90d": 3}, 0.3),
        ("crm_activities", {"activities_90d": 30}, 1),
        ("deal_stage", {"stage_place": 0.25}, 0.25),
        ("deal_stage", {"stage_place": 1.5}, 1),
        ("deal_stage", {"stage_place": -1.0}, 0),
        ("deal_stage", {}, None),
        ("company_size", {"employees": 9.0}, 1 / 3),
        ("company_size", {"employees": 999.0}, 1),
        ("company_size", {"employees": 10.0**6}, 1),
        ("company_size", {"employees": 0.0}, 0),
        ("company_size", {}, None),
        ("recency", {"days_since_interaction": 0.0}, 1),
        ("recency", {"days_since_interaction": 14.0}, 0.5),
        ("recency", {}, None),
    ],
)
def test_a_signal_lies_between_0_and_1(signal: str, seen: dict[str, Any], value: float | None):
    found = part(weighted(**seen), signal)

    assert found.value == (value if value is None else pytest.approx(value, abs=1e-12))
    assert found.weight == pytest.approx(100 * WEIGHTS[signal])
    assert found.points == pytest.approx(100 * WEIGHTS[signal] * (value or 0))


def test_a_lead_that_does_everything_scores_100():
    score = weighted(
        email_opens_7d=5,
        email_opens_90d=5,
        email_clicks_90d=5,
        website_visits_30d=10,
        days_since_visit=0.0,
        activities_90d=10,
        stage_place=1.0,
        employees=999.0,
        days_since_interaction=0.0,
    )

    assert (score.score, score.coverage, score.tier) == (100, 1, Tier.HOT)


def test_without_email_the_rest_counts_for_the_whole():
    score = weighted({"website", "activities"}, website_visits_30d=10, days_since_visit=0.0)

    assert score.coverage == pytest.approx(0.55)
    assert score.score == pytest.approx(100 * 0.20 / 0.55)
    assert score.left_out == ("email_opens_recent", "email_click_rate")
    assert {one.signal for one in score.parts}.isdisjoint(score.left_out)


def test_a_source_that_is_there_and_silent_pulls_down_where_a_missing_one_does_not():
    seen = {"website_visits_30d": 10, "days_since_visit": 0.0}

    assert weighted(**seen).score == pytest.approx(20)
    assert weighted({"website"}, **seen).score > 60


@pytest.mark.parametrize(
    ("connected", "coverage"),
    [
        ((), 0.10),
        (("email",), 0.55),
        (("website",), 0.30),
        (("activities",), 0.35),
        (("email", "website"), 0.75),
        (("email", "website", "activities"), 1.0),
    ],
)
def test_coverage_is_the_share_of_the_weights_that_are_there(connected: Any, coverage: float):
    score = weighted(connected)

    assert score.coverage == coverage
    assert math.fsum(one.weight for one in score.parts) == pytest.approx(100)


def test_three_quarters_is_hot_even_where_it_is_a_sum_of_shares():
    seen = {"email_opens_7d": 5, "email_opens_90d": 5, "email_clicks_90d": 5}
    visits = {"website_visits_30d": 10, "days_since_visit": 0.0}

    score = weighted(stage_place=1.0, **seen, **visits)

    assert (score.score, score.tier) == (75, Tier.HOT)


# Weights of one's own


def test_weights_of_ones_own_may_be_in_any_unit():
    signals = Signals(connected=SOURCES, email_opens_7d=5)

    ours = profile_score(WEIGHTED, signals, weights={"email_opens_recent": 3, "recency": 1})

    assert ours.score == 75
    assert part(ours, "email_click_rate").weight == 0


def test_a_weight_at_the_edge_of_numbers_is_still_the_whole():
    ours = profile_score(WEIGHTED, Signals(), weights={"recency": 1e308})

    assert (part(ours, "recency").weight, ours.score) == (100, 0)


def test_where_only_what_is_missing_has_weight_the_score_is_0_and_covers_nothing():
    ours = profile_score(WEIGHTED, Signals(), weights={"deal_stage": 1.0})

    assert (ours.score, ours.coverage, ours.tier) == (0, 0, Tier.COLD)


@pytest.mark.parametrize(
    ("weights", "word"),
    [
        ({"recency": 1.0, "luck": 2.0}, "luck"),
        ({"recency": -0.1, "deal_stage": 1.0}, "not below 0"),
        ({"recency": float("nan")}, "not below 0"),
        ({"recency": float("inf")}, "not below 0"),
        ({"recency": 1e308, "deal_stage": 1e308}, "above 0"),
        ({"recency": 0.0}, "above 0"),
        ({}, "above 0"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(weights: dict[str, float], word: str):
    with pytest.raises(ValueError, match=word):
        profile_score(WEIGHTED, Signals(), weights=weights)


@pytest.mark.parametrize("profile", [Profile.CORE_POINTS, Profile.ML_PROBABILITY])
def test_the_other_profiles_are_not_made_of_signals(profile: Profile):
    with pytest.raises(ValueError, match=profile):
        profile_score(profile, Signals())


# Tiers


@pytest.mark.parametrize(
    ("profile", "tiers"),
    [
        (Profile.CORE_POINTS, (75, 50)),
        (Profile.CRM_RULES, (70, 40)),
        (Profile.ENGAGEMENT_WEIGHTED, (75, 50)),
        (Profile.ML_PROBABILITY, (75, 50)),
    ],
)
def test_each_profile_ships_with_its_own_tiers(profile: Profile, tiers: tuple[float, float]):
    assert profile_tiers(profile) == tiers


@pytest.mark.parametrize(
    ("seen", "tier"),
    [
        ({"pricing_requested": True, "demo_requested": True, "engagements": 5}, Tier.HOT),
        ({"pricing_requested": True, "demo_requested": True, "engagements": 4}, Tier.WARM),
        ({"demo_requested": True, "engagements": 5}, Tier.WARM),
        ({"demo_requested": True, "engagements": 4}, Tier.COLD),
    ],
)
def test_the_rules_have_the_tiers_70_and_40(seen: dict[str, Any], tier: Tier):
    assert crm(**seen).tier is tier


def test_a_workspace_may_set_its_own_tiers():
    signals = Signals(demo_requested=True)

    assert profile_score(CRM, signals, tiers=(15, 5)).tier is Tier.HOT
    assert profile_score(CRM, signals, tiers=(16, 15)).tier is Tier.WARM


def test_a_tier_says_what_to_do_and_by_when():
    said = {tier: advice_for(tier) for tier in Tier}

    assert {tier: advice.hours for tier, advice in said.items()} == {
        Tier.HOT: 1,
        Tier.WARM: 24,
        Tier.COLD: None,
    }
    assert said[Tier.HOT].action == "Call within an hour"
    assert said[Tier.WARM].action == "Get in touch within 24 hours"
    assert said[Tier.COLD].action == "Nurture"


# For any lead

COUNTS = st.integers(0, 100)
DAYS = st.none() | st.floats(0, 4000)
SIGNALS = st.builds(
    Signals,
    email_opens_7d=COUNTS,
    email_opens_90d=COUNTS,
    email_clicks_90d=COUNTS,
    website_visits_30d=COUNTS,
    days_since_visit=DAYS,
    activities_90d=COUNTS,
    stage_place=st.none() | st.floats(-1, 2),
    employees=st.none() | st.floats(0, 1e9),
    days_since_interaction=DAYS,
    pricing_requested=st.booleans(),
    demo_requested=st.booleans(),
    engagements=COUNTS,
    connected=st.frozensets(st.sampled_from(sorted(SOURCES))),
)
OWN_WEIGHTS = st.dictionaries(
    st.sampled_from(sorted(WEIGHTS)), st.floats(0, 1e300), min_size=1
).filter(lambda weights: sum(weights.values()) > 0)


@given(SIGNALS, st.sampled_from([CRM, WEIGHTED]), OWN_WEIGHTS | st.just(WEIGHTS))
def test_a_score_is_the_sum_of_its_parts(signals: Signals, profile: Profile, weights: Any):
    score = profile_score(profile, signals, weights=weights)

    assert abs(score.score - math.fsum(one.points for one in score.parts)) <= 1e-9
    assert 0 <= score.score <= 100 and 0 <= score.coverage <= 1
    hot, warm = profile_tiers(profile)
    assert score.tier is tier_for(score.score, hot=hot, warm=warm)
    for one in score.parts:
        assert 0 <= one.points <= one.weight * (1 + 1e-12)
        assert one.points == one.weight * (one.value or 0)
        assert one.label


@given(SIGNALS, st.sampled_from([CRM, WEIGHTED]), st.integers(1, 20))
def test_more_engagement_never_lowers_a_score(signals: Signals, profile: Profile, more: int):
    busier = replace(
        signals,
        email_opens_7d=signals.email_opens_7d + more,
        website_visits_30d=signals.website_visits_30d + more,
        activities_90d=signals.activities_90d + more,
        engagements=signals.engagements + more,
        pricing_requested=True,
        demo_requested=True,
    )

    before, after = profile_score(profile, signals), profile_score(profile, busier)

    assert after.score >= before.score
