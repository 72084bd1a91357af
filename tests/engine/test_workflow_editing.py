"""A workflow as forms edit it: one shape, what follows a new name, differences in words, files."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from engine import workflow_edits as edits
from engine.workflow_file import NotReadable, as_json, as_python, read_file
from engine.workflow_reader import read_workflow
from engine.workflow_shape import Plain, identifier, next_number, shaped
from engine.workflow_texts import completeness, found_text, text_lines, with_text
from engine.workflow_words import condition_words, differences
from workflow_config import ACTIVE_TESTS, WORKFLOW_CONFIG

OLDER: dict[str, Any] = {
    "greeting_message": "Hello!",
    "questions": [
        {"id": 1, "question": "What do you run?", "options": ["Shop", 2, {"value": "Other"}]},
        {"id": 2, "text": "Where?"},
        {"id": 7, "text": "What else?"},
    ],
    "product_menu": {"billing": "Billing", "loyalty": {"title": "Loyalty"}},
    "cta_options": ["Book a demo", {"text": "Call me", "id": "Call!"}],
    "sql_threshold": 50,
    "classification_thresholds": {"MQL": 25, "Unqualified": 0},
    "scoring": {"clicked_demo": 20},
    "widget": {"position": "end", "theme": {"scheme": "auto"}, "words": {"skip": "Leave out"}},
    "consent": {"text": "Yes?", "version": "1"},
}


@pytest.fixture
def shipped() -> tuple[Plain, Plain]:
    return shaped(WORKFLOW_CONFIG, ACTIVE_TESTS)


# The shape


def test_the_shape_says_what_the_configuration_said(shipped: tuple[Plain, Plain]) -> None:
    assert read_workflow(*shipped) == read_workflow(WORKFLOW_CONFIG, ACTIVE_TESTS)
    assert read_workflow(*shaped(OLDER)) == read_workflow(OLDER)
    assert shaped(*shaped(OLDER)) == shaped(OLDER)
    assert shaped(*shipped) == shipped


def test_types_that_nobody_wrote_are_those_that_the_reader_takes_them_for() -> None:
    config = {
        "questions": [
            {"id": 1, "slug": "mail", "text": "Mail?", "field": "email"},
            {"id": 2, "slug": "wants", "text": "Wants?", "field": "features_interested",
             "options": ["A", "B"], "required": True},
            {"id": 3, "slug": "name", "text": "Name?", "field": None},
        ]
    }  # fmt: skip
    workflow, _ = shaped(config)

    assert [one["type"] for one in workflow["questions"]] == ["email", "multi_choice", "text"]
    assert read_workflow(workflow) == read_workflow(config)


def test_tests_inside_the_configuration_are_taken_out_of_it() -> None:
    workflow, tests = shaped({**WORKFLOW_CONFIG, "ACTIVE_TESTS": ACTIVE_TESTS})

    assert "ACTIVE_TESTS" not in workflow and list(tests) == list(ACTIVE_TESTS)


@pytest.mark.parametrize("config", [None, 3, [], {"questions": 3}, {"products": 3, "tiers": "a"}])
def test_what_has_no_shape_is_left_out(config: Any) -> None:
    assert shaped(config) == ({}, {})


def test_ids_are_given_where_there_is_none_and_never_twice() -> None:
    raw = {"questions": [{"id": 4, "text": "a"}, {"id": 4, "text": "b"}, {"text": "c"}]}
    workflow, _ = shaped(raw)

    assert [one["id"] for one in workflow["questions"]] == [4, 5, 6]
    assert next_number([workflow, {"questions": [{"id": 9}, {"id": "x"}]}]) == 10
    assert next_number([]) == 1
    assert identifier("दुकान", "products[2]") == "products_2"


# Edits


def test_a_renamed_option_is_followed_by_translations_and_conditions(
    shipped: tuple[Plain, Plain],
) -> None:
    workflow, tests = copy.deepcopy(shipped)
    workflow["questions"][3]["show_if"] = {
        "all": [
            {"subject": "answer:business_type", "op": "in", "value": ["Restaurant", "Other"]},
            {"not": {"subject": "answer:business_type", "op": "eq", "value": "Restaurant"}},
            {"subject": "answer:business_type", "op": "answered"},
            {"subject": "score", "op": "gt", "value": 3},
        ]
    }
    question = edits.find_question(workflow, 1)
    question["options"][0] = {"value": "Café", "was": "Restaurant"}
    question["slug"] = "trade"

    after, after_tests = edits.replace_question(1, question).make(workflow, tests)

    ins, negated, answered, score = after["questions"][3]["show_if"]["all"]
    assert ins == {"subject": "answer:trade", "op": "in", "value": ["Café", "Other"]}
    assert negated["not"] == {"subject": "answer:trade", "op": "eq", "value": "Café"}
    assert answered == {"subject": "answer:trade", "op": "answered"}
    assert score["subject"] == "score"
    words = after["translations"]["ar"]["questions"]["trade"]["options"]
    assert words["Café"] == "مطعم"
    assert after_tests["question_flow"]["variants"]["A"]["order"][0] == "trade"
    assert workflow["questions"][0]["slug"] == "business_type"
    said = [one.sentence for one in differences((workflow, tests), (after, after_tests))]
    name = "Question 1 “What type of business do you run?”"
    # Not each translation that moved with it.
    assert said[:2] == [
        f"{name}: name in reports “business_type” → “trade”",
        f"{name}: option “Restaurant” is now “Café”",
    ]
    assert not any(one.startswith(("hi", "ar")) for one in said), said


def test_a_removed_question_takes_what_was_only_about_it(shipped: tuple[Plain, Plain]) -> None:
    workflow, tests = edits.remove_question(2).make(*shipped)

    assert "location" not in workflow["translations"]["hi"]["questions"]
    orders = [one["order"] for one in tests["question_flow"]["variants"].values()]
    assert orders == [["business_type", "staff_size"], ["staff_size", "business_type"]]
    read_workflow(workflow, tests)


def test_orders_that_name_questions_by_number_are_left_to_their_reader() -> None:
    tests = {"flow": {"variants": {"A": {"question_order": [1, "2", "b"]}}}}
    workflow: Plain = {"questions": [{"id": 1, "slug": "a"}, {"id": 2, "slug": "b"}]}

    _, after = edits.remove_question(2).make(workflow, tests)

    assert after["flow"]["variants"]["A"]["question_order"] == [1, "2"]


def test_who_comes_too_late_is_noticed_by_the_part_alone(shipped: tuple[Plain, Plain]) -> None:
    workflow, tests = shipped
    seen = edits.mark_of(edits.look_at(workflow, "points"))
    edit = edits.replace_part("points", {"tiers": {"hot": 80}}, seen)
    other, _ = edits.replace_part("ending", {"closing": "Bye"}).make(workflow, tests)
    same, _ = edits.replace_part("points", {"tiers": {"hot": 70}}).make(workflow, tests)

    assert not edit.is_late(workflow) and not edit.is_late(other)
    assert edit.is_late(same)
    assert not edits.add_question({}).is_late(same)
    for structural in (edits.remove_question(1), edits.remove_locale("hi"), edits.remove_test("a")):
        assert structural.look(workflow) is None


def test_quick_replies_keep_their_translations_under_new_words(
    shipped: tuple[Plain, Plain],
) -> None:
    beginning = edits.look_at(shipped[0], "beginning")
    replies = [{"value": "Go on", "was": "Yes, go ahead"}]
    fragment = {**beginning, "greeting": {"text": "Hi", "replies": replies}}

    workflow, _ = edits.replace_part("beginning", fragment).make(*shipped)

    assert workflow["greeting"]["replies"] == ["Go on"]
    assert workflow["translations"]["ar"]["replies"] == {"Go on": "نعم، تفضل"}
    assert "consent" in workflow


def test_what_is_gone_cannot_be_changed(shipped: tuple[Plain, Plain]) -> None:
    for edit in (edits.move_question(9, 1), edits.remove_question(9), edits.order_questions([1])):
        with pytest.raises(edits.Gone):
            edit.make(*shipped)


def test_questions_move_and_are_put_in_order(shipped: tuple[Plain, Plain]) -> None:
    def order(edit: edits.Edit) -> list[int]:
        workflow, tests = edit.make(*shipped)
        assert tests == shipped[1]
        return [one["id"] for one in workflow["questions"]]

    assert order(edits.move_question(2, -1)) == [2, 1, 3, 4, 5]
    assert order(edits.move_question(1, -1)) == [1, 2, 3, 4, 5]
    assert order(edits.order_questions([5, 4, 3, 2, 1])) == [5, 4, 3, 2, 1]
    assert order(edits.add_question({"id": 6, "slug": "x"})) == [1, 2, 3, 4, 5, 6]
    assert "question_flow" not in edits.remove_test("question_flow").make(*shipped)[1]


def test_locales_and_strange_translations(shipped: tuple[Plain, Plain]) -> None:
    workflow, tests = edits.replace_locale("de", {"greeting": "Hallo"}).make(*shipped)
    assert edits.locale_of(workflow, "de") == {"greeting": "Hallo"}
    workflow["translations"] |= {"de": {"questions": 3}, "fr": 3}
    question = edits.find_question(workflow, 1)
    question.pop("options")
    question["options_from"] = "products"

    after, _ = edits.replace_question(1, question).make(workflow, tests)

    assert after["translations"]["de"]["questions"] == 3
    assert "de" not in edits.remove_locale("de").make(after, tests)[0]["translations"]


@pytest.mark.parametrize(
    ("place", "part"),
    [
        ("questions[2].options", "questions"),
        ("translations.hi.closing", "languages"),
        ("scoring.cta", "points"),
        ("widget.theme.accent", "widget"),
        ("ACTIVE_TESTS.a", "questions"),
    ],
)
def test_every_problem_has_a_page_where_it_is_mended(place: str, part: str) -> None:
    assert edits.part_of_place(place) == part


# Words


def said_of(change: Any, workflow: Plain | None = None) -> list[str]:
    before = shaped(WORKFLOW_CONFIG, ACTIVE_TESTS)
    after = copy.deepcopy(before)
    change(after[0])
    return [one.sentence for one in differences(before, after)]


def _set(path: list[Any], value: Any) -> Any:
    def change(workflow: Plain) -> None:
        inner: Any = workflow
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (["scoring", "demo_requested"], 20, "Points for “Asked for a demo” 15 → 20"),
        (["closing"], "Bye!", "→ “Bye!”"),
        (["tiers", "hot"], 80.5, "Points for hot 75 → 80.5"),
        (["consent", "required"], False, "Consent is required yes → no"),
        (["questions", 1, "required"], True, "must be answered no → yes"),
        (["questions", 0, "options", 0, "value"], "Café", "option “Restaurant” is now “Café”"),
        (["questions", 0, "options", 0, "synonyms"], ["bar"], "other words for “Restaurant”: bar"),
        (["questions", 0, "options", 0, "other"], True, "takes whatever fits no other"),
        (["questions", 0, "options", 4, "other"], False, "“Other” no longer takes"),
        (["products", 0, "name"], "Bills", "Product “Bills”: name “Billing” → “Bills”"),
        (["greeting", "replies"], [], "Quick replies “Yes, go ahead”, “Not now” → (nothing)"),
        (["proactive"], {"after_seconds": 5}, "Proactive, after seconds (nothing) → 5"),
        (["translations", "hi", "closing"], "x", "hi, closing:"),
        (["translations", "de"], {}, "Language de added"),
        (["questions", 3, "show_if"], {"subject": "score", "op": "gt", "value": 3},
         "asked: always → the score so far is more than 3"),
    ],
)  # fmt: skip
def test_a_change_is_said_in_a_sentence(path: list[Any], value: Any, sentence: str) -> None:
    said = said_of(_set(path, value))

    assert sentence in said[0]
    # Translations of a name that nobody moved along are said, too.
    assert all(one.startswith(("hi, ", "ar, ")) for one in said[1:]), said


def test_what_comes_goes_and_moves_is_said() -> None:
    def change(workflow: Plain) -> None:
        questions = workflow["questions"]
        questions[2]["options"] = [*questions[2]["options"][1:3], {"value": "New"}]
        questions[0]["options"].reverse()
        questions[:] = [questions[2], questions[0], {"id": 9, "slug": "x", "text": "X?"}]
        workflow["products"].reverse()
        workflow["calls_to_action"] = [{"id": "new", "label": "New"}]
        del workflow["translations"]["ar"]

    said = " | ".join(said_of(change))

    for part in (
        "Question “Where is your business located?” removed",
        "Question 3 “X?” added",
        "Questions are asked in another order: “How many people",
        "option “Just me” removed",
        "option “New” added",
        "options in another order: “Other”",
        "Products in another order: “Loyalty”",
        "Call to action “Book a demo” removed",
        "Call to action “New” added",
        "Language ar removed",
    ):
        assert part in said, part


def test_experiments_that_come_go_and_change_are_said() -> None:
    workflow, tests = shaped(WORKFLOW_CONFIG, ACTIVE_TESTS)
    other = {"greeting_message": {"variants": {"A": {}, "B": {}}}, "new": {}}

    said = [one.sentence for one in differences((workflow, tests), (workflow, other))]

    assert said == [
        "Experiment “greeting_message” changed",
        "Experiment “question_flow” removed",
        "Experiment “new” added",
    ]


def test_conditions_read_like_sentences() -> None:
    workflow: Plain = {"questions": [{"id": 1, "slug": "a", "text": "A?"}]}
    leaf = {"subject": "answer:a", "op": "in", "value": ["x", "y"]}
    nested = {"any": [{"all": [leaf]}, {"not": {"subject": "utm:source", "op": "answered"}}]}

    assert condition_words(None, workflow) == ""
    assert condition_words({"all": 3}, workflow) == ""
    assert condition_words({"subject": "answer:b", "op": "huh"}, {}) == "the answer to b huh"
    assert condition_words(nested, workflow) == (
        "(the answer to “A?” is one of “x”, “y”) or not (the visit's utm_source was answered)"
    )


# Texts


def test_texts_to_translate_are_those_a_visitor_reads(shipped: tuple[Plain, Plain]) -> None:
    lines = {line.place: line for line in text_lines(shipped[0])}

    assert lines["questions.business_type.text"].original == "What type of business do you run?"
    assert lines["questions.staff_size.options.2–5"].is_extra
    assert completeness(shipped[0], "hi") == (28, 37)
    assert completeness(shipped[0], "xx") == (0, 37)
    assert found_text({"a": 3}, ("a", "b")) == ""
    assert with_text({"a": {"b": "x"}}, ("a", "c"), "y") == {"a": {"b": "x", "c": "y"}}
    rated: Plain = {"questions": [{"id": 1, "slug": "r", "text": "R?", "type": "rating",
                                   "options": [{"value": "good"}]}]}  # fmt: skip
    assert [one.place for one in text_lines(rated) if not one.is_extra] == ["questions.r.text"]


# Files


@pytest.mark.parametrize("name", ["a.py", "a.json"])
def test_a_file_comes_back_as_it_went_out(shipped: tuple[Plain, Plain], name: str) -> None:
    odd = {**shipped[0], "closing": 'She said "hi" \\ \u2028 {name|x}\n', "tiers": {"hot": 1.5}}
    text = as_json(odd, {}) if name == "a.json" else as_python(odd, {}, 'Of "x" \\')

    assert read_file(text.encode(), name) == (odd, {})


def test_the_python_file_is_one_that_people_can_read(shipped: tuple[Plain, Plain]) -> None:
    text = as_python(*shipped, "Version 3.")

    assert '    "greeting": {"text": "Hi! Welcome to YouShop!", "replies": [' in text
    assert '"required": True' in text


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"WORKFLOW_CONFIG = {", "a.py", "Line 1 of this file is no Python."),
        (b"WORKFLOW_CONFIG = dict(a=1)", "a.py", "plain data only"),
        (b"WORKFLOW_CONFIG = " + b"[" * 5000, "a.py", "no Python"),
        (b"x = 1", "a.py", "no WORKFLOW_CONFIG"),
        (b"[1]", "a.json", "no WORKFLOW_CONFIG"),
        (b"{", "a.json", "no JSON"),
        (b"a" * (1024 * 1024 + 1), "a.json", "larger"),
        (b"\xff", "a.json", "UTF-8"),
    ],
)
def test_a_file_without_a_workflow_is_refused_in_a_sentence(
    content: bytes, name: str, sentence: str
) -> None:
    with pytest.raises(NotReadable, match=sentence):
        read_file(content, name)


def test_older_shapes_of_a_file_are_read() -> None:
    assert read_file(b'{"questions": [], "name": "a"}', "a.json")[0]["name"] == "a"
    assert read_file(b'{"workflow": {"name": "a"}, "tests": {"b": 1}}', "a.json") == (
        {"name": "a"},
        {"b": 1},
    )
