"""Experiments over the API: written down, run, judged, decided."""

from __future__ import annotations

import csv
import io
import random
from typing import Any

import pytest
from sqlalchemy import delete, event, insert, select

from models import Event, Exposure
from tests.api.conftest import Caller, at_once, refused
from tests.api.laboratory import GREETING, create, do, fill, patch, results, run, start

# Its life


def test_an_experiment_goes_from_draft_to_decided_and_every_step_is_kept(plain: Caller) -> None:
    made = create(plain)
    assert (made["status"], made["source"], made["control"]) == ("draft", "api", "A")
    statuses = [do(plain, step)["status"] for step in ("start", "pause", "start", "stop")]
    decided = do(plain, "decide", arm="B", reason="More demos.")

    assert statuses == ["running", "paused", "running", "stopped"]
    assert (decided["status"], decided["winner"]) == ("decided", "B")
    steps = [one["action"] for one in decided["history"]]
    assert steps == [
        *("experiment.created", "experiment.started", "experiment.paused"),
        *("experiment.started", "experiment.stopped", "experiment.decided"),
    ]
    assert {one["by"] for one in decided["history"]} == {"key tests"}
    kinds = plain.rows("SELECT kind FROM events WHERE kind LIKE 'experiment.%' ORDER BY id")
    assert [kind for kind, in kinds] == steps


@pytest.mark.parametrize(
    ("before", "step"),
    [
        ((), "pause"),
        ((), "stop"),
        ((), "decide"),
        (("start",), "start"),
        (("start",), "decide"),
        (("start", "stop"), "start"),
        (("start", "stop"), "pause"),
    ],
)
def test_a_step_out_of_turn_is_refused_with_the_reason(
    lite: Caller, before: tuple[str, ...], step: str
) -> None:
    create(lite)
    for one in before:
        do(lite, one)

    error = refused(
        lite.staff("POST", f"/api/experiments/hello/{step}", {"arm": "B"}), 409, "wrong_state"
    )
    assert "This experiment is" in error["message"]


def test_the_tests_of_the_workflow_are_experiments_that_run(api: Caller) -> None:
    listed = api.staff("GET", "/api/experiments").json["experiments"]
    assert {one["name"]: (one["source"], one["status"]) for one in listed} == {
        "greeting_message": ("workflow", "running"),
        "question_flow": ("workflow", "running"),
    }
    api.start()
    one = api.staff("GET", "/api/experiments/greeting_message").json
    assert one["epochs"][0]["weights"] == {"A": 0.5, "B": 0.5}
    refused(patch(api, "greeting_message", coverage=0.5), 409)
    do(api, "stop", "greeting_message")
    assert "B" not in {
        start(api)["variants"]["greeting_message"] for _ in range(12)
    }, "after its end everybody gets the control"


def test_two_experiments_do_not_share_a_name(api: Caller) -> None:
    create(api)
    refused(api.staff("POST", "/api/experiments", GREETING), 409, "name_taken")
    taken = {**GREETING, "name": "question_flow"}
    refused(api.staff("POST", "/api/experiments", taken), 409, "name_taken")
    refused(api.staff("GET", "/api/experiments/nothing"), 404, "unknown_experiment")


# What cannot be run is refused before the start

