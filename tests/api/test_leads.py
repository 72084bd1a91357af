"""/api/leads: list, filters, orders, pages; one lead; enter, edit, delete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.conftest import JOHN, START, Caller, refused


def _list(caller: Caller, **query: Any) -> list[dict[str, Any]]:
    reply = caller.staff("GET", "/api/leads", **query)
    assert reply.status_code == 200, reply.text
    return list(reply.json["leads"])


def _enter(caller: Caller, **data: Any) -> dict[str, Any]:
    reply = caller.staff("POST", "/api/leads", data)
    assert reply.status_code == 201, reply.text
    said: dict[str, Any] = reply.json
    return said


def _names(leads: list[dict[str, Any]]) -> list[str | None]:
    return [lead["name"] for lead in leads]


@pytest.fixture
def shop(plain: Caller) -> Caller:
    """A hot, a warm and a cold lead of conversations, and one of a walk-in."""
    plain.reference(utm_source="ads")
    plain.clock.advance(3600)
    warm = plain.start()
    for number, text in ((1, "Other"), (2, "Pune"), (3, "2–5"), (4, "Over ₹10L"), (5, "Billing")):
        plain.answer(warm, number, text, time_taken=300)
    plain.profile(warm, name="Anna 100%", email="anna@example.com", company="Tea_House")
    plain.clock.advance(86_400)
    plain.profile(plain.start(), name="Zoë")
    walk_in = {"name": "bela", "phone": "9123456780", "stage": "Contacted", "assigned_to": "Asha"}
    _enter(plain, **walk_in, campaign="Diwali", source="shop")
    return plain


def test_a_list_shows_what_sales_needs_the_best_first(shop: Caller) -> None:
    leads = _list(shop)

    assert [lead["score"] for lead in leads] == [80, 50, 5, 0]
    assert [lead["score_category"] for lead in leads] == ["hot", "warm", "cold", "cold"]
    first = leads[0]
    assert isinstance(first["id"], str)
    assert first["email"] == "john@example.com" and first["name"] == "John Merchant"
    assert first["company"] is None and first["last_activity"] == "2026-11-21T09:00:00.000Z"
    assert set(first["engagement_summary"]) == {
        *("email_opens", "email_clicks", "website_visits", "crm_activities"),
    }
    assert first["classification"] == first["lead_type"] == first["lead_classification"] == "SQL"


FILTERS: tuple[tuple[dict[str, str], list[str]], ...] = (
    ({"q": "JOHN"}, ["John Merchant"]),
    ({"q": "anna@"}, ["Anna 100%"]),
    ({"q": "100%"}, ["Anna 100%"]),
    ({"q": "tea_h"}, ["Anna 100%"]),
    ({"q": "teaXh"}, []),
    ({"classification": "SQL"}, ["John Merchant"]),
    ({"classification": "MQL"}, ["Anna 100%"]),
    ({"tier": "warm"}, ["Anna 100%"]),
    ({"tier": "cold"}, ["Zoë", "bela"]),
    ({"stage": "Contacted"}, ["bela"]),
    ({"assigned_to": "Asha"}, ["bela"]),
    ({"campaign": "Diwali"}, ["bela"]),
    ({"source": "ads"}, ["John Merchant"]),
    ({"source": "shop"}, ["bela"]),
    ({"min_score": "50"}, ["John Merchant", "Anna 100%"]),
    ({"min_score": "50.5"}, ["John Merchant"]),
    ({"to": "2026-11-21"}, ["John Merchant", "Anna 100%"]),
    ({"from": "2026-11-22"}, ["Zoë", "bela"]),
    ({"from": "2026-11-22", "tier": "cold", "q": "zo"}, ["Zoë"]),
    ({"q": "'; DROP TABLE leads; --"}, []),
)
ORDERS = (
    ("-score", ["John Merchant", "Anna 100%", "Zoë", "bela"]),
    ("score", ["bela", "Zoë", "Anna 100%", "John Merchant"]),
    ("name", ["Anna 100%", "bela", "John Merchant", "Zoë"]),
    ("-name", ["Zoë", "John Merchant", "bela", "Anna 100%"]),
    ("created_at", ["John Merchant", "Anna 100%", "Zoë", "bela"]),
    ("-created_at", ["bela", "Zoë", "Anna 100%", "John Merchant"]),
    ("last_activity", ["John Merchant", "Anna 100%", "Zoë", "bela"]),
    ("-last_activity", ["bela", "Zoë", "Anna 100%", "John Merchant"]),
    ("probability", ["John Merchant", "Anna 100%", "Zoë", "bela"]),
    ("-probability", ["bela", "Zoë", "Anna 100%", "John Merchant"]),
)


def test_filters_narrow_the_list(shop: Caller) -> None:
    for query, names in FILTERS:
        assert _names(_list(shop, **query)) == names, query


def test_a_list_comes_in_every_order_whole_and_by_pages(shop: Caller) -> None:
    for sort, names in ORDERS:
        assert _names(_list(shop, sort=sort)) == names, sort
        found: list[str | None] = []
        query: dict[str, str] = {}
        for _ in names:
            page = shop.staff("GET", "/api/leads", sort=sort, limit=1, **query).json
            found += _names(page["leads"])
            query = {"cursor": page["next_cursor"]}
        assert found == names and page["next_cursor"] is None, sort


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "-score", "name", "-last_activity"])
def test_pages_have_no_gaps_and_no_doubles_while_leads_come_in(plain: Caller, sort: str) -> None:
    for number in range(23):
        _enter(plain, name=f"Lead {number % 5}")
        if number % 3 == 0:
            plain.clock.advance(1)
    before = {lead["id"] for lead in _list(plain, limit=200)}
    found: list[str] = []
    cursor: str | None = None
    for page_number in range(20):
        query = {"cursor": cursor} if cursor else {}
        page = plain.staff("GET", "/api/leads", sort=sort, limit=5, **query).json
        found += [lead["id"] for lead in page["leads"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        plain.clock.advance(0 if page_number % 2 else 1)
        _enter(plain, name=f"New {page_number}")
        _enter(plain, name="Lead 0")

    assert len(found) == len(set(found))
    assert before <= set(found)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"sort": "colour"}, "sort"),
        ({"sort": "--score"}, "sort"),
        ({"tier": "boiling"}, "tier"),
        ({"classification": "A"}, "classification"),
        ({"min_score": "nan"}, "min_score"),
        ({"from": "soon"}, "from"),
        ({"to": "2026-13-01"}, "to"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "W10"}, "cursor"),
        ({"cursor": "é"}, "cursor"),
    ],
)
def test_a_filter_that_cannot_be_is_422(lite: Caller, query: dict[str, str], field: str) -> None:
    error = refused(lite.staff("GET", "/api/leads", **query), 422)

    assert list(error["fields"]) == [field]


def test_a_cursor_is_for_the_order_it_was_made_for(plain: Caller) -> None:
    for name in ("a", "b", "c"):
        _enter(plain, name=name)
    cursor = plain.staff("GET", "/api/leads", sort="name", limit=1).json["next_cursor"]

    refused(plain.staff("GET", "/api/leads", sort="-score", cursor=cursor), 422)


def test_one_lead_shows_its_score_and_its_history(shop: Caller) -> None:
    lead_id = _list(shop)[0]["id"]
    lead = shop.staff("GET", f"/api/leads/{lead_id}").json

    assert lead["id"] == lead_id and lead["score"] == lead["lead_score"] == 80
    assert sum(row["score"] for row in lead["ledger"]) == 80
    assert lead["explanation"] is None
    assert lead["engagement_level"] in ("low", "medium", "high")
    assert lead["follow_up_date"] is lead["last_interaction_type"] is lead["outcome"] is None
    assert lead["is_snoozed"] is False and lead["interaction_count"] == 0
    assert lead["activities"] == lead["follow_ups"] == []
    kinds = [fact["kind"] for fact in lead["history"]]
    assert kinds[0] == "session.started" and kinds.count("answer.recorded") == 5
    assert lead["location"] == "Mumbai" and lead["staff_size"] == "2–5"
    assert lead["features_interested"] == ["Billing", "QR Payments"]


@pytest.mark.parametrize("lead_id", ["0", "-1", "999999", "1.0", "x", "%31", "९", "9" * 30, " 1"])
def test_an_unknown_lead_is_404(lite: Caller, lead_id: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        body = {} if method == "PATCH" else None
        refused(lite.staff(method, f"/api/leads/{lead_id}", body), 404, "unknown_lead")


def test_a_walk_in_has_no_session_and_no_points(plain: Caller) -> None:
    lead = _enter(
        plain,
        name="Walk In",
        email="w@example.com",
        features_interested=["Billing"],
        attributes={"shirt": "XL"},
        lead_score=1000,
        classification="SQL",
        id="77",
    )

    assert lead["score"] == 0 and lead["classification"] == "Unqualified"
    assert lead["id"] != "77" and lead["attributes"] == {"shirt": "XL"}
    assert lead["session_id"] is None
    assert plain.staff("GET", f"/api/leads/{lead['id']}").json["email"] == "w@example.com"
    assert plain.staff("GET", "/api/analytics/leads").json["total_leads"] == 0


def test_a_lead_needs_something_to_know_it_by(lite: Caller) -> None:
    for body in ({}, {"location": "Pune"}, {"name": ""}, {"name": None}):
        refused(lite.staff("POST", "/api/leads", body), 422)
    for field, bad in (
        ("email", "john"),
        ("phone", "12"),
        ("name", 5),
        ("features_interested", {"a": 1}),
        ("features_interested", [1]),
        ("stage", "x" * 65),
        ("attributes", []),
    ):
        error = refused(lite.staff("POST", "/api/leads", {"name": "A", field: bad}), 422)
        assert field in error["fields"]
    refused(lite.staff("POST", "/api/leads", {"name": "A", "attributes": {"score": 1}}), 422)
    assert _list(lite) == []


def test_an_edit_changes_what_it_names_and_leaves_a_trace(plain: Caller) -> None:
    session = plain.start()
    plain.answer(session, 2, "Pune", time_taken=300)
    lead_id = _list(plain)[0]["id"]
    path = f"/api/leads/{lead_id}"
    reply = plain.staff("PATCH", path, {**JOHN, "stage": "Meeting", "lead_score": 99})

    assert reply.status_code == 200
    lead = reply.json
    assert lead["name"] == "John Merchant" and lead["stage"] == "Meeting"
    assert lead["location"] == "Pune"
    # A contact that sales learned counts like one that the visitor gave.
    assert lead["score"] == 5 + 5 + 10
    plain.staff("PATCH", path, {"name": None, "attributes": {"a": 1}})
    lead = plain.staff("PATCH", path, {"attributes": {"b": 2}}).json
    assert lead["name"] is None and lead["attributes"] == {"a": 1, "b": 2}
    refused(plain.staff("PATCH", path, {"name": "Eve", "email": "no"}), 422)
    assert plain.staff("GET", path).json["name"] is None
    assert plain.differences() == []
    actions = [row[0] for row in plain.rows("SELECT action FROM audit_entries ORDER BY id")]
    assert actions.count("lead.edited") == 3


def test_a_deleted_lead_is_gone_everywhere(plain: Caller) -> None:
    session = plain.reference()
    lead_id = _list(plain)[0]["id"]

    assert plain.staff("DELETE", f"/api/leads/{lead_id}").status_code == 200
    assert _list(plain) == []
    refused(plain.staff("GET", f"/api/leads/{lead_id}"), 404)
    refused(plain.staff("DELETE", f"/api/leads/{lead_id}"), 404)
    refused(plain.get(f"/api/lead/summary/{session}"), 404, "unknown_session")
    body = {"session_id": session, "question_id": 1, "answer_text": "Other"}
    refused(plain.post("/api/answer", body), 404, "unknown_session")
    assert plain.differences() == []


def test_the_scopes_of_leads_are_kept_apart(lite: Caller) -> None:
    client = lite.app.test_client()
    lead = _enter(lite, name="A")
    path = f"/api/leads/{lead['id']}"
    reading, writing = lite.key("leads:read"), lite.key("leads:write")

    assert client.get(path, headers=reading).status_code == 200
    assert client.get(path, headers=writing).status_code == 200
    for method, body in (("PATCH", {"name": "B"}), ("DELETE", None)):
        refused(client.open(path, method=method, json=body, headers=reading), 403, "missing_scope")
        refused(client.open(path, method=method, json=body), 401)
    refused(client.post("/api/leads", json={"name": "B"}, headers=reading), 403)
    assert client.patch(path, json={"name": "B"}, headers=writing).json["name"] == "B"


def test_an_entered_lead_is_replayed_by_its_key(plain: Caller) -> None:
    client = plain.app.test_client()
    headers = {**plain.key("leads:write"), "Idempotency-Key": "walk-in-1"}
    first = client.post("/api/leads", json={"name": "A"}, headers=headers)
    again = client.post("/api/leads", json={"name": "A"}, headers=headers)

    assert again.status_code == 201 and again.data == first.data
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(_list(plain)) == 1
    mine = {**plain.key("admin"), "Idempotency-Key": "walk-in-1"}
    assert client.post("/api/leads", json={"name": "A"}, headers=mine).status_code == 201
    assert len(_list(plain)) == 2


def test_possible_duplicates_are_marked_and_nobody_is_merged(plain: Caller) -> None:
    one = _enter(plain, name="A", email="Ann@Example.com")
    two = _enter(plain, name="B", email="ann@example.com", phone="+91 91234 56789")
    three = _enter(plain, name="C", phone="9123456789")

    found = plain.staff("GET", f"/api/leads/{two['id']}").json["possible_duplicates"]
    assert found == [one["id"], three["id"]]
    assert len(_list(plain)) == 3


def test_a_day_in_the_list_may_be_one_of_another_zone(plain: Caller) -> None:
    plain.clock.set(datetime(2026, 11, 21, 20, tzinfo=UTC))
    _enter(plain, name="Late")

    assert _list(plain, **{"from": "2026-11-22"}) == []
    assert len(_list(plain, **{"from": "2026-11-22", "tz": "Asia/Kolkata"})) == 1
    assert START + timedelta(hours=11) == plain.clock.now()
