"""GET /api/lead/summary and /api/score: who reads what, and the score as a readable sum."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Caller, MakeCaller, refused

CANARIES = {
    "name": "Kanarienvogel Quagga",
    "email": "kanarienvogel@quagga-zoo.example.com",
    "phone": "+91 98765 43210",
    "company": "Quagga Zoo Ltd",
    "location": "Zanzibarstreet 99",
    "business_type": "Quagga breeding",
    "staff_size": "Quaggas only",
    "monthly_sales": "Quagga 77777",
    "features_interested": ["Quagga rides"],
    "vat": "QUAGGA-VAT",
}
SECRETS = ("uagga", "anarienvogel", "98765", "9876543210", "Zanzibar", "77777", "campaign-quagga")


def _canary(caller: Caller) -> tuple[str, str]:
    """A session full of words that must never come back bare, and its visitor's token."""
    started = caller.post(
        "/api/session/start",
        {
            "utm_source": "campaign-quagga",
            "referrer": "https://quagga.example.com/",
            "visitor_id": "quagga-visitor",
        },
    ).json
    session = str(started["session_id"])
    for _ in range(2):
        caller.answer(session, 1, "Quagga breeding")
    caller.answer(session, 2, "Zanzibarstreet 99")
    caller.post("/api/lead/profile", {"session_id": session, "profile_data": CANARIES})
    caller.behave(session, "clicked_product", product="Quagga rides")
    caller.behave(session, "consent_given", text_version="2026-11", note="Quagga")
    return session, str(started["visitor_token"])


def test_no_bare_read_tells_who_it_is(plain: Caller) -> None:
    session, token = _canary(plain)
    for path in (
        f"/api/lead/summary/{session}",
        f"/api/score/{session}",
        f"/api/questions?session_id={session}",
        f"/api/product-menu?session_id={session}",
        f"/api/cta-options?session_id={session}",
        f"/api/widget/config?session_id={session}",
        f"/api/lead/export/{session}",
        "/api/leads",
        "/api/leads/1",
        "/api/analytics/leads",
    ):
        text = plain.get(path).text
        assert not [one for one in SECRETS if one in text], path
    _, foreign = _canary(plain)
    for path in ("/api/cta-options", "/api/widget/config"):
        text = plain.get(path, {"session_id": session}, X_Visitor_Token=foreign).text
        assert not [one for one in SECRETS if one in text], path
    menu = plain.get(f"/api/cta-options?session_id={session}", X_Visitor_Token=token)
    assert menu.json["text"].startswith("Thanks Kanarienvogel Quagga!")


def test_a_bare_summary_has_the_same_keys_and_says_that_it_is_masked(plain: Caller) -> None:
    session, token = _canary(plain)
    bare = plain.get(f"/api/lead/summary/{session}").json
    own = plain.get(f"/api/lead/summary/{session}", X_Visitor_Token=token).json
    staff = plain.summary(session)

    assert bare.pop("masked") is True
    assert own == staff and "masked" not in staff
    assert set(bare) == set(staff)
    assert set(bare["lead_data"]) == set(staff["lead_data"])
    assert bare["lead_data"]["email"] == "k***@q***.com"
    assert [one["answer_text"] for one in bare["answers"]] == [None, None]
    assert [one["question_id"] for one in bare["answers"]] == [1, 2]
    assert bare["behaviors"] == staff["behaviors"]
    assert staff["lead_data"]["name"] == "Kanarienvogel Quagga"
    assert staff["answers"][1]["answer_text"] == "Zanzibarstreet 99"


def test_a_clicked_option_tells_nobody_and_stays_readable(plain: Caller) -> None:
    session = plain.reference()
    bare = plain.get(f"/api/lead/summary/{session}").json

    texts = {one["question_id"]: one["answer_text"] for one in bare["answers"]}
    assert texts == {
        1: "Retail Store",
        2: None,
        3: "2–5",
        4: "₹50K–₹2L",
        5: "Billing, QR Payments",
    }
    assert bare["lead_data"]["staff_size"] == "2–5"


def test_a_token_reads_its_own_session_only(plain: Caller) -> None:
    session, token = _canary(plain)
    other, _ = _canary(plain)
    for path in (f"/api/lead/summary/{other}", f"/api/score/{other}"):
        refused(plain.get(path, X_Visitor_Token=token), 403)
    for bad in ("", "x", "v1.a.b.c", token + " x"):
        refused(plain.get(f"/api/lead/summary/{session}", X_Visitor_Token=bad), 401)
    plain.clock.advance(400 * 24 * 3600)
    refused(plain.get(f"/api/lead/summary/{session}", X_Visitor_Token=token), 401)


