"""GET /api/product-menu and /api/cta-options."""

from __future__ import annotations

from tests.api.conftest import Caller, MakeCaller


def test_the_menu_has_the_shipped_products(lite: Caller) -> None:
    products = lite.get("/api/product-menu").json["products"]

    assert [one["name"] for one in products] == [
        *("Billing", "QR Payments", "Inventory", "Online Store", "Loyalty"),
    ]
    assert all(one["id"] for one in products)


def test_the_calls_to_action_are_the_shipped_ones(lite: Caller) -> None:
    options = lite.get("/api/cta-options").json["options"]

    labels = [one["label"] for one in options]
    assert labels == ["Book a demo", "Talk to sales", "Get the brochure"]


def test_both_come_in_the_language_of_the_session(lite: Caller) -> None:
    session = lite.start(locale="hi")

    calls = lite.get("/api/cta-options", {"session_id": session}).json
    menu = lite.get("/api/product-menu", {"session_id": session}).json
    assert calls["options"][0]["label"] == "डेमो बुक करें"
    assert menu["products"][0]["id"] == "billing" and menu["text"].startswith("हमारे")


def test_parts_that_an_older_configuration_lacks_are_left_out(
    make_caller: MakeCaller, sqlite_url: str
) -> None:
    older = make_caller(
        sqlite_url,
        workflow={
            "scoring": {"clicked_demo": 20},
            "classification_thresholds": {"sql_threshold": 40, "mql_threshold": 20},
            "questions": [
                {"id": 1, "text": "What do you sell?", "options": ["Tea", "Coffee"], "step": 1}
            ],
        },
        tests={},
    )
    session = older.start()

    assert older.get("/api/product-menu").json["products"] == []
    assert older.get("/api/cta-options").json["options"] == []
    assert older.behave(session, "demo_requested")["score_change"] == 20
    assert older.answer(session, "business_type", "Tea", time_taken=300)["score_earned"] == 15
    score = older.get(f"/api/score/{session}").json
    assert score["lead_score"] == 40 and score["classification"] == "SQL"
    assert score["thresholds"]["sql"] == 40 and score["thresholds"]["mql"] == 20


def test_the_next_question_names_the_visitor_only_to_who_may_read(
    make_caller: MakeCaller, database_url: str
) -> None:
    questions = [
        {"id": 1, "slug": "name", "field": "name", "text": "Who are you?", "type": "text"},
        {"id": 2, "slug": "why", "text": "Welcome {name|friend}, why?", "type": "text"},
    ]
    api = make_caller(database_url, workflow={"questions": questions}, tests={})
    started = api.post("/api/session/start", {}).json
    body = {"session_id": started["session_id"], "question_id": 1, "answer_text": "Zoe Nine"}

    bare = api.post("/api/answer", body).json["next_question"]["text"]
    own = api.post("/api/answer", body, X_Visitor_Token=started["visitor_token"]).json

    assert bare == "Welcome friend, why?"
    assert own["next_question"]["text"] == "Welcome Zoe Nine, why?"
