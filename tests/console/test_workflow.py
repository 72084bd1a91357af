"""The workflow page: versions, drafts in forms, the preview, the past, publishing, files."""

from __future__ import annotations

import html
import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from config import SettingsError
from engine.workflow_edits import find_question
from jobs.tasks import Worker
from models import AuditEntry, Conversation, Event, Lead, WorkflowVersion
from services import unit_of_work, workflow_trial
from services.resources import read_shipped
from services.workflow_drafts import Draft
from services.workflow_preview import SESSION
from services.workflow_service import WorkflowService
from tests.console.forms import form_to
from tests.console.office import Office, Visit, office, plain
from web.console import workflow_try
from workflow_config import ACTIVE_TESTS, WORKFLOW_CONFIG

HOSTILE = '"><script>alert(1)</script>{{7*7}}'
Form = dict[str, Any]


def begin(office: Office, mark: Visit, version: int = 1) -> int:
    reply = mark.post("/console/workflow/drafts", {"version": version})
    assert reply.status_code == 303, reply.text
    found = re.search(r"/drafts/(\d+)/", reply.headers["Location"])
    assert found
    return int(found[1])


def draft(office: Office, number: int) -> Draft:
    found: Draft = office.ask(lambda services: services.workflow_drafts.get(number))
    return found


