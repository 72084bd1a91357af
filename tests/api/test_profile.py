"""POST /api/lead/profile: values kept as sent, contacts checked, what nobody may set."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import JOHN, Caller, MakeCaller, refused


def _send(caller: Caller, session: str, **data: Any) -> Any:
    return caller.post("/api/lead/profile", {"session_id": session, "profile_data": data})


def test_the_reply_holds_the_profile_and_what_it_earned(plain: Caller) -> None:
    session = plain.start()
    said = plain.profile(session, **JOHN, company="Merchant & Sons")

    assert said["session_id"] == session
    assert said["profile"]["name"] == "John Merchant"
    assert said["profile"]["email"] == "john@example.com"
    assert said["profile"]["phone"] == "9123456789"
    assert said["profile"]["company"] == "Merchant & Sons"
    assert said["profile"]["location"] is None
    assert said["profile"]["features_interested"] == []
    assert said["score_change"] == 10 and said["lead_score"] == 15
    assert said["classification"] == said["lead_type"] == said["lead_classification"]


def test_a_contact_counts_once_whether_address_or_number(plain: Caller) -> None:
    by_mail, by_phone, neither = plain.start(), plain.start(), plain.start()

    assert plain.profile(by_mail, email="a@example.com")["score_change"] == 10
    assert plain.profile(by_mail, phone="9123456789")["score_change"] == 0
    assert plain.profile(by_mail, email="b@example.com")["score_change"] == 0
    assert plain.profile(by_phone, phone="+49 30 901820")["score_change"] == 10
    assert plain.profile(neither, name="Ann", company="Acme")["score_change"] == 0
    assert plain.differences() == []


def test_values_are_kept_as_sent_and_never_matched_to_options(plain: Caller) -> None:
    session = plain.start()
    plain.profile(
        session,
        business_type="Retail Shop",
        staff_size="2–5",
        monthly_sales="₹50K–₹2L",
        location="Mumbai",
        features_interested=["Billing", "Time travel"],
    )

    record = plain.export(session)
    assert record["business_type"] == "Retail Shop"
    assert record["staff_size"] == "2–5" and record["monthly_sales"] == "₹50K–₹2L"
    assert record["features_interested"] == ["Billing", "Time travel"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (["Billing", "QR Payments"], ["Billing", "QR Payments"]),
        ('["Billing", "QR Payments"]', ["Billing", "QR Payments"]),
        ("Billing, QR Payments", ["Billing", "QR Payments"]),
        ("Billing", ["Billing"]),
        ([], []),
        ("[]", []),
        (None, []),
    ],
)
def test_features_are_a_list_or_json_in_and_a_list_out(
    lite: Caller, sent: Any, kept: list[str]
) -> None:
    session = lite.start()

    assert lite.profile(session, features_interested=sent)["profile"]["features_interested"] == kept
    assert lite.export(session)["features_interested"] == kept
    entered = lite.staff("POST", "/api/leads", {"name": "Walk-in", "features_interested": sent})
    assert entered.status_code == 201, entered.text
    assert entered.json["features_interested"] == kept


def test_an_impossible_address_is_422_and_nothing_is_kept(plain: Caller) -> None:
    session = plain.start()
    for bad in ("john", "john@", "@example.com", "john@example", "a b@example.com", 5, ["a@b.co"]):
        error = refused(_send(plain, session, name="John", email=bad, vat="X1"), 422)
        assert list(error["fields"]) == ["email"]
    for bad in ("123456", "1" * 16, "call me", "+", True):
        error = refused(_send(plain, session, name="John", phone=bad), 422)
        assert list(error["fields"]) == ["phone"]

    record = plain.export(session)
    assert record["name"] is None and record["attributes"] == {}
    assert plain.score(session) == 5


@pytest.mark.parametrize(
    ("typed", "international"),
    [
        ("9123456789", "+919123456789"),
        ("091234 56789", "+919123456789"),
        ("+1 650-253-0000", "+16502530000"),
        ("1234567", None),
        ("123456789012345", None),
    ],
)
def test_a_number_is_kept_as_typed_beside_its_international_form(
    plain: Caller, typed: str, international: str | None
) -> None:
    session = plain.start()

    assert plain.profile(session, phone=typed)["score_change"] == 10
    record = plain.export(session)
    assert record["phone"] == record["contact_info"] == typed
    kept = plain.rows("SELECT phone_e164 FROM leads WHERE session_id = :s", s=session)
    assert kept == [(international,)]


def test_test_addresses_are_for_development_only(
    make_caller: MakeCaller, database_url: str
) -> None:
    development = make_caller(database_url)
    assert development.profile(development.start(), email="a@shop.test")["score_change"] == 10

    production = make_caller(database_url, FLASK_ENV="production")
    refused(_send(production, production.start(), email="a@shop.test"), 422)


@pytest.mark.parametrize(
    "name",
    [
        *("lead_score", "score", "classification", "lead_classification", "lead_type"),
        *("assigned_to", "outcome", "stage", "probability", "id", "session_id", "tier"),
        *("utm_source", "source", "created_at", "score_category", "explanation", "campaign"),
    ],
)
def test_what_the_server_decides_cannot_be_set(lite: Caller, name: str) -> None:
    session = lite.start()
    error = refused(_send(lite, session, **{"name": "Eve", name: "SQL"}), 422, "unknown_field")

    assert list(error["fields"]) == [name]
    assert lite.export(session)["name"] is None


def test_any_other_key_is_an_attribute_of_the_customers_own(plain: Caller) -> None:
    session = plain.start()
    plain.profile(session, vat="DE123", shops=3, open=True, tags=["a", {"b": None}])
    said = plain.profile(session, vat="DE456")

    expected = {"vat": "DE456", "shops": 3, "open": True, "tags": ["a", {"b": None}]}
    assert plain.export(session)["attributes"] == expected
    assert said["profile"]["vat"] == "DE456"
    assert plain.summary(session)["lead_data"]["shops"] == 3


def test_an_attribute_cannot_take_the_place_of_what_the_server_says(plain: Caller) -> None:
    session = plain.start()
    names = ("engagement_summary", "history", "ledger", "engagement_level", "is_snoozed", "next")
    _send(plain, session, **dict.fromkeys(names, "forged"))

    [row] = plain.staff("GET", "/api/leads").json["leads"]
    lead = plain.staff("GET", f"/api/leads/{row['id']}").json
    assert row["engagement_summary"]["email_opens"] == 0
    assert lead["engagement_summary"] == row["engagement_summary"]
    assert isinstance(lead["history"], list) and lead["engagement_level"] == "low"


def test_null_takes_a_value_away_and_an_empty_text_says_nothing(plain: Caller) -> None:
    session = plain.start()
    plain.profile(session, **JOHN, location="Pune")
    plain.profile(session, name=None, location="   ")

    record = plain.export(session)
    assert record["name"] is None and record["location"] == "Pune"


def test_answers_fill_the_profile(plain: Caller) -> None:
    session = plain.reference()

    record = plain.export(session)
    assert record["business_type"] == "Retail Store" and record["location"] == "Mumbai"
    assert record["features_interested"] == ["Billing", "QR Payments"]


@pytest.mark.parametrize("data", [None, [], "x", 5])
def test_profile_data_is_an_object(lite: Caller, data: Any) -> None:
    body = {"session_id": lite.start(), "profile_data": data}

    error = refused(lite.post("/api/lead/profile", body), 422)
    assert "profile_data" in error["fields"]


def test_a_profile_is_replayed_by_its_key(plain: Caller) -> None:
    session = plain.start()
    body = {"session_id": session, "profile_data": {"email": "a@example.com"}}
    first = plain.post("/api/lead/profile", body, Idempotency_Key="p")
    plain.profile(session, name="Later")
    again = plain.post("/api/lead/profile", body, Idempotency_Key="p")

    assert again.data == first.data and again.json["score_change"] == 10
    assert again.headers["Idempotent-Replayed"] == "true"


def test_who_only_knows_the_id_does_not_read_the_profile_back(plain: Caller) -> None:
    session = plain.reference()
    bare = plain.profile(session)

    assert "John" not in str(bare) and "9123456789" not in str(bare) and "Mumbai" not in str(bare)
    assert bare["profile"]["email"] == "j***@e***.com"
    sent = plain.profile(session, company="Acme")["profile"]
    assert sent["company"] == "Acme" and sent["name"] == "J."
    token = plain.post("/api/session/start").json
    own = plain.post(
        "/api/lead/profile",
        {"session_id": token["session_id"], "profile_data": {"name": "Ann"}},
    )
    assert own.json["profile"]["name"] == "Ann"
    whole = plain.post(
        "/api/lead/profile",
        {"session_id": token["session_id"], "profile_data": {"company": "Ann's"}},
        X_Visitor_Token=token["visitor_token"],
    ).json["profile"]
    assert whole["name"] == "Ann" and whole["company"] == "Ann's"