def test_a_key_needs_its_scope(plain: Caller) -> None:
    session = plain.reference()
    path = f"/api/lead/summary/{session}"
    client = plain.app.test_client()
    for scope, status in (("leads:read", 200), ("leads:write", 200), ("leads:export", 403)):
        assert client.get(path, headers=plain.key(scope)).status_code == status, scope
    for scope, status in (("leads:export", 200), ("admin", 200), ("leads:read", 403)):
        got = client.get(f"/api/lead/export/{session}", headers=plain.key(scope))
        assert got.status_code == status, scope
    refused(client.get(path, headers={"Authorization": "Bearer lk_nonsense"}), 401)
    refused(client.get(f"/api/lead/export/{session}"), 401)


def test_bare_reading_may_be_switched_off(make_caller: MakeCaller, sqlite_url: str) -> None:
    caller = make_caller(sqlite_url, PUBLIC_READ="off")
    session = caller.reference()

    refused(caller.get(f"/api/lead/summary/{session}"), 401)
    refused(caller.get(f"/api/score/{session}"), 401)
    assert caller.summary(session)["lead_score"] == 80


def test_bare_reading_may_be_opened_on_this_machine(
    make_caller: MakeCaller, sqlite_url: str
) -> None:
    caller = make_caller(sqlite_url, PUBLIC_READ="full")
    session = caller.reference()
    paths = ("/api/lead/summary/", "/api/score/", "/api/lead/export/")
    for path in (*(one + session for one in paths), "/api/leads", "/api/analytics/leads"):
        assert caller.get(path).status_code == 200
        assert "masked" not in caller.get(path).json
        foreign = caller.get(path, Host="leads.example.com")
        assert foreign.status_code == 401 or foreign.json["masked"] is True
    record = caller.get(f"/api/lead/export/{session}").json
    assert record["name"] == "John Merchant"


def test_behaviours_are_summed_by_action_with_a_ledger_beside_them(plain: Caller) -> None:
    session = plain.reference()
    plain.behave(session, "pricing_request")
    summary = plain.summary(session)

    sums = {one["action"]: one["score"] for one in summary["behaviors"]}
    assert sums == {
        "session_opened": 5,
        "answered_question": 25,
        "answered_all_questions": 10,
        "quick_reply": 15,
        "shared_contact": 10,
        "demo_requested": 15,
        "pricing_request": 0,
    }
    for one in (*summary["behaviors"], *summary["ledger"]):
        assert one["behavior_type"] == one["action"]
        assert one["score"] == one["score_change"] == one["score_impact"]
    assert len(summary["ledger"]) == 5 + 3 + 1 + 1 + 1 + 1
    assert sum(one["score"] for one in summary["ledger"]) == 80


def test_lead_data_carries_the_score_and_the_class_under_every_name(plain: Caller) -> None:
    data = plain.summary(plain.reference(utm_source="google_ads"))["lead_data"]

    assert data["lead_score"] == 80
    assert data["classification"] == data["lead_type"] == data["lead_classification"] == "SQL"
    assert data["name"] == "John Merchant" and data["utm_source"] == "google_ads"
    assert data["features_interested"] == ["Billing", "QR Payments"]


def test_a_score_is_a_readable_sum(plain: Caller) -> None:
    session = plain.reference()
    score = plain.get(f"/api/score/{session}").json

    assert score["session_id"] == session
    assert score["lead_score"] == 80 == sum(one["score"] for one in score["breakdown"])
    assert score["classification"] == score["lead_type"] == score["lead_classification"] == "SQL"
    assert score["thresholds"]["sql"] == 60 and score["thresholds"]["mql"] == 30
    assert score["tier"] == "hot"
    found = {one["action"]: (one["count"], one["score"]) for one in score["breakdown"]}
    assert found["answered_question"] == (5, 25) and found["quick_reply"] == (3, 15)
    assert score["probability"] is None and score["explanation"] is None


@pytest.mark.parametrize(
    ("settings", "tier"),
    [({}, "warm"), ({"HOT_LEAD_THRESHOLD": 60.0}, "hot"), ({"WARM_LEAD_THRESHOLD": 70.0}, "cold")],
)
def test_tiers_follow_the_settings_where_they_are_set(
    make_caller: MakeCaller, sqlite_url: str, settings: dict[str, Any], tier: str
) -> None:
    caller = make_caller(sqlite_url, **settings)
    session = caller.start()
    for number, text in ((1, "Other"), (2, "Pune"), (3, "2–5"), (4, "Over ₹10L"), (5, "Billing")):
        caller.answer(session, number, text)

    score = caller.get(f"/api/score/{session}").json
    assert score["lead_score"] == 65 and score["tier"] == tier
    assert caller.staff("GET", "/api/leads").json["leads"][0]["score_category"] == tier