def form_of(text: str) -> Form:
    """What a browser would send of the editor's form, were nothing changed in it."""
    inside = re.search(
        r'<form method="post"[^>]*data-module="workflow-form"[^>]*>(.*?)</form>', text, re.S
    )
    assert inside
    said: Form = {}
    for tag in re.findall(r"<input[^>]*>", inside[1]):
        at = {name: _unescaped(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}
        if at.get("type") == "checkbox":
            if " checked" in tag:
                said.setdefault(at["name"], []).append(at.get("value", "on"))
        elif at.get("name", "csrf_token") != "csrf_token":
            said[at["name"]] = at.get("value", "")
    for name, body in re.findall(
        r'<textarea[^>]*name="([^"]+)"[^>]*>\n?(.*?)</textarea>', inside[1], re.S
    ):
        said[name] = _unescaped(body)
    for name, body in re.findall(
        r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', inside[1], re.S
    ):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        said[name] = _unescaped(chosen[1] if chosen else re.findall(r'value="([^"]*)"', body)[0])
    return said


def _unescaped(text: str) -> str:
    return html.unescape(text)


def save(mark: Visit, path: str, **changes: Any) -> Any:
    """The form at this path sent with these fields changed."""
    return mark.post(path, {**form_of(mark.get(path).text), **changes})


def audited(office: Office) -> list[str]:
    names = select(AuditEntry.action).order_by(AuditEntry.id)
    found: list[str] = office.ask(lambda services: list(services.session.scalars(names)))
    return found


# Who


def test_a_viewer_looks_and_changes_nothing_and_sales_does_not_see_it(small: Office) -> None:
    number = begin(small, small.mark)
    path = f"/console/workflow/drafts/{number}"

    assert small.sam.get("/console/workflow").status_code == 403
    assert small.sam.get(f"{path}/points").status_code == 403
    text = small.vera.get(f"{path}/points").text
    assert "Save</button>" not in text and "<fieldset disabled" in text
    assert "Change it" not in small.vera.text("/console/workflow")
    for one in ("points", "publish", "try", "questions", "throw-away"):
        assert small.vera.post(f"{path}/{one}", {"revision": 1}).status_code == 403, one
    assert small.vera.post("/console/workflow/versions/1/restore").status_code == 403
    assert draft(small, number).revision == 1


# Forms


PARTS = ("beginning", "ending", "points", "widget", "questions/1", "questions/5", "languages/hi")


def test_a_form_sent_as_it_is_changes_nothing(small: Office) -> None:
    mark = small.mark
    number = begin(small, mark)
    before = draft(small, number)

    for part in PARTS:
        reply = save(mark, f"/console/workflow/drafts/{number}/{part}")

        assert reply.status_code == 303, plain(reply.text)
        after = draft(small, number)
        assert (after.workflow, after.tests) == (before.workflow, before.tests), part
    assert draft(small, number).revision == 1 + len(PARTS)


def test_an_option_that_gets_another_text_keeps_its_translations(ours: Office) -> None:
    mark = ours.mark
    number = begin(ours, mark)
    path = f"/console/workflow/drafts/{number}/questions/1"

    reply = save(mark, path, **{"options-0-value": "Café or restaurant"})

    assert reply.status_code == 303
    now = draft(ours, number)
    assert find_question(now.workflow, 1)["options"][0]["value"] == "Café or restaurant"
    hindi = now.workflow["translations"]["hi"]["questions"]["business_type"]["options"]
    assert hindi["Café or restaurant"] == "रेस्टोरेंट" and "Restaurant" not in hindi
    assert now.problems == ()
    said = mark.text(f"/console/workflow/drafts/{number}/publish")
    assert "option “Restaurant” is now “Café or restaurant”" in said


def test_what_a_visitor_would_trip_over_is_said_beside_the_field_and_kept(ours: Office) -> None:
    mark = ours.mark
    number = begin(ours, mark)
    path = f"/console/workflow/drafts/{number}/points"

    save(mark, path, **{"scoring.cta_clicked": "many", "tiers.hot": "10"})

    text = mark.get(path).text
    assert 'value="many"' in text
    field = text[text.index('name="scoring.cta_clicked"') :][:600]
    assert 'aria-invalid="true"' in field and "must be a whole number" in field
    assert "needs 0 &lt; warm &lt; hot" in text
    assert "places must be mended first" in mark.text(f"/console/workflow/drafts/{number}/publish")
    reply = mark.post(
        f"/console/workflow/drafts/{number}/publish", {"revision": 2, "note": "Anyway"}
    )
    assert reply.status_code == 422 and "cannot be published yet" in reply.text
    assert ours.ask(lambda services: services.workflows.in_force().version) == 1


def test_the_second_of_two_people_is_told_and_keeps_what_they_typed(ours: Office) -> None:
    mark, alice = ours.mark, ours.alice
    number = begin(ours, mark)
    path = f"/console/workflow/drafts/{number}/points"
    seen_by_both = form_of(mark.get(path).text)
    assert mark.post(path, {**seen_by_both, "tiers.hot": "80"}).status_code == 303

    late = alice.post(path, {**seen_by_both, "tiers.hot": "90"})

    assert late.status_code == 409
    assert "mark@example.com changed this while you were typing" in plain(late.text)
    assert form_of(late.text)["tiers.hot"] == "90"
    assert draft(ours, number).workflow["tiers"]["hot"] == 80
    # Having seen it, she may replace it.
    assert alice.post(path, form_of(late.text)).status_code == 303
    assert draft(ours, number).workflow["tiers"]["hot"] == 90


def test_two_people_at_different_parts_do_not_disturb_each_other(small: Office) -> None:
    mark, alice = small.mark, small.alice
    number = begin(small, mark)
    path = f"/console/workflow/drafts/{number}"
    points = form_of(mark.get(f"{path}/points").text)
    ending = form_of(alice.get(f"{path}/ending").text)

    assert mark.post(f"{path}/points", {**points, "tiers.hot": "80"}).status_code == 303
    assert alice.post(f"{path}/ending", {**ending, "closing": "Bye!"}).status_code == 303

    now = draft(small, number)
    assert (now.workflow["tiers"]["hot"], now.workflow["closing"]) == (80, "Bye!")


def test_what_is_said_of_a_product_in_another_language_goes_with_it(small: Office) -> None:
    mark = small.mark
    number = begin(small, mark)
    path = f"/console/workflow/drafts/{number}/ending"

    save(mark, path, **{"products-0-name": "", "calls_to_action-2-label": ""})

    now = draft(small, number)
    assert now.problems == ()
    hindi = now.workflow["translations"]["hi"]
    assert "billing" not in hindi["product_descriptions"] and "loyalty" in str(hindi)
    assert set(hindi["call_labels"]) == {"book_demo", "talk_to_sales"}
    lines = mark.text(f"/console/workflow/drafts/{number}/languages/hi")
    assert "Product 1, line about it" in lines and "Question 2, grey words" in lines


def test_questions_are_added_moved_dragged_and_removed(small: Office) -> None:
    mark = small.mark
    number = begin(small, mark)
    path = f"/console/workflow/drafts/{number}/questions"

    reply = mark.post(path, {"revision": 1, "text": "How many shops?", "type": "number"})
    assert reply.headers["Location"].endswith("/questions/6")
    mark.post(f"{path}/6/move", {"revision": 2, "to": "up"})
    mark.post(f"{path}/1/move", {"revision": 3, "to": "down"})

    def order() -> list[int]:
        return [one["id"] for one in draft(small, number).workflow["questions"]]

    assert order() == [2, 1, 3, 4, 6, 5]
    mark.post(f"{path}/order", {"revision": 4, "order": "1,2,3,4,5,6"})
    assert order() == [1, 2, 3, 4, 5, 6]
    assert mark.post(f"{path}/order", {"revision": 4, "order": "1,2"}).status_code == 409
    assert mark.post(f"{path}/order", {"revision": 4, "order": "x"}).status_code == 422
    mark.post(f"{path}/2/remove", {"revision": 5})
    now = draft(small, number)
    assert order() == [1, 3, 4, 5, 6]
    # What was only about it went with it, so that nobody trips over the rest.
    assert "location" not in now.workflow["translations"]["hi"]["questions"]
    assert now.problems == ()
    assert mark.post(f"{path}/2/remove", {"revision": 6}).status_code == 409
    assert mark.get(f"{path}/2").status_code == 404
    refused = mark.post(path, {"revision": 6, "text": "", "type": "text"})
    assert refused.status_code == 422 and "Write what is asked." in refused.text
    assert mark.post(path, {"revision": 6, "text": "Which?", "type": "riddle"}).status_code == 422


def test_an_id_is_never_given_to_another_question(small: Office) -> None:
    mark = small.mark
    first = begin(small, mark)
    path = f"/console/workflow/drafts/{first}"
    mark.post(f"{path}/questions", {"revision": 1, "text": "How many shops?", "type": "number"})
    mark.post(f"{path}/publish", {"revision": 2, "note": "Shops"})
    second = begin(small, mark)

    reply = mark.post(
        f"/console/workflow/drafts/{second}/questions",
        {"revision": 1, "text": "When?", "type": "date"},
    )

    assert reply.headers["Location"].endswith("/questions/7")


def test_branching_is_written_in_a_form_and_read_in_words(small: Office) -> None:
    mark = small.mark
    number = begin(small, mark)
    path = f"/console/workflow/drafts/{number}/questions/4"
    rows = {
        "when": "all",
        "if-0-subject": "answer:staff_size",
        "if-0-op": "not_in",
        "if-0-value": "Just me; 2–5",
        "if-1-subject": "score",
        "if-1-op": "gte",
        "if-1-value": "20",
    }

    save(mark, path, **rows)

    asked = find_question(draft(small, number).workflow, 4)
    assert asked["show_if"] == {
        "all": [
            {"subject": "answer:staff_size", "op": "not_in", "value": ["Just me", "2–5"]},
            {"subject": "score", "op": "gte", "value": 20},
        ]
    }
    assert draft(small, number).problems == ()
    said = mark.text(f"/console/workflow/drafts/{number}/questions")
    assert "Only if the answer to “How many people work with you?” is none of" in said
    again = form_of(mark.get(path).text)
    assert (again["when"], again["if-0-value"]) == ("all", "Just me; 2–5")
    save(mark, path, when="any")
    assert "any" in find_question(draft(small, number).workflow, 4)["show_if"]
    save(mark, path, when="always")
    assert "show_if" not in find_question(draft(small, number).workflow, 4)


def test_a_condition_too_deep_for_rows_is_kept_as_it_is_written(small: Office) -> None:
    mark = small.mark
    number = begin(small, mark)
    path = f"/console/workflow/drafts/{number}/questions/4"
    nested: Any = {"subject": "utm:source", "op": "eq", "value": "a"}
    for word in ("any", "all", "any", "all", "any"):
        nested = {word: [nested, {"subject": "score", "op": "gt", "value": 5}]}
    save(mark, path, when="own", own=json.dumps(nested))
    assert find_question(draft(small, number).workflow, 4)["show_if"] == nested

    save(mark, path)
    assert find_question(draft(small, number).workflow, 4)["show_if"] == nested
    save(mark, path, own="{not json")

    assert "must be a condition" in mark.text(path)
    assert "{not json" in mark.text(path)


def test_languages_are_added_filled_and_removed(small: Office) -> None:
    mark = small.mark
    number = begin(small, mark)
    path = f"/console/workflow/drafts/{number}/languages"
    refused = mark.post(path, {"revision": 1, "locale": "<b>"})
    assert refused.status_code == 422 and "&lt;b&gt;" in refused.text

    mark.post(path, {"revision": 1, "locale": "german"})
    save(mark, f"{path}/de", **{"t-0-text": "Hallo!"})

    assert draft(small, number).workflow["translations"]["de"] == {"greeting": "Hallo!"}
    assert "1 of 37 texts" in mark.text(path)
    assert mark.post(path, {"revision": 3, "locale": "de"}).status_code == 422
    mark.post(f"{path}/de/remove", {"revision": 3})
    assert "de" not in draft(small, number).workflow["translations"]
    assert mark.get(f"{path}/de").status_code == 404


def test_hostile_texts_stay_texts(small: Office) -> None:
    mark = small.mark
    number = begin(small, mark)
    path = f"/console/workflow/drafts/{number}"
    save(mark, f"{path}/questions/1", text=HOSTILE, **{"options-0-value": HOSTILE})
    save(mark, f"{path}/beginning", name=HOSTILE, **{"greeting.text": HOSTILE})
    mark.post(f"{path}/name", {"name": HOSTILE})

    for page in ("beginning", "questions", "questions/1", "languages/hi", "publish", "preview"):
        text = mark.get(f"{path}/{page}").text
        assert "<script>alert" not in text and "49" not in plain(text)[:200], page


STRANGE: tuple[Form, ...] = (
    {},
    {"revision": "x"},
    {"revision": "1", "t-0-key": "[1]", "t-0-text": "a"},
    {"revision": "1", "t-0-key": '["a"]', "t-0-text": "a", "t-1-key": '["a","b"]', "t-1-text": "b"},
)


def test_a_form_that_no_page_of_ours_made_breaks_nothing(small: Office) -> None:
    mark = small.mark
    number = begin(small, mark)

    for form in STRANGE:
        for part in ("languages/hi", "points", "questions/1"):
            reply = mark.post(f"/console/workflow/drafts/{number}/{part}", form)
            assert reply.status_code in (303, 409, 422), (form, part, reply.status_code)


# Publishing


def test_a_published_draft_is_what_new_visitors_get_and_others_finish_on_theirs(
    ours: Office,
) -> None:
    mark = ours.mark
    before = ours.start()
    number = begin(ours, mark)
    path = f"/console/workflow/drafts/{number}"
    save(mark, f"{path}/questions/1", text="What is your trade?")
    for name in ("greeting_message", "question_flow"):
        now = draft(ours, number).revision
        mark.post(f"{path}/experiments/remove", {"revision": now, "name": name})
    without = mark.post(f"{path}/publish", {"revision": 4, "note": " "})
    assert without.status_code == 422 and "Say in a few words why" in without.text

    reply = mark.post(f"{path}/publish", {"revision": 4, "note": "Shorter"}, follow=True)

    assert "Version 2 is in force." in plain(reply.text)
    assert ours.start()["first_question"]["text"] == "What is your trade?"
    asked = ours.app.test_client().get("/api/questions", query_string=_of(before)).json
    assert "What type of business do you run?" in str(asked)
    said = mark.text("/console/workflow")
    assert "mark@example.com" in said and "Shorter" in said and "In force" in said
    assert "What is your trade?" in mark.text("/console/workflow/versions/2")
    assert "Question 1 “What is your trade?”: text" in mark.text("/console/workflow/versions/2")
    assert mark.post(f"{path}/points", {"revision": 5, "mark": ""}).status_code == 409
    assert "This draft became version 2" in mark.text(f"{path}/points")


def test_an_earlier_version_is_restored_as_a_new_one(ours: Office) -> None:
    mark = ours.mark
    number = begin(ours, mark)
    save(mark, f"/console/workflow/drafts/{number}/points", **{"scoring.demo_requested": "20"})
    mark.post(f"/console/workflow/drafts/{number}/publish", {"revision": 2, "note": "More"})
    assert "Points for “Asked for a demo” 15 → 20" in mark.text("/console/workflow/versions/2")
    refused = mark.post("/console/workflow/versions/1/restore", {"note": ""})
    assert refused.status_code == 422 and "Say in a few words why" in refused.text

    mark.post("/console/workflow/versions/1/restore", {"note": "It was too much."})

    assert ours.ask(lambda services: services.workflows.in_force().version) == 3
    said = mark.text("/console/workflow/versions/3", against=1)
    assert "Version 1 again. It was too much." in said and "both say the same" in said
    assert mark.get("/console/workflow/versions/9").status_code == 404
    assert mark.get("/console/workflow/versions/1", against=77).status_code == 404


def test_what_was_looked_at_is_what_is_published(ours: Office) -> None:
    mark, alice = ours.mark, ours.alice
    number = begin(ours, mark)
    path = f"/console/workflow/drafts/{number}"
    save(alice, f"{path}/points", **{"tiers.hot": "90"})

    reply = mark.post(f"{path}/publish", {"revision": 1, "note": "As I saw it"})

    assert reply.status_code == 409
    assert "alice@example.com changed the draft since you looked" in plain(reply.text)
    assert 'value="As I saw it"' in reply.text


def test_each_change_is_audited_once_and_without_its_words(ours: Office) -> None:
    mark = ours.mark
    number = begin(ours, mark)
    path = f"/console/workflow/drafts/{number}"
    save(mark, f"{path}/beginning", name="Secret name")
    mark.post(f"{path}/throw-away")
    mark.post(f"{path}/bring-back")
    mark.post(f"{path}/publish", {"revision": 2, "note": "Secret note"})
    mark.post("/console/workflow/versions/1/restore", {"note": "Secret note"})
    mark.post("/console/workflow/rescore")

    assert audited(ours) == [
        "workflow.draft_begun",
        "workflow.draft_changed",
        "workflow.draft_thrown_away",
        "workflow.draft_brought_back",
        "workflow.published",
        "workflow.restored",
        "leads.rescore_asked",
    ]
    everything = select(AuditEntry.detail)
    assert "Secret" not in str(
        ours.ask(lambda services: list(services.session.scalars(everything)))
    )


def test_a_draft_thrown_away_is_gone_until_it_is_brought_back(small: Office) -> None:
    mark = small.mark
    number = begin(small, mark)
    path = f"/console/workflow/drafts/{number}"

    mark.post(f"{path}/throw-away")

    assert mark.get(f"{path}/points").status_code == 404
    assert mark.post(f"{path}/throw-away").status_code == 404
    mark.post(f"{path}/bring-back")
    assert mark.get(f"{path}/points").status_code == 200
    mark.post(f"{path}/name", {"name": "Autumn"})
    assert "Autumn" in mark.text("/console/workflow")


def test_the_file_of_the_next_start_does_not_displace_what_was_published(
    sqlite_template: Any, tmp_path: Any
) -> None:
    file = tmp_path / "one.db"
    file.write_bytes(sqlite_template.read_bytes())
    with office(f"sqlite:///{file}", tmp_path) as ours:
        mark = ours.mark
        number = begin(ours, mark)
        mark.post(f"/console/workflow/drafts/{number}/publish", {"revision": 1, "note": "Mine"})
        newer = read_shipped({**WORKFLOW_CONFIG, "name": "Newer"}, ACTIVE_TESTS)
        after = replace(ours.resources, shipped=newer)
        with unit_of_work(ours.resources) as services:
            WorkflowService(services.session, after).keep_shipped()

        said = mark.text("/console/workflow")

        assert "Version 3 Never in force" in said and "Version 2 In force" in said
        mark.post("/console/workflow/versions/3/restore", {"note": "The file is better."})
        assert ours.ask(lambda one: one.workflows.in_force().workflow.name) == "Newer"


def test_leads_are_scored_anew_in_the_background_if_somebody_asks(ours: Office) -> None:
    mark = ours.mark
    talk = ours.start()
    ours.app.test_client().post("/api/behavior", json={**_of(talk), "action": "clicked_demo"})
    number = begin(ours, mark)
    save(mark, f"/console/workflow/drafts/{number}/points", **{"scoring.demo_requested": "50"})
    mark.post(f"/console/workflow/drafts/{number}/publish", {"revision": 2, "note": "More"})
    assert "Score 1 leads anew" in mark.text("/console/workflow")

    reply = mark.post("/console/workflow/rescore")

    while Worker(ours.resources).work():
        pass
    job = reply.headers["Location"].rpartition("=")[2]
    said = mark.text("/console/workflow", job=job)
    assert "1 leads were counted anew, 1 have other points" in said
    assert "Done" in mark.get(f"/console/workflow/jobs/{job}", part=True).text
    assert ours.ask(lambda one: one.scoring.calculate_score(talk["session_id"])) == 55


# The past


def _talks(office: Office, count: int = 6) -> None:
    client = office.app.test_client()
    for place in range(count):
        talk = office.start()
        for action in ("clicked_demo", "replied_to_greeting")[: 1 + place % 2]:
            client.post("/api/behavior", json={**_of(talk), "action": action})


def test_a_draft_is_tried_on_the_past_and_changes_nothing(ours: Office) -> None:
    mark = ours.mark
    _talks(ours)
    crawler = {"User-Agent": "Googlebot/2.1"}
    ours.app.test_client().post("/api/session/start", json={}, headers=crawler)
    number = begin(ours, mark)
    path = f"/console/workflow/drafts/{number}"
    before = _rows(ours)
    assert "Nobody of 6 would be classed otherwise" in mark.text(f"{path}/try")

    save(mark, f"{path}/points", **{"scoring.demo_requested": "30"})
    said = mark.text(f"{path}/try")

    assert "6 of 6 would be classed otherwise" in said
    assert "Unqualified → MQL 6 more than before" in said
    assert "Asked for a demo: 15 → 30 points" in said
    save(mark, f"{path}/points", **{"classification_thresholds.mql": "36"})
    said = mark.text(f"{path}/try", days=90)
    assert "3 of 6 would be classed otherwise" in said
    assert "MQL from 36 points on instead of 30" in said
    assert _rows(ours) == before


def test_many_conversations_are_tried_by_a_job_with_the_same_result(
    ours: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow_try, "AT_ONCE", 3)
    monkeypatch.setattr(workflow_trial, "IN_ONE_UNIT", 2)
    monkeypatch.setattr(workflow_trial, "MOST", 5)
    mark = ours.mark
    _talks(ours)
    number = begin(ours, mark)
    path = f"/console/workflow/drafts/{number}"
    save(mark, f"{path}/points", **{"scoring.demo_requested": "30"})
    assert "Try it on them" in mark.text(f"{path}/try")

    reply = mark.post(f"{path}/try", {"days": 30})
    job = reply.headers["Location"].rpartition("=")[2]
    assert "Playing conversations again" in mark.text(f"{path}/try", job=job)
    while Worker(ours.resources).work():
        pass

    said = mark.text(f"{path}/try", job=job)
    assert "5 of 5 would be classed otherwise" in said
    assert "the newest 5 conversations of 6" in said
    assert "workflow.tried" in audited(ours)
    # A result is of the draft as it was.
    waiting = mark.post(f"{path}/try", {"days": 30}).headers["Location"].rpartition("=")[2]
    save(mark, f"{path}/points", **{"scoring.demo_requested": "40"})
    while Worker(ours.resources).work():
        pass
    assert "The draft was changed while it was tried" in mark.text(f"{path}/try", job=waiting)


# The preview


def test_a_preview_talks_like_the_draft_and_leaves_no_trace(ours: Office) -> None:
    mark = ours.mark
    number = begin(ours, mark)
    path = f"/console/workflow/drafts/{number}"
    save(mark, f"{path}/questions/1", text="What is your trade?")
    save(mark, f"{path}/points", **{"scoring.demo_requested": "33"})
    before = _rows(ours)
    calls: list[dict[str, Any]] = []

    def talk(name: str, body: Form, arms: str = "") -> Any:
        calls.append({"name": name, "body": body})
        return _played(mark, path, {"calls": calls, "arms": arms})

    started = talk("session/start", {"locale": "en"}).json
    assert started["session_id"] == SESSION
    assert started["first_question"]["text"] == "What is your trade?"
    here = {"session_id": SESSION}
    kept = talk("answer", {**here, "question_id": 1, "answer_text": "a small shop"}).json
    assert kept["accepted"], kept
    earned = talk("behavior", {**here, "action": "clicked_demo"}).json
    assert earned["score_change"] == 33
    wrong = talk("lead/profile", {**here, "profile_data": {"email": "nobody"}})
    assert wrong.status_code == 422 and "email" in str(wrong.json["error"]["fields"])
    calls.pop()
    talk("lead/profile", {**here, "profile_data": {"email": "mark@example.com"}})
    shown = talk("widget/config", here).json
    assert shown["questions"] and shown["menu"]["products"]
    assert talk("lead/summary", {}).json["lead_data"]["email"] == "mark@example.com"
    assert talk("nothing/known", {}).status_code == 404

    assert _rows(ours) == before
    assert ours.ask(lambda services: services.workflows.in_force().version) == 1
    assert audited(ours).count("workflow.draft_changed") == 2


def test_a_preview_shows_the_variant_and_the_language_that_is_asked_for(small: Office) -> None:
    mark = small.mark
    number = begin(small, mark)
    path = f"/console/workflow/drafts/{number}"
    start = [{"name": "session/start", "body": {}}]

    bold = _played(mark, path, {"calls": start, "arms": "greeting_message:B"}).json
    hindi = _played(mark, path, {"calls": start, "locale": "hi"}).json

    assert "Transform your business" in bold["greeting"]
    assert "स्वागत" in hindi["greeting"]
    frame = small.mark.get(f"{path}/preview", locale="hi")
    assert frame.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in frame.headers["Content-Security-Policy"]
    assert 'data-locale="hi"' in frame.text


def test_a_preview_needs_a_page_of_ours_and_a_draft_without_problems(small: Office) -> None:
    mark = small.mark
    number = begin(small, mark)
    path = f"/console/workflow/drafts/{number}"
    start = {"calls": [{"name": "session/start", "body": {}}]}

    assert mark.client.post(f"{path}/preview/talk", json=start).status_code == 403
    for strange in ({}, {"calls": 3}, {"calls": [3]}, {"calls": [{"name": 1}]}):
        assert _played(mark, path, strange).status_code == 422
    assert _played(mark, path, {"calls": [{"name": "answer", "body": 3}]}).status_code == 422
    assert _played(mark, path, {"calls": []}).status_code == 404
    save(mark, f"{path}/points", **{"tiers.hot": "1"})
    assert _played(mark, path, start).status_code == 409
    assert "It follows again as soon as" in mark.text(f"{path}/points")


# Files


@pytest.mark.parametrize("kind", ["json", "py"])
def test_what_goes_out_as_a_file_comes_in_as_the_same_draft(ours: Office, kind: str) -> None:
    mark = ours.mark
    reply = mark.get("/console/workflow/versions/1/file", kind=kind)
    assert f'filename="workflow-1.{kind}"' in reply.headers["Content-Disposition"]

    _import(mark, reply.data, f"mine.{kind}")

    first = begin(ours, mark)
    imported, fresh = draft(ours, first - 1), draft(ours, first)
    assert (imported.workflow, imported.tests) == (fresh.workflow, fresh.tests)
    assert imported.name == f"mine.{kind}" and not imported.problems
    of_draft = mark.get(f"/console/workflow/drafts/{first}/file", kind=kind)
    assert len(of_draft.data) == pytest.approx(len(reply.data), abs=40)


def test_a_python_file_is_read_and_never_run(small: Office, tmp_path: Any) -> None:
    mark, trace = small.mark, tmp_path / "trace"
    evil = f"import os\nWORKFLOW_CONFIG = {{'questions': os.system('touch {trace}')}}\n"

    reply = _import(mark, evil.encode(), "workflow_config.py")

    assert reply.status_code == 422 and "plain data only" in reply.text
    assert not trace.exists()


FILES: tuple[tuple[bytes, str], ...] = (
    (b"", "no JSON"),
    (b"[]", "no WORKFLOW_CONFIG"),
    (b"\xff\xfe", "UTF-8"),
    (b'{"questions": 3}', ""),
    (b'{"questions": [{"id": {}, "options": "a"}], "products": [[1]], "widget": 3}', ""),
    (b'{"translations": {"hi": 3}, "questions": [1], "ACTIVE_TESTS": {"a": 3}}', ""),
    (b'{"greeting": {"replies": 3}, "contact": {"fields": 1}, "questions": [{}, {}]}', ""),
    (b"[" * 5000, "no JSON"),
)


def test_a_file_with_anything_in_it_is_a_draft_with_problems_or_refused_kindly(
    small: Office,
) -> None:
    mark = small.mark

    for content, sentence in FILES:
        reply = _import(mark, content, "a.json")

        if sentence:
            assert reply.status_code == 422 and sentence in plain(reply.text)
            continue
        assert reply.status_code == 303, plain(reply.text)
        path = reply.headers["Location"].rpartition("/")[0]
        for page in (*PARTS[:4], "questions", "languages", "publish", "try"):
            assert mark.get(f"{path}/{page}").status_code == 200, (content, page)


def test_without_a_file_nothing_is_imported(small: Office) -> None:
    reply = small.mark.post("/console/workflow/import")

    assert reply.status_code == 422 and "Choose a file first." in reply.text


def _import(mark: Visit, content: bytes, name: str) -> Any:
    form = {"csrf_token": mark.token, "file": (io.BytesIO(content), name)}
    return mark.client.post("/console/workflow/import", data=form)


def _played(mark: Visit, path: str, body: Form) -> Any:
    headers = {"X-CSRF-Token": mark.token}
    return mark.client.post(f"{path}/preview/talk", json=body, headers=headers)


def _rows(office: Office) -> list[int]:
    tables = (Lead, Conversation, Event, WorkflowVersion)
    counted: list[int] = office.ask(
        lambda services: [
            services.session.scalar(select(func.count()).select_from(one)) for one in tables
        ]
    )
    return counted


def _of(talk: Form) -> Form:
    return {"session_id": talk["session_id"]}


def test_a_file_that_is_more_than_a_workflow_is_refused_with_the_place(small: Office) -> None:
    """Thirty thousand options took seconds, and as long again for each page of the draft."""
    options = [f"option {number}" for number in range(30_000)]
    config = {"name": "Shop", "questions": [{"id": 1, "text": "Which?", "options": options}]}
    file = (io.BytesIO(json.dumps(config).encode()), "shop.json")

    reply = small.mark.post("/console/workflow/import", {"file": file})

    assert reply.status_code == 422
    assert "are 30,000 options, at most 100 are read" in plain(reply.text)
    assert small.ask(lambda services: services.workflow_drafts.list_drafts()) == []


def test_a_draft_grows_no_larger_than_is_read(small: Office) -> None:
    mark = small.mark
    mark.post("/console/workflow/drafts", {"version": "1"})
    path = "/console/workflow/drafts/1/questions/1"
    fields = form_to(mark.get(path).text, path)
    more = {f"options-{number}-value": f"option {number}" for number in range(200)}

    reply = mark.post(path, {**fields, **more})

    assert reply.status_code == 422
    assert "are 200 options, at most 100 are read; use fewer." in plain(reply.text)


def test_neither_the_start_nor_an_experiment_reads_more_than_a_workflow_holds(
    small: Office,
) -> None:
    many = [f"call {number}" for number in range(5_000)]
    with pytest.raises(SettingsError, match="are 5,000 calls to action, at most 50 are read"):
        read_shipped({**WORKFLOW_CONFIG, "calls_to_action": many}, ACTIVE_TESTS)

    arms = [{"arm": "A"}, {"arm": "B", "config": {"calls_to_action": many}}]
    body = {"name": "many", "kind": "calls_to_action", "metric": "sql", "arms": arms}
    mark = small.mark
    reply = mark.client.post("/api/experiments", json=body, headers={"X-CSRF-Token": mark.token})

    assert reply.status_code == 422
    assert "are 5,000 calls to action" in str(reply.json["error"]["fields"])
