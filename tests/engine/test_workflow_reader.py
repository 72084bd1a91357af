"""Tests of engine.workflow_reader: what a marketer may write, and what is refused with a remedy."""

from __future__ import annotations

import copy
import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.question_reader import OLDER_SLUGS
from engine.vocabulary import DEFAULT_POINTS, Action, QuestionType
from engine.workflow import Workflow
from engine.workflow_reader import MESSAGES, WorkflowInvalid, read_workflow
from tests.engine.builders import asking, config_of, problems_of, shipped, shipped_config

CHOICE = {"slug": "kind", "type": "choice", "options": ["Shop", "Cafe"]}
SHOP = {"subject": "answer:kind", "op": "eq", "value": "Shop"}


def after_kind(condition: Any, **more: Any) -> dict[str, Any]:
    """A configuration whose second question waits for a condition."""
    return config_of(CHOICE, {"slug": "next", "show_if": condition, **more})


# What loads


def test_the_shipped_configuration_reads():
    workflow = read_workflow(*shipped_config())

    assert [question.id for question in workflow.questions] == [1, 2, 3, 4, 5]
    assert workflow.scoring == DEFAULT_POINTS
    assert (workflow.sql_threshold, workflow.mql_threshold) == (60, 30)
    assert [test.name for test in workflow.tests] == ["greeting_message", "question_flow"]
    assert workflow.default_assignee == "CTL-Team"


@pytest.mark.parametrize(
    "thresholds",
    [
        {"classification_thresholds": {"sql_threshold": 70, "mql_threshold": 35}},
        {"classification_thresholds": {"sql": 70, "mql": 35}},
        {"classification_thresholds": {"SQL": 70, "MQL": 35, "Unqualified": 0}},
        {"sql_threshold": 70, "mql_threshold": 35},
    ],
)
def test_an_older_configuration_loads_with_what_it_has(thresholds: dict[str, Any]):
    questions = [
        {"id": 1, "text": "Business?", "options": ["Shop", "Cafe"], "step": 1},
        {"id": 2, "text": "Where?", "options": [], "step": 2},
        {"id": 5, "text": "Features?", "options": ["A", "B"], "step": 3},
    ]
    workflow = read_workflow(
        {"scoring": {"clicked_demo": 20}, "questions": questions, **thresholds}
    )

    assert [q.slug for q in workflow.questions] == ["business_type", "location", OLDER_SLUGS[5]]
    assert [q.type for q in workflow.questions] == ["choice", "text", "multi_choice"]
    assert [q.field for q in workflow.questions] == [q.slug for q in workflow.questions]
    assert (workflow.sql_threshold, workflow.mql_threshold) == (70, 35)
    assert workflow.contact is None and workflow.consent is None
    assert workflow.products == () and workflow.calls_to_action == ()
    assert workflow.messages == MESSAGES


@pytest.mark.parametrize("name", ["clicked_demo", "demo_requested", "demo_request"])
def test_a_points_table_may_call_the_demo_by_any_of_its_names(name: str):
    workflow = asking({}, scoring={name: 20})

    assert workflow.points_for(Action.DEMO_REQUESTED) == 20
    assert workflow.points_for("cta_clicked") == 15


def test_a_points_table_may_hold_every_name_of_the_demo_with_one_worth():
    names = ("clicked_demo", "demo_requested", "demo_request")

    assert asking({}, scoring=dict.fromkeys(names, 20)).points_for(Action.DEMO_REQUESTED) == 20


def test_a_question_without_a_name_is_called_by_its_number():
    workflow = read_workflow(
        {"questions": [{"id": 7, "text": "A?"}, {"id": 8, "slug": "b", "question": "B?"}]}
    )

    assert [question.slug for question in workflow.questions] == ["question_7", "b"]


def test_products_and_calls_may_be_plain_lists_or_dictionaries_by_id():
    workflow = asking(
        {},
        product_menu=["Billing", {"title": "बिलिंग"}],
        cta_options={"demo": "Book a demo", "talk": {"label": "Talk to us"}, "x": {"text": "X"}},
    )

    assert [(p.id, p.name) for p in workflow.products] == [
        ("billing", "Billing"),
        ("products_1", "बिलिंग"),
    ]
    assert [(c.id, c.label, str(c.action)) for c in workflow.calls_to_action] == [
        ("demo", "Book a demo", "demo_requested"),
        ("talk", "Talk to us", "cta_clicked"),
        ("x", "X", "cta_clicked"),
    ]


