"""The pages of experiments: from a form to a winner."""

from __future__ import annotations

from jobs.relay import Relay
from tests.console.office import Office, plain

HOSTILE = "<script>alert(1)</script>"
FORM = {
    "name": "warm_greeting",
    "kind": "greeting",
    "metric": "sql",
    "metrics": ["completed"],
    "says_B": f"Welcome, friend! {HOSTILE}",
    "label_B": "Warm",
    "hoped_lift": "20",
}


def test_a_marketer_drafts_starts_stops_and_decides(ours: Office) -> None:
    mark = ours.mark
    made = mark.post("/console/experiments/new", FORM)
    assert made.status_code == 303, plain(made.text)[:800]
    page = made.headers["Location"]
    draft = mark.get(page)
    assert "What it would take" in plain(draft.text) and HOSTILE not in draft.text
    assert "Welcome, friend!" in plain(draft.text) and "as it is now" in plain(draft.text)

    assert "Visitors are let in." in plain(mark.post(f"{page}/start", follow=True).text)
    for _ in range(6):
        ours.start()
    running = mark.text(page)
    assert "Verdict" in running and "Too early" in running and "control" in running
    assert mark.post(f"{page}/pause").status_code == mark.post(f"{page}/stop").status_code == 303
    assert "exposed" in mark.get(f"{page}/rows.csv").text or ours.start()

    decided = mark.post(f"{page}/decide", {"arm": "B", "reason": "It is friendlier."}, follow=True)
    assert "B it is" in plain(decided.text)
    while Relay(ours.resources).fan_out():
        pass
    greeting = ours.ask(lambda services: services.workflows.in_force().workflow.greeting)
    assert "Welcome, friend!" in str(greeting)


def test_a_refused_experiment_says_why_and_keeps_what_was_typed(small: Office) -> None:
    mark = small.mark

    lonely = mark.post("/console/experiments/new", {**FORM, "says_B": ""})
    order = {**FORM, "kind": "question_order", "raw_B": '{"order": ["nowhere", "location"]}'}
    unknown = mark.post("/console/experiments/new", order)
    crooked = mark.post("/console/experiments/new", {**FORM, "share_A": "10", "share_B": "10"})
    broken = mark.post("/console/experiments/new", {**FORM, "kind": "options", "raw_B": "{"})

    replies = (lonely, unknown, crooked, broken)
    assert [one.status_code for one in replies] == [422] * 4
    assert "nowhere&#34;, &#34;location" in unknown.text
    assert "&#39;nowhere&#39; is no question" in unknown.text
    assert "JSON" in plain(broken.text)
    assert small.ask(_names) == {"greeting_message", "question_flow"}


def test_an_edit_while_it_runs_keeps_who_is_in(small: Office) -> None:
    mark = small.mark
    page = mark.post("/console/experiments/new", FORM).headers["Location"]
    mark.post(f"{page}/start")

    form = mark.get(f"{page}/edit").text
    assert "Welcome, friend!" in form and 'value="Warm"' in form
    kept = mark.post(f"{page}/edit", {**FORM, "share_A": "20", "share_B": "80"}, follow=True)

    assert "80 %" in plain(kept.text) and "counted as epoch 2" in plain(kept.text)
    same = {**FORM, "share_A": "20", "share_B": "80"}
    assert "Kept." in plain(mark.post(f"{page}/edit", same, follow=True).text)


def test_experiments_of_the_workflow_are_shown_with_results(small: Office) -> None:
    small.start()

    assert "stands in the workflow" in small.vera.text("/console/experiments")
    said = small.vera.text("/console/experiments/greeting_message", segment="utm_source")
    assert "Verdict" in said and "Edit" not in said


def test_who_looks_on_starts_nothing_and_sales_sees_nothing(small: Office) -> None:
    page = small.mark.post("/console/experiments/new", FORM).headers["Location"]

    assert small.vera.post(f"{page}/start").status_code == 403
    assert small.sam.get("/console/experiments").status_code == 403
    assert small.mark.get("/console/experiments/none").status_code == 404


def test_the_holdout_is_kept(small: Office) -> None:
    mark = small.mark

    assert mark.post("/console/experiments/holdout", {"share": "5"}).status_code == 303
    assert 'value="5.0"' in mark.get("/console/experiments").text
    assert mark.post("/console/experiments/holdout", {"share": "99"}).status_code == 422


def _names(services):  # type: ignore[no-untyped-def]
    return {one["name"] for one in services.experiment_book.list_all()["experiments"]}