BROKEN: list[tuple[dict[str, Any], str, str]] = [
    ({"control": "C"}, "control", "none of the arms"),
    ({"arms": GREETING["arms"][:1]}, "arms", "2 to 26 arms"),
    (
        {"arms": [{"arm": "A", "weight": 0.5}, {"arm": "B", "weight": 0.6}]},
        "arms",
        "add up to 1.1; they must add up to 1",
    ),
    ({"arms": [{"arm": "A", "weight": 0}, {"arm": "B", "weight": 1}]}, "control", "needs a weight"),
    ({"arms": [{"arm": "A"}, {"arm": "A"}]}, "arms", "same name"),
    ({"metric": "clicks"}, "metric", "'clicks' is no goal; known are demo_request"),
    ({"guardrails": ["happiness"]}, "guardrails", "is no goal"),
    ({"targeting": {"shoe_size": 43}}, "targeting", "not known of a visitor"),
    ({"targeting": {"url": {"$like": "x"}}}, "targeting", "no comparison"),
    ({"targeting": {"url": {"$regex": "("}}}, "targeting", "no pattern"),
    ({"targeting": {"url": {"$regex": "(a+)+$"}}}, "targeting", "no pattern"),
    ({"targeting": {"url": {"$not": {"$regex": "(a+)+$"}}}}, "targeting", "no pattern"),
    ({"targeting": {"$or": [{"language": "en"}, {"mood": "good"}]}}, "targeting", "not known"),
    ({"coverage": 0}, "coverage", "above 0"),
    ({"exclusion_group": {"name": "top", "from": 0.6, "to": 0.4}}, "exclusion_group", "a part"),
    ({"kind": "colour"}, "kind", "one of greeting"),
    ({"name": "holdout"}, "name", "letters"),
]
TRIPPED: list[tuple[str, dict[str, Any], str]] = [
    ("question_order", {"order": ["shoe_size"]}, "'shoe_size' is no question of this workflow"),
    (
        "options",
        {"options": {"staff_size": []}},
        "B would break the workflow: questions[2].options",
    ),
    ("options", {"options": {"nobody": ["a", "b"]}}, "is no question"),
    ("calls_to_action", {"calls_to_action": [{"label": ""}]}, "needs a name"),
    ("text", {"texts": {"consent": "Agree!"}}, "no text to try"),
    ("text", {"texts": {"questions.location": ""}}, "must not be empty"),
    ("greeting", {"greeting": ""}, "must not be empty"),
    ("greeting", {"colour": "red"}, "says 'colour'"),
    ("workflow", {"workflow_version": 77}, "no workflow version 77"),
]


@pytest.mark.parametrize(("change", "field", "sentence"), BROKEN)
def test_a_bad_definition_is_refused_with_one_sentence(
    lite: Caller, change: dict[str, Any], field: str, sentence: str
) -> None:
    error = refused(lite.staff("POST", "/api/experiments", {**GREETING, **change}), 422)

    assert list(error["fields"]) == [field]
    (said,) = error["fields"][field]
    assert sentence in said and said.endswith(".")
    assert lite.rows("SELECT count(*) FROM experiments") == [(0,)]


@pytest.mark.parametrize(("kind", "config", "sentence"), TRIPPED)
def test_a_variant_that_visitors_would_trip_over_is_refused(
    lite: Caller, kind: str, config: dict[str, Any], sentence: str
) -> None:
    arms = [{"arm": "A", "weight": 50}, {"arm": "B", "weight": 50, "config": config}]
    reply = lite.staff("POST", "/api/experiments", {**GREETING, "kind": kind, "arms": arms})

    (texts,) = refused(reply, 422)["fields"].values()
    assert sentence in " ".join(texts)


ODD: list[tuple[str, Any]] = [
    ("greeting", {"greeting": 5}),
    ("greeting", {"greeting": "x", "greeting_translations": [1]}),
    ("question_order", {"order": 3}),
    ("question_order", {"order": [{}, None, ["a"]]}),
    ("options", {"options": []}),
    ("options", {"options": {"staff_size": "x"}}),
    ("options", {"options": {"staff_size": [{"value": ["a"]}, 5]}}),
    ("calls_to_action", {"calls_to_action": 3}),
    ("calls_to_action", {"calls_to_action": [None]}),
    ("text", {"texts": [1]}),
    ("text", {"texts": {"closing": {}}}),
    ("text", {"texts": {"closing": "x"}, "translations": {"hi": 5, "!": {}}}),
    ("workflow", {"workflow_version": "x"}),
    ("workflow", {"workflow_version": 10**18}),
    ("workflow", {"workflow_version": True}),
]


