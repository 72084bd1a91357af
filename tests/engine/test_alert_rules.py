"""Tests of engine.alert_rules: which fact is news, once, for whom, and in which words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.alert_rules import (
    Crossing,
    LeadState,
    Raised,
    Strength,
    crossing,
    strongest_reasons,
    trigger_of,
    triggers_for,
    wanted_by,
)
from engine.alert_settings import AlertSettings
from engine.vocabulary import IMPORT_ACTOR, Action, ChannelName, FactKind, Profile, Trigger

SHIPPED = AlertSettings()
KNOWN = LeadState(7, "SQL", contactable=True)
HIDDEN = LeadState(7, "SQL", contactable=False)
COLD = LeadState(7, "Unqualified", contactable=True)

TO_SQL = ("lead.classified", {"from": "MQL", "to": "SQL", "score": 60})
CONTACT = ("profile.updated", {"contact": True})
HOT = ("lead.tier_changed", {"profile": "core_points", "from": "warm", "to": "hot", "crossing": 2})


def keys(
    fact: tuple[str, dict[str, Any]],
    state: LeadState = COLD,
    settings: AlertSettings = SHIPPED,
    fact_id: int = 99,
) -> list[str]:
    """The keys of what a fact raises."""
    raised = triggers_for(*fact, state, settings, fact_id=fact_id)
    for one in raised:
        assert one.once_key.startswith(f"alert:{one.trigger}:{state.lead_id}")
    return [one.once_key.removeprefix("alert:") for one in raised]


def off(*triggers: str) -> AlertSettings:
    """Settings with some triggers switched off."""
    return replace(SHIPPED, triggers={**SHIPPED.triggers, **dict.fromkeys(triggers, False)})


# Became SQL


def test_a_lead_that_can_be_reached_is_news_when_it_becomes_sql():
    assert triggers_for(*TO_SQL, KNOWN, SHIPPED, fact_id=99) == (
        Raised(Trigger.BECAME_SQL, "alert:became_sql:7"),
    )


def test_it_is_news_once_per_lead_by_whichever_fact():
    again = replace(KNOWN, raised=frozenset({"became_sql"}))

    assert keys(TO_SQL, again) == []
    assert keys(TO_SQL, KNOWN, fact_id=1) == keys(TO_SQL, KNOWN, fact_id=2)
    assert keys(TO_SQL, replace(KNOWN, lead_id=8)) == ["became_sql:8"]


def test_it_is_held_until_there_is_a_contact_and_then_raised_by_it():
    assert keys(TO_SQL, HIDDEN) == []
    assert keys(CONTACT, KNOWN) == ["became_sql:7", "contact_shared:7"]


@pytest.mark.parametrize(
    "fact",
    [
        ("lead.edited", {"contact": True, "by": "staff"}),
        ("profile.updated", {"contact": True, "by": "staff"}),
    ],
)
def test_a_contact_that_staff_found_out_frees_it_but_was_not_shared(fact: Any):
    assert keys(fact, KNOWN) == ["became_sql:7"]


def test_it_need_not_wait_for_a_contact():
    settings = replace(SHIPPED, sql_requires_contact=False)

    assert keys(TO_SQL, HIDDEN, settings) == ["became_sql:7"]


@pytest.mark.parametrize(
    ("fact", "state"),
    [
        (("lead.classified", {"from": "SQL", "to": "MQL", "score": 59}), KNOWN),
        (("lead.classified", {}), KNOWN),
        (("profile.updated", {"contact": False}), KNOWN),
        (("answer.recorded", {"question_id": 1}), KNOWN),
        (("lead.assigned", {"to": None}), KNOWN),
    ],
)
def test_what_made_nobody_sql_and_nobody_known_is_no_news(fact: Any, state: LeadState):
    assert keys(fact, state) == []


def test_a_contact_of_a_lead_that_is_not_sql_is_a_contact_only():
    assert keys(CONTACT, replace(COLD, classification="MQL")) == ["contact_shared:7"]


def test_a_class_that_was_lost_before_the_fact_was_heard_is_still_news():
    assert keys(TO_SQL, replace(KNOWN, classification="MQL")) == ["became_sql:7"]


# Became hot


def test_each_crossing_is_news_once():
    assert keys(HOT) == ["became_hot:7:core_points:2"]
    assert keys((HOT[0], {**HOT[1], "crossing": 3})) == ["became_hot:7:core_points:3"]
    assert keys(HOT, replace(COLD, raised=frozenset({"became_hot"}))) == keys(HOT)


@pytest.mark.parametrize(
    "fact",
    [
        (HOT[0], {"profile": "core_points", "from": "hot", "to": "warm"}),
        (HOT[0], {**HOT[1], "crossing": None}),
        (HOT[0], {**HOT[1], "profile": "crm_rules"}),
        ("lead.staged", HOT[1]),
    ],
)
def test_only_a_crossing_in_the_profile_of_the_queue_is_news(fact: Any):
    assert keys(fact) == []


def test_the_profile_of_the_queue_may_be_another():
    fact = (HOT[0], {**HOT[1], "profile": "crm_rules"})

    settings = replace(SHIPPED, queue_profile=Profile.CRM_RULES)

    assert keys(fact, settings=settings) == ["became_hot:7:crm_rules:2"]
    assert keys(HOT, settings=settings) == []


@pytest.mark.parametrize(
    ("armed", "score", "after"),
    [
        (True, 75.0, Crossing(False, 4, True)),
        (True, 100.0, Crossing(False, 4, True)),
        (True, 74.99, Crossing(True, 3, False)),
        (True, 0.0, Crossing(True, 3, False)),
        (False, 75.0, Crossing(False, 3, False)),
        (False, 74.99, Crossing(False, 3, False)),
        (False, 70.01, Crossing(False, 3, False)),
        (False, 70.0, Crossing(True, 3, False)),
        (False, 0.0, Crossing(True, 3, False)),
    ],
)
def test_a_crossing_is_armed_again_five_points_below(armed: bool, score: float, after: Crossing):
    assert crossing(replace(COLD, armed=armed, crossings=3), score, 75.0) == after


@pytest.mark.parametrize(
    ("hot", "scores", "times"),
    [
        (75, [74, 76, 74, 76, 71, 75], 1),
        (75, [80, 70, 80, 70, 80], 3),
        (75, [10, 20, 30], 0),
        (3, [5, 1, 5, 0, 5], 2),
        (5, [5, 1, 5, 0, 5], 2),
        (0, [0, 0, 5, 0], 1),
    ],
)
def test_a_score_that_trembles_is_hot_once(hot: float, scores: list[float], times: int):
    state = COLD
    for score in scores:
        armed, crossings, _ = crossing(state, score, hot)
        state = replace(state, armed=armed, crossings=crossings)

    assert state.crossings == times


@given(st.lists(st.floats(0, 100)), st.floats(0, 100))
def test_between_two_alerts_the_score_was_low(scores: list[float], hot: float):
    state, lowest = COLD, -1.0
    for score in scores:
        armed, crossings, became_hot = crossing(state, score, hot)
        assert became_hot == (crossings == state.crossings + 1)
        assert crossings in (state.crossings, state.crossings + 1)
        lowest = min(lowest, score)
        if became_hot:
            assert score >= hot and lowest <= max(hot - 5, 0)
            lowest = 1000.0
        state = replace(state, armed=armed, crossings=crossings)


# The others


@pytest.mark.parametrize(
    ("fact", "key"),
    [
        (("behavior.reported", {"action": "demo_requested", "subject": ""}), "demo_requested:7"),
        (("activity.logged", {"kind": "demo_requested"}), "demo_requested:7"),
        (("activity.logged", {"kind": "clicked_demo"}), "demo_requested:7"),
        (CONTACT, "contact_shared:7"),
        (("answer.recorded", {"question_id": 4, "contact": True}), "contact_shared:7"),
        (("journey.completed", {"answered": 5}), "journey_completed:7"),
    ],
)
def test_what_a_visitor_does_is_news_once_per_lead(fact: Any, key: str):
    assert keys(fact) == [key]
    assert keys(fact, replace(COLD, raised=frozenset({key.split(":")[0]}))) == []
    assert keys(fact, replace(COLD, raised=frozenset({"something_else"}))) == [key]


@pytest.mark.parametrize(
    "fact",
    [
        ("behavior.reported", {"action": "clicked_product", "subject": "billing"}),
        ("behavior.reported", {"kind": "demo_requested"}),
        ("behavior.reported", {}),
        ("activity.logged", {"kind": "call"}),
        ("lead.edited", {"action": "demo_requested", "kind": "demo_requested", "contact": True}),
        ("lead.created", {"contact": True}),
        ("session.started", {}),
    ],
)
def test_anything_else_is_no_news(fact: Any):
    assert keys(fact) == []


def test_each_assignment_is_news():
    fact = ("lead.assigned", {"to": "bob"})
    told = replace(COLD, raised=frozenset({"lead_assigned"}))

    assert keys(fact, told, fact_id=5) == ["lead_assigned:7:5"]
    assert keys(("lead.assigned", {}), fact_id=6) == ["lead_assigned:7:6"]
    assert keys(("lead.assigned", {"to": None})) == []


def test_hundreds_that_are_given_away_together_are_no_news():
    assert keys(("lead.assigned", {"to": "bob", "among_many": True})) == []


def test_each_follow_up_is_news_once():
    fact = ("follow_up.due", {"follow_up_id": 12})
    told = replace(COLD, raised=frozenset({"follow_up_due"}))

    assert keys(fact, told, fact_id=5) == keys(fact, told, fact_id=6) == ["follow_up_due:7:12"]
    assert keys(("follow_up.due", {}), fact_id=5) == ["follow_up_due:7:5"]
    assert keys(("follow_up.set", {"follow_up_id": 12})) == []


def test_each_deal_that_is_won_is_news():
    told = replace(COLD, raised=frozenset({"deal_won"}))

    assert keys(("outcome.recorded", {"outcome": "won"}), told, fact_id=5) == ["deal_won:7:5"]
    assert keys(("outcome.recorded", {"outcome": "lost"})) == []
    assert keys(("lead.staged", {"outcome": "won"})) == []


def test_a_corrected_value_is_no_second_deal():
    assert keys(("outcome.recorded", {"outcome": "won", "from": "won"}), COLD, fact_id=6) == []
    assert keys(("outcome.recorded", {"outcome": "won", "from": "lost"}), COLD, fact_id=6) == [
        "deal_won:7:6"
    ]


def test_deals_that_an_import_tells_of_are_old_news():
    imported = {"outcome": "won", "actor": f"{IMPORT_ACTOR}5"}

    assert keys(("outcome.recorded", imported)) == []
    assert keys(("outcome.recorded", {"outcome": "won", "actor": "sam"})) == ["deal_won:7:99"]


ALL = {
    "became_sql": (TO_SQL, KNOWN),
    "became_hot": (HOT, COLD),
    "demo_requested": (("behavior.reported", {"action": "demo_requested"}), COLD),
    "contact_shared": (CONTACT, COLD),
    "journey_completed": (("journey.completed", {}), COLD),
    "lead_assigned": (("lead.assigned", {"to": "bob"}), COLD),
    "follow_up_due": (("follow_up.due", {"follow_up_id": 1}), COLD),
    "deal_won": (("outcome.recorded", {"outcome": "won"}), COLD),
}


def test_every_trigger_has_its_rule():
    of_models = {Trigger.MODEL_PROMOTED, Trigger.MODEL_RETURNED}
    assert set(ALL) == {str(trigger) for trigger in Trigger} - of_models
    assert trigger_of("model.promoted") is Trigger.MODEL_PROMOTED
    assert trigger_of("model.returned") is Trigger.MODEL_RETURNED
    assert trigger_of("lead.created") is None


@pytest.mark.parametrize("trigger", ALL)
def test_a_trigger_that_is_switched_off_raises_nothing(trigger: str):
    fact, state = ALL[trigger]

    assert len(keys(fact, state)) == 1
    assert keys(fact, state, off(trigger)) == []
    assert len(keys(fact, state, off(*(set(ALL) - {trigger})))) == 1


MEASURED = st.dictionaries(
    st.sampled_from(
        ["action", "kind", "contact", "by", "to", "profile", "crossing", "outcome", "follow_up_id"]
    ),
    st.sampled_from(
        ["demo_requested", "SQL", "won", "staff", "core_points", True, False, None, 3, 0]
    ),
)


@given(
    st.sampled_from([*map(str, FactKind), "else"]),
    MEASURED,
    st.builds(
        LeadState,
        st.integers(1, 9),
        st.sampled_from(["SQL", "MQL", "Unqualified"]),
        st.booleans(),
        raised=st.frozensets(st.sampled_from(sorted(ALL))),
    ),
    st.integers(1, 10**9),
)
def test_any_fact_is_judged_the_same_way_twice_and_by_different_keys(
    kind: str, measured: dict[str, Any], state: LeadState, fact_id: int
):
    raised = triggers_for(kind, measured, state, SHIPPED, fact_id=fact_id)

    assert raised == triggers_for(kind, measured, state, SHIPPED, fact_id=fact_id)
    assert len({one.once_key for one in raised}) == len(raised)
    assert all(len(one.once_key) <= 100 for one in raised)
    # What is news once per lead is silent once it was raised.
    later = replace(state, raised=state.raised | {one.trigger for one in raised})
    again = triggers_for(kind, measured, later, SHIPPED, fact_id=fact_id)
    assert all(one.once_key.count(":") > 2 for one in again)


# Who hears it


@pytest.mark.parametrize("triggers", [None, [], (), ["became_hot"], ["deal_won", "became_hot"]])
def test_a_destination_hears_what_it_names_and_all_if_it_names_nothing(triggers: Any):
    assert wanted_by(triggers, SHIPPED, Trigger.BECAME_HOT, ChannelName.SLACK)


def test_a_destination_does_not_hear_what_it_does_not_name():
    assert not wanted_by(["deal_won"], SHIPPED, Trigger.BECAME_HOT, ChannelName.SLACK)


def test_a_trigger_that_is_switched_off_reaches_nobody():
    for channel in ChannelName:
        assert not wanted_by(["became_hot"], off("became_hot"), "became_hot", channel)
        assert wanted_by(None, off("became_hot"), "became_sql", channel)


@pytest.mark.parametrize("channel", ["slack", "discord", "teams", "email"])
def test_a_channel_that_is_switched_off_reaches_nobody(channel: str):
    settings = replace(SHIPPED, **{f"enable_{channel}": False})

    for other in ChannelName:
        assert wanted_by(None, settings, "became_sql", other) is (other != channel)


# In words


def test_the_three_strongest_reasons_come_in_order_and_in_words():
    ledger = [
        ("session_opened", 5),
        ("answered_question", 25),
        ("answered_all_questions", 10),
        ("shared_contact", 10),
        ("demo_requested", 15),
        ("quick_reply", 15),
    ]

    assert strongest_reasons(ledger) == (
        Strength("Answered questions", 25),
        Strength("Asked for a demo", 15),
        Strength("Answered quickly", 15),
    )
    assert [one.text for one in strongest_reasons(ledger, n=5)][3:] == [
        "Shared contact details",
        "Answered every question",
    ]
    assert strongest_reasons(reversed(ledger)) == strongest_reasons(ledger)


def test_only_what_adds_points_speaks_for_a_lead():
    assert strongest_reasons([("demo_requested", 0), ("quick_reply", -5)]) == ()
    assert strongest_reasons([]) == ()


def test_an_award_and_its_reversal_are_one_sum():
    rows = [("quick_reply", 5), ("detailed_answer", 5), ("quick_reply", -5), ("detailed_answer", 5)]

    assert strongest_reasons(rows) == (Strength("Answered in detail", 10),)


def test_a_name_that_nobody_knows_is_said_as_it_is():
    said = strongest_reasons([("liked_us_a_lot", 5), ("clicked_demo", 5), ("session_opened", 5)])

    assert [one.text for one in said] == ["Opened the chat", "Asked for a demo", "Liked us a lot"]


@pytest.mark.parametrize("action", Action)
def test_every_action_has_its_words(action: Action):
    (said,) = strongest_reasons([(str(action), 1)])

    assert said.text[0].isupper()
    assert said.text != str(action).replace("_", " ").capitalize()


def test_no_two_actions_have_the_same_words():
    said = [one.text for one in strongest_reasons([(str(a), 1) for a in Action], n=99)]

    assert len(set(said)) == len(said) == len(Action)
