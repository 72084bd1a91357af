"""Definitions of experiments, read and judged; what an arm changes."""

from __future__ import annotations

from typing import Any

import pytest

from engine.experiment_arms import changed, shown
from engine.experiment_edits import keep_moved
from engine.experiment_reader import ExperimentInvalid, read_definition
from engine.experiments import Bandit, Mode, stored_definition
from engine.goals import noun_of, stored_metric
from engine.visitors import device_of, names_of
from engine.workflow_reader import WorkflowInvalid, read_workflow
from workflow_config import WORKFLOW_CONFIG

GOOD: dict[str, Any] = {
    "name": "greeting",
    "kind": "greeting",
    "metric": "sql",
    "arms": [{"arm": "A", "config": {}}, {"arm": "B", "config": {"greeting": "Hello!"}}],
}
GOAL = {"metric": "custom:sign_up"}
SHIPPED = read_workflow(WORKFLOW_CONFIG, {})


def refused(**parts: Any) -> dict[str, list[str]]:
    with pytest.raises(ExperimentInvalid) as caught:
        read_definition({**GOOD, **parts})
    return caught.value.fields


def arms(*given: Any) -> list[Any]:
    return [GOOD["arms"][0], *given]


def test_a_good_definition_has_equal_shares() -> None:
    assert [arm.weight for arm in read_definition(GOOD).arms] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"arms": arms({"arm": "not a name"})}, "arms[1]"),
        ({"arms": arms("B")}, "arms[1]"),
        ({"arms": arms({"arm": "B", "config": {"order": ["location"]}})}, "arms[1]"),
        ({"arms": arms()}, "arms"),
        ({"arms": arms({"arm": "A"})}, "arms"),
        ({"name": "not a name"}, "name"),
        ({"name": "holdout"}, "name"),
        ({"kind": "weather"}, "kind"),
        ({"control": "C"}, "control"),
        ({"kind": "points", "arms": arms({"arm": "B"})}, "metric"),
        ({"arms": arms({"arm": "B", "config": ["x"]})}, "arms[1]"),
        ({"arms": arms({"arm": "B", "label": 7})}, "arms[1]"),
        ({"arms": arms({"arm": "B", "weight": "much"})}, "arms"),
        ({"arms": [{"arm": "A", "weight": 0.2}, {"arm": "B", "weight": 0.2}]}, "arms"),
        ({"metric": 7}, "metric"),
        ({"metric": "custom:"}, "metric"),
        ({"guardrails": "sql"}, "guardrails"),
        ({"guardrails": [7]}, "guardrails"),
        ({"exclusion_group": "shop"}, "exclusion_group"),
        ({"exclusion_group": {"name": "shop", "from": 0.9, "to": 0.1}}, "exclusion_group"),
        ({"coverage": 2}, "coverage"),
    ],
)
def test_what_cannot_be_is_named_by_its_place(parts: dict[str, Any], place: str) -> None:
    assert place in refused(**parts)


def test_an_exclusion_group_has_its_part() -> None:
    group = read_definition({**GOOD, "exclusion_group": {"name": "shop", "to": 0.5}})

    assert group.group is not None
    assert (group.group.start, group.group.end) == (0.0, 0.5)