@pytest.mark.parametrize(("kind", "config"), ODD)
def test_whatever_an_arm_says_it_is_read_or_refused(lite: Caller, kind: str, config: Any) -> None:
    arms = [{"arm": "A"}, {"arm": "B", "config": config}]
    reply = lite.staff("POST", "/api/experiments", {**GREETING, "kind": kind, "arms": arms})

    assert reply.status_code in (201, 422), reply.text


# What visitors see


@pytest.mark.parametrize(
    ("kind", "config", "seen"),
    [
        ("greeting", {"greeting": "Grow!"}, lambda api, s: s["greeting"] == "Grow!"),
        (
            "question_order",
            {"order": ["staff_size"]},
            lambda api, s: s["first_question"]["slug"] == "staff_size",
        ),
        (
            "text",
            {"texts": {"questions.business_type": "Your trade?"}},
            lambda api, s: s["first_question"]["text"] == "Your trade?",
        ),
        (
            "options",
            {"options": {"business_type": ["Restaurant", "Something else"]}},
            lambda api, s: len(s["first_question"]["options"]) == 2,
        ),
        (
            "calls_to_action",
            {"calls_to_action": ["Call me"]},
            lambda api, s: [
                one["label"]
                for one in api.get("/api/cta-options", {"session_id": s["session_id"]}).json[
                    "options"
                ]
            ]
            == ["Call me"],
        ),
    ],
)
def test_each_kind_changes_what_its_visitors_see_and_nobody_elses(
    lite: Caller, kind: str, config: dict[str, Any], seen: Any
) -> None:
    arms = [{"arm": "A"}, {"arm": "B", "config": config}]
    run(lite, kind=kind, arms=arms)
    found: dict[str, list[bool]] = {"A": [], "B": []}
    for number in range(16):
        session = start(lite, visitor_id=f"v{number}")
        arm = session["variants"]["hello"]
        found[arm].append(seen(lite, session))

    assert found["A"] and not any(found["A"])
    assert found["B"] and all(found["B"])
    assert lite.differences() == []


def test_a_whole_workflow_version_can_be_tried(lite: Caller) -> None:
    with lite.unit() as services:
        shipped = services.workflows.config(1)
        replies = shipped["workflow"]["greeting"]["replies"]
        own = {"text": "A flow of its own.", "replies": replies}
        other = {**shipped["workflow"], "greeting": own}
        version = services.workflows.publish(other, {})
        services.workflows.publish(shipped["workflow"], {})
    arms = [{"arm": "A"}, {"arm": "B", "config": {"workflow_version": version}}]
    run(lite, kind="workflow", arms=arms)

    greetings = {}
    for number in range(16):
        session = start(lite, visitor_id=f"v{number}")
        greetings[session["variants"]["hello"]] = session["greeting"]
    assert greetings["B"] == "A flow of its own." != greetings["A"]


def test_a_stored_arm_survives_edits_a_pause_and_another_process(
    plain: Caller, make_caller: Any
) -> None:
    run(plain)
    first = {n: start(plain, visitor_id=f"v{n}")["variants"]["hello"] for n in range(24)}
    arms = [{**GREETING["arms"][0], "weight": 0.9}, {**GREETING["arms"][1], "weight": 0.1}]
    edited = patch(plain, arms=arms)
    assert edited.status_code == 200 and edited.json["epoch"] == 2
    patch(plain, arms=list(reversed(arms)), control="A")
    do(plain, "pause")
    again = make_caller(plain.resources.engine.url.render_as_string(hide_password=False), tests={})

    after = {n: start(again, visitor_id=f"v{n}")["variants"]["hello"] for n in range(24)}
    assert after == first
    new = start(again, visitor_id="somebody else")
    assert "hello" not in new["variants"], "nobody new gets into a paused one"
    rows = plain.rows("SELECT DISTINCT propensity, epoch, revision FROM assignments")
    assert rows == [(0.5, 1, 1)]
    assert plain.rows("SELECT count(*) FROM exposures") == [(24,)]


