"""The fair-chance lane: who is in it, what is written down of a choice, and what that teaches."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from engine.vocabulary import FactKind
from outbox import NewFact, record
from tests.api.conftest import Caller, refused
from tests.api.test_predictions import lead_of, plant_many, train

CONFIG = "/api/models/config"


def enter(api: Caller, count: int) -> list[int]:
    """Leads that somebody met elsewhere."""
    made = [api.staff("POST", "/api/leads", {"name": f"Lead {number}"}) for number in range(count)]
    return [int(one.json["id"]) for one in made]


def share(api: Caller, percent: float) -> None:
    """So many per cent get a fair chance from now on."""
    reply = api.staff("POST", CONFIG, {"fair_chance_percent": percent})
    assert reply.status_code == 200 and reply.json["fair_chance_percent"] == percent


def lanes(api: Caller) -> dict[int, str | None]:
    """The lane of every lead, as the list says."""
    rows = api.staff("GET", "/api/leads", limit=200).json["leads"]
    return {int(row["id"]): row["lane"] for row in rows}


def choices(api: Caller) -> dict[int, dict[str, Any]]:
    """What is written down of each lead's choice."""
    api.relay()
    rows = api.rows("SELECT lead_id, measured FROM events WHERE kind = 'lead.chosen' ORDER BY id")
    said = [(lead, json.loads(one) if isinstance(one, str) else one) for lead, one in rows]
    assert len({lead for lead, _ in said}) == len(said)
    return dict(said)


def test_nobody_is_in_the_lane_until_somebody_opens_it(lite: Caller) -> None:
    enter(lite, 20)

    assert lite.staff("GET", CONFIG).json == {"model_kind": "blend", "fair_chance_percent": 0.0}
    assert set(lanes(lite).values()) == {None}


def test_who_is_drawn_is_shown_and_stays_drawn(api: Caller) -> None:
    leads = enter(api, 80)
    share(api, 10)

    few = {lead for lead, lane in lanes(api).items() if lane == "fair_chance"}
    share(api, 20)
    more = {lead for lead, lane in lanes(api).items() if lane == "fair_chance"}

    assert 0 < len(few) < len(more) < 40 and few < more
    assert {api.staff("GET", f"/api/leads/{lead}").json["lane"] for lead in few} == {"fair_chance"}
    other = next(lead for lead in leads if lead not in more)
    assert api.staff("GET", f"/api/leads/{other}").json["lane"] is None
    audit = api.rows("SELECT subject FROM audit_entries WHERE action = 'models.configured'")
    assert audit == [("prediction",)] * 2


def test_why_a_lead_was_chosen_is_written_down_once(api: Caller) -> None:
    share(api, 20)
    hot, leads = lead_of(api, api.reference()), enter(api, 40)
    api.relay()
    drawn = next(lead for lead in leads if lanes(api)[lead])
    other = next(lead for lead in leads if not lanes(api)[lead])

    for lead in (hot, drawn, other):
        for kind in ("website_visit", "call", "call"):
            api.staff("POST", f"/api/leads/{lead}/activities", {"kind": kind})
    api.staff("PATCH", f"/api/leads/{leads[-1]}", {"assigned_to": "bob"})
    said = choices(api)

    assert {lead: (one["by"], one["propensity"]) for lead, one in said.items()} == {
        hot: ("score", 1.0),
        drawn: ("chance", 0.2),
        other: ("judgement", None),
        leads[-1]: said[leads[-1]] and (said[leads[-1]]["by"], said[leads[-1]]["propensity"]),
    }
    assert said[drawn]["tier"] == "cold" and said[drawn]["lane"] == "fair_chance"
    assert said[hot]["score"] == 80 and said[hot]["profile"] == "core_points"


def test_leads_that_were_seldom_called_weigh_more_and_the_card_shows_it(lite: Caller) -> None:
    leads = plant_many(lite, 200)
    rng = random.Random(1)
    drawn = rng.sample(leads, 20)
    with lite.unit() as services:
        now = services.now()
        facts = [
            NewFact(FactKind.LEAD_CHOSEN, now, {"by": "chance", "propensity": 0.1}, lead_id=lead)
            for lead in drawn
        ]
        record(services.session, *facts)

    model = train(lite)["model_id"]

    reports = lite.staff("GET", f"/api/models/{model}").json["reports"]
    assert {"out_of_fold", "weighted"} <= set(reports)
    assert "at most 20 fold" in reports["weighted"]["how"]
    plain, weighted = (reports[name]["metrics"]["auc"] for name in ("out_of_fold", "weighted"))
    assert plain["value"] != weighted["value"]
    width = weighted["interval"][1] - weighted["interval"][0]
    assert width > plain["interval"][1] - plain["interval"][0]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"fair_chance_percent": 21}, "fair_chance_percent"),
        ({"fair_chance_percent": -1}, "fair_chance_percent"),
        ({"model_kind": "oracle"}, "model_kind"),
        ({"model_kind": "random_forest_smote"}, "model_kind"),
    ],
)
def test_a_decision_that_cannot_be_is_named(lite: Caller, body: Any, field: str) -> None:
    assert list(refused(lite.staff("POST", CONFIG, body), 422)["fields"]) == [field]
    assert lite.staff("GET", CONFIG).json["fair_chance_percent"] == 0
