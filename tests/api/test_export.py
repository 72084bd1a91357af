"""GET /api/lead/export: the CRM record as JSON, CSV and vCard."""

from __future__ import annotations

import csv
import io
import json

import vobject

from tests.api.conftest import JOHN, Caller, refused

KEYS = [
    *("name", "location", "business_type", "staff_size", "monthly_sales", "features_interested"),
    *("contact_info", "email", "phone", "lead_score", "lead_type", "utm_source"),
    *("session_start_time", "assigned_to"),
]


def _file(caller: Caller, session: str, kind: str) -> str:
    reply = caller.staff("GET", f"/api/lead/export/{session}", format=kind)
    assert reply.status_code == 200
    return reply.get_data(as_text=True)


def test_the_record_is_that_of_the_contract_to_the_letter(plain: Caller) -> None:
    session = plain.reference(utm_source="google_ads")
    reply = plain.staff("GET", f"/api/lead/export/{session}")

    record = json.loads(reply.text)
    assert list(record)[: len(KEYS)] == KEYS
    assert {name: record[name] for name in KEYS} == {
        "name": "John Merchant",
        "location": "Mumbai",
        "business_type": "Retail Store",
        "staff_size": "2–5",
        "monthly_sales": "₹50K–₹2L",
        "features_interested": ["Billing", "QR Payments"],
        "contact_info": "9123456789",
        "email": "john@example.com",
        "phone": "9123456789",
        "lead_score": 80,
        "lead_type": "SQL",
        "utm_source": "google_ads",
        "session_start_time": "2026-11-21T09:00:00Z",
        "assigned_to": "CTL-Team",
    }
    assert record["classification"] == record["lead_classification"] == "SQL"
    assert "2–5" in reply.text and "₹50K–₹2L" in reply.text


def test_what_is_not_known_is_null_and_features_are_an_empty_list(plain: Caller) -> None:
    record = plain.export(plain.start())

    assert list(record)[: len(KEYS)] == KEYS
    known = {"lead_score", "lead_type", "session_start_time", "assigned_to"}
    for name in set(KEYS) - known - {"features_interested"}:
        assert record[name] is None, name
    assert record["features_interested"] == []
    assert record["lead_score"] == 5 and record["lead_type"] == "Unqualified"


def test_the_contact_is_the_phone_else_the_address(plain: Caller) -> None:
    session = plain.start()
    plain.profile(session, email="john@example.com")
    assert plain.export(session)["contact_info"] == "john@example.com"

    plain.profile(session, phone="9123456789")
    assert plain.export(session)["contact_info"] == "9123456789"


def test_an_owner_takes_the_place_of_the_default_one(plain: Caller) -> None:
    session = plain.start()
    [lead] = plain.staff("GET", "/api/leads").json["leads"]
    plain.staff("PATCH", f"/api/leads/{lead['id']}", {"assigned_to": "Asha"})

    assert plain.export(session)["assigned_to"] == "Asha"


def test_a_table_has_the_same_columns_and_no_formulas(plain: Caller) -> None:
    session = plain.start(utm_source="@SUM(1)")
    plain.profile(
        session,
        name='=HYPERLINK("http://evil.example","x")',
        company="+1+1",
        location="\t=1+1",
        business_type="-2+3",
        phone="+91 91234 56789",
        features_interested=["=1+1", "Billing"],
    )
    text = _file(plain, session, "csv")

    header, row = list(csv.reader(io.StringIO(text.lstrip("\ufeff"), newline="")))
    assert header[: len(KEYS)] == KEYS
    cells = dict(zip(header, row, strict=True))
    for name in ("name", "company", "business_type", "utm_source", "features_interested"):
        assert cells[name].startswith("'"), name
    assert not [one for one in row if one[:1] in ("=", "+", "-", "@", "\t", "\r", "\n")]
    assert cells["email"] == "" and cells["lead_score"] == "15"
    reply = plain.staff("GET", f"/api/lead/export/{session}", format="csv")
    assert reply.mimetype == "text/csv" and "attachment" in reply.headers["Content-Disposition"]


def test_a_card_is_read_by_an_address_book(plain: Caller) -> None:
    session = plain.reference()
    plain.profile(session, company="Merchant; Sons, Ltd")
    card = vobject.readOne(_file(plain, session, "vcard"))

    assert card.fn.value == "John Merchant"
    assert card.email.value == "john@example.com"
    assert card.tel.value.replace(" ", "").endswith("9123456789")
    assert card.org.value == ["Merchant; Sons, Ltd"]
    reply = plain.staff("GET", f"/api/lead/export/{session}", format="vcard")
    assert reply.mimetype == "text/vcard"


def test_no_line_can_be_added_to_a_card(plain: Caller) -> None:
    session = plain.start()
    plain.profile(
        session,
        name="Eve\r\nEMAIL:evil@example.com\r\nBEGIN:VCARD",
        company="A\nTEL:1",
        location="B\u2028URL:http://evil.example\x85NOTE:x",
    )
    text = _file(plain, session, "vcard")

    card = vobject.readOne(text)
    assert set(card.contents) == {"version", "fn", "n", "org", "adr", "note"}
    assert text.splitlines().count("BEGIN:VCARD") == 1
    assert not [line for line in text.splitlines() if line.startswith(("EMAIL", "TEL", "URL"))]
    empty = vobject.readOne(_file(plain, plain.start(), "vcard"))
    assert empty.fn.value


def test_another_format_is_422(lite: Caller) -> None:
    reply = lite.staff("GET", f"/api/lead/export/{lite.start()}", format="xml")

    assert "format" in refused(reply, 422)["fields"]


def test_a_deleted_leads_session_is_unknown(plain: Caller) -> None:
    session = plain.start()
    plain.profile(session, **JOHN)
    [lead] = plain.staff("GET", "/api/leads").json["leads"]
    plain.staff("DELETE", f"/api/leads/{lead['id']}")

    refused(plain.staff("GET", f"/api/lead/export/{session}"), 404, "unknown_session")
    refused(plain.get(f"/api/score/{session}"), 404, "unknown_session")