def test_a_bandit_is_read_and_kept_with_how_it_moves() -> None:
    read = read_definition({**GOOD, "mode": "bandit", "bandit": {"floor": 0.1, "careful": True}})

    assert read.bandit == Bandit(0.1, careful=True) and read.mode is Mode.BANDIT
    assert stored_definition(read.to_plain()) == read
    assert read_definition(GOOD).to_plain()["mode"] == "test"
    older = {k: v for k, v in read_definition(GOOD).to_plain().items() if k != "bandit"}
    assert stored_definition(older).bandit is None


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"mode": "luck"}, "mode"),
        ({"mode": ["bandit"]}, "mode"),
        ({"mode": "bandit", "bandit": "much"}, "bandit"),
        ({"mode": "bandit", "bandit": {"floor": "low"}}, "bandit"),
        ({"mode": "bandit", "bandit": {"floor": 0.0001}}, "bandit"),
        ({"mode": "bandit", "bandit": {"careful": "yes"}}, "bandit"),
        ({"mode": "bandit", "metric": "deal_won"}, "metric"),
        ({"mode": "bandit", "metric": "custom_value:basket"}, "metric"),
        ({"mode": "bandit", "planned_visitors": 9000}, "planned_visitors"),
        ({"mode": "bandit", "kind": "points", "arms": arms({"arm": "B"}), **GOAL}, "mode"),
    ],
)
def test_what_cannot_earn_is_refused(parts: dict[str, Any], place: str) -> None:
    assert list(refused(**parts)) == [place]


def test_shares_stay_as_they_were_given() -> None:
    given = [0.0404, 0.3596, 0.6]
    three = [{**one, "weight": w} for one, w in zip(arms({"arm": "C"}, {"arm": "D"}), given)]

    assert [one.weight for one in read_definition({**GOOD, "arms": three}).arms] == given


def test_shares_in_per_cent_are_shares_too() -> None:
    given = [{"arm": "A", "weight": 30}, {"arm": "B", "weight": 70}]

    assert read_definition({**GOOD, "arms": given}).weights == {"A": 0.3, "B": 0.7}


def test_goals_beside_the_first_are_kept_once() -> None:
    read = read_definition({**GOOD, "metrics": ["mql", "sql", "mql", "custom:sign_up"]})

    assert read.metrics == ("mql", "custom:sign_up")


def test_an_edit_keeps_the_weights_that_a_bandit_came_to() -> None:
    moved = read_definition({**GOOD, "mode": "bandit"}).weighted({"A": 0.1, "B": 0.9})
    even, off = moved.weighted({"A": 0.5, "B": 0.5}), moved.weighted({"A": 1.0, "B": 0.0})

    assert keep_moved(moved, moved) is moved
    assert keep_moved(moved, even).weights == {"A": 0.1, "B": 0.9}
    assert keep_moved(moved, off).weights == {"A": 1.0, "B": 0.0}
    assert keep_moved(off, even).weights == {"A": 0.5, "B": 0.5}


def test_goals_are_kept_under_the_name_of_their_conversions() -> None:
    assert stored_metric("deal_value") == ("deal_won", True)
    assert stored_metric("custom_value:basket") == ("basket", True)
    assert stored_metric("custom:sign_up") == ("sign_up", False)
    assert noun_of("custom:sign_up") == "sign up conversions"


def test_a_condition_tells_what_it_asks_about() -> None:
    assert names_of({"$or": [{"locale": "hi"}, {"$not": {"device": "tablet"}}], "utm": "x"}) == {
        "locale",
        "device",
        "utm",
    }
    assert names_of("nothing") == set()


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("Mozilla/5.0 (iPad; CPU OS 17_0)", "tablet"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0)", "mobile"),
        (None, "desktop"),
    ],
)
def test_a_device_is_told_by_its_program(agent: str | None, device: str) -> None:
    assert device_of(agent) == device


# Arms


def test_a_question_is_put_first_once() -> None:
    with pytest.raises(WorkflowInvalid):
        changed(WORKFLOW_CONFIG, SHIPPED, {"order": ["location", "location"]})

    first = shown(WORKFLOW_CONFIG, {}, SHIPPED, {"order": ["location"]}).questions[0]
    assert first.slug == "location"


def test_a_text_of_a_question_that_is_not_there_is_refused() -> None:
    with pytest.raises(WorkflowInvalid):
        changed(WORKFLOW_CONFIG, SHIPPED, {"texts": {"questions.shoe_size": "Which size?"}})


