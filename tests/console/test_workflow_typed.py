"""The workflow editor while somebody types: sentences, preview and rows; nothing is kept."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from engine.workflow_edits import find_question
from tests.console.office import Office, Visit, plain
from tests.console.test_workflow import Form, audited, begin, draft, form_of, save


def look(mark: Visit, number: int, part: str, **changes: Any) -> dict[str, list[str]]:
    """What the server says of the form of a part with these fields changed: by field."""
    path = f"/console/workflow/drafts/{number}"
    said = {**form_of(mark.get(f"{path}/{part}").text), **changes}
    reply = mark.post(f"{path}/look/{part}", said, part=True)
    assert reply.status_code == 200, plain(reply.text)
    found: dict[str, list[str]] = {}
    for field, line in re.findall(r'data-field="([^"]*)">(.*?)</li>', reply.text, re.S):
        found.setdefault(field, []).append(plain(line))
    return found


def test_what_is_typed_is_judged_and_nothing_is_kept(ours: Office) -> None:
    mark = ours.mark
    number = begin(ours, mark)
    before, entries = draft(ours, number), audited(ours)

    said = look(mark, number, "points", **{"scoring.cta_clicked": "many", "tiers.hot": "10"})

    assert "must be a whole number" in said["scoring.cta_clicked"][0]
    assert "tiers" in said
    assert look(mark, number, "points") == {}
    after = draft(ours, number)
    assert (after.workflow, after.revision) == (before.workflow, before.revision)
    assert audited(ours) == entries


def test_a_sentence_stands_beside_the_row_that_it_is_about(small: Office) -> None:
    mark = small.mark
    number = begin(small, mark)
    rows = {"options-0-value": "", "options-1007-value": "x" * 1000}

    said = look(mark, number, "questions/1", **rows)

    # Of what is written it is the fifth, since the first row says nothing any more.
    assert "must be the text of the option" in said["options[1007].value"][0]
    conditions = {
        **{"when": "all", "if-0-subject": "answer:business_type", "if-0-op": "eq"},
        **{"if-0-value": "Restaurant", "if-1-group": "any"},
        **{"if-1_0-subject": "score", "if-1_0-op": "gt", "if-1_0-value": "much"},
        **{"if-1_1-subject": "score", "if-1_1-op": "gt", "if-1_1-value": "5"},
    }
    assert list(look(mark, number, "questions/4", **conditions)) == ["if-1_0"]


def test_the_preview_shows_what_is_typed_now(ours: Office) -> None:
    mark = ours.mark
    number = begin(ours, mark)
    path = f"/console/workflow/drafts/{number}"
    form = {**form_of(mark.get(f"{path}/questions/1").text), "text": "What is it that you sell?"}

    def first(typed: Any) -> Any:
        headers = {"X-CSRF-Token": mark.token}
        body = {"calls": [{"name": "session/start", "body": {}}], "typed": typed}
        return mark.client.post(f"{path}/preview/talk", json=body, headers=headers)

    said = first({"part": "questions/1", "form": _sent(form)})
    assert said.json["first_question"]["text"] == "What is it that you sell?"
    assert first(None).json["first_question"]["text"] == "What type of business do you run?"
    wrong = first({"part": "points", "form": "tiers.hot=1&tiers.warm=5"})
    assert wrong.status_code == 409
    for strange in ({"part": 3}, {"part": "points"}, {"part": "points", "form": 3}):
        assert first(strange).status_code == 422
    assert first({"part": "nothing/at/all", "form": ""}).status_code == 404
    assert find_question(draft(ours, number).workflow, 1)["text"].startswith("What type")


def test_rows_of_a_condition_come_and_go_without_a_script(ours: Office) -> None:
    mark = ours.mark
    number = begin(ours, mark)
    path = f"/console/workflow/drafts/{number}/questions/4"
    form: Form = {
        **form_of(mark.get(path).text),
        **{"when": "any", "text": "Typed, not saved"},
        **{"if-0-subject": "answer:location", "if-0-op": "contains", "if-0-value": "Pune"},
    }
    entries = audited(ours)

    for what in ("group ", "add 1", "remove 1_0"):
        reply = mark.post(f"{path}/rows", {**form, "rows": what})
        assert reply.status_code == 200, plain(reply.text)
        form = form_of(reply.text)

    assert (form["when"], form["text"]) == ("any", "Typed, not saved")
    assert form["if-0-value"] == "Pune" and form["if-1-group"] == "any"
    assert "if-1_1-subject" in form and "if-1_2-subject" not in form
    assert audited(ours) == entries
    form |= {"if-1_0-subject": "utm:source", "if-1_0-op": "eq", "if-1_0-value": "google"}
    form |= {"if-1_1-subject": "answer:location", "if-1_1-op": "skipped"}
    form["if-1-group"] = "none"
    assert mark.post(path, form).status_code == 303
    asked = find_question(draft(ours, number).workflow, 4)
    assert asked["text"] == "Typed, not saved"
    assert asked["show_if"] == {
        "any": [
            {"subject": "answer:location", "op": "contains", "value": "Pune"},
            {
                "not": {
                    "any": [
                        {"subject": "utm:source", "op": "eq", "value": "google"},
                        {"subject": "answer:location", "op": "skipped"},
                    ]
                }
            },
        ]
    }
    save(mark, path)
    assert find_question(draft(ours, number).workflow, 4) == asked


def test_a_row_added_to_always_makes_it_a_condition(small: Office) -> None:
    mark = small.mark
    number = begin(small, mark)
    path = f"/console/workflow/drafts/{number}/questions/4"

    reply = mark.post(f"{path}/rows", {**form_of(mark.get(path).text), "rows": "add "})

    assert form_of(reply.text)["when"] == "all"


def test_rows_do_not_hide_that_somebody_else_saved_meanwhile(small: Office) -> None:
    mark, alice = small.mark, small.alice
    number = begin(small, mark)
    path = f"/console/workflow/drafts/{number}/questions/4"
    form = form_of(mark.get(path).text)
    save(alice, path, text="Alice's words")

    form = form_of(mark.post(f"{path}/rows", {**form, "rows": "add "}).text)

    assert mark.post(path, form).status_code == 409


def test_who_only_reads_is_not_looked_after(small: Office) -> None:
    mark = small.mark
    number = begin(small, mark)
    path = f"/console/workflow/drafts/{number}"

    assert small.vera.post(f"{path}/look/points").status_code == 403
    assert small.vera.post(f"{path}/questions/1/rows").status_code == 403
    assert "hx-post" not in small.vera.get(f"{path}/questions/1").text


def _sent(form: Form) -> str:
    return urlencode(form, doseq=True)
