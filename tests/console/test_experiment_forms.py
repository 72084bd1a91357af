"""Experiments in forms: each kind of arm, whom it is for, how it is judged, without any JSON."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from engine.targeting import is_met
from engine.visitors import condition_problems
from tests.console.office import Office, Visit, plain
from web.console.experiment_targeting import (
    KNOWN,
    OPERATORS,
    Ask,
    Target,
    target_of,
    targeting_of,
)

Form = dict[str, Any]
NEW = "/console/experiments/new"


def form_at(visit: Visit, path: str, **query: str) -> Form:
    """What a browser would send of the form at this path, were nothing changed in it."""
    reply = visit.get(path, **query)
    assert reply.status_code == 200, plain(reply.text)
    return form_in(reply.text)


def form_in(text: str) -> Form:
    inside = re.search(r'<form class="card experiment-form"[^>]*>(.*?)</form>', text, re.S)
    assert inside
    said: Form = {}
    for tag in re.findall(r"<input[^>]*>", inside[1]):
        at = {name: html.unescape(one) for name, one in re.findall(r'([\w-]+)="([^"]*)"', tag)}
        if at.get("type") == "checkbox":
            if " checked" in tag:
                said.setdefault(at["name"], []).append(at.get("value", "on"))
        elif at["name"] != "csrf_token":
            said[at["name"]] = at.get("value", "")
    areas = r'<textarea[^>]*name="([^"]+)"[^>]*>\n?(.*?)</textarea>'
    for name, body in re.findall(areas, inside[1], re.S):
        said[name] = html.unescape(body)
    for name, body in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', text, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        first = re.findall(r'value="([^"]*)"', body)
        said[name] = html.unescape(chosen[1] if chosen else first[0])
    return said


def make(office: Office, kind: str, about: str = "", **changes: Any) -> Mapping[str, Any]:
    """The experiment that the form of this kind makes with these fields changed."""
    query = {"kind": kind, **({"about": about} if about else {})}
    form = {**form_at(office.mark, NEW, **query), "name": f"try {kind}", **changes}
    reply = office.mark.post(NEW, form)
    assert reply.status_code == 303, plain(reply.text)
    return stored(office, f"try_{kind}")


def stored(office: Office, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = office.ask(lambda services: services.experiment_book.get(name))
    return found


def configs(one: Mapping[str, Any]) -> list[Any]:
    return [arm["config"] for arm in one["arms"]]


def test_a_greeting_is_tried_in_every_language(ours: Office) -> None:
    said = plain(ours.mark.get(NEW).text)
    assert "Hi! Welcome to YouShop!" in said and "नमस्ते" in said

    one = make(ours, "greeting", says_B="Hello there!", **{"says_B.hi": "नमस्कार!"})

    translated = {"greeting_translations": {"hi": "नमस्कार!"}}
    assert configs(one) == [{}, {"greeting": "Hello there!", **translated}]
    assert [arm["weight"] for arm in one["arms"]] == [0.5, 0.5]


def test_any_text_is_tried_beside_what_it_says_now(small: Office) -> None:
    page = small.mark.text(NEW, kind="text", about="questions.location")
    assert "Where is your business located?" in page

    about = "questions.location"
    one = make(small, "text", about, says_B="Which city?", says_C="Where are you?")

    assert configs(one) == [
        {},
        {"texts": {about: "Which city?"}},
        {"texts": {about: "Where are you?"}},
    ]


def test_the_order_of_questions_is_numbered(small: Office) -> None:
    form = form_at(small.mark, NEW, kind="question_order")
    assert form["place_B.business_type"] == "1"

    one = make(small, "question_order", **{"place_B.staff_size": "1", "place_B.business_type": "3"})

    order = ["staff_size", "location", "business_type", "monthly_sales", "features_interested"]
    assert configs(one) == [{}, {"order": order}]


def test_options_keep_what_else_is_known_of_them(small: Office) -> None:
    form = form_at(small.mark, NEW, kind="options", about="business_type")
    lines = form["says_B"].splitlines()
    assert lines[0] == "Restaurant"

    said = "\n".join(["Restaurant", "Shop", "Other"])
    one = make(small, "options", "business_type", says_B=said)

    offered = configs(one)[1]["options"]["business_type"]
    assert [each if isinstance(each, str) else each["value"] for each in offered] == [
        "Restaurant",
        "Shop",
        "Other",
    ]
    assert "café" in offered[0]["synonyms"] or offered[0]["synonyms"]


def test_calls_to_action_are_rows(small: Office) -> None:
    one = make(small, "calls_to_action", **{"call_B.2.label": "", "call_B.1.label": "Call me back"})

    calls = configs(one)[1]["calls_to_action"]
    assert [call["label"] for call in calls] == ["Book a demo", "Call me back"]
    assert calls[0]["action"] == "demo_requested" and calls[0]["id"] == "book_demo"


def test_points_in_shadow_say_only_what_differs(small: Office) -> None:
    changes = {"points_B.demo_requested": "25", "points_B.quick_reply": "5", "points_B.sql": "70"}
    one = make(small, "points", **changes)

    assert configs(one)[1] == {
        "scoring": {"demo_requested": 25},
        "classification_thresholds": {"sql": 70},
    }
    assert one["metric"] == "deal_won"


def test_a_published_version_is_tried_whole(small: Office) -> None:
    assert configs(make(small, "workflow", says_B="1"))[1] == {"workflow_version": 1}


def test_whom_it_is_for_is_said_in_lines(ours: Office) -> None:
    changes = {
        **{"who-0-name": "utm_source", "who-0-op": "in", "who-0-value": "google_ads; bing"},
        **{"who-1-name": "path", "who-1-op": "begins", "who-1-value": "/pricing"},
        **{"who-2-name": "device", "who-2-op": "not_in", "who-2-value": "tablet"},
        **{"who-3-name": "returning", "who-3-op": "in", "who-3-value": "yes"},
    }

    one = make(ours, "greeting", says_B="Hello!", **changes)

    assert one["targeting"] == {
        "utm_source": {"$ini": ["google_ads", "bing"]},
        "path": {"$regexi": "^/pricing"},
        "device": {"$nini": ["tablet"]},
        "returning": True,
    }
    page = ours.mark.text("/console/experiments/try_greeting")
    assert "visitors whose source (utm_source) is one of google_ads; bing and page" in page
    again = form_at(ours.mark, "/console/experiments/try_greeting/edit")
    for name, value in changes.items():
        assert again[name] == value, name


def test_everything_else_has_a_field(small: Office) -> None:
    one = make(
        small,
        "greeting",
        says_B="Hello!",
        metric="own",
        own_goal="newsletter",
        guardrails=["contact_shared"],
        share_A="20",
        share_B="80",
        group="words",
        group_from="0",
        group_to="50",
        mode="bandit",
        floor="5",
        careful="on",
        window_days="2",
        coverage="40",
    )

    assert one["metric"] == "custom:newsletter" and one["guardrails"] == ["contact_shared"]
    assert [round(arm["weight"], 6) for arm in one["arms"]] == [0.2, 0.8]
    assert one["exclusion_group"] == {"name": "words", "from": 0.0, "to": 0.5}
    assert one["bandit"] == {"floor": 0.05, "careful": True}
    assert (one["window_days"], one["coverage"]) == (2.0, 0.4)


KINDS = {
    "greeting": {"greeting": "Hello!", "greeting_translations": {"hi": "नमस्कार!"}},
    "text": {"texts": {"closing": "Bye!"}, "translations": {"hi": {"closing": "फिर मिलेंगे!"}}},
    "question_order": {"order": ["staff_size", "location"]},
    "options": {"options": {"staff_size": ["Alone", {"value": "Many", "synonyms": ["lots"]}]}},
    "calls_to_action": {"calls_to_action": [{"label": "Book a demo"}, "Ring me"]},
    "points": {"scoring": {"quick_reply": 9}, "classification_thresholds": {"mql": 20}},
    "workflow": {"workflow_version": 1},
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_that_changes_nothing_keeps_what_a_program_made(small: Office, kind: str) -> None:
    mark = small.mark
    made: Form = {
        "name": "made",
        "kind": kind,
        "arms": [
            {"arm": "control", "weight": 0.3, "config": {}, "label": "as ever"},
            {"arm": "warm", "weight": 0.7, "config": KINDS[kind]},
        ],
        "control": "control",
        "metric": "deal_won",
        "guardrails": ["custom:pages"],
        "targeting": {"$nor": [{"utm_source": "x"}], "device": "mobile"},
        "exclusion_group": {"name": "words", "from": 0.25, "to": 0.5},
    }
    with small.unit() as services:
        services.experiment_book.create(made, who="program")
    before = stored(small, "made")

    reply = mark.post("/console/experiments/made/edit", form_at(mark, before_path()))

    assert reply.status_code == 303, plain(reply.text)
    after = stored(small, "made")
    names = ("arms", "control", "metric", "guardrails", "targeting", "exclusion_group")
    for name in (*names, "revision"):
        assert after[name] == before[name], name


def before_path() -> str:
    return "/console/experiments/made/edit"


def test_what_was_typed_stays_when_it_is_refused(small: Office) -> None:
    mark = small.mark
    form = {
        **form_at(mark, NEW, kind="options", about="staff_size"),
        **{"name": "sizes", "says_B": "One\nOne", "who-0-name": "device", "who-0-value": "watch"},
        **{"guardrails": ["completed"], "share_B": "many"},
    }

    refused = mark.post(NEW, form)
    assert refused.status_code == 422 and "a number of per cent" in plain(refused.text)
    again = form_in(refused.text)
    for name in ("says_B", "who-0-name", "who-0-value", "kind", "about", "guardrails", "share_B"):
        assert again[name] == form[name], name
    refused = mark.post(NEW, {**again, "share_B": ""})
    assert refused.status_code == 422
    assert "B would break the workflow" in plain(refused.text)


def test_json_stays_for_developers(small: Office) -> None:
    mark = small.mark
    form = {**form_at(mark, NEW), "name": "raw"}

    for field in ("raw_B", "targeting"):
        for strange in ("{", "[1]", '"x"'):
            refused = mark.post(NEW, {**form, "says_B": "Hello!", field: strange})
            assert refused.status_code == 422 and "JSON object" in plain(refused.text)
    config = {"greeting": "Hello from JSON!"}
    target = {"$nor": [{"utm_source": "x"}]}
    sent = {**form, "raw_B": json.dumps(config), "targeting": json.dumps(target)}
    assert mark.post(NEW, sent).status_code == 303
    one = stored(small, "raw")
    assert configs(one)[1] == config and one["targeting"] == target


_VALUES = some.text("abc.+*/?-() é", min_size=1, max_size=8).map(str.strip).filter(bool)
_ASKS = some.builds(
    Ask,
    some.sampled_from([one for one in KNOWN if one != "returning"]),
    some.sampled_from([one for one in OPERATORS if one not in ("known", "unknown")]),
    _VALUES,
)


@given(some.lists(_ASKS, max_size=4), some.sampled_from(("all", "any")))
def test_lines_come_back_as_they_were(rows: list[Ask], word: str) -> None:
    target = Target(word, tuple(rows))
    condition = targeting_of(target)

    found = target_of(condition)

    assert found is not None
    assert targeting_of(found) == condition
    assert sorted(found.rows, key=str) == sorted(target.rows, key=str)


@pytest.mark.parametrize(
    ("row", "met", "unmet"),
    [
        (Ask("utm_source", "in", "Google; bing"), "google", "yahoo"),
        (Ask("utm_source", "not_in", "google"), "bing", "Google"),
        (Ask("path", "begins", "/a.b"), "/a.b/c", "/axb"),
        (Ask("path", "contains", "sale"), "/SALE/now", "/"),
        (Ask("path", "not_contains", "sale"), "/", "/sale"),
        (Ask("utm_term", "known"), "x", None),
        (Ask("utm_term", "unknown"), None, "x"),
        (Ask("returning", "not_in", "yes"), False, True),
    ],
)
def test_a_line_means_what_it_says(row: Ask, met: Any, unmet: Any) -> None:
    condition = targeting_of(Target(rows=(row,)))

    assert not list(condition_problems(condition))
    assert is_met(condition, {row.name: met})
    assert not is_met(condition, {row.name: unmet})


@pytest.mark.parametrize(
    "condition",
    [
        {"$nor": [{"path": "/"}]},
        {"$or": [{"path": "/", "device": "mobile"}]},
        {"path": {"$regex": "a|b"}},
        {"device": {"$in": [1]}},
        {"path": {"$eq": "/", "$exists": True}},
    ],
)
def test_what_lines_cannot_say_stays_json(condition: Any) -> None:
    assert target_of(condition) is None