@pytest.mark.parametrize(
    ("targeting", "visit", "takes_part"),
    [
        ({"utm_source": "google"}, {"utm_source": "google"}, True),
        ({"utm_source": "google"}, {"utm_source": "bing"}, False),
        ({"path": "/pricing"}, {"landing_page": "https://a.example/pricing?x=1"}, True),
        ({"language": "hi"}, {"locale": "hi-IN"}, True),
        ({"language": "hi"}, {"locale": "en"}, False),
        ({"returning": False}, {}, True),
        ({"returning": True}, {}, False),
        ({"device": "mobile"}, {}, False),
    ],
)
def test_an_experiment_is_only_for_those_it_is_meant_for(
    lite: Caller, targeting: dict[str, Any], visit: dict[str, Any], takes_part: bool
) -> None:
    run(lite, targeting=targeting)

    started = start(lite, visitor_id="v", **visit)
    assert ("hello" in started["variants"]) is takes_part
    assert lite.rows("SELECT count(*) FROM assignments") == [(int(takes_part),)]


def test_a_visitor_who_comes_back_is_a_returning_one(lite: Caller) -> None:
    start(lite, visitor_id="v")
    run(lite, targeting={"returning": True})

    assert "hello" in start(lite, visitor_id="v")["variants"]
    assert "hello" not in start(lite, visitor_id="w")["variants"]


def test_experiments_of_one_group_never_share_a_visitor(lite: Caller) -> None:
    run(lite, exclusion_group={"name": "top", "from": 0, "to": 0.5})
    run(lite, name="other", exclusion_group={"name": "top", "from": 0.5, "to": 1})

    taken = [set(start(lite, visitor_id=f"v{n}")["variants"]) for n in range(40)]
    assert all(len(names) == 1 for names in taken)
    assert {name for names in taken for name in names} == {"hello", "other"}


def test_who_is_held_out_gets_no_experiment_at_all(api: Caller) -> None:
    api.start()
    assert api.staff("POST", "/api/experiments/holdout", {"share": 0.5}).json == {"share": 0.5}
    run(api)

    started = [start(api, visitor_id=f"v{n}") for n in range(40)]
    out = {one for one, in api.rows("SELECT unit FROM assignments WHERE experiment = 'hello'")}
    inside = {n for n, one in enumerate(started) if "hello" in one["variants"]}
    assert out == {f"v{n}" for n in inside} and 5 < len(inside) < 35
    both = api.rows("SELECT count(*) FROM assignments WHERE experiment = 'question_flow'")
    assert both == [(len(inside) + 1,)], "the workflow's own tests hold out the same visitors"
    assert api.staff("GET", "/api/experiments/holdout").json == {"share": 0.5}


def test_a_preview_shows_an_arm_and_counts_nothing(lite: Caller) -> None:
    create(lite)
    shown = [start(lite, leadline_force=f"hello:{arm}", visitor_id="v") for arm in "AB"]

    assert shown[1]["greeting"] == "Grow your shop with us!" != shown[0]["greeting"]
    session = shown[1]["session_id"]
    lite.behave(session, "clicked_demo")
    told = lite.post("/api/ab-test/variant/hello", {"session_id": session}).json
    assert told["variant"] == "B"
    body = {"session_id": session, "test_name": "hello", "conversion_type": "clicked"}
    assert lite.post("/api/ab-test/conversion", body).json["logged"] is False
    lite.relay()
    for table in ("assignments", "exposures", "conversions"):
        assert lite.rows(f"SELECT count(*) FROM {table}") == [(0,)], table
    assert lite.differences() == []


def test_a_draft_that_was_previewed_can_still_be_changed(lite: Caller) -> None:
    create(lite)
    start(lite, leadline_force="hello:B")
    arms = [GREETING["arms"][0], {"arm": "B", "weight": 0.5, "config": {"greeting": "Later."}}]
    assert patch(lite, arms=arms).status_code == 200
    do(lite, "start")

    started = [start(lite, visitor_id=f"v{n}") for n in range(12)]
    greetings = {one["greeting"] for one in started if one["variants"]["hello"] == "B"}
    assert greetings == {"Later."}


