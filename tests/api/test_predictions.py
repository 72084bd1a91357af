"""Probabilities with their reasons: what is learned, who answers, and where it is shown."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

import outbox
from engine.vocabulary import FactKind
from errors import Invalid
from jobs.tasks import Worker
from jobs.training import train_now
from ml.features import Stage, known
from models import Lead
from outbox import NewFact
from services import Services
from services.model_store import load
from services.model_training import ordered_rows
from services.training_rows import Example
from tests.api.conftest import START, Caller, refused
from tests.api.test_imports import bring_in
from tests.servers.watch import ROOT


def plant(
    services: Services, attributes: Sequence[Mapping[str, Any]], outcomes: Sequence[bool | None]
) -> list[int]:
    """Leads as an import writes them, an hour apart, and how their sales ended; their ids."""
    now = services.now()
    leads = [
        {
            "name": f"Lead {number}",
            "features_interested": [],
            "attributes": dict(one),
            "source": "import",
            "outcome": None if won is None else ("won" if won else "lost"),
            "created_at": now,
            "updated_at": now,
            "last_activity_at": now,
        }
        for number, (one, won) in enumerate(zip(attributes, outcomes, strict=True))
    ]
    statement = insert(Lead).returning(Lead.id, sort_by_parameter_order=True)
    ids = list(services.session.scalars(statement, leads))
    facts = []
    for number, (lead_id, one, won) in enumerate(zip(ids, attributes, outcomes, strict=True)):
        at = now - timedelta(days=90) + timedelta(hours=number)
        said = {"profile": {"attributes": dict(one)}}
        created = {"source_kind": "import"}
        facts.append(NewFact(FactKind.LEAD_CREATED, at, created, said, lead_id=lead_id))
        if won is not None:
            ended = {"outcome": "won" if won else "lost"}
            facts.append(NewFact(FactKind.OUTCOME_RECORDED, at, ended, lead_id=lead_id))
    outbox.record(services.session, *facts)
    services.session.execute(text("DELETE FROM pending_facts"))
    return ids


def plant_many(api: Caller, leads: int = 160, *, signal: float = 2.0, seed: int = 7) -> list[int]:
    """Leads of which the larger and the restaurants are won more often, as far as `signal` goes."""
    rng = random.Random(seed)
    rows, outcomes = [], []
    for _ in range(leads):
        size, trade = rng.gauss(0, 1), rng.choice(["restaurant", "shop"])
        logit = signal * (size + (0.8 if trade == "restaurant" else -0.8)) - 0.4
        rows.append({"company_size_index": round(size, 3), "trade": trade})
        outcomes.append(rng.random() < 1 / (1 + math.exp(-logit)))
    with api.unit() as services:
        return plant(services, rows, outcomes)


def train(api: Caller) -> dict[str, Any]:
    """The result of a training that was asked for by the API."""
    asked = api.staff("POST", "/api/models/train")
    assert asked.status_code == 202, asked.text
    work(api)
    job = api.staff("GET", asked.headers["Location"]).json
    assert job["status"] == "done", job
    result: dict[str, Any] = job["result"]
    return result


def work(api: Caller) -> None:
    """Every job that is due is done."""
    worker = Worker(api.resources)
    while worker.work():
        pass


def adds_up(said: Mapping[str, Any]) -> bool:
    """Whether base and contributions are the evidence, and the evidence the probability."""
    parts = math.fsum(one["evidence"] for one in said["contributions"])
    odds = said["probability"] / (1 - said["probability"])
    return (
        abs(said["base"]["evidence"] + parts - said["evidence"]) < 1e-9
        and abs(20 * math.log2(odds) - said["evidence"]) < 1e-9
    )


def examples(api: Caller, *lead_ids: int) -> list[Example]:
    """What can be learned from leads."""
    with api.unit() as services:
        return services.predictions.rows.examples(lead_ids, lambda name: known(name) is not None)


def lead_of(api: Caller, session: str) -> int:
    """The lead of a session."""
    return int(api.rows("SELECT lead_id FROM sessions WHERE id = :id", id=session)[0][0])


# Rows as of a moment


def test_a_row_holds_what_was_said_and_done_before_the_outcome(plain: Caller) -> None:
    session = plain.reference(utm_source="google", landing_page="https://shop.example/p?x=1")
    lead_id = lead_of(plain, session)
    plain.clock.advance(3600)  # type: ignore[attr-defined]
    plain.staff("POST", f"/api/leads/{lead_id}/activities", {"kind": "call", "duration": 60})
    plain.clock.advance(86400 * 3)  # type: ignore[attr-defined]
    plain.staff("POST", f"/api/leads/{lead_id}/outcome", {"outcome": "won"})

    (one,) = examples(plain, lead_id)

    assert one.won is True
    row = one.before_contact
    assert row["business_type"] == "Retail Store" and row["staff_size"] == "2–5"
    assert row["features_interested"] == ["Billing", "QR Payments"]
    assert row["source"] == "google" and row["landing_page"] == "/p" and row["answers"] == 5
    assert row["has_email"] == "yes" and row["behavior.demo_requested.count"] == 1
    assert sum(value for name, value in row.items() if name.startswith("points.")) == 80
    assert not {"calls", "name", "email", "phone"} & set(row)
    assert one.after_contact is not None
    assert one.after_contact["calls"] == 1 and one.after_contact["last_call_seconds"] == 60


def test_the_call_that_decided_is_no_feature(plain: Caller) -> None:
    lead_id = lead_of(plain, plain.reference())
    plain.staff("POST", f"/api/leads/{lead_id}/activities", {"kind": "call", "duration": 900})
    plain.staff("POST", f"/api/leads/{lead_id}/outcome", {"outcome": "won"})

    (one,) = examples(plain, lead_id)

    assert one.after_contact is None


def test_what_is_learned_after_the_outcome_changes_no_row(plain: Caller) -> None:
    lead_id = lead_of(plain, plain.reference())
    plain.clock.advance(86400 * 2)  # type: ignore[attr-defined]
    plain.staff("POST", f"/api/leads/{lead_id}/outcome", {"outcome": "lost"})
    before = examples(plain, lead_id)
    plain.clock.advance(60)  # type: ignore[attr-defined]

    # Some of it is said to have happened long before.
    past = (plain.clock.now() - timedelta(days=1)).isoformat()
    for kind in ("call", "website_visit", "email_open"):
        body = {"kind": kind, "occurred_at": past}
        assert plain.staff("POST", f"/api/leads/{lead_id}/activities", body).status_code == 201
    edit = {"company": "Later & Co", "attributes": {"budget": 5_000_000}}
    assert plain.staff("PATCH", f"/api/leads/{lead_id}", edit).status_code == 200

    assert examples(plain, lead_id) == before


def test_points_that_were_earned_later_are_not_known_before(lite: Caller) -> None:
    session = lite.start()
    lead_id = lead_of(lite, session)
    lite.staff("POST", f"/api/leads/{lead_id}/outcome", {"outcome": "lost"})
    before = examples(lite, lead_id)

    lite.staff("PATCH", f"/api/leads/{lead_id}", {"email": "ann@example.com"})

    assert lite.score(session) == 15
    assert examples(lite, lead_id) == before
    assert sum(v for k, v in before[0].before_contact.items() if k.startswith("points.")) == 5


def test_a_fact_that_lies_after_the_moment_of_the_outcome_is_not_known_before_it(
    api: Caller,
) -> None:
    lead = int(api.staff("POST", "/api/leads", {"name": "Ann"}).json["id"])
    told = (api.clock.now() - timedelta(minutes=0)).isoformat()
    api.clock.advance(3600)  # type: ignore[attr-defined]
    api.staff("PATCH", f"/api/leads/{lead}", {"attributes": {"budget": 9}})
    body = {"outcome": "won", "occurred_at": told}
    assert api.staff("POST", f"/api/leads/{lead}/outcome", body).status_code == 201

    (one,) = examples(api, lead)

    assert "budget" not in one.before_contact


def rows_now(api: Caller, lead_id: int) -> Any:
    """How a lead is put before a model at this moment."""
    with api.unit() as services:
        return services.predictions.rows.known([lead_id], lambda name: known(name) is not None)[0]


def test_who_only_moves_gives_or_snoozes_a_lead_says_nothing_of_it(plain: Caller) -> None:
    lead_id = lead_of(plain, plain.reference())
    before = rows_now(plain, lead_id)
    plain.clock.advance(86400 * 20)  # type: ignore[attr-defined]
    wakes = (plain.clock.now() + timedelta(days=1)).isoformat()

    for done in (
        {"stage": "Contacted"},
        {"assigned_to": "sam@example.com"},
        {"campaign": "Festive"},
        {"snoozed_until": wakes},
    ):
        assert plain.staff("PATCH", f"/api/leads/{lead_id}", done).status_code == 200

    assert rows_now(plain, lead_id) == before
    assert not before.contacted
    plain.staff("PATCH", f"/api/leads/{lead_id}", {"company": "Ann & Co"})
    assert rows_now(plain, lead_id).row["days_since_created"] > 19


def test_a_lead_is_learned_from_at_any_moment_of_its_life(plain: Caller) -> None:
    """Else how long a lead lasted would say how it ended: the won ones last longer."""
    leads = [lead_of(plain, plain.reference()) for _ in range(24)]
    for _ in range(4):
        plain.clock.advance(86400 * 5)  # type: ignore[attr-defined]
        for lead_id in leads:
            plain.staff("POST", f"/api/leads/{lead_id}/activities", {"kind": "call"})
    plain.clock.advance(86400 * 5)  # type: ignore[attr-defined]
    for lead_id in leads:
        plain.staff("POST", f"/api/leads/{lead_id}/outcome", {"outcome": "won"})

    found = examples(plain, *leads)

    seen = [one.after_contact for one in found if one.after_contact is not None]
    assert len(seen) == 24 and {one["calls"] for one in seen} == {1, 2, 3, 4}
    assert all(one["days_since_created"] == pytest.approx(5 * one["calls"], 0.01) for one in seen)
    assert examples(plain, *leads) == found


def test_a_reopened_lead_is_undecided_and_a_young_one_teaches_nothing(lite: Caller) -> None:
    lead = int(lite.staff("POST", "/api/leads", {"name": "Ann"}).json["id"])
    lite.staff("POST", f"/api/leads/{lead}/outcome", {"outcome": "lost"})
    lite.staff("PATCH", f"/api/leads/{lead}", {"stage": "Contacted"})

    assert examples(lite, lead) == []
    lite.clock.advance(86400 * 40)  # type: ignore[attr-defined]
    (silent,) = examples(lite, lead)
    assert silent.won is None


def test_an_attribute_never_takes_the_place_of_a_column_of_ours(lite: Caller) -> None:
    with lite.unit() as services:
        (lead,) = plant(services, [{"calls": 7, "budget": 3, "campaign": 2}], [True])

    (one,) = examples(lite, lead)

    assert one.before_contact["attribute.calls"] == 7 and "calls" not in one.before_contact
    assert one.before_contact["budget"] == 3 and one.before_contact["campaign"] == 2


# Training and promotion


def test_a_file_without_dates_has_no_newest_part() -> None:
    # Many files are sorted by something; here the last third of it was won.
    facts = [
        Example(
            number, number >= 600, START + timedelta(seconds=number), START + timedelta(days=1), {}
        )
        for number in range(900)
    ]

    rows = ordered_rows(facts, START + timedelta(days=2), Stage.BEFORE_CONTACT)

    assert 0.2 < rows.won[-180:].mean() < 0.46


def test_a_model_learned_from_outcomes_answers_everywhere(api: Caller) -> None:
    plant_many(api)
    session = api.start()
    api.profile(session, email="ann@example.com", trade="restaurant", company_size_index=2)

    result = train(api)

    assert result["promoted"] is True, result["reasons"]
    lead = lead_of(api, session)
    said = api.staff("GET", f"/api/leads/{lead}/prediction").json
    assert said["method"] == "exact" and said["model"] == result["model_id"] and adds_up(said)
    assert said["probability"] > 0.7
    assert said["interval"][0] <= said["probability"] <= said["interval"][1]
    one = api.staff("GET", f"/api/leads/{lead}").json
    assert one["probability"] == said["probability"] and one["explanation"] == said
    for path in (f"/api/lead/summary/{session}", f"/api/score/{session}"):
        shown = api.staff("GET", path).json
        assert shown["probability"] == said["probability"] and shown["explanation"] == said
        bare = api.get(path).json
        assert bare["masked"] and bare["probability"] is None and bare["explanation"] is None
        assert "ml_probability" not in bare.get("profiles", {})
    listed = api.staff("GET", "/api/leads", sort="-probability", limit=200).json["leads"]
    chances = [row["probability"] for row in listed]
    assert chances == sorted(chances, reverse=True) and len(chances) == 161
    assert one["profiles"]["ml_probability"]["score"] == round(100 * said["probability"], 1)
    history = [row for row in one["score_history"] if row["profile"] == "ml_probability"]
    assert len(history) == 1
    kinds = {kind for (kind,) in api.rows("SELECT kind FROM events WHERE kind LIKE 'model.%'")}
    assert kinds == {"model.trained", "model.promoted"}


def test_a_lead_gets_its_probability_after_each_of_its_facts(plain: Caller) -> None:
    plant_many(plain)
    train(plain)
    session = plain.start()
    lead = lead_of(plain, session)

    plain.relay()
    first = plain.staff("GET", f"/api/leads/{lead}").json
    plain.profile(session, trade="restaurant", company_size_index=2)
    assert plain.staff("GET", f"/api/leads/{lead}").json["probability"] == first["probability"]
    plain.relay()
    second = plain.staff("GET", f"/api/leads/{lead}").json

    assert first["probability"] is not None
    assert second["probability"] > first["probability"] + 0.2
    assert [row["profile"] for row in second["score_history"]].count("ml_probability") == 2


def test_an_imported_table_is_predicted_and_teaches_what_it_knows(api: Caller) -> None:
    rng = random.Random(2)
    lines = ["name,trade,size,outcome"]
    for number in range(120):
        won = rng.random() < 0.4
        trade = rng.choice(["shop", "bar"]) if rng.random() < 0.7 else ("bar" if won else "shop")
        lines.append(
            f"L{number},{trade},{rng.gauss(0.9 if won else 0, 1):.2f},{'yes' * won or 'no'}"
        )
    bring_in(api, "\n".join(lines))

    assert train(api)["promoted"] is True
    bring_in(api, "name,trade,size\nNew one,bar,2.0\n")
    api.relay()
    work(api)

    (new,) = api.staff("GET", "/api/leads", q="New one").json["leads"]
    assert new["probability"] > 0.5
    kinds = {
        one["feature"]
        for one in api.staff("GET", f"/api/leads/{new['id']}").json["explanation"]["contributions"]
    }
    assert kinds == {"trade", "size"}


def test_where_an_imported_lead_came_from_is_a_feature(lite: Caller) -> None:
    bring_in(
        lite,
        "name,size,source,utm_source,campaign\n"
        "Ann,3,fair,,spring\nBen,4,,google,\nCid,5,fair,google,\nDee,6,,,\n",
    )
    ids = [lead for (lead,) in lite.rows("SELECT id FROM leads ORDER BY id")]
    lite.staff("PATCH", f"/api/leads/{ids[0]}", {"campaign": "called twice"})

    with lite.unit() as services:
        rows = services.predictions.rows.known(ids, lambda name: known(name) is not None)

    assert [one.row.get("source") for one in rows] == ["fair", "google", "fair", None]
    assert [one.row.get("campaign") for one in rows] == ["spring", None, None, None]
    assert all(one.row["channel"] == "import" for one in rows)
    assert not any("utm_source" in one.row for one in rows)


def test_a_relay_that_has_read_no_model_leaves_the_lead_to_a_job(lite: Caller) -> None:
    plant_many(lite)
    train(lite)
    lite.resources.models.clear()
    session = lite.start()
    lead = lead_of(lite, session)

    lite.relay()

    assert lite.staff("GET", f"/api/leads/{lead}").json["probability"] is None
    assert lite.resources.models == {}
    work(lite)
    assert lite.staff("GET", f"/api/leads/{lead}").json["probability"] is not None


def test_with_too_few_outcomes_the_points_answer_and_say_so(lite: Caller) -> None:
    session = lite.reference()
    lead = lead_of(lite, session)

    fresh = lite.staff("GET", f"/api/leads/{lead}/prediction").json
    assert fresh["method"] == "rules" and fresh["label"] == "rules" and fresh["model"] is None
    assert adds_up(fresh)
    assert lite.staff("GET", f"/api/leads/{lead}").json["probability"] is None

    plant_many(lite, 30)
    result = train(lite)

    assert result["promoted"] is True and result["label"] == "rules"
    assert "needs 50" in result["reasons"][0]
    said = lite.staff("GET", f"/api/leads/{lead}/prediction").json
    assert said["method"] == "rules" and said["model"] == result["model_id"] and adds_up(said)
    assert lite.staff("GET", f"/api/leads/{lead}").json["probability"] == said["probability"]


def test_data_without_signal_are_refused_and_the_points_answer(lite: Caller) -> None:
    plant_many(lite, 160, signal=0.0, seed=3)

    result = train(lite)

    labels = {one["label"]: one["promoted"] for one in result["models"]}
    assert labels == {"normal": False, "rules": True}
    cards = {one["label"]: one for one in lite.staff("GET", "/api/models").json["models"]}
    assert cards["normal"]["status"] == "refused" and cards["rules"]["status"] == "promoted"
    reply = lite.staff("POST", f"/api/models/{cards['normal']['id']}/promote")
    assert "base rate" in refused(reply, 409, "model_refused")["message"]


def test_a_copy_of_the_outcome_is_left_out_and_named(lite: Caller) -> None:
    rng = random.Random(1)
    outcomes = [rng.random() < 0.4 for _ in range(160)]
    rows = [
        {
            "contract_signed": "y" if won else "n",
            "size": rng.gauss(0.8 if won else 0, 1),
            "visits": rng.gauss(0.8 if won else 0, 1),
        }
        for won in outcomes
    ]
    with lite.unit() as services:
        plant(services, rows, outcomes)

    result = train(lite)

    card = lite.staff("GET", f"/api/models/{result['model_id']}").json
    left_out = {one["column"]: one["reason"] for one in card["left_out"]}
    assert "copy of the outcome" in left_out["contract_signed"]
    assert [one["name"] for one in card["features"]] == ["size", "visits"]


def test_outcomes_of_one_kind_leave_the_points_in_charge(lite: Caller) -> None:
    with lite.unit() as services:
        plant(services, [{"size": number} for number in range(60)], [True] * 60)

    result = train(lite)

    assert result["label"] == "rules" and result["promoted"] is True


def test_a_model_in_service_stays_where_the_next_one_is_no_better(lite: Caller) -> None:
    plant_many(lite)
    first = train(lite)

    second = train(lite)

    assert second["promoted"] is False
    assert any("no better" in reason or "too little" in reason for reason in second["reasons"])
    status = {one["id"]: one["status"] for one in lite.staff("GET", "/api/models").json["models"]}
    assert status == {first["model_id"]: "promoted", second["model_id"]: "refused"}


def test_the_version_before_comes_back_by_one_call(api: Caller) -> None:
    plant_many(api, 30)
    first = train(api)["model_id"]
    plant_many(api, 160, seed=8)
    second = train(api)["model_id"]

    reply = api.staff("POST", f"/api/models/{first}/promote")

    assert reply.status_code == 200 and reply.json["status"] == "promoted"
    status = {one["id"]: one["status"] for one in api.staff("GET", "/api/models").json["models"]}
    assert status == {first: "promoted", second: "retired"}
    work(api)
    said = {model for (model,) in api.rows("SELECT DISTINCT model_id FROM lead_predictions")}
    assert said == {first}
    audit = api.rows("SELECT subject FROM audit_entries WHERE action = 'model.promoted'")
    assert (f"model {first}",) in audit and len(audit) == 3


def test_a_file_that_somebody_changed_is_refused(lite: Caller) -> None:
    plant_many(lite, 30)
    model = train(lite)["model_id"]
    with lite.resources.engine.begin() as connection:
        connection.execute(text("UPDATE model_versions SET status = 'retired'"))
        connection.execute(
            text("UPDATE model_versions SET artifact = :data"), {"data": b"PK\x03\x04 not ours"}
        )

    error = refused(lite.staff("POST", f"/api/models/{model}/promote"), 422, "model_refused")

    assert "checksum" in error["message"]
    with lite.unit() as services:
        stored = services.predictions.store.stored(model)
    with pytest.raises(Invalid, match="refused"):
        load(lite.resources, [stored])


def test_the_clock_trains_only_where_an_outcome_is_new(lite: Caller) -> None:
    plant_many(lite, 30)
    train_now(lite.resources, by="tests")
    with lite.unit() as services:
        job = services.jobs.request("models.train", requested_by="schedule")

    work(lite)

    result = lite.staff("GET", f"/api/jobs/{job['job_id']}").json["result"]
    assert result["model_id"] is None and "No outcome" in result["reasons"][0]
    assert len(lite.staff("GET", "/api/models").json["models"]) == 1


def test_a_world_that_moved_is_seen_and_the_intercept_mended(lite: Caller) -> None:
    plant_many(lite)
    first = train(lite)["model_id"]
    lite.clock.advance(86400 * 100)  # type: ignore[attr-defined]
    rng = random.Random(5)
    rows = [{"company_size_index": rng.gauss(0, 1), "trade": "shop"} for _ in range(150)]
    with lite.unit() as services:
        plant(services, rows, [rng.random() < 0.9 for _ in rows])

    result = train(lite)

    drift = lite.staff("GET", f"/api/models/{first}").json["drift"]
    assert abs(drift["z"]) > 3 and drift["wins_seen"] > drift["wins_said"]
    assert result["promoted"] is True
    assert result["model_id"] != first


# Asked by other programs


def test_rows_of_another_program_are_predicted_in_order_and_stored_nowhere(api: Caller) -> None:
    plant_many(api)
    result = train(api)
    counted = "SELECT (SELECT COUNT(*) FROM leads), (SELECT COUNT(*) FROM events)"
    before = api.rows(counted)
    rows = [
        {"trade": "shop", "company_size_index": -2},
        {"trade": "restaurant", "company_size_index": "2"},
        {"unheard_of": True, "trade": "bakery"},
        {},
    ]

    reply = api.staff("POST", "/api/predict", {"rows": rows})

    assert reply.status_code == 200, reply.text
    assert reply.json["model"] == result["model_id"]
    said = reply.json["predictions"]
    assert [adds_up(one) for one in said] == [True] * 4
    assert said[0]["probability"] < said[2]["probability"] < said[1]["probability"]
    assert said[3]["contributions"] == [] and "Nothing is known" in said[3]["note"]
    assert api.rows(counted) == before


def test_before_any_training_the_points_answer_other_programs_too(lite: Caller) -> None:
    rows = [{"points.demo_requested": 15, "points.session_opened": 5}, {"trade": "shop"}]

    reply = lite.staff("POST", "/api/predict", {"rows": rows})

    assert reply.json["model"] is None
    assert [one["label"] for one in reply.json["predictions"]] == ["rules", "rules"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "rows"),
        ({"rows": []}, "rows"),
        ({"rows": [{}] * 10_001}, "rows"),
        ({"rows": "x"}, "rows"),
        ({"rows": [1]}, "rows.0"),
        ({"rows": [{"a": {"b": 1}}]}, "rows.0.a"),
        ({"rows": [{}, {"a": [1]}]}, "rows.1.a"),
        ({"rows": [{"a": "x" * 2_001}]}, "rows.0.a"),
        ({"rows": [{f"c{number}": 1 for number in range(501)}]}, "rows.0"),
    ],
)
def test_rows_that_cannot_be_read_are_named(lite: Caller, body: Any, field: str) -> None:
    error = refused(lite.staff("POST", "/api/predict", body), 422)

    assert list(error["fields"]) == [field]


def test_whom_to_call_follows_from_costs_or_from_capacity(lite: Caller) -> None:
    plant_many(lite)
    with lite.unit() as services:
        plant(services, [{"company_size_index": size / 5} for size in range(-10, 10)], [None] * 20)
    model = train(lite)["model_id"]

    path = f"/api/models/{model}"
    said = lite.staff("GET", path, call_cost="5", deal_value="10", capacity="4").json["thresholds"]

    assert said["leads"] == 20
    assert said["by_value"]["probability"] == 0.5
    assert said["by_capacity"]["contacted"] == 4
    assert said["by_capacity"]["share_of_wins"] > 0.25
    assert said["by_capacity"]["sentence"].startswith("4 calls reach ")
    assert lite.staff("GET", path).json["thresholds"] is None
    assert "deal_value" in refused(lite.staff("GET", path, call_cost="5"), 422)["fields"]


def test_what_is_not_there_is_not_found(lite: Caller) -> None:
    refused(lite.staff("GET", "/api/leads/999/prediction"), 404, "unknown_lead")
    refused(lite.staff("GET", "/api/leads/x/prediction"), 404, "unknown_lead")
    refused(lite.staff("GET", "/api/models/mdl_no"), 404, "unknown_model")
    refused(lite.staff("POST", "/api/models/mdl_no/promote"), 404, "unknown_model")


def test_erasing_a_lead_takes_its_reasons(api: Caller) -> None:
    leads = plant_many(api)
    train(api)

    with api.unit() as services:
        services.privacy.erase_lead(leads[0], actor="tests")

    left = {lead for (lead,) in api.rows("SELECT lead_id FROM lead_predictions")}
    assert leads[0] not in left and leads[1] in left
    assert leads[0] not in [one.lead_id for one in examples(api, *leads)]


RELAYED = """
import sys
import main
from jobs.relay import Relay
from services import prepare

prepare(main.resources())
client = main.app.test_client()
session = client.post("/api/session/start", json={}).json["session_id"]
relay = Relay(main.resources())
while relay.fan_out():
    pass
print(sorted({"sklearn", "numpy"} & set(sys.modules)))
"""


def test_a_relay_without_a_model_in_service_imports_none_of_it(tmp_path: Any) -> None:
    chosen = {"DATABASE_URL": "", "DATA_DIR": str(tmp_path), "LOG_LEVEL": "ERROR", "PATH": ""}

    said = subprocess.run(
        [sys.executable, "-c", RELAYED],
        cwd=ROOT,
        env=chosen,
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.strip() == "[]"
