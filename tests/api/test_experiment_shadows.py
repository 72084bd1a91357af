"""Points tried in shadow: nobody's score changes, and what came later says which ranks better."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models import Conversion
from tests.api.conftest import Caller, refused
from tests.api.laboratory import GREETING, create, do, results, run, start

DEMO_FIRST = {"scoring": {"demo_requested": 60}, "classification_thresholds": {"sql": 50}}
POINTS: dict[str, Any] = {
    "kind": "points",
    "metric": "deal_won",
    "window_days": 10,
    "arms": [{"arm": "A", "config": {}}, {"arm": "B", "config": DEMO_FIRST}],
}


def visit(api: Caller, count: int) -> dict[str, bool]:
    """Every other visitor asks for a demo and buys later; the rest only answer questions."""
    keen = {}
    for number in range(count):
        begun = start(api, visitor_id=f"v{number}")
        session = begun["session_id"]
        keen[session] = number % 2 == 0
        if keen[session]:
            api.behave(session, "clicked_demo")
        else:
            for question, text in ((1, "Retail Store"), (2, "Pune"), (3, "2–5")):
                api.answer(session, question, text, time_taken=10)
    return keen


def buys(number: int) -> bool:
    return number % 15 == 5 or (number % 2 == 0 and number % 10 > 0)


def buy(api: Caller, *, days: float) -> None:
    """Most of the keen ones buy so many days after they came, and a few of the others."""
    rows = api.rows("SELECT unit, session_id, arm FROM exposures")
    at = api.clock.now()
    with api.unit() as services:
        services.session.execute(
            Conversion.__table__.insert(),
            [
                {
                    **{"experiment": "hello", "unit": unit, "session_id": session, "arm": arm},
                    **{"metric": "deal_won", "value": 10.0, "epoch": 1, "exposed_at": at},
                    "converted_at": at + timedelta(days=days),
                }
                for unit, session, arm in rows
                if buys(int(unit[1:]))
            ],
        )


def test_each_arm_scores_everybody_and_the_later_deals_judge(plain: Caller) -> None:
    run(plain, **POINTS)
    keen = visit(plain, 60)
    scores = {session: plain.score(session) for session in keen}
    buy(plain, days=3)
    assert results(plain)["verdict"]["decision"] == "waiting"
    plain.clock.advance(11 * 86_400)
    # What is done after the day of the score is not counted in it.
    plain.behave(next(session for session, is_keen in keen.items() if not is_keen), "clicked_demo")

    said = results(plain)
    shadow = said["shadow"]
    assert (said["rule"], shadow["scored"], shadow["came"]) == ("ranking", 60, 28)
    a, b = shadow["arms"]
    assert a["area"] < 0.2 and b["area"] == pytest.approx(1 - a["area"])
    assert (a["sql"], b["sql"]) == (0, 30) and sum(b[one] for one in ("sql", "mql")) >= 30
    assert a["mean_score"] == pytest.approx(sum(scores.values()) / 60)
    (difference,) = shadow["differences"]
    assert difference["decided"] and difference["difference"] == b["area"] - a["area"]
    assert said["verdict"]["decision"] == "winner" and said["verdict"]["arm"] == "B"
    assert {session: plain.score(session) for session in list(scores)[::2]} == {
        session: score for session, score in list(scores.items())[::2]
    }, "a visitor's score stays the control's"
    assert plain.differences() == []


def test_who_bought_before_the_score_was_taken_is_left_out(lite: Caller) -> None:
    run(lite, **POINTS)
    visit(lite, 10)
    buy(lite, days=0.5)
    lite.clock.advance(11 * 86_400)

    shadow = results(lite)["shadow"]
    assert (shadow["scored"], shadow["came"]) == (5, 0)
    assert results(lite)["verdict"]["sentence"].startswith("Too early: 0 won deals of 5 visitors")


def test_the_winning_points_are_published(lite: Caller) -> None:
    run(lite, **POINTS)
    before = start(lite)["session_id"]
    lite.behave(before, "clicked_demo")
    do(lite, "stop")
    do(lite, "decide", arm="B")
    lite.relay()

    after = start(lite)["session_id"]
    lite.behave(after, "clicked_demo")
    assert lite.score(after) == 60 + lite.score(start(lite)["session_id"])
    assert lite.score(before) < 60


@pytest.mark.parametrize("metric", ["sql", "demo_request", "deal_value", "completed"])
def test_points_are_not_judged_by_what_earns_points(lite: Caller, metric: str) -> None:
    body = {**GREETING, **POINTS, "metric": metric}
    error = refused(lite.staff("POST", "/api/experiments", body), 422)

    assert list(error["fields"]) == ["metric"]


def test_a_table_of_points_that_is_none_is_refused_and_a_bandit_too(lite: Caller) -> None:
    arms = [POINTS["arms"][0], {"arm": "B", "config": {"scoring": {"demo_requested": "many"}}}]
    odd = {**GREETING, **POINTS, "arms": arms}
    assert "arms[1]" in refused(lite.staff("POST", "/api/experiments", odd), 422)["fields"]
    bandit = {**GREETING, **POINTS, "mode": "bandit", "window_days": 3}
    assert "mode" in refused(lite.staff("POST", "/api/experiments", bandit), 422)["fields"]
    assert create(lite, **{**POINTS, "metric": "custom:renewed"})["kind"] == "points"
