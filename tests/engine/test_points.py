"""Tests of engine.points: every row of the table, every limit, and edits that replace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.journey import Fact, Journey
from engine.points import LedgerRow, row_metadata, step, tier_for
from engine.vocabulary import ACTION_ALIASES, Classification, Tier, find_action
from engine.workflow import Workflow
from tests.engine.builders import (
    answered,
    asking,
    did,
    gave_contact,
    lines,
    shipped,
    skipped,
    started,
    walk,
)


def score(workflow: Workflow, *facts: Fact) -> int:
    """The sum of the ledger, which the journey must know too."""
    journey, ledger = walk(workflow, *facts)
    assert journey.score == sum(row.points for row in ledger)
    return journey.score


def all_five(first_seq: int = 10, **measured: Any) -> list[Fact]:
    """An answer to each question of the shipped workflow."""
    return [answered(first_seq + number, number, **measured) for number in range(1, 6)]


def test_the_reference_journey_scores_exactly_80_and_is_sql():
    workflow = shipped()
    quick = [answered(number + 1, number, seconds=30.0) for number in (1, 2, 3)]
    slow = [answered(number + 1, number, seconds=300.0) for number in (4, 5)]
    journey, ledger = walk(
        workflow, started(), *quick, *slow, gave_contact(7), did(8, "demo_requested")
    )

    assert journey.score == 80
    assert workflow.classify(journey.score) is Classification.SQL
    by_action: dict[str, int] = {}
    for row in ledger:
        by_action[row.action] = by_action.get(row.action, 0) + row.points
    assert by_action == {
        "session_opened": 5,
        "answered_question": 25,
        "answered_all_questions": 10,
        "shared_contact": 10,
        "demo_requested": 15,
        "quick_reply": 15,
    }


@pytest.mark.parametrize(
    ("points", "name"),
    [(-5, "Unqualified"), (29, "Unqualified"), (30, "MQL"), (59, "MQL"), (60, "SQL")],
)
def test_a_class_begins_exactly_at_its_threshold(points: int, name: str):
    assert shipped().classify(points) == name


@pytest.mark.parametrize(
    ("points", "tier"), [(49, Tier.COLD), (50, Tier.WARM), (74, Tier.WARM), (75, Tier.HOT)]
)
def test_a_tier_begins_exactly_at_its_threshold(points: int, tier: Tier):
    assert tier_for(points, hot=75, warm=50) is tier


# The table, row by row: once, and once more


@pytest.mark.parametrize(
    ("facts", "action", "points"),
    [
        ([], "session_opened", 5),
        ([did(2, "replied_to_greeting"), did(3, "replied_to_greeting")], "replied_to_greeting", 5),
        ([answered(2, 1), answered(3, 1)], "answered_question", 5),
        ([answered(2, 1), answered(3, 2)], "answered_question", 10),
        ([*all_five(), *all_five(20)], "answered_all_questions", 10),
        ([gave_contact(2), gave_contact(3)], "shared_contact", 10),
        ([did(2, "clicked_product", "billing"), did(3, "clicked_product", "billing")],
         "clicked_product", 5),
        ([did(2, "clicked_product", "billing"), did(3, "clicked_product", "loyalty")],
         "clicked_product", 10),
        ([did(2, "clicked_product"), did(3, "clicked_product", "rockets")], "clicked_product", 5),
        ([did(2, "demo_requested"), did(3, "demo_requested", "twice")], "demo_requested", 15),
        ([did(2, "cta_clicked", "talk_to_sales"), did(3, "cta_clicked", "get_brochure")],
         "cta_clicked", 30),
        ([did(2, "cta_clicked"), did(3, "cta_clicked", "rockets")], "cta_clicked", 15),
        ([did(2, "cta_clicked", "book_demo")], "demo_requested", 15),
        ([did(2, "cta_clicked", "book_demo")], "cta_clicked", 0),
        ([answered(2, 1, seconds=1.0), answered(3, 1, seconds=1.0)], "quick_reply", 5),
        ([answered(2, 2, typed=True, length=11)], "detailed_answer", 5),
        ([did(2, "consent_given")], "consent_given", 0),
        ([did(2, "email_open"), did(3, "pricing_request")], "email_open", 0),
        ([did(2, "confirmed_summary")], "confirmed_summary", 0),
    ],
)  # fmt: skip
def test_each_action_earns_its_points_within_its_limit(facts: list[Fact], action: str, points: int):
    _, ledger = walk(shipped(), started(), *facts)

    assert sum(row.points for row in ledger if row.action == action) == points


@pytest.mark.parametrize(
    "action",
    [
        *("session_opened", "answered_question", "answered_all_questions", "shared_contact"),
        *("quick_reply", "detailed_answer"),
    ],
)
def test_what_the_server_sees_for_itself_earns_nothing_when_it_is_claimed(action: str):
    assert score(shipped(), started(), did(2, action), did(3, action, "1")) == 5


@pytest.mark.parametrize(("seconds", "points"), [(119.9, 5), (120.0, 0), (0.0, 5)])
def test_a_quick_reply_comes_under_two_minutes(seconds: float, points: int):
    _, ledger = walk(shipped(), answered(1, 1, seconds=seconds))

    assert sum(row.points for row in ledger if row.action == "quick_reply") == points


@pytest.mark.parametrize(("first", "then", "points"), [(10.0, 300.0, 5), (300.0, 10.0, 0)])
def test_whether_a_reply_was_quick_is_decided_by_the_first_answer(
    first: float, then: float, points: int
):
    facts = [answered(1, 2, seconds=first), skipped(2, 2), answered(3, 2, seconds=then)]
    _, ledger = walk(shipped(), *facts)

    assert sum(row.points for row in ledger if row.action == "quick_reply") == points


def test_a_skip_does_not_decide_whether_a_reply_was_quick():
    _, ledger = walk(shipped(), skipped(1, 2), answered(2, 2, seconds=10.0))

    assert ("quick_reply", "2", 0, 5) in lines(ledger)


@pytest.mark.parametrize(
    ("typed", "length", "points"), [(True, 10, 0), (True, 11, 5), (False, 16, 0)]
)
def test_only_a_typed_text_over_ten_characters_is_detailed(typed: bool, length: int, points: int):
    _, ledger = walk(shipped(), answered(1, 1, typed=typed, length=length))

    assert sum(row.points for row in ledger if row.action == "detailed_answer") == points


# Edits


def test_an_edit_replaces_points_and_leaves_every_row_in_the_ledger():
    long, short = {"typed": True, "length": 30}, {"typed": True, "length": 3}
    _, ledger = walk(
        shipped(), answered(1, 2, **long), answered(2, 2, **short), answered(3, 2, **long)
    )

    assert lines(ledger) == [
        ("answered_question", "2", 0, 5),
        ("detailed_answer", "2", 0, 5),
        ("detailed_answer", "2", 1, -5),
        ("detailed_answer", "2", 2, 5),
    ]


def test_a_skip_takes_the_answers_points_back():
    assert score(shipped(), answered(1, 2, seconds=5.0), skipped(2, 2)) == 0


def test_branching_that_hides_an_answered_question_reverses_its_awards():
    shop = {"subject": "answer:kind", "op": "eq", "value": "Shop"}
    workflow = asking({"slug": "kind", "options": ["Shop", "Cafe"]}, {"show_if": shop})
    facts = [answered(1, 1, "Shop"), answered(2, 2, seconds=5.0), answered(3, 1, "Cafe")]
    journey, ledger = walk(workflow, *facts)

    assert lines(ledger)[-2:] == [("answered_question", "2", 1, -5), ("quick_reply", "2", 1, -5)]
    assert journey.score == 15
    back, _ = walk(workflow, *facts, answered(4, 1, "Shop"))
    assert back.score == 25


def test_everything_answered_is_lost_by_a_skip_and_won_again():
    facts = all_five()
    lost = [*facts, skipped(20, 5)]
    won = [*lost, answered(21, 5)]
    _, ledger = walk(shipped(), *won)

    assert [score(shipped(), *some) for some in (facts, lost, won)] == [35, 20, 35]
    whole = [line for line in lines(ledger) if line[0] == "answered_all_questions"]
    assert [(generation, points) for *_, generation, points in whole] == [
        (0, 10),
        (1, -10),
        (2, 10),
    ]


def test_everything_is_answered_only_when_the_score_has_opened_no_more():
    opened = {"subject": "score", "op": "gte", "value": 10}
    workflow = asking({}, {}, {"show_if": opened})
    journey, ledger = walk(workflow, answered(1, 1), answered(2, 2))

    assert journey.score == 10 and all(row.action == "answered_question" for row in ledger)
    assert score(workflow, answered(1, 1), answered(2, 2), answered(3, 3)) == 25


def test_a_question_opened_by_a_low_score_does_not_take_its_own_points_away():
    low = {"subject": "score", "op": "lt", "value": 15}
    workflow = asking({}, {"show_if": low})
    facts = [started(), answered(2, 1), answered(3, 2)]
    journey, ledger = walk(workflow, *facts, *(did(seq, "email_open") for seq in range(4, 9)))

    assert journey.score == 25
    assert {row.event_seq for row in ledger} == {1, 2, 3}


# Other tables


def test_points_may_be_negative_or_nothing():
    workflow = shipped(scoring={"replied_to_greeting": -5, "answered_question": 0})

    assert score(workflow, did(1, "replied_to_greeting"), answered(2, 1)) == -5


def test_a_call_that_was_renamed_away_counts_as_unnamed():
    workflow = replace(shipped(), calls_to_action=(), products=())
    facts = [did(1, "cta_clicked", "talk_to_sales"), did(2, "clicked_product", "billing")]
    _, ledger = walk(workflow, *facts)

    assert lines(ledger) == [("cta_clicked", "", 0, 15), ("clicked_product", "", 0, 5)]


def test_scoring_again_appends_only_the_differences():
    old = shipped()
    new = shipped(scoring={"answered_question": 8, "quick_reply": 0})
    journey, rows = walk(old, started(), answered(2, 1, seconds=5.0))
    journey, again = step(journey, Fact(3, "session.rescored", {"version": 2}), old, new)

    assert lines(rows)[0] == ("session_opened", "", 0, 5)
    assert lines(list(again)) == [("answered_question", "1", 1, 3), ("quick_reply", "1", 1, -5)]
    assert journey.score == 13
    assert step(journey, Fact(4, "session.rescored", {"version": 2}), old, new)[1] == ()


def test_a_fact_that_earns_nothing_changes_nothing():
    journey, rows = step(Journey(), Fact(1, "lead.edited", {}), shipped(), shipped())

    assert (journey, rows) == (Journey(), ())


@pytest.mark.parametrize(
    ("action", "subject", "about"),
    [
        ("answered_question", "3", {"question_id": 3}),
        ("clicked_product", "billing", {"product": "billing"}),
        ("cta_clicked", "talk_to_sales", {"cta": "talk_to_sales"}),
        ("session_opened", "", {}),
    ],
)
def test_a_ledger_row_names_what_it_is_about(action: str, subject: str, about: dict[str, Any]):
    assert row_metadata(LedgerRow(action, subject, 0, 5, 1)) == about


def test_three_words_name_the_demo_and_a_stranger_none():
    for word in ("demo_requested", *ACTION_ALIASES):
        assert find_action(word) == "demo_requested"
    assert find_action("danced") is None
