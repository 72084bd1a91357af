"""Scoring profiles beside the points: sums that one can read, by the facts of the lead."""

from __future__ import annotations

import pytest

from tests.api.conftest import Caller, MakeCaller


def profiles(api: Caller, session: str) -> dict[str, dict]:
    """What `score` shows of the profiles."""
    reply = api.get(f"/api/score/{session}", **api.key("leads:read"))
    assert reply.status_code == 200, reply.text
    return reply.json["profiles"]


def behave(api: Caller, session: str, *actions: str) -> None:
    for action in actions:
        body = {"session_id": session, "action": action}
        assert api.post("/api/behavior", body).status_code == 200


def points_of(profile: dict) -> dict[str, float]:
    return {part["signal"]: part["points"] for part in profile["parts"]}


def test_crm_rules_sum_what_the_contract_names(api: Caller) -> None:
    session = api.start()
    api.answer(session, "staff_size", "50+")
    behave(api, session, "pricing_request", "clicked_demo", "email_open")

    profile = profiles(api, session)["crm_rules"]

    # An answer and an opened e-mail are two engagements.
    assert points_of(profile) == {
        "pricing_request": 30,
        "recency": 20,
        "demo_request": 15,
        "company_size": 10,
        "engagement": 10,
    }
    assert profile["score"] == 85
    assert profile["tier"] == "hot"
    assert profile["coverage"] == 1
    assert (profile["action"], profile["hours"]) == ("Call within an hour", 1)


def test_recency_halves_in_a_week(api: Caller) -> None:
    session = api.start()
    api.clock.advance(7 * 86_400)

    assert points_of(profiles(api, session)["crm_rules"])["recency"] == pytest.approx(10)


def test_engagement_says_how_much_of_it_could_be_seen(api: Caller) -> None:
    session = api.start()

    profile = profiles(api, session)["engagement_weighted"]

    assert profile["coverage"] == pytest.approx(0.1)
    assert "email_opens_recent" in profile["left_out"]


def test_core_points_stand_among_the_profiles(api: Caller) -> None:
    session = api.start()
    behave(api, session, "clicked_demo")

    found = profiles(api, session)

    assert found["core_points"]["score"] == 20
    assert set(found) == {"core_points", "crm_rules", "engagement_weighted"}


def test_the_list_is_sorted_by_the_profile_that_drives_the_queue(api: Caller) -> None:
    keen, clever = api.start(), api.start()
    behave(api, keen, "pricing_request", "email_open", "email_click")
    behave(api, clever, "clicked_demo", "replied_to_greeting")
    api.relay()
    reply = api.staff("POST", "/api/alerts/config", {"queue_profile": "crm_rules"})
    assert reply.status_code == 200, reply.text

    leads = api.staff("GET", "/api/leads").json["leads"]

    assert [lead["session_id"] for lead in leads] == [keen, clever]
    assert [lead["score"] for lead in leads] == [60, 35]
    assert [lead["score_category"] for lead in leads] == ["warm", "cold"]
    assert [lead["lead_score"] for lead in leads] == [5, 25]
    assert api.staff("GET", "/api/leads", tier="warm").json["leads"][0]["session_id"] == keen
    one = api.staff("GET", f"/api/leads/{leads[0]['id']}").json
    assert (one["score"], one["score_category"]) == (60, "warm")
    assert {point["profile"] for point in one["score_history"]} == set(one["profiles"])


def test_thresholds_of_the_configuration_beat_the_environment(
    make_caller: MakeCaller, database_url: str
) -> None:
    api = make_caller(database_url, HOT_LEAD_THRESHOLD=12, WARM_LEAD_THRESHOLD=11)
    session = api.start()
    behave(api, session, "replied_to_greeting")
    assert api.get(f"/api/score/{session}").json["tier"] == "cold"

    api.staff("POST", "/api/alerts/config", {"hot_threshold": 10, "warm_threshold": 5})

    assert api.get(f"/api/score/{session}").json["tier"] == "hot"
    assert api.staff("GET", "/api/leads").json["leads"][0]["score_category"] == "hot"