def test_an_address_or_number_field_takes_only_checked_answers():
    workflow = asking({"slug": "email"}, {"slug": "phone"})

    assert [q.type for q in workflow.questions] == [QuestionType.EMAIL, QuestionType.PHONE]
    place = "questions[0].type"
    assert place in problems_of(config_of({"slug": "email", "type": "text"}))


def test_a_rating_and_a_consent_bring_their_own_options():
    workflow = asking(
        {"type": "rating"}, {"type": "rating", "min": 0, "max": 10}, {"type": "consent"}
    )

    shown = [[option.value for option in question.options] for question in workflow.questions]
    assert shown[0] == ["1", "2", "3", "4", "5"]
    assert (shown[1][0], shown[1][-1], len(shown[1])) == ("0", "10", 11)
    assert shown[2] == ["yes", "no"]


def test_locales_are_known_however_they_are_written():
    workflow = asking({}, translations={"pt_br": {"closing": "Tchau"}}, default_locale="EN")

    assert workflow.text("closing", "pt-BR") == "Tchau"
    assert workflow.default_locale == "en"


def test_the_widget_reads_its_looks_and_when_it_opens():
    workflow = asking(
        {},
        widget={"title": "Hi", "theme": {"accent": "#abc", "scheme": "dark"}},
        proactive={"after_seconds": 5, "scroll_percent": 50},
    )

    assert (workflow.widget.accent, workflow.widget.position) == ("#abc", "end")
    assert workflow.proactive and workflow.proactive.url_pattern == "*"


# Experiments in the shapes of older systems


@pytest.mark.parametrize(
    "tests",
    [
        {"greeting_message": {"A": "Hi", "B": "Yo"}},
        {"greeting_message": ["Hi", "Yo"]},
        {"greeting_message": {"variants": ["Hi", "Yo"]}},
        {"greeting_message": {"A": {"message": "Hi"}, "B": {"text": "Yo"}}},
        {"greeting_message": {"enabled": True, "A": {"greeting": "Hi"}, "B": {"greeting": "Yo"}}},
        {"start": {"variants": {"A": {"greeting": {"text": "Hi"}}, "B": {"greeting": "Yo"}}}},
        {"start": {"A": {"greeting_message": "Hi"}, "B": {"greeting_message": "Yo"}}},
    ],
)
def test_a_greeting_test_loads_in_every_older_shape(tests: dict[str, Any]):
    workflow = read_workflow(config_of({}), tests)

    (test,) = workflow.tests
    assert [arm.config["greeting"] for arm in test.arms] == ["Hi", "Yo"]
    assert [arm.weight for arm in test.arms] == [0.5, 0.5]
    assert workflow.arranged({test.name: "B"}).greeting.text == "Yo"


@pytest.mark.parametrize(
    "arm", [["q3", "q1"], {"order": [3, "1"]}, {"question_order": ["3", "q1"], "weight": 1}]
)
def test_an_order_that_names_some_questions_is_followed_by_the_others(arm: Any):
    tests = {"question_flow": {"A": ["q1"], "B": arm}}
    workflow = asking({}, {}, {}, {}, ACTIVE_TESTS=tests)

    ordered = workflow.arranged({"question_flow": "B"}).questions
    assert [question.slug for question in ordered] == ["q3", "q1", "q2", "q4"]
    assert workflow.arranged({}).questions == workflow.questions


def test_a_test_of_something_else_changes_no_greeting():
    workflow = read_workflow(
        config_of({}, greeting="Hi"),
        {"button": {"A": "red", "B": "blue"}, "cta": {"A": {"text": "x"}, "B": {"text": "y"}}},
    )

    assert workflow.tests[0].arms[1].config == {"value": "blue"}
    assert workflow.arranged({"button": "B", "cta": "B"}).greeting.text == "Hi"


def test_weights_may_stand_in_the_arms_or_beside_them():
    inside = {"A": {"weight": 3, "x": 1}, "B": {"weight": 1, "x": 2}}
    beside = {"variants": {"A": {}, "B": {}}, "weights": {"A": 75, "B": 25}}
    workflow = read_workflow(config_of({}), {"inside": inside, "beside": beside})

    assert [[arm.weight for arm in test.arms] for test in workflow.tests] == [[0.75, 0.25]] * 2
    assert "weight" not in workflow.tests[0].arms[0].config


