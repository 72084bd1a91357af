"""POST /api/behavior: every row of the points table that a client reports, and every limit."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Caller, MakeCaller, refused

CLICKS: list[tuple[str, dict[str, Any], int]] = [
    ("replied_to_greeting", {}, 5),
    ("clicked_product", {"product": "Billing"}, 5),
    ("clicked_demo", {}, 15),
    ("demo_requested", {}, 15),
    ("demo_request", {}, 15),
    ("cta_clicked", {"cta": "Talk to sales"}, 15),
    ("consent_given", {"text_version": "2026-11"}, 0),
    ("consent_withdrawn", {"text_version": "2026-11"}, 0),
    ("confirmed_summary", {}, 0),
    ("email_open", {}, 0),
    ("email_click", {}, 0),
    ("email_reply", {}, 0),
    ("website_visit", {}, 0),
    ("pricing_request", {}, 0),
]


@pytest.mark.parametrize(("action", "metadata", "points"), CLICKS)
def test_each_action_earns_its_points_once(
    lite: Caller, action: str, metadata: dict[str, Any], points: int
) -> None:
    session = lite.start()
    said = lite.behave(session, action, **metadata)

    assert said["session_id"] == session
    assert said["action"] == said["behavior_type"] == action
    assert said["score_change"] == said["score_impact"] == said["score"] == points
    assert said["lead_score"] == 5 + points
    assert said["classification"] == said["lead_type"] == said["lead_classification"]
    again = lite.behave(session, action, **metadata)
    assert again["score_change"] == 0 and again["lead_score"] == 5 + points
    assert lite.differences() == []


def test_three_words_for_a_demo_are_one_action(plain: Caller) -> None:
    session = plain.start()

    assert plain.behave(session, "clicked_demo")["score_change"] == 15
    assert plain.behave(session, "demo_requested")["score_change"] == 0
    assert plain.behave(session, "demo_request")["action"] == "demo_request"
    assert plain.behave(session, "cta_clicked", cta="Book a demo")["score_change"] == 0
    names = [one["action"] for one in plain.summary(session)["behaviors"]]
    assert "demo_requested" in names and "clicked_demo" not in names
    assert "cta_clicked" not in names
    kept = plain.rows("SELECT behavior_type FROM user_behaviors WHERE session_id = :s", s=session)
    assert sorted(row[0] for row in kept) == ["demo_requested", "session_opened"]


def test_book_a_demo_earns_the_demo_and_no_call_to_action(plain: Caller) -> None:
    session = plain.start()
    said = plain.behave(session, "cta_clicked", cta="Book a demo")

    assert said["score_change"] == 15 and said["action"] == "cta_clicked"
    assert plain.behave(session, "clicked_demo")["score_change"] == 0
    assert plain.score(session) == 20


def test_products_and_calls_count_once_each_by_name_or_id(plain: Caller) -> None:
    session = plain.start()
    earned = [
        plain.behave(session, "clicked_product", product=name)["score_change"]
        for name in ("Billing", "billing", "BILLING", "QR Payments", "qr_payments", "Loyalty")
    ]
    calls = [
        plain.behave(session, "cta_clicked", cta=name)["score_change"]
        for name in ("Talk to sales", "talk_to_sales", "Get the brochure")
    ]

    assert earned == [5, 0, 0, 5, 0, 5]
    assert calls == [15, 0, 15]
    breakdown = {
        one["action"]: (one["count"], one["score"])
        for one in plain.get(f"/api/score/{session}").json["breakdown"]
    }
    assert breakdown["clicked_product"] == (3, 15) and breakdown["cta_clicked"] == (2, 30)


@pytest.mark.parametrize("name", [None, "Rockets", "", 5, ["Billing"], {"a": 1}, "x" * 5000])
def test_what_the_workflow_does_not_know_counts_as_one_unnamed_thing(
    lite: Caller, name: Any
) -> None:
    session = lite.start()
    metadata = {} if name is None else {"product": name, "cta": name}

    assert lite.behave(session, "clicked_product", **metadata)["score_change"] == 5
    assert lite.behave(session, "clicked_product", product="Submarines")["score_change"] == 0
    assert lite.behave(session, "cta_clicked", **metadata)["score_change"] == 15
    assert lite.behave(session, "cta_clicked")["score_change"] == 0
    assert lite.behave(session, "clicked_product", product="Billing")["score_change"] == 5


@pytest.mark.parametrize(
    "action",
    [
        *("session_opened", "answered_question", "answered_all_questions", "shared_contact"),
        *("quick_reply", "detailed_answer"),
    ],
)
def test_what_the_server_derives_itself_earns_a_client_nothing(lite: Caller, action: str) -> None:
    session = lite.start()

    assert lite.behave(session, action, question_id=1)["score_change"] == 0
    assert lite.score(session) == 5
    assert lite.differences() == []
    assert lite.rows("SELECT count(*) FROM events WHERE kind = 'behavior.reported'") == [(0,)]


def test_an_unknown_action_is_422(lite: Caller) -> None:
    session = lite.start()
    for action in ("hacked", "CLICKED_DEMO", " clicked_demo", "x" * 64):
        reply = lite.post("/api/behavior", {"session_id": session, "action": action})
        refused(reply, 422, "unknown_action")
    for body in ({}, {"action": ""}, {"action": 5}, {"action": "email_open", "metadata": []}):
        refused(lite.post("/api/behavior", {"session_id": session, **body}), 422)
    assert lite.score(session) == 5


def test_points_that_a_client_sends_are_never_believed(lite: Caller) -> None:
    session = lite.start()
    for name in ("score", "score_change", "score_impact"):
        body = {"session_id": session, "action": "email_open", name: 1000}
        assert lite.post("/api/behavior", body).json["score_change"] == 0
    assert lite.score(session) == 5


def test_either_name_is_taken_and_both_only_if_they_agree(lite: Caller) -> None:
    session = lite.start()
    older = lite.post("/api/behavior", {"session_id": session, "behavior_type": "clicked_demo"})
    assert older.json["action"] == older.json["behavior_type"] == "clicked_demo"

    both = {"session_id": session, "action": "email_open", "behavior_type": "email_open"}
    assert lite.post("/api/behavior", both).status_code == 200
    both["behavior_type"] = "email_click"
    refused(lite.post("/api/behavior", both), 422)
    for one, other in (
        ("score_change", "score_impact"),
        ("score", "score_change"),
        ("score_impact", "score"),
    ):
        body = {"session_id": session, "action": "email_open", one: 5, other: 6}
        refused(lite.post("/api/behavior", body), 422)
        assert lite.post("/api/behavior", {**body, other: 5}).status_code == 200


def test_answering_with_products_earns_no_product_clicks(plain: Caller) -> None:
    session = plain.start()

    assert plain.answer(session, 5, ["Billing"], time_taken=300)["score_earned"] == 5
    assert plain.behave(session, "clicked_product", product="Billing")["score_change"] == 5


def test_boundaries_of_the_classes_are_thirty_and_sixty(
    make_caller: MakeCaller, database_url: str
) -> None:
    def config(opened: int) -> dict[str, Any]:
        questions = [{"id": 1, "text": "Name?", "slug": "name"}]
        return {"questions": questions, "scoring": {"session_opened": opened}}

    found = []
    for score in (29, 30, 59, 60):
        caller = make_caller(database_url, workflow=config(score), tests={})
        said = caller.get(f"/api/score/{caller.start()}").json
        found.append((said["lead_score"], said["classification"]))
    assert found == [(29, "Unqualified"), (30, "MQL"), (59, "MQL"), (60, "SQL")]


def test_a_consent_is_kept_as_proof_each_time(plain: Caller) -> None:
    session = plain.start()
    plain.behave(session, "consent_given", text_version="2026-11")
    plain.behave(session, "consent_withdrawn", text_version="2026-11")
    plain.behave(session, "consent_given", text_version="2026-11")

    kept = plain.rows("SELECT given, text_version FROM consents ORDER BY id")
    assert [(bool(given), version) for given, version in kept] == [
        (True, "2026-11"),
        (False, "2026-11"),
        (True, "2026-11"),
    ]


def test_engagement_signals_are_counted_in_the_list_of_leads(plain: Caller) -> None:
    session = plain.start()
    for action in ("email_open", "email_open", "email_click", "website_visit"):
        plain.behave(session, action)

    [lead] = plain.staff("GET", "/api/leads").json["leads"]
    assert lead["engagement_summary"] == {
        "email_opens": 2,
        "email_clicks": 1,
        "website_visits": 1,
        "crm_activities": 0,
    }


def test_a_behaviour_is_replayed_by_its_key(plain: Caller) -> None:
    session = plain.start()
    body = {"session_id": session, "action": "email_open"}
    first = plain.post("/api/behavior", body, Idempotency_Key="open-1")
    again = plain.post("/api/behavior", body, Idempotency_Key="open-1")

    assert again.data == first.data and again.headers["Idempotent-Replayed"] == "true"
    kept = plain.rows("SELECT count(*) FROM events WHERE kind = 'behavior.reported'")
    assert kept == [(1,)]
    changed = plain.post(
        "/api/behavior", {**body, "action": "email_click"}, Idempotency_Key="open-1"
    )
    refused(changed, 422, "idempotency_key_reused")