def test_programs_get_the_control_and_no_row(lite: Caller) -> None:
    run(lite)
    for _ in range(8):
        reply = lite.post("/api/session/start", {}, User_Agent="Googlebot/2.1")
        assert "hello" not in reply.json["variants"]
        path = "/api/ab-test/variant/hello"
        told = lite.post(path, {"session_id": reply.json["session_id"]})
        assert told.json["variant"] == "A"
    assert lite.rows("SELECT count(*) FROM assignments") == [(0,)]


# Edits while it runs


@pytest.mark.parametrize(
    ("change", "status", "epoch"),
    [
        ({"coverage": 1.0}, 200, 1),
        ({"targeting": {}}, 200, 1),
        ({"description": "A greeting."}, 200, 1),
        ({"targeting": {"language": "en", "utm_source": "x"}}, 200, 2),
        ({"rerandomise": True}, 200, 2),
        ({"arms": [*GREETING["arms"][:1], {**GREETING["arms"][1], "label": "Bold"}]}, 200, 1),
        ({"coverage": 0.2}, 409, 1),
        ({"metric": "sql"}, 409, 1),
        ({"window_days": 3}, 409, 1),
        ({"name": "bye"}, 409, 1),
        ({"arms": [GREETING["arms"][0], {**GREETING["arms"][1], "config": {}}]}, 409, 1),
        ({"arms": [GREETING["arms"][0], {**GREETING["arms"][1], "arm": "C"}]}, 409, 1),
    ],
)
def test_an_edit_while_it_runs_is_safe_or_opens_an_epoch_or_is_refused(
    lite: Caller, change: dict[str, Any], status: int, epoch: int
) -> None:
    run(lite, coverage=0.5, targeting={"language": "en"})

    reply = patch(lite, **change)
    assert reply.status_code == status, reply.text
    if status == 409:
        assert refused(reply, 409, "edit_refused")["message"]
    one = lite.staff("GET", "/api/experiments/hello").json
    assert one["epoch"] == epoch == len(one["epochs"])


def test_new_weights_of_a_workflow_test_open_an_epoch(make_caller: Any, sqlite_url: str) -> None:
    tests = {"greet": {"variants": {"A": {"greeting": "Hi!"}, "B": {"greeting": "Yo!"}}}}
    first = make_caller(sqlite_url, tests=tests)
    start(first, visitor_id="v")
    second = make_caller(
        sqlite_url, tests={"greet": {**tests["greet"], "weights": {"A": 9, "B": 1}}}
    )
    second.clock.advance(1)
    start(second, visitor_id="w")
    start(second, visitor_id="v")

    rows = first.rows("SELECT unit, epoch FROM assignments ORDER BY unit")
    assert rows == [("v", 1), ("w", 2)]
    assert first.rows("SELECT unit, epoch FROM exposures ORDER BY unit") == rows


# What came of it


def test_a_clear_winner_is_named_in_the_shape_that_clients_rely_on(plain: Caller) -> None:
    run(plain)
    fill(plain, {"A": 0.10, "B": 0.25}, 400)

    said = results(plain)
    assert [
        {key: arm[key] for key in ("arm", "exposed", "waiting", "converted", "rate")}
        for arm in said["arms"]
    ] == [
        {"arm": "A", "exposed": 400, "waiting": 0, "converted": 40, "rate": 0.1},
        {"arm": "B", "exposed": 400, "waiting": 0, "converted": 100, "rate": 0.25},
    ]
    (effect,) = said["effects"]
    assert effect["arm"] == "B" and effect["lift"] == pytest.approx(1.5)
    low, high = effect["interval"]
    assert 0 < low < 1.5 < high and effect["p_always_valid"] < 0.01
    assert said["srm"]["p"] == pytest.approx(1.0)
    assert said["verdict"]["decision"] == "winner"
    assert said["verdict"]["sentence"].endswith("per 1,000 visitors; you may stop now.")
    assert said["window"]["days"] == 1.0


