"""What happens to an answer when the line, the server or the page fails in the middle."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import PHONE, Serve, Visit
from tests.browser.widget import Talk, answers, needs_built_widget, summary, until

pytestmark = [pytest.mark.browser, needs_built_widget]


def posts(page: Page, path: str = "/api/answer") -> list[tuple[str | None, str]]:
    """The key and body of every POST to a path from now on."""
    seen: list[tuple[str | None, str]] = []

    def note(request: object) -> None:
        if request.method == "POST" and request.url.endswith(path):  # type: ignore[attr-defined]
            headers, body = request.headers, request.post_data  # type: ignore[attr-defined]
            seen.append((headers.get("idempotency-key"), body))

    page.on("request", note)
    return seen


def ledger(base: str, talk: Talk) -> list[str]:
    """Every award, in order: an answer that counted twice would show."""
    return [row["action"] for row in summary(base, talk)["ledger"]]


def test_a_reload_in_the_middle_goes_on_where_one_was(live_url: str, visit: Visit) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url).agreed().click("Restaurant").asks("Where is")

    talk.page.reload()
    talk.asks("Where is your business")
    said = talk.said
    talk.type("Pune").asks("How many people")

    assert said == [
        "Assistant: Hi! Welcome to YouShop!",
        "Assistant: What type of business do you run?",
        "You: Restaurant",
        "Assistant: Where is your business located?",
    ]
    assert answers(live_url, talk) == {1: "Restaurant", 2: "Pune"}


def test_another_page_of_the_site_goes_on_with_the_same_conversation(
    live_url: str, visit: Visit
) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url).agreed().click("Restaurant").asks("Where is")
    session = talk.saved["session"]
    talk.page.keyboard.press("Escape")

    talk.goto(f"{live_url}/?page=2").launcher.click()
    talk.asks("Where is")

    assert talk.saved["session"] == session


def test_a_reload_behind_the_questions_shows_the_same_step(live_url: str, visit: Visit) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url).reached()

    talk.page.reload()
    talk.asks("Is it right?")

    assert "ada@example.com" in talk.panel.locator("dl").inner_text()


def test_offline_in_the_middle_everything_waits_and_is_sent_once(
    live_url: str, visit: Visit
) -> None:
    talk = Talk(visit(PHONE, javascript=True)).goto(live_url).agreed()
    sent = posts(talk.page)
    talk.page.context.set_offline(True)

    talk.click("Restaurant").asks("Where is")
    talk.type("Pune").asks("How many people")
    expect(talk.panel.get_by_text("Waiting to send")).to_have_count(2)
    expect(talk.panel.get_by_role("status")).to_contain_text("No connection")
    assert answers(live_url, talk) == {}
    talk.page.context.set_offline(False)
    until(talk.page, lambda: answers(live_url, talk) == {1: "Restaurant", 2: "Pune"})

    expect(talk.panel.get_by_text("Waiting to send")).to_have_count(0)
    expect(talk.panel.get_by_role("status")).to_be_empty()
    assert ledger(live_url, talk).count("answered_question") == 2
    keys = {json.loads(body)["question_id"]: key for key, body in sent}
    assert {(json.loads(body)["question_id"], key) for key, body in sent} == set(keys.items())
    talk.click("2–5").asks("monthly sales")
    assert talk.errors == []


def test_what_waits_outlives_the_page(live_url: str, visit: Visit) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url).agreed()
    talk.page.route("**/api/answer", lambda route: route.abort())
    talk.click("Restaurant").asks("Where is")
    assert answers(live_url, talk) == {}

    talk.page.unroute("**/api/answer")
    talk.page.reload()
    until(talk.page, lambda: answers(live_url, talk) == {1: "Restaurant"})

    talk.asks("Where is")
    assert ledger(live_url, talk).count("answered_question") == 1


def test_what_is_sent_while_the_page_wakes_is_no_open_question(live_url: str, visit: Visit) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url).agreed()
    talk.page.route("**/api/answer", lambda route: route.abort())
    talk.click("Restaurant").asks("Where is")
    first: list[Route] = []
    sent: list[Route] = []

    def late(route: Route) -> None:
        """The first summary is read before the answer is kept, and comes after it."""
        reply = route.fetch()
        if not first:
            first.append(route)
            until(talk.page, lambda: bool(sent))
            sent[0].continue_()
            until(talk.page, lambda: not talk.saved.get("queue"))
        route.fulfill(response=reply)

    talk.page.unroute("**/api/answer")
    talk.page.route("**/api/answer", lambda route: sent.append(route))
    talk.page.route("**/api/lead/summary/**", late)
    talk.page.reload()

    talk.asks("Where is")
    assert answers(live_url, talk) == {1: "Restaurant"} and first


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_to_wait_gets_the_answer_once_and_not_before(
    live_url: str, visit: Visit, status: int
) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url).agreed()
    sent = posts(talk.page)
    refusals = [status]

    def refuse(route: Route) -> None:
        if not refusals:
            return route.continue_()
        code = refusals.pop()
        return route.fulfill(
            status=code, headers={"Retry-After": "2"}, json={"error": {"code": "x", "message": "y"}}
        )

    talk.page.route("**/api/answer", refuse)
    talk.click("Restaurant").asks("Where is")
    expect(talk.panel.get_by_text("Waiting to send")).to_have_count(1)
    talk.page.wait_for_timeout(1000)
    assert len(sent) == 1
    until(talk.page, lambda: answers(live_url, talk) == {1: "Restaurant"})

    assert len(sent) == 2 and sent[0] == sent[1]
    assert ledger(live_url, talk).count("answered_question") == 1


def test_the_real_rate_limit_only_delays(serve: Serve, visit: Visit) -> None:
    # Three reach the server: the config, the greeting's reply, the consent.
    base = serve(RATE_LIMIT_PER_MINUTE=3)
    talk = Talk(visit(javascript=True)).goto(base).agreed()

    talk.click("Restaurant").asks("Where is")

    expect(talk.panel.get_by_text("Waiting to send")).to_have_count(1)
    waits = talk.saved["notBefore"] / 1000 - talk.page.evaluate("Date.now() / 1000")
    assert 30 < waits <= 60
    assert [item["body"]["question_id"] for item in talk.saved["queue"]] == [1]


def test_a_reply_that_is_lost_after_the_commit_counts_once(live_url: str, visit: Visit) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url).agreed()
    sent = posts(talk.page)
    losses = [True]

    def lose(route: Route) -> None:
        if losses:
            losses.pop()
            route.fetch()
            return route.abort()
        return route.continue_()

    talk.page.route("**/api/answer", lose)
    talk.click("Restaurant").asks("Where is")
    until(talk.page, lambda: not talk.saved["queue"])

    assert len(sent) == 2 and sent[0] == sent[1]
    assert ledger(live_url, talk).count("answered_question") == 1


def test_a_start_whose_reply_is_lost_makes_one_conversation(live_url: str, visit: Visit) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url)
    started: list[str] = []
    losses = [True]

    def lose(route: Route) -> None:
        reply = route.fetch()
        started.append(reply.json()["session_id"])
        if losses:
            losses.pop()
            return route.abort()
        return route.fulfill(response=reply)

    talk.page.route("**/api/session/start", lose)
    talk.open()

    assert len(started) == 2 and len(set(started)) == 1


def test_two_tabs_are_one_conversation(live_url: str, visit: Visit) -> None:
    first = Talk(visit(javascript=True)).goto(live_url).agreed()
    second = Talk(first.page.context.new_page()).goto(live_url)
    second.asks("What type of business")

    second.click("Restaurant").asks("Where is")
    first.asks("Where is your business")
    first.type("Pune").asks("How many people")
    second.asks("How many people")

    assert first.saved["session"] == second.saved["session"]
    assert answers(live_url, first) == {1: "Restaurant", 2: "Pune"}
    for talk in (first, second):
        assert talk.said.count("Assistant: Where is your business located?") == 1


def test_starting_again_in_one_tab_is_followed_by_the_other(live_url: str, visit: Visit) -> None:
    first = Talk(visit(javascript=True)).goto(live_url).agreed()
    second = Talk(first.page.context.new_page()).goto(live_url)
    second.asks("What type of business")
    first.click("Restaurant").asks("Where is").click("Start again")
    first.panel.get_by_role("group").get_by_role("button", name="Start again").click()
    first.button("Yes, go ahead").wait_for()

    second.button("Yes, go ahead").wait_for()

    assert first.saved["session"] == second.saved["session"]


def test_a_conversation_that_was_deleted_gives_way_to_a_new_one(
    live_url: str, visit: Visit
) -> None:
    talk = Talk(visit(javascript=True)).goto(live_url).agreed()
    talk.page.evaluate(
        """() => { const key = 'leadline:demo', saved = JSON.parse(localStorage[key]);
        saved.session = 'sess_gone'; localStorage[key] = JSON.stringify(saved) }"""
    )

    talk.page.reload()
    talk.button("Yes, go ahead").wait_for()

    assert talk.saved["session"] != "sess_gone"
    assert any("so let us start a new one" in text for text in talk.said) or talk.said
