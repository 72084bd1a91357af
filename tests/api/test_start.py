"""POST /api/session/start and GET /api/questions."""

from __future__ import annotations

import re

from tests.api.conftest import Caller, MakeCaller, refused


def test_a_start_gives_an_unguessable_id_the_greeting_and_the_first_question(api: Caller) -> None:
    reply = api.post("/api/session/start", {"utm_source": "google_ads"})

    said = reply.json
    assert reply.status_code == 201
    assert re.fullmatch(r"sess_[A-Za-z0-9_-]{32}", said["session_id"])
    assert said["message"] == "Session started successfully"
    assert said["timestamp"] == "2026-11-21T09:00:00.000Z"
    assert said["visitor_token"].startswith("v1.") and said["visitor_token"].count(".") == 3
    assert set(said["variants"]) == {"greeting_message", "question_flow"}
    greetings = {"A": "Hi! Welcome to YouShop!", "B": "🔥 Transform your business with YouShop!"}
    assert said["greeting"] == greetings[said["variants"]["greeting_message"]]
    first = {"A": "business_type", "B": "staff_size"}[said["variants"]["question_flow"]]
    assert said["first_question"]["slug"] == first
    assert reply.headers["X-Request-Id"]


def test_a_start_needs_no_body_at_all(api: Caller) -> None:
    client = api.app.test_client()

    assert client.post("/api/session/start").status_code == 201
    assert client.post("/api/session/start", data=b"", content_type="text/plain").status_code == 201
    assert client.post("/api/session/start", json={}).status_code == 201
    assert client.post("/api/session/start", json={"colour": "red"}).status_code == 201


def test_a_start_with_a_wrong_type_says_which_field(lite: Caller) -> None:
    error = refused(lite.post("/api/session/start", {"utm_source": 5}), 422, "validation_failed")

    assert list(error["fields"]) == ["utm_source"]


def test_a_long_referrer_is_cut_and_not_refused(api: Caller) -> None:
    session = api.start(referrer="https://example.com/?" + "x" * 9000, landing_page="y" * 9000)

    [(referrer, landing)] = api.rows(
        "SELECT referrer, landing_page FROM sessions WHERE id = :id", id=session
    )
    assert len(referrer) == len(landing) == 2000


def test_opening_a_session_earns_five_points_once(api: Caller) -> None:
    session = api.start()

    score = api.get(f"/api/score/{session}").json
    assert score["lead_score"] == 5
    assert score["classification"] == "Unqualified"


def test_consent_that_is_sent_along_is_kept_with_the_version_of_its_text(api: Caller) -> None:
    session = api.start(consent={"given": True, "text_version": "2026-11"})
    silent = api.start(consent=False)

    kept = api.rows("SELECT session_id, text_version, given FROM consents")
    assert [(row[0], row[1], bool(row[2])) for row in kept] == [(session, "2026-11", True)]
    assert api.score(session) == api.score(silent) == 5


def test_a_replayed_start_gives_the_same_session_with_a_fresh_token(api: Caller) -> None:
    key = "a-key-nobody-guesses-1"
    first = api.post("/api/session/start", {"utm_source": "x"}, Idempotency_Key=key)
    api.clock.advance(60)
    again = api.post("/api/session/start", {"utm_source": "x"}, Idempotency_Key=key)

    assert again.status_code == 201
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    before, after = dict(first.json), dict(again.json)
    assert before.pop("visitor_token") != after.pop("visitor_token")
    assert before == after
    assert api.rows("SELECT count(*) FROM sessions") == [(1,)]
    token = again.json["visitor_token"]
    read = api.get(f"/api/lead/summary/{before['session_id']}", X_Visitor_Token=token)
    assert "masked" not in read.json
    stored = api.rows("SELECT body FROM stored_replies")
    assert b"visitor_token" not in bytes(stored[0][0])


def test_a_start_key_must_be_unguessable_and_stands_for_one_body(api: Caller) -> None:
    refused(api.post("/api/session/start", {}, Idempotency_Key="short"), 422)
    refused(api.post("/api/session/start", {}, Idempotency_Key="x" * 256), 422)
    key = "k" * 16
    assert api.post("/api/session/start", {}, Idempotency_Key=key).status_code == 201
    other = api.post("/api/session/start", {"utm_source": "y"}, Idempotency_Key=key)
    refused(other, 422, "idempotency_key_reused")


def test_a_key_is_free_again_after_a_day(api: Caller) -> None:
    key = "a-key-nobody-guesses-2"
    first = api.post("/api/session/start", {}, Idempotency_Key=key).json["session_id"]
    api.clock.advance(24 * 3600 + 1)
    later = api.post("/api/session/start", {}, Idempotency_Key=key)

    assert later.json["session_id"] != first
    assert "Idempotent-Replayed" not in later.headers


def test_the_five_shipped_questions_are_those_of_the_contract(lite: Caller) -> None:
    questions = lite.get("/api/questions").json["questions"]

    assert [one["id"] for one in questions] == [1, 2, 3, 4, 5]
    assert [one["slug"] for one in questions] == [
        *("business_type", "location", "staff_size", "monthly_sales", "features_interested"),
    ]
    assert questions[0]["text"] == "What type of business do you run?"
    assert questions[0]["options"] == [
        *("Restaurant", "Retail Store", "Service Business", "E-commerce", "Other"),
    ]
    assert questions[1]["options"] == []
    assert questions[2]["options"] == ["Just me", "2–5", "6–20", "21–50", "50+"]
    assert questions[3]["options"] == ["Under ₹50K", "₹50K–₹2L", "₹2L–₹10L", "Over ₹10L"]
    assert questions[4]["options"] == [
        *("Billing", "QR Payments", "Inventory", "Online Store", "Loyalty"),
    ]
    for one in questions:
        assert {"id", "text", "options", "step", "type", "required"} <= set(one)
        assert isinstance(one["step"], int) and isinstance(one["required"], bool)
    assert [one["step"] for one in questions] == [1, 2, 3, 4, 5]
    assert questions[4]["type"] in ("multi_choice", "multi-choice")