@pytest.mark.parametrize("word", ["enabled", "active"])
def test_a_test_that_is_switched_off_is_left_out(word: str):
    workflow = read_workflow(config_of({}), {"t": {word: False, "A": {}, "B": {}}})

    assert workflow.tests == ()


# What is refused: the configuration, and the place that is named


def trying(raw: Any) -> dict[str, Any]:
    """A configuration with one experiment."""
    return config_of({}, {}, ACTIVE_TESTS={"t": raw})


CYCLE: list[Any] = []
CYCLE.append(CYCLE)
MISTAKES: list[tuple[str, Any]] = [
    ("WORKFLOW_CONFIG", []),
    ("WORKFLOW_CONFIG", None),
    ("name", config_of({}, name={1, 2})),
    ("name", config_of({}, name=datetime.date(2026, 1, 1))),
    ("name", config_of({}, name="a\x00b")),
    ("name", config_of({}, name="\ud800")),
    ("name", config_of({}, name="x" * 5001)),
    ("name", config_of({}, name=5)),
    ("products" + "[0]" * 19, config_of({}, products=CYCLE)),
    ("translations", config_of({}, translations={None: {}})),
    ("translations.1", config_of({}, translations={1: {}, "1": {}})),
    ("qestions", config_of({}, qestions=[])),
    ("questions", {}),
    ("questions", {"questions": "What?"}),
    ("questions", {"questions": []}),
    ("questions[0]", {"questions": ["What?"]}),
    ("questions[0].colour", config_of({"colour": "red"})),
    ("questions[0].id", config_of({"id": 0})),
    ("questions[0].id", config_of({"id": "1"})),
    ("questions[0].id", config_of({"id": True})),
    ("questions[0].id", config_of({"id": 10**400})),
    ("questions", config_of({"id": 1}, {"id": 1})),
    ("questions", config_of({"slug": "a"}, {"slug": "a"})),
    ("questions", config_of({"field": "name"}, {"field": "name"})),
    ("questions[0].slug", config_of({"slug": "Not a slug"})),
    ("questions[0].slug", config_of({"slug": ["a"]})),
    ("questions[0].text", config_of({"text": " "})),
    ("questions[0].text", config_of({"text": 5})),
    ("questions[0].text", config_of({"text": "Hi {nmae}"})),
    ("questions[0].text", config_of({"text": "Hi {name"})),
    ("questions[0].type", config_of({"type": "chioce"})),
    ("questions[0].type", config_of({"type": []})),
    ("questions[0].field", config_of({"field": "lead_score"})),
    ("questions[0].field", config_of({"field": "Not a field"})),
    ("questions[0].field", config_of({"slug": "a", "field": {}})),
    ("questions[0].required", config_of({"required": "no"})),
    ("questions[0].step", config_of({"step": -1})),
    ("questions[0].step", config_of({"step": 1.5})),
    ("questions[0].step", config_of({"step": float("inf")})),
    ("questions[0].step", config_of({"step": "one"})),
    ("questions[0].help", config_of({"help": []})),
    ("questions[0].options", config_of({"type": "choice"})),
    ("questions[0].options", config_of({"type": "choice", "options": ["One"]})),
    ("questions[0].options", config_of({"options": "Shop, Cafe"})),
    ("questions[0].options", config_of({"options": ["A", "a "]})),
    ("questions[0].options", config_of({"options": [f"o{n}" for n in range(101)]})),
    ("questions[0].options", config_of({"options": [f"{n:0199}" for n in range(11)]})),
    ("questions[0].options", config_of({"type": "consent", "options": ["A", "B"]})),
    (
        "questions[0].options",
        config_of({"options": ["Other", {"value": "Else", "other": True}]}),
    ),
    ("questions[0].options[1]", config_of({"options": ["A", []]})),
    ("questions[0].options[1]", config_of({"options": ["A", True]})),
    ("questions[0].options[0].value", config_of({"options": ["\u200b", "A"]})),
    ("questions[0].options[0].value", config_of({"options": ["x" * 201, "A"]})),
    ("questions[0].options[0].value", config_of({"options": [{"value": 5}, "A"]})),
    ("questions[0].options[0].label", config_of({"options": [{"value": "B", "label": ""}, "A"]})),
    (
        "questions[0].options[0].synonyms",
        config_of({"options": [{"value": "B", "synonyms": "b"}, "A"]}),
    ),
    (
        "questions[0].options[0].synonyms",
        config_of({"options": [{"value": "B", "synonyms": 5}, "A"]}),
    ),
    ("questions[0].options[0].other", config_of({"options": [{"value": "B", "other": 1}, "A"]})),
    ("questions[0].options_from", config_of({"options_from": "cities"})),
    ("questions[0].options", config_of({"type": "choice", "options_from": "products"})),
    ("questions[0].min", config_of({"type": "number", "min": 5, "max": 4})),
    ("questions[0].min", config_of({"type": "date", "min": 5})),
    ("questions[0].min", config_of({"type": "number", "min": "low"})),
    ("questions[0].max", config_of({"type": "number", "max": float("nan")})),
    ("questions[0].max", config_of({"type": "rating", "max": 100})),
    ("questions[0].max", config_of({"type": "rating", "max": 4.5})),
    ("questions[0].pattern", config_of({"pattern": "[a"})),
    ("questions[0].pattern", config_of({"pattern": 5})),
    ("questions[0].pattern", config_of({"pattern": "x" * 201})),
    ("questions[0].pattern", config_of({"pattern": "a{99999999999}"})),
    ("questions[0].pattern", config_of({"pattern": "[[a]b]"})),
    ("questions[0].pattern", config_of({"pattern": "(a+)+"})),
    ("questions[0].pattern", config_of({"pattern": "(a|b){5}"})),
    ("questions[0].pattern", config_of({"pattern": r"(a)\1"})),
    ("questions[0].pattern", config_of({"pattern": "(?=a)a"})),
    ("questions[0].pattern", config_of({"pattern": ".*.*.*.*="})),
    ("questions[0].pattern", config_of({"pattern": "a?" * 40 + "a" * 40})),
    ("questions[0].pattern", config_of({"pattern": "(a|a)" * 30 + "b"})),
    ("questions[0].pattern", config_of({"pattern": "a{0,90}a{,90}a{1,}a{2,99}b"})),
    ("questions[0].pattern", config_of({"type": "number", "pattern": "[0-9]"})),
    ("questions[1].show_if", after_kind("Shop")),
    ("questions[1].show_if", after_kind(False)),
    ("questions[1].show_if", after_kind({})),
    ("questions[1].show_if.all", after_kind({"all": []})),
    ("questions[1].show_if.any", after_kind({"any": "x"})),
    ("questions[1].show_if.any[0]", after_kind({"any": [5]})),
    ("questions[1].show_if.not", after_kind({"not": []})),
    ("questions[1].show_if.any", after_kind({"all": [SHOP], "any": [SHOP]})),
    ("questions[1].show_if.op", after_kind({"subject": "score", "op": ["gt"], "value": 1})),
    ("questions[1].show_if.subject", after_kind({"subject": "answer:", "op": "answered"})),
    ("questions[1].show_if.subject", after_kind({"subject": "utm:colour", "op": "eq"})),
    ("questions[1].show_if.subject", after_kind({"subject": {}, "op": "eq"})),
    ("questions[1].show_if", after_kind({"subject": "score", "op": "gt", "value": "many"})),
    ("questions[1].show_if", after_kind({"subject": "score", "op": "in", "value": [1]})),
    ("questions[1].show_if", after_kind({"subject": "utm:source", "op": "answered"})),
    ("questions[1].show_if.value", after_kind({**SHOP, "value": None})),
    ("questions[1].show_if.value", after_kind({**SHOP, "value": ["Shop"]})),
    ("questions[1].show_if.value", after_kind({**SHOP, "op": "in"})),
    ("questions[1].show_if.value", after_kind({**SHOP, "op": "in", "value": [["Shop"]]})),
    ("questions[1].show_if.value", after_kind({**SHOP, "op": "in", "value": []})),
    ("greeting", config_of({}, greeting=5)),
    ("greeting.txt", config_of({}, greeting={"txt": "Hi"})),
    ("greeting.replies", config_of({}, greeting={"replies": [""]})),
    ("greeting", config_of({}, greeting="Hi {")),
    ("consent", config_of({}, consent="I agree")),
    ("consent", config_of({}, consent={"text": "I agree"})),
    ("consent", config_of({}, consent={"text": "I agree, {name}", "version": "1"})),
    ("consent.version", config_of({}, consent={"text": "I agree", "version": "1" * 65})),
    ("consent.required", config_of({}, consent={"text": "A", "version": "1", "required": 1})),
    ("products", config_of({}, products="Billing")),
    ("products", config_of({}, products=["Billing", "billing "])),
    ("products", config_of({}, products=[{"id": "a", "name": "A"}, {"id": "a", "name": "B"}])),
    ("products[0]", config_of({}, products=[""])),
    ("products[0]", config_of({}, products=[5])),
    ("products[0].id", config_of({}, products=[{"id": [], "name": "A"}])),
    ("products[0].price", config_of({}, products=[{"name": "A", "price": 1}])),
    ("contact", config_of({}, contact=["email"])),
    ("contact.fields", config_of({}, contact={"fields": ["emial"]})),
    ("contact.fields", config_of({}, contact={"fields": ["email", "email"]})),
    ("calls_to_action", config_of({}, calls_to_action=5)),
    ("calls_to_action", config_of({}, calls_to_action=["Buy", "buy"])),
    ("calls_to_action[0]", config_of({}, calls_to_action=[None])),
    ("calls_to_action[0].action", config_of({}, calls_to_action=[{"label": "A", "action": "x"}])),
    (
        "calls_to_action[0].action",
        config_of({}, calls_to_action=[{"label": "A", "action": "quick_reply"}]),
    ),
    ("scoring", config_of({}, scoring=[5])),
    ("scoring.danced", config_of({}, scoring={"danced": 5})),
    ("scoring.quick_reply", config_of({}, scoring={"quick_reply": 1.5})),
    ("scoring.quick_reply", config_of({}, scoring={"quick_reply": True})),
    ("scoring.quick_reply", config_of({}, scoring={"quick_reply": 1001})),
    ("scoring.consent_given", config_of({}, scoring={"consent_given": 5})),
    (
        "scoring.demo_requested",
        config_of({}, scoring={"clicked_demo": 5, "demo_requested": 6}),
    ),
    ("classification_thresholds", config_of({}, classification_thresholds=60)),
    ("classification_thresholds", config_of({}, classification_thresholds={"sql": 20})),
    ("classification_thresholds", config_of({}, classification_thresholds={"mql": 0})),
    ("classification_thresholds", config_of({}, classification_thresholds={"sql": 60.5})),
    ("classification_thresholds", config_of({}, classification_thresholds={"sql": 5000})),
    ("classification_thresholds", config_of({}, sql_threshold="many")),
    ("classification_thresholds.sgl", config_of({}, classification_thresholds={"sgl": 5})),
    ("tiers", config_of({}, tiers=[75, 50])),
    ("tiers", config_of({}, tiers={"hot": 40})),
    ("tiers", config_of({}, tiers={"hot": "x"})),
    ("tiers.cold", config_of({}, tiers={"cold": 0})),
    ("messages", config_of({}, messages=["x"])),
    ("messages.hello", config_of({}, messages={"hello": "x"})),
    ("messages.range", config_of({}, messages={"range": 5})),
    ("default_region", config_of({}, default_region="INDIA")),
    ("default_locale", config_of({}, default_locale="English!")),
    ("default_locale", config_of({}, default_locale="e" * 40)),
    ("default_assignee", config_of({}, default_assignee="x" * 256)),
    ("quick_reply_seconds", config_of({}, quick_reply_seconds=-1)),
    ("quick_reply_seconds", config_of({}, quick_reply_seconds="2 minutes")),
    ("detailed_answer_characters", config_of({}, detailed_answer_characters=1.5)),
    ("widget", config_of({}, widget="blue")),
    ("widget.theme", config_of({}, widget={"theme": "blue"})),
    ("widget.theme.accent", config_of({}, widget={"theme": {"accent": "blue"}})),
    ("widget.position", config_of({}, widget={"position": ["end"]})),
    ("proactive", config_of({}, proactive=[5])),
    ("proactive", config_of({}, proactive={"url_pattern": "*"})),
    ("proactive.after_seconds", config_of({}, proactive={"after_seconds": -1})),
    ("proactive.scroll_percent", config_of({}, proactive={"scroll_percent": 101})),
    ("translations", config_of({}, translations=["hi"])),
    ("translations.hi", config_of({}, translations={"hi": "x"})),
    ("translations.no locale", config_of({}, translations={"no locale": {}})),
    ("translations.pt_br", config_of({}, translations={"pt-BR": {}, "pt_br": {}})),
    ("translations.hi.colour", config_of({}, translations={"hi": {"colour": "x"}})),
    ("translations.hi.greeting", config_of({}, translations={"hi": {"greeting": 5}})),
    ("translations.hi.closing", config_of({}, translations={"hi": {"closing": "{nmae}"}})),
    ("translations.hi.consent", config_of({}, translations={"hi": {"consent": "{name}"}})),
    ("translations.hi.messages", config_of({}, translations={"hi": {"messages": []}})),
    ("translations.hi.messages.x", config_of({}, translations={"hi": {"messages": {"x": ""}}})),
    (
        "translations.hi.messages.email",
        config_of({}, translations={"hi": {"messages": {"email": 5}}}),
    ),
    ("translations.hi.replies.Yes", config_of({}, translations={"hi": {"replies": {"Yes": ""}}})),
    ("translations.hi.questions", config_of({}, translations={"hi": {"questions": []}})),
    ("translations.hi.questions.x", config_of({}, translations={"hi": {"questions": {"x": {}}}})),
    ("translations.hi.questions.q1", config_of({}, translations={"hi": {"questions": {"q1": 5}}})),
    (
        "translations.hi.questions.q1.text",
        config_of({}, translations={"hi": {"questions": {"q1": {"text": 5}}}}),
    ),
    (
        "translations.hi.questions.q1.options",
        config_of(
            {"options": ["A", "B"]},
            translations={"hi": {"questions": {"q1": {"options": ["ए", "बी"]}}}},
        ),
    ),
    (
        "translations.hi.questions.q1.options.C",
        config_of(
            {"options": ["A", "B"]},
            translations={"hi": {"questions": {"q1": {"options": {"C": "सी"}}}}},
        ),
    ),
    (
        "translations.hi.questions.q1.options",
        config_of(
            {"options": ["A", "B"]},
            translations={"hi": {"questions": {"q1": {"options": {"A": "ए", "B": "ए"}}}}},
        ),
    ),
    (
        "translations.hi.questions.q1.options",
        config_of(
            {"options": ["A", "B"]},
            translations={"hi": {"questions": {"q1": {"options": {"A": "B"}}}}},
        ),
    ),
    ("ACTIVE_TESTS", config_of({}, ACTIVE_TESTS=["x"])),
    ("ACTIVE_TESTS.no name", config_of({}, ACTIVE_TESTS={"no name": ["A", "B"]})),
    ("ACTIVE_TESTS.t", trying(5)),
    ("ACTIVE_TESTS.t", trying({"A": {}})),
    ("ACTIVE_TESTS.t", trying([{}] * 27)),
    ("ACTIVE_TESTS.t", trying({"variants": 5})),
    ("ACTIVE_TESTS.t.enabled", trying({"enabled": "no", "A": {}, "B": {}})),
    ("ACTIVE_TESTS.t.A", trying({"A": 5, "B": {}})),
    ("ACTIVE_TESTS.t.a b", trying({"a b": {}, "B": {}})),
    ("ACTIVE_TESTS.t.A.weight", trying({"A": {"weight": "half"}, "B": {}})),
    ("ACTIVE_TESTS.t.A.weight", trying({"A": {"weight": -1}, "B": {}})),
    ("ACTIVE_TESTS.t.weights", trying({"A": {"weight": 0}, "B": {"weight": 0}})),
    ("ACTIVE_TESTS.t.weights", trying({"variants": [{}, {}], "weights": [1, 1]})),
    ("ACTIVE_TESTS.t.weights.C", trying({"variants": [{}, {}], "weights": {"C": 1}})),
    ("ACTIVE_TESTS.t.A.greeting", trying({"A": {"greeting": 5}, "B": {}})),
    ("ACTIVE_TESTS.t.A.greeting", trying({"A": {"greeting": "Hi {nmae}"}, "B": {}})),
    (
        "ACTIVE_TESTS.t.A.greeting_translations",
        trying({"A": {"greeting": "Hi", "greeting_translations": "नमस्ते"}, "B": {}}),
    ),
    (
        "ACTIVE_TESTS.t.A.greeting_translations.hi",
        trying({"A": {"greeting": "Hi", "greeting_translations": {"hi": 5}}, "B": {}}),
    ),
    ("ACTIVE_TESTS.t.A.order", trying({"A": ["q9"], "B": {}})),
    ("ACTIVE_TESTS.t.A.order", trying({"A": {"order": "q1"}, "B": {}})),
    ("ACTIVE_TESTS.t.A.order", trying({"A": ["q1", 1], "B": {}})),
]


