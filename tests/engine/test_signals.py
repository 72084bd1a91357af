"""Tests of engine.signals: what a lead's facts come to at a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.signals import SOURCES, Signals, Timed, employees_of, signals_of, source_of
from engine.vocabulary import ENGAGEMENT_ACTIONS, ActivityKind

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def ago(days: float, kind: str, /, **measured: Any) -> Timed:
    """A fact of so many days ago."""
    return Timed(kind, measured, NOW - timedelta(days=days))


def did(days: float, action: str) -> Timed:
    """A behaviour of so many days ago."""
    return ago(days, "behavior.reported", action=action, subject="")


def logged(days: float, kind: str) -> Timed:
    """An activity of so many days ago."""
    return ago(days, "activity.logged", kind=kind)


def answered(days: float, question_id: int, **measured: Any) -> Timed:
    """An answer of so many days ago."""
    return ago(days, "answer.recorded", question_id=question_id, **measured)


def read(*facts: Timed, **known: Any) -> Signals:
    """What these facts come to now."""
    return signals_of(facts, NOW, **known)


def test_a_lead_of_whom_nothing_is_known_has_no_signals():
    assert read() == Signals()


@pytest.mark.parametrize(
    ("action", "name", "days"),
    [
        ("email_open", "email_opens_7d", 7),
        ("email_open", "email_opens_90d", 90),
        ("email_click", "email_clicks_90d", 90),
        ("website_visit", "website_visits_30d", 30),
    ],
)
def test_a_window_ends_with_its_last_day(action: str, name: str, days: int):
    signals = read(did(days, action), did(days + 0.001, action), did(0, action))

    assert getattr(signals, name) == 2


def test_ages_are_those_of_the_latest():
    signals = read(did(9, "website_visit"), did(3.5, "website_visit"), did(2, "email_open"))

    assert signals.days_since_visit == 3.5
    assert signals.days_since_interaction == 2


@pytest.mark.parametrize("kind", ["call", "meeting", "note"])
def test_calls_meetings_and_notes_are_the_work_of_sales(kind: str):
    signals = read(logged(90, kind), logged(91, kind))

    assert signals.activities_90d == 1
    assert signals.engagements == 2
    assert signals.connected == {"activities"}


def test_an_email_that_sales_wrote_engages_but_is_no_call_meeting_or_note():
    signals = read(logged(1, "email"))

    assert (signals.activities_90d, signals.engagements) == (0, 1)
    assert signals.email_opens_90d == 0


def test_a_signal_told_as_an_activity_counts_as_the_signal_and_once():
    signals = read(logged(1, "email_open"), logged(1, "website_visit"))

    assert (signals.email_opens_7d, signals.website_visits_30d) == (1, 1)
    assert (signals.engagements, signals.activities_90d) == (2, 0)
    assert signals.connected == {"email", "website"}


@pytest.mark.parametrize("tell", [did, logged])
@pytest.mark.parametrize("word", ["demo_requested", "clicked_demo", "demo_request"])
def test_a_demo_is_asked_for_by_any_of_its_names(tell: Any, word: str):
    signals = read(tell(200, word))

    assert signals.demo_requested and not signals.pricing_requested
    assert signals.engagements == 0


@pytest.mark.parametrize("tell", [did, logged])
def test_asking_for_a_price_is_no_engagement_of_its_own(tell: Any):
    signals = read(tell(200, "pricing_request"))

    assert signals.pricing_requested and not signals.demo_requested
    assert signals.engagements == 0


def test_a_question_counts_once_however_often_its_answer_changed():
    assert read(answered(3, 1), answered(2, 1), answered(1, 2)).engagements == 2


def test_a_skipped_question_is_in_touch_but_not_engaged():
    signals = read(answered(3, 1, skipped=True))

    assert signals.engagements == 0
    assert signals.days_since_interaction == 3


@pytest.mark.parametrize("action", ["email_open", "email_click", "email_reply", "website_visit"])
def test_each_open_click_reply_and_visit_is_an_engagement(action: str):
    assert read(did(1, action), did(400, action)).engagements == 2


@pytest.mark.parametrize("action", ["clicked_product", "session_opened", "consent_given"])
def test_a_click_in_the_chat_is_in_touch_but_no_engagement(action: str):
    signals = read(did(1, action))

    assert (signals.engagements, signals.days_since_interaction) == (0, 1)
    assert signals.connected == frozenset()


@pytest.mark.parametrize(
    ("fact", "days"),
    [
        (ago(4, "session.started"), 4),
        (ago(4, "answer.reasked"), 4),
        (ago(4, "profile.updated", contact=True), 4),
        (ago(4, "profile.updated", contact=True, by="staff"), None),
        (ago(4, "activity.logged", kind="call", by="staff"), 4),
        (ago(4, "lead.edited"), None),
        (ago(4, "lead.assigned"), None),
        (ago(4, "lead.classified"), None),
    ],
)
def test_only_what_the_lead_or_sales_did_is_an_interaction(fact: Timed, days: float | None):
    assert read(fact).days_since_interaction == days


def test_what_the_workspace_knows_is_kept_and_what_the_lead_shows_is_added():
    signals = read(
        did(500, "email_reply"),
        stage_place=0.5,
        employees=12.0,
        connected=frozenset({"website"}),
    )

    assert (signals.stage_place, signals.employees) == (0.5, 12.0)
    assert signals.connected == {"email", "website"}


def test_a_lead_in_a_stage_shows_that_sales_work_here():
    assert read(ago(1, "lead.staged")).connected == {"activities"}


@pytest.mark.parametrize("word", [*sorted(ENGAGEMENT_ACTIONS), *ActivityKind])
def test_every_signal_comes_from_a_known_source(word: str):
    assert source_of(str(word)) in SOURCES


@pytest.mark.parametrize("word", ["", "demo_requested", "answer.recorded", "lunch"])
def test_what_the_chat_sees_itself_needs_no_source(word: str):
    assert source_of(word) is None


@pytest.mark.parametrize(
    ("staff_size", "people"),
    [
        ("Just me", 1),
        (" just ME ", 1),
        ("2–5", 3.5),
        ("6-20", 13),
        ("21 — 50", 35.5),
        ("21 to 50", 35.5),
        ("50+", 51),
        ("10,000 +", 10_001),
        ("1,001–5,000", 3000.5),
        ("7", 7),
        ("7.5", 7.5),
        ("0", 0),
        ("", None),
        (None, None),
        ("many", None),
        ("-5", None),
        ("2–5–9", None),
        ("1,2", None),
        ("٣", None),
        ("9" * 400, None),
    ],
)
def test_a_company_size_is_read_in_the_words_of_its_options(
    staff_size: str | None, people: float | None
):
    assert employees_of(staff_size, {}) == people


@pytest.mark.parametrize(
    ("attributes", "people"),
    [
        ({"employees": 80}, 80),
        ({"company_size": 80.5}, 80.5),
        ({"staff": "80"}, 80),
        ({"company_size": "51-200"}, 125.5),
        ({"staff": 9, "employees": 80}, 80),
        ({"employees": "unknown", "staff": 9}, 9),
        ({"employees": 0}, 0),
        ({"employees": True}, 3.5),
        ({"employees": -1}, 3.5),
        ({"employees": float("nan")}, 3.5),
        ({"employees": float("inf")}, 3.5),
        ({"employees": 10**400}, 3.5),
        ({"employees": None}, 3.5),
        ({"employees": [80]}, 3.5),
        ({"people": 80}, 3.5),
    ],
)
def test_a_number_that_was_given_wins_over_the_answer(attributes: dict[str, Any], people: float):
    assert employees_of("2–5", attributes) == people


# For any facts

WORDS = st.sampled_from(
    [*map(str, ENGAGEMENT_ACTIONS), *ActivityKind, "demo_requested", "clicked_product", "lunch", ""]
)
AGES = st.floats(min_value=-400, max_value=400, allow_nan=False)
FACTS = st.one_of(
    st.builds(did, AGES, WORDS),
    st.builds(logged, AGES, WORDS),
    st.builds(answered, AGES, st.integers(1, 5), skipped=st.booleans()),
    st.builds(
        ago, AGES, st.sampled_from(["session.started", "lead.staged", "profile.updated", "else"])
    ),
)


@given(st.lists(FACTS, max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_the_facts_changes_nothing(facts: list[Timed], random: Any):
    shuffled = list(facts)
    random.shuffle(shuffled)

    assert read(*shuffled) == read(*facts)


@given(st.lists(FACTS, max_size=20))
def test_a_fact_of_the_future_changes_nothing(facts: list[Timed]):
    past = [fact for fact in facts if fact.occurred_at <= NOW]

    assert read(*facts) == read(*past)


@given(st.lists(FACTS, max_size=20), FACTS)
def test_one_more_fact_takes_nothing_away(facts: list[Timed], one: Timed):
    before, after = read(*facts), read(*facts, one)

    for name in ("email_opens_7d", "email_clicks_90d", "website_visits_30d", "activities_90d"):
        assert 0 <= getattr(after, name) - getattr(before, name) <= 1
    assert 0 <= after.engagements - before.engagements <= 1
    assert after.email_opens_7d <= after.email_opens_90d
    assert before.connected <= after.connected <= SOURCES
    for name in ("days_since_visit", "days_since_interaction"):
        was, now = getattr(before, name), getattr(after, name)
        assert was is None or 0 <= now <= was