def test_questions_of_a_session_come_in_its_variants_order(api: Caller) -> None:
    orders = {}
    for _ in range(24):
        started = api.post("/api/session/start", {}).json
        asked = api.get("/api/questions", {"session_id": started["session_id"]}).json
        orders[started["variants"]["question_flow"]] = [one["slug"] for one in asked["questions"]]

    rest = ["monthly_sales", "features_interested"]
    assert orders == {
        "A": ["business_type", "location", "staff_size", *rest],
        "B": ["staff_size", "business_type", "location", *rest],
    }


def test_questions_of_a_session_come_in_its_language(plain: Caller) -> None:
    session = plain.start(locale="hi-IN")
    asked = plain.get("/api/questions", {"session_id": session}).json["questions"]
    arabic = plain.post("/api/session/start", {"locale": "ar"}).json
    other = plain.post("/api/session/start", {"locale": "xx-YY"}).json

    assert asked[0]["text"].startswith("आप") and asked[0]["options"][0] == "रेस्टोरेंट"
    assert arabic["first_question"]["dir"] == "rtl"
    assert other["greeting"] == "Hi! Welcome to YouShop!"
    kept = plain.answer(session, 1, "रेस्टोरेंट")
    assert kept["accepted"]
    assert plain.export(session)["business_type"] == "Restaurant"


def test_unknown_sessions_are_404_everywhere(lite: Caller) -> None:
    gone = "sess_123"
    body = {"session_id": gone}
    for reply in (
        lite.get("/api/questions", {"session_id": gone}),
        lite.get("/api/product-menu", {"session_id": gone}),
        lite.get("/api/cta-options", {"session_id": gone}),
        lite.get(f"/api/score/{gone}"),
        lite.get(f"/api/lead/summary/{gone}"),
        lite.staff("GET", f"/api/lead/export/{gone}"),
        lite.post("/api/answer", {**body, "question_id": 1, "answer_text": "Restaurant"}),
        lite.post("/api/behavior", {**body, "action": "clicked_demo"}),
        lite.post("/api/lead/profile", {**body, "profile_data": {}}),
        lite.post("/api/ab-test/variant/greeting_message", body),
        lite.post(
            "/api/ab-test/conversion",
            {**body, "test_name": "greeting_message", "conversion_type": "clicked"},
        ),
    ):
        refused(reply, 404, "unknown_session")


def test_a_crawler_sees_the_control_and_leaves_no_experiment_rows(api: Caller) -> None:
    robot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    for _ in range(12):
        said = api.post("/api/session/start", {}, User_Agent=robot).json
        assert said["greeting"] == "Hi! Welcome to YouShop!"
        assert said["first_question"]["slug"] == "business_type"
        got = api.post(
            "/api/ab-test/variant/question_flow", {"session_id": said["session_id"]}
        ).json
        assert got["variant"] == "A"

    for table in ("assignments", "exposures", "conversions"):
        assert api.rows(f"SELECT count(*) FROM {table}") == [(0,)]
    counted = api.staff("GET", "/api/analytics/leads").json
    assert counted["total_leads"] == 0 and counted["conversion_rate"] is None


def test_libraries_and_curl_are_clients_and_no_crawlers(api: Caller) -> None:
    for agent in ("curl/8.5.0", "python-requests/2.32", "Go-http-client/2.0", ""):
        api.post("/api/session/start", {}, User_Agent=agent)

    assert api.staff("GET", "/api/analytics/leads").json["total_leads"] == 4


def test_who_fills_the_hidden_field_is_kept_and_not_counted(api: Caller) -> None:
    session = api.start(honeypot="http://spam.example")

    assert api.answer(session, 1, "Restaurant")["accepted"]
    assert api.staff("GET", "/api/analytics/leads").json["total_leads"] == 0
    assert api.rows("SELECT suspicion FROM sessions") == [("honeypot",)]


def test_a_journey_faster_than_reading_is_suspect_in_the_widget_only(api: Caller) -> None:
    for surface in ("widget", "api"):
        session = api.start(surface=surface)
        for number, text in ((1, "Restaurant"), (2, "Pune"), (3, "2–5"), (4, "Over ₹10L")):
            api.answer(session, number, text)
        api.answer(session, 5, "Billing")

    assert api.staff("GET", "/api/analytics/leads").json["total_leads"] == 1


def test_with_experiments_off_everybody_gets_the_control_and_nothing_is_logged(
    make_caller: MakeCaller, database_url: str
) -> None:
    api = make_caller(database_url, AB_TESTING_ENABLED=False)
    for _ in range(12):
        said = api.post("/api/session/start", {}).json
        assert said["greeting"] == "Hi! Welcome to YouShop!"
        assert said["variants"] == {"greeting_message": "A", "question_flow": "A"}
        got = api.post("/api/ab-test/variant/greeting_message", {"session_id": said["session_id"]})
        assert got.json["variant"] == "A"
        told = api.post(
            "/api/ab-test/conversion",
            {
                "session_id": said["session_id"],
                "test_name": "greeting_message",
                "conversion_type": "clicked",
            },
        )
        assert told.json["logged"] is False

    for table in ("assignments", "exposures", "conversions"):
        assert api.rows(f"SELECT count(*) FROM {table}") == [(0,)]