@pytest.mark.parametrize(("place", "config"), MISTAKES)
def test_a_mistake_is_refused_with_its_place_and_a_remedy_in_one_sentence(place: str, config: Any):
    found = problems_of(config)

    assert place in found
    assert found[place].endswith(".") and len(found[place]) < 600


def test_all_problems_are_found_in_one_reading():
    config = after_kind({**SHOP, "value": "Bank"}, scoring=None)
    config["questions"][1].pop("scoring")
    config |= {"scoring": {"danced": 1}, "tiers": {"hot": 1}, "closing": "{nmae}"}

    assert set(problems_of(config)) == {
        "questions[1].show_if",
        "scoring.danced",
        "tiers",
        "closing",
    }


def test_the_error_says_every_place_and_remedy():
    with pytest.raises(WorkflowInvalid, match="tiers: needs 0 < warm < hot"):
        read_workflow(config_of({}, tiers={"hot": 1}))


# Dead ends


@pytest.mark.parametrize(
    "condition",
    [
        {"subject": "answer:bank", "op": "answered"},
        {"subject": "answer:next", "op": "answered"},
        {"subject": "answer:last", "op": "answered"},
        {**SHOP, "value": "Bank"},
        {**SHOP, "op": "in", "value": ["Shop", "Bank"]},
        {**SHOP, "op": "not_in", "value": ["Bank"]},
        {"all": [SHOP, {**SHOP, "value": "Cafe"}]},
        {"all": [SHOP, {"not": SHOP}]},
        {"subject": "answer:kind", "op": "skipped"},
        {"subject": "score", "op": "gt", "value": 5000},
        {"subject": "score", "op": "lt", "value": 0},
        {"not": {"subject": "score", "op": "gte", "value": 0}},
    ],
)
def test_a_question_that_would_never_be_asked_is_refused(condition: Any):
    config = after_kind(condition)
    config["questions"].append({"id": 3, "slug": "last", "text": "?"})

    assert set(problems_of(config)) == {"questions[1].show_if"}


