"""One truth under every name that clients of older systems know."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from sqlalchemy import inspect, select

from database import session_scope
from models import Answer, Lead, UserBehavior
from tests.api.conftest import JOHN, Caller, refused

# The readers of these tables know nothing else of us.
COLUMNS = {
    "leads": {
        *("id", "session_id", "name", "email", "phone", "business_type", "location"),
        *("staff_size", "monthly_sales", "features_interested", "lead_score"),
        *("lead_classification", "utm_source", "created_at", "updated_at"),
    },
    "answers": {
        *("id", "session_id", "question_id", "question_text", "answer_text", "time_taken"),
        *("score_earned", "created_at"),
    },
    "user_behaviors": {
        *("id", "session_id", "behavior_type", "behavior_metadata", "score_impact", "timestamp"),
    },
}
CLASS_NAMES = ("classification", "lead_type", "lead_classification")


def test_a_class_goes_by_three_names_in_every_reply(plain: Caller) -> None:
    session = plain.reference()
    [listed] = plain.staff("GET", "/api/leads").json["leads"]
    for reply in (
        plain.answer(session, 1, "Restaurant"),
        plain.behave(session, "email_open"),
        plain.profile(session, name="J"),
        plain.get(f"/api/score/{session}").json,
        plain.summary(session)["lead_data"],
        plain.get(f"/api/lead/summary/{session}").json["lead_data"],
        plain.export(session),
        listed,
        plain.staff("GET", f"/api/leads/{listed['id']}").json,
    ):
        assert [reply[name] for name in CLASS_NAMES] == ["SQL"] * 3


def test_leads_are_asked_for_under_every_name_of_their_class(plain: Caller) -> None:
    plain.reference()
    plain.start()

    for name, sought in (*((name, "SQL") for name in CLASS_NAMES), ("score_category", "hot")):
        found = plain.staff("GET", "/api/leads", **{name: sought}).json["leads"]
        assert [lead["score"] for lead in found] == [80], name
        refused(plain.staff("GET", "/api/leads", **{name: "odd"}), 422, "validation_failed")
    both = plain.staff("GET", "/api/leads", classification="SQL", lead_type="MQL")
    assert list(refused(both, 422, "validation_failed")["fields"]) == ["classification"]


def test_a_change_of_score_goes_by_its_names_in_every_reply(plain: Caller) -> None:
    session = plain.start()
    behaved = plain.behave(session, "clicked_demo")
    profiled = plain.profile(session, **JOHN)

    assert behaved["score"] == behaved["score_change"] == behaved["score_impact"] == 15
    assert profiled["score"] == profiled["score_change"] == profiled["score_impact"] == 10


def test_the_tables_keep_the_columns_of_their_readers(plain: Caller) -> None:
    schema = inspect(plain.resources.engine)

    for table, columns in COLUMNS.items():
        assert columns <= {column["name"] for column in schema.get_columns(table)}, table
    unique = schema.get_unique_constraints("leads") + schema.get_indexes("leads")
    assert ["session_id"] in [one["column_names"] for one in unique if one.get("unique", True)]


def test_the_tables_hold_what_the_older_readers_look_for(plain: Caller) -> None:
    session = plain.reference(utm_source="ads")
    [lead] = plain.rows(
        "SELECT session_id, name, email, phone, business_type, location, staff_size,"
        " monthly_sales, lead_score, lead_classification, utm_source FROM leads"
    )
    answers = plain.rows(
        "SELECT question_id, question_text, answer_text, time_taken, score_earned FROM answers"
        " ORDER BY question_id"
    )
    points = plain.rows("SELECT behavior_type, score_impact FROM user_behaviors")

    assert lead == (
        session,
        *("John Merchant", "john@example.com", "9123456789", "Retail Store", "Mumbai", "2–5"),
        *("₹50K–₹2L", 80, "SQL", "ads"),
    )
    assert answers[0] == (1, "What type of business do you run?", "Retail Store", 30, 10)
    assert answers[4][2:] == ("Billing, QR Payments", 300, 15)
    assert sum(row[1] for row in points) == 80
    [(features,)] = plain.rows("SELECT features_interested FROM leads")
    listed = json.loads(features) if isinstance(features, str) else features
    assert listed == ["Billing", "QR Payments"]


def test_the_classes_answer_to_their_older_attributes(plain: Caller) -> None:
    plain.reference()
    with session_scope(plain.resources.engine, read_only=True) as session:
        lead = session.scalars(select(Lead).where(Lead.lead_type == "SQL")).one()
        demo = session.scalars(
            select(UserBehavior).where(UserBehavior.action == "demo_requested")
        ).one()
        first = session.scalars(select(Answer).where(Answer.question_id == 1)).one()

        assert lead.lead_type == lead.lead_classification == "SQL"
        assert demo.action == demo.behavior_type and demo.score_change == demo.score_impact == 15
        assert first.answer_text == "Retail Store"


def test_unknown_keys_are_ignored_everywhere_but_in_a_profile(lite: Caller) -> None:
    session = lite.start(colour="red")
    extra = {"session_id": session, "colour": "red", "lead_score": 1000, "classification": "SQL"}
    for path, body in (
        ("/api/answer", {"question_id": 1, "answer_text": "Restaurant"}),
        ("/api/behavior", {"action": "email_open"}),
        ("/api/lead/profile", {"profile_data": {"name": "A"}}),
    ):
        assert lite.post(path, {**extra, **body}).status_code == 200
    assert lite.score(session) == 15


def test_times_are_iso_in_utc(plain: Caller) -> None:
    session = plain.reference()
    summary = plain.summary(session)
    times = [
        summary["lead_data"]["session_start_time"],
        *(row["timestamp"] for row in summary["ledger"]),
        *(row["created_at"] for row in summary["answers"]),
        plain.get("/health").json["timestamp"],
        plain.export(session)["session_start_time"],
    ]

    for one in times:
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z", one), one


@pytest.mark.parametrize("path", ["/api/nothing", "/api/", "/api/answer/1", "/api/leads/1/2/3"])
def test_unknown_routes_are_404_in_our_shape(lite: Caller, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        reply = lite.app.test_client().open(path, method=method)
        refused(reply, 404)
        assert reply.headers["X-Request-Id"]


def test_a_wrong_method_is_405_and_names_the_right_ones(lite: Caller) -> None:
    for method, path in (("GET", "/api/answer"), ("DELETE", "/api/questions"), ("PUT", "/health")):
        reply = lite.app.test_client().open(path, method=method)
        refused(reply, 405, "method_not_allowed")
        assert reply.headers["Allow"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"session_id": NaN}', "application/json", 400),
        (b'{"a": 1, "a": 2}', "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"session_id=1", "application/x-www-form-urlencoded", 415),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b'"text"', "application/json", 422),
        (b'{"session_id": "\\u0000"}', "application/json", 422),
        (b'{"session_id": "\\ud800"}', "application/json", 422),
        (b'{"session_id": 1}', "application/json", 422),
        (b"{}", "application/json", 422),
        (b'{"session_id": "' + b"x" * 70_000 + b'"}', "application/json", 413),
    ],
)
def test_bodies_that_cannot_be_read_get_one_status(
    lite: Caller, body: bytes, kind: str, status: int
) -> None:
    for path in ("/api/answer", "/api/behavior", "/api/lead/profile", "/api/ab-test/conversion"):
        reply = lite.app.test_client().post(path, data=body, content_type=kind)
        refused(reply, status)


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "garbage"])
@pytest.mark.parametrize("path", ["/api/models/train", "/api/leads/refresh"])
def test_a_job_is_asked_for_whatever_the_type_of_the_body(
    lite: Caller, path: str, kind: str
) -> None:
    client, key = lite.app.test_client(), lite.key("admin")

    reply = client.post(path, data=b"now, please", content_type=kind, headers=key)

    assert reply.status_code == 202, reply.text
    mistyped = client.post("/api/models/train", json={"kind": 5}, headers=key)
    refused(mistyped, 422, "validation_failed")


def test_a_charset_or_a_json_dialect_is_no_other_content_type(lite: Caller) -> None:
    session = lite.start()
    text = json.dumps({"session_id": session, "action": "email_open"})
    for kind in ("application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json"):
        reply = lite.app.test_client().post("/api/behavior", data=text, content_type=kind)
        assert reply.status_code == 200, kind


def test_health_says_what_older_monitors_read(api: Caller) -> None:
    said: dict[str, Any] = api.get("/health").json

    assert said["status"] == "healthy" and said["database"] == "connected" and said["timestamp"]