def test_no_effect_is_too_early_and_says_how_many_visitors_are_missing(lite: Caller) -> None:
    run(lite)
    fill(lite, {"A": 0.10, "B": 0.10}, 300)

    said = results(lite)
    assert said["verdict"]["decision"] == "too_early"
    assert said["verdict"]["sentence"].startswith("Too early: about ")
    assert said["plan"]["more_visitors"] > 1000 and said["plan"]["days"] > 1


def test_a_broken_split_locks_the_verdict(lite: Caller) -> None:
    run(lite)
    fill(lite, {"A": 0.10}, 900)
    fill(lite, {"B": 0.20}, 600)

    said = results(lite)
    assert said["srm"]["flagged"] and said["srm"]["p"] < 0.001
    assert said["verdict"]["decision"] == "locked"
    assert [one["expected"] for one in said["srm"]["arms"]] == [750, 750]


def test_a_planned_test_is_read_on_whole_days_only(lite: Caller) -> None:
    run(lite, planned_visitors=1000)
    fill(lite, {"A": 0.10, "B": 0.30}, 400, days=4)

    said = results(lite)
    assert said["rule"] == "group_sequential"
    assert said["verdict"]["decision"] == "winner" and said["effects"][0]["decided"]
    lite.clock.advance(3600)
    assert results(lite)["effects"] == said["effects"], "looking once more changes nothing"


def test_a_guardrail_that_gets_worse_stops_the_arm(lite: Caller) -> None:
    run(lite, guardrails=["completed"])
    fill(lite, {"A": 0.40, "B": 0.10}, 300, metric="completed")

    said = results(lite)
    assert said["verdict"]["decision"] == "harm" and said["verdict"]["arm"] == "B"
    assert said["verdict"]["sentence"].endswith("; stop this arm.")
    assert [one["metric"] for one in said["guardrails"]] == ["completed"]


def test_the_page_names_where_the_split_bends(lite: Caller) -> None:
    run(lite)
    for number in range(24):
        start(lite, visitor_id=f"v{number}", utm_source="google")
    with lite.unit() as services:
        lost = delete(Exposure).where(Exposure.arm == "B")
        services.session.execute(lost)
        more = [
            {
                **{"experiment": "hello", "unit": f"w{n}", "arm": "A", "epoch": 1},
                **{"session_id": "none", "exposed_at": lite.clock.now()},
            }
            for n in range(30)
        ]
        services.session.execute(insert(Exposure), more)

    said = results(lite)
    assert said["verdict"]["decision"] == "locked"
    assert "utm_source (none)" in {one["segment"] for one in said["srm"]["bends"]}


def test_exposures_that_are_not_old_enough_wait(plain: Caller) -> None:
    run(plain, metric="deal_won")
    fill(plain, {"A": 0.10, "B": 0.20}, 100, metric="deal_won")

    said = results(plain)
    assert [(one["exposed"], one["waiting"]) for one in said["arms"]] == [(0, 100), (0, 100)]
    assert [one["converted"] for one in said["arms"]] == [0, 0]
    assert said["verdict"]["decision"] == "waiting"
    plain.clock.advance(30 * 86_400)
    later = results(plain)
    assert [(one["exposed"], one["converted"]) for one in later["arms"]] == [(100, 10), (100, 20)]
    value = results(plain, metric="deal_value")
    assert value["exploratory"] and [one["value"] for one in value["arms"]] == [1000.0, 2000.0]


def test_a_conversion_after_its_window_does_not_count(plain: Caller) -> None:
    run(plain)
    started = start(plain, visitor_id="v")
    plain.clock.advance(86_400 * 1.5)
    plain.behave(started["session_id"], "clicked_demo")
    plain.relay()

    assert plain.rows("SELECT metric FROM conversions") == [("demo_request",)]
    assert sum(one["converted"] for one in results(plain)["arms"]) == 0
    assert sum(one["exposed"] for one in results(plain)["arms"]) == 1