@pytest.mark.parametrize(
    "condition",
    [
        SHOP,
        {**SHOP, "op": "ne"},
        {"not": SHOP},
        {"any": [SHOP, {"subject": "utm:source", "op": "eq", "value": "ads"}]},
        {"subject": "score", "op": "gte", "value": 20},
        {"subject": "utm:campaign", "op": "contains", "value": "x"},
    ],
)
def test_a_question_that_some_visitor_reaches_is_taken(condition: Any):
    assert read_workflow(after_kind(condition)).questions[1].show_if


def test_a_question_behind_a_hidden_one_is_refused():
    config = config_of(
        CHOICE,
        {"slug": "shop_size", "show_if": SHOP},
        {
            "slug": "never",
            "show_if": {
                "all": [
                    {"subject": "answer:shop_size", "op": "answered"},
                    {**SHOP, "value": "Cafe"},
                ]
            },
        },
    )

    assert set(problems_of(config)) == {"questions[2].show_if"}


def test_a_condition_on_typed_or_several_answers_may_always_come_true():
    several = {"slug": "many", "type": "multi_choice", "options": ["A", "B"], "required": False}
    both = [{"subject": "answer:many", "op": "eq", "value": one} for one in ("A", "B")]
    typed = {"subject": "answer:place", "op": "contains", "value": "x"}
    workflow = asking(
        several, {"slug": "place"}, {"slug": "last", "show_if": {"all": [*both, typed]}}
    )

    assert len(workflow.questions) == 3


