"""Tests of engine.workflow_size: what is more than is read, and that no file is endless work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import workflow_size as size
from engine.plain_reading import MOST_PROBLEMS
from engine.workflow_checks import MOST_COMPARED
from engine.workflow_reader import WorkflowInvalid, read_workflow
from tests.engine.builders import shipped_config

# Calls of functions, ours and Python's: some seconds of one processor at the very most.
BOUND = 12_000_000


def words(count: int, start: str = "o") -> list[str]:
    return [f"{start}{number}" for number in range(count)]


def asked(number: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "slug": f"q{number}", "text": f"Question {number}?", **more}


def when(*slugs: str, op: str = "eq", value: Any = "o0") -> dict[str, Any]:
    return {"any": [{"subject": f"answer:{one}", "op": op, "value": value} for one in slugs]}


def places(config: Any, tests: Any = None) -> list[str]:
    return [one.place for one in size.find_too_large(config, tests)]


PARTS: dict[str, tuple[int, Callable[[int], dict[str, Any]]]] = {
    "questions": (size.MOST_QUESTIONS, lambda n: {"questions": [asked(i) for i in range(n)]}),
    "products": (size.MOST_PRODUCTS, lambda n: {"products": words(n)}),
    "calls_to_action": (size.MOST_CALLS, lambda n: {"cta_options": words(n)}),
    "greeting.replies": (size.MOST_REPLIES, lambda n: {"greeting": {"replies": words(n)}}),
    "translations": (
        size.MOST_LOCALES,
        lambda n: {"translations": {one: {} for one in words(n)}},
    ),
    "ACTIVE_TESTS": (size.MOST_TESTS, lambda n: {"active_tests": {one: {} for one in words(n)}}),
    "questions[0].options": (
        size.MOST_OPTIONS,
        lambda n: {"questions": [asked(1, options=words(n))]},
    ),
    "questions[0].options[1].synonyms": (
        size.MOST_SYNONYMS,
        lambda n: {"questions": [asked(1, options=["a", {"value": "b", "synonyms": words(n)}])]},
    ),
    "questions[0].show_if": (
        size.MOST_COMPARISONS,
        lambda n: {"questions": [asked(1, show_if={"not": when(*words(n, "q"))})]},
    ),
}


@pytest.mark.parametrize("place", PARTS)
def test_each_part_may_be_so_large_and_no_larger(place: str) -> None:
    most, config = PARTS[place]

    assert places(config(most)) == []
    assert places(config(most + 1)) == [place]
    sentence = size.find_too_large(config(most + 1))[0].sentence
    assert sentence.endswith(("use fewer.", "use fewer conditions."))


def test_a_list_of_values_counts_value_by_value() -> None:
    config = {"questions": [asked(1, show_if=when("q2", op="in", value=words(101)))]}

    assert places(config) == ["questions[0].show_if"]


def test_options_are_counted_over_all_questions_those_of_products_too() -> None:
    count = size.MOST_OPTIONS_IN_ALL // size.MOST_OPTIONS
    full = [asked(number, options=words(100)) for number in range(count)]
    from_products = [asked(number, options_from="products") for number in range(count)]

    assert places({"questions": full}) == []
    assert places({"questions": [*full, asked(999, options=["one", "more"])]}) == ["questions"]
    products = {"products": words(100)}
    assert places({"questions": from_products, **products}) == []
    assert places({"questions": [*from_products, *full[:1]], **products}) == ["questions"]


@pytest.mark.parametrize(
    "config",
    [
        {"name": [[1] * 1000] * 60},
        {"name": {str(number): 1 for number in range(size.MOST_VALUES)}},
        {"name": ["x"] * (size.MOST_VALUES + 1)},
        {"name": ["x" * 1000] * 1001},
        {"x" * (size.MOST_LETTERS + 1): 1},
    ],
)
def test_the_whole_may_hold_so_much_and_no_more(config: Any) -> None:
    assert places(config) == ["WORKFLOW_CONFIG"]
    with pytest.raises(WorkflowInvalid, match="more than"):
        read_workflow(config)


def test_what_holds_itself_is_walked_only_so_far() -> None:
    config: dict[str, Any] = {}
    config["name"] = [config] * 3
    deep: dict[str, Any] = {}
    deep["name"] = deep

    assert places(config) == ["WORKFLOW_CONFIG"]
    assert places(deep) == []


def test_the_shipped_one_and_what_is_none_are_not_too_large() -> None:
    assert places(*shipped_config()) == []
    assert places(None) == places([1]) == places({"questions": 5, "greeting": "Hi"}) == []
    assert places({"questions": ["no question", asked(1, options="none")]}) == []


def test_of_very_many_problems_the_first_are_named() -> None:
    with pytest.raises(WorkflowInvalid) as found:
        read_workflow({"questions": [asked(1)], **{f"k{number}": 1 for number in range(5000)}})

    assert len(found.value.problems) == MOST_PROBLEMS


# Bounded work


def calls_of(work: Callable[[], Any], most: int = BOUND) -> int:
    """How many functions a piece of work calls; it is stopped where it calls too many."""
    count = 0

    def heard(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1
            if count > most:
                sys.setprofile(None)
                raise AssertionError(f"more than {most:,} calls")

    before = sys.getprofile()
    sys.setprofile(heard)
    try:
        work()
    except WorkflowInvalid:
        pass
    finally:
        sys.setprofile(before)
    return count


def _chain(count: int, back: int) -> list[dict[str, Any]]:
    """Questions that each wait for some before them."""
    options = words(3)
    found = [asked(number, options=options) for number in range(1, back + 1)]
    for number in range(back + 1, count + 1):
        waits = when(*(f"q{number - step}" for step in range(1, back + 1)))
        found.append(asked(number, options=options, show_if=waits))
    return found


def test_questions_that_wait_for_one_another_are_looked_at_once_each() -> None:
    """Asked through each way anew, sixty of these took longer than anybody lives."""
    assert calls_of(lambda: read_workflow({"questions": _chain(60, 2)}), 2_000_000) > 0


def test_combinations_are_tried_only_so_long_over_all_questions() -> None:
    first = [asked(number, options=words(10)) for number in range(1, 21)]
    last = {"subject": "answer:q{}", "op": "eq", "value": "o9"}
    every = {"all": [{**last, "subject": f"answer:q{number}"} for number in range(1, 21)]}
    more = [asked(100 + number, options=words(3), show_if=every) for number in range(40)]

    count = calls_of(lambda: read_workflow({"questions": first + more}))

    assert count < 40 * MOST_COMPARED


AMOUNTS = st.sampled_from([0, 1, 3, 19, 101, 2_000, 30_000])


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_file_is_more_work_than_so_much(data: st.DataObject) -> None:
    """Whatever is multiplied in it."""
    pick = lambda name: data.draw(AMOUNTS, label=name)  # noqa: E731
    options, back = words(min(pick("options"), 30_000)), data.draw(st.integers(1, 4))
    questions = [
        *_chain(min(pick("chain"), 2_000), back),
        *({**asked(5_000 + number), "options": options} for number in range(pick("questions"))),
    ]
    slugs = [str(one["slug"]) for one in questions[:20]] or ["none"]
    order = {"order": slugs[::-1]}
    config = {
        "questions": questions,
        "products": words(pick("products")),
        "greeting": {"text": "{name}" * pick("braces"), "replies": words(pick("replies"), "o")},
        "calls_to_action": words(pick("calls")),
        "translations": {f"aa-{one}": {"greeting": "x"} for one in words(pick("locales"), "b")},
        **dict.fromkeys(words(pick("unknown"), "k"), 1),
    }
    tests = {one: {"A": {}, "B": order} for one in words(pick("tests"), "t")}

    assert calls_of(lambda: read_workflow(config, tests)) <= BOUND
