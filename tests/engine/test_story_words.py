"""What people read of a lead: awards, facts and the conversation, in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.fact_words import Chapter, tell
from engine.ledger_words import award_words
from engine.transcript import Line, Said, Speaker, transcript
from engine.vocabulary import Action, FactKind
from engine.workflow_reader import read_workflow
from workflow_config import WORKFLOW_CONFIG

WORKFLOW = read_workflow(WORKFLOW_CONFIG, {})
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("action", "subject", "points", "generation", "words"),
    [
        ("session_opened", "", 5, 0, "Opened the chat"),
        ("answered_question", "1", 5, 0, "Answered “What type of business do you run?”"),
        ("quick_reply", "1", -5, 1, "Taken back: answered quickly “What type of business"),
        ("answered_question", "99", 5, 0, "Answered “question 99”"),
        ("demo_requested", "", 15, 0, "Asked for a demo"),
        ("clicked_product", "billing", 5, 0, "Clicked the product Billing"),
        ("clicked_product", "", 5, 0, "Clicked a product"),
        ("cta_clicked", "nothing-we-know", 15, 0, "Chose a call to action"),
        ("shared_contact", "", 3, 2, "Left an e-mail address or a phone number (again"),
        ("something_of_old", "", 1, 0, "Something of old"),
    ],
)
def test_an_award_is_told_in_words(
    action: str, subject: str, points: int, generation: int, words: str
) -> None:
    assert award_words(action, subject, points, generation, WORKFLOW).startswith(words)


def test_a_call_to_action_is_named_by_its_label() -> None:
    call = next(one for one in WORKFLOW.calls_to_action if one.action is Action.CTA_CLICKED)

    assert award_words("cta_clicked", call.id, 15, 0, WORKFLOW) == f"Chose “{call.label}”"


@pytest.mark.parametrize("kind", list(FactKind))
def test_every_fact_has_words_whatever_it_measured(kind: FactKind) -> None:
    for workflow in (None, WORKFLOW):
        told = tell(kind, {}, workflow)

        assert told.text and told.chapter in Chapter
        assert "{" not in told.text


@pytest.mark.parametrize(
    ("kind", "measured", "words"),
    [
        (FactKind.ANSWER_RECORDED, {"question_id": 1, "skipped": True}, "Skipped “What type of"),
        (
            FactKind.LEAD_CLASSIFIED,
            {"from": "MQL", "to": "SQL", "score": 60},
            "Class MQL → SQL with 60",
        ),
        (
            FactKind.ACTIVITY_LOGGED,
            {"kind": "call", "duration": 240, "outcome": "no_answer"},
            "Call: no answer, 4 min",
        ),
        (FactKind.ACTIVITY_LOGGED, {"kind": "call", "duration": 40}, "Call: 40 s"),
        (FactKind.ACTIVITY_LOGGED, {"kind": "note"}, "Note"),
        (FactKind.LEAD_ASSIGNED, {"from": "a@b.c", "to": None}, "Given to nobody"),
        (
            FactKind.LEAD_STAGED,
            {"from": None, "to": "Meeting"},
            "Moved from the first stage to Meeting",
        ),
        (
            FactKind.LEAD_STAGED,
            {"from": "Deal", "to": "Meeting", "reopened": True},
            "Moved from Deal to Meeting, open again",
        ),
        (
            FactKind.LEAD_RECYCLED,
            {"from": "Spring", "to": "Autumn"},
            "Starts anew in the campaign Autumn (before: Spring)",
        ),
        (FactKind.OUTCOME_RECORDED, {"outcome": "won", "value": 1200.0}, "Deal, worth 1200"),
        (FactKind.OUTCOME_RECORDED, {"outcome": None}, "Conversation closed"),
        (
            FactKind.PROFILE_UPDATED,
            {"by": "staff", "fields": ["staff_size"]},
            "Staff changed the profile: staff size",
        ),
        (FactKind.LEAD_CHOSEN, {"by": "chance"}, "Chosen for work by lot"),
        (
            FactKind.EXPERIMENT_EXPOSED,
            {"experiment": "greeting", "arm": "B"},
            "Saw variant B of greeting",
        ),
    ],
)
def test_a_fact_is_told_in_words(kind: FactKind, measured: dict[str, Any], words: str) -> None:
    assert tell(kind, measured, WORKFLOW).text.startswith(words)


def test_a_moment_in_a_fact_is_left_to_the_readers_own_zone() -> None:
    told = tell(FactKind.FOLLOW_UP_SET, {"due_at": "2026-11-22T09:00:00Z"}, None)

    assert (told.text, told.moments) == ("Follow-up set for", ("2026-11-22T09:00:00Z",))


# The conversation


def said(*facts: tuple[FactKind, dict[str, Any], dict[str, Any]]) -> list[Said]:
    return [
        Said(number, kind, measured, personal, NOW + timedelta(minutes=number))
        for number, (kind, measured, personal) in enumerate(facts, start=1)
    ]


def answer(
    question: int, text: str, **more: Any
) -> tuple[FactKind, dict[str, Any], dict[str, Any]]:
    measured = {"question_id": question, "options": [text], "typed": False, "seconds": 12.0, **more}
    return FactKind.ANSWER_RECORDED, measured, {"text": text}


STARTED = (FactKind.SESSION_STARTED, {}, {})


def told(facts: list[Said], *, full: bool = True, **more: Any) -> list[tuple[str, str | None]]:
    lines = transcript(facts, WORKFLOW, None, {}, full=full, **more)
    return [(str(line.speaker), line.text) for line in lines]


def test_a_conversation_reads_as_the_visitor_saw_it() -> None:
    facts = said(
        STARTED,
        (FactKind.ANSWER_REASKED, {"question_id": 1}, {"text": "restaurnt or so"}),
        answer(1, "Restaurant"),
        (FactKind.PROFILE_UPDATED, {"fields": ["name"]}, {"profile": {"name": "Nina"}}),
        (FactKind.BEHAVIOR_REPORTED, {"action": "demo_requested", "subject": ""}, {}),
    )

    lines = told(facts, open_question=2)

    assert lines[0] == ("bot", WORKFLOW.greeting.text)
    assert lines[1] == ("bot", "What type of business do you run?")
    assert lines[2] == ("visitor", "restaurnt or so")
    assert lines[3][0] == "bot" and lines[3][1] != lines[1][1]
    assert lines[4] == ("visitor", "Restaurant")
    assert ("visitor", "name: Nina") in lines
    assert any("Nina" in (text or "") for speaker, text in lines if speaker == "bot")
    assert ("visitor", "Asked for a demo") in lines
    assert lines[-1] == ("bot", "Where is your business located?")


def test_a_changed_answer_stands_beside_the_one_it_replaced() -> None:
    lines = transcript(
        said(STARTED, answer(3, "2–5"), answer(1, "Restaurant"), answer(3, "6–20")),
        WORKFLOW,
        None,
        {2: 10, 4: -5},
        full=True,
    )

    mine = [one for one in lines if one.speaker is Speaker.VISITOR and one.question_id == 3]
    assert [(one.text, one.is_replaced, one.is_edit, one.points) for one in mine] == [
        ("2–5", True, False, 10),
        ("6–20", False, True, -5),
    ]


def test_who_may_not_read_it_sees_choices_and_nothing_that_was_typed() -> None:
    facts = said(
        STARTED,
        answer(1, "Restaurant"),
        answer(2, "Secret Street 5", typed=True, options=[]),
        (FactKind.ANSWER_REASKED, {"question_id": 3}, {"text": "secretly many"}),
        (FactKind.PROFILE_UPDATED, {"fields": ["name"]}, {"profile": {"name": "Secreta"}}),
        (FactKind.BEHAVIOR_REPORTED, {"action": "demo_requested", "subject": ""}, {}),
    )

    lines = told(facts, full=False)

    assert ("visitor", "Restaurant") in lines
    assert lines.count(("visitor", None)) == 3
    assert not any("ecret" in (text or "") for _, text in lines)


def test_what_was_erased_leaves_a_gap_and_no_error() -> None:
    facts = said(
        STARTED,
        (FactKind.ANSWER_RECORDED, {"question_id": 2, "typed": True, "seconds": 3.0}, {}),
        (FactKind.ANSWER_REASKED, {"question_id": 1}, {}),
        (FactKind.PROFILE_UPDATED, {"fields": ["name"]}, {}),
    )

    assert told(facts).count(("visitor", None)) == 3


def test_skips_outcomes_products_and_strange_words_are_told_too() -> None:
    facts = said(
        STARTED,
        (FactKind.BEHAVIOR_REPORTED, {"action": "replied_to_greeting", "subject": ""}, {}),
        answer(2, "", skipped=True, options=[]),
        answer(77, "gone"),
        (FactKind.BEHAVIOR_REPORTED, {"action": "clicked_product", "subject": "billing"}, {}),
        (FactKind.BEHAVIOR_REPORTED, {"action": "consent_given", "subject": ""}, {}),
        (FactKind.BEHAVIOR_REPORTED, {"action": "website_visit", "subject": ""}, {}),
        (FactKind.BEHAVIOR_REPORTED, {"action": "confirmed_summary", "subject": ""}, {}),
        (FactKind.PROFILE_UPDATED, {"by": "staff"}, {"profile": {"name": "By us"}}),
        (FactKind.SESSION_RESCORED, {"version": 3}, {}),
        (FactKind.OUTCOME_RECORDED, {"outcome": "won"}, {}),
        (FactKind.JOURNEY_COMPLETED, {}, {}),
    )

    lines = told(facts)

    for line in (
        ("visitor", "Replied to the greeting"),
        ("visitor", "Skipped"),
        ("bot", "Question 77"),
        ("visitor", "gone"),
        ("visitor", "Clicked the product Billing"),
        ("visitor", "Gave consent"),
        ("note", "Visited the website"),
        ("visitor", "Confirmed the summary"),
        ("note", "Re-scored under workflow version 3"),
    ):
        assert line in lines, line
    assert not any("By us" in (text or "") for _, text in lines)


def test_words_before_a_step_are_said_once_and_only_if_there_are_any() -> None:
    clicked = (FactKind.BEHAVIOR_REPORTED, {"action": "clicked_product", "subject": "billing"}, {})
    mute = read_workflow({**WORKFLOW_CONFIG, "product_text": ""}, {})
    spoken = WORKFLOW.text("products", None)

    lines = told(said(STARTED, clicked, clicked))
    silent = transcript(said(STARTED, clicked), mute, None, {}, full=True)

    assert spoken and lines.count(("bot", spoken)) == 1
    assert [one.speaker for one in silent].count(Speaker.BOT) == 1


def test_what_was_asked_again_and_would_be_understood_today_is_still_told() -> None:
    lines = told(
        said(STARTED, (FactKind.ANSWER_REASKED, {"question_id": 1}, {"text": "Restaurant"}))
    )

    assert lines[-1] == ("bot", "Asked again, kindly.")


def test_the_order_of_reading_does_not_matter() -> None:
    facts = said(STARTED, answer(1, "Restaurant"), answer(3, "2–5"))
    lines: list[Line] = list(transcript(facts, WORKFLOW, None, {}, full=True))

    assert list(transcript(reversed(facts), WORKFLOW, None, {}, full=True)) == lines