def test_results_name_bad_questions(lite: Caller) -> None:
    create(lite)
    path = "/api/experiments/hello/results"
    assert "metric" in refused(lite.staff("GET", path, metric="luck"), 422)["fields"]
    assert "segment" in refused(lite.staff("GET", path, segment="shoes"), 422)["fields"]
    refused(lite.staff("GET", "/api/experiments/nothing/results"), 404)


def test_segments_are_shown_with_a_warning(plain: Caller) -> None:
    run(plain)
    for number in range(12):
        start(plain, visitor_id=f"v{number}", utm_source=("google", "bing")[number % 2])
    plain.clock.advance(2 * 86_400)

    said = results(plain, segment="utm_source")["segments"]
    assert {one["segment"] for one in said["effects"]} == {"google", "bing"}
    assert "2 segments" in said["warning"]


def test_a_whole_journey_reaches_the_results(lite: Caller) -> None:
    run(lite, metric="sql", metrics=["deal_won"])
    session = lite.reference(visitor_id="v")
    lite.relay()
    lite.clock.advance(2 * 86_400)

    arm = lite.rows("SELECT arm FROM assignments")[0][0]
    said = {one["arm"]: one["converted"] for one in results(lite)["arms"]}
    assert said == {"A": int(arm == "A"), "B": int(arm == "B")}
    assert lite.score(session) == 80


def test_the_raw_rows_come_as_csv_a_page_at_a_time(plain: Caller) -> None:
    run(plain)
    for number in range(5):
        session = start(plain, visitor_id=f"v{number}")["session_id"]
        plain.behave(session, "clicked_demo")
    plain.relay()
    path = "/api/experiments/hello/rows"
    first = plain.staff("GET", path, limit=3)
    rest = plain.staff("GET", path, cursor=first.headers["X-Next-Cursor"])

    rows = [row for page in (first, rest) for row in csv.DictReader(io.StringIO(page.text))]
    assert [row["unit"] for row in rows] == [f"v{number}" for number in range(5)]
    assert {row["propensity"] for row in rows} == {"0.5"}
    assert "X-Next-Cursor" not in rest.headers
    conversions = list(
        csv.DictReader(io.StringIO(plain.staff("GET", path, what="conversions").text))
    )
    assert {row["metric"] for row in conversions} == {"demo_request"} and len(conversions) == 5


# The winner


def test_the_winner_is_published_once_as_a_workflow_version(plain: Caller) -> None:
    run(plain)
    before = start(plain, visitor_id="early")
    do(plain, "stop")
    do(plain, "decide", arm="B")
    plain.relay()
    with plain.unit() as services:
        # A relay that was killed before it could say that it had heard tells it once more.
        decided = select(Event).where(Event.kind == "experiment.decided")
        services.experiment_book.publish_winner(services.session.scalars(decided).one())

    assert plain.staff("GET", "/api/experiments/hello").json["published_version"] == 2
    assert plain.rows("SELECT count(*) FROM workflow_versions") == [(2,)]
    started = start(plain, visitor_id="late")
    assert started["greeting"] == "Grow your shop with us!"
    assert "hello" not in started["variants"]
    path = "/api/ab-test/variant/hello"
    told = plain.post(path, {"session_id": before["session_id"]}).json
    assert told["variant"] == before["variants"]["hello"], "who began with an arm keeps it"
    assert plain.differences() == []


def test_a_decided_test_of_the_workflow_leaves_it(api: Caller) -> None:
    do(api, "stop", "greeting_message")
    do(api, "decide", "greeting_message", arm="B")
    api.relay()

    started = start(api)
    assert started["greeting"].startswith("🔥")
    assert set(started["variants"]) == {"question_flow"}


def test_a_control_that_wins_publishes_nothing(lite: Caller) -> None:
    run(lite)
    do(lite, "stop")
    refused(lite.staff("POST", "/api/experiments/hello/decide", {"arm": "Z"}), 422)
    do(lite, "decide", arm="A")
    lite.relay()

    assert lite.rows("SELECT count(*) FROM workflow_versions") == [(1,)]