def test_a_choice_without_other_may_be_answered_by_no_option():
    condition = {"all": [{**SHOP, "op": "ne"}, {**SHOP, "op": "ne", "value": "Cafe"}]}

    assert read_workflow(after_kind(condition))


def test_beyond_thousands_of_combinations_a_question_counts_as_reachable():
    options = [f"o{number}" for number in range(90)]
    questions = [{"type": "choice", "options": options} for _ in range(3)]
    never = [
        {"subject": f"answer:q{number}", "op": "eq", "value": value}
        for number in (1, 2, 3)
        for value in ("o1", "o2")
    ]

    assert asking(*questions, {"show_if": {"all": never}})


def test_a_workflow_that_asks_nothing_at_first_is_refused():
    utm = {"subject": "utm:source", "op": "eq", "value": "ads"}

    assert "questions" in problems_of(config_of({"show_if": utm}))


def test_a_variant_may_not_ask_a_question_before_the_one_it_waits_for():
    config = after_kind(SHOP)
    tests = {"question_flow": {"A": ["kind"], "B": ["next"]}}

    assert "questions[1].show_if" in problems_of(config, tests)


@pytest.mark.parametrize(
    ("question", "reply", "texts"),
    [
        ({"type": "consent"}, "Yes", {}),
        ({"type": "consent"}, "I agree", {}),
        ({"options": ["Go", "Stop"]}, "go", {}),
        ({"options": ["Go", "Stop"]}, "Weiter", {"q1": {"options": {"Go": "Weiter"}}}),
    ],
)
def test_a_greeting_reply_may_not_be_an_answer_to_the_first_question(
    question: dict[str, Any], reply: str, texts: dict[str, Any]
):
    config = config_of(
        question, greeting={"replies": [reply]}, translations={"de": {"questions": texts}}
    )

    assert set(problems_of(config)) == {"greeting.replies"}


