"""Tests of engine.flow, conditions and texts: what an answer means, and what is asked next."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from engine.flow import (
    Accepted,
    Reading,
    Reask,
    Setting,
    answered_all,
    is_open,
    next_question,
    open_questions,
    progress,
    read_answer,
    read_skip,
)
from engine.conditions import Leaf, holds_of_text
from engine.journey import Journey
from engine.workflow import Workflow, fill_in, has_variables
from lib.text import direction
from tests.engine.builders import answered, asking, shipped, skipped, started, walk

BELIEVED = Setting(believed=True)
HINDI = Setting(locale="hi")


def read(question: dict[str, Any], raw: Any, setting: Setting = Setting()) -> Reading:
    """What the one question of a workflow makes of an answer."""
    workflow = asking(question)
    return read_answer(workflow, workflow.questions[0], raw, setting)


def read_shipped(slug: str, raw: Any, setting: Setting = Setting()) -> Reading:
    """What a question of the shipped workflow makes of an answer."""
    workflow = shipped()
    return read_answer(workflow, workflow.by_slug[slug], raw, setting)


def accepted(reading: Reading) -> Accepted:
    """The answer, which must have been taken."""
    assert isinstance(reading, Accepted), reading
    return reading


def reasked(reading: Reading) -> Reask:
    """The question asked again, which it must have been."""
    assert isinstance(reading, Reask), reading
    return reading


def shown(workflow: Workflow, *facts: Any) -> list[str]:
    """The slugs that are open after these facts."""
    journey, _ = walk(workflow, started(), *facts)
    return [question.slug for question in open_questions(workflow, journey)]


# Choices


@pytest.mark.parametrize("text", ["2–5", "2-5", " 2—5 ", ["2–5"]])
def test_an_option_in_any_dash_or_case_is_a_click(text: Any):
    answer = accepted(read_shipped("staff_size", text))

    assert (answer.text, answer.options, answer.typed) == ("2–5", ("2–5",), False)


def test_a_text_that_only_means_an_option_is_typed():
    answer = accepted(read_shipped("business_type", "we run a small cafe"))

    assert (answer.value, answer.typed, answer.length) == ("Restaurant", True, 19)


def test_a_near_text_is_asked_again_and_the_second_time_believed():
    again = reasked(read_shipped("business_type", "restorant or shop?"))
    kept = accepted(read_shipped("business_type", "Space tourism", BELIEVED))

    assert "Restaurant" in again.suggestions and again.message.startswith("Did you mean")
    assert (kept.text, kept.options, kept.typed) == ("Space tourism", ("Other",), True)


def test_a_believed_text_has_no_option_where_there_is_no_other():
    answer = accepted(read_shipped("monthly_sales", "it varies a lot", BELIEVED))

    assert (answer.value, answer.options) == ("it varies a lot", ())


def test_what_is_like_no_option_is_shown_all_of_them():
    again = reasked(read_shipped("staff_size", "zzzz"))

    assert again.message.startswith("Please pick") and len(again.suggestions) == 5


@pytest.mark.parametrize("slug", ["business_type", "location", "features_interested"])
@pytest.mark.parametrize("raw", ["", "  ", "\u200b", [], [" "]])
def test_nothing_is_no_answer(slug: str, raw: Any):
    assert "did not catch" in reasked(read_shipped(slug, raw, BELIEVED)).message


@pytest.mark.parametrize("slug", ["business_type", "location", "features_interested"])
def test_a_flood_of_words_is_refused_kindly(slug: str):
    assert "fewer words" in reasked(read_shipped(slug, ["x" * 2001], BELIEVED)).message


@pytest.mark.parametrize(
    "raw",
    [["Billing", "Loyalty"], '["Billing", "Loyalty"]', "Billing, Loyalty", "billing,LOYALTY"],
)
def test_several_choices_come_as_list_json_or_commas(raw: Any):
    answer = accepted(read_shipped("features_interested", raw))

    assert answer.value == ["Billing", "Loyalty"] and answer.options == ("Billing", "Loyalty")
    assert (answer.text, answer.typed) == ("Billing, Loyalty", False)


def test_one_unknown_choice_asks_again_and_is_kept_when_repeated():
    again = reasked(read_shipped("features_interested", "Billing, rockets"))
    kept = accepted(read_shipped("features_interested", "Billing, rockets", BELIEVED))

    assert again.suggestions
    assert kept.value == ["Billing", "rockets"] and kept.options == ("Billing",)
    assert (kept.typed, kept.length) == (True, 7)


def test_an_unknown_choice_goes_under_other():
    question = {"type": "multi_choice", "options": ["Tea", "Other"]}
    answer = accepted(read(question, ["Tea", "Space food"], BELIEVED))

    assert answer.options == ("Tea", "Other") and answer.value == ["Tea", "Space food"]


# Texts


def test_a_text_is_trimmed_and_measured():
    answer = accepted(read({}, "  Pune, near the river "))

    assert (answer.text, answer.length, answer.typed) == ("Pune, near the river", 20, True)


def test_a_pattern_is_asked_again_for_but_an_offered_option_is_taken():
    question = {"type": "text", "pattern": "[A-Z]{2}[0-9]+", "options": ["Unknown"]}

    assert accepted(read(question, "AB12")).typed
    assert "form I expected" in reasked(read(question, "12AB")).message
    assert "fewer words" in reasked(read(question, "AB" + "1" * 300)).message
    assert not accepted(read(question, "unknown")).typed


# Addresses and numbers


def test_an_address_that_cannot_be_one_is_asked_again_each_time():
    question = {"type": "email"}

    assert accepted(read(question, "Ann@Example.com")).email == "Ann@example.com"
    for setting in (Setting(), BELIEVED):
        assert "e-mail" in reasked(read(question, "ann@", setting)).message
    assert isinstance(read(question, "a@shop.test"), Reask)
    assert accepted(read(question, "a@shop.test", Setting(allow_test_addresses=True))).email


def test_a_phone_number_is_read_in_the_region_of_the_workflow():
    phone = accepted(read({"type": "phone"}, "91234 56789")).phone

    assert phone and phone.e164 == "+919123456789" and phone.typed == "91234 56789"
    assert "phone" in reasked(read({"type": "phone"}, "12", BELIEVED)).message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", True),
        ("1,00,000", True),
        ("₹ 1,250.50", True),
        ("12,5", True),
        ("٢٥", True),
        ("−3", False),
        ("1e3", False),
        ("1,2,3", False),
        ("1.2.3", False),
        ("nan", False),
        ("12" + " " * 50 + "3", False),
        ("", False),
    ],
)
def test_a_number_is_read_as_people_type_it(text: str, value: bool):
    assert isinstance(read({"type": "number", "min": 0}, text), Accepted) is value


@pytest.mark.parametrize(
    ("limits", "text", "sentence"),
    [
        ({"min": 1, "max": 9.5}, "10", "between 1 and 9.5"),
        ({"min": 5}, "4", "between 5 and ∞"),
        ({"max": 5}, "6", "between -∞ and 5"),
        ({"min": 10}, "٢", "between 10 and ∞"),
        ({"max": 13}, "12,5", ""),
    ],
)
def test_a_number_outside_its_limits_is_asked_again(
    limits: dict[str, Any], text: str, sentence: str
):
    reading = read({"type": "number", **limits}, text)

    assert sentence in getattr(reading, "message", "")
    assert isinstance(reading, Reask) is bool(sentence)


@pytest.mark.parametrize(
    "text", ["2026-03-31", "31/03/2026", "31.03.2026", "31 March 2026", "٣١/٠٣/٢٠٢٦"]
)
def test_a_date_is_kept_in_one_form(text: str):
    assert accepted(read({"type": "date"}, text)).text == "2026-03-31"


@pytest.mark.parametrize("text", ["soon", "31/31/2026", "31" + " " * 50 + "March 2026", ""])
def test_what_is_no_date_is_asked_again(text: str):
    assert "such as" in reasked(read({"type": "date"}, text)).message


def test_a_rating_is_one_of_its_steps_in_any_digits():
    assert accepted(read({"type": "rating"}, "٤")).options == ("4",)
    assert reasked(read({"type": "rating"}, "6")).suggestions == ("1", "2", "3", "4", "5")


@pytest.mark.parametrize(
    ("text", "value"), [("Yes", "yes"), ("TRUE", "yes"), ("no", "no"), ("Decline", "no")]
)
def test_a_consent_is_yes_or_no(text: str, value: str):
    answer = accepted(read({"type": "consent"}, text))

    assert (answer.text, answer.options, answer.typed) == (value, (value,), False)


def test_a_consent_may_be_given_in_ones_own_language():
    texts = {"hi": {"questions": {"q1": {"options": {"yes": "हाँ", "no": "नहीं"}}}}}
    workflow = asking({"type": "consent"}, translations=texts)
    question = workflow.questions[0]

    assert accepted(read_answer(workflow, question, "हाँ", HINDI)).value == "yes"
    assert reasked(read_answer(workflow, question, "maybe", HINDI)).suggestions == ("हाँ", "नहीं")


# Skipping


def test_only_an_optional_question_may_be_skipped():
    workflow = shipped()

    assert isinstance(read_skip(workflow, workflow.by_slug["location"], Setting()), Accepted)
    assert isinstance(read_skip(workflow, workflow.by_slug["business_type"], Setting()), Reask)


def test_a_question_is_asked_again_in_the_words_of_the_locale():
    texts = {"pt": {"messages": {"email": "Esse e-mail não existe."}}}
    workflow = asking({"type": "email"}, translations=texts, messages={"phone": " "})
    question = workflow.questions[0]

    for locale in ("pt", "pt-BR"):
        again = reasked(read_answer(workflow, question, "x", Setting(locale)))
        assert again.message == "Esse e-mail não existe."
    assert "no e-mail" in reasked(read_answer(workflow, question, "x", Setting("fr"))).message
    assert workflow.message("phone", "pt").startswith("That is no phone")


# Branching

KIND = {"slug": "kind", "options": ["Shop", "Cafe"], "required": False}


def on(subject: str, op: str, value: Any = None) -> dict[str, Any]:
    """A comparison as a marketer writes it."""
    return {"subject": subject, "op": op, **({} if value is None else {"value": value})}


@pytest.mark.parametrize(
    ("condition", "options", "expected"),
    [
        (on("answer:kind", "eq", "shop"), ["Shop"], True),
        (on("answer:kind", "eq", "shop"), ["Cafe"], False),
        (on("answer:kind", "ne", "Shop"), ["Cafe"], True),
        (on("answer:kind", "in", ["Shop", "Cafe"]), ["Cafe"], True),
        (on("answer:kind", "not_in", ["Shop"]), ["Shop"], False),
        (on("answer:kind", "contains", "Shop"), ["Shop"], True),
        (on("answer:kind", "answered"), ["Shop"], True),
        (on("answer:kind", "skipped"), ["Shop"], False),
        ({"not": on("answer:kind", "eq", "Shop")}, ["Cafe"], True),
        ({"all": [on("answer:kind", "answered"), on("score", "gte", 5)]}, ["Cafe"], True),
        ({"any": [on("score", "gt", 11), on("answer:kind", "eq", "Shop")]}, ["Cafe"], False),
    ],
)
def test_a_condition_on_a_choice_shows_or_hides(condition: Any, options: list[str], expected: bool):
    workflow = asking(KIND, {"slug": "next", "show_if": condition})

    assert ("next" in shown(workflow, answered(2, 1, *options))) is expected


@pytest.mark.parametrize(
    ("op", "expected"), [("skipped", True), ("answered", False), ("ne", False)]
)
def test_a_skipped_question_is_no_answer(op: str, expected: bool):
    value = "Shop" if op == "ne" else None
    workflow = asking(KIND, {"slug": "next", "show_if": on("answer:kind", op, value)})

    assert ("next" in shown(workflow, skipped(2, 1))) is expected
    assert "next" not in shown(workflow)


def test_a_rating_is_compared_as_a_number():
    workflow = asking({"type": "rating"}, {"show_if": on("answer:q1", "lte", 3)})

    assert "q2" in shown(workflow, answered(2, 1, "3"))
    assert "q2" not in shown(workflow, answered(2, 1, "4"))


@pytest.mark.parametrize(
    ("question", "op", "value", "text", "expected"),
    [
        ({}, "contains", "pune", "Near PUNE", True),
        ({}, "eq", "Pune", "pune ", True),
        ({}, "ne", "Pune", "pune", False),
        ({}, "in", ["Pune", "Goa"], "goa", True),
        ({}, "not_in", ["Pune", "Goa"], "goa", False),
        ({}, "gt", "m", "pune", True),
        ({}, "answered", None, "pune", True),
        ({"required": False}, "skipped", None, "pune", False),
        ({"type": "number"}, "gte", 1000, "₹ 1,000", True),
        ({"type": "number"}, "lt", 1000, "1,000.5", False),
        ({"type": "number"}, "eq", 5, "5.0", True),
        ({"type": "date"}, "lt", "2026-06-01", "31/03/2026", True),
        ({"type": "email"}, "contains", "@example.com", "ann@example.com", True),
        ({"type": "phone"}, "contains", "91", "9123456789", True),
    ],
)
def test_a_condition_on_a_typed_answer_is_decided_when_it_is_given(
    question: dict[str, Any], op: str, value: Any, text: str, expected: bool
):
    workflow = asking(question, {"show_if": on("answer:q1", op, value)})
    answer = accepted(read_answer(workflow, workflow.questions[0], text, Setting()))
    fact = answered(2, 1, typed=True, length=answer.length, conditions=answer.outcomes)

    assert ("q2" in shown(workflow, fact)) is expected
    assert "q2" not in shown(workflow)


def test_what_a_record_does_not_know_of_a_text_is_not_true():
    workflow = asking({}, {"show_if": on("answer:q1", "contains", "x")})

    assert "q2" not in shown(workflow, answered(2, 1, typed=True, length=3))


def test_a_source_shows_a_question():
    workflow = asking({}, {"show_if": on("utm:source", "eq", "ads")})
    (leaf,) = workflow.leaves_on("utm:source")
    journey, _ = walk(workflow, started(**{leaf.key: holds_of_text(leaf, "Ads")}))

    assert is_open(workflow, journey, workflow.questions[1])
    assert not is_open(workflow, Journey(), workflow.questions[1])


def test_a_number_beside_a_word_compares_as_text():
    assert holds_of_text(Leaf("answer:x", "gt", "5"), "many")
    assert not holds_of_text(Leaf("answer:x", "eq", "nan"), "nan")


def test_the_answer_to_a_hidden_question_shows_no_other():
    workflow = asking(
        KIND,
        {"slug": "size", "show_if": on("answer:kind", "eq", "Shop"), "options": ["S", "L"]},
        {"slug": "rent", "show_if": on("answer:size", "eq", "L")},
    )
    facts = [answered(2, 1, "Shop"), answered(3, 2, "L")]

    assert shown(workflow, *facts) == ["kind", "size", "rent"]
    assert shown(workflow, *facts, answered(4, 1, "Cafe")) == ["kind"]


def test_a_question_that_the_score_opened_stays_open_once_it_is_answered():
    workflow = asking({}, {"show_if": on("score", "lt", 15)}, {"show_if": on("score", "gt", 100)})
    first, second = answered(2, 1), answered(3, 2)

    assert shown(workflow, first) == ["q1", "q2"]
    assert shown(workflow, first, second) == ["q1", "q2"]


# Where one stands


def test_the_next_question_is_the_first_open_one_without_an_answer():
    workflow = asking(
        {}, {"show_if": on("score", "gt", 1000)} if False else {}, {"required": False}
    )
    journey, _ = walk(workflow, started(), answered(2, 2), skipped(3, 3))
    whole, _ = walk(workflow, started(), answered(2, 2), skipped(3, 3), answered(4, 1))

    asked = next_question(workflow, journey)
    assert asked and asked.id == 1
    assert next_question(workflow, whole) is None
    assert progress(workflow, whole).completed and not progress(workflow, journey).completed
    assert not answered_all(workflow, whole)


def test_progress_counts_only_what_is_open():
    workflow = asking(KIND, {"show_if": on("answer:kind", "eq", "Shop")})
    journey, _ = walk(workflow, started(), answered(2, 1, "Cafe"))
    far = progress(workflow, journey)

    assert (far.answered, far.skipped, far.total, far.completed) == (1, 0, 1, True)


def test_a_conversation_without_questions_is_not_answered():
    assert not answered_all(replace(shipped(), questions=()), Journey())


# Texts and locales


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("Thanks {name|friend}!", {"name": "Ann"}, "Thanks Ann!"),
        ("Thanks {name|friend}!", {"name": ""}, "Thanks friend!"),
        ("Thanks {name}!", {}, "Thanks!"),
        ("{features_interested|all}", {"features_interested": ["A", "B"]}, "A, B"),
        ("{features_interested|all}", {"features_interested": []}, "all"),
        ("{n} people", {"n": 0}, "0 people"),
    ],
)
def test_a_text_speaks_of_the_visitor(text: str, values: dict[str, Any], said: str):
    assert has_variables(text) and fill_in(text, values) == said
    assert not has_variables("Thanks!")


def test_a_locale_falls_back_to_its_language_and_then_to_the_default():
    texts = {"pt": {"questions": {"q1": {"text": "Onde?"}}, "closing": "Tchau"}}
    workflow = asking({"text": "Where?"}, closing="Bye", translations=texts)
    question = workflow.questions[0]

    asked = [workflow.question_text(question, locale) for locale in ("pt-BR", "pt", "fr", None)]
    assert asked == ["Onde?", "Onde?", "Where?", "Where?"]
    assert workflow.best_locale("pt-BR") == "pt" and workflow.best_locale("fr") == "en"
    assert workflow.text("closing", "pt-BR") == "Tchau"
    assert workflow.text("closing", "en-GB") == "Bye"
    odd = replace(workflow, default_locale="xx!")
    assert odd.best_locale(None) == "xx!" and odd.text("closing", "fr") == "Bye"


def test_arabic_is_written_from_right_to_left():
    workflow = shipped()

    assert direction(workflow.best_locale("ar-EG")) == "rtl"
    assert direction(workflow.best_locale("hi")) == "ltr"
    assert workflow.option_labels(workflow.by_id[1], "ar")[0] == "مطعم"
    assert workflow.option_labels(workflow.by_id[3], "hi")[:2] == ("सिर्फ़ मैं", "2–5")
    assert workflow.label("call_labels", "book_demo", "Book a demo", "hi") == "डेमो बुक करें"


def test_every_text_of_a_sparse_workflow_is_empty_rather_than_missing():
    workflow = asking({}, consent={"text": "OK?", "version": "1"}, contact={"text": "Mail?"})

    assert workflow.text("consent", None) == "OK?" and workflow.text("contact", None) == "Mail?"
    assert asking({}).text("consent", None) == asking({}).text("contact", "hi") == ""


def test_an_arms_greeting_is_shown_in_its_own_words_in_every_locale():
    config = {"greeting": "Hi", "translations": {"hi": {"greeting": "नमस्ते"}, "ar": {}}}
    arm = {"greeting": "Yo", "greeting_translations": {"fr": "Salut"}}
    workflow = asking({}, **config, ACTIVE_TESTS={"g": {"A": {"greeting": "Hi"}, "B": arm}})

    control, other = workflow.arranged({"g": "A"}), workflow.arranged({"g": "B"})
    assert [control.text("greeting", one) for one in ("hi", "ar", None)] == ["नमस्ते", "Hi", "Hi"]
    assert [other.text("greeting", one) for one in ("hi", "fr", None)] == ["Yo", "Salut", "Yo"]
    assert workflow.arranged({"g": "gone"}).greeting.text == "Hi"


# Finding things by name


def test_a_question_is_found_by_id_numeric_text_or_slug():
    workflow = shipped()

    for name in (3, "3", "staff_size"):
        assert workflow.find_question(name) is workflow.questions[2]
    for name in (9, "9", "9" * 30, "٣", "nothing", ""):
        assert workflow.find_question(name) is None


def test_products_calls_and_tests_are_found_by_id_or_name_in_any_case():
    workflow = shipped()

    assert workflow.find_product(" qr PAYMENTS ") is workflow.find_product("QR_payments")
    assert workflow.find_product("rockets") is None
    call = workflow.find_call_to_action("book a demo")
    assert call is workflow.find_call_to_action("BOOK_DEMO") and call is not None
    assert workflow.find_call_to_action("run") is None
    assert workflow.find_test("nothing") is None


def test_the_slowest_pattern_that_is_taken_holds_nobody_up():
    workflow = asking({"pattern": ".*.*.*="})
    begun = time.process_time()

    assert isinstance(read_answer(workflow, workflow.questions[0], "a" * 200, Setting()), Reask)
    assert time.process_time() - begun < 1