def test_a_new_test_of_the_workflow_leaves_a_name_to_the_experiment_that_has_it(
    make_caller: Any, database_url: str
) -> None:
    arms = [{**GREETING["arms"][0], "weight": 0.2}, {**GREETING["arms"][1], "weight": 0.8}]
    run(make_caller(database_url, tests={}), name="greeting_message", arms=arms)
    api = make_caller(database_url)
    start(api)
    do(api, "stop", "greeting_message")
    start(api)

    rows = api.rows("SELECT experiment, count(*) FROM assignments GROUP BY 1 ORDER BY 1")
    assert rows == [("greeting_message", 1), ("question_flow", 2)]
    epochs = api.rows("SELECT experiment, count(*) FROM experiment_epochs GROUP BY 1 ORDER BY 1")
    assert epochs == [("greeting_message", 1), ("question_flow", 1)]


def _statements(caller: Caller, **body: Any) -> list[str]:
    """What a start asks of the database."""
    said: list[str] = []
    engine = caller.resources.engine

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    start(caller, **body)
    event.remove(engine, "before_cursor_execute", note)
    return said


def test_a_stored_arm_costs_a_start_no_statement_of_its_own(
    make_caller: Any, database_url: str
) -> None:
    """The whole cost is a wider question: the version in force is asked for in any case."""
    with_tests = make_caller(database_url)
    without = make_caller(database_url, AB_TESTING_ENABLED=False)
    for caller in (with_tests, with_tests, without):
        start(caller, visitor_id="v")

    taken = [len(_statements(caller, visitor_id="v")) for caller in (with_tests, without)]
    assert taken[0] == taken[1]


# Nobody flips


def _arm_of(caller: Caller, unit: str) -> str:
    """A visitor's arm; where all connections are taken, the visitor comes again."""
    while True:
        reply = caller.post("/api/session/start", {"visitor_id": unit})
        if reply.status_code == 201:
            return str(reply.json["variants"]["hello"])
        assert reply.status_code == 503, reply.text


def _flips(caller: Caller, visitors: int, threads: int, edits: int) -> tuple[int, int]:
    """How many visitors were shown two arms, and how many assignments there are at the end."""
    run(caller)
    rng, seen = random.Random(7), {}

    def come(place: int) -> list[tuple[str, str]]:
        units = [f"v{n}" for n in range(place, visitors, threads)] * 2
        return [(unit, _arm_of(caller, unit)) for unit in units]

    def edit() -> None:
        for number in range(edits):
            share = rng.choice((0.1, 0.3, 0.5, 0.8))
            arms = [
                {**GREETING["arms"][0], "weight": 1 - share, "label": f"a{number}"},
                {**GREETING["arms"][1], "weight": share, "label": f"b{number}"},
            ]
            rng.shuffle(arms)
            assert patch(caller, arms=arms, control="A").status_code == 200

    came = at_once(edit, *(lambda place=place: come(place) for place in range(threads)))
    flips = 0
    for part in came[1:]:
        assert not isinstance(part, Exception), part
        for unit, arm in part:
            flips += seen.setdefault(unit, arm) != arm
    wrong = caller.rows(
        "SELECT count(*) FROM assignments a JOIN exposures e"
        " ON e.unit = a.unit AND e.experiment = a.experiment"
        " WHERE a.arm <> e.arm OR a.epoch <> e.epoch"
    )
    assert wrong == [(0,)]
    return flips, caller.rows("SELECT count(*) FROM assignments")[0][0]


@pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
def test_visitors_do_not_wait_while_somebody_edits(plain: Caller) -> None:
    run(plain)
    with plain.unit() as services:
        services.experiment_book.change("hello", {"coverage": 1, "description": "x"}, who="me")

        assert "hello" in start(plain)["variants"]


def test_nobody_flips_while_weights_are_edited(plain: Caller) -> None:
    assert _flips(plain, visitors=60, threads=4, edits=5) == (0, 60)


@pytest.mark.nightly
def test_nobody_of_ten_thousand_flips(plain: Caller) -> None:
    assert _flips(plain, visitors=10_000, threads=16, edits=10) == (0, 10_000)
