"""The page that is all conversation: plain without a script, the widget with one, one session."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import DESK, PHONE, Serve, Visit, flaws, is_wider_than_its_window
from tests.browser.widget import Talk, answers, host_page, needs_built_widget, website

pytestmark = [pytest.mark.browser, needs_built_widget]
SIZES = pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])


class PageTalk(Talk):
    """The widget that fills a page."""

    @property
    def panel(self) -> Locator:
        """The conversation."""
        return self.page.get_by_role("region", name="YouShop")


@pytest.fixture
def page_talk(visit: Visit, live_url: str) -> PageTalk:
    """A visitor with a script, at the beginning."""
    talk = PageTalk(visit(javascript=True)).goto(f"{live_url}/chat")
    assert isinstance(talk, PageTalk)
    talk.button("Yes, go ahead").wait_for()
    return talk


def sessions(folder: Path) -> list[tuple[Any, ...]]:
    """Every session that the server knows, the oldest first."""
    with sqlite3.connect(folder / "site0" / "leadline.db") as connection:
        return connection.execute("SELECT id, surface FROM sessions ORDER BY rowid").fetchall()


def begun(talk: Talk) -> Talk:
    """Past greeting and consent, with one answer."""
    return talk.click("Yes, go ahead").click("I agree").click("Restaurant").asks("Where is")


@SIZES
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "ar"])
def test_with_a_script_the_widget_takes_the_page_over(
    visit: Visit, live_url: str, size: dict[str, int], scheme: str, lang: str
) -> None:
    page = visit(size, javascript=True, color_scheme=scheme)
    page.goto(f"{live_url}/chat?lang={lang}")
    region = page.get_by_role("region", name="YouShop")
    region.get_by_role("button").nth(1).wait_for()

    assert flaws(page) == []
    assert page.locator(".room").count() == 0
    expect(page.get_by_role("heading")).to_have_attribute("aria-level", "1")
    assert not is_wider_than_its_window(page)
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


def test_one_session_from_the_first_byte_and_the_same_after_a_reload(
    page_talk: PageTalk, live_url: str, tmp_path: Path
) -> None:
    begun(page_talk)
    page_talk.page.reload()
    page_talk.asks("Where is your business")
    said = page_talk.said
    page_talk.type("Pune").asks("How many people")

    assert said[1:3] == ["Assistant: What type of business do you run?", "You: Restaurant"]
    assert answers(live_url, page_talk) == {1: "Restaurant", 2: "Pune"}
    assert sessions(tmp_path) == [(page_talk.saved["session"], "chat")]
    assert page_talk.errors == []


def test_a_reload_at_the_greeting_says_nothing_more(page_talk: PageTalk) -> None:
    page_talk.page.reload()
    page_talk.button("Yes, go ahead").wait_for()

    assert page_talk.said == ["Assistant: Hi! Welcome to YouShop!"]


def test_what_was_said_without_a_script_is_gone_on_with(
    visit: Visit, live_url: str, tmp_path: Path
) -> None:
    plain = visit(javascript=False)
    plain.goto(f"{live_url}/chat")
    plain.get_by_role("button", name="Yes, go ahead").click()
    talk = PageTalk(visit(javascript=True))
    talk.page.context.add_cookies(plain.context.cookies())
    talk.goto(f"{live_url}/chat")

    talk.click("I agree").click("Restaurant")
    talk.asks("Where is")
    plain.goto(f"{live_url}/chat")

    expect(plain.locator("h1")).to_have_text("Where is your business located?")
    assert len(sessions(tmp_path)) == 1


def test_starting_again_begins_anew_for_the_page_too(page_talk: PageTalk, tmp_path: Path) -> None:
    begun(page_talk)
    before = page_talk.saved["session"]

    page_talk.click("Start again").panel.get_by_role("group").get_by_role(
        "button", name="Start again"
    ).click()
    page_talk.button("Yes, go ahead").wait_for()
    after = page_talk.saved["session"]
    page_talk.page.reload()
    page_talk.button("Yes, go ahead").wait_for()

    assert page_talk.saved["session"] == after != before
    assert [one for one, _ in sessions(tmp_path)] == [before, after]
    assert page_talk.said == ["Assistant: Hi! Welcome to YouShop!"]


def test_nothing_on_the_page_breaks_its_policy(visit: Visit, live_url: str) -> None:
    talk = PageTalk(visit(javascript=True))
    blocked: list[str] = []
    talk.page.on("console", lambda said: blocked.append(said.text))

    talk.goto(f"{live_url}/chat").button("Yes, go ahead").wait_for()
    begun(talk)

    assert [text for text in blocked if "Content Security Policy" in text] == []
    assert talk.errors == []


@pytest.mark.parametrize("lost", ["**/widget.js", "**/api/widget/config**"])
def test_where_the_script_does_not_come_the_plain_page_does(
    visit: Visit, live_url: str, lost: str
) -> None:
    page = visit(javascript=True)
    page.route(lost, lambda route: route.abort())
    page.goto(f"{live_url}/chat")

    page.get_by_role("button", name="Yes, go ahead").click()

    expect(page.locator("h1")).to_have_text("Before we start")
    expect(page.get_by_role("button", name="I agree")).to_be_visible()


def test_who_began_on_the_plain_page_stays_there(visit: Visit, live_url: str) -> None:
    page = visit(javascript=True)
    held: list[Any] = []
    page.route("**/api/widget/config**", lambda route: held.append(route))
    page.goto(f"{live_url}/chat")
    page.get_by_role("button", name="Yes, go ahead").focus()

    held[0].continue_()
    page.wait_for_timeout(300)

    expect(page.get_by_role("button", name="Yes, go ahead")).to_be_focused()
    assert page.locator(".room").count() == 1


def test_the_former_address_of_the_page_still_leads_to_it(visit: Visit, live_url: str) -> None:
    with_script, without = visit(javascript=True), visit(javascript=False)
    for page in (with_script, without):
        page.goto(f"{live_url}/chat/live?lang=hi")
        expect(page).to_have_url(f"{live_url}/chat?lang=hi")
        expect(page.locator("html")).to_have_attribute("lang", "hi")


def test_a_place_on_a_website_shows_what_stands_in_it_until_the_widget_comes(
    serve: Serve, visit: Visit
) -> None:
    with website() as site:
        base = serve(CORS_ORIGINS=site.address)
        body = f'<div data-leadline><a href="{base}/chat">Chat</a></div>'
        address = site.put("/", host_page(base, body=body))
        page: Page = visit(javascript=True)
        page.goto(address)

        page.get_by_role("button", name="Yes, go ahead").wait_for()

        expect(page.get_by_role("link", name="Chat")).to_have_count(0)
