"""What people hear of models, and what a probability does to the queue."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Caller, refused
from tests.api.test_predictions import adds_up, lead_of, plant_many, train, work

HOOK = {"channel": "webhook", "address": "https://hooks.example.com/in/SECRET"}


def place(api: Caller, *triggers: str) -> str:
    """The id of a destination that hears all, or only these alerts."""
    more = {"triggers": list(triggers)} if triggers else {}
    reply = api.staff("POST", "/api/destinations", {**HOOK, **more})
    assert reply.status_code == 201, reply.text
    return str(reply.json["id"])


def told(api: Caller) -> list[tuple[str, str]]:
    """The destination and trigger of every delivery, in order."""
    api.relay()
    rows = api.rows('SELECT destination_id, "trigger" FROM deliveries ORDER BY created_at, id')
    return [(one, trigger) for one, trigger in rows]


def words(api: Caller) -> list[dict[str, Any]]:
    """What the deliveries that are due say: the title, and the details by label."""
    api.relay()
    with api.unit() as services:
        prepared = services.notifications.prepare(20)
    return [{"title": one.alert.title, **dict(one.alert.details)} for one in prepared]


# Who hears of it


def test_a_promotion_is_told_to_who_hears_all_or_names_it(lite: Caller) -> None:
    all_of_it, named = place(lite), place(lite, "model_promoted")
    place(lite, "deal_won")
    plant_many(lite)

    model = train(lite)["model_id"]

    assert sorted(told(lite)) == sorted([(all_of_it, "model_promoted"), (named, "model_promoted")])
    (said,) = [words(lite)[0]]
    assert said["title"] == "A new prediction model answers"
    assert said["Model"] == f"{model} (normal)"
    assert said["Learned from"].startswith("160 outcomes, ") and "nats" in said["Why"]
    assert said["By"] == "key tests"


def test_points_that_are_calibrated_anew_are_no_news(lite: Caller) -> None:
    place(lite)
    plant_many(lite, 20)
    first = train(lite)
    assert first["label"] == "rules" and len(told(lite)) == 1
    plant_many(lite, 20, seed=8)

    second = train(lite)

    assert second["promoted"] is True and second["model_id"] != first["model_id"]
    assert len(told(lite)) == 1
    facts = lite.rows("SELECT kind FROM events WHERE kind = 'model.promoted'")
    assert len(facts) == 2


def test_a_promotion_that_is_switched_off_is_told_to_nobody(lite: Caller) -> None:
    place(lite)
    lite.staff("POST", "/api/alerts/config", {"triggers": {"model_promoted": False}})
    plant_many(lite, 30)

    train(lite)

    assert told(lite) == []


def test_a_version_that_comes_back_is_told_as_such(api: Caller) -> None:
    plant_many(api, 30)
    first = train(api)["model_id"]
    plant_many(api, 160, seed=8)
    second = train(api)["model_id"]
    api.relay()
    hears = place(api, "model_returned")

    api.staff("POST", f"/api/models/{first}/promote")

    assert told(api) == [(hears, "model_returned")]
    (said,) = words(api)
    assert said["title"] == "An earlier prediction model is back"
    assert said["Model"].startswith(first) and said["In place of"].startswith(second)
    facts = api.rows("SELECT kind FROM events WHERE kind LIKE 'model.%' ORDER BY id")
    assert [kind for (kind,) in facts][-1] == "model.returned"


# The version before


def test_the_version_before_comes_back_by_itself_where_it_is_surely_better(lite: Caller) -> None:
    plant_many(lite)
    good = train(lite)["model_id"]
    later(lite)
    # Somebody brings in a file in which won and lost are confused.
    plant_many(lite, 700, signal=-2.0, seed=3)
    bad = train(lite)["model_id"]
    assert status(lite) == {good: "retired", bad: "promoted"}
    lite.relay()
    hears = place(lite)
    later(lite)
    plant_many(lite, 60, seed=4)

    result = train(lite)

    assert result["model_id"] == good and result["returned"] is True
    assert "it is back" in result["reasons"][0]
    assert status(lite)[good] == "promoted" and status(lite)[bad] == "retired"
    assert told(lite) == [(hears, "model_returned")]
    seen = lite.staff("GET", f"/api/models/{bad}").json["drift"]["previous"]
    assert seen["model"] == good and seen["leads"] == 60 and seen["gain"] > 2 * seen["error"]
    models = {model for (model,) in lite.rows("SELECT DISTINCT model_id FROM lead_predictions")}
    assert models == {good}


def later(api: Caller) -> None:
    """A hundred days pass."""
    api.clock.advance(86400 * 100)  # type: ignore[attr-defined]


def status(api: Caller) -> dict[str, str]:
    """The status of every version that was ever let through."""
    models = api.staff("GET", "/api/models").json["models"]
    return {one["id"]: one["status"] for one in models if one["status"] != "refused"}


# The queue


def in_queue(api: Caller) -> None:
    """The queue is sorted by the probability from now on."""
    reply = api.staff("POST", "/api/alerts/config", {"queue_profile": "ml_probability"})
    assert reply.status_code == 200, reply.text


def kept(api: Caller, lead: int) -> tuple[float, str, bool, int]:
    """The score, tier, watch and crossings of a lead in the profile of the models."""
    ((score, tier, armed, crossings),) = api.rows(
        "SELECT score, tier, armed, crossings FROM lead_scores"
        " WHERE lead_id = :lead AND profile = 'ml_probability'",
        lead=lead,
    )
    return score, tier, bool(armed), crossings


def test_a_probability_that_crosses_the_hot_threshold_is_told_once(api: Caller) -> None:
    place(api, "became_hot")
    plant_many(api)
    train(api)
    in_queue(api)
    session = api.start()
    lead = lead_of(api, session)
    api.relay()

    def say(size: float) -> float:
        api.profile(session, trade="restaurant", company_size_index=size)
        api.relay()
        score = kept(api, lead)[0]
        shown = api.staff("GET", f"/api/leads/{lead}").json
        assert score == 100 * shown["probability"] and shown["score"] == round(score, 1)
        return score

    assert say(-2) < 70 and told(api) == []
    assert say(2) > 80
    assert [trigger for _, trigger in told(api)] == ["became_hot"]
    assert kept(api, lead)[1:] == ("hot", False, 1)
    assert say(2.2) > 80 and len(told(api)) == 1
    assert say(-2) < 70 and kept(api, lead)[2] is True
    say(2)
    assert len(told(api)) == 2 and kept(api, lead)[3] == 2


def test_a_new_model_makes_nobody_hot_that_has_not_changed(lite: Caller) -> None:
    plant_many(lite, 30)
    train(lite)
    in_queue(lite)
    place(lite, "became_hot")
    leads = plant_many(lite, 160, seed=8)

    assert train(lite)["promoted"] is True

    hot = [lead for lead in leads if kept(lite, lead)[1] == "hot"]
    assert hot and all(kept(lite, lead)[2:] == (False, 0) for lead in hot)
    assert told(lite) == []


# Which estimator


def test_a_workspace_may_choose_the_estimator(lite: Caller) -> None:
    plant_many(lite)
    lite.staff("POST", "/api/models/config", {"model_kind": "boosting"})

    result = train(lite)

    assert result["promoted"] is True, result["reasons"]
    card = lite.staff("GET", f"/api/models/{result['model_id']}").json
    assert card["kind"] == "boosting" and card["overview"]["features"]
    session = lite.start()
    lead = lead_of(lite, session)
    lite.profile(session, trade="restaurant", company_size_index=2)
    lite.relay()
    said = lite.staff("GET", f"/api/leads/{lead}/prediction").json
    assert said["model"] == result["model_id"] and said["probability"] > 0.7 and adds_up(said)


def test_estimators_are_compared_and_nothing_is_kept(lite: Caller) -> None:
    plant_many(lite)
    assert lite.staff("GET", "/api/models/comparison").json == {"comparison": None}

    asked = lite.staff("POST", "/api/models/train", {"kind": "boosting", "compare": True})
    assert asked.status_code == 202, asked.text
    work(lite)

    found = lite.staff("GET", asked.headers["Location"]).json["result"]
    assert [one["kind"] for one in found["kinds"]][:2] == ["blend", "boosting"]
    assert all(len(one["figures"]["auc"]) == 3 for one in found["kinds"])
    kept = lite.staff("GET", "/api/models/comparison").json["comparison"]
    assert kept["rows"] == 160 and kept["compared_at"] and kept["kinds"] == found["kinds"]
    assert lite.staff("GET", "/api/models").json["models"] == []


def test_an_estimator_that_cannot_be_is_named(
    lite: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.prediction_settings.find_spec", lambda name: None)

    for body, word in (
        ({"kind": "oracle"}, "known are blend"),
        ({"kind": "random_forest_smote"}, "only be compared"),
        ({"kind": "random_forest_smote", "compare": True}, "pip install imbalanced-learn"),
        ({"kind": "lightgbm"}, "pip install lightgbm"),
    ):
        fields = refused(lite.staff("POST", "/api/models/train", body), 422)["fields"]
        assert word in fields["kind"][0]
    wanted = {"model_kind": "lightgbm"}
    fields = refused(lite.staff("POST", "/api/models/config", wanted), 422)["fields"]
    assert "pip install lightgbm" in fields["model_kind"][0]