def test_a_greeting_is_changed_in_every_language() -> None:
    config = {**WORKFLOW_CONFIG, "translations": {"fr": {"greeting": "Bonjour !"}}}
    workflow = read_workflow(config, {})
    translated = {"de": "Hallo!"}

    raw = changed(config, workflow, {"greeting": "Hello!", "greeting_translations": translated})

    assert raw["greeting"]["text"] == "Hello!" and "greeting_message" not in raw
    # An arm whose words are missing in French greets in its own, or arms would differ in English.
    said = {locale: texts["greeting"] for locale, texts in raw["translations"].items()}
    assert said == {"fr": "Hello!", "de": "Hallo!"}


def test_words_that_stay_keep_their_translations() -> None:
    config = {**WORKFLOW_CONFIG, "translations": {"fr": {"greeting": "Bonjour !"}}}
    workflow = read_workflow(config, {})

    raw = changed(config, workflow, {"greeting": workflow.greeting.text})

    assert raw["translations"]["fr"]["greeting"] == "Bonjour !"


@pytest.mark.parametrize(
    "change",
    [
        {"greeting": "  "},
        {"order": ["shoe_size"]},
        {"texts": {"closing": " "}},
        {"texts": {"consent": "Agree!"}},
        {"options": {"shoe_size": ["43"]}},
        {"calls_to_action": [{"id": ""}]},
    ],
)
def test_a_change_that_cannot_be_made_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(WorkflowInvalid):
        shown(WORKFLOW_CONFIG, {}, SHIPPED, change)


def test_texts_change_with_their_translations() -> None:
    change = {
        "texts": {"questions.location": "Where are you?", "closing": "Thank you!"},
        "translations": {"fr": {"questions.location": "Où ?"}},
    }

    raw = changed(WORKFLOW_CONFIG, SHIPPED, change)
    tried = read_workflow(raw, {})

    assert tried.find_question("location").text == "Where are you?"
    assert tried.text("closing", None) == "Thank you!"
    assert raw["translations"]["fr"]["questions"]["location"]["text"] == "Où ?"


def test_labels_of_what_is_gone_go_along() -> None:
    call = SHIPPED.calls_to_action[0].id
    labels = {
        "questions": {"staff_size": {"options": {"2–5": "2 à 5"}}},
        "call_labels": {call: "Un appel"},
    }
    config = {**WORKFLOW_CONFIG, "translations": {"fr": labels}}
    workflow = read_workflow(config, {})
    talk = {"id": "talk", "label": "Talk to us"}

    options = changed(config, workflow, {"options": {"staff_size": ["One", {"value": "Many"}]}})
    calls = changed(config, workflow, {"calls_to_action": [talk]})

    assert options["translations"]["fr"]["questions"]["staff_size"]["options"] == {}
    assert calls["translations"]["fr"]["call_labels"] == {}


def test_options_and_calls_leave_a_language_without_labels_alone() -> None:
    config = {**WORKFLOW_CONFIG, "translations": {"fr": {"greeting": "Bonjour !"}}}
    workflow = read_workflow(config, {})
    call = {"id": "talk", "label": "Talk to us"}

    options = shown(config, {}, workflow, {"options": {"staff_size": ["One", "Many"]}})
    calls = shown(config, {}, workflow, {"calls_to_action": [call]})

    assert [one.value for one in options.find_question("staff_size").options] == ["One", "Many"]
    assert [one.id for one in calls.calls_to_action] == ["talk"]


def test_points_and_thresholds_change_by_name_and_leave_the_others() -> None:
    change = {"scoring": {"clicked_demo": 40}, "classification_thresholds": {"sql": 70}}

    tried = shown(WORKFLOW_CONFIG, {}, SHIPPED, change)

    assert tried.points_for("demo_requested") == 40
    assert tried.points_for("cta_clicked") == SHIPPED.points_for("cta_clicked")
    assert (tried.sql_threshold, tried.mql_threshold) == (70, SHIPPED.mql_threshold)


def test_a_condition_that_is_none_is_refused() -> None:
    assert "targeting" in refused(targeting="everybody")