# Nothing but WorkflowInvalid

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["A", "score", "eq", "in", "choice", "q1", "answer:q1", "id", "text", "hi"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.text(max_size=5)
        | st.sampled_from(
            ["id", "text", "value", "op", "subject", "options", "all", "variants", "weights", "A"]
            + ["greeting", "order", "questions", "q1", "name", "type", "B", "theme", "fields"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)
KEYS = sorted(
    [
        *("name", "default_locale", "default_region", "default_assignee", "greeting", "consent"),
        *("questions", "products", "product_text", "contact", "calls_to_action"),
        *("call_to_action_text", "closing", "scoring", "classification_thresholds", "tiers"),
        *("quick_reply_seconds", "detailed_answer_characters", "messages", "translations"),
        *("widget", "proactive", "sql_threshold", "ACTIVE_TESTS"),
    ]
)


def reads_or_refuses(config: Any, tests: Any = None) -> Workflow | None:
    """The workflow, or None if it was refused with reasons."""
    try:
        return read_workflow(config, tests)
    except WorkflowInvalid as error:
        assert error.problems and all(problem.sentence for problem in error.problems)
        return None


@given(config=PLAIN, tests=PLAIN)
@settings(max_examples=150, deadline=None)
def test_any_data_at_all_are_read_or_refused(config: Any, tests: Any):
    reads_or_refuses(config, tests)


@given(key=st.sampled_from(KEYS), part=PLAIN)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_part_at_all_is_read_or_refused(key: str, part: Any):
    config, tests = shipped_config()
    workflow = reads_or_refuses({**config, key: part}, tests)

    if workflow:
        visit_everywhere(workflow)


@given(
    key=st.sampled_from(["type", "options", "show_if", "field", "min", "max", "pattern", "slug"]),
    part=PLAIN,
)
@settings(max_examples=100, deadline=None)
def test_any_part_of_a_question_is_read_or_refused(key: str, part: Any):
    reads_or_refuses(config_of(CHOICE, {"text": "?", key: part}))


def everywhere(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside nested data."""
    pairs = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data) if isinstance(data, list) else ()
    )
    return [path] * bool(path) + [p for key, one in pairs for p in everywhere(one, (*path, key))]


WRONG: list[Any] = [None, "x", -1, float("nan"), [[]], {"x": {}}]


def test_any_value_of_the_shipped_configuration_may_be_spoiled():
    config, tests = shipped_config()
    whole = {"config": config, "tests": tests}
    for number, path in enumerate(everywhere(whole)[2:]):
        holder: Any = whole
        for key in path[:-1]:
            holder = holder[key]
        kept = holder[path[-1]]
        # Two ways each, and all ways in turn: every place in every way would take a minute.
        for wrong in (WRONG[number % len(WRONG)], WRONG[(number + 1) % len(WRONG)]):
            holder[path[-1]] = copy.deepcopy(wrong)
            workflow = reads_or_refuses(config, tests)
            if workflow:
                visit_everywhere(workflow)
        holder[path[-1]] = kept


def visit_everywhere(workflow: Workflow) -> None:
    """Ask a workflow for every text it could show anybody."""
    arms = [{}, *({test.name: arm.name} for test in workflow.tests for arm in test.arms)]
    for arranged in map(workflow.arranged, arms):
        for locale in (None, "hi", "ar-EG"):
            for question in arranged.questions:
                assert isinstance(arranged.question_text(question, locale), str)
                labels = arranged.option_labels(question, locale)
                assert all(isinstance(label, str) for label in labels)
                arranged.options_words(question, locale)
            for name in ("greeting", "closing", "contact", "consent", "products"):
                assert isinstance(arranged.text(name, locale), str)
            for name in arranged.messages:
                assert arranged.message(name, locale)


def test_the_shipped_workflow_shows_every_text():
    visit_everywhere(read_workflow(*shipped_config()))
    assert shipped().tests == ()
