"""Experiments that earn while they test: their weights follow what has matured."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.tasks import Worker
from services.experiment_bandits import MOVED, ExperimentBandits, Move
from tests.api.conftest import Caller, refused
from tests.api.laboratory import GREETING, create, do, fill, patch, results, run, start

C: dict[str, Any] = {"arm": "C", "weight": 0, "config": {"greeting": "Grow with us!"}}


MOST_TO_B = {"A": 0.04, "B": 0.96}


def earn(api: Caller, **changes: Any) -> dict[str, Any]:
    """A new bandit that runs."""
    return run(api, **{"mode": "bandit", **changes})


def move(api: Caller) -> Move | None:
    """What the job does about it now."""
    with api.unit() as services:
        return services.make(ExperimentBandits).move("hello")


def weights(api: Caller) -> dict[str, float]:
    """The shares in force."""
    said = api.staff("GET", "/api/experiments/hello").json
    return {arm["arm"]: arm["weight"] for arm in said["arms"]}


def test_the_traffic_follows_what_has_matured_and_every_row_has_its_propensity(
    plain: Caller,
) -> None:
    made = earn(plain)
    assert (made["mode"], made["bandit"]) == ("bandit", {"floor": None, "careful": False})
    fill(plain, {"A": 0.05, "B": 0.15}, 200)

    moved = move(plain)
    assert moved and moved.rewards == {"A": (200, 10), "B": (200, 30)}
    shares = weights(plain)
    assert shares == pytest.approx(MOST_TO_B, abs=0.002) and sum(shares.values()) == 1

    for number in range(30):
        start(plain, visitor_id=f"later{number}")
    rows = plain.rows(
        "SELECT arm, epoch, revision, propensity FROM assignments WHERE unit LIKE 'later%'"
    )
    assert {(epoch, revision) for _, epoch, revision, _ in rows} == {(2, 2)}
    assert {(arm, share) for arm, _, _, share in rows} <= set(shares.items())
    one = plain.staff("GET", "/api/experiments/hello").json
    assert [epoch["reason"] for epoch in one["epochs"]] == ["It began.", MOVED]
    facts = plain.rows("SELECT measured FROM events WHERE kind = 'experiment.reweighted'")
    assert len(facts) == 1, "a move is a fact, with what it was computed from"


def test_it_says_what_it_earns_and_what_it_cannot_prove(plain: Caller) -> None:
    earn(plain, metrics=["deal_value"], guardrails=["completed"])
    fill(plain, {"A": 0.05, "B": 0.15}, 400)
    move(plain)
    plain.clock.advance(3600)
    fill(plain, {"A": 0.05}, 20, epoch=2)
    fill(plain, {"B": 0.15}, 480, epoch=2)

    said = results(plain)
    assert said["mode"] == "bandit" and said["rule"] == "logged_propensities"
    (effect,) = said["effects"]
    assert effect["decided"] and said["verdict"]["decision"] == "winner"
    rates = {one["arm"]: one["rate"] for one in said["bandit"]["estimates"]}
    assert rates == pytest.approx({"A": 0.05, "B": 0.15}, abs=0.03)
    assert said["bandit"]["earned"] == pytest.approx(230 * 0.1, rel=0.2)
    assert "demo requests more than an even split" in said["bandit"]["sentence"]
    assert "It proves less" in said["bandit"]["sentence"]
    assert results(plain, metric="deal_value")["bandit"] is None


def test_a_base_that_moves_with_the_weights_is_no_effect(lite: Caller) -> None:
    """Pooled, B has 27 % and A 12 %; within each epoch they are alike."""
    earn(lite)
    fill(lite, {"A": 0.10, "B": 0.10}, 500)
    with lite.unit() as services:
        row = services.make(ExperimentBandits).rows.find_locked("hello")
        row.epoch = 2
        now = lite.clock.now()
        services.make(ExperimentBandits).rows.open_epoch(row, {"A": 0.04, "B": 0.96}, MOVED, now)
    fill(lite, {"A": 0.30}, 40, epoch=2)
    fill(lite, {"B": 0.30}, 960, epoch=2)

    said = results(lite)
    rates = {one["arm"]: one["rate"] for one in said["arms"]}
    assert rates["B"] > 2 * rates["A"] * 0.9
    assert not said["effects"][0]["decided"]
    assert said["verdict"]["decision"] == "too_early"
    assert said["verdict"]["sentence"].startswith("No difference is certain yet")


def test_it_waits_for_visitors_for_an_hour_and_for_something_to_tell(plain: Caller) -> None:
    earn(plain)
    fill(plain, {"A": 0.0, "B": 0.2}, 49)
    assert move(plain) is None, "fifty visitors of each arm come first"
    fill(plain, {"A": 0.0, "B": 0.2}, 60, epoch=1, days=3.5)
    assert move(plain)
    fill(plain, {"A": 0.9}, 60, epoch=2)
    plain.clock.advance(59 * 60)
    assert move(plain) is None, "an hour lies between two moves"
    plain.clock.advance(60)
    assert move(plain)
    plain.clock.advance(3600)
    assert move(plain) is None, "nothing new has matured"


def test_what_is_not_old_enough_moves_nothing(lite: Caller) -> None:
    earn(lite)
    fill(lite, {"A": 0.0, "B": 0.9}, 200, days=0.9)

    assert move(lite) is None
    assert weights(lite) == {"A": 0.5, "B": 0.5}


def test_a_careful_one_waits_for_forty_conversions_and_keeps_its_floor(lite: Caller) -> None:
    earn(lite, bandit={"careful": True, "floor": 0.1})
    fill(lite, {"A": 0.1, "B": 0.5}, 390)
    assert move(lite) is None
    fill(lite, {"A": 0.5}, 10, days=3.5)

    assert move(lite) and weights(lite) == pytest.approx({"A": 0.1, "B": 0.9}, abs=0.002)


def test_an_arm_that_harms_gets_nobody_any_more(plain: Caller) -> None:
    earn(plain, guardrails=["completed"])
    fill(plain, {"A": 0.5, "B": 0.05}, 200, metric="completed")

    moved = move(plain)
    assert moved and moved.stopped == ("B",) and weights(plain) == {"A": 1.0, "B": 0.0}
    one = plain.staff("GET", "/api/experiments/hello").json
    assert one["epochs"][1]["reason"].startswith("B gets nobody any more: it is worse on completed")
    assert one["history"][-1]["action"] == "experiment.arm_stopped"
    assert one["history"][-1]["by"] == "the program"
    assert move(plain) is None


def test_the_job_goes_through_every_bandit_that_runs(lite: Caller) -> None:
    earn(lite)
    create(lite, name="draft", mode="bandit")
    run(lite, name="plain")
    fill(lite, {"A": 0.05, "B": 0.2}, 200)
    with lite.unit() as services:
        services.jobs.request("experiments.move", requested_by="schedule")
    worker = Worker(lite.resources)
    while worker.work():
        pass

    assert weights(lite) == pytest.approx(MOST_TO_B, abs=0.002)
    (state,) = lite.rows("SELECT status, result FROM jobs WHERE kind = 'experiments.move'")
    assert state[0] == "done" and "1" in str(state[1])
    do(lite, "pause")
    fill(lite, {"A": 0.9}, 200, epoch=2)
    lite.clock.advance(7200)
    assert move(lite) is None, "who is paused is not moved"
    with lite.unit() as services:
        assert services.make(ExperimentBandits).move("plain") is None
        assert services.make(ExperimentBandits).move("nothing") is None


def test_an_edit_keeps_what_the_bandit_came_to(lite: Caller) -> None:
    earn(lite)
    fill(lite, {"A": 0.05, "B": 0.15}, 200)
    move(lite)
    shares = weights(lite)

    assert patch(lite, description="Nothing else.").json["epoch"] == 2
    named = [{**arm, "label": "x"} for arm in GREETING["arms"]]
    assert patch(lite, arms=named).json["epoch"] == 2
    assert weights(lite) == shares
    more = patch(lite, arms=[*GREETING["arms"][:2], {**C, "weight": 0.0}])
    assert more.json["epoch"] == 3 and weights(lite)["C"] == 0
    back = patch(lite, arms=[{**one, "weight": 1 / 3} for one in (*GREETING["arms"], C)])
    assert back.json["epoch"] == 4
    assert weights(lite) == pytest.approx(
        {**{arm: share * 2 / 3 for arm, share in shares.items()}, "C": 1 / 3}
    )
    refused(patch(lite, mode="test"), 409, "edit_refused")


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"mode": "luck"}, "mode"),
        ({"mode": "bandit", "metric": "deal_won"}, "metric"),
        ({"mode": "bandit", "metric": "deal_value", "window_days": 1}, "metric"),
        ({"mode": "bandit", "planned_visitors": 1000}, "planned_visitors"),
        ({"mode": "bandit", "bandit": {"floor": 0.6}}, "bandit"),
        ({"mode": "bandit", "bandit": {"careful": 1}}, "bandit"),
    ],
)
def test_what_cannot_earn_is_refused_before_the_start(
    lite: Caller, parts: dict[str, Any], place: str
) -> None:
    error = refused(lite.staff("POST", "/api/experiments", {**GREETING, **parts}), 422)

    assert list(error["fields"]) == [place] and len(error["fields"][place]) == 1


def test_a_bandit_of_deals_may_have_a_shorter_window(lite: Caller) -> None:
    assert create(lite, mode="bandit", metric="deal_won", window_days=3)["window_days"] == 3
