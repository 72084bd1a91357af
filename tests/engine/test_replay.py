"""Tests of engine.replay: the same facts give the same ledger, in any order, however often."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.journey import Fact, Journey, from_plain, to_plain
from engine.replay import Outcome, replay, state_hash
from engine.vocabulary import Action, FactKind
from engine.workflow import Workflow
from tests.engine.builders import answered, asking, gave_contact, shipped, skipped, started, walk

SHOP = {"subject": "answer:kind", "op": "eq", "value": "Shop"}
LOW = {"subject": "score", "op": "lt", "value": 25}
BRANCHING = asking(
    {"slug": "kind", "options": ["Shop", "Cafe"], "required": False},
    {"slug": "place", "show_if": {"any": [SHOP, LOW]}, "required": False},
    {"slug": "size", "type": "rating", "show_if": {"not": SHOP}},
    {"show_if": {"all": [LOW, {"subject": "answer:place", "op": "contains", "value": "x"}]}},
    products=["Billing"],
    scoring={"clicked_demo": -3, "answered_all_questions": 7},
)
PLAIN = shipped()
RICH = shipped(scoring={"answered_question": 9, "quick_reply": -2, "clicked_product": 0})
VERSIONS = {1: PLAIN, 2: RICH, 3: BRANCHING}

ANSWERS = st.fixed_dictionaries(
    {
        "question_id": st.integers(1, 6),
        "options": st.lists(st.sampled_from(["Shop", "Cafe", "3", "Other"]), max_size=2),
        "typed": st.booleans(),
        "length": st.integers(0, 40),
        "seconds": st.floats(0, 400),
        "skipped": st.booleans(),
        "contact": st.booleans(),
        "conditions": st.dictionaries(
            st.just('answer:place contains "x"'), st.booleans(), max_size=1
        ),
    }
)
CLICKS = st.fixed_dictionaries(
    {
        "action": st.sampled_from([str(action) for action in Action]),
        "subject": st.sampled_from(["", "billing", "book_demo", "gone"]),
    }
)
HAPPENINGS = st.one_of(
    st.tuples(st.just("session.started"), st.just({})),
    st.tuples(st.just("answer.recorded"), ANSWERS),
    st.tuples(st.just("behavior.reported"), CLICKS),
    st.tuples(st.just("profile.updated"), st.fixed_dictionaries({"contact": st.booleans()})),
    st.tuples(
        st.just("session.rescored"), st.fixed_dictionaries({"version": st.sampled_from([1, 2, 3])})
    ),
    st.tuples(st.just("outcome.recorded"), st.just({"outcome": "lost"})),
    st.tuples(st.sampled_from(list(FactKind)[-6:]), st.just({})),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Fact]:
    """The facts of one session, numbered in the order in which they happened."""
    return [
        Fact(seq, str(kind), measured)
        for seq, (kind, measured) in enumerate(draw(st.lists(HAPPENINGS, max_size=25)), 1)
    ]


def outcome_of(facts: Sequence[Fact], workflow: Workflow = BRANCHING) -> Outcome:
    """What a replay makes of the facts."""
    return replay(facts, workflow, VERSIONS.__getitem__)


@given(facts=histories(), data=st.data())
@settings(max_examples=200, deadline=None)
def test_any_order_and_any_repetition_give_the_same_ledger_score_and_hash(
    facts: list[Fact], data: st.DataObject
):
    again = data.draw(st.permutations(facts + facts[: len(facts) // 2]))
    first, second = outcome_of(facts), outcome_of(again)

    assert second == first
    assert state_hash({"sess_a": second}) == state_hash({"sess_a": first})
    assert first.score == sum(row.points for row in first.rows) == first.journey.score


@given(facts=histories())
@settings(max_examples=200, deadline=None)
def test_the_ledger_has_each_award_once_a_generation(facts: list[Fact]):
    outcome = outcome_of(facts)

    keys = [(row.action, row.subject, row.generation) for row in outcome.rows]
    assert len(set(keys)) == len(keys)
    assert all(row.points for row in outcome.rows)


@given(facts=histories())
@settings(max_examples=100, deadline=None)
def test_a_fact_that_measures_nothing_leaves_the_ledger_as_it_is(facts: list[Fact]):
    last = Fact(len(facts) + 1, "answer.reasked", {"question_id": 1})
    again = Fact(len(facts) + 2, "answer.reasked", {"question_id": 1})
    settled = [outcome_of([*facts, last]), outcome_of([*facts, last, again])]

    assert settled[0].rows == settled[1].rows


@given(facts=histories())
@settings(max_examples=150, deadline=None)
def test_a_journey_survives_its_way_through_json(facts: list[Fact]):
    journey = outcome_of(facts).journey
    kept = json.loads(json.dumps(to_plain(journey)))

    assert from_plain(kept) == journey
    assert to_plain(from_plain(kept)) == kept


@given(facts=histories())
@settings(max_examples=100, deadline=None)
def test_facts_of_one_configuration_can_be_tried_under_any_other(facts: list[Fact]):
    for workflow in (PLAIN, RICH, BRANCHING, asking({})):
        outcome = outcome_of(facts, workflow)

        assert outcome.score == sum(row.points for row in outcome.rows)


def test_a_replay_reads_nothing_that_was_typed():
    # A Fact has no personal half: what erasure blanks could not change a replay.
    assert set(Fact.__dataclass_fields__) == {"seq", "kind", "measured"}
    assert set(Journey.__dataclass_fields__) == {
        *("opened", "answers", "clicks", "contact_known", "conditions", "awards", "closed"),
    }


def test_a_replay_knows_where_the_conversation_stands():
    facts: list[Any] = [started(), answered(2, 1), answered(3, 2), gave_contact(4)]
    half = replay(facts, PLAIN, VERSIONS.__getitem__)
    whole = replay(
        [*facts, answered(5, 3), skipped(6, 4), answered(7, 5)], PLAIN, VERSIONS.__getitem__
    )

    assert (half.score, half.classification, half.next_question_id) == (25, "Unqualified", 3)
    assert not half.completed
    assert (whole.next_question_id, whole.completed, whole.classification) == (None, True, "MQL")


def test_the_points_of_a_later_version_count_from_its_rescoring_on():
    rescored = Fact(3, "session.rescored", {"version": 2})
    outcome = outcome_of([started(), answered(2, 1), rescored, answered(4, 2)], PLAIN)

    assert [(row.event_seq, row.points) for row in outcome.rows] == [(1, 5), (2, 5), (3, 4), (4, 9)]


def test_the_hash_tells_sessions_ledgers_and_classes_apart():
    one, two = outcome_of([started()]), outcome_of([started(), answered(2, 1)])

    hashes = {state_hash(state) for state in ({}, {"a": one}, {"b": one}, {"a": two})}
    assert len(hashes) == 4
    assert state_hash({"a": one, "b": two}) == state_hash({"b": two, "a": one})


def test_a_confirmed_summary_closes_the_conversation():
    journey, _ = walk(PLAIN, Fact(1, "behavior.reported", {"action": "confirmed_summary"}))

    assert journey.closed


def test_an_outcome_closes_the_conversation_and_earns_nothing() -> None:
    facts = [started(), answered(2, 1, "Restaurant")]
    before = outcome_of(facts, PLAIN)

    after = outcome_of([*facts, Fact(3, "outcome.recorded", {"outcome": "won"})], PLAIN)

    assert after.journey.closed and not before.journey.closed
    assert after.rows == before.rows and after.score == before.score
