"""Before the start: how many visitors, how many days, and which goal would do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Caller, refused
from tests.api.laboratory import create, start


def power(api: Caller, **query: Any) -> dict[str, Any]:
    """What the experiment would take."""
    reply = api.staff("GET", "/api/experiments/hello/power", **query)
    assert reply.status_code == 200, reply.text
    said: dict[str, Any] = reply.json
    return said


def goals(said: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The goals by name."""
    return {one["metric"]: one for one in said["goals"]}


def visit(api: Caller, count: int, demos: int, **how: Any) -> None:
    """So many visitors, the first of whom ask for a demo, and a day later nobody more."""
    for number in range(count):
        begun = start(api, visitor_id=f"{how}{number}", **how)["session_id"]
        if number < demos:
            api.behave(begun, "clicked_demo")
    api.clock.advance(86_400 + 1)


def test_it_says_how_many_visitors_and_days_each_goal_takes(plain: Caller) -> None:
    create(plain, metric="sql", hoped_lift=1.0)
    visit(plain, 40, 10)
    plain.reference(visitor_id="best")
    plain.clock.advance(9 * 86_400)

    said = power(plain)
    assert said["visitors_per_day"] == pytest.approx(41 / 10, rel=0.01)
    demos, leads = goals(said)["demo_request"], goals(said)["sql"]
    assert (demos["reached"], demos["of"], leads["reached"]) == (11, 41, 1)
    assert demos["visitors"] == 2 * demos["per_arm"] < leads["visitors"]
    assert demos["days"] == pytest.approx(demos["visitors"] / 4.1 + 1, rel=0.01)
    assert demos["fits"] and not leads["fits"]
    assert demos["typical_stop"] > demos["visitors"] / 2
    assert goals(said)["deal_won"]["of"] == 0, "a deal takes thirty days, and none have gone by"
    assert said["earlier"] == "demo_request" or goals(said)[said["earlier"]]["fits"]
    assert said["sentence"].startswith("To find +100% qualified leads takes about ")
    assert "would do in about" in said["sentence"]


def test_only_those_it_is_meant_for_are_counted(lite: Caller) -> None:
    create(
        lite,
        targeting={"utm_source": "google", "device": "mobile"},
        coverage=0.5,
        exclusion_group={"name": "top", "from": 0, "to": 0.5},
    )
    visit(lite, 10, 5, utm_source="google")
    visit(lite, 30, 0, utm_source="bing")
    assert lite.staff("POST", "/api/experiments/holdout", {"share": 0.2}).status_code == 200

    said = power(lite)
    assert said["taking_part"] == pytest.approx(0.25 * 0.5 * 0.5 * 0.8)
    demos = goals(said)["demo_request"]
    assert (demos["reached"], demos["of"]) == (5, 10)
    assert said["assumed"] and "device" in said["assumed"][0]


def test_returning_visitors_are_known_by_what_they_did_before(lite: Caller) -> None:
    create(lite, targeting={"returning": True})
    for visitor in ("a", "b", "a"):
        start(lite, visitor_id=visitor)
    lite.clock.advance(86_401)

    assert goals(power(lite))["sql"]["of"] == 1


def test_an_effect_of_ones_own_is_reckoned(lite: Caller) -> None:
    create(lite)
    visit(lite, 20, 5)

    small, large = (goals(power(lite, lift=lift))["demo_request"] for lift in (0.1, 0.5))
    assert small["visitors"] > 10 * large["visitors"]
    refused(lite.staff("GET", "/api/experiments/hello/power", lift=0), 422)
    refused(lite.staff("GET", "/api/experiments/nothing/power"), 404)


def test_without_visitors_nobody_knows(lite: Caller) -> None:
    create(lite, metric="deal_value")

    said = power(lite)
    assert said["visitors_per_day"] == 0 and said["earlier"] is None
    assert said["sentence"].startswith("Nobody knows how long this takes")
    assert {one["visitors"] for one in said["goals"]} == {None}


def test_a_test_of_the_workflow_has_its_reckoning_too(api: Caller) -> None:
    visit(api, 10, 5)

    said = api.staff("GET", "/api/experiments/greeting_message/power").json
    assert goals(said)["demo_request"]["reached"] == 5


def test_programs_and_previews_are_no_visitors(lite: Caller) -> None:
    create(lite)
    start(lite, leadline_force="hello:B")
    lite.clock.advance(86_401)

    assert power(lite)["visitors_per_day"] == 0
