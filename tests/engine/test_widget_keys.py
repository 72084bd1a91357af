"""The keys of a workflow that say how the widget looks and when it opens by itself."""

from __future__ import annotations

from typing import Any

import pytest

from engine.matching import calling_code
from engine.widget_words import WORDS, fill, page_words, widget_words
from engine.workflow import Proactive, WidgetLook, Workflow
from engine.workflow_reader import WorkflowInvalid, read_workflow


def read(**parts: Any) -> Workflow:
    return read_workflow({"questions": [{"id": 1, "text": "Where?"}], **parts})


def test_a_workflow_without_these_keys_leaves_the_widget_its_own_looks() -> None:
    workflow = read()

    assert workflow.widget == WidgetLook()
    assert workflow.proactive is None


def test_the_widget_keys_are_read() -> None:
    theme = {"accent": "#0B6b4f", "scheme": "dark"}

    workflow = read(
        widget={"title": "Shop", "launcher": "Ask us", "position": "start", "theme": theme}
    )

    assert workflow.widget == WidgetLook("Shop", "Ask us", "start", "#0B6b4f", "dark")


def test_the_widget_says_its_small_words_as_the_workflow_wants() -> None:
    workflow = read(
        widget={"words": {"send": "Off it goes"}}, translations={"de": {"widget": {"send": "Los"}}}
    )

    assert workflow.widget.words == {"send": "Off it goes"}
    assert workflow.label("widget", "send", "Send", "de-AT") == "Los"


def test_a_language_has_its_words_and_the_others_have_english() -> None:
    assert widget_words("hi-IN")["send"] == "भेजें"
    assert page_words("hi-IN")["back"] == "पीछे"
    assert page_words("pt_BR") == WORDS["en"]
    assert all(set(words) == set(WORDS["en"]) for words in WORDS.values())


def test_the_widget_is_told_no_word_that_only_pages_say() -> None:
    assert widget_words("en").items() < page_words("en").items()
    assert "skip_link" not in widget_words("en")


def test_a_word_with_strange_braces_is_shown_as_it_is() -> None:
    assert fill("{n} of {m}", n=1, m="{n}") == "1 of {n}"
    assert fill("{a {} {x}", n=1) == "{a {} {x}"


def test_the_proactive_keys_are_read() -> None:
    rules = {
        "after_seconds": 20,
        "scroll_percent": 50,
        "exit_intent": True,
        "url_pattern": "/pricing*",
        "cap_hours": 12,
    }

    assert read(proactive=rules).proactive == Proactive(20, 50, True, "/pricing*", 12)
    assert read(proactive={"exit_intent": True}).proactive == Proactive(None, None, True, "*", 24)


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"widget": {"colour": "red"}}, "widget.colour"),
        ({"widget": {"position": "left"}}, "widget.position"),
        ({"widget": {"title": 5}}, "widget.title"),
        ({"widget": {"theme": "dark"}}, "widget.theme"),
        ({"widget": {"words": {"sent": "x"}}}, "widget.words.sent"),
        ({"widget": {"words": {"send": 5}}}, "widget.words.send"),
        ({"translations": {"de": {"widget": {"sent": "x"}}}}, "translations.de.widget.sent"),
        ({"widget": {"theme": {"accent": "red;}"}}}, "widget.theme.accent"),
        ({"widget": {"theme": {"scheme": "night"}}}, "widget.theme.scheme"),
        ({"proactive": {"after": 3}}, "proactive.after"),
        ({"proactive": {"after_seconds": -1}}, "proactive.after_seconds"),
        ({"proactive": {"scroll_percent": 101}}, "proactive.scroll_percent"),
        ({"proactive": {"exit_intent": True, "cap_hours": -1}}, "proactive.cap_hours"),
        ({"proactive": {"url_pattern": "/pricing"}}, "proactive"),
        ({"proactive": {"exit_intent": "yes"}}, "proactive.exit_intent"),
    ],
)
def test_what_a_visitor_would_trip_over_is_refused(parts: dict[str, Any], place: str) -> None:
    with pytest.raises(WorkflowInvalid) as refused:
        read(**parts)

    assert f"{place} " in str(refused.value) or f"{place}:" in str(refused.value)


@pytest.mark.parametrize(("region", "code"), [("IN", "+91"), ("de", "+49"), ("ZZ", None)])
def test_a_region_has_its_calling_code(region: str, code: str | None) -> None:
    assert calling_code(region) == code


def test_a_word_that_no_page_shows_any_more_breaks_no_stored_workflow() -> None:
    workflow = read(widget={"words": {"typing": "…", "send": "Go"}})

    assert workflow.widget.words["send"] == "Go"
