"""POST /api/answer: what is taken, asked again, skipped, edited, refused, and what it earns."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Caller, MakeCaller, refused

BRANCHING: dict[str, Any] = {
    "questions": [
        {"id": 1, "slug": "kind", "text": "Shop or office?", "options": ["Shop", "Office"]},
        {
            "id": 2,
            "slug": "till",
            "text": "Which till, {name|friend}?",
            "type": "text",
            "show_if": {"subject": "answer:kind", "op": "eq", "value": "Shop"},
        },
        {"id": 3, "slug": "email", "field": "email", "text": "Your e-mail?", "type": "email"},
        {
            "id": 4,
            "slug": "mobile",
            "field": "phone",
            "text": "Your phone?",
            "type": "phone",
            "required": False,
        },
        {"id": 5, "slug": "rooms", "text": "Rooms?", "type": "number", "min": 1, "max": 9},
        {"id": 6, "slug": "begin", "text": "From when?", "type": "date", "field": "begin"},
        {"id": 7, "slug": "stars", "text": "How do you like us?", "type": "rating"},
        {"id": 8, "slug": "agree", "text": "May we write?", "type": "consent"},
    ]
}


@pytest.fixture
def branching(make_caller: MakeCaller, database_url: str) -> Caller:
    """A workflow with every other question type, and a question that branching may hide."""
    return make_caller(database_url, workflow=BRANCHING, tests={})


def test_a_reply_tells_what_was_earned_and_what_comes_next(plain: Caller) -> None:
    session = plain.start()
    said = plain.answer(session, 1, "Restaurant", time_taken=300)

    assert said["session_id"] == session
    assert said["question_id"] == 1
    assert said["accepted"] is True
    assert said["score_earned"] == 5 and said["lead_score"] == 10
    assert said["classification"] == said["lead_type"] == said["lead_classification"]
    assert said["classification"] == "Unqualified"
    assert said["next_question"]["id"] == 2
    assert said["progress"]["answered"] == 1 and said["progress"]["total"] == 5
    assert said["completed"] is False
    assert "reask" not in said


def test_the_reference_journey_scores_exactly_eighty(api: Caller) -> None:
    session = api.start()
    earned = [
        api.answer(session, number, text, time_taken=seconds)["score_earned"]
        for number, text, seconds in (
            (1, "Retail Store", 30),
            (2, "Mumbai", 40),
            (3, "2–5", 50),
            (4, "₹50K–₹2L", 300),
        )
    ]
    last = api.answer(session, 5, ["Billing", "QR Payments"], time_taken=300)
    shared = api.profile(session, email="john@example.com")
    demo = api.behave(session, "clicked_demo")

    assert earned == [10, 10, 10, 5]
    assert last["score_earned"] == 15
    assert last["completed"] is True and last["next_question"] is None
    assert shared["score_change"] == 10 and shared["classification"] == "SQL"
    assert demo["score_change"] == 15
    assert demo["lead_score"] == 80 and demo["classification"] == "SQL"
    assert api.differences() == []


def test_a_question_is_named_by_number_numeric_text_or_slug(plain: Caller) -> None:
    session = plain.start()

    assert plain.answer(session, "1", "Restaurant")["question_id"] == 1
    assert plain.answer(session, "location", "Pune")["question_id"] == 2
    for unknown in (99, "99", "colour", 0, -1, 2**62):
        body = {"session_id": session, "question_id": unknown, "answer_text": "x"}
        error = refused(plain.post("/api/answer", body), 422)
        assert "question_id" in error["fields"]


def test_answers_are_taken_in_any_order(api: Caller) -> None:
    session = api.start()
    for number, text in ((5, "Billing"), (3, "Just me"), (1, "Other"), (4, "Over ₹10L")):
        assert api.answer(session, number, text)["accepted"]

    last = api.answer(session, 2, "Pune")
    assert last["completed"] and last["next_question"] is None


@pytest.mark.parametrize(
    "sent",
    [
        ["Billing", "Online Store"],
        '["Billing", "Online Store"]',
        "Billing, Online Store",
        "billing,online store",
    ],
)
def test_a_multiple_choice_is_a_list_json_or_commas(lite: Caller, sent: Any) -> None:
    session = lite.start()

    assert lite.answer(session, 5, sent)["accepted"]
    assert lite.export(session)["features_interested"] == ["Billing", "Online Store"]


def test_one_option_of_a_multiple_choice_may_be_sent_alone(plain: Caller) -> None:
    session = plain.start()

    assert plain.answer(session, 5, "QR Payments")["accepted"]
    assert plain.export(session)["features_interested"] == ["QR Payments"]
    assert plain.summary(session)["lead_data"]["features_interested"] == ["QR Payments"]


def test_sizes_and_sales_come_back_byte_for_byte(plain: Caller) -> None:
    for size in ("Just me", "2–5", "6–20", "21–50", "50+"):
        session = plain.start()
        plain.answer(session, 3, size)
        assert plain.export(session)["staff_size"] == size
    for sales in ("Under ₹50K", "₹50K–₹2L", "₹2L–₹10L", "Over ₹10L"):
        session = plain.start()
        plain.answer(session, 4, sales)
        assert plain.export(session)["monthly_sales"] == sales
        assert sales in plain.staff("GET", f"/api/lead/export/{session}").text


def test_an_uncertain_text_is_asked_again_once_and_then_believed(plain: Caller) -> None:
    session = plain.start()
    first = plain.answer(session, 1, "Yoga tent rental")

    assert first["accepted"] is False
    assert first["reask"]["message"] and first["reask"]["suggestions"]
    assert first["score_earned"] == 0 and first["lead_score"] == 5
    assert first["next_question"]["id"] == 1
    second = plain.answer(session, 1, "Yoga tent rental")
    assert second["accepted"] is True and "reask" not in second
    assert plain.export(session)["business_type"] == "Yoga tent rental"
    answer = plain.summary(session)["answers"][0]
    assert answer["answer_text"] == "Yoga tent rental" and answer["options"] == ["Other"]


def test_a_text_is_believed_the_second_time_whatever_was_tried_between(plain: Caller) -> None:
    session = plain.start()

    assert not plain.answer(session, 1, "Yoga tent rental")["accepted"]
    assert not plain.answer(session, 1, "Zorbing park")["accepted"]
    assert plain.answer(session, 1, "Yoga tent rental")["accepted"]


def test_a_near_text_is_asked_with_what_may_be_meant(plain: Caller) -> None:
    session = plain.start()
    asked = plain.answer(session, 1, "restore")

    assert asked["accepted"] is False
    assert set(asked["reask"]["suggestions"]) <= {
        *("Restaurant", "Retail Store", "Service Business", "E-commerce", "Other"),
    }
    assert plain.answer(session, 1, "I run a small restaurant")["accepted"]
    assert plain.export(session)["business_type"] == "Restaurant"


def test_a_question_without_other_keeps_a_believed_text_as_typed(plain: Caller) -> None:
    session = plain.start()

    assert not plain.answer(session, 4, "it depends on monsoon")["accepted"]
    assert plain.answer(session, 4, "it depends on monsoon")["accepted"]
    assert plain.export(session)["monthly_sales"] == "it depends on monsoon"


def test_an_address_or_number_that_cannot_be_one_is_asked_again_each_time(
    branching: Caller,
) -> None:
    session = branching.start()
    for _ in range(3):
        assert not branching.answer(session, "email", "john at example")["accepted"]
        assert not branching.answer(session, "mobile", "12")["accepted"]
        assert not branching.answer(session, "rooms", "many")["accepted"]
        assert not branching.answer(session, "begin", "soon")["accepted"]
    assert branching.skip(session, "mobile")["accepted"]
    assert branching.score(session) == 5


def test_an_answered_address_fills_the_profile_and_counts_as_a_contact(branching: Caller) -> None:
    session = branching.start()
    said = branching.answer(session, "email", "ann@example.com", time_taken=300)

    # answered_question, shared_contact, and more than ten typed characters
    assert said["score_earned"] == 5 + 10 + 5
    assert branching.export(session)["email"] == "ann@example.com"
    branching.answer(session, "mobile", "+91 91234 56789", time_taken=300)
    assert branching.export(session)["phone"] == "+91 91234 56789"
    assert branching.export(session)["contact_info"] == "+91 91234 56789"
    assert "demo" not in str(branching.summary(session)["behaviors"])


def test_every_type_of_question_takes_its_answer(branching: Caller) -> None:
    session = branching.start()
    for name, good in (
        ("kind", "Shop"),
        ("till", "An old one"),
        ("email", "ann@example.com"),
        ("mobile", "9123456789"),
        ("rooms", 4),
        ("begin", "2026-12-01"),
        ("stars", 5),
        ("agree", "yes"),
    ):
        last = branching.answer(session, name, good)
        assert last["accepted"], name
    assert last["completed"]
    assert not branching.answer(session, "rooms", "10")["accepted"]
    assert branching.differences() == []


def test_a_hidden_question_is_refused_and_opens_with_its_branch(branching: Caller) -> None:
    session = branching.start()
    body = {"session_id": session, "question_id": "till", "answer_text": "Square"}
    branching.answer(session, "kind", "Office")
    refused(branching.post("/api/answer", body), 409, "question_not_open")

    said = branching.answer(session, "kind", "Shop")
    assert said["next_question"]["text"] == "Which till, friend?"
    assert branching.answer(session, "till", "Square")["accepted"]
    before = branching.score(session)
    branching.answer(session, "kind", "Office")
    assert branching.score(session) < before
    assert branching.differences() == []


def test_a_variable_in_a_text_is_filled_from_the_profile(branching: Caller) -> None:
    started = branching.post("/api/session/start", {}).json
    session, token = started["session_id"], started["visitor_token"]
    branching.profile(session, name="Anna")
    body = {"session_id": session, "question_id": "kind", "answer_text": "Shop"}

    said = branching.post("/api/answer", body, X_Visitor_Token=token).json

    assert said["next_question"]["text"] == "Which till, Anna?"


def test_an_optional_question_is_skipped_and_a_required_one_is_asked_again(plain: Caller) -> None:
    session = plain.start()
    skipped = plain.skip(session, 2)

    assert skipped["accepted"] and skipped["score_earned"] == 0
    assert skipped["progress"]["answered"] == 0
    refused_skip = plain.skip(session, 1)
    assert refused_skip["accepted"] is False and refused_skip["reask"]["message"]
    null = {"session_id": session, "question_id": 4, "skip": True, "answer_text": None}
    assert plain.post("/api/answer", null).json["accepted"]


def test_completed_counts_skips_and_answered_all_does_not(plain: Caller) -> None:
    session = plain.start()
    plain.answer(session, 1, "Restaurant", time_taken=300)
    plain.answer(session, 3, "2–5", time_taken=300)
    plain.skip(session, 2)
    plain.skip(session, 4)
    last = plain.skip(session, 5)

    assert last["completed"] is True and last["lead_score"] == 15
    plain.answer(session, 2, "Pune", time_taken=300)
    plain.answer(session, 4, "Over ₹10L", time_taken=300)
    assert plain.answer(session, 5, "Loyalty", time_taken=300)["score_earned"] == 15


def test_a_skip_after_an_answer_takes_its_points_back(plain: Caller) -> None:
    session = plain.start()
    plain.answer(session, 2, "Bandra West, Mumbai", time_taken=300)
    assert plain.score(session) == 15

    assert plain.skip(session, 2)["score_earned"] == -10
    assert plain.score(session) == 5
    assert plain.export(session)["location"] is None


def test_an_edit_replaces_points_and_never_adds_them(plain: Caller) -> None:
    session = plain.start()
    plain.answer(session, 2, "Bandra West, Mumbai", time_taken=30)
    assert plain.score(session) == 5 + 5 + 5 + 5

    assert plain.answer(session, 2, "Pune", time_taken=30)["score_earned"] == -5
    assert plain.answer(session, 2, "Koregaon Park, Pune", time_taken=30)["score_earned"] == 5
    for _ in range(3):
        assert plain.answer(session, 2, "Koregaon Park, Pune")["score_earned"] == 0
    assert plain.score(session) == 20
    assert plain.export(session)["location"] == "Koregaon Park, Pune"
    [answer] = plain.summary(session)["answers"]
    assert answer["answer_text"] == "Koregaon Park, Pune"
    kept = plain.rows("SELECT count(*) FROM events WHERE kind = 'answer.recorded'")
    assert kept == [(3,)]
    assert plain.differences() == []


def test_whether_a_reply_was_quick_is_decided_by_the_first_answer(plain: Caller) -> None:
    slow, quick = plain.start(), plain.start()
    plain.answer(slow, 1, "Restaurant", time_taken=120)
    plain.answer(quick, 1, "Restaurant", time_taken=119.9)
    assert (plain.score(slow), plain.score(quick)) == (10, 15)

    plain.answer(slow, 1, "Other", time_taken=1)
    plain.answer(quick, 1, "Other", time_taken=500)
    assert (plain.score(slow), plain.score(quick)) == (10, 15)


def test_nobody_is_quicker_than_the_server_measured(plain: Caller) -> None:
    session = plain.start()
    plain.clock.advance(119)
    assert plain.answer(session, 1, "Restaurant", time_taken=1)["score_earned"] == 10
    plain.clock.advance(121)
    assert plain.answer(session, 2, "Pune", time_taken=1)["score_earned"] == 5
    # Question 4 was not shown yet: the time runs from the answer before.
    plain.clock.advance(10)
    assert plain.answer(session, 4, "Over ₹10L")["score_earned"] == 10
    # Question 3 has been shown since the answer to 2.
    plain.clock.advance(110)
    assert plain.answer(session, 3, "2–5", time_taken=2)["score_earned"] == 5
    assert plain.answer(session, 5, "Billing", time_taken=500)["score_earned"] == 15
    taken = {one["question_id"]: one["time_taken"] for one in plain.summary(session)["answers"]}
    assert taken == {1: 119, 2: 121, 4: 10, 3: 120, 5: 500}


def test_a_detailed_answer_is_typed_and_longer_than_ten_characters(plain: Caller) -> None:
    for text, earned in (
        ("0123456789", 0),
        ("   0123456789   ", 0),
        ("01234567890", 5),
    ):
        session = plain.start()
        assert plain.answer(session, 2, text, time_taken=300)["score_earned"] == 5 + earned
    clicked = plain.start()
    for option in ("Service Business", "service business"):
        assert plain.answer(clicked, 1, option, time_taken=300)["lead_score"] == 10
    typed = plain.start()
    assert plain.answer(typed, 1, "a small restaurant", time_taken=300)["score_earned"] == 10


@pytest.mark.parametrize("words", ["Yes, go ahead", "Not now", "  yes, GO ahead "])
def test_a_greeting_reply_earns_five_and_leaves_the_question_open(
    plain: Caller, words: str
) -> None:
    session = plain.start()
    said = plain.answer(session, 1, words)

    assert said["score_earned"] == 5 and said["lead_score"] == 10
    assert said["progress"]["answered"] == 0 and said["next_question"]["id"] == 1
    assert plain.answer(session, 1, words)["score_earned"] == 0
    assert plain.behave(session, "replied_to_greeting")["score_change"] == 0
    assert plain.summary(session)["answers"] == []
    plain.answer(session, 1, "Restaurant")
    assert plain.answer(session, 1, "Not now")["accepted"] is False


def test_a_greeting_reply_is_understood_in_every_variant_and_language(api: Caller) -> None:
    for _ in range(6):
        session = api.start(locale="hi")
        assert api.answer(session, 1, "हाँ, बताइए")["score_earned"] == 5
        assert api.answer(session, 1, "Yes, go ahead")["score_earned"] == 0


def test_a_closed_conversation_takes_no_edits(plain: Caller) -> None:
    session = plain.reference()
    plain.behave(session, "confirmed_summary")

    for more in ({"answer_text": "Other"}, {"skip": True}, {"answer_text": "Yoga tent rental"}):
        body = {"session_id": session, "question_id": 1, **more}
        refused(plain.post("/api/answer", body), 409, "session_closed")
    body = {"session_id": session, "profile_data": {"name": "Eve"}}
    refused(plain.post("/api/lead/profile", body), 409, "session_closed")
    assert plain.score(session) == 80
    assert plain.export(session)["name"] == "John Merchant"
    # What stands already may be said again: a retry is no edit.
    assert plain.answer(session, 1, "Retail Store")["score_earned"] == 0


def test_time_alone_closes_nothing(plain: Caller) -> None:
    session = plain.start()
    plain.clock.advance(300 * 24 * 3600)

    assert plain.answer(session, 1, "Restaurant")["accepted"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "question_id"),
        ({"question_id": 1}, "answer_text"),
        ({"question_id": True, "answer_text": "x"}, "question_id"),
        ({"question_id": 1.5, "answer_text": "x"}, "question_id"),
        ({"question_id": [1], "answer_text": "x"}, "question_id"),
        ({"question_id": 1, "answer_text": {"a": 1}}, "answer_text"),
        ({"question_id": 1, "answer_text": None}, "answer_text"),
        ({"question_id": 1, "answer_text": True}, "answer_text"),
        ({"question_id": 1, "answer_text": "x" * 5001}, "answer_text"),
        ({"question_id": 1, "answer_text": "x", "time_taken": -1}, "time_taken"),
        ({"question_id": 1, "answer_text": "x", "time_taken": "soon"}, "time_taken"),
        ({"question_id": 1, "answer_text": "x", "skip": "yes"}, "skip"),
    ],
)
def test_what_is_no_answer_is_422_and_names_its_field(
    lite: Caller, body: dict[str, Any], field: str
) -> None:
    session = lite.start()
    error = refused(lite.post("/api/answer", {"session_id": session, **body}), 422)

    assert field in error["fields"]
    assert all(isinstance(one, str) for one in error["fields"][field])
    assert lite.score(session) == 5


@pytest.mark.parametrize("nothing", ["", "   ", [], [""], ["", " "]])
def test_an_empty_answer_is_asked_again(lite: Caller, nothing: Any) -> None:
    session = lite.start()
    for question in (1, 2, 5):
        for _ in range(2):
            said = lite.answer(session, question, nothing)
            assert said["accepted"] is False and said["reask"]["message"]
    assert lite.score(session) == 5


def test_the_same_key_gives_the_same_reply_once_counted(plain: Caller) -> None:
    session = plain.start()
    body = {"session_id": session, "question_id": 1, "answer_text": "Restaurant"}
    first = plain.post("/api/answer", body, Idempotency_Key="1")
    again = plain.post("/api/answer", body, Idempotency_Key="1")

    assert again.data == first.data and again.json["score_earned"] == 10
    assert again.headers["Idempotent-Replayed"] == "true"
    other = {**body, "answer_text": "Other"}
    refused(plain.post("/api/answer", other, Idempotency_Key="1"), 422, "idempotency_key_reused")
    elsewhere = plain.start()
    free = plain.post("/api/answer", {**body, "session_id": elsewhere}, Idempotency_Key="1")
    assert free.status_code == 200 and "Idempotent-Replayed" not in free.headers
    without = plain.post("/api/answer", body)
    assert without.json["score_earned"] == 0 and without.json["lead_score"] == 15
